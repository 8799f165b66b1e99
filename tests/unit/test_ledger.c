/* SPDX-License-Identifier: ISC */
/*
 * test_ledger - leases in and out, what is live, names, cursors, transactions
 * that fail. Opening: test_ledger_open.
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

/* --- walks ---------------------------------------------------------------- */

struct seen {
	struct ledger *l;
	char users[64];
	size_t count, stop;
	bool delete, add;
};

static int note_row(void *ctx, const struct lease *row)
{
	struct seen *s = ctx;
	struct lease more;

	s->users[s->count++] = row->user[0];
	if (s->delete)
		ledger_delete(s->l, row);
	if (s->add && row->user[0] == 'b') {
		more = lease_of("192.0.2.3", "x", later(1000));
		ledger_put(s->l, &more); /* before, behind, and on the way */
		more = lease_of("192.0.2.99", "z", later(1000));
		ledger_put(s->l, &more);
		more = lease_of("192.0.2.5", "a", later(1000));
		ledger_delete(s->l, &more);
	}
	return s->count == s->stop ? 7 : 0;
}

static void fill_abc(struct ledger *l)
{
	put(l, "192.0.2.5", "a", later(1000));
	put(l, "192.0.2.6", "b", later(-1000));
	put(l, "192.0.2.7", "c", later(1000));
}

static void test_ledger_each_walks_all_rows_in_order(void **state)
{
	struct ledger *l = open_writer();
	struct seen s = { .l = l };
	struct addr from = address("192.0.2.6");

	(void)state;
	fill_abc(l);
	assert_int_equal(ledger_read_begin(l, &err), 0);
	assert_int_equal(ledger_each(l, NULL, note_row, &s), 0);
	assert_string_equal(s.users, "abc");
	s = (struct seen){ .l = l };
	assert_int_equal(ledger_each(l, &from, note_row, &s), 0);
	assert_string_equal(s.users, "bc");
	s = (struct seen){ .l = l, .stop = 2 };
	assert_int_equal(ledger_each(l, NULL, note_row, &s), 7);
	assert_string_equal(s.users, "ab");
	ledger_read_end(l);
	ledger_close(&l);
}

static void test_ledger_at_gives_the_rows_of_one_address(void **state)
{
	struct ledger *l = open_writer();
	struct seen s = { .l = l };
	struct addr at = address("192.0.2.6");

	(void)state;
	fill_abc(l);
	put(l, "192.0.2.6", "d", later(1000));
	for (int writing = 0; writing < 2; writing++) {
		if (writing)
			begin(l, t0);
		else
			assert_int_equal(ledger_read_begin(l, &err), 0);
		at = address("192.0.2.6");
		s = (struct seen){ .l = l };
		assert_int_equal(ledger_at(l, &at, note_row, &s), 0);
		assert_string_equal(s.users, "bd");
		s = (struct seen){ .l = l, .stop = 1 };
		assert_int_equal(ledger_at(l, &at, note_row, &s), 7);
		assert_string_equal(s.users, "b");
		/* Behind the last row of all, and where there is none. */
		s = (struct seen){ .l = l };
		at = address("192.0.2.7");
		assert_int_equal(ledger_at(l, &at, note_row, &s), 0);
		at = address("192.0.2.8");
		assert_int_equal(ledger_at(l, &at, note_row, &s), 0);
		assert_string_equal(s.users, "c");
		if (writing)
			ledger_abort(l);
		else
			ledger_read_end(l);
	}
	ledger_close(&l);
}

/* One bit of the check of its row, where the file has its key. */
static void spoil_row(const char *addr, const char *user)
{
	struct addr a = address(addr);
	static char bytes[1 << 20];
	char key[64];
	size_t len = sizeof(a.bytes) + strlen(user);
	int fd = open(in_dir("data.mdb"), O_RDWR | O_CLOEXEC);
	ssize_t n = read(fd, bytes, sizeof(bytes));

	memcpy(key, a.bytes, sizeof(a.bytes));
	memcpy(key + sizeof(a.bytes), user, strlen(user) + 1);
	for (char *at = bytes;
	     (at = memmem(at, (size_t)(bytes + n - at), key, len)); at++) {
		at[len] ^= 1;
		assert_int_equal(
		    pwrite(fd, at + len, 1, at + (ssize_t)len - bytes), 1);
	}
	close(fd);
}

static void test_ledger_at_leaves_out_what_is_not_sound(void **state)
{
	struct ledger *l = open_writer();
	struct seen s = { .l = l };
	struct addr at = address("192.0.2.6");

	(void)state;
	fill_abc(l);
	put(l, "192.0.2.6", "middle", later(1000));
	put(l, "192.0.2.6", "z", later(1000));
	ledger_close(&l);
	spoil_row("192.0.2.6", "middle");
	l = open_writer();
	assert_int_equal(ledger_read_begin(l, &err), 0);
	assert_int_equal(ledger_at(l, &at, note_row, &s), 0);
	assert_string_equal(s.users, "bz");
	ledger_read_end(l);
	/* A writer takes it out, and goes on behind it. */
	s = (struct seen){ .l = l };
	begin(l, t0);
	assert_int_equal(ledger_at(l, &at, note_row, &s), 0);
	assert_string_equal(s.users, "bz");
	commit(l);
	assert_int_equal(ledger_rows(l), 4);
	ledger_close(&l);
}

