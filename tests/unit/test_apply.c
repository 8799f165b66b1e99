/* SPDX-License-Identifier: ISC */
/*
 * test_apply - logins into the ledger: the design's sentences about time,
 * leases, reboots and grants, one by one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lease_world.h"

static const char A[] = "203.0.113.7", B[] = "203.0.113.8";
static const char TTL30[] = "lease { ttl = \"30m\" }";

/* --- making and moving a lease ------------------------------------------- */

static void test_apply_login_makes_a_lease_of_one_ttl(void **state)
{
	struct world *w = world_new(TTL30);
	struct applied done = world_login(w, A, "bob", 0);
	struct lease lease;

	(void)state;
	assert_int_equal(done.judgement, JUDGE_LEASE);
	assert_true(done.fresh);
	assert_true(done.moved);
	assert_int_equal(world_left(w, A, "bob", &lease), 30 * MINUTE);
	assert_int_equal(lease.end.wall, w->now.wall + 30 * MINUTE);
	assert_int_equal(lease.end.boot, w->now.boot + 30 * MINUTE);
	assert_int_equal(lease.first_login, w->now.wall);
	assert_int_equal(lease.last_login, w->now.wall);
	assert_int_equal(lease.flags, LEASE_TLS);
	assert_int_equal(lease.source, 3);
	assert_string_equal(ledger_name(w->ledger, lease.server), "dovecot");
	assert_int_equal(world_left(w, A, "ann", NULL), 0);
	assert_int_equal(world_left(w, B, "bob", NULL), 0);
	world_free(w);
}

static void test_apply_lease_ends_by_itself_on_the_ms(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	world_pass(w, 30 * MINUTE - 1);
	assert_int_equal(world_left(w, A, "bob", NULL), 1);
	world_pass(w, 1);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	world_free(w);
}

static void test_apply_login_time_counts_and_not_its_arrival(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 10 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 20 * MINUTE);
	/* Ahead, but not more than max-skew: as if it were now. */
	world_login(w, B, "bob", -5 * MINUTE);
	assert_int_equal(world_left(w, B, "bob", NULL), 30 * MINUTE);
	world_free(w);
}

static void test_apply_refuses_too_old_and_too_far_ahead(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	assert_int_equal(
	    world_login(w, A, "bob", 30 * MINUTE).judgement, JUDGE_OLD);
	assert_int_equal(
	    world_login(w, A, "bob", -5 * MINUTE - 1).judgement, JUDGE_FUTURE);
	assert_int_equal(ledger_rows(w->ledger), 0);
	world_free(w);
}

static void test_apply_renewal_moves_the_end_and_keeps_the_first(void **state)
{
	struct world *w = world_new(TTL30);
	int64_t first = w->now.wall;
	struct applied done;

	(void)state;
	world_login(w, A, "bob", 0);
	world_pass(w, 10 * MINUTE);
	done = world_login(w, A, "bob", 0);
	assert_false(done.fresh);
	assert_true(done.moved);
	assert_int_equal(done.lease.first_login, first);
	assert_int_equal(done.lease.last_login, w->now.wall);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	assert_int_equal(ledger_rows(w->ledger), 1);
	world_free(w);
}

static void test_apply_end_never_moves_back_by_an_older_login(void **state)
{
	struct world *w = world_new(TTL30);
	struct applied done;

	(void)state;
	world_login(w, A, "bob", 0);
	done = world_login(w, A, "bob", 20 * MINUTE);
	assert_int_equal(done.judgement, JUDGE_LEASE);
	assert_false(done.moved);
	assert_false(done.fresh);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	assert_int_equal(done.lease.first_login, w->now.wall - 20 * MINUTE);
	assert_int_equal(done.lease.last_login, w->now.wall);
	world_free(w);
}

static void test_apply_order_of_logins_does_not_matter(void **state)
{
	struct world *one = world_new(TTL30);
	static const int64_t ages[] = { 25 * MINUTE, 0, 7 * MINUTE,
		7 * MINUTE };
	struct lease forward, backward;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ages); i++)
		world_login(one, A, "bob", ages[i]);
	world_left(one, A, "bob", &forward);
	world_free(one);
	one = world_new(TTL30);
	for (size_t i = COUNT_OF(ages); i-- > 0;)
		world_login(one, A, "bob", ages[i]);
	world_left(one, A, "bob", &backward);
	assert_int_equal(forward.end.wall, backward.end.wall);
	assert_int_equal(forward.end.boot, backward.end.boot);
	assert_int_equal(forward.first_login, backward.first_login);
	assert_int_equal(forward.last_login, backward.last_login);
	world_free(one);
}

