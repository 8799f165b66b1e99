/* SPDX-License-Identifier: ISC */
/*
 * vars - the environment of plugins: ours, with what the session and its
 * plugins put into it. Remembers what plugins changed, for the queue program.
 */
#ifndef SMTP_VARS_H
#define SMTP_VARS_H
#include <stdbool.h>
#include <stddef.h>

enum {
	SPP_VARS_MAX = 262144, /* bytes of all that are set here: E2BIG is far,
				  as arguments get a fourth of the stack */
	SPP_VARS_COUNT = 1024  /* of them */
};

struct spp_vars;

/* Begins as env, which must outlive it; entries without a name or '=', and
 * second ones of a name, go. */
struct spp_vars *spp_vars_new(char *const *env);
void spp_vars_free(struct spp_vars **v);
/* NULL: not set. Lives until the next change. */
const char *spp_vars_get(const struct spp_vars *v, const char *name);
/* False: there is no room; nothing changed. */
bool spp_vars_set(struct spp_vars *v, const char *name, const char *value);
void spp_vars_unset(struct spp_vars *v, const char *name);
/* Counts name as changed, for a server that gets another value of it. */
void spp_vars_mark(struct spp_vars *v, const char *name);
/* For execve(2); lives until the next change. */
char *const *spp_vars_environ(struct spp_vars *v);
/*
 * All that was set or unset here, as it is now, whenever that was: so whoever
 * got the environment at an earlier time comes to this one. "NAME=VALUE" or
 * "NAME", each with its NUL, one behind the other. Returns the length; *out is
 * the caller's to free. queue.h does them.
 */
size_t spp_vars_changes(const struct spp_vars *v, char **out);
#endif