/* All but the two pages that say where the tables begin. */
static void zero_pages(void)
{
	int fd = open(in_dir("data.mdb"), O_WRONLY | O_CLOEXEC);
	static const char zeros[PAGE];
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 2 * PAGE; at < st.st_size; at += PAGE)
		assert_int_equal(pwrite(fd, zeros, PAGE, at), PAGE);
	close(fd);
}

/* Who asks must not take it for "nobody". */
static void test_ledger_at_tells_an_error(void **state)
{
	struct ledger *l = open_writer();
	struct seen s = { .l = l };
	struct addr at = address("192.0.2.6");

	(void)state;
	fill_abc(l);
	assert_int_equal(ledger_read_begin(l, &err), 0);
	zero_pages();
	assert_int_equal(ledger_at(l, &at, note_row, &s), -1);
	assert_int_equal(s.count, 0);
	ledger_read_end(l);
	ledger_close(&l);
}

/* As LMDB's own tools have it, which know no order but that of the bytes. */
static int is_behind_the_last(void *ctx, const struct lease *row)
{
	struct lease *last = ctx;
	size_t len =
	    last->user_len < row->user_len ? last->user_len : row->user_len;
	int order = memcmp(&last->addr, &row->addr, sizeof(row->addr));

	if (order == 0)
		order = memcmp(last->user, row->user, len);
	if (order == 0)
		order = last->user_len - row->user_len;
	*last = *row;
	return order >= 0;
}

static void test_ledger_rows_lie_in_the_order_of_their_bytes(void **state)
{
	static const char *const users[] = { "", "a", "aa", "ab", "b",
		"\xc3\xa9", "\xff", "Z" };
	struct ledger *l = open_writer();
	struct lease row, last = { .bits = 0 };
	uint32_t random = 1;

	(void)state;
	begin(l, t0);
	for (unsigned i = 0; i < 2000; i++) {
		row = lease_of(
		    "192.0.2.0", users[i % COUNT_OF(users)], later(TTL_MS));
		/* Another first byte, another last one; with the highest bit
		 * and without. */
		random = random * 1103515245U + 12345;
		row.addr.bytes[i % 16] = (uint8_t)(random >> 24);
		row.addr.bytes[15] ^= (uint8_t)(random >> 16);
		ledger_put(l, &row);
	}
	commit(l);
	assert_true(ledger_rows(l) > 1000);
	assert_int_equal(ledger_read_begin(l, &err), 0);
	assert_int_equal(ledger_each(l, NULL, is_behind_the_last, &last), 0);
	ledger_read_end(l);
	ledger_close(&l);
}

static void test_ledger_each_bears_changes_under_it(void **state)
{
	struct ledger *l = open_writer();
	struct seen s = { .l = l, .delete = true, .add = true };

	(void)state;
	fill_abc(l);
	begin(l, t0);
	assert_int_equal(ledger_each(l, NULL, note_row, &s), 0);
	assert_string_equal(s.users, "abcz");
	commit(l);
	assert_int_equal(ledger_rows(l), 1); /* x */
	ledger_close(&l);
}

static int keep_some(void *ctx, const struct lease *row)
{
	struct seen *s = ctx;

	s->count++;
	if (row->sessions % 3)
		ledger_delete(s->l, row);
	return 0;
}

static void test_ledger_each_deletes_across_many_pages(void **state)
{
	enum { ROWS = 30000 };
	struct ledger_options o = options(true);
	struct ledger *l;
	struct seen s = { 0 };
	struct lease row = lease_of("192.0.2.1", "user", later(1000));

	(void)state;
	o.map_size = 64 << 20;
	l = open_with(&o, t0);
	begin(l, t0);
	for (uint32_t i = 0; i < ROWS; i++) {
		row.addr.bytes[13] = (uint8_t)(i >> 16);
		row.addr.bytes[14] = (uint8_t)(i >> 8);
		row.addr.bytes[15] = (uint8_t)i;
		row.sessions = (uint16_t)i;
		ledger_put(l, &row);
	}
	commit(l);
	s.l = l;
	begin(l, t0);
	assert_int_equal(ledger_each(l, NULL, keep_some, &s), 0);
	commit(l);
	assert_int_equal(s.count, ROWS);
	assert_int_equal(ledger_rows(l), ROWS / 3);
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
		T(test_ledger_each_walks_all_rows_in_order),
		T(test_ledger_at_gives_the_rows_of_one_address),
		T(test_ledger_at_leaves_out_what_is_not_sound),
		T(test_ledger_at_tells_an_error),
		T(test_ledger_rows_lie_in_the_order_of_their_bytes),
		T(test_ledger_each_bears_changes_under_it),
		T(test_ledger_each_deletes_across_many_pages),
		T(test_ledger_cursors_are_found_by_prefix),
		T(test_ledger_cursor_that_cannot_be_stored_fails_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
