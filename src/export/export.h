/* SPDX-License-Identifier: ISC */
/*
 * export - a copy of the leases kept elsewhere, for those who cannot ask. A
 * kind knows one target; which leases changed it is told (follow.h), and it
 * tells when the target holds them. It never reads the ledger.
 */
#ifndef EXPORT_EXPORT_H
#define EXPORT_EXPORT_H
#include "base/clock.h"
#include "base/role.h"
#include "conf/conf.h"
#include "ledger/ledger.h"

typedef struct uv_loop_s uv_loop_t;

enum { EXPORT_SLICE = 512 }; /* changes at a time, at most */

/* What the target should hold now for one key: an address, or address and user
 * (see by_user). */
struct export_change {
	bool leased; /* false: nothing; of the lease only its key is set */
	/* A revocation, and nothing of a lease; for kinds that take them. */
	bool revoked;
	struct lease lease; /* the longest-lived one of its key */
	struct ledger_revocation revocation;
};

struct export_slice {
	/* Begins with the first lease of a snapshot: what the target holds and
	 * no slice up to `last` names is to go. */
	bool first;
	bool last; /* the snapshot is complete; or changes after it */
	bool snapshot;
	struct moment now;
	size_t count;
	struct export_change changes[EXPORT_SLICE];
};

struct export_env {
	const char *name; /* title of the section */
	bool resumes;     /* the target holds what it held: no snapshot comes */
	/*
	 * The kind's answer to each slice, once, now or later: whether the
	 * target holds it durably. If not, the same changes come again later,
	 * as they are then (kinds say in the log what is wrong, once).
	 */
	void (*done)(void *ctx, bool good);
	/* The kind of the source that told of a lease's last login, "" when no
	 * section of that name is left: what came from another machine must
	 * not go back to it. */
	const char *(*source_kind)(void *ctx, const struct lease *lease);
	/* Its server's name, as login.server; "" when none is known. */
	const char *(*server)(void *ctx, const struct lease *lease);
	/* The target lost what it held: a snapshot is to come, after the slice
	 * that is with the kind, if one is. */
	void (*again)(void *ctx);
	/* A slice that takes long is not to look like a process that hangs:
	 * called at least once a second. */
	void (*alive)(void *ctx);
	/* Why the target does not hold what it should, or NULL: nothing is
	 * wrong. For `status`; the log is the kind's own. */
	void (*trouble)(void *ctx, const char *why);
	void *ctx;
	char node[17]; /* this node's id, 16 hex digits */
	int64_t ttl;   /* ms, of leases */
};

struct export_needs {
	/* Directories, to write below and to read below; they end early with
	 * NULL. */
	const char *write[4], *read[4];
	bool connect;        /* see export_kind.connects */
	const char *account; /* to run as; NULL: the role's */
};

struct export; /* each kind's own */

struct export_kind {
	const char *name, *help;
	enum role role; /* writer, connector or firewall */
	const struct option *options;
	bool by_user;     /* keys are address and user */
	bool whole;       /* needs a snapshot at each start */
	bool revocations; /* is told of them, behind the leases of a snapshot */
	bool connects;    /* connectors: to other hosts and unix sockets,
			   * whatever their section says */
	/* NULL: nothing. Pure. */
	void (*needs)(
	    const struct conf_section *conf, struct export_needs *out);
	/* Values of options that only who writes them can mend: they do not
	 * depend on the machine. open() refuses the same. NULL: whatever its
	 * rows take is good. -1 and *err (EXIT_USER). */
	int (*check)(const struct conf_section *conf, struct err *err);
	/* Whether two sections whose kinds have the same function here, exports
	 * or sources, name one place, such as a table: two exports would undo
	 * each other's work there, and a source would take what an export
	 * writes for news. NULL: never asked. Pure. */
	bool (*same)(
	    const struct conf_section *a, const struct conf_section *b);
	/* What open() would meet on the machine now; changes nothing. NULL: not
	 * to be told beforehand. -1 and *err. */
	int (*look)(const struct conf_section *conf, struct err *err);
	/*
	 * Connectors, or NULL: what the target is like, by a loop of its own,
	 * at most some seconds, after open() and the lock-down and in place of
	 * start(). -1 and *err: EXIT_USER what only its administrator can mend,
	 * a start is refused by it; EXIT_AGAIN: it cannot be told, or may pass.
	 */
	int (*test)(struct export *e, struct err *err);
	/* Runs before the lock-down: looks names up, opens directories. */
	struct export *(*open)(const struct export_env *env,
	    const struct conf_section *conf, struct err *err);
	/* Adds its handles to the loop, if it has any. May be NULL. */
	void (*start)(struct export *e, uv_loop_t *loop);
	/* Brings one slice to the target; the slice is borrowed until done().
	 */
	void (*apply)(struct export *e, const struct export_slice *slice);
	void (*close)(struct export **e);
};

extern const struct export_kind *const export_kinds[]; /* ends with NULL */
const struct export_kind *export_kind_find(const char *name);
/* What is wrong in the section whatever the machine is like: a daemon with it
 * must not start. -1 and *err (EXIT_USER). */
int export_check(const struct conf_section *conf, struct err *err);
/* What is missing on the machine now, its account too. It may come: nobody is
 * to be stopped by it. For root; changes nothing. -1 and *err. */
int export_look(const struct conf_section *conf, struct err *err);
#endif
