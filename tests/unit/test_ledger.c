/* SPDX-License-Identifier: ISC */
/*
 * test_ledger - leases in and out, what is live, names, cursors, transactions
 * that fail. Opening: test_ledger_open; rows in a row: test_ledger_walks.
 */
#include "ledger_dir.h"

static struct moment moment_of(int64_t wall_ms, int64_t boot_ms)
{
	return (struct moment){ t0.wall + wall_ms, t0.boot + boot_ms };
}

/* --- look-ups ------------------------------------------------------------- */

static void test_ledger_find_gives_the_row_as_it_was_put(void **state)
{
	struct ledger *l = open_writer();
	struct lease row = lease_of("192.0.2.7", "alice", later(TTL_MS)), got;

	(void)state;
	row.flags = LEASE_TLS;
	row.sessions = 2;
	row.source = 3;
	row.server = 4;
	row.last_login = t0.wall + 5;
	begin(l, t0);
	ledger_put(l, &row);
	commit(l);
	memset(&got, 0, sizeof(got));
	assert_int_equal(find(l, "192.0.2.7", t0, &got), LEDGER_FOUND);
	assert_memory_equal(&row, &got, sizeof(row));
	ledger_close(&l);
	assert_null(l);
}

static void test_ledger_find_knows_missing_from_neighbours(void **state)
{
	struct ledger *l = open_writer();
	struct lease got;

	(void)state;
	assert_int_equal(find(l, "192.0.2.7", t0, &got), LEDGER_MISSING);
	put(l, "192.0.2.8", "alice", later(TTL_MS));
	assert_int_equal(find(l, "192.0.2.7", t0, &got), LEDGER_MISSING);
	assert_int_equal(find(l, "192.0.2.9", t0, &got), LEDGER_MISSING);
	assert_int_equal(find(l, "2001:db8::1", t0, &got), LEDGER_MISSING);
	ledger_close(&l);
}

static void test_ledger_find_ignores_a_lease_that_has_run_out(void **state)
{
	struct ledger *l = open_writer();

	(void)state;
	put(l, "192.0.2.7", "alice", later(TTL_MS));
	assert_true(is_live(l, "192.0.2.7", later(TTL_MS - 1)));
	assert_false(is_live(l, "192.0.2.7", later(TTL_MS)));
	/* Either clock is enough to end it. */
	assert_false(is_live(l, "192.0.2.7", moment_of(TTL_MS, 0)));
	assert_false(is_live(l, "192.0.2.7", moment_of(0, TTL_MS)));
	/* A wall clock that went back does not lengthen it. */
	assert_true(is_live(l, "192.0.2.7", moment_of(-86400000, TTL_MS - 1)));
	assert_false(is_live(l, "192.0.2.7", moment_of(-86400000, TTL_MS)));
	assert_int_equal(ledger_rows(l), 1);
	ledger_close(&l);
}

static void test_ledger_find_takes_no_end_that_no_login_gives(void **state)
{
	struct ledger *l = open_writer();

	(void)state;
	put(l, "192.0.2.7", "alice", moment_of(TTL_MS, 3LL * TTL_MS));
	assert_false(is_live(l, "192.0.2.7", t0));
	/* What a reader's clock may lag behind is not that. */
	put(l, "192.0.2.8", "alice", later(TTL_MS + 1000));
	assert_true(is_live(l, "192.0.2.8", t0));
	ledger_close(&l);
}

static void test_ledger_find_prefers_the_longest_lived(void **state)
{
	struct ledger *l = open_writer();
	struct lease got;

	(void)state;
	put(l, "192.0.2.7", "alice", later(1000));
	put(l, "192.0.2.7", "bob", later(3000));
	put(l, "192.0.2.7", "carol", later(2000));
	put(l, "192.0.2.7", "dave", moment_of(9000, 500));
	assert_int_equal(find(l, "192.0.2.7", t0, &got), LEDGER_FOUND);
	assert_string_equal(got.user, "bob");
	assert_int_equal(
	    find_user(l, "192.0.2.7", "carol", t0, &got), LEDGER_FOUND);
	assert_string_equal(got.user, "carol");
	assert_int_equal(
	    find_user(l, "192.0.2.7", "car", t0, &got), LEDGER_MISSING);
	assert_int_equal(find_user(l, "192.0.2.7", "alice", later(1000), &got),
	    LEDGER_MISSING);
	ledger_close(&l);
}

