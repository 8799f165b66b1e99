/* SPDX-License-Identifier: ISC */
/*
 * sessions - holding: a lease does not run out while its mail session shows
 * life. Called by apply.c, sweep.c and revoke.c; apply_hold() by the keeper.
 *
 * A session is a row with the moment of its login, its last sign of life and,
 * when there is one, the mail process with its start time (a pid alone comes
 * round again). It counts as long as its last sign is not older than a ttl on
 * the boot clock; what it gave its lease has run out then, and so has the lease
 * unless others feed it. That is how the sessions of a lease that ended are
 * forgotten without an index from lease to sessions: the lease cannot end
 * before they count no more, and rows that count no more are swept.
 *
 * Lines of a log are anybody's who may write there, and there may be thousands
 * in one transaction. So what one of them does never grows with the number of
 * sessions: the restart of a server is a time that is remembered, and a lease
 * taken back is a row that is gone; what they end counts no more from then on,
 * and the paced passes clear it away.
 *
 * Not here: the process table (the caller's proc_start_fn).
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "parts.h"

enum {
	/* The mail process is made before the login line is written. Log stamps
	 * are cut to seconds, start times to ticks, the boot time to seconds.
	 */
	PROOF_GRACE_MS = 3000,
	SLICE = 256 /* rows copied out of the ledger at a time */
};

/* --- restarts of servers ------------------------------------------------- */

/* No source's cursor: their keys begin with a name. */
static size_t restart_key(uint16_t server, char *key)
{
	key[0] = '\0';
	key[1] = 'r';
	key[2] = (char)(server >> 8);
	key[3] = (char)(server & 0xff);
	return 4;
}

static int take_time(void *ctx, const struct ledger_cursor *c)
{
	if (c->len == sizeof(int64_t))
		memcpy(ctx, c->bytes, sizeof(int64_t));
	return 1;
}

/* When this server was last restarted, as far as is known; -1: never. A time
 * ahead of the clock, which was set back, says nothing until it has come. */
static int64_t restarted(struct apply *a, uint16_t server, struct moment now)
{
	char key[4];
	size_t len = restart_key(server, key);
	int64_t time = -1;

	(void)ledger_cursor_each(a->ledger, key, len, take_time, &time);
	return time <= now.wall ? time : -1;
}

void sessions_restart(struct apply *a, const struct login *l, struct moment now)
{
	struct ledger_cursor c = { .len = sizeof(int64_t) };
	uint16_t server = parts_server(a, l);
	int64_t time = l->time < now.wall ? l->time : now.wall;

	if (time <= restarted(a, server, now))
		return;
	c.key_len = (uint16_t)restart_key(server, c.key);
	memcpy(c.bytes, &time, sizeof(time));
	ledger_cursor_put(a->ledger, &c);
}

/* --- what a session is --------------------------------------------------- */

static bool counts(
    struct apply *a, const struct ledger_session *s, struct moment now)
{
	return now.boot < s->last_sign.boot + rules_ttl(a->rules) &&
	       s->since.wall > restarted(a, s->server, now);
}

/* Whether it still counts, and its lease, which is not a later one. */
static enum ledger_found lease_of(struct apply *a,
    const struct ledger_session *s, struct moment now, struct lease *lease)
{
	enum ledger_found found = LEDGER_MISSING;

	if (counts(a, s, now))
		found =
		    parts_get(a, &s->addr, s->user, s->user_len, now, lease);
	if (found == LEDGER_FOUND && s->began < lease->first_login)
		return LEDGER_MISSING;
	return found;
}

/* To move an end is as much as to make a lease: the rules may have changed
 * since the login. */
static enum judgement judge_lease(const struct apply *a, const struct lease *l)
{
	if (rules_limits(a->rules)->require_tls && !(l->flags & LEASE_TLS))
		return JUDGE_NO_TLS;
	return rules_user(a->rules, l->user, l->user_len);
}

/* How long it has lasted, by the clock that nobody sets. */
static int64_t age(const struct ledger_session *s, struct moment now)
{
	return now.boot - s->since.boot;
}

static bool same_lease(const struct ledger_session *s, const struct lease *l)
{
	return addr_equal(&s->addr, &l->addr) && s->user_len == l->user_len &&
	       !memcmp(s->user, l->user, s->user_len);
}

