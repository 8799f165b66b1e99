/* SPDX-License-Identifier: ISC */
/*
 * apply - logins into the ledger: the one place where leases are made, moved
 * and ended. Runs in the keeper, inside a ledger transaction that the caller
 * begins and commits; everything it needs of the world is an argument.
 */
#ifndef LOGIN_APPLY_H
#define LOGIN_APPLY_H
#include "import.h"
#include "ledger/ledger.h"
#include "rules.h"

/* Start time of a process (field 22 of /proc/PID/stat) and, as *began, when
 * that was (wall ms); 0 when there is no such process. Faked in tests. */
typedef uint64_t proc_start_fn(void *ctx, uint32_t pid, int64_t *began);

struct apply; /* rules, caps, and what falls due next */

struct apply *apply_new(struct ledger *l, const struct rules *r,
    proc_start_fn *proc_start, void *proc_ctx);
void apply_free(struct apply **a);
void apply_set_rules(struct apply *a, const struct rules *r);
typedef void apply_ended_fn(void *ctx, const struct lease *lease);
/* Who is shown each lease that a LOGIN_END has ended, in their order. */
void apply_tell_ends(struct apply *a, apply_ended_fn *fn, void *ctx);
/*
 * Whether signs of life (LOGIN_ALIVE) may come from some source; false until
 * told. Without them a session that nothing holds needs no row, and its login
 * writes one page less.
 */
void apply_expect_signs(struct apply *a, bool may_come);

/* What one login did, for log lines and `watch`. */
struct applied {
	enum judgement judgement; /* JUDGE_LEASE, or why not; JUDGE_NONE: a
				   * logout that changed no lease, a sign of
				   * life or an end that found none */
	bool fresh;               /* the lease was not there, or had run out */
	bool moved;               /* its end moved */
	size_t ended;       /* how many live leases a LOGIN_END has ended */
	struct lease lease; /* as it is now, for JUDGE_LEASE and logouts; the
			     * last one that was ended */
};
/* Applies one login, logout, sign of life, restart or end. Errors stay with the
 * ledger until commit (ledger_failed()). */
void apply_login(struct apply *a, const struct login *l, uint16_t source,
    struct moment now, struct applied *out);

/* Takes a lease over from another program's store. JUDGE_LEASE neither fresh
 * nor moved: the lease that is there stays. JUDGE_OLD: over. */
void apply_import(struct apply *a, const struct imported *in, uint16_t source,
    struct moment now, struct applied *out);

/* A grant by hand: skips users/domains/TLS, never the address rules. ttl <= the
 * configured one. */
enum judgement apply_grant(struct apply *a, const struct addr *addr,
    const char *user, size_t user_len, int64_t ttl, struct moment now,
    struct lease *out);
/* Removes matching leases (addr and/or user) and, unless now_only, refuses them
 * until now + refuse_for. Returns how many leases ended. */
size_t apply_revoke(struct apply *a, const struct addr *addr /* or NULL */,
    const char *user /* or NULL */, int64_t refuse_for, bool now_only,
    struct moment now);

/*
 * The paced walk: looks at up to `limit` rows from where it stopped, deletes
 * what the boot clock calls ended (leases, sessions, revocations), tells each
 * ended lease by fn, and puts what falls due within the next period into the
 * wheel. Returns true when a whole round is finished.
 */
bool apply_walk(struct apply *a, struct moment now, size_t limit,
    apply_ended_fn *fn, void *ctx);
/* Ends the leases of the wheel that are due. Returns how many; at most limit.
 */
size_t apply_due(struct apply *a, struct moment now, size_t limit,
    apply_ended_fn *fn, void *ctx);
/* Moves the ends of leases whose sessions show life (mail process alive with
 * its start time); call inside a transaction, about every 10 s. Returns how
 * many. */
size_t apply_hold(struct apply *a, struct moment now, size_t limit);
/* Whether such a pass stopped at its limit and goes on with the next call. */
bool apply_holding(const struct apply *a);
#endif
