/* SPDX-License-Identifier: ISC */
/*
 * test_import_db - Berkeley DB files of other programs: hash and btree, and
 * what is left of them when somebody has been at their bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <db.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "import_world.h"

enum { ROWS = 500, PAGE = 512, VALUE = 10 };

static struct told told;
static struct err err;
static char path[64];

static void put(DB *db, const char *key, const char *value)
{
	DBT k = { 0 }, v = { 0 };
	AUTO_FREE char *key_copy = xstrdup(key);
	AUTO_FREE char *value_copy = xstrdup(value);

	k.data = key_copy;
	k.size = (unsigned)strlen(key);
	v.data = value_copy;
	v.size = (unsigned)strlen(value);
	must(db->put(db, NULL, &k, &v, 0) == 0);
}

/* A file as rpc.dracd's: ROWS addresses of 203.0.113 and 198.51.100. */
static void make_db(DBTYPE type)
{
	char key[32];
	DB *db;

	(void)snprintf(path, sizeof(path), "/tmp/dracd-%d.db", (int)getpid());
	(void)unlink(path);
	must(db_create(&db, NULL, 0) == 0);
	must(db->set_pagesize(db, PAGE) == 0);
	must(db->open(db, NULL, path, NULL, type, DB_CREATE, 0600) == 0);
	for (int i = 0; i < ROWS; i++) {
		(void)snprintf(key, sizeof(key), "%s.%d",
		    i % 2 ? "203.0.113" : "198.51.100", i / 2);
		put(db, key, "1700000000");
	}
	must(db->close(db, 0) == 0);
}

static void test_hash_and_btree_are_read_whole(void **state)
{
	static const DBTYPE types[] = { DB_HASH, DB_BTREE };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		make_db(types[i]);
		assert_int_equal(told_read(path, NULL, &told, &err), 0);
		assert_int_equal(told.rows, ROWS);
		assert_int_equal(told.refused, 0);
		assert_non_null(strstr(
		    told.text, "203.0.113.7 user= login=0 end=1700000000\n"));
	}
}