static bool session_is_named(const struct login *l)
{
	if (!l->session_len || l->session_len > LOGIN_SESSION_MAX)
		return false;
	for (size_t i = 0; i < l->session_len; i++)
		if ((unsigned char)l->session[i] < 0x20)
			return false;
	return true;
}

/* Start time of the mail process when it can be the one of this login. */
static uint64_t prove(const struct apply *a, uint32_t mpid, int64_t login_time)
{
	int64_t process_began = 0;
	uint64_t start;

	if (!mpid || !a->proc_start)
		return 0;
	start = a->proc_start(a->proc_ctx, mpid, &process_began);
	if (process_began > login_time + PROOF_GRACE_MS)
		return 0;
	return start;
}

/* One open session less in the count of its lease, if that is still there. */
static void uncount(
    struct apply *a, const struct ledger_session *s, struct moment now)
{
	struct lease lease;

	if (parts_get(a, &s->addr, s->user, s->user_len, now, &lease) !=
		LEDGER_FOUND ||
	    !lease.sessions)
		return;
	/* It was of a lease that is over, and was never counted in this one. */
	if (s->began < lease.first_login)
		return;
	lease.sessions--;
	ledger_put(a->ledger, &lease);
}

static void drop(
    struct apply *a, const struct ledger_session *s, struct moment now)
{
	ledger_session_delete(a->ledger, s);
	uncount(a, s, now);
}

/* --- a login ------------------------------------------------------------- */

static void fill(const struct login *l, int64_t time, struct moment at,
    uint16_t source, const struct lease *lease, struct ledger_session *s)
{
	memset(s, 0, sizeof(*s));
	s->server = lease->server;
	s->source = source;
	s->mpid = l->mpid;
	s->began = time;
	s->since = s->last_sign = at;
	s->addr = lease->addr;
	s->user_len = lease->user_len;
	memcpy(s->user, lease->user, lease->user_len);
	s->session_len = l->session_len;
	memcpy(s->session, l->session, l->session_len);
}

static void count(struct lease *lease)
{
	if (lease->sessions < UINT16_MAX)
		lease->sessions++;
}

/* Whether it may hold its lease ever. Most logins of a site whose mail
 * processes cannot be seen make no such session: a row for each of them would
 * double the pages that a login writes, and say nothing. */
static bool can_hold(const struct apply *a, const struct ledger_session *s)
{
	return s->mpid_start || a->expects_signs ||
	       rules_limits(a->rules)->hold_unseen > 0;
}

void sessions_open(struct apply *a, const struct login *l, uint16_t source,
    bool fresh, struct lease *lease, struct moment now)
{
	int64_t time = l->time < now.wall ? l->time : now.wall;
	struct moment at = { time, now.boot - (now.wall - time) };
	struct ledger_session s, old;
	struct lease other;
	enum ledger_found found;
	int64_t restart;
	bool is_same;

	/* A session from before this boot is over: its process, or the line to
	 * it, is not there any more. */
	if (!rules_limits(a->rules)->hold || !session_is_named(l) ||
	    at.boot < 0)
		return;
	fill(l, time, at, source, lease, &s);
	s.server = parts_server(a, l);
	restart = restarted(a, s.server, now);
	/* A line that came late: that session has ended with its server. */
	if (s.began < restart)
		return;
	/* A line of the same second as the restart, and after it. */
	if (s.began == restart)
		s.since.wall++;
	found = ledger_session_get(
	    a->ledger, s.server, s.session, s.session_len, &old);
	if (found == LEDGER_ERROR)
		return;
	is_same = found == LEDGER_FOUND && same_lease(&old, lease);
	/* The line again, from another source or read twice; or an older one
	 * of a name that was used again. */
	if (is_same && counts(a, &old, now) && old.began >= s.began) {
		if (fresh)
			count(lease);
		return;
	}
	/* Ids are no secrets: what one source says of its clients must not
	 * end the holding of another one's. */
	if (found == LEDGER_FOUND && !is_same && old.source != source &&
	    lease_of(a, &old, now, &other) != LEDGER_MISSING)
		return;
	if (found == LEDGER_FOUND && !is_same)
		uncount(a, &old, now);
	else if (is_same && !fresh && lease->sessions)
		lease->sessions--;
	s.mpid_start = prove(a, s.mpid, s.began);
	if (can_hold(a, &s)) {
		ledger_session_put(a->ledger, &s);
		count(lease);
	} else if (found == LEDGER_FOUND) {
		ledger_session_delete(a->ledger, &old);
	}
}

