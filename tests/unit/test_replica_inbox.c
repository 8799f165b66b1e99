/* SPDX-License-Identifier: ISC */
/*
 * test_replica_inbox - what a record is worth here, whatever the clocks say:
 * never more than it was worth where it was made.
 */
#include "replica_world.h"

#include "replica/inbox.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define SKEW   (5 * MINUTE)
#define TTL    (30 * MINUTE)

static struct inbox *inbox;

static int setup(void **state)
{
	(void)state;
	inbox = inbox_new(NODE_B, SKEW);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	inbox_free(&inbox);
	assert_null(inbox);
	inbox_free(&inbox);
	return 0;
}

/* Time `ms` behind NOW, by a clock that is right. */
static struct moment at(int64_t ms)
{
	return (struct moment){ NOW + ms, HOUR + ms };
}

/* Made by node at `ms` behind NOW, whose clock is `ahead`; ends a TTL later. */
static struct replica_record made_by(uint64_t node, int64_t ms, int64_t ahead)
{
	struct replica_record r = lease_record("192.0.2.7", "anna");

	r.node = node;
	r.issued = NOW + ms + ahead;
	r.time = r.issued - SECOND;
	r.end = r.issued + TTL;
	return r;
}

static struct replica_record made(int64_t ms, int64_t ahead)
{
	return made_by(NODE_A, ms, ahead);
}

/* The end behind NOW, or 0: none. */
static int64_t end_of(
    const struct replica_record *r, int64_t age, struct moment now)
{
	struct login l;

	if (inbox_take(inbox, r, age, now, &l) != INBOX_TAKE)
		return 0;
	assert_int_equal(l.kind, LOGIN_LEASE);
	assert_true(l.time <= now.wall && l.time < l.end);
	return l.end - NOW;
}

static void test_replica_inbox_a_lease_is_a_login(void **state)
{
	struct replica_record r = made(0, 0);
	struct login l;

	(void)state;
	assert_int_equal(inbox_take(inbox, &r, 0, at(0), &l), INBOX_TAKE);
	assert_int_equal(l.kind, LOGIN_LEASE);
	assert_int_equal(l.tls, 1);
	assert_int_equal(l.time, NOW - SECOND);
	assert_int_equal(l.end, NOW + TTL);
	assert_true(addr_equal(&l.addr, &r.addr));
	assert_string_equal(l.user, "anna");
	assert_int_equal(l.user_len, 4);
	assert_int_equal(l.userless, 0);
	assert_string_equal(l.server, "dovecot");
	assert_int_equal(l.session_len, 0);
	assert_int_equal(l.mpid, 0);
	r.user_len = 0;
	r.user[0] = '\0';
	assert_int_equal(inbox_take(inbox, &r, 0, at(0), &l), INBOX_TAKE);
	assert_int_equal(l.userless, 1);
	assert_int_equal(l.user_len, 0);
}

static void test_replica_inbox_a_revocation_is_a_login(void **state)
{
	struct replica_record r = revoke_record("192.0.2.7", "");
	struct login l;

	(void)state;
	assert_int_equal(inbox_take(inbox, &r, 0, at(0), &l), INBOX_TAKE);
	assert_int_equal(l.kind, LOGIN_REVOKE);
	assert_int_equal(l.time, NOW - SECOND);
	assert_int_equal(l.end, NOW + TTL);
	assert_true(addr_equal(&l.addr, &r.addr));
	assert_int_equal(l.user_len, 0);
	assert_int_equal(l.origin, NODE_A);
	assert_int_equal(l.sequence, 7);
}

static void test_replica_inbox_own_records_are_not_heard(void **state)
{
	struct replica_record r = made_by(NODE_B, 0, 0);
	struct login l;

	(void)state;
	assert_int_equal(inbox_take(inbox, &r, 0, at(0), &l), INBOX_OWN);
	r = revoke_record("192.0.2.7", "");
	r.node = NODE_B;
	assert_int_equal(inbox_take(inbox, &r, 0, at(0), &l), INBOX_OWN);
}

