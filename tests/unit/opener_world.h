/* SPDX-License-Identifier: ISC */
/*
 * opener_world - a directory of its own, an opener for it with real watches,
 * and what it gave, by name.
 */
#ifndef TESTS_UNIT_OPENER_WORLD_H
#define TESTS_UNIT_OPENER_WORLD_H
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

#include <cmocka.h>

#include "base/mem.h"
#include "daemon/opener.h"

enum { GOT_MAX = 512, STRANGER = 54321 };

struct world {
	char dir[64];
	int inotify;
	struct opener *opener;
	char got[GOT_MAX][SOURCE_KEY_MAX]; /* names below dir */
	ino_t inodes[GOT_MAX];
	size_t count;
};

static inline const char *path_of(struct world *w, const char *name)
{
	static char paths[4][200];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", w->dir, name);
	return path;
}

static inline void make(struct world *w, const char *name)
{
	int fd = open(path_of(w, name), O_WRONLY | O_CREAT | O_EXCL, 0640);

	must(fd >= 0 && close(fd) == 0);
}

/* Its time of change, in seconds. */
static inline void date(struct world *w, const char *name, time_t when)
{
	struct timespec times[2] = { { .tv_sec = when }, { .tv_sec = when } };

	must(utimensat(AT_FDCWD, path_of(w, name), times, 0) == 0);
}

static inline void take(void *ctx, struct source_file *file)
{
	struct world *w = ctx;

	must(w->count < GOT_MAX);
	assert_true(file->fd >= 0);
	assert_int_equal(fcntl(file->fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_true(fcntl(file->fd, F_GETFD) & FD_CLOEXEC);
	assert_memory_equal(file->path, w->dir, strlen(w->dir));
	(void)snprintf(w->got[w->count], SOURCE_KEY_MAX, "%s",
	    file->path + strlen(w->dir) + 1);
	w->inodes[w->count++] = file->st.st_ino;
	must(close(file->fd) == 0);
}

static inline void configure(
    struct world *w, const char *const *names, size_t n)
{
	const char *paths[8];
	char made[8][200];
	struct opener_options o = {
		.name = "test", .paths = paths, .path_count = n
	};

	must(n <= COUNT_OF(paths));
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(
		    made[i], sizeof(made[i]), "%s/%s", w->dir, names[i]);
		paths[i] = made[i];
	}
	o.inotify_fd = w->inotify;
	opener_free(&w->opener);
	w->opener = opener_new(&o);
}

#define CONFIGURE(w, ...)                                                      \
	do {                                                                   \
		const char *const names_[] = { __VA_ARGS__ };                  \
		configure(w, names_, COUNT_OF(names_));                        \
	} while (0)

static inline void expect(struct world *w, enum source_open what,
    const char *name, const char *const *names, size_t n)
{
	w->count = 0;
	int rc = opener_run(
	    w->opener, what, name ? path_of(w, name) : NULL, take, w);
	assert_int_equal(rc, w->count);
	for (size_t i = 0; i < n && i < w->count; i++)
		assert_string_equal(w->got[i], names[i]);
	assert_int_equal(w->count, n);
}

#define CURRENT(w, ...)                                                        \
	do {                                                                   \
		const char *const names_[] = { __VA_ARGS__ };                  \
		expect(w, OPEN_CURRENT, NULL, names_, COUNT_OF(names_));       \
	} while (0)
#define SIBLINGS(w, name, ...)                                                 \
	do {                                                                   \
		const char *const names_[] = { __VA_ARGS__ };                  \
		expect(w, OPEN_SIBLINGS, name, names_, COUNT_OF(names_));      \
	} while (0)
#define NOTHING(w) expect(w, OPEN_CURRENT, NULL, NULL, 0)

static inline int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	memcpy(w->dir, "/tmp/relaypass-open-XXXXXX", 27);
	must(mkdtemp(w->dir) != NULL);
	w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	CONFIGURE(w, "mail.log");
	*state = w;
	return 0;
}

static inline int remove_one(
    const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	opener_free(&w->opener);
	must(close(w->inotify) == 0);
	(void)nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

/* True when something that the watches were to see has happened. */
static inline bool woken(struct world *w)
{
	_Alignas(struct inotify_event) char bytes[4096];
	bool any = false;

	while (read(w->inotify, bytes, sizeof(bytes)) > 0)
		any = true;
	return any;
}

static inline void append(struct world *w, const char *name)
{
	int fd = open(path_of(w, name), O_WRONLY | O_APPEND);

	must(fd >= 0 && write(fd, "x\n", 2) == 2 && close(fd) == 0);
}
#endif
