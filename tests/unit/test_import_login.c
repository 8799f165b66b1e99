/* SPDX-License-Identifier: ISC */
/*
 * test_import_login - leases of another program's store into the ledger: their
 * ends respected and cut, refused as any login is, and the same store twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lease_world.h"

static const char A[] = "203.0.113.7";
static const char TTL30[] = "lease { ttl = \"30m\" }";
enum { IMPORT_SOURCE = 9 };

/* A login `ago` ms ago whose lease ends in `left` ms. */
static struct applied import_at(struct world *w, const char *addr,
    const char *user, int64_t ago, int64_t left)
{
	struct imported in = { .user_len = strlen(user),
		.server = "dracd",
		.login = w->now.wall - ago,
		.end = w->now.wall + left };
	struct applied done;

	memcpy(in.user, user, in.user_len + 1);
	must(addr_parse(addr, strlen(addr), &in.addr));
	world_begin(w);
	apply_import(w->apply, &in, IMPORT_SOURCE, w->now, &done);
	world_commit(w);
	return done;
}

static void test_import_keeps_times_and_says_where_from(void **state)
{
	struct world *w = world_new(TTL30);
	struct applied done = import_at(w, A, "", 20 * MINUTE, 10 * MINUTE);
	struct lease lease;

	(void)state;
	assert_int_equal(done.judgement, JUDGE_LEASE);
	assert_true(done.fresh);
	assert_int_equal(world_left(w, A, "", &lease), 10 * MINUTE);
	assert_int_equal(lease.end.boot, w->now.boot + 10 * MINUTE);
	assert_int_equal(lease.last_login, w->now.wall - 20 * MINUTE);
	assert_int_equal(lease.source, IMPORT_SOURCE);
	assert_int_equal(lease.flags, 0); /* neither TLS nor by hand */
	assert_string_equal(ledger_name(w->ledger, lease.server), "dracd");
	world_free(w);
}

static void test_import_end_is_the_stores_but_never_beyond_ttl(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	/* Older than ttl, and still running where it came from. */
	import_at(w, A, "old", 2 * HOUR, 10 * MINUTE);
	assert_int_equal(world_left(w, A, "old", NULL), 10 * MINUTE);
	import_at(w, A, "far", 0, 10 * DAY);
	assert_int_equal(world_left(w, A, "far", NULL), 30 * MINUTE);
	assert_int_equal(
	    import_at(w, A, "over", MINUTE, 0).judgement, JUDGE_OLD);
	assert_int_equal(
	    import_at(w, A, "over", HOUR, -MINUTE).judgement, JUDGE_OLD);
	assert_int_equal(
	    import_at(w, A, "ahead", -6 * MINUTE, 20 * MINUTE).judgement,
	    JUDGE_FUTURE);
	assert_int_equal(ledger_rows(w->ledger), 2);
	world_free(w);
}

static void test_import_refuses_as_of_a_login(void **state)
{
	static const struct {
		const char *addr, *user;
		enum judgement want;
	} rows[] = {
		{ "127.0.0.1", "bob", JUDGE_SPECIAL },
		{ "10.1.2.3", "bob", JUDGE_PRIVATE },
		{ "198.51.100.9", "bob", JUDGE_NEVER },
		{ "192.0.2.1", "bob", JUDGE_OWN },
		{ "203.0.113.7", "eve", JUDGE_USER_DENIED },
		{ "203.0.113.7", "a\x01", JUDGE_NO_USER },
	};
	struct world *w = world_new("lease { ttl = \"30m\" "
				    "never = {\"198.51.100.0/24\"} "
				    "own = {\"192.0.2.1\"} "
				    "deny-users = {\"eve\"} }");

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(import_at(w, rows[i].addr, rows[i].user,
				     MINUTE, 10 * MINUTE)
				     .judgement,
		    rows[i].want);
	assert_int_equal(ledger_rows(w->ledger), 0);
	world_free(w);
}

static void test_import_of_a_store_without_tls_refused_where_tls_is_wanted(
    void **state)
{
	struct world *w = world_new("lease { require-tls = yes }");

	(void)state;
	assert_int_equal(
	    import_at(w, A, "", MINUTE, MINUTE).judgement, JUDGE_NO_TLS);
	world_free(w);
}

