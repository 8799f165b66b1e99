/* SPDX-License-Identifier: ISC */
/*
 * decide - question to verdict, with its reason; the only place that says
 * ALLOW.
 * Called by: listener/, inside one read of the ledger.
 * Not here:  what an MTA is told when the answer is TEMPFAIL (listener/), who
 *            may have a lease at all (login/rules.c).
 */
#include "decide.h"

#include "mail.h"

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

static bool is_user(
    struct text sender, struct text user, const struct decide_options *o)
{
	return user.len && sender.len &&
	       text_same(mail_local(sender), mail_local(user)) &&
	       text_same(
		   mail_domain(sender), user_domain(user, o->default_domain));
}

static bool is_domain(
    struct text sender, struct text user, const struct decide_options *o)
{
	struct text domain = user_domain(user, o->default_domain);

	return user.len && domain.len && text_same(mail_domain(sender), domain);
}

/* Whether a lease of this user answers for this sender. */
static bool may_send(const struct choice *c, struct text user, bool is_sender)
{
	const struct decide_options *o = c->options;

	switch (o->require_sender) {
	case SENDER_ANY:
		return true;
	case SENDER_USER:
		return is_sender;
	case SENDER_DOMAIN:
		return is_domain(c->sender, user, o);
	case SENDER_MAP:
		return o->senders &&
		       senders_allow(o->senders, c->sender.at, c->sender.len,
			   user.at, user.len, o->default_domain);
	default:
		return false;
	}
}

/*
 * Row and question were made by other processes with another idea of now: the
 * keeper may have stored an end a moment after our clock was read.
 */
enum { SLACK_MS = 60000 };

/* What keeps a row from being a live lease such as the rules of now can have
 * made: NULL, or the word for it. Who may not create a lease any more has none;
 * a grant by hand stays. */
static const char *flaw(const struct choice *c, const struct lease *row)
{
	enum judgement no;

	if (!ledger_alive(row, c->now))
		return "over";
	if (row->bits != c->bits)
		return "prefix";
	if (row->end.boot - c->now.boot > c->ttl + SLACK_MS)
		return "too-long";
	if (row->flags & LEASE_GRANTED)
		return NULL;
	no = rules_user(c->rules, row->user, row->user_len);
	return no == JUDGE_NONE ? NULL : rules_reason(no);
}

static void consider(struct choice *c, const struct lease *row)
{
	struct text user = { row->user, row->user_len };
	bool is_sender = is_user(c->sender, user, c->options);
	int64_t left = ledger_left(row, c->now);

	c->seen = true;
	if (!may_send(c, user, is_sender))
		return;
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

	if (!flaw(c, row))
		consider(c, row);
	return 0;
}

static enum ledger_found choose_among(struct choice *c)
{
	if (ledger_at(c->ledger, &c->masked, consider_row, c) < 0)
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
	if (flaw(c, &one))
		return q->has_user ? LEDGER_MISSING : choose_among(c);
	consider(c, &one);
	return c->found ? LEDGER_FOUND : LEDGER_MISSING;
}

static void choice_begin(struct choice *c, const struct rules *r,
    const struct decide_options *o, const struct question *q, struct moment now)
{
	*c = (struct choice){
		.rules = r, .now = now, .options = o, .sender = { "", 0 }
	};
	c->ttl = rules_ttl(r);
	c->masked = rules_mask(r, &q->addr, &c->bits);
	if (q->has_sender)
		c->sender = (struct text){ q->sender, q->sender_len };
}

const char *decide_flaw(const struct rules *r, const struct decide_options *o,
    const struct question *q, const struct lease *row, struct moment now)
{
	struct text user = { row->user, row->user_len };
	struct choice c;
	const char *word;

	choice_begin(&c, r, o, q, now);
	if ((word = flaw(&c, row)))
		return word;
	if (q->has_user && (q->user_len != user.len ||
			       memcmp(q->user, user.at, user.len) != 0))
		return "user";
	return may_send(&c, user, is_user(c.sender, user, o)) ? NULL : "sender";
}

static enum verdict by_lease(struct ledger *l, const struct rules *r,
    const struct decide_options *o, const struct question *q, struct moment now,
    struct answer *out)
{
	struct choice c;

	choice_begin(&c, r, o, q, now);
	c.ledger = l;
	if (o->require_sender == SENDER_MAP && !o->senders) {
		out->reason = "sender-map";
		return VERDICT_TEMPFAIL;
	}
	switch (l ? choose(&c, q) : LEDGER_ERROR) {
	case LEDGER_FOUND:
		out->reason = "lease";
		out->by = c.lease.flags & LEASE_GRANTED ? BY_HAND : BY_LEASE;
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

const char *verdict_word(enum verdict v)
{
	static const char *const words[] = { [VERDICT_NONE] = "none",
		[VERDICT_ALLOW] = "allow",
		[VERDICT_TEMPFAIL] = "tempfail" };

	return words[v];
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
		out->by = BY_ALWAYS;
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
