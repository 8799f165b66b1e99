/* SPDX-License-Identifier: ISC */
/* test_ledger_disk - a disk that fills or fails, a writer that is killed. */
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <time.h>

#include "ledger_many.h"

/* The disk fails on demand: LMDB's calls to this come here. */
int fdatasync(int fd);
static int sync_error;

int fdatasync(int fd)
{
	if (sync_error == 0)
		return fsync(fd);
	errno = sync_error;
	return -1;
}

/* Puts until there is no room, makes room by free_some, and goes on. */
static int fill_up(int (*free_some)(void))
{
	struct ledger_options o = options(true);
	struct ledger *l = ledger_open(&o, t0, &err);
	struct addr first = numbered(0, t0).addr;
	struct lease row;
	uint32_t n = 0;

	if (!l)
		return 1;
	while (put_again(l, n, 500, later(TTL_MS)) >= 0)
		if ((n += 500) > 1000000)
			return 2;
	if (n == 0 || err.code != EXIT_USER ||
	    !strstr(err.text, "no space for the ledger in"))
		return 3;
	/* Old leases are served, nothing of the batch is there. */
	if (ledger_rows(l) != n || ledger_damaged(l) ||
	    ledger_read_begin(l, &err) < 0 ||
	    ledger_find(l, &first, NULL, 0, t0, &row) != LEDGER_FOUND)
		return 4;
	ledger_read_end(l);
	if (put_again(l, n, 500, later(TTL_MS)) >= 0 || free_some() < 0)
		return 5;
	if (put_again(l, n, 500, later(TTL_MS)) < 0 ||
	    ledger_rows(l) != n + 500)
		return 6;
	if (!all_end_at(l, later(TTL_MS)))
		return 7;
	ledger_close(&l);
	return 0;
}

static int lift_limit(void)
{
	struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	return setrlimit(RLIMIT_FSIZE, &none);
}

static int with_file_limit(void)
{
	struct rlimit limit = { 2 << 20, RLIM_INFINITY };

	(void)signal(SIGXFSZ, SIG_IGN);
	return setrlimit(RLIMIT_FSIZE, &limit) < 0 ? 50 : fill_up(lift_limit);
}

static void test_ledger_file_limit_refuses_and_recovers(void **state)
{
	(void)state;
	assert_int_equal(in_child(with_file_limit), 0);
}

static char filler[128];

static int remove_filler(void)
{
	return unlink(filler);
}

static int on_full_disk(void)
{
	static char megabyte[1 << 20];
	int fd;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", dir, "tmpfs", 0, "size=4m,mode=0700") < 0)
		return 77;
	(void)snprintf(filler, sizeof(filler), "%s/filler", dir);
	fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, megabyte, sizeof(megabyte)) < 0)
		return 51;
	close(fd);
	return fill_up(remove_filler);
}

static void test_ledger_full_disk_refuses_and_recovers(void **state)
{
	int rc = in_child(on_full_disk);

	(void)state;
	if (rc == 77)
		skip(); /* no right to mount */
	assert_int_equal(rc, 0);
}

static int start_on_full_disk(void)
{
	static char page[4096];
	struct ledger_options o = options(true);
	struct ledger *l;
	int fd;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", dir, "tmpfs", 0, "size=1m,mode=0700") < 0)
		return 77;
	(void)snprintf(filler, sizeof(filler), "%s/filler", dir);
	fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, page, sizeof(page)) > 0)
		;
	close(fd);
	l = ledger_open(&o, t0, &err);
	if (l || err.code != EXIT_AGAIN)
		return 52;
	if (remove_filler() < 0)
		return 53;
	l = ledger_open(&o, t0, &err);
	if (!l || put_many(l, 0, 10, later(1000)) < 0)
		return 54;
	ledger_close(&l);
	/* With a ledger there, it starts and serves even so. */
	fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, page, sizeof(page)) > 0)
		;
	close(fd);
	l = ledger_open(&o, t0, &err);
	if (!l || ledger_rows(l) != 10)
		return 55;
	ledger_close(&l);
	return 0;
}

static void test_ledger_start_on_a_full_disk_is_a_message(void **state)
{
	int rc = in_child(start_on_full_disk);

	(void)state;
	if (rc == 77)
		skip();
	assert_int_equal(rc, 0);
}

static void test_ledger_failed_sync_ends_the_environment(void **state)
{
	struct ledger *l = open_writer();

	(void)state;
	assert_int_equal(put_many(l, 0, 10, later(TTL_MS)), 0);
	sync_error = EIO;
	assert_int_equal(put_many(l, 10, 10, later(TTL_MS)), -1);
	sync_error = 0;
	assert_non_null(strstr(err.text, dir));
	assert_true(ledger_damaged(l));
	/* No second try: the kernel might say that all is well. */
	assert_int_equal(ledger_begin(l, t0, &err), -1);
	ledger_close(&l);
	l = open_writer(); /* read again; nothing to set aside */
	assert_int_equal(ledger_rows(l), 10);
	assert_int_equal(put_many(l, 10, 10, later(TTL_MS)), 0);
	ledger_close(&l);
}

/* --- kill -9 -------------------------------------------------------------- */

static int write_for_ever(void)
{
	struct ledger_options o = options(true);
	struct ledger *l = ledger_open(&o, t0, &err);

	if (!l)
		return 1;
	for (int64_t i = 0;; i++)
		if (put_again(l, 0, 200, later(i)) < 0)
			return 2;
}

static void test_ledger_killed_writer_leaves_whole_transactions(void **state)
{
	struct ledger *l;

	(void)state;
	for (int i = 0; i < 40; i++) {
		struct timespec wait = { 0, 1000000 + i * 777777 };
		struct lease row;
		struct addr a = numbered(0, t0).addr;
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0)
			_exit(write_for_ever());
		(void)nanosleep(&wait, NULL);
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
		l = open_writer();
		assert_true(ledger_rows(l) == 0 || ledger_rows(l) == 200);
		begin(l, t0);
		if (ledger_get(l, &a, "user@example.org", 16, &row) ==
		    LEDGER_FOUND) {
			ledger_abort(l);
			assert_true(all_end_at(l, row.end));
		} else {
			ledger_abort(l);
		}
		ledger_close(&l);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ledger_file_limit_refuses_and_recovers),
		T(test_ledger_full_disk_refuses_and_recovers),
		T(test_ledger_start_on_a_full_disk_is_a_message),
		T(test_ledger_failed_sync_ends_the_environment),
		T(test_ledger_killed_writer_leaves_whole_transactions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
