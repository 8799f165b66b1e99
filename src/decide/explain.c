/* SPDX-License-Identifier: ISC */
/*
 * explain - see the header. decide() says what the answer is; this adds what
 * the same ledger and rules hold about the address.
 */
#include "explain.h"

#include <string.h>

#include "base/mem.h"

/* What the walks need. */
struct look {
	struct ledger *ledger;
	const struct rules *rules;
	const struct decide_options *options;
	const struct question *question;
	struct moment now;
	struct explain *out;
};

/* --- leases --------------------------------------------------------------- */

static bool is_lease_answer(const struct answer *a)
{
	return (a->verdict == VERDICT_ALLOW || a->observed) &&
	       strcmp(a->reason, "lease") == 0;
}

/* The answering one, those that count, the others. */
static int rank(const struct explain_lease *l)
{
	return l->answers ? 0 : l->why_not ? 2 : 1;
}

/* Keeps the first ones by rank, and within it by what is left. */
static void insert(struct explain *out, const struct explain_lease *l)
{
	struct explain_lease *at = out->leases;
	const struct explain_lease *end = at + out->lease_count;
	size_t behind;

	out->lease_total++;
	while (at < end && (rank(at) < rank(l) ||
			       (rank(at) == rank(l) && at->left >= l->left)))
		at++;
	if (at == out->leases + EXPLAIN_LEASES_MAX)
		return;
	if (out->lease_count < EXPLAIN_LEASES_MAX)
		out->lease_count++;
	behind = (size_t)(out->leases + out->lease_count - at) - 1;
	memmove(at + 1, at, behind * sizeof(*at));
	*at = *l;
}

static int take_lease(void *ctx, const struct lease *row)
{
	struct look *k = ctx;
	const struct answer *a = &k->out->answer;
	struct explain_lease l = { .lease = *row };

	l.source = ledger_name(k->ledger, row->source);
	l.server = ledger_name(k->ledger, row->server);
	l.left = ledger_left(row, k->now);
	if (l.left < 0)
		l.left = 0;
	l.why_not = decide_flaw(k->rules, k->options, k->question, row, k->now);
	l.answers = is_lease_answer(a) && !l.why_not &&
		    a->user_len == row->user_len &&
		    memcmp(a->user, row->user, row->user_len) == 0;
	insert(k->out, &l);
	return 0;
}

/* --- revocations ---------------------------------------------------------- */

static bool is_user(
    const struct ledger_revocation *r, const char *user, size_t len)
{
	return r->user_len == len && memcmp(r->user, user, len) == 0;
}

/* Whether a login of now, by whom the question is about, is refused by it. */
static bool concerns(const struct look *k, const struct ledger_revocation *r)
{
	static const struct addr none;
	const struct question *q = k->question;
	const struct explain *e = k->out;

	if (r->until < k->now.wall)
		return false;
	if (r->user_len == 0)
		return true;
	if (q->has_user)
		return is_user(r, q->user, q->user_len);
	if (!addr_equal(&r->addr, &none))
		return true;
	for (size_t i = 0; i < e->lease_count; i++)
		if (is_user(r, e->leases[i].lease.user,
			e->leases[i].lease.user_len))
			return true;
	return false;
}

static void take(struct look *k, const struct ledger_revocation *r)
{
	struct explain *e = k->out;

	if (!concerns(k, r))
		return;
	if (e->revocation_count < EXPLAIN_REVOCATIONS_MAX)
		e->revocations[e->revocation_count++] = *r;
	e->revocation_total++;
}

static int take_of_users(void *ctx, const struct ledger_revocation *r)
{
	static const struct addr none;

	if (!addr_equal(&r->addr, &none))
		return 1;
	take(ctx, r);
	return 0;
}

static int take_of_address(void *ctx, const struct ledger_revocation *r)
{
	struct look *k = ctx;

	if (!addr_equal(&r->addr, &k->out->key.addr))
		return 1;
	take(k, r);
	return 0;
}

/* Whether the revocations we have refuse whoever logs in from there, or the
 * user that was asked for. */
static bool is_revoked(const struct explain *e, const struct question *q)
{
	for (size_t i = 0; i < e->revocation_count; i++)
		if (e->revocations[i].user_len == 0 || q->has_user)
			return true;
	return false;
}

/* --- sessions ------------------------------------------------------------- */

struct session_look {
	struct look *look;
	size_t rows;
};

