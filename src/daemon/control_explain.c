/* SPDX-License-Identifier: ISC */
/*
 * control_explain - the verb `explain` of the control socket:
 *
 *	> explain address=192.0.2.7 sender=jo@example.org listener=postfix
 *	< answer verdict=allow rule=lease ...
 *	< network list=private net=10.0.0.0/8
 *	< lease address=192.0.2.7/32 user=jo ... why-not= answers=1
 *	< session id=k3xY user=jo server=dovecot began=... pid=...
 *	< revocation address= user=jo time=... until=...
 *	< requires listener=smtp what=user
 *	< ok
 */
#include <stdlib.h>
#include <string.h>

#include "base/kv.h"
#include "base/log.h"
#include "base/mem.h"
#include "control_private.h"
#include "decide/explain.h"

enum { ANSWER_SIZE = 2048 };

static const char *const require_words[] = { [SENDER_ANY] = "none",
	[SENDER_USER] = "user",
	[SENDER_DOMAIN] = "domain",
	[SENDER_MAP] = "map" };

/* --- the question --------------------------------------------------------- */

/* Fills out, its length and whether it was there. False: too long. */
static bool take_text(const struct request *r, const char *key, char *out,
    size_t size, uint16_t *len, uint8_t *has)
{
	const char *value = request_value(r, key);
	size_t n = value ? strlen(value) : 0;

	if (n >= size)
		return false;
	*has = value != NULL;
	*len = (uint16_t)n;
	memcpy(out, value ? value : "", n + 1);
	return true;
}

static bool take_question(
    struct client *c, const struct request *r, struct question *q)
{
	int got = request_address(c, r, &q->addr);

	if (got < 0)
		return false;
	q->asked = true;
	if (got == 1 &&
	    take_text(r, "sender", q->sender, sizeof(q->sender), &q->sender_len,
		&q->has_sender) &&
	    take_text(r, "recipient", q->recipient, sizeof(q->recipient),
		&q->recipient_len, &q->has_recipient) &&
	    take_text(r, "user", q->user, sizeof(q->user), &q->user_len,
		&q->has_user))
		return true;
	client_say(c,
	    "error explain wants address=, and takes sender=, recipient=, "
	    "user= and listener=");
	return false;
}

/* What decides at the listener of that name; without one, what decides where
 * nothing is required. NULL: there is none, told. */
static const struct decide_options *take_listener(
    struct client *c, const char *name)
{
	static const struct decide_options anybody = { .default_domain = "" };
	struct keeper *k = c->control->keeper;
	const struct conf *conf = keeper_env(k)->conf;

	for (size_t i = 0; name && i < conf_count(conf, "listener"); i++)
		if (strcmp(conf_name(conf_at(conf, "listener", i)), name) == 0)
			return keeper_listener(k, i);
	if (!name)
		return &anybody;
	client_say(c, "no reason=no-such-listener");
	return NULL;
}

/* --- the answer ----------------------------------------------------------- */

/* Ends a line that was put together, and sends it. */
static void put_line(struct client *c, char *line, size_t used)
{
	line[used - 1] = '\n';
	client_put(c, line, used);
}

static void put_answer(struct client *c, const struct explain *e,
    const struct decide_options *o, const struct question *q)
{
	const struct answer *a = &e->answer;
	char line[ANSWER_SIZE], text[ADDR_TEXT_SIZE], key[NET_TEXT_SIZE];
	size_t used = 0;

	(void)addr_print(&q->addr, text);
	(void)net_print(&e->key, key);
	if (kv_put(line, sizeof(line), &used, "answer address", text) &&
	    kv_put(line, sizeof(line), &used, "key", key) &&
	    kv_put(line, sizeof(line), &used, "verdict",
		verdict_word(a->verdict)) &&
	    kv_put(line, sizeof(line), &used, "rule", explain_word(e)) &&
	    kv_put(
		line, sizeof(line), &used, "mode", rules_mode_word(e->mode)) &&
	    kv_put_int(line, sizeof(line), &used, "observed", a->observed) &&
	    kv_put_int(
		line, sizeof(line), &used, "ttl", (a->ttl + 999) / 1000) &&
	    kv_put(line, sizeof(line), &used, "user", a->user) &&
	    kv_put(line, sizeof(line), &used, "require-sender",
		require_words[o->require_sender]) &&
	    kv_put_int(line, sizeof(line), &used, "leases",
		(long long)e->lease_total) &&
	    kv_put_int(line, sizeof(line), &used, "revocations",
		(long long)e->revocation_total))
		put_line(c, line, used);
}