/* --- life and end -------------------------------------------------------- */

static enum ledger_found find(struct apply *a, const struct login *l,
    struct moment now, struct ledger_session *s, struct lease *lease)
{
	static const struct addr none;
	struct addr masked;
	uint8_t bits;
	enum ledger_found found;

	if (!session_is_named(l))
		return LEDGER_MISSING;
	found = ledger_session_get(
	    a->ledger, parts_server(a, l), l->session, l->session_len, s);
	if (found != LEDGER_FOUND)
		return found;
	masked = rules_mask(a->rules, &l->addr, &bits);
	if (!addr_equal(&l->addr, &none) && !addr_equal(&masked, &s->addr))
		return LEDGER_MISSING;
	found = lease_of(a, s, now, lease);
	if (found != LEDGER_MISSING)
		return found;
	drop(a, s, now);
	return LEDGER_MISSING;
}

/* Held by proof, by signs of life, or for want of one not yet let go. */
static bool is_held(
    const struct apply *a, const struct ledger_session *s, int64_t lasted)
{
	const struct rules_limits *limits = rules_limits(a->rules);

	if (!limits->hold || lasted >= limits->hold_max)
		return false;
	return s->mpid_start || s->last_sign.boot > s->since.boot ||
	       lasted < limits->hold_unseen;
}

void sessions_logout(struct apply *a, const struct login *l, struct moment now,
    struct applied *out)
{
	struct ledger_session s;
	struct lease lease;
	struct moment end = rules_end(a->rules, l->time, now);
	int64_t ttl = rules_ttl(a->rules);

	if (find(a, l, now, &s, &lease) != LEDGER_FOUND)
		return;
	/* The id may be a stranger's choice; the user it names must agree. */
	if (l->user_len &&
	    !parts_same_user(l->user, l->user_len, s.user, s.user_len))
		return;
	ledger_session_delete(a->ledger, &s);
	/* It showed life until this line. */
	if (judge_lease(a, &lease) == JUDGE_NONE &&
	    is_held(a, &s, end.boot - ttl - s.since.boot))
		out->moved = parts_extend(a, &lease, end, now);
	if (lease.sessions)
		lease.sessions--;
	ledger_put(a->ledger, &lease);
	out->judgement = JUDGE_LEASE;
	out->lease = lease;
}

void sessions_alive(struct apply *a, const struct login *l, struct moment now,
    struct applied *out)
{
	struct ledger_session s;
	struct lease lease;
	struct moment end, sign;
	enum judgement j = rules_judge(a->rules, l, now, &end);
	const struct rules_limits *limits = rules_limits(a->rules);

	if (j != JUDGE_LEASE) {
		out->judgement = j;
		return;
	}
	/* Only a session whose login was seen can show life; so one that was
	 * ended by a revocation stays ended. */
	if (!limits->hold || find(a, l, now, &s, &lease) != LEDGER_FOUND ||
	    s.user_len != l->user_len ||
	    memcmp(s.user, l->user, s.user_len) != 0 ||
	    age(&s, now) >= limits->hold_max ||
	    parts_revoked(a, &s.addr, s.user, s.user_len, s.began) !=
		LEDGER_MISSING)
		return;
	if ((j = judge_lease(a, &lease)) != JUDGE_NONE) {
		out->judgement = j;
		return;
	}
	sign = (struct moment){ end.wall - rules_ttl(a->rules),
		end.boot - rules_ttl(a->rules) };
	if (sign.wall < 0)
		return;
	if (sign.boot > s.last_sign.boot) {
		s.last_sign = sign;
		ledger_session_put(a->ledger, &s);
		out->fresh = !ledger_alive(&lease, now);
		out->moved = parts_extend(a, &lease, end, now);
		ledger_put(a->ledger, &lease);
	} else if (!ledger_alive(&lease, now)) {
		return;
	}
	/* What is no later than the last sign has given all it can. */
	out->judgement = JUDGE_LEASE;
	out->lease = lease;
}

/* --- all sessions of a kind ---------------------------------------------- */

