/* SPDX-License-Identifier: ISC */
/*
 * receiver_queue - logins of a live source on their way to the keeper. They
 * stand in a ring, in the order of their numbers; a message is a run of them,
 * and the keeper acknowledges messages in the order it got them.
 *
 * Logins that a keeper took and did not acknowledge before it died are sent to
 * the next one: a login applied twice is the same as once.
 */
#include "receiver_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct waiting_login {
	uint64_t token; /* 0: nobody waits, or was answered */
	uint64_t until; /* its deadline */
	struct login login;
};

struct asked {
	uint64_t token; /* 0: answered */
	uint64_t until;
	struct addr addr;
};

/* A ring: numbers from first up to, without, next; those from `send` on are not
 * sent, those before `expired` have no deadline any more. Numbers run on,
 * places are taken modulo its size. */
struct ring {
	uint32_t first, send, next, expired;
};

struct queue {
	struct queue_hooks hooks;
	struct ring logins, asks;
	struct wire_logins message; /* being sent */
	struct asked asked[QUEUE_ASKS];
	/* Places are used again from the first one on whenever all are free,
	 * so that only a long wait costs the memory of a long queue. */
	struct waiting_login waiting[QUEUE_LOGINS];
};

struct queue *queue_new(const struct queue_hooks *hooks)
{
	struct queue *q = xcalloc(1, sizeof(*q));

	q->hooks = *hooks;
	return q;
}

void queue_free(struct queue **qp)
{
	free(*qp);
	*qp = NULL;
}

static struct waiting_login *login_at(struct queue *q, uint32_t number)
{
	return &q->waiting[number % QUEUE_LOGINS];
}

size_t queue_waiting(const struct queue *q)
{
	return q->logins.next - q->logins.first;
}

size_t queue_room(const struct queue *q)
{
	return QUEUE_LOGINS - queue_waiting(q);
}

bool queue_submit(
    struct queue *q, uint64_t token, const struct login *login, uint64_t now)
{
	struct waiting_login *w;

	if (queue_room(q) == 0)
		return false;
	if (queue_waiting(q) == 0)
		q->logins = (struct ring){ 0 };
	w = login_at(q, q->logins.next++);
	w->token = token;
	w->until = now + SOURCE_ANSWER_MS;
	w->login = *login;
	return true;
}

bool queue_ask(
    struct queue *q, uint64_t token, const struct addr *addr, uint64_t now)
{
	struct ring *r = &q->asks;

	if (r->next - r->first == QUEUE_ASKS)
		return false;
	q->asked[r->next % QUEUE_ASKS] = (struct asked){
		.token = token, .until = now + SOURCE_ANSWER_MS, .addr = *addr
	};
	r->next++;
	return true;
}

/* One message of what was not sent. */
static int send_logins(struct queue *q, queue_send_fn *send, void *ctx)
{
	struct ring *r = &q->logins;
	struct wire_logins *m = &q->message;
	uint32_t n = r->next - r->send;

	if (n > SOURCE_BATCH)
		n = SOURCE_BATCH;
	m->h = (struct wire_header){ .type = WIRE_LOGINS,
		.count = (uint16_t)n,
		.value = (int32_t)r->send };
	for (uint32_t i = 0; i < n; i++)
		m->logins[i] = login_at(q, r->send + i)->login;
	if (send(ctx, &m->h) < 0)
		return -1;
	r->send += n;
	return 0;
}

bool queue_send(struct queue *q, queue_send_fn *send, void *ctx)
{
	while (q->logins.send != q->logins.next) {
		if (send_logins(q, send, ctx) < 0)
			return false;
	}
	while (q->asks.send != q->asks.next) {
		const struct asked *a = &q->asked[q->asks.send % QUEUE_ASKS];
		struct wire_ask m = { .h = { .type = WIRE_ASK,
					  .value = (int32_t)q->asks.send },
			.addr = a->addr };

		if (a->token && send(ctx, &m.h) < 0)
			return false;
		q->asks.send++;
	}
	return true;
}