static void test_ledger_find_masks_ipv6_and_only_ipv6(void **state)
{
	struct ledger_options o = options(true);
	struct ledger *l;
	struct lease row = lease_of("2001:db8:1:2::", "alice", later(TTL_MS));

	(void)state;
	o.ipv6_prefix = 64;
	l = open_with(&o, t0);
	row.bits = 64;
	begin(l, t0);
	ledger_put(l, &row);
	commit(l);
	put(l, "192.0.2.7", "bob", later(TTL_MS));
	assert_true(is_live(l, "2001:db8:1:2::", t0));
	assert_true(is_live(l, "2001:db8:1:2:ffff::1", t0));
	assert_false(is_live(l, "2001:db8:1:3::1", t0));
	assert_true(is_live(l, "192.0.2.7", t0));
	assert_false(is_live(l, "192.0.2.6", t0));
	ledger_close(&l);
}

static void test_ledger_find_works_inside_a_write(void **state)
{
	struct ledger *l = open_writer();
	struct lease row = lease_of("192.0.2.7", "alice", later(TTL_MS)), got;

	(void)state;
	begin(l, t0);
	ledger_put(l, &row);
	assert_int_equal(
	    ledger_find(l, &row.addr, NULL, 0, t0, &got), LEDGER_FOUND);
	assert_int_equal(
	    ledger_get(l, &row.addr, "alice", 5, &got), LEDGER_FOUND);
	ledger_delete(l, &row);
	assert_int_equal(
	    ledger_find(l, &row.addr, NULL, 0, t0, &got), LEDGER_MISSING);
	ledger_abort(l);
	ledger_close(&l);
}

static void test_ledger_snapshot_does_not_see_a_later_commit(void **state)
{
	struct ledger *l = open_writer();
	struct addr a = address("192.0.2.7");
	struct lease got;

	(void)state;
	assert_int_equal(ledger_read_begin(l, &err), 0);
	put(l, "192.0.2.7", "alice", later(TTL_MS));
	assert_int_equal(ledger_find(l, &a, NULL, 0, t0, &got), LEDGER_MISSING);
	ledger_read_end(l);
	assert_true(is_live(l, "192.0.2.7", t0));
	ledger_close(&l);
}

/* --- transactions --------------------------------------------------------- */

static void test_ledger_abort_leaves_nothing(void **state)
{
	struct ledger *l = open_writer();
	struct lease row = lease_of("192.0.2.7", "alice", later(TTL_MS));

	(void)state;
	begin(l, t0);
	ledger_put(l, &row);
	ledger_mode_set(l, 2);
	assert_int_equal(ledger_intern(l, "dovecot"), 1);
	ledger_abort(l);
	assert_false(is_live(l, "192.0.2.7", t0));
	assert_int_equal(ledger_mode(l), 0);
	assert_int_equal(ledger_rows(l), 0);
	/* Its id was given to nobody. */
	begin(l, t0);
	assert_int_equal(ledger_intern(l, "courier"), 1);
	commit(l);
	assert_string_equal(ledger_name(l, 1), "courier");
	ledger_close(&l);
}

static void test_ledger_row_that_is_not_sound_is_not_stored(void **state)
{
	struct ledger *l = open_writer();
	struct lease row = lease_of("192.0.2.7", "al\nice", later(TTL_MS));

	(void)state;
	begin(l, t0);
	ledger_put(l, &row);
	row = lease_of("192.0.2.7", "alice", later(TTL_MS));
	row.bits = 0;
	ledger_put(l, &row);
	assert_false(ledger_failed(l));
	commit(l);
	assert_int_equal(ledger_rows(l), 0);
	ledger_close(&l);
}

static void test_ledger_everything_is_there_after_a_restart(void **state)
{
	struct ledger *l = open_writer();
	char node[17];

	(void)state;
	(void)snprintf(node, sizeof(node), "%s", ledger_node(l));
	assert_int_equal(strlen(node), 16);
	begin(l, t0);
	assert_int_equal(ledger_intern(l, "dovecot"), 1);
	assert_int_equal(ledger_intern(l, "maillog"), 2);
	assert_int_equal(ledger_intern(l, "dovecot"), 1);
	ledger_mode_set(l, 3);
	commit(l);
	put(l, "192.0.2.7", "alice", later(TTL_MS));
	ledger_close(&l);
	l = open_writer();
	assert_true(is_live(l, "192.0.2.7", t0));
	assert_string_equal(ledger_name(l, 1), "dovecot");
	assert_string_equal(ledger_name(l, 2), "maillog");
	assert_string_equal(ledger_name(l, 3), "");
	assert_string_equal(ledger_name(l, 0), "");
	assert_int_equal(ledger_mode(l), 3);
	assert_string_equal(ledger_node(l), node);
	ledger_close(&l);
}

