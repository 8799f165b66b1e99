/* SPDX-License-Identifier: ISC */
/*
 * file - reads pattern files. Called by pattern.c for the built-in ones and
 * those of the configuration directory, and by `relaypass patterns check`.
 * Not here: whether an expression is safe (safety.c), compiling (pattern.c).
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/endpoint.h"
#include "base/mem.h"
#include "piece.h"

enum { FILE_MAX = 1 << 20 };

/* The reading of one file. */
struct reader {
	struct pattern_file *file;
	int line;
	struct pieces pieces;
	struct err *err;
};

static const char *const kind_names[] = { "login", "logout", "connect", "fail",
	"start" };
static const char *const group_names[GROUP_COUNT] = { "ip", "user", "session",
	"pid", "mpid", "port", "tls", "time" };
static const char *const field_names[] = { "session", "ip", "port", "user",
	"pid", "program", "host" };

const char *pattern_kind_name(enum pattern_kind kind)
{
	return kind_names[kind];
}

enum group group_find(const char *name, size_t len)
{
	int i = 0;

	while (i < GROUP_COUNT && (strlen(group_names[i]) != len ||
				      memcmp(group_names[i], name, len) != 0))
		i++;
	return (enum group)i;
}

static int bad(struct reader *r, const char *what)
{
	return err_set(
	    r->err, EXIT_USER, "%s:%d: %s", r->file->path, r->line, what);
}

/* Room for one more element behind count ones; zeroed. */
static void *more(void *array, size_t *count, size_t size)
{
	char *at = xrealloc(array, *count + 1, size);

	memset(at + *count * size, 0, size);
	(*count)++;
	return at;
}

static void add_word(struct pattern_words *w, const char *text, size_t len)
{
	w->at = more(w->at, &w->n, sizeof(*w->at));
	w->at[w->n - 1] = xstrndup(text, len);
}

/* The next blank-separated word of *p; returns its length, 0: the end. */
static size_t next_word(const char **p, const char **word)
{
	size_t n;

	*p += strspn(*p, " \t");
	*word = *p;
	n = strcspn(*p, " \t");
	*p += n;
	return n;
}

static void add_words(struct pattern_words *w, const char *value)
{
	const char *word;

	for (size_t n; (n = next_word(&value, &word));)
		add_word(w, word, n);
}

static struct pattern_block *block_of(struct reader *r)
{
	struct pattern_file *f = r->file;

	return f->block_count ? &f->blocks[f->block_count - 1] : NULL;
}

static bool is_name(const char *s, size_t max)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n <= max && !s[n];
}

static int do_server(struct reader *r, const char *value)
{
	if (r->file->name)
		return bad(r, "a second `server`: one file is one server");
	if (!is_name(value, LOGIN_SERVER_MAX))
		return bad(r, "server: expected a name of a-z, 0-9 and '-', at "
			      "most 23 bytes");
	r->file->name = xstrdup(value);
	return 0;
}

static int do_about(struct reader *r, const char *value)
{
	if (r->file->about)
		return bad(r, "a second `about`");
	r->file->about = xstrdup(value);
	return 0;
}

static int do_note(struct reader *r, const char *value)
{
	add_word(&r->file->notes, value, strlen(value));
	return 0;
}

static int do_define(struct reader *r, const char *value)
{
	const char *name, *why;
	size_t n = next_word(&value, &name);

	value += strspn(value, " \t");
	why = piece_define(&r->pieces, name, n, value);
	return why ? bad(r, why) : 0;
}

static struct pattern_block *new_block(
    struct reader *r, enum pattern_place place)
{
	struct pattern_file *f = r->file;
	struct pattern_block *b;

	f->blocks = more(f->blocks, &f->block_count, sizeof(*f->blocks));
	b = &f->blocks[f->block_count - 1];
	must(f->name != NULL); /* read_line() wants it first */
	memcpy(b->server, f->name, strlen(f->name));
	b->place = place;
	b->field_count = 1;
	b->fields[0] = FIELD_SESSION;
	return b;
}

