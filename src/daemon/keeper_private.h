/* SPDX-License-Identifier: ISC */
/*
 * keeper_private - what the keeper's files share: keeper.c (commits, time, the
 * process), keeper_channel.c (what readers send), keeper_tell.c (what is told).
 */
#ifndef DAEMON_KEEPER_PRIVATE_H
#define DAEMON_KEEPER_PRIVATE_H
#include "keeper.h"

enum {
	COMMIT_LOGINS = 8192, /* most logins of one commit */
	/* From the beginning of one to that of the next, at least: so many
	 * times what it took, as the disk is there for others, too. But where
	 * somebody waits for it, the least. */
	COMMIT_SHARE = 20,
	COMMIT_MS_LEAST = 5,
	COMMIT_MS_MOST = 75,
};

struct channel; /* to one reader */

/* One message that waits for its commit. */
struct pending {
	struct channel
	    *channel;   /* who waits for its acknowledgement, or NULL */
	int32_t number; /* of that */
	uint16_t source;
	char name[BOARD_NAME];
	uint16_t count;
	struct source_cursor cursor;
	struct login *logins;
};

struct keeper {
	const struct child_env *env;
	struct child_loop loop;
	struct ledger *ledger;
	struct rules *rules;
	struct apply *apply;
	struct proc *proc;
	struct control *control;
	struct decide_options listeners[BOARD_LISTENERS]; /* for `explain` */
	struct channel *channels;
	struct pending *pending;
	size_t pending_count, pending_size, pending_logins;
	size_t pending_waits;    /* with somebody who waits for it */
	bool open;               /* a transaction is, ... */
	size_t brought;          /* ... and has so many of them */
	struct applied *applied; /* of these */
	size_t applied_count, applied_size;
	struct lease *ended; /* by the tick under way */
	size_t ended_count, ended_size;
	uv_poll_t supervisor;
	uv_timer_t commit_timer, tick;
	uint64_t last_commit; /* loop time, ms */
	uint64_t pause;       /* from then on to the next, ms */
	uint64_t last_hold, last_readers;
	uint64_t next_tick_work; /* not before; after a failure */
	bool stuck;              /* the last commit failed ... */
	struct err stuck_error;  /* ... for this reason */
	uint64_t journal;        /* its last row that exports were told of */
	union wire_message *message;
};

/* keeper.c: commits what waits now, or soon together with what comes in
 * meanwhile. */
void keeper_schedule(struct keeper *k);

/* keeper_look.c: reads what decides at each listener; before the lock-down. */
void keeper_read_listeners(struct keeper *k);
/* What the ledger says of one address now, for a receiver. */
void keeper_look(
    struct keeper *k, const struct addr *addr, struct source_told *out);
/* The kind of the source of this name; NULL: there is none. */
const struct source_kind *keeper_kind(const struct keeper *k, const char *name);
/* Whether the journal has grown since the last call. */
bool keeper_journal_grew(struct keeper *k);
/* Drops journal rows that every export is past; inside a transaction. */
void keeper_trim(struct keeper *k, struct moment now);
/* Whether any source may tell that a session is still alive. */
bool keeper_expects_signs(const struct keeper *k);

/* keeper_channel.c: takes a new reader's channel. */
void channel_add(struct keeper *k, const char *name, int fd);
/* Reads from the readers, or lets them wait. */
void channels_listen(struct keeper *k, bool listen);
/* Tells the exports that the journal has grown. */
void channels_changed(struct keeper *k);
/* Takes all that the readers have sent, and ends their channels. */
void channels_drain(struct keeper *k);
void pending_clear(struct keeper *k);
/* Tells who sent this what its logins gave; done: p->count of them. */
void channel_acknowledge(const struct pending *p, const struct applied *done);

/* keeper_tell.c: what one login did; which leases ended. */
void tell_applied(struct keeper *k, const char *source, const struct login *l,
    const struct applied *a);
void tell_ended(struct keeper *k, const struct lease *lease);
#endif