static void test_apply_login_after_the_end_is_a_fresh_lease(void **state)
{
	struct world *w = world_new(TTL30);
	struct applied done;

	(void)state;
	world_grant(w, A, "bob", 0);
	world_pass(w, 31 * MINUTE);
	done = world_login(w, A, "bob", 0);
	assert_true(done.fresh);
	assert_int_equal(done.lease.first_login, w->now.wall);
	assert_int_equal(done.lease.flags, LEASE_TLS);
	world_free(w);
}

static void test_apply_newest_login_describes_the_lease(void **state)
{
	struct world *w = world_new(TTL30);
	struct login l = login_of(w, A, "bob");
	struct applied done;

	(void)state;
	world_apply(w, &l);
	l.tls = 0;
	l.time -= MINUTE;
	done = world_apply(w, &l);
	assert_int_equal(done.lease.flags, LEASE_TLS);
	world_pass(w, MINUTE);
	l.time = w->now.wall;
	done = world_apply(w, &l);
	assert_int_equal(done.lease.flags, 0);
	world_free(w);
}

static void test_apply_ipv6_lease_covers_its_prefix(void **state)
{
	struct world *w = world_new("lease { ipv6-prefix = 64 }");

	(void)state;
	world_login(w, "2001:db8::7", "bob", 0);
	assert_true(world_left(w, "2001:db8::8", "bob", NULL) > 0);
	assert_true(world_left(w, "2001:db8:0:0:ffff::8", "bob", NULL) > 0);
	assert_int_equal(world_left(w, "2001:db8:0:1::8", "bob", NULL), 0);
	world_free(w);
}

static void test_apply_refuses_what_the_ledger_could_not_hold(void **state)
{
	struct world *w = world_new(TTL30);
	struct login l = login_of(w, A, "bo\x01");
	struct applied done;

	(void)state;
	assert_int_equal(world_apply(w, &l).judgement, JUDGE_NO_USER);
	assert_int_equal(world_login(w, A, "", 0).judgement, JUDGE_NO_USER);
	l = login_of(w, A, "bob");
	memset(l.server, 'x', sizeof(l.server)); /* no NUL */
	l.session_len = 255;                     /* beyond its array */
	done = world_apply(w, &l);
	assert_int_equal(done.judgement, JUDGE_LEASE);
	assert_int_equal(done.lease.sessions, 0);
	memset(l.user, 'u', sizeof(l.user));
	l.user_len = 255;
	assert_int_equal(world_apply(w, &l).judgement, JUDGE_LEASE);
	l.kind = 200;
	assert_int_equal(world_apply(w, &l).judgement, JUDGE_NONE);
	world_free(w);
}

static struct applied login_of_nobody(struct world *w, const char *addr)
{
	struct login l = login_of(w, addr, "");

	l.userless = 1;
	return world_apply(w, &l);
}

static void test_apply_lease_without_a_user_is_one_of_its_own(void **state)
{
	struct world *w = world_new(TTL30);
	struct applied done = login_of_nobody(w, A);

	(void)state;
	assert_int_equal(done.judgement, JUDGE_LEASE);
	assert_true(done.fresh);
	assert_int_equal(done.lease.user_len, 0);
	assert_true(world_login(w, A, "bob", 0).fresh);
	world_pass(w, MINUTE);
	done = login_of_nobody(w, A);
	assert_false(done.fresh);
	assert_true(done.moved);
	assert_int_equal(world_left(w, A, "bob", NULL), 29 * MINUTE);
	assert_int_equal(world_left(w, A, "", NULL), 30 * MINUTE);
	/* It ends as all do, and so does a row that survived a restart. */
	world_pass(w, 29 * MINUTE);
	assert_int_equal(world_walk(w), 1);
	assert_string_equal(w->told[0].user, "bob");
	world_close(w);
	world_open(w);
	assert_int_equal(world_left(w, A, "", NULL), MINUTE);
	assert_int_equal(world_walk(w), 0);
	world_pass(w, MINUTE);
	assert_int_equal(world_due(w), 1);
	assert_int_equal(w->told[0].user_len, 0);
	assert_int_equal(ledger_rows(w->ledger), 0);
	/* The name may hold nothing that the ledger would not take. */
	assert_int_equal(world_login(w, A, "", 0).judgement, JUDGE_NO_USER);
	world_free(w);
}

