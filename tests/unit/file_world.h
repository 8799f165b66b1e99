/* SPDX-License-Identifier: ISC */
/*
 * file_world - a directory of log files, a source that follows them with the
 * real opener and inotify, and a keeper that only remembers. The matcher is a
 * simple one of our own: "@MS login NAME" or, without a stamp, "login NAME".
 * Include once in a program: it defines the matcher.
 */
#ifndef TESTS_UNIT_FILE_WORLD_H
#define TESTS_UNIT_FILE_WORLD_H
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <uv.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "daemon/opener.h"
#include "source/source.h"

enum {
	WORLD_LIMIT_MS = 10000,
	WORLD_CURSORS = 16,
	WORLD_TTL = 30 * 60 * 1000,
	WORLD_SKEW = 5 * 60 * 1000
};

struct world {
	char dir[64];
	char conf_text[600];
	struct conf *conf;
	struct opener *opener;
	char hidden[40]; /* the next look beside a log does not see this name */
	bool hides;      /* in the look that is under way */
	source_file_fn *given;
	void *given_ctx;
	int inotify;
	uv_loop_t loop;
	bool looping;
	struct source *source;
	struct source_cursor cursors[WORLD_CURSORS]; /* committed */
	size_t cursor_count;
	/* The keeper. */
	char **users; /* of all logins, in order */
	size_t user_count, user_room;
	size_t calls, cursor_only;
	size_t die_at;     /* this call fails, 0: none */
	bool deaf;         /* drops everything, as after a crash */
	uint64_t heard_at; /* uv_hrtime() of the last login */
	int64_t last_time; /* of the last login */
};

/* --- the matcher --- */

struct matcher {
	struct matcher_counts counts;
};

struct matcher *matcher_new(const struct patterns *p)
{
	(void)p;
	return xcalloc(1, sizeof(struct matcher));
}

void matcher_free(struct matcher **m)
{
	free(*m);
	*m = NULL;
}

void matcher_annotated(struct matcher *m, bool annotated)
{
	(void)m;
	must(!annotated);
}

struct matcher_counts matcher_counts(const struct matcher *m)
{
	return m->counts;
}

int64_t matcher_time(struct matcher *m, const char *line, size_t len,
    int64_t now_wall, int64_t skew)
{
	int64_t time = 0;

	(void)m;
	(void)now_wall;
	(void)skew;
	if (len < 2 || line[0] != '@')
		return -1;
	for (size_t i = 1; i < len && line[i] != ' '; i++) {
		if (line[i] < '0' || line[i] > '9')
			return -1;
		time = time * 10 + (line[i] - '0');
	}
	return time;
}

enum login_kind matcher_line(struct matcher *m, const char *line, size_t len,
    int64_t now_wall, int64_t skew, struct login *out)
{
	const char *word = memmem(line, len, "login ", 6);

	m->counts.lines++;
	if (!word || (word != line && (line[0] != '@' || word[-1] != ' ')))
		return LOGIN_NOTHING;
	memset(out, 0, sizeof(*out));
	size_t rest = len - (size_t)(word + 6 - line);
	if (rest > LOGIN_USER_MAX)
		return LOGIN_NOTHING;
	out->kind = LOGIN_IN;
	out->user_len = (uint8_t)rest;
	memcpy(out->user, word + 6, rest);
	out->time = matcher_time(m, line, len, now_wall, skew);
	if (out->time < 0)
		out->time = now_wall;
	return LOGIN_IN;
}

/* Of other sources only. */
enum login_kind matcher_line_from(struct matcher *m, const char *line,
    size_t len, int64_t now_wall, int64_t skew, uint32_t uid, struct login *out)
{
	(void)uid;
	return matcher_line(m, line, len, now_wall, skew, out);
}

/* --- the keeper --- */

static inline void world_commit(struct world *w, const struct source_cursor *c)
{
	size_t i = 0;

	while (i < w->cursor_count &&
	       (w->cursors[i].key_len != c->key_len ||
		   memcmp(w->cursors[i].key, c->key, c->key_len) != 0))
		i++;
	must(i < WORLD_CURSORS);
	w->cursors[i] = *c;
	if (i == w->cursor_count)
		w->cursor_count++;
}