struct slice {
	struct ledger_session *rows;
	size_t count, size;
	bool more;
};

static int slice_row(void *ctx, const struct ledger_session *s)
{
	struct slice *slice = ctx;

	if (slice->count == slice->size) {
		slice->more = true;
		return 1;
	}
	slice->rows[slice->count++] = *s;
	return 0;
}

/* What to do with one session; its row may be deleted. */
typedef void session_visit_fn(
    struct apply *a, const struct ledger_session *s, void *ctx);

/*
 * Shows up to limit sessions to fn, from where the pass stopped. Rows are
 * copied out first, so that fn may delete and put. True: the pass is finished.
 */
static bool visit(struct apply *a, struct session_pass *pass, size_t limit,
    session_visit_fn *fn, void *ctx)
{
	AUTO_FREE struct ledger_session *rows = xcalloc(SLICE, sizeof(*rows));

	while (limit) {
		struct slice slice = { .rows = rows,
			.size = limit < SLICE ? limit : SLICE };

		if (ledger_session_after(a->ledger,
			pass->going ? &pass->last : NULL, slice_row,
			&slice) < 0)
			break;
		for (size_t i = 0; i < slice.count; i++)
			fn(a, &rows[i], ctx);
		if (!slice.more)
			break;
		pass->last = rows[slice.count - 1];
		pass->going = true;
		limit -= slice.count;
	}
	if (!limit)
		return false;
	pass->going = false;
	return true;
}

struct revoke {
	const struct addr *addr;
	const char *user;
};

static void end_of_revoked(
    struct apply *a, const struct ledger_session *s, void *ctx)
{
	const struct revoke *r = ctx;

	if (r->addr && !addr_equal(r->addr, &s->addr))
		return;
	if (r->user &&
	    !parts_same_user(r->user, strlen(r->user), s->user, s->user_len))
		return;
	ledger_session_delete(a->ledger, s);
}

void sessions_revoke(
    struct apply *a, const struct addr *masked, const char *user)
{
	struct session_pass all = { 0 };
	struct revoke r = { masked, user };

	visit(a, &all, SIZE_MAX, end_of_revoked, &r);
}

static void sweep(struct apply *a, const struct ledger_session *s, void *ctx)
{
	const struct moment *now = ctx;

	if (!rules_limits(a->rules)->hold || !counts(a, s, *now))
		drop(a, s, *now);
}

bool sessions_sweep(struct apply *a, struct moment now, size_t limit)
{
	return visit(a, &a->walk_sessions, limit, sweep, &now);
}

/* --- holding ------------------------------------------------------------- */

struct hold {
	struct moment now;
	size_t moved;
};

static void hold_one(
    struct apply *a, const struct ledger_session *old, void *ctx)
{
	struct hold *h = ctx;
	struct ledger_session s = *old;
	struct lease lease;
	int64_t ttl = rules_ttl(a->rules), process_began;
	struct moment end = { h->now.wall + ttl, h->now.boot + ttl };

	/* Over, or its process is gone: what it gave so far stays. */
	if (!counts(a, &s, h->now) ||
	    age(&s, h->now) >= rules_limits(a->rules)->hold_max ||
	    (s.mpid_start &&
		(!a->proc_start || a->proc_start(a->proc_ctx, s.mpid,
				       &process_began) != s.mpid_start))) {
		drop(a, &s, h->now);
		return;
	}
	if (!s.mpid_start &&
	    age(&s, h->now) >= rules_limits(a->rules)->hold_unseen)
		return;
	if (lease_of(a, &s, h->now, &lease) != LEDGER_FOUND ||
	    judge_lease(a, &lease) != JUDGE_NONE) {
		drop(a, &s, h->now);
		return;
	}
	s.last_sign = h->now;
	ledger_session_put(a->ledger, &s);
	if (!parts_extend(a, &lease, end, h->now))
		return;
	ledger_put(a->ledger, &lease);
	h->moved++;
}

size_t apply_hold(struct apply *a, struct moment now, size_t limit)
{
	struct hold h = { .now = now };

	if (rules_limits(a->rules)->hold)
		visit(a, &a->hold, limit, hold_one, &h);
	return h.moved;
}

bool apply_holding(const struct apply *a)
{
	return a->hold.going;
}
