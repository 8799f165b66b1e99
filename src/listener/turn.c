/* SPDX-License-Identifier: ISC */
/*
 * turn - the answers of one turn, made in the server's out.
 * Called by: conn.c, dgram.c, which send them.
 */
#include "conn.h"

void turn_answer(
    struct port *port, const struct listener_view *view, struct turn *t)
{
	struct server *s = port->server;
	struct answer *a = &s->answer;

	server_batch(s);
	a->verdict = VERDICT_NONE;
	a->reason = "";
	a->observed = false;
	a->by = BY_NOTHING;
	a->ttl = 0;
	a->user_len = 0;
	a->user[0] = '\0';
	s->hooks.answer(
	    s->hooks.ctx, port->index, &port->given, &s->question, a);
	t->verdicts[a->verdict]++;
	t->out_len += port->given.kind->encode(view, &s->question, a,
	    s->out + t->out_len, sizeof(s->out) - t->out_len);
}

void turn_refuse(struct port *port, struct turn *t)
{
	struct server *s = port->server;

	t->bad++;
	t->out_len += port->given.kind->encode_bad(
	    s->out + t->out_len, sizeof(s->out) - t->out_len);
}

void turn_over(struct port *port, struct turn *t)
{
	struct server *s = port->server;
	const struct listener_kind *kind = port->given.kind;

	if (kind->encode_over && flood_slips(port->flood))
		t->out_len += kind->encode_over(&s->question,
		    s->out + t->out_len, sizeof(s->out) - t->out_len);
}

static void add(_Atomic uint64_t *counter, uint64_t n)
{
	if (n)
		atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void turn_count(struct port *port, const struct turn *t)
{
	struct server_counts *counts = port->given.counts;
	const uint64_t *v = t->verdicts;

	add(&counts->questions,
	    v[VERDICT_NONE] + v[VERDICT_ALLOW] + v[VERDICT_TEMPFAIL]);
	add(&counts->none, v[VERDICT_NONE]);
	add(&counts->allow, v[VERDICT_ALLOW]);
	add(&counts->tempfail, v[VERDICT_TEMPFAIL]);
	add(&counts->bad, t->bad);
}