static void test_ledger_intern_refuses_what_is_no_name(void **state)
{
	struct ledger *l = open_writer();
	char name[300];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[256] = '\0';
	begin(l, t0);
	assert_int_equal(ledger_intern(l, ""), 0);
	assert_int_equal(ledger_intern(l, name), 0);
	name[255] = '\0';
	assert_int_equal(ledger_intern(l, name), 1);
	commit(l);
	ledger_close(&l);
}

/* --- cursors -------------------------------------------------------------- */

static void put_cursor(struct ledger *l, const char *key, uint8_t byte)
{
	struct ledger_cursor c;

	memset(&c, 0, sizeof(c));
	c.key_len = (uint16_t)strlen(key);
	memcpy(c.key, key, c.key_len);
	c.len = 1;
	c.bytes[0] = byte;
	ledger_cursor_put(l, &c);
}

static int add_cursor(void *ctx, const struct ledger_cursor *c)
{
	int *sum = ctx;

	*sum = *sum * 10 + c->bytes[0];
	return 0;
}

static int cursors(struct ledger *l, const char *prefix)
{
	int sum = 0;

	assert_int_equal(ledger_read_begin(l, &err), 0);
	assert_int_equal(
	    ledger_cursor_each(l, prefix, strlen(prefix), add_cursor, &sum), 0);
	ledger_read_end(l);
	return sum;
}

static void test_ledger_cursors_are_found_by_prefix(void **state)
{
	struct ledger *l = open_writer();

	(void)state;
	begin(l, t0);
	put_cursor(l, "maillog/a", 1);
	put_cursor(l, "maillog/b", 2);
	put_cursor(l, "maillog2/a", 3);
	put_cursor(l, "export/x", 4);
	commit(l);
	assert_int_equal(cursors(l, "maillog/"), 12);
	assert_int_equal(cursors(l, "maillog"), 123);
	assert_int_equal(cursors(l, ""), 4123);
	assert_int_equal(cursors(l, "none"), 0);
	begin(l, t0);
	put_cursor(l, "maillog/a", 7);
	ledger_cursor_delete(l, "maillog/b", 9);
	ledger_cursor_delete(l, "maillog/c", 9);
	commit(l);
	assert_int_equal(cursors(l, "maillog/"), 7);
	ledger_close(&l);
}

static void test_ledger_cursor_that_cannot_be_stored_fails_all(void **state)
{
	struct ledger *l = open_writer();
	struct lease row = lease_of("192.0.2.7", "alice", later(TTL_MS));
	struct ledger_cursor c;

	(void)state;
	memset(&c, 0, sizeof(c)); /* no key */
	begin(l, t0);
	ledger_put(l, &row);
	ledger_cursor_put(l, &c);
	assert_true(ledger_failed(l));
	assert_int_equal(ledger_commit(l, &err), -1);
	assert_int_not_equal(err.code, EXIT_AGAIN);
	assert_false(is_live(l, "192.0.2.7", t0));
	assert_false(ledger_damaged(l));
	put(l, "192.0.2.7", "alice", later(TTL_MS));
	assert_true(is_live(l, "192.0.2.7", t0));
	ledger_close(&l);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ledger_find_gives_the_row_as_it_was_put),
		T(test_ledger_find_knows_missing_from_neighbours),
		T(test_ledger_find_ignores_a_lease_that_has_run_out),
		T(test_ledger_find_takes_no_end_that_no_login_gives),
		T(test_ledger_find_prefers_the_longest_lived),
		T(test_ledger_find_masks_ipv6_and_only_ipv6),
		T(test_ledger_find_works_inside_a_write),
		T(test_ledger_snapshot_does_not_see_a_later_commit),
		T(test_ledger_abort_leaves_nothing),
		T(test_ledger_row_that_is_not_sound_is_not_stored),
		T(test_ledger_everything_is_there_after_a_restart),
		T(test_ledger_intern_refuses_what_is_no_name),
		T(test_ledger_cursors_are_found_by_prefix),
		T(test_ledger_cursor_that_cannot_be_stored_fails_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