static void test_odd_records_are_refused_one_by_one(void **state)
{
	char big[3000];
	DB *db;

	(void)state;
	make_db(DB_BTREE);
	must(db_create(&db, NULL, 0) == 0);
	must(db->open(db, NULL, path, NULL, DB_UNKNOWN, 0, 0) == 0);
	memset(big, '1', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	put(db, "192.0.2.1", big);
	put(db, big, "1700000000");
	put(db, "192.168", "1700000000");
	put(db, "", "");
	must(db->close(db, 0) == 0);
	assert_int_equal(told_read(path, NULL, &told, &err), 0);
	assert_int_equal(told.rows, ROWS);
	assert_int_equal(told.refused, 4);
}

static void expect_key(void *ctx, const char *key, size_t len, const char *why)
{
	struct told *t = ctx;

	assert_string_equal(why, IMPORT_NETWORK);
	assert_int_equal(len, 7);
	assert_memory_equal(key, "192.168", 7);
	t->refused++;
}

static void test_a_refused_key_is_told_without_its_nul(void **state)
{
	char key_bytes[] = "192.168", value_bytes[] = "1700000000";
	DBT key = { .data = key_bytes, .size = sizeof(key_bytes) };
	DBT value = { .data = value_bytes, .size = sizeof(value_bytes) };
	const struct import_sink sink = { told_row, expect_key, &told };
	struct import_store s;
	DB *db;

	(void)state;
	make_db(DB_HASH);
	must(db_create(&db, NULL, 0) == 0);
	must(db->open(db, NULL, path, NULL, DB_UNKNOWN, 0, 0) == 0);
	must(db->put(db, NULL, &key, &value, 0) == 0);
	must(db->close(db, 0) == 0);
	must(import_open(&s, path, NULL, &err) == 0);
	must(import_load(&s, &err) == 0);
	memset(&told, 0, sizeof(told));
	assert_int_equal(import_read(&s, &sink, &err), 0);
	assert_int_equal(told.rows, ROWS);
	assert_int_equal(told.refused, 1);
	import_close(&s);
}

static void test_a_name_that_tells_nothing_is_not_guessed(void **state)
{
	char other[64];

	(void)state;
	make_db(DB_HASH);
	(void)snprintf(other, sizeof(other), "/tmp/x%d.db", (int)getpid());
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(told_read(other, NULL, &told, &err), EXIT_USER);
	assert_non_null(strstr(err.text, "name its kind"));
	assert_int_equal(
	    told_read(other, import_kind_find("dracd"), &told, &err), 0);
	assert_int_equal(told.rows, ROWS);
	assert_int_equal(
	    told_read(other, import_kind_find("relayhosts"), &told, &err),
	    EXIT_USER);
	(void)unlink(other);
}

/* Every page in turn is filled with other bytes, as by a writer that is at it:
 * rows or an error, but never a crash, and no address that was not there. */
static void test_damaged_pages_are_an_error(void **state)
{
	static const char fills[] = { '\0', '\xff', '\x37' };
	size_t errors = 0;
	struct stat st;

	(void)state;
	make_db(DB_BTREE);
	must(stat(path, &st) == 0);
	for (off_t at = 0; at < st.st_size; at += (off_t)5 * PAGE) {
		char bytes[PAGE];
		int fd = open(path, O_RDWR);

		memset(bytes, fills[at / PAGE % 3], sizeof(bytes));
		must(fd >= 0 && pwrite(fd, bytes, PAGE, at) == PAGE);
		must(close(fd) == 0);
		if (told_read(path, import_kind_find("dracd"), &told, &err)) {
			assert_true(
			    err.code == EXIT_AGAIN || err.code == EXIT_USER);
			assert_true(err.text[0] != '\0');
			errors++;
		}
		make_db(DB_BTREE);
	}
	assert_true(errors > 0);
}

/* Bytes of whoever wrote the file would come to the administrator's terminal.
 */
static void test_the_library_prints_nothing(void **state)
{
	static const char fills[] = { '\0', '\xff', '\x1b' };
	int said = memfd_create("said", 0), saved[2] = { dup(1), dup(2) };
	struct stat st;

	(void)state;
	make_db(DB_BTREE);
	must(stat(path, &st) == 0 && said >= 0);
	(void)fflush(NULL);
	must(dup2(said, 1) == 1 && dup2(said, 2) == 2);
	for (off_t at = 0; at < 2 * (off_t)PAGE; at++) {
		int fd = open(path, O_RDWR);
		char was, now = fills[at % 3];

		must(fd >= 0 && pread(fd, &was, 1, at) == 1);
		must(pwrite(fd, &now, 1, at) == 1);
		(void)told_read(path, import_kind_find("dracd"), &told, &err);
		must(pwrite(fd, &was, 1, at) == 1);
		must(close(fd) == 0);
	}
	(void)fflush(NULL);
	must(dup2(saved[0], 1) == 1 && dup2(saved[1], 2) == 2);
	must(fstat(said, &st) == 0);
	assert_int_equal(st.st_size, 0);
	must(close(said) == 0 && close(saved[0]) == 0 && close(saved[1]) == 0);
}

static void test_a_file_that_was_cut_is_an_error(void **state)
{
	struct stat st;

	(void)state;
	make_db(DB_HASH);
	must(stat(path, &st) == 0);
	for (off_t len = PAGE; len < st.st_size; len += (off_t)7 * PAGE - 100) {
		make_db(DB_HASH);
		must(truncate(path, len) == 0);
		assert_int_not_equal(
		    told_read(path, import_kind_find("dracd"), &told, &err), 0);
	}
	must(truncate(path, 0) == 0);
	assert_int_equal(
	    told_read(path, import_kind_find("dracd"), &told, &err), EXIT_USER);
}

/* The old program is in the midst of a change. */
static void test_a_locked_file_is_waited_for(void **state)
{
	int go[2];

	(void)state;
	assert_int_equal(pipe(go), 0);
	for (int way = 0; way < 2; way++) {
		char byte;
		pid_t pid;

		make_db(DB_HASH);
		pid = fork();
		if (pid == 0) {
			struct flock whole = { .l_type = F_WRLCK };
			int fd = open(path, O_RDWR);
			DB *db;

			if (way)
				(void)flock(fd, LOCK_EX);
			else
				(void)fcntl(fd, F_SETLK, &whole);
			must(write(go[1], "x", 1) == 1);
			(void)usleep(200 * 1000);
			must(db_create(&db, NULL, 0) == 0);
			must(db->open(db, NULL, path, NULL, DB_UNKNOWN,
				 DB_FCNTL_LOCKING, 0) == 0);
			put(db, "192.0.2.77", "1700000000");
			must(db->close(db, 0) == 0);
			_exit(0);
		}
		assert_int_equal(read(go[0], &byte, 1), 1);
		assert_int_equal(told_read(path, NULL, &told, &err), 0);
		assert_int_equal(told.rows, ROWS + 1);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_and_btree_are_read_whole),
		cmocka_unit_test(test_odd_records_are_refused_one_by_one),
		cmocka_unit_test(test_a_refused_key_is_told_without_its_nul),
		cmocka_unit_test(test_a_name_that_tells_nothing_is_not_guessed),
		cmocka_unit_test(test_damaged_pages_are_an_error),
		cmocka_unit_test(test_the_library_prints_nothing),
		cmocka_unit_test(test_a_file_that_was_cut_is_an_error),
		cmocka_unit_test(test_a_locked_file_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