static void put_networks(struct client *c, const struct explain *e)
{
	char text[NET_TEXT_SIZE];

	for (size_t i = 0; i < RULES_LISTS; i++) {
		if (!e->networks[i].found)
			continue;
		(void)net_print(&e->networks[i].net, text);
		client_say(
		    c, "network list=%s net=%s", rules_list_word(i), text);
	}
}

static void put_leases(
    struct client *c, const struct explain *e, struct moment now)
{
	for (size_t i = 0; i < e->lease_count; i++) {
		const struct explain_lease *l = &e->leases[i];
		char line[ROW_SIZE];
		size_t used = 0;

		if (client_lease_pairs(
			c, &l->lease, now, line, sizeof(line), &used) &&
		    kv_put(line, sizeof(line), &used, "why-not",
			l->why_not ? l->why_not : "") &&
		    kv_put_int(
			line, sizeof(line), &used, "answers", l->answers))
			put_line(c, line, used);
	}
}

static void put_revocations(struct client *c, const struct explain *e)
{
	static const struct addr none;

	for (size_t i = 0; i < e->revocation_count; i++) {
		const struct ledger_revocation *r = &e->revocations[i];
		struct net net = { r->addr, e->key.bits };
		char line[ROW_SIZE], text[NET_TEXT_SIZE] = "";
		size_t used = 0;

		if (!addr_equal(&r->addr, &none))
			(void)net_print(&net, text);
		if (kv_put(line, sizeof(line), &used, "revocation address",
			text) &&
		    kv_put(line, sizeof(line), &used, "user", r->user) &&
		    kv_put_int(line, sizeof(line), &used, "time", r->time) &&
		    kv_put_int(line, sizeof(line), &used, "until", r->until))
			put_line(c, line, used);
	}
}

static void put_sessions(struct client *c, const struct explain *e)
{
	for (size_t i = 0; i < e->session_count; i++) {
		const struct ledger_session *s = &e->sessions[i].session;
		char line[ROW_SIZE];
		size_t used = 0;

		if (kv_put(
			line, sizeof(line), &used, "session id", s->session) &&
		    kv_put(line, sizeof(line), &used, "user", s->user) &&
		    kv_put(line, sizeof(line), &used, "server",
			e->sessions[i].server) &&
		    kv_put_int(line, sizeof(line), &used, "began", s->began) &&
		    kv_put_int(line, sizeof(line), &used, "pid", s->mpid))
			put_line(c, line, used);
	}
}

/* The listeners where the sender counts, for who named none. */
static void put_requires(struct client *c)
{
	struct keeper *k = c->control->keeper;
	const struct conf *conf = keeper_env(k)->conf;

	for (size_t i = 0; i < conf_count(conf, "listener"); i++) {
		enum require_sender what =
		    keeper_listener(k, i)->require_sender;

		if (what != SENDER_ANY)
			client_say(c, "requires listener=%s what=%s",
			    conf_name(conf_at(conf, "listener", i)),
			    require_words[what]);
	}
}

void client_explain(struct client *c, const struct request *r)
{
	struct keeper *k = c->control->keeper;
	AUTO_FREE struct question *q = xcalloc(1, sizeof(*q));
	AUTO_FREE struct explain *e = xcalloc(1, sizeof(*e));
	const char *listener = request_value(r, "listener");
	const struct decide_options *o;
	struct moment now = clock_now();
	struct err err = { 0 };

	if (!take_question(c, r, q) || !(o = take_listener(c, listener)))
		return;
	if (ledger_read_begin(keeper_ledger(k), &err) < 0) {
		client_say(c, "error %s", err.text);
		return;
	}
	explain(
	    keeper_ledger(k), keeper_rules(k), keeper_mode(k), o, q, now, e);
	put_answer(c, e, o, q);
	put_networks(c, e);
	put_leases(c, e, now);
	put_sessions(c, e);
	ledger_read_end(keeper_ledger(k));
	put_revocations(c, e);
	if (!listener)
		put_requires(c);
	client_say(c, "ok");
}
