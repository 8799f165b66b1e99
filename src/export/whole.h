/* SPDX-License-Identifier: ISC */
/*
 * whole - what kinds have in common that keep one file of all leases: the roll,
 * the file, and when to write it. The first change after a quiet time is
 * written at once; those that follow are collected.
 * Called by: the kinds. Not here: what stands in the file.
 */
#ifndef EXPORT_WHOLE_H
#define EXPORT_WHOLE_H
#include <uv.h>

#include "export.h"
#include "fixed.h"
#include "roll.h"
#include "target.h"

#define WHOLE_ACCOUNT_OPTION                                                   \
	{                                                                      \
		"user", OPTION_STRING, "", 0, 0, NULL,                         \
		    "Account that writes, and that the files belong to; the "  \
		    "directory must be writable for it. Empty: relaypass-out." \
	}

/* Option rows of such a kind. */
#define WHOLE_OPTIONS                                                          \
	{ "path", OPTION_PATH, NULL, 0, 0, NULL,                               \
		"The file. It is replaced by renaming, so its directory must " \
		"be writable for the account and for nobody else." },          \
	    WHOLE_ACCOUNT_OPTION,                                              \
	    { "mode", OPTION_STRING, "", 0, 0, NULL,                           \
		    "Mode of the file, octal. Empty: as the old file has it, " \
		    "0644 for a first one." },                                 \
	{                                                                      \
		"interval", OPTION_INT, "200", 10, 500, NULL,                  \
		    "Milliseconds: the file is written at most once in this "  \
		    "time. One that takes long to write is written less "      \
		    "often, but at least twice a second while there are "      \
		    "changes."                                                 \
	}

struct whole;

struct whole_kind {
	bool users;   /* the file shows them */
	bool details; /* it shows more than which addresses there are */
	/* The text of the option static-file is new; -1: it is wrong, and what
	 * was read before it stays in force. NULL: nothing to do. */
	int (*read)(void *ctx, const char *text, size_t len, struct err *err);
	/* Puts the content. -1: *err says why, and the old file stays. */
	int (*write)(void *ctx, const struct roll *roll, struct target *target,
	    struct err *err);
	void *ctx;
};

/* Of kinds whose file may begin with an administrator's own. */
#define WHOLE_STATIC_OPTION(sentence)                                          \
	{                                                                      \
		"static-file", OPTION_STRING, "", 0, 0, NULL, sentence         \
	}

/* needs() of such a kind. The names are good until the next call. */
void whole_needs(const struct conf_section *conf, struct export_needs *out);
/* check() of such a kind: mode and static-file. */
int whole_check(const struct conf_section *conf, struct err *err);
/* look() of such a kind: its directory, and what is at its path. */
int whole_look(const struct conf_section *conf, struct err *err);
struct whole *whole_open(const struct export_env *env,
    const struct conf_section *conf, const struct whole_kind *kind,
    struct err *err);
void whole_start(struct whole *w, uv_loop_t *loop);
void whole_apply(struct whole *w, const struct export_slice *slice);
/* The text of the option static-file, borrowed; "" for none. */
const char *whole_static(const struct whole *w, size_t *len_r);
/* Writes what waits. */
void whole_close(struct whole **w);
#endif
