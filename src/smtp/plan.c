/* SPDX-License-Identifier: ISC */
/*
 * plan - see plan.h. Read once a session, by a program that starts for each:
 * one read, and one piece of memory for the text and one for the list.
 */
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static const char *const names[SPP_SECTIONS] = {
	[SPP_CONNECTION] = "connection",
	[SPP_HELO] = "helo",
	[SPP_MAIL] = "mail",
	[SPP_RCPT] = "rcpt",
	[SPP_DATA] = "data",
	[SPP_AUTH] = "auth",
	[SPP_PASS] = "pass",
};

const char *spp_section_name(enum spp_section section)
{
	return names[section];
}

/* SPP_SECTIONS: none that is known. */
static enum spp_section section_of(char letter)
{
	unsigned s = 0;

	while (s < SPP_SECTIONS && names[s][0] != letter)
		s++;
	return (enum spp_section)s;
}

/* Puts NULs in place of what ends a line, and of the blanks before it. Returns
 * how many lines can hold a plugin. */
static size_t cut_lines(char *text, size_t len)
{
	size_t lines = 1;
	bool ends = true; /* only blanks up to the end of the line */

	text[len] = '\0';
	for (size_t i = len; i > 0; i--) {
		char *c = &text[i - 1];
		if (*c == '\n' || *c == '\0') {
			ends = true;
			lines++;
		} else if (*c != ' ' && *c != '\t') {
			ends = false;
		}
		if (ends)
			*c = '\0';
	}
	return lines;
}

void spp_plan_parse(char *text, size_t len, struct spp_plan *plan)
{
	enum spp_section section = SPP_SECTIONS;
	size_t lines = cut_lines(text, len);

	plan->text = text;
	plan->count = 0;
	plan->plugins = xcalloc(lines, sizeof(*plan->plugins));
	for (char *line = text; line < text + len; line += strlen(line) + 1) {
		if (*line == '[')
			section = section_of(line[1]);
		else if (*line && *line != '#' && section != SPP_SECTIONS)
			plan->plugins[plan->count++] = (struct spp_plugin){
				.section = section,
				.shell = *line == ':',
				.command = *line == ':' ? line + 1 : line,
			};
	}
}

/* All bytes of fd; text has room for size. -1: errno. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < size) {
		n = read(fd, text + len, size - len);
		if (n > 0)
			len += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	return n < 0 ? -1 : (ssize_t)len;
}

int spp_plan_read(const char *path, struct spp_plan *plan, struct err *err)
{
	/* Whoever named a FIFO shall not wait for it. */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	*plan = (struct spp_plan){ 0 };
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(
		    err, EXIT_AGAIN, errno, "cannot read %s", path);
	/* An empty answer of something else would be a plan without plugins. */
	if (!S_ISREG(st.st_mode))
		return err_set(err, EXIT_AGAIN, "%s is not a file", path);
	if (st.st_size > SPP_PLAN_MAX)
		return err_set(err, EXIT_AGAIN, "%s is longer than %d bytes",
		    path, SPP_PLAN_MAX);
	/* One byte to see that it grew, and the NUL. */
	size_t size = (size_t)st.st_size + 1;
	AUTO_FREE char *text = xmalloc(size + 1);
	ssize_t len = read_all(fd, text, size);
	if (len < 0)
		return err_errno(
		    err, EXIT_AGAIN, errno, "cannot read %s", path);
	if ((size_t)len == size)
		return err_set(err, EXIT_AGAIN, "%s grows", path);
	spp_plan_parse(take_ptr(&text), (size_t)len, plan);
	return 0;
}

void spp_plan_free(struct spp_plan *plan)
{
	free(plan->plugins);
	free(plan->text);
	*plan = (struct spp_plan){ 0 };
}

bool spp_plan_has(const struct spp_plan *plan, enum spp_section section)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->plugins[i].section == section)
			return true;
	return false;
}
