/* SPDX-License-Identifier: ISC */
/*
 * relay-ctrl-file - the lease files of relay-ctrl: one in a directory for each
 * address, named by it, its modification time the login's, its content
 * "USER=anna\0DOMAIN=example.net\0".
 * Called by: relay-ctrl.c, relay-ctrl-net.c.
 *
 * With -chdir before it, the directory can be written by every mail user who
 * holds its descriptor, so a file is a stranger's word: its name is ours, its
 * time is bounded on both sides, its content goes through lease_file_value().
 */
#ifndef CMD_RELAY_CTRL_FILE_H
#define CMD_RELAY_CTRL_FILE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/addr.h"
#include "base/clock.h"

enum {
	LEASE_FILE_MAX = 8192,   /* bytes that are looked at */
	LEASE_FILE_EXPIRY = 900, /* s */
	/* A file may be so much from the future; further, it is none. */
	LEASE_FILE_SKEW = 300
};

struct lease_dir {
	int fd;      /* -1: none; close-on-exec */
	bool shared; /* handed down by -chdir: files of many users, who all
		      * must be read */
};
/*
 * Opens RELAY_CTRL_DIR_FD (which is closed and unset: it is not for the next
 * program), else RELAY_CTRL_DIR. 0; -1 and errno: cannot, *what_r is the name;
 * ENOENT with *what_r NULL: neither is set.
 */
int lease_dir_open(struct lease_dir *out, const char **what_r);
void lease_dir_close(struct lease_dir *d);

/* Writes the file of an address in one step, as of now. 0, or -1 and errno. */
int lease_file_write(const struct lease_dir *d, const struct addr *addr,
    const char *bytes, size_t len, struct moment now);
/* The same, but what an older file holds stays in it. */
int lease_file_touch(
    const struct lease_dir *d, const struct addr *addr, struct moment now);

enum lease_file_state {
	LEASE_FILE_NONE = 0, /* or it cannot be read: errno */
	LEASE_FILE_EXPIRED,  /* and now it is removed */
	LEASE_FILE_LIVE
};
/* Looks at the file of an address; expiry in seconds, inclusive. out gets the
 * content of a live one. */
enum lease_file_state lease_file_look(const struct lease_dir *d,
    const struct addr *addr, int64_t expiry, struct moment now,
    char out[static LEASE_FILE_MAX], size_t *len_r);
/* Reads a file, whatever its age, and leaves it as it is; *changed_r is its
 * time in wall ms. 0, or -1 and errno: gone, or no plain file. */
int lease_file_read(const struct lease_dir *d, const char *name,
    int64_t *changed_r, char out[static LEASE_FILE_MAX], size_t *len_r);
/* A file's time in wall ms: one before 1970 is 0, and one that no clock of ours
 * ever shows (a file may say any 64 bits) is 2^37 s. */
int64_t lease_file_time(const struct timespec *t);
/* The value of a name in a file's content, or NULL: not there, not ended by a
 * NUL, or with a control character in it. The last one counts. */
const char *lease_file_value(const char *bytes, size_t len, const char *name);

/* Removes what is older than expiry, or from the future; forgotten temporary
 * files too. How many, or -1 and errno: the directory cannot be read. */
long lease_file_age(
    const struct lease_dir *d, int64_t expiry, struct moment now);
#endif
