/* SPDX-License-Identifier: ISC */
/*
 * doctor_maps - which databases the exports write and the mail servers name,
 * and what the servers' own tools say of each.
 */
#include "doctor_maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "doctor.h"

#define SENDMAIL_CF "/etc/mail/sendmail.cf"

enum {
	CF_MAX = 512 * 1024,
	MAGIC_AT = 12,
	MAGIC_HASH = 0x061561,
	MAGIC_BTREE = 0x053162
};

static const char *const makemaps[] = { "/usr/libexec/sendmail/makemap",
	"/usr/sbin/makemap", "/usr/local/sbin/makemap", NULL };
static const char *const postmaps[] = { "/usr/sbin/postmap",
	"/usr/local/sbin/postmap", NULL };
/* What both tools name the file of each type. */
static const struct {
	const char *type, *suffix;
} types[] = { { "hash", ".db" }, { "btree", ".db" }, { "dbm", ".pag" },
	{ "lmdb", ".lmdb" }, { "cdb", ".cdb" } };

/* --- finding ----------------------------------------------------------------
 */

static const char *suffix_of(const char *type, size_t len)
{
	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (strlen(types[i].type) == len &&
		    memcmp(types[i].type, type, len) == 0)
			return types[i].suffix;
	return NULL;
}

/* NULL: not of a type that is a file of its own, known already, or too much. */
static struct doctor_map *add(struct doctor_maps *maps, const char *type,
    size_t type_len, const char *path, size_t len)
{
	const char *suffix = suffix_of(type, type_len);
	struct doctor_map *m = &maps->at[maps->count];
	size_t end = suffix ? strlen(suffix) : 0;

	if (!suffix || maps->count == DOCTOR_MAPS_MAX || !len ||
	    path[0] != '/' || len + end >= sizeof(m->path))
		return NULL;
	*m = (struct doctor_map){ 0 };
	memcpy(m->type, type, type_len);
	memcpy(m->path, path, len);
	if (len > end && memcmp(path + len - end, suffix, end) == 0)
		m->path[len - end] = '\0';
	memcpy(m->file, m->path, sizeof(m->path));
	memcpy(m->file + strlen(m->path), suffix, end + 1);
	for (size_t i = 0; i < maps->count; i++)
		if (!strcmp(maps->at[i].file, m->file) &&
		    !strcmp(maps->at[i].type, m->type))
			return NULL;
	maps->count++;
	return m;
}

static size_t word(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && *p != ' ' && *p != '\t')
		p++;
	return (size_t)(p - start);
}