void queue_rewind(struct queue *q)
{
	q->logins.send = q->logins.first;
	q->asks.send = q->asks.first;
}

/* True when the ring holds it, as sent. */
static bool is_out(const struct ring *r, uint32_t number)
{
	return number - r->first < r->send - r->first;
}

static void tell_stored(struct queue *q, uint32_t number,
    enum source_outcome outcome, uint8_t judgement)
{
	struct waiting_login *w = login_at(q, number);
	uint64_t token = w->token;

	w->token = 0;
	if (token)
		q->hooks.stored(q->hooks.ctx, token, outcome, judgement);
}

static bool take_stored(struct queue *q, const struct wire_stored *m)
{
	struct ring *r = &q->logins;

	if ((uint32_t)m->h.value != r->first || m->h.count > SOURCE_BATCH ||
	    m->h.count > r->send - r->first)
		return false;
	/* Each before its place is free: the hooks may submit. */
	for (size_t i = 0; i < m->h.count; i++) {
		tell_stored(q, r->first, SOURCE_STORED, m->judgements[i]);
		r->first++;
	}
	return true;
}

static bool take_told(struct queue *q, const struct wire_told *m)
{
	struct ring *r = &q->asks;
	uint32_t number = (uint32_t)m->h.value;
	struct asked *a = &q->asked[number % QUEUE_ASKS];
	uint64_t token = a->token;

	if ((int32_t)(number - r->first) < 0)
		return true; /* too late: it was answered */
	if (!is_out(r, number))
		return false;
	a->token = 0;
	while (r->first != r->send && !q->asked[r->first % QUEUE_ASKS].token)
		r->first++;
	if (token)
		q->hooks.told(q->hooks.ctx, token, &m->told);
	return true;
}

bool queue_receive(struct queue *q, const union wire_message *m)
{
	if (m->h.type == WIRE_STORED)
		return take_stored(q, &m->stored);
	if (m->h.type == WIRE_TOLD)
		return take_told(q, &m->told);
	/* A live source has no cursors. */
	return m->h.type == WIRE_CURSOR || m->h.type == WIRE_CURSORS_END;
}

/* Deadlines are in order: what is behind one of them need not be looked at.
 * Returns the one that is next, or 0. */
static uint64_t expire_logins(struct queue *q, uint64_t now)
{
	struct ring *r = &q->logins;

	if ((int32_t)(r->expired - r->first) < 0)
		r->expired = r->first; /* they were acknowledged */
	for (; r->expired != r->next; r->expired++) {
		const struct waiting_login *w = login_at(q, r->expired);

		if (w->token && w->until > now)
			return w->until;
		tell_stored(q, r->expired, SOURCE_NOT_STORED, 0);
	}
	return 0;
}

static uint64_t expire_asks(struct queue *q, uint64_t now)
{
	static const struct source_told cannot_tell;
	struct ring *r = &q->asks;

	if ((int32_t)(r->expired - r->first) < 0)
		r->expired = r->first;
	for (; r->expired != r->next; r->expired++) {
		struct asked *a = &q->asked[r->expired % QUEUE_ASKS];
		uint64_t token = a->token;

		if (token && a->until > now)
			return a->until;
		a->token = 0;
		if (token)
			q->hooks.told(q->hooks.ctx, token, &cannot_tell);
	}
	/* Who asked has gone away without an answer: so may the question. */
	while (r->first != r->next && !q->asked[r->first % QUEUE_ASKS].token) {
		if (r->send == r->first)
			r->send++;
		r->first++;
	}
	return 0;
}

int64_t queue_expire(struct queue *q, uint64_t now)
{
	uint64_t logins = expire_logins(q, now);
	uint64_t asks = expire_asks(q, now);
	uint64_t next = !logins || (asks && asks < logins) ? asks : logins;

	return next ? (int64_t)(next - now) : -1;
}
