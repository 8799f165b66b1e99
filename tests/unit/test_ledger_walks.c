/* SPDX-License-Identifier: ISC */
/*
 * test_ledger_walks - rows in their order, all of them or those of one address,
 * while they change and where one is not sound.
 */
#include "ledger_dir.h"

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

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ledger_each_walks_all_rows_in_order),
		T(test_ledger_at_gives_the_rows_of_one_address),
		T(test_ledger_at_leaves_out_what_is_not_sound),
		T(test_ledger_at_tells_an_error),
		T(test_ledger_rows_lie_in_the_order_of_their_bytes),
		T(test_ledger_each_bears_changes_under_it),
		T(test_ledger_each_deletes_across_many_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
