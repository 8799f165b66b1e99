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
	gid_t also; /* a second group */
	bool has_also;
	unsigned keeps; /* capabilities, a bit each; of the first 32 */
};

/* What one process needs beyond its role. */
struct lockdown_needs {
	/* Directories it may still write below; ends early with NULL. */
	const char *write[4];
	struct source_needs source;
};

/*
 * For a child, before its first loop of libuv, which from 1.45 on takes a ring
 * for its epoll sets, and does without where there is none. One that it has
 * must go on to answer, and what is asked by a ring no filter sees. From here
 * on nobody gets new privileges. lockdown_enter() tells when filters cannot be
 * had.
 */
void lockdown_prepare(void);
/* The account of a role. 0, or -1: it does not exist; *err has the command that
 * makes it. Not root: the own ids. */
int lockdown_user(enum role role, struct lockdown_user *out, struct err *err);
/* The same for an account by its name, which must not be root's. */
int lockdown_account(
    const char *name, struct lockdown_user *out, struct err *err);
/* Makes it a member of a group, too. -1: there is no such group. */
int lockdown_join(
    struct lockdown_user *user, const char *group, struct err *err);
/* Becomes that user for good, with the capabilities that its role keeps. Not
 * root: nothing to do. -1 is fatal. */
int lockdown_become(const struct lockdown_user *user, struct err *err);
/*
 * No new privileges, no capabilities but those of the role, not dumpable,
 * landlock where the kernel has it, seccomp: calls that are not listed for the
 * role end the process. needs: NULL for none. -1 is fatal.
 */
int lockdown_enter(
    enum role role, const struct lockdown_needs *needs, struct err *err);
#endif