static void test_replica_inbox_late_is_not_longer(void **state)
{
	struct replica_record r = made(0, 0);
	struct login l;

	(void)state;
	for (int64_t late = 0; late < TTL; late += MINUTE) {
		assert_int_equal(end_of(&r, late, at(late)), TTL);
		assert_int_equal(end_of(&r, 0, at(late)), TTL);
		assert_int_equal(end_of(&r, -1, at(late)), TTL);
	}
	assert_int_equal(inbox_take(inbox, &r, 0, at(TTL), &l), INBOX_OVER);
	assert_int_equal(
	    inbox_take(inbox, &r, 0, at(24 * HOUR), &l), INBOX_OVER);
	/* The carrier says that it is old. */
	assert_int_equal(inbox_take(inbox, &r, TTL, at(0), &l), INBOX_OVER);
	assert_int_equal(
	    inbox_take(inbox, &r, INT64_MAX, at(0), &l), INBOX_OVER);
}

static void test_replica_inbox_a_clock_behind_makes_it_shorter(void **state)
{
	struct replica_record r = made(0, -4 * MINUTE);
	struct login l;

	(void)state;
	assert_int_equal(end_of(&r, 0, at(0)), 26 * MINUTE);
	assert_int_equal(
	    inbox_take(inbox, &r, 0, at(26 * MINUTE), &l), INBOX_OVER);
	r = made(0, -TTL);
	assert_int_equal(inbox_take(inbox, &r, 0, at(0), &l), INBOX_OVER);
}

static void test_replica_inbox_a_clock_ahead_makes_it_no_longer(void **state)
{
	struct replica_record r = made(0, 4 * MINUTE);

	(void)state;
	/* At once; the proof is no later than it was either. */
	assert_int_equal(end_of(&r, 0, at(0)), TTL);
	/* And again, when it is nearly over, and when it is. */
	assert_int_equal(end_of(&r, 0, at(29 * MINUTE)), TTL);
	assert_int_equal(end_of(&r, 0, at(TTL)), 0);
	assert_int_equal(end_of(&r, 0, at(33 * MINUTE)), 0);
	/* Another lease of this node that came late for the first time. */
	r = made(-20 * MINUTE, 4 * MINUTE);
	assert_int_equal(end_of(&r, 0, at(0)), 10 * MINUTE);
}

static void test_replica_inbox_age_tells_of_an_unknown_clock(void **state)
{
	struct replica_record r = made(0, 4 * MINUTE);

	(void)state;
	/* The first that is heard of this node, and late. */
	assert_int_equal(end_of(&r, 10 * MINUTE, at(10 * MINUTE)), TTL);
}

static void test_replica_inbox_learns_from_the_quickest(void **state)
{
	struct replica_record r = made(0, 4 * MINUTE);

	(void)state;
	/* Held up three minutes, and nobody says so. */
	assert_int_equal(end_of(&r, 0, at(3 * MINUTE)), 33 * MINUTE);
	r = made(4 * MINUTE, 4 * MINUTE);
	(void)end_of(&r, 0, at(4 * MINUTE + 20));
	r = made(0, 4 * MINUTE);
	assert_int_equal(end_of(&r, 0, at(5 * MINUTE)), TTL + 20);
	/* Of another node nothing is known by that. */
	r = made_by(3, 0, 4 * MINUTE);
	assert_int_equal(end_of(&r, 0, at(5 * MINUTE)), 34 * MINUTE);
}

static void test_replica_inbox_too_far_ahead_is_none(void **state)
{
	struct replica_record r = made(0, SKEW + 1);
	struct login l;

	(void)state;
	assert_int_equal(inbox_take(inbox, &r, 0, at(0), &l), INBOX_AHEAD);
	/* Nor is it later, when its stamp has come near. */
	for (int64_t late = 1; late < TTL + SKEW; late += 1009)
		assert_true(end_of(&r, 0, at(late)) <= TTL);
	r = made(0, HOUR);
	assert_int_equal(inbox_take(inbox, &r, 0, at(0), &l), INBOX_AHEAD);
	for (int64_t late = 1; late < 2 * HOUR; late += 10007)
		assert_true(end_of(&r, 0, at(late)) <= TTL);
}

