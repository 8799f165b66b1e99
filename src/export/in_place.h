/* SPDX-License-Identifier: ISC */
/*
 * in_place - what kinds have in common that change one database file where it
 * is, because its readers keep it open: the roll, the file, the locks, and what
 * to do when it cannot be written.
 * Called by: the kinds. Not here: what stands in the file.
 */
#ifndef EXPORT_IN_PLACE_H
#define EXPORT_IN_PLACE_H
#include <uv.h>

#include "export.h"
#include "roll.h"

/* Option rows of such a kind. */
#define IN_PLACE_OPTIONS                                                       \
	{ "path", OPTION_PATH, NULL, 0, 0, NULL,                               \
		"The file, with its suffix. Nothing else may be in it: what "  \
		"is no lease is removed." },                                   \
	    { "user", OPTION_STRING, "relaypass-out", 0, 0, NULL,              \
		    "Account that writes, and that a new file belongs to. A "  \
		    "file that is there must be its own." },                   \
	{                                                                      \
		"value", OPTION_STRING, "OK", 0, 0, NULL,                      \
		    "What is found under an address. %e alone is the end of "  \
		    "the lease, %t alone its last login, in seconds since "    \
		    "1970."                                                    \
	}

enum { IN_PLACE_DONE = 0, IN_PLACE_FAILED = -1, IN_PLACE_AGAIN = 1 };

/* How a kind writes; all of it under the locks, in this order. */
struct in_place_kind {
	/* The file has become another one, or is not open yet. fd is the one
	 * that holds the locks: closing another one would lose them. */
	int (*open)(void *ctx, const char *path, int fd, struct err *err);
	/* anew: without anything that it held; rows: how many come at most.
	 * These three may also want all of it once more, from begin() on:
	 * IN_PLACE_AGAIN. */
	int (*begin)(void *ctx, bool anew, size_t rows, struct err *err);
	/* value NULL: the address goes, if it is there. */
	int (*put)(void *ctx, const struct addr *addr, const char *value,
	    struct err *err);
	int (*commit)(void *ctx, struct err *err);
	/* After a failure or IN_PLACE_AGAIN of put() or commit(). */
	void (*abort)(void *ctx);
	void (*close)(void *ctx); /* nothing to do when it is not open */
	void *ctx;
};

struct in_place;

/* needs() of such a kind. The names are good until the next call. */
void in_place_needs(const struct conf_section *conf, struct export_needs *out);
/* look() of such a kind: its directory, and what is at its path. */
int in_place_look(const struct conf_section *conf, struct err *err);
/* Makes a missing file. */
struct in_place *in_place_open(const struct export_env *env,
    const struct conf_section *conf, const struct in_place_kind *kind,
    struct err *err);
void in_place_start(struct in_place *p, uv_loop_t *loop);
void in_place_apply(struct in_place *p, const struct export_slice *slice);
void in_place_close(struct in_place **p);
#endif
