/* SPDX-License-Identifier: ISC */
/* test_ledger_revocations - what is refused, and that order does not matter. */
#include "ledger_dir.h"

static struct ledger_revocation revocation_of(
    const char *addr, const char *user, int64_t until_ms)
{
	struct ledger_revocation r;

	memset(&r, 0, sizeof(r));
	if (addr)
		r.addr = address(addr);
	r.user_len = (uint8_t)strlen(user);
	memcpy(r.user, user, strlen(user));
	r.time = t0.wall;
	r.until = t0.wall + until_ms;
	r.keep = later(2 * until_ms);
	return r;
}

static void put_revocation(
    struct ledger *l, const char *addr, const char *user, int64_t until_ms)
{
	struct ledger_revocation r = revocation_of(addr, user, until_ms);

	begin(l, t0);
	ledger_revocation_put(l, &r);
	commit(l);
}

static bool refuses(struct ledger *l, const char *addr, const char *user,
    int64_t login_ms, struct ledger_revocation *out)
{
	struct addr a = address(addr);
	struct ledger_revocation r;
	enum ledger_found found;

	assert_int_equal(ledger_read_begin(l, &err), 0);
	found = ledger_revoked(
	    l, &a, user, strlen(user), t0.wall + login_ms, out ? out : &r);
	ledger_read_end(l);
	assert_int_not_equal(found, LEDGER_ERROR);
	return found == LEDGER_FOUND;
}

static void test_ledger_revoked_by_address_user_or_both(void **state)
{
	struct ledger *l = open_writer();

	(void)state;
	put_revocation(l, "192.0.2.1", "", 1000);
	put_revocation(l, NULL, "eve", 1000);
	put_revocation(l, "192.0.2.3", "bob", 1000);
	assert_true(refuses(l, "192.0.2.1", "anyone", 0, NULL));
	assert_true(refuses(l, "192.0.2.1", "", 0, NULL));
	assert_true(refuses(l, "192.0.2.9", "eve", 0, NULL));
	assert_true(refuses(l, "192.0.2.3", "bob", 0, NULL));
	assert_false(refuses(l, "192.0.2.3", "alice", 0, NULL));
	assert_false(refuses(l, "192.0.2.4", "bob", 0, NULL));
	assert_false(refuses(l, "192.0.2.9", "", 0, NULL));
	ledger_close(&l);
}

static void test_ledger_revoked_until_the_last_ms(void **state)
{
	struct ledger *l = open_writer();

	(void)state;
	put_revocation(l, "192.0.2.1", "", 1000);
	assert_true(refuses(l, "192.0.2.1", "a", -5000, NULL));
	assert_true(refuses(l, "192.0.2.1", "a", 1000, NULL));
	assert_false(refuses(l, "192.0.2.1", "a", 1001, NULL));
	ledger_close(&l);
}

static void test_ledger_revoked_tells_the_longest(void **state)
{
	struct ledger *l = open_writer();
	struct ledger_revocation got;

	(void)state;
	put_revocation(l, "192.0.2.1", "", 1000);
	put_revocation(l, NULL, "eve", 3000);
	put_revocation(l, "192.0.2.1", "eve", 2000);
	assert_true(refuses(l, "192.0.2.1", "eve", 0, &got));
	assert_int_equal(got.until, t0.wall + 3000);
	assert_string_equal(got.origin, ledger_node(l));
	assert_int_equal(got.sequence, 2);
	ledger_close(&l);
}

static void test_ledger_revocations_are_a_union_in_any_order(void **state)
{
	static const int64_t orders[][3] = { { 1000, 3000, 2000 },
		{ 3000, 2000, 1000 }, { 2000, 1000, 3000 } };
	struct ledger *l = open_writer();
	struct ledger_revocation got;
	char addr[32];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(orders); i++) {
		(void)snprintf(addr, sizeof(addr), "192.0.2.%zu", i + 1);
		for (size_t j = 0; j < 3; j++)
			put_revocation(l, addr, "", orders[i][j]);
		assert_true(refuses(l, addr, "a", 0, &got));
		assert_int_equal(got.until, t0.wall + 3000);
		assert_int_equal(got.keep.boot, t0.boot + 6000);
	}
	ledger_close(&l);
}

static void test_ledger_revocation_deleted_refuses_no_more(void **state)
{
	struct ledger *l = open_writer();
	struct ledger_revocation r = revocation_of(NULL, "eve", 1000);

	(void)state;
	put_revocation(l, NULL, "eve", 1000);
	begin(l, t0);
	ledger_revocation_delete(l, &r);
	commit(l);
	assert_false(refuses(l, "192.0.2.1", "eve", 0, NULL));
	ledger_close(&l);
}

static int take(void *ctx, const struct ledger_revocation *r)
{
	*(struct ledger_revocation *)ctx = *r;
	return 0;
}

static struct ledger_revocation only_one(struct ledger *l)
{
	struct ledger_revocation r;

	memset(&r, 0, sizeof(r));
	assert_int_equal(ledger_read_begin(l, &err), 0);
	assert_int_equal(ledger_revocation_each(l, take, &r), 0);
	ledger_read_end(l);
	return r;
}

static void test_ledger_revocation_outlives_a_reboot(void **state)
{
	struct ledger_options o = options(true);
	struct ledger *l = open_writer();
	struct moment up = { t0.wall + 500, 100 };

	(void)state;
	put_revocation(l, NULL, "eve", 1000); /* kept for 2000 */
	ledger_close(&l);
	memcpy(o.boot_id, "boot-2", 7);
	l = open_with(&o, up);
	assert_true(refuses(l, "192.0.2.1", "eve", 0, NULL));
	assert_int_equal(only_one(l).keep.boot, 100 + 1500);
	ledger_close(&l);
	/* With a wall clock of 1970, not for half a century. */
	memcpy(o.boot_id, "boot-3", 7);
	l = open_with(&o, (struct moment){ 0, 100 });
	assert_true(refuses(l, "192.0.2.1", "eve", 0, NULL));
	assert_int_equal(only_one(l).keep.boot, 100 + 2000);
	ledger_close(&l);
}

static void test_ledger_revocation_unsound_fails_the_commit(void **state)
{
	struct ledger *l = open_writer();
	struct ledger_revocation r = revocation_of(NULL, "", 1000);

	(void)state;
	begin(l, t0);
	ledger_revocation_put(l, &r);
	assert_true(ledger_failed(l));
	assert_int_equal(ledger_commit(l, &err), -1);
	ledger_close(&l);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ledger_revoked_by_address_user_or_both),
		T(test_ledger_revoked_until_the_last_ms),
		T(test_ledger_revoked_tells_the_longest),
		T(test_ledger_revocations_are_a_union_in_any_order),
		T(test_ledger_revocation_deleted_refuses_no_more),
		T(test_ledger_revocation_outlives_a_reboot),
		T(test_ledger_revocation_unsound_fails_the_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