/* Held for as long as a lease of before the mending could be shown again. */
static void test_replica_inbox_a_mended_clock_is_forgotten(void **state)
{
	struct replica_record old = made(0, 4 * MINUTE), r;
	int64_t quick = 0;

	(void)state;
	assert_int_equal(end_of(&old, 0, at(0)), TTL);
	for (int64_t ms = MINUTE; ms < 12 * HOUR && !quick; ms += MINUTE) {
		int64_t end;

		r = made(ms, 0);
		end = end_of(&r, 0, at(ms));
		if (end == ms + TTL)
			quick = ms;
		else
			assert_int_equal(end, ms + TTL - 4 * MINUTE);
		if (ms >= TTL)
			assert_int_equal(end_of(&old, 0, at(ms)), 0);
	}
	assert_in_range(quick, 2 * HOUR, 8 * HOUR);
}

/* What was seen behind a greater one is not forgotten with it. */
static void test_replica_inbox_a_clock_half_mended_is_known(void **state)
{
	struct replica_record r = made(0, 20 * MINUTE);
	int64_t ms;

	(void)state;
	(void)end_of(&r, 0, at(0));
	for (ms = 10 * MINUTE; ms < 24 * HOUR; ms += 10 * MINUTE) {
		/* Quick once an hour; the others as late as can be. */
		bool quick = ms % HOUR == 0;
		int64_t late = quick ? 0 : 29 * MINUTE;

		r = made(ms - late, 2 * MINUTE);
		assert_true(end_of(&r, 0, at(ms)) <= ms - late + TTL);
	}
	r = made(ms, 2 * MINUTE);
	assert_int_equal(end_of(&r, 0, at(ms)), ms + TTL);
}

static void test_replica_inbox_a_clock_that_stays_ahead_is_known(void **state)
{
	(void)state;
	for (int64_t ms = 0; ms < 48 * HOUR; ms += 10 * MINUTE) {
		struct replica_record r = made(ms, 4 * MINUTE - ms / HOUR);
		int64_t end = end_of(&r, 0, at(ms));

		/* It drifts a little, and is believed to be no less. */
		assert_in_range(ms + TTL - end, 0, 50);
	}
}

static void test_replica_inbox_our_own_clock_may_be_set(void **state)
{
	struct replica_record r = made(0, 0);
	struct moment slow = { NOW - 4 * MINUTE, HOUR }, now;

	(void)state;
	/* We were four minutes behind, and are not any more. */
	assert_int_equal(end_of(&r, 0, slow), TTL - 4 * MINUTE);
	r = made(MINUTE, 0);
	assert_int_equal(end_of(&r, 0, at(MINUTE)), MINUTE + TTL);
	/* We are put four minutes back: what was right is ahead now. */
	r = made(2 * MINUTE, 0);
	now = at(3 * MINUTE);
	now.wall -= 4 * MINUTE;
	assert_int_equal(end_of(&r, 0, now), 2 * MINUTE + TTL - 4 * MINUTE);
}

static void test_replica_inbox_how_clocks_are_read_is_no_step(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (int64_t ms = 0; ms < 10 * SECOND; ms++) {
		struct replica_record r = made(ms, 0);
		struct moment now = at(ms);

		now.boot -= (int64_t)(random_of(&seed) % 3);
		assert_int_equal(end_of(&r, 0, now), ms + TTL);
	}
}

/* Our clock was wrong, and is mended: what it made look over or ahead is to be
 * shown again, once. */
static void test_replica_inbox_asks_again_behind_a_mended_clock(void **state)
{
	static const struct {
		int64_t wrong, mended;
		bool again;
	} rows[] = {
		{ -SKEW - SECOND, 0, true }, /* all were ahead */
		{ -HOUR, -MINUTE, true },
		{ TTL, 0, true }, /* all were over */
		{ HOUR, HOUR - 5 * SECOND, true },
		/* The same again, or even more of it. */
		{ TTL, TTL, false },
		{ TTL, TTL - SECOND, false },
		{ TTL, HOUR, false },
		{ -HOUR, -HOUR, false },
		{ -HOUR, -2 * HOUR, false },
		/* Nothing was passed over. */
		{ MINUTE, -MINUTE, false },
		{ -MINUTE, MINUTE, false },
	};

	(void)state;
	for (size_t n = 0; n < COUNT_OF(rows); n++) {
		struct replica_record r = made(0, 0);
		struct moment now = at(0);

		inbox_free(&inbox);
		inbox = inbox_new(NODE_B, SKEW);
		now.wall += rows[n].wrong;
		assert_false(inbox_again(inbox, now));
		(void)end_of(&r, 0, now);
		assert_false(inbox_again(inbox, now));
		now = at(MINUTE);
		now.wall += rows[n].mended;
		assert_int_equal(inbox_again(inbox, now), rows[n].again);
		assert_false(inbox_again(inbox, now));
		if (rows[n].mended == 0)
			assert_int_equal(end_of(&r, MINUTE, now), TTL);
		/* What is passed over by this clock is asked for again. */
		assert_false(inbox_again(inbox, now));
	}
}

