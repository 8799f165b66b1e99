/* SPDX-License-Identifier: ISC */
/*
 * test_ledger_ahead - what readers see of an open transaction. A reader is a
 * process of its own that answers questions over a socket; one of the two waits
 * for the other at any time, but in the last test.
 */
#include <sys/mman.h>
#include <sys/socket.h>

#include "ledger_dir.h"

enum { ROWS_MAX = 32 };

struct ask {
	bool hold; /* only begin to read, for the next question */
	char addr[ADDR_TEXT_SIZE];
	char user[16]; /* "": any; "*": all rows */
};

struct told {
	int found; /* enum ledger_found, or what ledger_at() returned */
	char users[ROWS_MAX + 1];
	int64_t versions[ROWS_MAX]; /* kept in first_login */
};

static void *memory;
static int asked = -1; /* the socket to the reader */
static pid_t reader;

static struct ledger *open_ahead(bool writer)
{
	struct ledger_options o = options(writer);

	o.ahead = memory;
	o.map_size = 64 << 20;
	return ledger_open(&o, t0, &err);
}

static int setup_memory(void **state)
{
	memory = mmap(NULL, LEDGER_AHEAD_SIZE, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || setup(state) < 0)
		return -1;
	/* A reader that is started before its writer finds a ledger. */
	ledger_close(&(struct ledger *){ open_ahead(true) });
	return 0;
}

