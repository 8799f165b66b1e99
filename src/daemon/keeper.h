/* SPDX-License-Identifier: ISC */
/*
 * keeper - the only process that writes the ledger. What its control socket
 * (control.c) needs of it; nobody else includes this.
 */
#ifndef DAEMON_KEEPER_H
#define DAEMON_KEEPER_H
#include "child.h"
#include "decide/decide.h"
#include "login/apply.h"

struct control;
struct keeper;

/* What has happened to a lease, for log lines and `watch`. */
struct keeper_event {
	const char *kind; /* "grant", "renew" ... */
	enum log_event log;
	const struct lease *lease;
	const char *source, *server; /* NULL: the lease's */
	const char *reason;          /* NULL: none */
};

struct ledger *keeper_ledger(struct keeper *k);
struct apply *keeper_apply(struct keeper *k);
const struct rules *keeper_rules(struct keeper *k);
const struct child_env *keeper_env(struct keeper *k);
/* Of the i-th listener: which sender a lease answers for there. */
const struct decide_options *keeper_listener(struct keeper *k, size_t i);
/* The one set at run time, or the configuration's. */
enum rules_mode keeper_mode(struct keeper *k);
/* Why the ledger cannot be written now, borrowed; NULL: it can. */
const char *keeper_trouble(const struct keeper *k);

/*
 * Runs fn inside one durable transaction of its own, after all that waits. 0;
 * -1: nothing was stored, *err says why. fn may run more than once.
 */
int keeper_transaction(struct keeper *k,
    void (*fn)(struct keeper *k, struct moment now, void *ctx), void *ctx,
    struct err *err);
/* Commits what is only shown: what `list` and `status` say is stored. */
void keeper_settle(struct keeper *k);
/* Logs it, and tells those who watch. */
void keeper_tell(struct keeper *k, const struct keeper_event *event);

struct control *control_new(struct keeper *k, uv_loop_t *loop, int listening);
void control_free(struct control **c);
/* Takes a connection whose other end may grant and revoke, and nothing else. It
 * is the control's from now on, also when nobody is there (c NULL). */
void control_adopt(struct control *c, int fd);
bool control_is_watched(const struct control *c);
/* One line (with its LF) to all who watch; the slow are dropped. */
void control_broadcast(struct control *c, const char *line, size_t len);
#endif