static void test_apply_mode_off_makes_none_and_observe_does(void **state)
{
	struct world *w = world_new("lease { mode = \"off\" }");

	(void)state;
	assert_int_equal(world_login(w, A, "bob", 0).judgement, JUDGE_MODE_OFF);
	assert_int_equal(world_grant(w, A, "bob", 0), JUDGE_MODE_OFF);
	/* The mode set at run time wins. */
	world_begin(w);
	ledger_mode_set(w->ledger, 1 + MODE_OBSERVE);
	world_commit(w);
	assert_int_equal(world_login(w, A, "bob", 0).judgement, JUDGE_LEASE);
	world_rules(w, "lease { mode = \"enforce\" }");
	world_begin(w);
	ledger_mode_set(w->ledger, 1 + MODE_OFF);
	world_commit(w);
	assert_int_equal(world_login(w, A, "bob", 0).judgement, JUDGE_MODE_OFF);
	world_free(w);
}

static void test_apply_uses_rules_set_later(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	world_rules(w, "lease { deny-users = {\"bob\"} }");
	assert_int_equal(
	    world_login(w, A, "bob", 0).judgement, JUDGE_USER_DENIED);
	assert_int_equal(world_login(w, A, "ann", 0).judgement, JUDGE_LEASE);
	world_free(w);
}

/* --- both clocks --------------------------------------------------------- */

static void test_apply_forward_step_ends_and_its_return_revives(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	w->now.wall += DAY;
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	/* The walk deletes only what the boot clock calls ended. */
	assert_int_equal(world_walk(w), 1);
	assert_int_equal(ledger_rows(w->ledger), 1);
	/* Told once. */
	assert_int_equal(world_walk(w), 0);
	w->now.wall -= DAY;
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	world_walk(w);
	world_pass(w, 30 * MINUTE);
	assert_int_equal(world_walk(w), 1);
	assert_int_equal(ledger_rows(w->ledger), 0);
	world_free(w);
}