static int end_reader(void)
{
	int status = 0;

	if (asked < 0)
		return 0;
	close(asked);
	asked = -1;
	if (waitpid(reader, &status, 0) != reader || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int teardown_memory(void **state)
{
	int rc = end_reader();

	munmap(memory, LEDGER_AHEAD_SIZE);
	return teardown(state) || rc;
}

/* --- the reader ----------------------------------------------------------- */

static int tell_row(void *ctx, const struct lease *row)
{
	struct told *t = ctx;
	size_t n = strlen(t->users);

	if (n == ROWS_MAX)
		return 1;
	t->users[n] = row->user[0];
	t->versions[n] = row->first_login - t0.wall;
	return 0;
}

/* Reads on where the last one held. */
static struct told look(struct ledger *l, const struct ask *a, bool held)
{
	struct told t = { .found = LEDGER_ERROR };
	struct addr addr = address(a->addr);
	struct lease row;

	if (!held && ledger_read_begin(l, &err) < 0)
		return t;
	if (a->hold)
		return t;
	if (*a->user == '*') {
		t.found = ledger_at(l, &addr, tell_row, &t);
	} else {
		t.found = ledger_find(l, &addr, *a->user ? a->user : NULL,
		    strlen(a->user), t0, &row);
		if (t.found == LEDGER_FOUND)
			tell_row(&t, &row);
	}
	ledger_read_end(l);
	return t;
}

static int answer_all(int fd)
{
	struct ledger *l = open_ahead(false);
	struct ask a;
	bool held = false;

	if (!l)
		return 9;
	while (read(fd, &a, sizeof(a)) == sizeof(a)) {
		struct told t = look(l, &a, held);

		held = a.hold;
		if (write(fd, &t, sizeof(t)) != sizeof(t))
			return 8;
	}
	ledger_close(&l);
	return 0;
}

/* The keeper has read only memory for all others. */
static void start_reader(int (*fn)(int fd))
{
	int ends[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	reader = fork();
	assert_true(reader >= 0);
	if (reader == 0) {
		close(ends[0]);
		if (mprotect(memory, LEDGER_AHEAD_SIZE, PROT_READ) < 0)
			_exit(7);
		_exit(fn(ends[1]));
	}
	close(ends[1]);
	asked = ends[0];
}

/* --- the test ------------------------------------------------------------- */

static struct told send_ask(const struct ask *a)
{
	struct told t;

	assert_int_equal(write(asked, a, sizeof(*a)), sizeof(*a));
	assert_int_equal(read(asked, &t, sizeof(t)), sizeof(t));
	return t;
}

static struct told ask(const char *addr, const char *user)
{
	struct ask a = { .addr = "" };

	(void)snprintf(a.addr, sizeof(a.addr), "%s", addr);
	(void)snprintf(a.user, sizeof(a.user), "%s", user);
	return send_ask(&a);
}

/* The next question is asked in the snapshot of now. */
static void hold(void)
{
	const struct ask a = { .hold = true, .addr = "::" };

	(void)send_ask(&a);
}

/* -1: no lease. */
static int64_t version(const char *addr, const char *user)
{
	struct told t = ask(addr, user);

	assert_int_not_equal(t.found, LEDGER_ERROR);
	return t.found == LEDGER_FOUND ? t.versions[0] : -1;
}

static void put_version(
    struct ledger *l, const char *addr, const char *user, int64_t n)
{
	struct lease row = lease_of(addr, user, later(MINUTE_MS));

	row.first_login += n;
	ledger_put(l, &row);
}

static void drop(struct ledger *l, const char *addr, const char *user)
{
	struct lease row = lease_of(addr, user, later(0));

	ledger_delete(l, &row);
}

static struct ledger *writer_and_reader(void)
{
	struct ledger *l;

	/* First: it would inherit the writer's lock. */
	start_reader(answer_all);
	l = open_ahead(true);
	assert_non_null(l);
	return l;
}

static void test_ahead_rows_are_seen_when_shown(void **state)
{
	struct ledger *l = writer_and_reader();

	(void)state;
	begin(l, t0);
	put_version(l, "192.0.2.1", "a", 1);
	assert_int_equal(version("192.0.2.1", ""), -1);
	assert_true(ledger_show(l));
	assert_int_equal(version("192.0.2.1", ""), 1);
	assert_int_equal(version("192.0.2.1", "a"), 1);
	assert_int_equal(version("192.0.2.1", "b"), -1);
	assert_int_equal(version("192.0.2.2", ""), -1);

	put_version(l, "192.0.2.1", "a", 2);
	put_version(l, "2001:db8::1", "b", 1);
	assert_int_equal(version("192.0.2.1", ""), 1);
	assert_int_equal(version("2001:db8::1", ""), -1);
	assert_true(ledger_show(l));
	assert_true(ledger_show(l)); /* nothing new */
	assert_int_equal(version("192.0.2.1", ""), 2);
	assert_int_equal(version("2001:db8::1", ""), 1);

	commit(l);
	assert_int_equal(version("192.0.2.1", ""), 2);
	assert_int_equal(version("2001:db8::1", "b"), 1);
	ledger_close(&l);
}

static void test_ahead_rows_stand_in_place_of_committed_ones(void **state)
{
	struct ledger *l = writer_and_reader();
	struct told t;

	(void)state;
	begin(l, t0);
	put_version(l, "192.0.2.4", "z", 1);
	put_version(l, "192.0.2.5", "a", 1);
	put_version(l, "192.0.2.5", "c", 1);
	put_version(l, "192.0.2.5", "e", 1);
	put_version(l, "192.0.2.6", "y", 1);
	commit(l);

	begin(l, t0);
	put_version(l, "192.0.2.5", "f", 2);
	put_version(l, "192.0.2.5", "c", 2);
	drop(l, "192.0.2.5", "e");
	put_version(l, "192.0.2.5", "b", 2);
	put_version(l, "192.0.2.5", "d", 2);
	drop(l, "192.0.2.5", "d"); /* was never committed */
	put_version(l, "192.0.2.5", "b", 3);
	assert_true(ledger_show(l));
	for (int committed = 0; committed < 2; committed++) {
		t = ask("192.0.2.5", "*");
		assert_int_equal(t.found, 0);
		assert_string_equal(t.users, "abcf");
		assert_int_equal(t.versions[0], 1);
		assert_int_equal(t.versions[1], 3);
		assert_int_equal(t.versions[2], 2);
		assert_int_equal(t.versions[3], 2);
		assert_int_equal(version("192.0.2.5", "c"), 2);
		assert_int_equal(version("192.0.2.5", "e"), -1);
		assert_int_equal(version("192.0.2.5", "d"), -1);
		assert_string_equal(ask("192.0.2.4", "*").users, "z");
		assert_string_equal(ask("192.0.2.6", "*").users, "y");
		assert_string_equal(ask("192.0.2.7", "*").users, "");
		if (!committed)
			commit(l);
	}
	begin(l, t0);
	for (const char *user = "abcf"; *user; user++)
		drop(l, "192.0.2.5", (char[]){ *user, '\0' });
	assert_true(ledger_show(l));
	assert_string_equal(ask("192.0.2.5", "*").users, "");
	assert_int_equal(version("192.0.2.5", ""), -1);
	put_version(l, "192.0.2.5", "a", 4);
	assert_true(ledger_show(l));
	assert_int_equal(version("192.0.2.5", ""), 4);
	commit(l);
	ledger_close(&l);
}

static void test_ahead_goes_on_under_a_reader(void **state)
{
	struct ledger *l = writer_and_reader();

	(void)state;
	begin(l, t0);
	put_version(l, "192.0.2.1", "a", 1);
	assert_true(ledger_show(l));
	hold();
	put_version(l, "192.0.2.1", "a", 2);
	assert_true(ledger_show(l));
	assert_int_equal(version("192.0.2.1", ""), 1);
	hold();
	commit(l);
	assert_int_equal(version("192.0.2.1", ""), 2);

	/* What the snapshot had seen is there no more: it moves on. */
	for (int all = 0; all < 2; all++) {
		begin(l, t0);
		put_version(l, "192.0.2.1", "a", 3 + all);
		assert_true(ledger_show(l));
		hold();
		drop(l, "192.0.2.1", "a");
		put_version(l, "192.0.2.1", "b", 5);
		commit(l);
		begin(l, t0);
		put_version(l, "192.0.2.2", "a", 1);
		assert_true(ledger_show(l));
		assert_string_equal(
		    ask("192.0.2.1", all ? "*" : "").users, "b");
		commit(l);
	}
	ledger_close(&l);
}

static void test_ahead_outlives_a_failed_commit_and_no_other(void **state)
{
	struct ledger *l = writer_and_reader();

	(void)state;
	begin(l, t0);
	put_version(l, "192.0.2.1", "a", 1);
	assert_true(ledger_show(l));
	put_version(l, "192.0.2.2", "b", 1);
	ledger_abort(l);
	assert_int_equal(version("192.0.2.1", ""), 1);
	assert_int_equal(version("192.0.2.2", ""), -1);
	begin(l, t0);
	put_version(l, "192.0.2.3", "c", 1);
	assert_true(ledger_show(l));
	assert_int_equal(version("192.0.2.1", ""), 1);
	assert_int_equal(version("192.0.2.2", ""), -1);
	assert_int_equal(version("192.0.2.3", ""), 1);
	commit(l);
	assert_int_equal(version("192.0.2.1", ""), -1);
	assert_int_equal(version("192.0.2.3", ""), 1);
	ledger_close(&l);
}

static void test_ahead_of_a_dead_writer_is_lost_to_the_next(void **state)
{
	struct ledger *l = writer_and_reader();

	(void)state;
	begin(l, t0);
	put_version(l, "192.0.2.1", "a", 1);
	assert_true(ledger_show(l));
	ledger_close(&l);
	assert_int_equal(version("192.0.2.1", ""), 1);
	l = open_ahead(true);
	assert_non_null(l);
	assert_int_equal(version("192.0.2.1", ""), -1);
	begin(l, t0);
	put_version(l, "192.0.2.2", "a", 1);
	assert_true(ledger_show(l));
	assert_int_equal(version("192.0.2.1", ""), -1);
	assert_int_equal(version("192.0.2.2", ""), 1);
	commit(l);
	ledger_close(&l);
}

static void test_ahead_has_an_end(void **state)
{
	struct ledger *l = writer_and_reader();
	char addr[ADDR_TEXT_SIZE];
	unsigned n = 0;
	bool room = true;

	(void)state;
	begin(l, t0);
	put_version(l, "192.0.2.1", "a", 1);
	assert_true(ledger_show(l));
	while (room && n < 100000) {
		(void)snprintf(
		    addr, sizeof(addr), "2001:db8::%x:%x", n >> 16, n & 0xffff);
		put_version(l, addr, "someone@example.org", 1);
		room = ++n % 100 || ledger_show(l);
	}
	assert_in_range(n, 5000, 50000);
	assert_int_equal(version("192.0.2.1", ""), 1);
	assert_int_equal(version("2001:db8::", ""), 1);
	assert_int_equal(version(addr, ""), -1);
	assert_false(ledger_show(l));
	commit(l);
	assert_int_equal(version(addr, ""), 1);
	ledger_close(&l);

	l = open_writer();
	begin(l, t0);
	put_version(l, "192.0.2.9", "a", 1);
	assert_false(ledger_show(l)); /* no memory */
	commit(l);
	ledger_close(&l);
}

/* Whatever stands there, the reader lives on, and takes no row that was not
 * written. */
static void test_ahead_garbage_is_no_lease(void **state)
{
	/* Not its numbers, which are the writer's own memory, too. */
	enum { NUMBERS = 24, ROUNDS = 3000, FLIPS = 40, ROWS = 640 };
	const struct addr addr = address("192.0.2.1");
	struct ledger *l = writer_and_reader();
	uint8_t *bytes = memory;
	uint32_t seed = 1;
	unsigned seen = 0, missed = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		const uint8_t *key;
		uint32_t rows;
		int64_t got;

		begin(l, t0);
		for (int i = 0; i < 6; i++)
			put_version(
			    l, "192.0.2.1", (char[]){ "abcdef"[i], 0 }, 7);
		assert_true(ledger_show(l));
		key = memmem(
		    bytes, LEDGER_AHEAD_SIZE, addr.bytes, sizeof(addr.bytes));
		assert_non_null(key);
		rows = (uint32_t)(key - bytes);
		for (int i = 0; i < FLIPS; i++) {
			uint32_t in_rows = rows + (seed >> 8) % ROWS;
			uint32_t before =
			    NUMBERS + (seed >> 8) % (rows - NUMBERS);

			bytes[i % 8 ? in_rows : before] = (uint8_t)(seed >> 4);
			seed = seed * 1664525 + 1013904223;
		}
		got = version("192.0.2.1", round % 2 ? "" : "c");
		assert_true(got == -1 || got == 7);
		seen += got == 7;
		missed += got == -1;
		ledger_abort(l);
		/* The next one begins anew. */
		begin(l, t0);
		put_version(l, "192.0.2.77", "x", round);
		commit(l);
	}
	assert_true(seen > 0 && missed > 0);
	ledger_close(&l);
}

/* Looks without a pause until its socket ends, while the writer goes on. */
static int look_always(int fd)
{
	const struct ask all = { false, "192.0.2.1", "*" };
	const struct ask one = { false, "192.0.2.1", "" };
	struct ledger *l = open_ahead(false);
	int64_t last = 0, looks = 0;
	char byte;

	if (!l)
		return 9;
	while (recv(fd, &byte, 1, MSG_DONTWAIT) < 0) {
		struct told t = look(l, &all, false);

		if (t.found != 0 || strcmp(t.users, "ab") != 0)
			return 1;
		if (t.versions[0] != t.versions[1])
			return 2;
		if (t.versions[0] < last)
			return 3;
		last = t.versions[0];
		t = look(l, &one, false);
		if (t.found != LEDGER_FOUND || t.versions[0] < last)
			return 4;
		looks++;
	}
	ledger_close(&l);
	return looks > 100 ? 0 : 5;
}

static void test_ahead_is_one_snapshot_with_what_is_committed(void **state)
{
	enum { TRANSACTIONS = 6000 };
	struct ledger *l = open_ahead(true);
	char other[ADDR_TEXT_SIZE];
	int64_t n = 0;

	(void)state;
	assert_non_null(l);
	begin(l, t0);
	put_version(l, "192.0.2.1", "a", n);
	put_version(l, "192.0.2.1", "b", n);
	commit(l);
	start_reader(look_always);
	for (int t = 0; t < TRANSACTIONS; t++) {
		begin(l, t0);
		for (int i = 0; i < t % 5; i++) {
			n++;
			put_version(l, "192.0.2.1", "b", n);
			(void)snprintf(other, sizeof(other), "2001:db8::%x",
			    (unsigned)n % 1000);
			put_version(l, other, "someone", n);
			put_version(l, "192.0.2.1", "a", n);
			assert_true(ledger_show(l));
		}
		commit(l);
	}
	assert_int_equal(shutdown(asked, SHUT_WR), 0);
	assert_int_equal(end_reader(), 0);
	ledger_close(&l);
}

#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, setup_memory, teardown_memory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ahead_rows_are_seen_when_shown),
		TEST(test_ahead_rows_stand_in_place_of_committed_ones),
		TEST(test_ahead_goes_on_under_a_reader),
		TEST(test_ahead_outlives_a_failed_commit_and_no_other),
		TEST(test_ahead_of_a_dead_writer_is_lost_to_the_next),
		TEST(test_ahead_has_an_end),
		TEST(test_ahead_garbage_is_no_lease),
		TEST(test_ahead_is_one_snapshot_with_what_is_committed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
