/* SPDX-License-Identifier: ISC */
/*
 * lockdown - the powers a child gives up before it reads its first foreign
 * byte: uid, capabilities, new privileges, core dumps, files, system calls.
 * Called by: each role's start.  Not here: what a role opens before.
 */
#ifndef DAEMON_LOCKDOWN_H
#define DAEMON_LOCKDOWN_H
#include <sys/types.h>

#include "base/err.h"
#include "source/source.h"

struct lockdown_user {
	uid_t uid;
	gid_t gid;
};

/* The account of a role. 0, or -1: it does not exist; *err has the command that
 * makes it. Not root: the own ids. */
int lockdown_user(enum role role, struct lockdown_user *out, struct err *err);
/* Becomes that user for good. Not root: nothing to do. -1 is fatal. */
int lockdown_become(const struct lockdown_user *user, struct err *err);
/*
 * No new privileges, not dumpable, landlock where the kernel has it, seccomp:
 * calls that are not listed for the role end the process. directory: the one
 * the role may still write below (keeper: the ledger's), or NULL. -1 is fatal.
 */
int lockdown_enter(enum role role, const char *directory, struct err *err);
#endif
