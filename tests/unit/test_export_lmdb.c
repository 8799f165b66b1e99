/* SPDX-License-Identifier: ISC */
/*
 * test_export_lmdb - what stands in Postfix' file, read as Postfix reads it:
 * without LMDB's locks, the whole file locked.
 */
#include "in_place_world.h"

#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { MANY = 150000, FULL = 1 << 20 };

extern const struct export_kind export_lmdb;

static MDB_env *reader;

/* Counts the rows, and finds one; "" when it is not there. */
static size_t look(const char *key_text, char value[static 64])
{
	MDB_val key = { strlen(key_text) + 1, NULL }, data;
	char text[64];
	MDB_stat stat;
	MDB_txn *txn;
	MDB_dbi table;

	(void)snprintf(text, sizeof(text), "%s", key_text);
	key.mv_data = text;
	value[0] = '\0';
	if (!reader) {
		must(mdb_env_create(&reader) == 0);
		must(mdb_env_open(reader, world.path,
			 MDB_NOSUBDIR | MDB_NOLOCK | MDB_RDONLY, 0644) == 0);
	}
	if (mdb_txn_begin(reader, NULL, MDB_RDONLY, &txn) == MDB_MAP_RESIZED) {
		must(mdb_env_set_mapsize(reader, 0) == 0);
		must(mdb_txn_begin(reader, NULL, MDB_RDONLY, &txn) == 0);
	}
	must(mdb_dbi_open(txn, NULL, 0, &table) == 0);
	if (mdb_get(txn, table, &key, &data) == 0) {
		assert_in_range(data.mv_size, 1, 63);
		assert_int_equal(
		    ((const char *)data.mv_data)[data.mv_size - 1], '\0');
		memcpy(value, data.mv_data, data.mv_size);
	}
	must(mdb_stat(txn, table, &stat) == 0);
	mdb_txn_abort(txn);
	return stat.ms_entries;
}

static void close_reader(void)
{
	if (reader)
		mdb_env_close(reader);
	reader = NULL;
}

static void expect(const char *key, const char *value, size_t rows)
{
	char found[64];

	assert_int_equal(look(key, found), rows);
	assert_string_equal(found, value);
}

static void test_lmdb_holds_what_is_leased(void **state)
{
	(void)state;
	world_open(&export_lmdb, "");
	world_begin(true);
	world_add("192.0.2.1", true, 1700000000000);
	world_add("2001:db8::7", true, 1700000000000);
	world_apply();
	expect("192.0.2.1", "OK", 2);
	expect("2001:db8::7", "OK", 2);
	expect("192.0.2", "", 2);
	world_change("192.0.2.1", false, 0);
	expect("192.0.2.1", "", 1);
	world_change("192.0.2.9", false, 0);
	world_change("192.0.2.9", true, 1700000000000);
	expect("192.0.2.9", "OK", 2);
	assert_int_equal(world.done, 4);
	assert_int_equal(world.failed, 0);
	close_reader();
	world_close();
}

static void test_lmdb_snapshot_drops_what_it_does_not_name(void **state)
{
	(void)state;
	world_open(&export_lmdb, "value = \"permit\"");
	world_snapshot(3);
	expect("10.0.0.2", "permit", 3);
	world_close();
	world_open(&export_lmdb, "");
	world_snapshot(0);
	expect("10.0.0.2", "", 0);
	world_change("2001:db8::1", true, 1);
	expect("2001:db8::1", "OK", 1);
	close_reader();
	world_close();
}

static void test_lmdb_leaves_networks_out(void **state)
{
	(void)state;
	world_open(&export_lmdb, "");
	world_begin(true);
	world_add("2001:db8::", true, 1700000000000);
	world.slice->changes[0].lease.bits = 64;
	world_apply();
	expect("2001:db8::", "", 0);
	close_reader();
	world_close();
}

static void test_lmdb_grows_under_a_reader(void **state)
{
	(void)state;
	world_open(&export_lmdb, "value = \"%e\"");
	world_snapshot(0);
	expect("10.0.0.0", "", 0);
	world_snapshot(MANY);
	expect("10.2.0.0", "1700000000", MANY);
	expect("10.0.0.0", "1700000000", MANY);
	world_snapshot(1);
	expect("10.2.0.0", "", 1);
	close_reader();
	world_close();
}