static inline int world_sink(void *ctx, const struct source_cursor *cursor,
    const struct login *logins, size_t n)
{
	struct world *w = ctx;

	if (w->deaf)
		return 0;
	w->calls++;
	if (w->calls == w->die_at)
		return -1;
	must(n <= SOURCE_BATCH);
	if (cursor)
		world_commit(w, cursor);
	if (n == 0)
		w->cursor_only++;
	for (size_t i = 0; i < n; i++) {
		if (w->user_count == w->user_room) {
			w->user_room = 2 * w->user_room + 64;
			w->users =
			    xrealloc(w->users, w->user_room, sizeof(*w->users));
		}
		w->users[w->user_count++] = xstrdup(logins[i].user);
		w->last_time = logins[i].time;
		w->heard_at = uv_hrtime();
	}
	return 0;
}

/* --- files --- */

static inline const char *world_path(struct world *w, const char *name)
{
	static char paths[4][200];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", w->dir, name);
	return path;
}

static inline void world_bytes(
    struct world *w, const char *name, int flags, const char *bytes, size_t len)
{
	int fd = open(world_path(w, name), O_WRONLY | O_CREAT | flags, 0640);

	must(fd >= 0);
	must(write(fd, bytes, len) == (ssize_t)len);
	must(close(fd) == 0);
}

static inline void world_text(
    struct world *w, const char *name, const char *text)
{
	world_bytes(w, name, O_APPEND, text, strlen(text));
}

static inline void world_line_at(
    struct world *w, const char *name, int64_t time, const char *user)
{
	char line[200];

	(void)snprintf(
	    line, sizeof(line), "@%lld login %s\n", (long long)time, user);
	world_text(w, name, line);
}

/* One login of this moment. */
static inline void world_line(
    struct world *w, const char *name, const char *user)
{
	world_line_at(w, name, clock_now().wall, user);
}

static inline void world_rename(
    struct world *w, const char *from, const char *to)
{
	must(rename(world_path(w, from), world_path(w, to)) == 0);
}

static inline char *world_slurp(struct world *w, const char *name, size_t *len)
{
	int fd = open(world_path(w, name), O_RDONLY);
	struct stat st;

	must(fd >= 0 && fstat(fd, &st) == 0);
	*len = (size_t)st.st_size;
	char *text = xmalloc(*len + 1);
	must(read(fd, text, *len) == (ssize_t)*len);
	must(close(fd) == 0);
	return text;
}

/* Keeps the time of change, as packers do. */
static inline void world_same_time(int fd, const char *path)
{
	struct stat st;

	must(stat(path, &st) == 0);
	struct timespec times[2] = { st.st_atim, st.st_mtim };
	must(futimens(fd, times) == 0);
}

static inline void world_gzip(struct world *w, const char *name)
{
	char packed[200];
	size_t len;
	char *text = world_slurp(w, name, &len);

	(void)snprintf(packed, sizeof(packed), "%s/%s.gz", w->dir, name);
	gzFile gz = gzopen(packed, "wb");
	must(gz && (len == 0 || gzwrite(gz, text, (unsigned)len) == (int)len));
	must(gzclose(gz) == Z_OK);
	int fd = open(packed, O_WRONLY);
	world_same_time(fd, world_path(w, name));
	must(close(fd) == 0 && unlink(world_path(w, name)) == 0);
	free(text);
}

static inline void world_zstd(struct world *w, const char *name)
{
	char packed[200];
	size_t len;
	char *text = world_slurp(w, name, &len);
	size_t size = ZSTD_compressBound(len);
	char *out = xmalloc(size);

	(void)snprintf(packed, sizeof(packed), "%s/%s.zst", w->dir, name);
	size = ZSTD_compress(out, size, text, len, 3);
	must(!ZSTD_isError(size));
	int fd = open(packed, O_WRONLY | O_CREAT, 0640);
	must(fd >= 0 && write(fd, out, size) == (ssize_t)size);
	world_same_time(fd, world_path(w, name));
	must(close(fd) == 0 && unlink(world_path(w, name)) == 0);
	free(out);
	free(text);
}

/* --- the source --- */

static inline const struct conf_schema *world_schema(void)
{
	static struct conf_kind kind;
	static const struct conf_kind *list[2] = { &kind };
	static const struct option none[] = { OPTION_END };
	static struct conf_schema schema[2];

	kind.name = source_kinds[0]->name;
	kind.help = source_kinds[0]->help;
	kind.options = source_kinds[0]->options;
	schema[0] = (struct conf_schema){ "source", "Where from.", none, list };
	return schema;
}

static void world_give(void *ctx, struct source_file *file)
{
	struct world *w = ctx;
	const char *name = strrchr(file->path, '/');

	if (w->hides && name && strcmp(name + 1, w->hidden) == 0)
		(void)close(file->fd);
	else
		w->given(w->given_ctx, file);
}

