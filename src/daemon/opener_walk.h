/* SPDX-License-Identifier: ISC */
/*
 * opener_walk - goes along a path one name at a time and opens the log file at
 * its end, so that nobody but the allowed owners can lead it elsewhere.
 * Called by: opener.c.
 */
#ifndef DAEMON_OPENER_WALK_H
#define DAEMON_OPENER_WALK_H
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

enum walk_found {
	WALK_FILE,    /* opened */
	WALK_MISSING, /* not there (yet) */
	WALK_REFUSED, /* must not be read; why says the reason */
	WALK_FAILED   /* errno is in error */
};

/* Who may own a log file, or a symbolic link on the way to it. */
struct walk_owners {
	const uid_t *uids;
	size_t count;
};

/* Told for each directory that decides where the path leads. dir is an O_PATH
 * descriptor, borrowed. */
typedef void walk_dir_fn(void *ctx, int dir);

struct walk {
	int fd;      /* the file, read only; -1: none */
	int dir;     /* O_PATH; where the file itself is; -1: none */
	bool linked; /* by a symbolic link in its last name */
	int error;
	const char *why;
	struct stat st;
	char name[NAME_MAX + 1]; /* of the file in dir */
};

/* path must be absolute. Release with walk_close(). */
enum walk_found walk_open(struct walk *w, const char *path,
    const struct walk_owners *owners, walk_dir_fn *fn, void *ctx);
/* The same for the directory of a path; on WALK_FILE, fd is an O_PATH one. */
enum walk_found walk_open_dir(struct walk *w, const char *path,
    const struct walk_owners *owners, walk_dir_fn *fn, void *ctx);
/* One name in a directory; links are refused. Fills fd, st, why, error. */
enum walk_found walk_open_in(struct walk *w, int dir, const char *name,
    const struct walk_owners *owners);
void walk_close(struct walk *w);
#endif
