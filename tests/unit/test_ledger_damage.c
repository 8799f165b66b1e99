/* SPDX-License-Identifier: ISC */
/*
 * test_ledger_damage - a file with zeroed pages, cut anywhere, with bytes that
 * nobody wrote, or damaged while it is open: never a row that nobody put, never
 * a start that fails for ever.
 */
#include "ledger_dir.h"

static void write_file(const char *name, const void *bytes, size_t len)
{
	int fd =
	    open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static void empty_and_usable(int want_asides)
{
	struct ledger *l = open_writer();

	assert_int_equal(ledger_rows(l), 0);
	put(l, "192.0.2.1", "new", later(TTL_MS));
	assert_true(is_live(l, "192.0.2.1", t0));
	ledger_close(&l);
	assert_int_equal(asides(), want_asides);
}

/* --- damage, page by page ------------------------------------------------- */

enum { ROWS = 600 };

static struct lease row_of(int i)
{
	struct lease row =
	    lease_of("192.0.2.1", "user@example.org", later(TTL_MS));

	row.addr.bytes[14] = (uint8_t)(i >> 8);
	row.addr.bytes[15] = (uint8_t)i;
	return row;
}

/* A ledger with some history: free pages, deleted rows, cursors, names. */
static void *make_rich(size_t *size_r)
{
	struct ledger *l = open_writer();
	struct ledger_cursor c = { .key_len = 3, .len = 1, .key = "log" };
	struct stat st;
	void *bytes;
	int fd;

	for (int round = 0; round < 6; round++) {
		begin(l, t0);
		(void)ledger_intern(l, "dovecot");
		ledger_cursor_put(l, &c);
		for (int i = 0; i < 3 * ROWS; i++) {
			struct lease row = row_of(i);

			if (round == 4 && i >= ROWS)
				ledger_delete(l, &row);
			else if (round < 4 || i % 7 == 0)
				i < ROWS || round < 4 ? ledger_put(l, &row)
						      : (void)0;
		}
		commit(l);
	}
	ledger_close(&l);
	fd = open(in_dir("data.mdb"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	*size_r = (size_t)st.st_size;
	bytes = xmalloc(*size_r);
	assert_int_equal(read(fd, bytes, *size_r), *size_r);
	close(fd);
	return bytes;
}

static int only_true_rows(void *ctx, const struct lease *row)
{
	int i = row->addr.bytes[14] << 8 | row->addr.bytes[15];
	struct lease want;

	++*(int *)ctx;
	if (i >= ROWS)
		return 1;
	want = row_of(i);
	return memcmp(&want.addr, &row->addr, sizeof(want.addr)) != 0 ||
	       strcmp(want.user, row->user) != 0 ||
	       want.end.wall != row->end.wall || want.end.boot != row->end.boot;
}

static void quiet(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)fflush(stderr);
	(void)dup2(fd, STDERR_FILENO);
	close(fd);
}

/*
 * Starts as a keeper would, on a file that may be bad, and uses all of it. May
 * die by a signal; must not give a row that nobody put. Exit: 0 all rows are
 * there, 1 some or none, 2 wrong rows, 3 cannot start.
 */
static int use_damaged(void)
{
	struct ledger_options o = options(true);
	struct ledger *l;
	int rows = 0, rc = 0;

	quiet(); /* each damage is an alarm */
	l = ledger_open(&o, t0, &err);
	if (!l)
		return 3;
	if (ledger_read_begin(l, &err) == 0) {
		rc = ledger_each(l, NULL, only_true_rows, &rows);
		ledger_read_end(l);
	}
	if (rc > 0)
		return 2;
	for (int i = 0; i < ROWS && rc == 0; i += 60) {
		struct lease row = row_of(i);

		if (ledger_begin(l, t0, &err) < 0)
			break;
		ledger_put(l, &row);
		if (ledger_commit(l, &err) < 0)
			break;
	}
	ledger_close(&l);
	return rows == ROWS ? 0 : 1;
}

/* After whatever happened, a start works, at the latest the next one. */
static bool recovers(void)
{
	struct ledger *l;
	struct ledger_options o = options(true);

	for (int i = 0; i < 3; i++) {
		int rc = in_child(use_damaged);

		assert_int_not_equal(rc, 2);
		assert_int_not_equal(rc, 3);
		if (rc < 2) {
			l = ledger_open(&o, t0, &err);
			assert_non_null(l);
			ledger_close(&l);
			return true;
		}
	}
	return false;
}

static int outcomes[512];

static void check(const void *bytes, size_t size)
{
	int rc;

	write_file("data.mdb", bytes, size);
	rc = in_child(use_damaged);
	outcomes[rc]++;
	assert_int_not_equal(rc, 2);
	assert_int_not_equal(rc, 3);
	if (rc != 0 && !recovers())
		fail_msg("it does not start again");
	remove_tree(dir);
	assert_int_equal(mkdir(dir, 0700), 0);
}

static void test_ledger_damage_any_zeroed_page_gives_no_false_row(void **state)
{
	size_t size;
	uint8_t *bytes = make_rich(&size);
	uint8_t saved[PAGE];

	(void)state;
	memset(outcomes, 0, sizeof(outcomes));
	for (size_t at = 0; at < size; at += PAGE) {
		memcpy(saved, bytes + at, PAGE);
		memset(bytes + at, 0, PAGE);
		check(bytes, size);
		memcpy(bytes + at, saved, PAGE);
	}
	free(bytes);
	assert_true(outcomes[1] > 0);
}

static void test_ledger_damage_any_cut_is_told_and_survived(void **state)
{
	size_t size;
	uint8_t *bytes = make_rich(&size);

	(void)state;
	memset(outcomes, 0, sizeof(outcomes));
	for (size_t cut = 0; cut < size; cut += 512)
		check(bytes, cut);
	free(bytes);
	/* A cut is found before anything can fault on it. */
	assert_int_equal(outcomes[0] + outcomes[1], (int)(size / 512));
	assert_true(outcomes[1] > 0);
}

static void test_ledger_damage_random_bytes_give_no_false_row(void **state)
{
	size_t size;
	uint8_t *bytes = make_rich(&size), saved[8];
	uint64_t seed = 88172645463325252;

	(void)state;
	memset(outcomes, 0, sizeof(outcomes));
	for (int round = 0; round < 300; round++) {
		size_t at;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		at = seed % (size - sizeof(saved));
		/* The head of a page is where it hurts. */
		if (round % 2)
			at = at / PAGE * PAGE + at % 64;
		memcpy(saved, bytes + at, sizeof(saved));
		memcpy(bytes + at, &seed, 1 + seed % sizeof(saved));
		check(bytes, size);
		memcpy(bytes + at, saved, sizeof(saved));
	}
	free(bytes);
}

/* --- damage while it is open ---------------------------------------------- */

static int steps[2], answers[2];

static int reader_meets_cut_file(void)
{
	struct ledger_options o = options(false);
	struct ledger *l = ledger_open(&o, t0, &err);
	char c;

	if (!l || write(answers[1], "x", 1) != 1 || read(steps[0], &c, 1) != 1)
		return 1;
	(void)is_live(l, "192.0.2.7", t0); /* faults */
	return 2;
}

static int reader_meets_aside(void)
{
	struct ledger_options o = options(false);
	struct ledger *l = ledger_open(&o, t0, &err);
	char c;

	if (!l || !is_live(l, "192.0.2.7", t0) ||
	    write(answers[1], "x", 1) != 1 || read(steps[0], &c, 1) != 1)
		return 1;
	if (ledger_read_begin(l, &err) == 0 || err.code != EXIT_AGAIN ||
	    !ledger_damaged(l))
		return 2;
	ledger_close(&l);
	return is_live(l = open_with(&o, t0), "192.0.2.1", t0) ? 0 : 3;
}

static pid_t start(int (*fn)(void))
{
	pid_t child;
	char c;

	assert_int_equal(pipe2(steps, O_CLOEXEC), 0);
	assert_int_equal(pipe2(answers, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(steps[1]);
		close(answers[0]);
		die_by_signals();
		_exit(fn());
	}
	close(steps[0]);
	close(answers[1]);
	assert_int_equal(read(answers[0], &c, 1), 1);
	return child;
}

static int finish(pid_t child)
{
	int status = 0;

	assert_int_equal(write(steps[1], "x", 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(steps[1]);
	close(answers[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static void test_ledger_damage_met_by_a_reader_reaches_the_writer(void **state)
{
	struct ledger *l;
	pid_t child;
	int rc;

	(void)state;
	make_ledger();
	child = start(reader_meets_cut_file);
	l = open_writer();
	assert_false(ledger_damaged(l));
	assert_int_equal(truncate(in_dir("data.mdb"), (off_t)2 * PAGE), 0);
	rc = finish(child);
	/* By SIGBUS; a sanitizer makes an exit code of it. */
	assert_true(rc > 2);
	assert_true(ledger_damaged(l));
	assert_int_equal(ledger_begin(l, t0, &err), -1);
	ledger_close(&l);
	empty_and_usable(1);
}

static void test_ledger_set_aside_sends_readers_away(void **state)
{
	struct ledger *l;
	pid_t child;

	(void)state;
	make_ledger();
	child = start(reader_meets_aside);
	write_file("other", "bad", 3);
	assert_int_equal(unlink(in_dir("data.mdb")), 0);
	(void)snprintf(err.text, sizeof(err.text), "%s/other", dir);
	assert_int_equal(rename(err.text, in_dir("data.mdb")), 0);
	l = open_writer();
	put(l, "192.0.2.1", "new", later(TTL_MS));
	assert_int_equal(asides(), 1);
	assert_int_equal(finish(child), 0);
	ledger_close(&l);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ledger_damage_met_by_a_reader_reaches_the_writer),
		T(test_ledger_set_aside_sends_readers_away),
		T(test_ledger_damage_any_zeroed_page_gives_no_false_row),
		T(test_ledger_damage_any_cut_is_told_and_survived),
		T(test_ledger_damage_random_bytes_give_no_false_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