/* Programs: the bytes a syslog tag may have; one '*' may end it. */
static int check_names(struct reader *r, const struct pattern_words *w)
{
	for (size_t i = 0; i < w->n; i++) {
		size_t n = strspn(w->at[i],
		    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		    "0123456789-._/");

		const char *end = w->at[i] + n;

		end += *end == '*';
		if (!n || n > 48 || *end)
			return bad(r, "expected names of programs");
	}
	return w->n ? 0 : bad(r, "expected at least one name");
}

static int do_program(struct reader *r, const char *value)
{
	struct pattern_block *b = new_block(r, PATTERN_PROGRAM);

	add_words(&b->names, value);
	return check_names(r, &b->names);
}

static int do_lead(struct reader *r, const char *value)
{
	struct pattern_block *b = new_block(r, PATTERN_LEAD);

	add_words(&b->names, value);
	return check_names(r, &b->names);
}

static int do_file(struct reader *r, const char *value)
{
	struct pattern_block *b = new_block(r, PATTERN_FILE);

	b->unstamped = !strcmp(value, "unstamped");
	if (*value && !b->unstamped)
		return bad(r, "file: expected nothing, or \"unstamped\"");
	return 0;
}

/* Known names, each once; a login must name its user, and its address unless
 * a connect line does. */
static int check_groups(
    struct reader *r, const struct safety_names *names, enum pattern_kind kind)
{
	unsigned seen = 0;

	for (size_t i = 0; i < names->n; i++) {
		unsigned g = group_find(names->name[i].at, names->name[i].len);

		if (g == GROUP_COUNT || seen >> g & 1)
			return bad(r,
			    "groups are ip user session pid mpid port "
			    "tls time, each once");
		seen |= 1U << g;
	}
	if (kind == PATTERN_LOGIN && !(seen >> GROUP_USER & 1))
		return bad(r, "a login needs (?<user>...)");
	if (kind == PATTERN_LOGIN && !(seen >> GROUP_IP & 1) &&
	    !block_of(r)->join)
		return bad(r, "a login needs (?<ip>...), or `join` before it");
	return 0;
}

static int do_expr(struct reader *r, const char *value, enum pattern_kind kind)
{
	struct pattern_block *b = block_of(r);
	AUTO_FREE char *text = xmalloc(PIECE_EXPR_MAX + 1);
	struct safety_names names;
	struct err why = { 0 };
	struct pattern_expr *e;
	const char *mistake;

	if (!b)
		return bad(r, "expected `program`, `lead` or `file` before");
	mistake = piece_fill(&r->pieces, value, text);
	if (mistake)
		return bad(r, mistake);
	if (safety_check(text, &names, &why) < 0)
		return bad(r, why.text);
	if (check_groups(r, &names, kind) < 0)
		return -1;
	b->exprs = more(b->exprs, &b->expr_count, sizeof(*b->exprs));
	e = &b->exprs[b->expr_count - 1];
	e->kind = kind;
	e->line = r->line;
	e->text = take_ptr(&text);
	e->names = names; /* they point into text */
	return 0;
}

static int do_session(struct reader *r, const char *value)
{
	struct pattern_block *b = block_of(r);
	const char *word;

	if (!b)
		return bad(r, "expected `program`, `lead` or `file` before");
	b->field_count = 0;
	for (size_t n; (n = next_word(&value, &word));) {
		size_t i = 0;

		while (i < FIELD_COUNT &&
		       (strlen(field_names[i]) != n ||
			   memcmp(field_names[i], word, n) != 0))
			i++;
		if (i == FIELD_COUNT || b->field_count == FIELD_COUNT)
			return bad(r, "session: expected fields out of session "
				      "ip port user pid program host");
		b->fields[b->field_count++] = (enum pattern_field)i;
	}
	return b->field_count ? 0 : bad(r, "session: expected a field");
}