/* --- revocations ---------------------------------------------------------- */

static int64_t refuses_until(
    const struct replica_record *r, int64_t age, struct moment now)
{
	struct login l;

	if (inbox_take(inbox, r, age, now, &l) != INBOX_TAKE)
		return 0;
	assert_int_equal(l.kind, LOGIN_REVOKE);
	assert_true(l.time <= now.wall);
	return l.end - NOW;
}

static struct replica_record revoked(int64_t ms, int64_t ahead)
{
	struct replica_record r = revoke_record("192.0.2.7", "");

	r.issued = NOW + ms + ahead;
	r.time = r.issued;
	r.end = r.issued + TTL;
	return r;
}

static void test_replica_inbox_revocations_are_never_short(void **state)
{
	struct replica_record r = revoked(0, 0), lease;

	(void)state;
	/* Neither by the carrier's word nor by what is known of the clock. */
	assert_int_equal(refuses_until(&r, 29 * MINUTE, at(0)), TTL);
	assert_int_equal(refuses_until(&r, INT64_MAX, at(0)), TTL);
	lease = made(0, 4 * MINUTE);
	(void)end_of(&lease, 0, at(0));
	r = revoked(MINUTE, 0);
	assert_int_equal(refuses_until(&r, 0, at(2 * MINUTE)), MINUTE + TTL);
	/* Our own clock is behind: its end is as right as it was. */
	for (int64_t behind = 0; behind < 24 * HOUR; behind += 7 * MINUTE) {
		struct moment now = at(0);

		now.wall -= behind;
		r = revoked(0, 0);
		assert_int_equal(refuses_until(&r, 0, now), TTL);
		r = revoked(0, behind);
		assert_int_equal(refuses_until(&r, 0, at(0)), TTL + behind);
	}
}

static void test_replica_inbox_revocations_are_not_stretched(void **state)
{
	struct replica_record r = revoked(0, 0);

	(void)state;
	for (int64_t ms = 0; ms < 26 * HOUR; ms += MINUTE)
		assert_int_equal(refuses_until(&r, 0, at(ms)),
		    ms < TTL + 24 * HOUR ? TTL : 0);
	/* A clock ahead says its end later, and no later than that. */
	r = revoked(0, 10 * MINUTE);
	for (int64_t ms = 0; ms < 2 * TTL; ms += MINUTE)
		assert_true(refuses_until(&r, 0, at(ms)) <= TTL + 10 * MINUTE);
}

/* --- over a restart ------------------------------------------------------- */

static void restart(const uint8_t *state, bool has_state)
{
	inbox_free(&inbox);
	inbox = inbox_new(NODE_B, SKEW);
	if (has_state)
		inbox_restore(inbox, NODE_A, state);
}

static void test_replica_inbox_state_outlives_a_restart(void **state)
{
	uint8_t kept[INBOX_STATE_SIZE];
	struct replica_record r = made(0, 4 * MINUTE - 300);

	(void)state;
	assert_int_equal(end_of(&r, 0, at(0)), TTL);
	assert_true(inbox_state(inbox, NODE_A, kept));
	assert_false(inbox_state(inbox, NODE_A, kept));
	assert_false(inbox_state(inbox, 3, kept));
	restart(kept, true);
	assert_in_range(end_of(&r, 0, at(10 * MINUTE)), TTL - SECOND, TTL);
	assert_int_equal(end_of(&r, 0, at(TTL)), 0);
	assert_false(inbox_state(inbox, NODE_A, kept));
	/* Without it only the carrier knows better. */
	restart(kept, false);
	assert_int_equal(end_of(&r, 31 * MINUTE, at(31 * MINUTE)), 0);
}

static void test_replica_inbox_state_of_refused_records_counts(void **state)
{
	uint8_t kept[INBOX_STATE_SIZE];
	struct replica_record r = made(0, HOUR);

	(void)state;
	assert_int_equal(end_of(&r, 0, at(0)), 0);
	assert_true(inbox_state(inbox, NODE_A, kept));
	restart(kept, true);
	assert_int_equal(end_of(&r, 0, at(HOUR)), 0);
}