static void test_import_twice_changes_nothing(void **state)
{
	struct world *w = world_new(TTL30);
	struct applied done;

	(void)state;
	import_at(w, A, "bob", 5 * MINUTE, HOUR);
	assert_int_equal(world_left(w, A, "bob", NULL), 30 * MINUTE);
	world_pass(w, 10 * MINUTE);
	/* The same row: its end was cut, and is not moved again. */
	done = import_at(w, A, "bob", 15 * MINUTE, 50 * MINUTE);
	assert_int_equal(done.judgement, JUDGE_LEASE);
	assert_false(done.fresh);
	assert_false(done.moved);
	assert_int_equal(world_left(w, A, "bob", NULL), 20 * MINUTE);
	/* A newer login in it is news. */
	done = import_at(w, A, "bob", 2 * MINUTE, 28 * MINUTE);
	assert_true(done.moved);
	assert_int_equal(world_left(w, A, "bob", NULL), 28 * MINUTE);
	world_free(w);
}

static void test_import_keeps_a_lease_that_lives_longer(void **state)
{
	struct world *w = world_new(TTL30);
	struct lease lease;
	struct applied done;

	(void)state;
	world_login(w, A, "bob", 0);
	done = import_at(w, A, "bob", MINUTE, 20 * MINUTE);
	assert_false(done.fresh || done.moved);
	assert_int_equal(world_left(w, A, "bob", &lease), 30 * MINUTE);
	assert_int_equal(lease.source, 3);
	world_free(w);
}

static void test_import_comes_after_a_revocation(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	(void)world_revoke(w, A, NULL, 30 * MINUTE, false);
	assert_int_equal(import_at(w, A, "bob", MINUTE, 20 * MINUTE).judgement,
	    JUDGE_REVOKED);
	world_free(w);
}

/* A store that nobody writes any more is no lease for ever. */
static void test_import_of_a_login_of_long_ago_is_old(void **state)
{
	struct world *w = world_new(TTL30);

	(void)state;
	assert_int_equal(import_at(w, A, "bob", DAY - 1, 20 * MINUTE).judgement,
	    JUDGE_LEASE);
	assert_int_equal(
	    import_at(w, A, "ann", DAY, 20 * MINUTE).judgement, JUDGE_OLD);
	world_free(w);
	/* Whoever lets leases live for days believes older ones. */
	w = world_new("lease { ttl = \"3d\" }");
	assert_int_equal(
	    import_at(w, A, "bob", 2 * DAY, HOUR).judgement, JUDGE_LEASE);
	assert_int_equal(
	    import_at(w, A, "ann", 3 * DAY, HOUR).judgement, JUDGE_OLD);
	world_free(w);
}

/* The old program goes on writing ends, so its row outlives the refusal. */
static void test_import_never_brings_a_revoked_lease_back(void **state)
{
	static const int64_t later[] = { MINUTE, 30 * MINUTE, HOUR, 23 * HOUR,
		DAY, DAY + HOUR };
	struct world *w = world_new(TTL30);
	struct moment revoked = w->now;

	(void)state;
	(void)world_revoke(w, NULL, "bob", 0, false);
	for (size_t i = 0; i < COUNT_OF(later); i++) {
		enum judgement j;

		world_pass(w, revoked.wall + later[i] - w->now.wall);
		world_walk(w);
		j = import_at(w, A, "bob", later[i] + MINUTE, 20 * MINUTE)
			.judgement;
		assert_true(j == JUDGE_REVOKED || j == JUDGE_OLD);
		j = import_at(w, A, "bob", later[i], 20 * MINUTE).judgement;
		assert_true(j == JUDGE_REVOKED || j == JUDGE_OLD);
	}
	assert_int_equal(ledger_rows(w->ledger), 0);
	/* And then it is forgotten. */
	world_pass(w, HOUR);
	world_walk(w);
	assert_int_equal(
	    import_at(w, A, "bob", MINUTE, MINUTE).judgement, JUDGE_LEASE);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_import_keeps_times_and_says_where_from),
		cmocka_unit_test(
		    test_import_end_is_the_stores_but_never_beyond_ttl),
		cmocka_unit_test(test_import_refuses_as_of_a_login),
		cmocka_unit_test(
		    test_import_of_a_store_without_tls_refused_where_tls_is_wanted),
		cmocka_unit_test(test_import_twice_changes_nothing),
		cmocka_unit_test(test_import_keeps_a_lease_that_lives_longer),
		cmocka_unit_test(test_import_comes_after_a_revocation),
		cmocka_unit_test(test_import_of_a_login_of_long_ago_is_old),
		cmocka_unit_test(test_import_never_brings_a_revoked_lease_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
