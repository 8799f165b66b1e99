/* SPDX-License-Identifier: ISC */
/*
 * explain_told - the lines that the daemon answers to `explain`, kept.
 * Called by: explain.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "explain.h"

/* A value that does not fit is cut: the daemon's words are shorter. */
static void take(char *out, size_t size, const struct reply *r, const char *key)
{
	const char *value = reply_value(r, key);

	(void)snprintf(out, size, "%s", value ? value : "");
}

#define TAKE(field, key) take((field), sizeof(field), r, (key))

static void take_answer(struct told *t, const struct reply *r)
{
	TAKE(t->address, "address");
	TAKE(t->key, "key");
	TAKE(t->verdict, "verdict");
	TAKE(t->rule, "rule");
	TAKE(t->mode, "mode");
	TAKE(t->require, "require-sender");
	TAKE(t->user, "user");
	t->ttl = reply_number(r, "ttl");
	t->observed = reply_number(r, "observed") != 0;
	t->lease_total = reply_number(r, "leases");
	t->revocation_total = reply_number(r, "revocations");
}

static void take_lease(struct told *t, const struct reply *r)
{
	struct told_lease *l = &t->leases[t->lease_count];

	if (t->lease_count == TOLD_LEASES)
		return;
	t->lease_count++;
	TAKE(l->address, "address");
	TAKE(l->user, "user");
	TAKE(l->source, "source");
	TAKE(l->server, "server");
	TAKE(l->why_not, "why-not");
	l->ttl = reply_number(r, "ttl");
	l->first = reply_number(r, "first");
	l->last = reply_number(r, "last");
	l->end = reply_number(r, "end");
	l->sessions = reply_number(r, "sessions");
	l->tls = reply_number(r, "tls") != 0;
	l->by_hand = reply_number(r, "by-hand") != 0;
	l->live = reply_number(r, "live") != 0;
	l->answers = reply_number(r, "answers") != 0;
}

static void take_session(struct told *t, const struct reply *r)
{
	struct told_session *s = &t->sessions[t->session_count];

	if (t->session_count == TOLD_SESSIONS)
		return;
	t->session_count++;
	TAKE(s->id, "id");
	TAKE(s->user, "user");
	TAKE(s->server, "server");
	s->began = reply_number(r, "began");
	s->pid = reply_number(r, "pid");
}

static void take_revocation(struct told *t, const struct reply *r)
{
	struct told_revocation *v = &t->revocations[t->revocation_count];

	if (t->revocation_count == TOLD_REVOCATIONS)
		return;
	t->revocation_count++;
	TAKE(v->address, "address");
	TAKE(v->user, "user");
	v->time = reply_number(r, "time");
	v->until = reply_number(r, "until");
}

static void take_network(struct told *t, const struct reply *r)
{
	struct told_network *n = &t->networks[t->network_count];

	if (t->network_count == TOLD_NETWORKS)
		return;
	t->network_count++;
	TAKE(n->list, "list");
	TAKE(n->net, "net");
}

static void take_require(struct told *t, const struct reply *r)
{
	struct told_require *q = &t->requires[t->require_count];

	if (t->require_count == TOLD_REQUIRES)
		return;
	t->require_count++;
	TAKE(q->listener, "listener");
	TAKE(q->what, "what");
}

void told_row(struct told *t, const struct reply *r)
{
	static const struct {
		const char *word;
		void (*take)(struct told *t, const struct reply *r);
	} rows[] = { { "answer", take_answer }, { "lease", take_lease },
		{ "session", take_session }, { "revocation", take_revocation },
		{ "network", take_network }, { "requires", take_require } };

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (strcmp(rows[i].word, r->word) == 0)
			rows[i].take(t, r);
}

void told_free(struct told *t)
{
	for (size_t i = 0; i < t->lease_count; i++)
		free(t->leases[i].origin.text);
}
