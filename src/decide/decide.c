/* SPDX-License-Identifier: ISC */
/*
 * decide - question to verdict, with its reason; the only place that says
 * ALLOW.
 * Called by: listener/, inside one read of the ledger.
 * Not here:  what an MTA is told when the answer is TEMPFAIL (listener/), who
 *            may have a lease at all (login/rules.c).
 */
#include "decide.h"

#include <string.h>
#include <strings.h>

struct text {
	const char *at;
	size_t len;
};

/* The search among the leases of one address. */
struct choice {
	struct ledger *ledger;
	const struct rules *rules;
	struct addr masked;
	uint8_t bits;
	int64_t ttl; /* no lease is longer */
	struct moment now;
	const struct decide_options *options;
	struct text sender; /* len 0: null or absent */
	bool seen;          /* some live lease, fitting or not */
	bool found, found_is_sender;
	int64_t left;
	struct lease lease; /* the best so far */
};

static bool same(struct text a, struct text b)
{
	return a.len == b.len && !strncasecmp(a.at, b.at, a.len);
}

/* What stands behind the last '@'; len 0 when there is none. */
static struct text domain_of(struct text mail)
{
	const char *at = memrchr(mail.at, '@', mail.len);

	if (!at)
		return (struct text){ "", 0 };
	return (struct text){ at + 1, (size_t)(mail.at + mail.len - (at + 1)) };
}

static struct text local_of(struct text mail)
{
	const char *at = memrchr(mail.at, '@', mail.len);

	return (struct text){ mail.at, at ? (size_t)(at - mail.at) : mail.len };
}

/* A login name as a mail address, in two parts: bare names get the default
 * domain, "" when there is none. */
static struct text user_domain(struct text user, const struct decide_options *o)
{
	const char *completion = o->default_domain ? o->default_domain : "";

	if (memrchr(user.at, '@', user.len))
		return domain_of(user);
	return (struct text){ completion, strlen(completion) };
}

static bool is_user(
    struct text sender, struct text user, const struct decide_options *o)
{
	return user.len && sender.len &&
	       same(local_of(sender), local_of(user)) &&
	       same(domain_of(sender), user_domain(user, o));
}

static bool is_domain(
    struct text sender, struct text user, const struct decide_options *o)
{
	struct text domain = user_domain(user, o);

	return user.len && domain.len && same(domain_of(sender), domain);
}

/* Time left on the clock that ends it first. */
static int64_t time_left(const struct lease *l, struct moment now)
{
	int64_t wall = l->end.wall - now.wall, boot = l->end.boot - now.boot;

	return wall < boot ? wall : boot;
}

/*
 * Row and question were made by other processes with another idea of now: the
 * keeper may have stored an end a moment after our clock was read.
 */
enum { SLACK_MS = 60000 };

/* Who may not create a lease any more has none; a grant by hand stays. */
static bool may_user(const struct choice *c, const struct lease *row)
{
	return (row->flags & LEASE_GRANTED) ||
	       rules_user(c->rules, row->user, row->user_len) == JUDGE_NONE;
}

/* A live lease such as the rules of now can have made: one that is longer, or
 * of another prefix length, or of a user who is denied since, is none. */
static bool is_sound(const struct choice *c, const struct lease *row)
{
	return ledger_alive(row, c->now) && row->bits == c->bits &&
	       row->end.boot - c->now.boot <= c->ttl + SLACK_MS &&
	       may_user(c, row);
}

static void consider(struct choice *c, const struct lease *row)
{
	struct text user = { row->user, row->user_len };
	bool is_sender = is_user(c->sender, user, c->options);
	int64_t left = time_left(row, c->now);

	c->seen = true;
	switch (c->options->require_sender) {
	case SENDER_ANY:
		break;
	case SENDER_USER:
		if (!is_sender)
			return;
		break;
	case SENDER_DOMAIN:
		if (!is_domain(c->sender, user, c->options))
			return;
		break;
	default:
		return;
	}
	if (c->found && c->found_is_sender > is_sender)
		return;
	if (c->found && c->found_is_sender == is_sender && left <= c->left)
		return;
	c->found = true;
	c->found_is_sender = is_sender;
	c->left = left;
	c->lease = *row;
}

static int consider_row(void *ctx, const struct lease *row)
{
	struct choice *c = ctx;

	if (!addr_equal(&row->addr, &c->masked))
		return 1;
	if (is_sound(c, row))
		consider(c, row);
	return 0;
}

static enum ledger_found choose_among(struct choice *c)
{
	if (ledger_each(c->ledger, &c->masked, consider_row, c) < 0)
		return LEDGER_ERROR;
	return c->found ? LEDGER_FOUND : LEDGER_MISSING;
}

/* Finds the lease that answers, into c->lease. */
static enum ledger_found choose(struct choice *c, const struct question *q)
{
	struct lease one;
	enum ledger_found found;

	if (!q->has_user && c->sender.len)
		return choose_among(c);
	found = ledger_find(c->ledger, &c->masked, q->has_user ? q->user : NULL,
	    q->user_len, c->now, &one);
	if (found != LEDGER_FOUND)
		return found;
	/* The ledger looked already; here nothing is taken on trust. When the
	 * longest one does not count, another may. */
	if (!is_sound(c, &one))
		return q->has_user ? LEDGER_MISSING : choose_among(c);
	consider(c, &one);
	return c->found ? LEDGER_FOUND : LEDGER_MISSING;
}

static enum verdict by_lease(struct ledger *l, const struct rules *r,
    const struct decide_options *o, const struct question *q, struct moment now,
    struct answer *out)
{
	struct choice c = { .ledger = l,
		.rules = r,
		.now = now,
		.options = o,
		.sender = { "", 0 } };

	c.ttl = rules_ttl(r);
	c.masked = rules_mask(r, &q->addr, &c.bits);
	if (q->has_sender)
		c.sender = (struct text){ q->sender, q->sender_len };
	switch (l ? choose(&c, q) : LEDGER_ERROR) {
	case LEDGER_FOUND:
		out->reason = "lease";
		out->ttl = c.left < rules_ttl(r) ? c.left : rules_ttl(r);
		out->user_len = c.lease.user_len;
		memcpy(out->user, c.lease.user, sizeof(out->user));
		return VERDICT_ALLOW;
	case LEDGER_MISSING:
		out->reason = c.seen ? "sender" : "no-lease";
		return VERDICT_NONE;
	case LEDGER_ERROR:
	default:
		out->reason = "ledger";
		return VERDICT_TEMPFAIL;
	}
}

void decide(struct ledger *l, const struct rules *r, enum rules_mode mode,
    const struct decide_options *o, const struct question *q, struct moment now,
    struct answer *out)
{
	enum judgement no;
	enum verdict verdict;

	memset(out, 0, sizeof(*out));
	if (!q->asked) {
		out->reason = "not-asked";
		return;
	}
	if (mode != MODE_ENFORCE && mode != MODE_OBSERVE) {
		out->reason = "mode-off";
		return;
	}
	if (rules_always(r, &q->addr)) {
		out->reason = "always";
		verdict = VERDICT_ALLOW;
	} else if ((no = rules_address(r, &q->addr)) != JUDGE_NONE) {
		out->reason = rules_reason(no);
		verdict = VERDICT_NONE;
	} else {
		verdict = by_lease(l, r, o, q, now, out);
	}
	/* Who only observes answers none, whatever happens. */
	out->observed = mode == MODE_OBSERVE && verdict == VERDICT_ALLOW;
	out->verdict = mode == MODE_OBSERVE ? VERDICT_NONE : verdict;
}