static void test_apply_backward_step_does_not_prolong(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	w->now.wall -= DAY;
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	world_pass(w, 30 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	world_free(w);
}

static void test_apply_suspend_counts(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	/* The machine slept and its wall clock was not set yet. */
	w->now.boot += 8 * HOUR;
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	world_free(w);
}

static void test_apply_late_line_during_a_forward_step_loses_nothing(
    void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	w->now.wall += DAY;
	/* Alive now, by the late line ... */
	assert_int_equal(
	    world_login(w, A, "bob", 20 * MINUTE).judgement, JUDGE_LEASE);
	assert_int_equal(world_left(w, A, "bob", NULL), 10 * MINUTE);
	/* ... and after the return as long as by the first one. */
	w->now.wall -= DAY;
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	world_free(w);
}

static void test_apply_no_end_is_ever_further_than_now_and_ttl(void **state)
{
	struct world *w = world_new(TTL30);
	struct lease lease;

	(void)state;
	w->now.wall += DAY;
	world_login(w, A, "bob", 0);
	w->now.wall -= DAY;
	world_pass(w, MINUTE);
	world_login(w, A, "bob", 10 * MINUTE);
	world_left(w, A, "bob", &lease);
	assert_int_equal(lease.end.wall, w->now.wall + 30 * MINUTE);
	assert_int_equal(lease.end.boot, w->now.boot + 29 * MINUTE);
	world_free(w);
}

static void test_apply_survives_1970_and_2106(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	w->now.wall = 0;
	assert_int_equal(world_login(w, A, "bob", 0).judgement, JUDGE_LEASE);
	assert_int_equal(world_login(w, A, "ann", MINUTE).judgement, JUDGE_OLD);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	w->now.wall = INT64_C(4294967296000);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	assert_int_equal(world_login(w, A, "bob", 0).judgement, JUDGE_LEASE);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	world_free(w);
}

/* --- start and reboot ---------------------------------------------------- */

static void test_apply_leases_survive_a_restart(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	world_close(w);
	world_pass(w, 10 * MINUTE);
	world_open(w);
	assert_int_equal(world_left(w, A, "bob", NULL), 20 * MINUTE);
	world_free(w);
}

static void test_apply_reboot_keeps_the_wall_end(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	world_reboot(w, w->now.wall + 10 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 20 * MINUTE);
	world_pass(w, 20 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	world_free(w);
}

static void test_apply_reboot_caps_an_end_at_start_and_ttl(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	w->now.wall += DAY;
	world_login(w, A, "bob", 0);
	w->now.wall -= DAY;
	world_login(w, B, "bob", 0); /* commits at this wall time */
	world_reboot(w, w->now.wall + MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	assert_int_equal(world_left(w, B, "bob", NULL), 29 * MINUTE);
	world_free(w);
}

static void test_apply_reboot_with_a_clock_gone_back_keeps_none(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	world_reboot(w, w->now.wall - 1);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	/* Nor do they come back when the clock is right again. */
	w->now.wall += MINUTE;
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	world_reboot(w, w->now.wall + MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	assert_true(world_login(w, A, "bob", 0).fresh);
	world_free(w);
}

static void test_apply_reboot_does_not_revive_what_the_boot_clock_ended(
    void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	w->now.wall -= DAY;
	world_pass(w, 8 * HOUR);
	world_login(w, B, "bob", 0);
	world_reboot(w, w->now.wall + MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	assert_int_equal(world_left(w, B, "bob", NULL), 29 * MINUTE);
	world_free(w);
}

static void test_apply_two_reboots_are_like_one(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	world_login(w, A, "bob", 0);
	world_reboot(w, w->now.wall + 5 * MINUTE);
	world_pass(w, 5 * MINUTE);
	world_reboot(w, w->now.wall + 5 * MINUTE);
	assert_int_equal(world_left(w, A, "bob", NULL), 15 * MINUTE);
	for (int i = 0; i < 20; i++)
		world_reboot(w, w->now.wall + SECOND);
	assert_int_equal(world_left(w, A, "bob", NULL), 0);
	world_free(w);
}

/* --- grants -------------------------------------------------------------- */

static void test_apply_grant_skips_users_and_tls_but_not_addresses(void **state)
{
	struct world *w = world_new("lease { deny-users = {\"bob\"}"
				    " domains = {\"example.org\"}"
				    " require-tls = yes"
				    " never = {\"203.0.113.9\"} }");
	struct lease lease;

	(void)state;
	assert_int_equal(world_grant(w, A, "bob", 10 * MINUTE), JUDGE_LEASE);
	assert_int_equal(world_left(w, A, "bob", &lease), 10 * MINUTE);
	assert_int_equal(lease.flags, LEASE_GRANTED);
	assert_int_equal(world_grant(w, "203.0.113.9", "bob", 0), JUDGE_NEVER);
	assert_int_equal(world_grant(w, "10.0.0.1", "bob", 0), JUDGE_PRIVATE);
	assert_int_equal(world_grant(w, "127.0.0.1", "bob", 0), JUDGE_SPECIAL);
	assert_int_equal(world_grant(w, A, "", 0), JUDGE_LEASE);
	assert_true(world_left(w, A, "", &lease) > 0);
	world_free(w);
}

static void test_apply_grant_is_never_longer_than_the_ttl(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	assert_int_equal(world_grant(w, A, "bob", 5 * HOUR), JUDGE_LEASE);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	assert_int_equal(world_grant(w, B, "bob", 0), JUDGE_LEASE);
	assert_int_equal(world_left(w, B, "bob", NULL), 30 * MINUTE);
	/* And does not make a longer one shorter. */
	assert_int_equal(world_grant(w, B, "bob", MINUTE), JUDGE_LEASE);
	assert_int_equal(world_left(w, B, "bob", NULL), 30 * MINUTE);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_apply_##name)
		T(login_makes_a_lease_of_one_ttl),
		T(lease_ends_by_itself_on_the_ms),
		T(login_time_counts_and_not_its_arrival),
		T(refuses_too_old_and_too_far_ahead),
		T(renewal_moves_the_end_and_keeps_the_first),
		T(end_never_moves_back_by_an_older_login),
		T(order_of_logins_does_not_matter),
		T(login_after_the_end_is_a_fresh_lease),
		T(newest_login_describes_the_lease),
		T(ipv6_lease_covers_its_prefix),
		T(refuses_what_the_ledger_could_not_hold),
		T(lease_without_a_user_is_one_of_its_own),
		T(mode_off_makes_none_and_observe_does),
		T(uses_rules_set_later),
		T(forward_step_ends_and_its_return_revives),
		T(backward_step_does_not_prolong),
		T(suspend_counts),
		T(late_line_during_a_forward_step_loses_nothing),
		T(no_end_is_ever_further_than_now_and_ttl),
		T(survives_1970_and_2106),
		T(leases_survive_a_restart),
		T(reboot_keeps_the_wall_end),
		T(reboot_caps_an_end_at_start_and_ttl),
		T(reboot_with_a_clock_gone_back_keeps_none),
		T(reboot_does_not_revive_what_the_boot_clock_ended),
		T(two_reboots_are_like_one),
		T(grant_skips_users_and_tls_but_not_addresses),
		T(grant_is_never_longer_than_the_ttl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
