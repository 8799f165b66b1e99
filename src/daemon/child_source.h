/* SPDX-License-Identifier: ISC */
/*
 * child_source - what the process of a source does whatever its way of reading:
 * compiles its patterns, drops what it does not need, shows its counters.
 * Called by: reader.c, receiver.c.
 */
#ifndef DAEMON_CHILD_SOURCE_H
#define DAEMON_CHILD_SOURCE_H
#include "child.h"

const struct source_kind *child_kind(const struct child_env *env);
/* The patterns of this source; before the lock-down, for the JIT. NULL and
 * *err. */
struct patterns *child_patterns(const struct child_env *env, struct err *err);
/* Becomes the account of the source's role, and locks down. */
int child_enter_source(const struct child_env *env, struct err *err);
/* The numbers of `status`. */
void child_count(const struct child_env *env, const struct source *source);
#endif