/* As the feed does it, for the one node. */
static void store_again(uint8_t *state)
{
	uint64_t node;

	while (inbox_restated(inbox, &node, state))
		assert_int_equal(node, NODE_A);
}

/* A node is heard by a clock of ours that is wrong, which is mended then; it
 * says nothing until after a restart. */
static void test_replica_inbox_state_follows_our_own_clock(void **state)
{
	static const int64_t wrong[] = { -HOUR, -4 * MINUTE, 2 * HOUR };
	uint8_t kept[INBOX_STATE_SIZE];

	(void)state;
	for (size_t n = 0; n < COUNT_OF(wrong); n++) {
		struct replica_record r = made(0, 2 * MINUTE);
		struct moment now = at(0);

		restart(NULL, false);
		/* It is known to be ahead, so that there is a state. */
		(void)end_of(&r, 0, now);
		assert_true(inbox_state(inbox, NODE_A, kept));
		now.wall += wrong[n];
		(void)inbox_again(inbox, now);
		store_again(kept);
		(void)end_of(&r, 0, now);
		(void)inbox_state(inbox, NODE_A, kept);
		(void)inbox_again(inbox, at(SECOND));
		store_again(kept);
		restart(kept, true);
		r = made(MINUTE, 2 * MINUTE);
		assert_in_range(end_of(&r, 0, at(MINUTE)),
		    MINUTE + TTL - 2 * SECOND, MINUTE + TTL);
		/* Held up, and not longer for that. */
		restart(kept, true);
		assert_in_range(end_of(&r, 0, at(4 * MINUTE)),
		    MINUTE + TTL - 2 * SECOND, MINUTE + TTL);
	}
	store_again(kept);
	assert_false(inbox_state(inbox, NODE_A, kept));
}

/* The clocks agree, but they are not read at the same moment. */
static void test_replica_inbox_restarts_do_not_add_up(void **state)
{
	uint8_t kept[INBOX_STATE_SIZE];
	bool has = false;

	(void)state;
	for (int64_t ms = 0; ms < MINUTE; ms += 3 * SECOND) {
		for (int64_t jitter = -1; jitter <= 1; jitter++) {
			struct replica_record r = made(ms, jitter);
			struct moment now = at(ms);

			now.wall += jitter;
			assert_in_range(
			    end_of(&r, 0, now), ms + TTL - 3, ms + TTL + 1);
			now.boot += 2 * jitter;
			assert_in_range(
			    end_of(&r, 0, now), ms + TTL - 3, ms + TTL + 1);
		}
		has = inbox_state(inbox, NODE_A, kept) || has;
		restart(kept, has);
	}
}

static void test_replica_inbox_state_is_not_written_each_time(void **state)
{
	uint8_t kept[INBOX_STATE_SIZE];
	size_t written = 0, right = 0;
	uint64_t seed = 3;

	(void)state;
	for (int64_t ms = 0; ms < 6 * HOUR; ms += SECOND) {
		int64_t jitter = (int64_t)(random_of(&seed) % 40);
		struct replica_record r = made(ms, 2 * MINUTE);

		(void)end_of(&r, 0, at(ms + jitter));
		written += inbox_state(inbox, NODE_A, kept);
		/* The clocks agree: nothing to remember. */
		r = made_by(3, ms, 0);
		(void)end_of(&r, 0, at(ms + jitter));
		right += inbox_state(inbox, 3, kept);
	}
	assert_in_range(written, 2, 10);
	assert_int_equal(right, 0);
}

static void test_replica_inbox_state_ends_with_what_it_tells(void **state)
{
	uint8_t kept[INBOX_STATE_SIZE];
	struct replica_record r = made(0, 4 * MINUTE);
	int64_t day = 24 * HOUR;

	(void)state;
	(void)end_of(&r, 0, at(0));
	assert_true(inbox_state(inbox, NODE_A, kept));
	r = made(day, 0);
	assert_int_equal(end_of(&r, 0, at(day)), day + TTL);
	/* The clock was mended, and so is what is stored. */
	assert_true(inbox_state(inbox, NODE_A, kept));
	restart(kept, true);
	assert_int_equal(end_of(&r, 0, at(day)), day + TTL);
	assert_false(inbox_state(inbox, NODE_A, kept));
}

