/* SPDX-License-Identifier: ISC */
/*
 * inbox - what a record of another node is worth here. Clocks of nodes differ:
 * a lease may get shorter by that, never longer. Pure but for what it remembers
 * of the nodes' clocks. Called by: source/redis.c, source/sql_stream.c.
 *
 * A lease ends here at the earliest of
 *	the record's own end,
 *	the same less what the node's clock is known to be ahead of ours: the
 *	  most that (issued - now) was for any of its records of late,
 *	now + (end - issued) - age, where age is how long the carrier has had it
 *	  by the carrier's own clock,
 *	now + ttl (apply.c sees to that).
 * None of them is before the true end while the clocks are right, and each is
 * at most as wrong as the one clock it trusts. The proof of presence moves with
 * it.
 *
 * A revocation ends at its own end: no clock of ours and no carrier's word
 * makes it shorter than it was said, and showing it again does not make it
 * longer. A node whose clock is ahead refuses that much longer here. One that
 * comes past its end still ends the leases of the logins before it
 * (REPLICA_LINGERS).
 */
#ifndef REPLICA_INBOX_H
#define REPLICA_INBOX_H
#include "base/clock.h"
#include "login/login.h"
#include "record.h"

/* Nodes whose clock is remembered; behind that many, the one longest unheard
 * is forgotten. */
enum { INBOX_NODES_MAX = 1024, INBOX_STATE_SIZE = 24 };

enum inbox_verdict {
	INBOX_TAKE = 0,
	INBOX_OWN,  /* this node's own record came back */
	INBOX_OVER, /* its lease is over, its revocation long since */
	INBOX_AHEAD /* a lease issued more than max-skew ahead of us */
};

struct inbox;

/* own: this node's id; max_skew: ms. */
struct inbox *inbox_new(uint64_t own, int64_t max_skew);
void inbox_free(struct inbox **i);
/*
 * The login (LOGIN_LEASE or LOGIN_REVOKE) that the record is here; *out is set
 * by INBOX_TAKE only. age: ms; -1: the carrier cannot tell.
 */
enum inbox_verdict inbox_take(struct inbox *i, const struct replica_record *r,
    int64_t age, struct moment now, struct login *out);
/*
 * True once, when records were passed over (INBOX_AHEAD, INBOX_OVER) that may
 * be good now: our own clock has been set since, by some seconds or more, the
 * other way. The carrier then shows all that it still has once more.
 */
bool inbox_again(struct inbox *i, struct moment now);
/*
 * What is remembered of one node, to be stored as a cursor of its own, so that
 * a restart forgets nothing. False: nothing new since it was asked last.
 * Ask right after inbox_take() of a record of this node, whatever it said.
 */
bool inbox_state(
    struct inbox *i, uint64_t node, uint8_t out[static INBOX_STATE_SIZE]);
/*
 * The same of another node, whose state is another one because our own clock
 * was set, as inbox_take() or inbox_again() have seen: it may be silent until
 * the next restart. Ask until it is false: there is none.
 */
bool inbox_restated(
    struct inbox *i, uint64_t *node_r, uint8_t out[static INBOX_STATE_SIZE]);
/* Bytes that are no state are passed over. */
void inbox_restore(
    struct inbox *i, uint64_t node, const uint8_t in[static INBOX_STATE_SIZE]);
#endif
