/* SPDX-License-Identifier: ISC */
/*
 * drac_allow - reads dracd.allow. Where the old server was lenient in a way
 * that lets in whom nobody named (a quad that does not parse was taken for
 * 255.255.255.255, the tail of a long line for a line), the line gives nothing.
 */
#include "drac_allow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum { IPV4_AT = 12, IPV4_SIZE = 4, FILE_SIZE_MAX = 1 << 20 };

struct drac_allow {
	size_t count;
	struct drac_rule rules[];
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static uint32_t ipv4_of(const struct addr *a)
{
	uint32_t value = 0;

	for (int i = IPV4_AT; i < IPV4_AT + IPV4_SIZE; i++)
		value = value << 8 | a->bytes[i];
	return value;
}

/* The dotted quad that begins at *at and ends before a blank or the end. */
static bool take_quad(const char *line, size_t len, size_t *at, uint32_t *value)
{
	size_t start = *at;
	struct addr a;

	while (*at < len && !is_blank(line[*at]))
		(*at)++;
	if (!addr_parse(line + start, *at - start, &a) || !addr_is_ipv4(&a) ||
	    memchr(line + start, ':', *at - start))
		return false;
	*value = ipv4_of(&a);
	return true;
}

static size_t skip_blanks(const char *line, size_t len, size_t at)
{
	while (at < len && is_blank(line[at]))
		at++;
	return at;
}

enum drac_allow_line drac_allow_parse(
    const char *line, size_t len, struct drac_rule *out)
{
	size_t at = 0;

	memset(out, 0, sizeof(*out));
	if (len > 0 && line[0] == '#')
		return DRAC_LINE_EMPTY;
	if (skip_blanks(line, len, 0) == len)
		return DRAC_LINE_EMPTY;
	if (len > DRAC_ALLOW_LINE_MAX || !take_quad(line, len, &at, &out->mask))
		return DRAC_LINE_BAD;
	at = skip_blanks(line, len, at);
	/* What follows the second quad is a remark. */
	return take_quad(line, len, &at, &out->addr) ? DRAC_LINE_RULE
						     : DRAC_LINE_BAD;
}

/* --- the file --------------------------------------------------------------
 */

static void tell_line(const char *source, const char *path, size_t number,
    const char *line, size_t len, const char *why)
{
	char quoted[DRAC_ALLOW_LINE_MAX];

	if (!source)
		return;
	log_warn(LOG_SOURCE_LINE, "source=%s file=%s line=%zu why=%s text=%s",
	    source, path, number, why,
	    log_quote(line, len, quoted, sizeof(quoted)));
}

static void take_line(struct drac_allow *a, const char *source,
    const char *path, size_t number, const char *line, size_t len)
{
	struct drac_rule rule;

	switch (drac_allow_parse(line, len, &rule)) {
	case DRAC_LINE_EMPTY:
		return;
	case DRAC_LINE_BAD:
		tell_line(source, path, number, line, len,
		    len > DRAC_ALLOW_LINE_MAX ? "too-long" : "unparsable");
		return;
	case DRAC_LINE_RULE:
	default:
		break;
	}
	if (rule.addr & ~rule.mask)
		tell_line(source, path, number, line, len, "matches-nobody");
	else if (rule.mask == 0)
		tell_line(source, path, number, line, len, "matches-everybody");
	if (a->count < DRAC_ALLOW_RULES_MAX)
		a->rules[a->count++] = rule;
	else
		tell_line(source, path, number, line, len, "too-many");
}

static struct drac_allow *take_file(
    FILE *file, const char *source, const char *path)
{
	struct drac_allow *a =
	    xcalloc(1, sizeof(*a) + DRAC_ALLOW_RULES_MAX * sizeof(a->rules[0]));
	AUTO_FREE char *line = NULL;
	size_t size = 0, number = 0;
	ssize_t len;

	while ((len = getline(&line, &size, file)) > 0) {
		if (line[len - 1] == '\n')
			len--;
		take_line(a, source, path, ++number, line, (size_t)len);
	}
	return a;
}

static int refuse(struct err *err, const char *path, const char *why)
{
	return err_set(err, EXIT_USER, "%s %s", path, why);
}

static int check_file(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(err, EXIT_USER, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return refuse(err, path, "is not a file");
	if (st.st_mode & S_IWOTH)
		return refuse(err, path,
		    "may be written by everybody; run: chmod o-w on it");
	if (st.st_size > FILE_SIZE_MAX)
		return refuse(err, path, "is longer than 1 MiB");
	return 0;
}

struct drac_allow *drac_allow_read(
    const char *path, const char *source, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct drac_allow *a = NULL;
	FILE *file;

	if (fd < 0) {
		(void)err_errno(err, EXIT_USER, errno,
		    "%s: nobody could add an address; name the "
		    "mail servers that may, one line \"NETMASK ADDRESS\" each",
		    path);
		return NULL;
	}
	if (check_file(fd, path, err) < 0)
		return NULL;
	file = fdopen(fd, "r");
	if (!file) {
		(void)err_errno(err, EXIT_USER, errno, "%s", path);
		return NULL;
	}
	(void)take_fd(&fd);
	a = take_file(file, source, path);
	if (ferror(file)) {
		(void)err_errno(err, EXIT_USER, errno, "%s", path);
		drac_allow_free(&a);
	}
	(void)fclose(file);
	return a;
}

void drac_allow_free(struct drac_allow **a)
{
	free(*a);
	*a = NULL;
}

bool drac_allow_has(const struct drac_allow *a, const struct addr *caller)
{
	if (!addr_is_ipv4(caller))
		return false;
	uint32_t value = ipv4_of(caller);
	for (size_t i = 0; i < a->count; i++)
		if ((value & a->rules[i].mask) == a->rules[i].addr)
			return true;
	return false;
}

size_t drac_allow_count(const struct drac_allow *a)
{
	return a->count;
}