static void test_replica_inbox_state_must_make_sense(void **state)
{
	static const uint8_t bad[][INBOX_STATE_SIZE] = {
		{ 0 },
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		{ 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		{ [7] = 1, [8] = 0x80 },
		{ [7] = 1, [8] = 0x7f },
	};
	struct replica_record r = made(0, 0);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		restart(bad[i], true);
		assert_int_equal(end_of(&r, 0, at(0)), TTL);
	}
	/* Stored by a clock that was ten years ahead: forgotten as any other.
	 */
	r = made(0, 4 * MINUTE);
	r.issued += 87600 * HOUR;
	r.time += 87600 * HOUR;
	r.end += 87600 * HOUR;
	{
		uint8_t kept[INBOX_STATE_SIZE];

		restart(NULL, false);
		assert_int_not_equal(end_of(&r, 0, at(87600 * HOUR)), 0);
		assert_true(inbox_state(inbox, NODE_A, kept));
		restart(kept, true);
	}
	r = made(0, 0);
	assert_int_equal(end_of(&r, 0, at(0)), TTL - 4 * MINUTE);
	r = made(8 * HOUR, 0);
	assert_int_equal(end_of(&r, 0, at(8 * HOUR)), 8 * HOUR + TTL);
}

static void test_replica_inbox_remembers_so_many_nodes(void **state)
{
	struct replica_record r;

	(void)state;
	for (int64_t n = 0; n < INBOX_NODES_MAX; n++) {
		r = made_by(1 + (uint64_t)n, n, 2 * MINUTE);
		assert_int_equal(end_of(&r, 0, at(n)), n + TTL);
	}
	/* The first one speaks again; the second is the longest unheard. */
	r = made_by(1, 2 * SECOND, 2 * MINUTE);
	(void)end_of(&r, 0, at(2 * SECOND));
	r = made_by(INBOX_NODES_MAX + 1, 3 * SECOND, 2 * MINUTE);
	(void)end_of(&r, 0, at(3 * SECOND));
	r = made_by(1, 0, 2 * MINUTE);
	assert_int_equal(end_of(&r, 0, at(MINUTE)), TTL);
	r = made_by(3, 0, 2 * MINUTE);
	assert_int_equal(end_of(&r, 0, at(MINUTE)), TTL);
	r = made_by(2, 0, 2 * MINUTE);
	assert_int_equal(end_of(&r, 0, at(MINUTE)), TTL + MINUTE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_replica_inbox_a_lease_is_a_login),
		TEST(test_replica_inbox_a_revocation_is_a_login),
		TEST(test_replica_inbox_own_records_are_not_heard),
		TEST(test_replica_inbox_late_is_not_longer),
		TEST(test_replica_inbox_a_clock_behind_makes_it_shorter),
		TEST(test_replica_inbox_a_clock_ahead_makes_it_no_longer),
		TEST(test_replica_inbox_age_tells_of_an_unknown_clock),
		TEST(test_replica_inbox_learns_from_the_quickest),
		TEST(test_replica_inbox_too_far_ahead_is_none),
		TEST(test_replica_inbox_a_mended_clock_is_forgotten),
		TEST(test_replica_inbox_a_clock_half_mended_is_known),
		TEST(test_replica_inbox_a_clock_that_stays_ahead_is_known),
		TEST(test_replica_inbox_our_own_clock_may_be_set),
		TEST(test_replica_inbox_how_clocks_are_read_is_no_step),
		TEST(test_replica_inbox_asks_again_behind_a_mended_clock),
		TEST(test_replica_inbox_revocations_are_never_short),
		TEST(test_replica_inbox_revocations_are_not_stretched),
		TEST(test_replica_inbox_state_outlives_a_restart),
		TEST(test_replica_inbox_state_of_refused_records_counts),
		TEST(test_replica_inbox_state_follows_our_own_clock),
		TEST(test_replica_inbox_restarts_do_not_add_up),
		TEST(test_replica_inbox_state_is_not_written_each_time),
		TEST(test_replica_inbox_state_ends_with_what_it_tells),
		TEST(test_replica_inbox_state_must_make_sense),
		TEST(test_replica_inbox_remembers_so_many_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