static int do_tls(struct reader *r, const char *value)
{
	struct pattern_block *b = block_of(r);

	if (!b || b->place != PATTERN_PROGRAM)
		return bad(r, "tls: expected `program` before");
	add_words(&b->tls, value);
	return check_names(r, &b->tls);
}

static int do_join(struct reader *r, const char *value)
{
	struct pattern_block *b = block_of(r);
	char *end;
	long seconds = strtol(value, &end, 10);

	if (!b || b->place != PATTERN_PROGRAM)
		return bad(r, "join: expected `program` before");
	if (end == value || *end || seconds < 1 || seconds > 3600)
		return bad(r, "join: expected 1 to 3600 seconds");
	b->join = (int64_t)seconds * 1000;
	return 0;
}

static int do_near(struct reader *r, const char *value)
{
	struct pattern_block *b = block_of(r);

	if (!b || !*value)
		return bad(r, "near: expected a block before, and a text");
	add_word(&b->near, value, strlen(value));
	return 0;
}

/* Of a number or a name; false: a number that is no uid. */
static bool find_uid(const char *word, uint32_t *out)
{
	uid_t uid;
	bool here = endpoint_parse_user(word, &uid);

	*out = here ? uid : PATTERN_NO_UID;
	return here || word[strspn(word, "0123456789")];
}

/* Looked up now: a reader that is locked down cannot. */
static int do_uid(struct reader *r, const char *value)
{
	struct pattern_block *b = block_of(r);
	struct pattern_users *u = b ? &b->users : &r->file->users;
	size_t before = u->words.n;

	add_words(&u->words, value);
	if (u->words.n == before)
		return bad(r, "uid: expected numbers or names of users");
	u->uids = xrealloc(u->uids, u->words.n, sizeof(*u->uids));
	u->line = r->line;
	for (size_t i = before; i < u->words.n; i++)
		if (!find_uid(u->words.at[i], &u->uids[i]))
			return bad(r, "uid: expected numbers below 4294967295");
	return 0;
}

/* Blocks do not move any more. */
static void set_senders(struct pattern_file *f)
{
	for (size_t i = 0; i < f->block_count; i++) {
		struct pattern_block *b = &f->blocks[i];

		b->senders = b->users.words.n   ? &b->users
			     : f->users.words.n ? &f->users
						: NULL;
	}
}

static size_t unknown_users(const struct pattern_file *f,
    const struct pattern_users *u, pattern_user_fn *fn, void *ctx)
{
	size_t unknown = 0;

	for (size_t i = 0; i < u->words.n; i++) {
		if (u->uids[i] != PATTERN_NO_UID)
			continue;
		unknown++;
		fn(ctx, f, u->line, u->words.at[i]);
	}
	return unknown;
}

size_t pattern_file_unknown_users(
    const struct pattern_file *f, pattern_user_fn *fn, void *ctx)
{
	size_t unknown = unknown_users(f, &f->users, fn, ctx);

	for (size_t i = 0; i < f->block_count; i++)
		unknown += unknown_users(f, &f->blocks[i].users, fn, ctx);
	return unknown;
}

static int do_sample(struct reader *r, const char *value)
{
	struct pattern_file *f = r->file;
	struct pattern_sample *s;
	const char *why;

	f->samples = more(f->samples, &f->sample_count, sizeof(*f->samples));
	s = &f->samples[f->sample_count - 1];
	s->line = r->line;
	why = pattern_sample_parse(s, value);
	return why ? bad(r, why) : 0;
}

struct keyword {
	const char *name;
	int (*run)(struct reader *r, const char *value);
};

