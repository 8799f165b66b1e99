/* SPDX-License-Identifier: ISC */
/*
 * explain - why an address may or may not relay: what decide() says, and all
 * that stands behind it, as a value. Pure but for its reads of the ledger.
 * Called by: the control socket (`relaypass explain`), the http listener.
 * Not here:  sentences (cmd/explain.c), the log line behind a lease.
 */
#ifndef DECIDE_EXPLAIN_H
#define DECIDE_EXPLAIN_H
#include "decide.h"

/* What made the answer. Zero is nothing that was asked. */
enum explain_rule {
	EXPLAIN_NOT_ASKED = 0,
	EXPLAIN_MODE_OFF,
	EXPLAIN_ALWAYS,   /* a network of `always` */
	EXPLAIN_ADDRESS,  /* the address can have no lease; see judgement */
	EXPLAIN_LEASE,    /* a live lease */
	EXPLAIN_SENDER,   /* live leases, but of other senders */
	EXPLAIN_REVOKED,  /* no lease, and a revocation refuses new ones */
	EXPLAIN_REFUSED,  /* no lease that counts; see leases[].why_not */
	EXPLAIN_NO_LEASE, /* none at all */
	EXPLAIN_MAP,      /* require-sender's map could not be read */
	EXPLAIN_LEDGER,   /* it cannot be read */
	EXPLAIN_RULES
};

enum {
	EXPLAIN_LEASES_MAX = 32,
	EXPLAIN_REVOCATIONS_MAX = 16,
	EXPLAIN_SESSIONS_MAX = 16,
	EXPLAIN_SESSIONS_LOOK = 100000, /* rows; behind them none is seen */
};

struct explain_lease {
	struct lease lease;
	const char *source, *server; /* names; valid while the ledger is open */
	int64_t left;                /* ms on the clock that ends it first */
	bool answers;                /* this one made decide() say so */
	const char *why_not;         /* NULL: it counts; see decide_flaw() */
};

struct explain_network {
	bool found;
	struct net net; /* the longest that holds the address */
};

struct explain {
	enum rules_mode mode;
	struct answer answer; /* as decide() gave it */
	enum explain_rule rule;
	enum judgement judgement; /* why no lease can be, or JUDGE_NONE */
	struct net key;           /* as leases hold the address */
	struct explain_network networks[RULES_LISTS]; /* by enum rules_list */
	/* The one that answers first, then those that count, then the others;
	 * lease_total also counts what found no room. */
	size_t lease_count, lease_total;
	struct explain_lease leases[EXPLAIN_LEASES_MAX];
	/* Those that refuse a login of now: of the address, and of the
	 * question's user or, without one, of the leases' users. */
	size_t revocation_count, revocation_total;
	struct ledger_revocation revocations[EXPLAIN_REVOCATIONS_MAX];
	/* Open ones of this address; each lease says how many it has. */
	size_t session_count;
	struct explain_session {
		struct ledger_session session;
		const char *server; /* as a lease's */
	} sessions[EXPLAIN_SESSIONS_MAX];
};

/* "lease", "always", "mode-off" ...; for EXPLAIN_ADDRESS the judgement's word
 * ("never"). A constant. */
const char *explain_word(const struct explain *e);

/* Arguments as those of decide(), which it calls: inside a read of l; l may be
 * NULL. *out is large; keep it off small stacks. */
void explain(struct ledger *l, const struct rules *r, enum rules_mode mode,
    const struct decide_options *o, const struct question *q, struct moment now,
    struct explain *out);
#endif