static void test_lmdb_renewal_writes_nothing(void **state)
{
	struct stat before, after;

	(void)state;
	world_open(&export_lmdb, "");
	world_snapshot(2);
	must(stat(world.path, &before) == 0);
	world_change("10.0.0.1", true, 1800000000000);
	must(stat(world.path, &after) == 0);
	assert_memory_equal(
	    &before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
	expect("10.0.0.1", "OK", 2);
	close_reader();
	world_close();
}

/* A child that keeps the file locked as Postfix does, until it is told. */
static pid_t lock_elsewhere(bool by_flock, int *tell)
{
	int ends[2], told[2];
	char byte = 'x';
	pid_t pid;

	must(pipe(ends) == 0 && pipe(told) == 0);
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
		int fd = open(world.path, O_RDWR);
		if (by_flock ? flock(fd, LOCK_SH) : fcntl(fd, F_SETLKW, &l))
			_exit(1);
		must(write(ends[1], &byte, 1) == 1);
		(void)close(told[1]);
		(void)!read(told[0], &byte, 1);
		_exit(0);
	}
	must(read(ends[0], &byte, 1) == 1);
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)close(told[0]);
	*tell = told[1];
	return pid;
}

static void test_lmdb_waits_for_a_lock_but_not_for_ever(void **state)
{
	(void)state;
	for (int by_flock = 0; by_flock < 2; by_flock++) {
		int tell, status;
		pid_t pid;

		world_open(&export_lmdb, "");
		world_snapshot(1);
		pid = lock_elsewhere(by_flock, &tell);
		world_change("192.0.2.1", true, 1);
		expect("192.0.2.1", "", 1);
		(void)close(tell);
		must(waitpid(pid, &status, 0) == pid);
		assert_int_equal(status, 0);
		/* The timer of the failure. */
		(void)uv_run(&world.loop, UV_RUN_ONCE);
		expect("192.0.2.1", "OK", 2);
		close_reader();
		world_close();
	}
}

static void test_lmdb_follows_a_file_that_was_replaced(void **state)
{
	(void)state;
	world_open(&export_lmdb, "");
	world_snapshot(3);
	must(unlink(world.path) == 0);
	world_change("192.0.2.1", true, 1);
	expect("192.0.2.1", "OK", 4);
	expect("10.0.0.2", "OK", 4);
	close_reader();
	world_close();
}

static void test_lmdb_full_disk_leaves_the_old_rows(void **state)
{
	struct rlimit small = { FULL, RLIM_INFINITY };
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	world_open(&export_lmdb, "");
	world_snapshot(3);
	must(setrlimit(RLIMIT_FSIZE, &small) == 0);
	world_snapshot(MANY);
	expect("10.0.0.2", "OK", 3);
	expect("10.1.0.0", "", 3);
	must(setrlimit(RLIMIT_FSIZE, &none) == 0);
	(void)uv_run(&world.loop, UV_RUN_ONCE);
	expect("10.1.0.0", "OK", MANY);
	close_reader();
	world_close();
}

static void test_lmdb_never_overwrites_another_file(void **state)
{
	static const char text[] = "smtpd_banner = $myhostname ESMTP\n";
	char big[8192], back[sizeof(text)] = "";
	FILE *file;

	(void)state;
	memset(big, '\n', sizeof(big));
	file = fopen(world.path, "w");
	must(file && fwrite(text, 1, sizeof(text) - 1, file) > 0 &&
	     fwrite(big, 1, sizeof(big), file) > 0 && fclose(file) == 0);
	world_open(&export_lmdb, "");
	world_snapshot(1);
	world_close();
	file = fopen(world.path, "r");
	must(file && fread(back, 1, sizeof(text) - 1, file) > 0);
	(void)fclose(file);
	assert_string_equal(back, text);
}

int main(void)
{
#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_lmdb_holds_what_is_leased),
		TEST(test_lmdb_snapshot_drops_what_it_does_not_name),
		TEST(test_lmdb_leaves_networks_out),
		TEST(test_lmdb_grows_under_a_reader),
		TEST(test_lmdb_renewal_writes_nothing),
		TEST(test_lmdb_waits_for_a_lock_but_not_for_ever),
		TEST(test_lmdb_follows_a_file_that_was_replaced),
		TEST(test_lmdb_full_disk_leaves_the_old_rows),
		TEST(test_lmdb_never_overwrites_another_file),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