/* They are in order of server and session, so all have to be looked at. */
static int take_session(void *ctx, const struct ledger_session *s)
{
	struct session_look *w = ctx;
	struct explain *e = w->look->out;
	struct explain_session *to = &e->sessions[e->session_count];

	if (++w->rows > EXPLAIN_SESSIONS_LOOK)
		return 1;
	if (!addr_equal(&s->addr, &e->key.addr))
		return 0;
	to->session = *s;
	to->server = ledger_name(w->look->ledger, s->server);
	return ++e->session_count == EXPLAIN_SESSIONS_MAX;
}

static void look_for_sessions(struct look *k)
{
	struct session_look w = { .look = k };
	bool any = false;

	for (size_t i = 0; i < k->out->lease_count; i++)
		any |= k->out->leases[i].lease.sessions > 0;
	if (any)
		(void)ledger_session_each(k->ledger, take_session, &w);
}

/* --- the rule ------------------------------------------------------------- */

static bool was_refused(const struct explain *e)
{
	for (size_t i = 0; i < e->lease_count; i++) {
		const char *why = e->leases[i].why_not;
		if (why && strcmp(why, "over") != 0 && strcmp(why, "user") != 0)
			return true;
	}
	return false;
}

static enum explain_rule no_lease(
    const struct explain *e, const struct question *q)
{
	if (is_revoked(e, q))
		return EXPLAIN_REVOKED;
	return was_refused(e) ? EXPLAIN_REFUSED : EXPLAIN_NO_LEASE;
}

static const struct {
	const char *reason; /* decide()'s */
	enum explain_rule rule;
} rules_of[] = {
	{ "not-asked", EXPLAIN_NOT_ASKED },
	{ "mode-off", EXPLAIN_MODE_OFF },
	{ "always", EXPLAIN_ALWAYS },
	{ "lease", EXPLAIN_LEASE },
	{ "sender", EXPLAIN_SENDER },
	{ "sender-map", EXPLAIN_MAP },
	{ "ledger", EXPLAIN_LEDGER },
};

static enum explain_rule find_rule(
    const struct explain *e, const struct question *q)
{
	for (size_t i = 0; i < COUNT_OF(rules_of); i++)
		if (strcmp(e->answer.reason, rules_of[i].reason) == 0)
			return rules_of[i].rule;
	return strcmp(e->answer.reason, "no-lease") == 0 ? no_lease(e, q)
							 : EXPLAIN_ADDRESS;
}

const char *explain_word(const struct explain *e)
{
	static const char *const words[EXPLAIN_RULES] = {
		[EXPLAIN_NOT_ASKED] = "not-asked",
		[EXPLAIN_MODE_OFF] = "mode-off",
		[EXPLAIN_ALWAYS] = "always",
		[EXPLAIN_LEASE] = "lease",
		[EXPLAIN_SENDER] = "sender",
		[EXPLAIN_REVOKED] = "revoked",
		[EXPLAIN_REFUSED] = "refused",
		[EXPLAIN_NO_LEASE] = "no-lease",
		[EXPLAIN_MAP] = "sender-map",
		[EXPLAIN_LEDGER] = "ledger",
	};

	return e->rule == EXPLAIN_ADDRESS ? rules_reason(e->judgement)
					  : words[e->rule];
}

void explain(struct ledger *l, const struct rules *r, enum rules_mode mode,
    const struct decide_options *o, const struct question *q, struct moment now,
    struct explain *out)
{
	static const struct addr none;
	struct look k = { l, r, o, q, now, out };

	memset(out, 0, sizeof(*out));
	out->mode = mode;
	decide(l, r, mode, o, q, now, &out->answer);
	out->judgement = rules_address(r, &q->addr);
	out->key.addr = rules_mask(r, &q->addr, &out->key.bits);
	for (int i = 0; i < RULES_LISTS; i++)
		out->networks[i].found = rules_listed(
		    r, (enum rules_list)i, &q->addr, &out->networks[i].net);
	/* A walk that breaks off has told the log; decide() has seen it too, or
	 * what it saw first was enough for it. */
	if (l) {
		(void)ledger_at(l, &out->key.addr, take_lease, &k);
		(void)ledger_revocation_from(
		    l, &out->key.addr, take_of_address, &k);
		(void)ledger_revocation_from(l, &none, take_of_users, &k);
		look_for_sessions(&k);
	}
	out->rule = find_rule(out, q);
}
