/* SPDX-License-Identifier: ISC */
/* test_ledger_growth - a map that fills, readers that die or stand still. */
#include <sys/resource.h>

#include "ledger_many.h"

static size_t map_of(struct ledger *l)
{
	size_t used, map;

	ledger_size(l, &used, &map);
	assert_true(used > 0 && used <= map);
	return map;
}

/* --- the map -------------------------------------------------------------- */

static void test_ledger_map_grows_and_nothing_is_lost(void **state)
{
	struct ledger *l = open_writer();
	size_t first = map_of(l);
	int repeats = 0;

	(void)state;
	for (uint32_t i = 0; i < 40000; i += 2000) {
		int n = put_again(l, i, 2000, later(TTL_MS));

		assert_true(n >= 0);
		repeats += n;
	}
	assert_true(repeats > 0);
	assert_true(map_of(l) >= 4 * first);
	assert_int_equal(ledger_rows(l), 40000);
	assert_true(all_end_at(l, later(TTL_MS)));
	ledger_close(&l);
	/* The next start finds the larger size in the file. */
	l = open_writer();
	assert_true(map_of(l) >= 4 * first);
	assert_int_equal(ledger_rows(l), 40000);
	ledger_close(&l);
}

static void test_ledger_map_that_is_full_stores_nothing_of_the_batch(
    void **state)
{
	struct ledger *l = open_writer();

	(void)state;
	assert_int_equal(put_many(l, 0, 1000, later(1000)), 0);
	assert_int_equal(put_many(l, 1000, 50000, later(1000)), -1);
	assert_int_equal(err.code, EXIT_AGAIN);
	assert_int_equal(ledger_rows(l), 1000);
	assert_false(ledger_failed(l));
	assert_false(ledger_damaged(l));
	ledger_close(&l);
}

/* Pipes between the test and its reader: a byte each way is a step. */
static int to_reader[2], to_test[2];

static void step(int *pipe_fds)
{
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
}

static bool wait_step(int *pipe_fds)
{
	char c;

	return read(pipe_fds[0], &c, 1) == 1;
}

static pid_t start_reader(int (*fn)(struct ledger *l))
{
	struct ledger_options o = options(false);
	struct ledger *l;
	pid_t child;
	int rc;

	assert_int_equal(pipe2(to_reader, O_CLOEXEC), 0);
	assert_int_equal(pipe2(to_test, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child > 0) {
		close(to_reader[0]);
		close(to_test[1]);
		assert_true(wait_step(to_test));
		return child;
	}
	close(to_reader[1]);
	close(to_test[0]);
	l = ledger_open(&o, t0, &err);
	if (!l)
		_exit(99);
	rc = fn(l);
	ledger_close(&l);
	_exit(rc);
}

static int end_reader(pid_t child)
{
	int status = 0;

	close(to_reader[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(to_test[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int follow_growth(struct ledger *l)
{
	struct rlimit none = { 0, 0 };
	size_t rows;

	/* From here on nothing can be opened, as behind a lock-down. */
	if (setrlimit(RLIMIT_NOFILE, &none) < 0)
		return 1;
	do {
		step(to_test);
		if (!wait_step(to_reader))
			return 2;
		rows = ledger_rows(l);
		if (!all_end_at(l, later(TTL_MS)))
			return 3;
	} while (rows < 40000);
	return ledger_damaged(l) ? 4 : 0;
}

static void test_ledger_readers_follow_without_opening_a_file(void **state)
{
	struct ledger *l = open_writer();
	pid_t child;

	(void)state;
	ledger_close(&l); /* a child must not inherit it */
	child = start_reader(follow_growth);
	l = open_writer();
	for (uint32_t i = 0; i < 40000; i += 4000) {
		if (i > 0)
			assert_true(wait_step(to_test));
		assert_true(put_again(l, i, 4000, later(TTL_MS)) >= 0);
		step(to_reader);
	}
	assert_int_equal(end_reader(child), 0);
	ledger_close(&l);
}

/* --- readers that stand still or die -------------------------------------- */

static int hold_snapshot(struct ledger *l)
{
	if (ledger_read_begin(l, &err) < 0)
		return 1;
	step(to_test);
	(void)wait_step(to_reader);
	ledger_read_end(l);
	return 0;
}

static void test_ledger_stale_reader_is_named_and_cleared(void **state)
{
	struct ledger *l = open_writer();
	pid_t child;

	(void)state;
	ledger_close(&l);
	child = start_reader(hold_snapshot);
	l = open_writer();
	assert_int_equal(ledger_stale_reader(l, 5), 0);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(put_many(l, i, 1, later(1000)), 0);
	assert_int_equal(ledger_stale_reader(l, 5), child);
	assert_int_equal(ledger_stale_reader(l, 50), 0);
	assert_int_equal(ledger_reader_check(l), 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(end_reader(child), -1);
	assert_int_equal(ledger_reader_check(l), 1);
	assert_int_equal(ledger_stale_reader(l, 5), 0);
	ledger_close(&l);
}

static void test_ledger_dead_readers_do_not_make_the_file_grow(void **state)
{
	struct ledger *l = open_writer();
	size_t before;

	(void)state;
	ledger_close(&l);
	for (int i = 0; i < 10; i++) {
		pid_t child = start_reader(hold_snapshot);

		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(end_reader(child), -1);
	}
	l = open_writer();
	(void)ledger_reader_check(l);
	assert_true(put_again(l, 0, 3000, later(1000)) >= 0);
	before = map_of(l);
	for (int i = 0; i < 100; i++)
		assert_true(put_again(l, 0, 3000, later(1000 + i)) >= 0);
	assert_true(map_of(l) <= 2 * before);
	ledger_close(&l);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ledger_map_grows_and_nothing_is_lost),
		T(test_ledger_map_that_is_full_stores_nothing_of_the_batch),
		T(test_ledger_readers_follow_without_opening_a_file),
		T(test_ledger_stale_reader_is_named_and_cleared),
		T(test_ledger_dead_readers_do_not_make_the_file_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