/* The opener, from which one file may hide once: it was renamed just then. */
static int world_opener(void *ctx, enum source_open what, const char *path,
    source_file_fn *fn, void *fn_ctx)
{
	struct world *w = ctx;
	int n;

	w->given = fn;
	w->given_ctx = fn_ctx;
	w->hides = what == OPEN_SIBLINGS && w->hidden[0];
	n = opener_run(w->opener, what, path, world_give, w);
	if (w->hides)
		w->hidden[0] = '\0';
	return n;
}

static inline void world_start(struct world *w)
{
	const struct source_kind *kind = source_kind_find("file");
	struct err err = { 0 };
	struct source_env env = {
		.name = "maillog",
		.ttl = WORLD_TTL,
		.max_skew = WORLD_SKEW,
		.sink = world_sink,
		.sink_ctx = w,
		.opener = world_opener,
		.opener_ctx = w,
	};
	const struct conf_section *section = conf_at(w->conf, "source", 0);

	must(uv_loop_init(&w->loop) == 0);
	w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	must(w->inotify >= 0);
	w->opener = opener_for(section, w->inotify);
	env.inotify_fd = w->inotify;
	w->source =
	    kind->open(&env, section, w->cursors, w->cursor_count, &err);
	must(w->source != NULL);
	kind->start(w->source, &w->loop);
	w->looping = true;
}

static inline void world_stop(struct world *w)
{
	const struct source_kind *kind = source_kind_find("file");

	if (!w->looping)
		return;
	w->looping = false;
	kind->stop(w->source);
	kind->close(&w->source);
	must(uv_loop_close(&w->loop) == 0);
	opener_free(&w->opener);
	must(close(w->inotify) == 0);
}

/* Ends it as kill -9 would: nothing more reaches the keeper. */
static inline void world_crash(struct world *w)
{
	w->deaf = true;
	world_stop(w);
	w->deaf = false;
}

/* Turns the loop until so many logins came in all. */
static inline void world_wait(struct world *w, size_t users)
{
	uint64_t end = uv_hrtime() + WORLD_LIMIT_MS * UINT64_C(1000000);

	while (w->user_count < users && uv_hrtime() < end)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	if (w->user_count < users)
		fail_msg("got %zu logins, want %zu", w->user_count, users);
}

/* Turns the loop until it has nothing to do. */
static inline void world_settle(struct world *w)
{
	for (int calm = 0; calm < 3;) {
		size_t before = w->calls;
		uint64_t busy;
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
		busy = (uint64_t)(uv_backend_timeout(&w->loop) == 0);
		calm = busy || w->calls != before ? 0 : calm + 1;
	}
}

static inline void world_expect(
    struct world *w, const char *const *users, size_t n)
{
	for (size_t i = 0; i < n && i < w->user_count; i++)
		assert_string_equal(w->users[i], users[i]);
	assert_int_equal(w->user_count, n);
}

#define EXPECT(w, ...)                                                         \
	do {                                                                   \
		const char *const wanted[] = { __VA_ARGS__ };                  \
		world_wait(w, COUNT_OF(wanted));                               \
		world_settle(w);                                               \
		world_expect(w, wanted, COUNT_OF(wanted));                     \
	} while (0)

/* Two lines are read and committed, then it dies; a third waits. */
static inline void first_part(struct world *w)
{
	world_line(w, "mail.log", "a");
	world_line(w, "mail.log", "b");
	world_start(w);
	EXPECT(w, "a", "b");
	world_crash(w);
	world_line(w, "mail.log", "c");
}

static inline void world_configure(struct world *w, const char *paths)
{
	struct err err = { 0 };

	conf_free(&w->conf);
	(void)snprintf(w->conf_text, sizeof(w->conf_text),
	    "source maillog {\n kind = \"file\"\n path = {%s}\n}\n", paths);
	w->conf = conf_parse(
	    w->conf_text, strlen(w->conf_text), "test", world_schema(), &err);
	if (!w->conf)
		fail_msg("%s", err.text);
}

static inline int world_setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	char paths[100];

	clock_init();
	memcpy(w->dir, "/tmp/relaypass-file-XXXXXX", 27);
	must(mkdtemp(w->dir) != NULL);
	(void)snprintf(paths, sizeof(paths), "\"%s/mail.log\"", w->dir);
	world_configure(w, paths);
	*state = w;
	return 0;
}

static inline int world_remove(
    const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;

	world_stop(w);
	conf_free(&w->conf);
	for (size_t i = 0; i < w->user_count; i++)
		free(w->users[i]);
	free(w->users);
	(void)nftw(w->dir, world_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}
#endif
