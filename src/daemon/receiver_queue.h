/* SPDX-License-Identifier: ISC */
/*
 * receiver_queue - logins of a live source on their way to the keeper, and the
 * questions it has asked: kept until the keeper says what became of them,
 * and the deadlines of who waits for that. No sockets here:
 * what is to be sent is given to a function. Called by: receiver.c.
 */
#ifndef DAEMON_RECEIVER_QUEUE_H
#define DAEMON_RECEIVER_QUEUE_H
#include "wire.h"

/* Logins that may wait for the keeper, and questions. */
enum { QUEUE_LOGINS = 16384, QUEUE_ASKS = 4096 };

struct queue;

/* Hears what became of a token; called once for each. */
struct queue_hooks {
	void *ctx;
	void (*stored)(void *ctx, uint64_t token, enum source_outcome outcome,
	    uint8_t judgement);
	void (*told)(void *ctx, uint64_t token, const struct source_told *told);
};
/* Sends one message. 0; -1: not now. */
typedef int queue_send_fn(void *ctx, const struct wire_header *h);

struct queue *queue_new(const struct queue_hooks *hooks);
void queue_free(struct queue **q);

/* See source_submit_fn, source_ask_fn; now: monotonic ms. */
bool queue_submit(
    struct queue *q, uint64_t token, const struct login *login, uint64_t now);
bool queue_ask(
    struct queue *q, uint64_t token, const struct addr *addr, uint64_t now);
/* Sends what was not sent, the oldest first. False: something is left. */
bool queue_send(struct queue *q, queue_send_fn *send, void *ctx);
/* A new keeper: what the last one has not acknowledged is sent once more. */
void queue_rewind(struct queue *q);
/* What the keeper says. False: it makes no sense, the channel is no good. */
bool queue_receive(struct queue *q, const union wire_message *m);
/* Answers those who have waited long enough. Returns the ms until the next one
 * has, or -1 when nobody waits. */
int64_t queue_expire(struct queue *q, uint64_t now);
/* How many logins it would take now. */
size_t queue_room(const struct queue *q);
/* Logins not acknowledged yet. */
size_t queue_waiting(const struct queue *q);
#endif