static const struct keyword keywords[] = {
	{ "server", do_server },
	{ "about", do_about },
	{ "note", do_note },
	{ "define", do_define },
	{ "program", do_program },
	{ "lead", do_lead },
	{ "file", do_file },
	{ "session", do_session },
	{ "tls", do_tls },
	{ "join", do_join },
	{ "near", do_near },
	{ "uid", do_uid },
	{ "sample", do_sample },
};

static int read_line(struct reader *r, char *line)
{
	const char *value = line, *word;
	size_t n = next_word(&value, &word);

	if (!n || *word == '#')
		return 0;
	value += strspn(value, " \t");
	if (!r->file->name && (n != 6 || memcmp(word, "server", 6) != 0))
		return bad(r, "expected `server NAME` first");
	for (size_t i = 0; i < COUNT_OF(keywords); i++)
		if (strlen(keywords[i].name) == n &&
		    !memcmp(keywords[i].name, word, n))
			return keywords[i].run(r, value);
	for (size_t i = 0; i < COUNT_OF(kind_names); i++)
		if (strlen(kind_names[i]) == n &&
		    !memcmp(kind_names[i], word, n))
			return do_expr(r, value, (enum pattern_kind)i);
	return bad(r, "unknown keyword");
}

static int read_all(struct reader *r, const char *text, size_t len)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;
		AUTO_FREE char *line = xstrndup(text, n);

		r->line++;
		if (strlen(line) != n || strchr(line, '\r'))
			return bad(r, "a NUL or CR byte");
		if (read_line(r, line) < 0)
			return -1;
		text += n + (end != NULL);
		len -= n + (end != NULL);
	}
	if (!r->file->name)
		return bad(r, "expected `server NAME`");
	set_senders(r->file);
	return 0;
}

struct pattern_file *pattern_file_parse(
    const char *path, const char *text, size_t len, struct err *err)
{
	struct pattern_file *f = xcalloc(1, sizeof(*f));
	struct reader r = { .file = f, .err = err };
	int result;

	f->path = xstrdup(path);
	f->source = xstrndup(text, len);
	f->source_len = strlen(f->source);
	result = read_all(&r, text, len);
	pieces_free(&r.pieces);
	if (result < 0)
		pattern_file_free(&f);
	return f;
}

struct pattern_file *pattern_file_load(const char *path, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTO_FREE char *text = NULL;
	struct stat st;
	size_t len = 0;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err_errno(err, EXIT_USER, errno, "%s", path);
		return NULL;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		err_set(err, EXIT_USER,
		    "%s: expected a regular file of at most 1 MiB", path);
		return NULL;
	}
	text = xmalloc(FILE_MAX + 1);
	for (ssize_t n = 1; n > 0 && len < FILE_MAX; len += (size_t)n) {
		n = read(fd, text + len, FILE_MAX - len);
		if (n < 0) {
			err_errno(err, EXIT_USER, errno, "%s", path);
			return NULL;
		}
	}
	return pattern_file_parse(path, text, len, err);
}

static void free_words(struct pattern_words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->at[i]);
	free(w->at);
}

static void free_users(struct pattern_users *u)
{
	free_words(&u->words);
	free(u->uids);
}

static void free_block(struct pattern_block *b)
{
	free_words(&b->names);
	free_words(&b->tls);
	free_words(&b->near);
	free_users(&b->users);
	for (size_t i = 0; i < b->expr_count; i++)
		free(b->exprs[i].text);
	free(b->exprs);
}

void pattern_file_free(struct pattern_file **fp)
{
	struct pattern_file *f = *fp;

	*fp = NULL;
	if (!f)
		return;
	for (size_t i = 0; i < f->block_count; i++)
		free_block(&f->blocks[i]);
	for (size_t i = 0; i < f->sample_count; i++) {
		free(f->samples[i].want);
		free(f->samples[i].text);
	}
	free_words(&f->notes);
	free_users(&f->users);
	free(f->blocks);
	free(f->samples);
	free(f->path);
	free(f->source);
	free(f->name);
	free(f->about);
	free(f);
}