static const char *skip(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

/* "Kname class -options /path" */
static void take_k_line(struct doctor_maps *maps, const char *p, size_t len)
{
	const char *end = p + len, *class;
	bool optional = false;
	size_t class_len, n;

	p = skip(p + 1, end);
	p = skip(p + word(p, end), end);
	class = p;
	class_len = word(p, end);
	for (p = skip(p + class_len, end); p < end && *p == '-';
	     p = skip(p + n, end)) {
		n = word(p, end);
		optional |= n > 1 && p[1] == 'o';
	}
	struct doctor_map *m = add(maps, class, class_len, p, word(p, end));
	if (!m)
		return;
	m->named = "sendmail.cf";
	m->tool = DOCTOR_MAKEMAP;
	m->optional = optional;
}

void doctor_maps_of_sendmail(struct doctor_maps *maps, const char *text)
{
	for (const char *p = text; *p;) {
		size_t len = strcspn(p, "\n");

		if (*p == 'K')
			take_k_line(maps, p, len);
		p += len + (p[len] == '\n');
	}
}

void doctor_maps_of_postfix(struct doctor_maps *maps, const char *text)
{
	static const char ends[] = " \t\n,{}";

	for (const char *p = text; *p;) {
		size_t len = strcspn(p, ends);
		const char *colon = memchr(p, ':', len);

		if (colon) {
			size_t type = (size_t)(colon - p);
			struct doctor_map *m =
			    add(maps, p, type, colon + 1, len - type - 1);
			if (m) {
				m->named = "main.cf";
				m->tool = DOCTOR_POSTMAP;
			}
		}
		p += len;
		p += strspn(p, ends);
	}
}

/* Who reads an export that no server's configuration names: Sendmail looks
 * IPv6 addresses up in a form of its own. */
static bool is_for_sendmail(const struct conf_section *s)
{
	return strncmp(conf_kind(s), "berkeley-", 9) == 0 &&
	       conf_number(s, "ipv6") == 0;
}

static void add_exports(struct doctor_facts *f)
{
	for (size_t i = 0; i < conf_count(f->conf, "export"); i++) {
		const struct conf_section *s = conf_at(f->conf, "export", i);
		const char *kind = conf_kind(s);
		const char *type =
		    strncmp(kind, "berkeley-", 9) == 0 ? kind + 9 : kind;
		const char *path =
		    suffix_of(type, strlen(type)) ? conf_string(s, "path") : "";
		struct doctor_map *m =
		    add(&f->maps, type, strlen(type), path, strlen(path));

		/* Another name for it than the tools have. */
		if (!m || strcmp(m->file, path) != 0) {
			f->maps.count -= m != NULL;
			continue;
		}
		(void)snprintf(
		    m->by, sizeof(m->by), "the export \"%s\"", conf_name(s));
		m->tool = is_for_sendmail(s) ? DOCTOR_MAKEMAP : DOCTOR_POSTMAP;
	}
}

/* --- opening ----------------------------------------------------------------
 */

static int open_below(const char *root, const char *path)
{
	char full[DOCTOR_PATH_SIZE + DOCTOR_MAP_PATH_SIZE];

	(void)snprintf(full, sizeof(full), "%s%s", root, path);
	return open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

static bool is_magic(uint32_t magic, uint32_t wanted)
{
	return magic == wanted || magic == __builtin_bswap32(wanted);
}

static void read_head(struct doctor_map *m, const char *root)
{
	uint32_t head[2] = { 0 }; /* magic, version */
	AUTO_CLOSE int fd = open_below(root, m->file);
	ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof(head), MAGIC_AT);

	if (n < 0)
		m->error = errno;
	else if (n == 0 && lseek(fd, 0, SEEK_END) == 0)
		m->format = DOCTOR_FORMAT_EMPTY;
	else if (n == sizeof(head) && is_magic(head[0], MAGIC_HASH))
		m->format = DOCTOR_FORMAT_HASH;
	else if (n == sizeof(head) && is_magic(head[0], MAGIC_BTREE))
		m->format = DOCTOR_FORMAT_BTREE;
	m->version = head[0] == MAGIC_HASH || head[0] == MAGIC_BTREE
			 ? head[1]
			 : __builtin_bswap32(head[1]);
}

/* On one line. */
static void keep_complaint(struct doctor_map *m, const char *text)
{
	size_t used = 0;

	for (; *text && used < sizeof(m->complaint) - 3; text++) {
		if (*text != '\n')
			m->complaint[used++] = *text;
		else if (text[1])
			used += (size_t)snprintf(m->complaint + used,
			    sizeof(m->complaint) - used, "; ");
	}
	m->complaint[used] = '\0';
}

static void try_map(struct doctor_map *m, doctor_try_fn *try)
{
	char typed[DOCTOR_MAP_TYPE_SIZE + DOCTOR_MAP_PATH_SIZE];
	const char *const unmake[] = { NULL, "-u", m->type, m->path, NULL };
	/* No key that anybody has; "not found" is an answer. */
	const char *const query[] = { NULL, "-q", "relaypass.invalid", typed,
		NULL };
	const char *const *words = m->tool == DOCTOR_MAKEMAP ? unmake : query;
	const char *const *places =
	    m->tool == DOCTOR_MAKEMAP ? makemaps : postmaps;
	AUTO_FREE char *text = xmalloc(DOCTOR_OUTPUT_SIZE);
	const char *argv[COUNT_OF(query)];

	(void)snprintf(typed, sizeof(typed), "%s:%s", m->type, m->path);
	memcpy(argv, words, sizeof(argv));
	m->status = DOCTOR_ABSENT;
	for (size_t i = 0; places[i] && m->status == DOCTOR_ABSENT; i++) {
		argv[0] = places[i];
		m->status = try(argv, text);
	}
	keep_complaint(m, text);
}

static void read_cf(struct doctor_facts *f, const char *root)
{
	AUTO_CLOSE int fd = open_below(root, SENDMAIL_CF);
	AUTO_FREE char *text = xmalloc(CF_MAX);
	size_t used = 0;
	ssize_t n = fd < 0 ? 0 : 1;

	while (n > 0 && used < CF_MAX - 1) {
		n = read(fd, text + used, CF_MAX - 1 - used);
		used += n > 0 ? (size_t)n : 0;
	}
	text[used] = '\0';
	doctor_maps_of_sendmail(&f->maps, text);
}

/* All that Postfix was told beyond its own defaults. */
static void ask_postconf(
    struct doctor_facts *f, const struct doctor_where *where)
{
	static const char *const all[] = { "/usr/sbin/postconf", "-n", NULL };
	AUTO_FREE char *text = xmalloc(DOCTOR_OUTPUT_SIZE);

	if (f->postfix[0] && where->run(all, text))
		doctor_maps_of_postfix(&f->maps, text);
}

void doctor_maps_look(struct doctor_facts *f, const struct doctor_where *where)
{
	if (!where->try)
		return;
	read_cf(f, where->root);
	ask_postconf(f, where);
	add_exports(f);
	for (size_t i = 0; i < f->maps.count; i++) {
		read_head(&f->maps.at[i], where->root);
		try_map(&f->maps.at[i], where->try);
	}
}
