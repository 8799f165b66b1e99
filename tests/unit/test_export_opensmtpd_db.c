/* SPDX-License-Identifier: ISC */
/*
 * test_export_opensmtpd_db - what stands in the file, byte for byte as makemap
 * writes it, and the time of it, by which smtpd sees that it is another one.
 */
#include "export_world.h"

#include <db.h>
#include <signal.h>
#include <sys/resource.h>

#define WORLD(name)                                                            \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

extern const struct export_kind export_opensmtpd_db;

enum { ROWS_MAX = 8, TEXT = 64, FULL = 8192 };

/* The keys of the file, NUL and all; -1: it is no hash file. */
static int keys_of(const char *path, char keys[ROWS_MAX][TEXT])
{
	DBT key = { 0 }, data = { 0 };
	DB *db;
	DBC *cursor;
	int count = 0;

	must(db_create(&db, NULL, 0) == 0);
	if (db->open(db, NULL, path, NULL, DB_HASH, DB_RDONLY, 0)) {
		(void)db->close(db, DB_NOSYNC);
		return -1;
	}
	must(db->cursor(db, NULL, &cursor, 0) == 0);
	while (cursor->get(cursor, &key, &data, DB_NEXT) == 0) {
		assert_in_range(count, 0, ROWS_MAX - 1);
		assert_in_range(key.size, 1, TEXT);
		assert_int_equal(((char *)key.data)[key.size - 1], '\0');
		memcpy(keys[count++], key.data, key.size);
		assert_int_equal(data.size, sizeof("<set>"));
		assert_memory_equal(data.data, "<set>", sizeof("<set>"));
	}
	(void)cursor->close(cursor);
	(void)db->close(db, DB_NOSYNC);
	return count;
}

static bool holds(const char *want, int rows)
{
	char keys[ROWS_MAX][TEXT];
	int count = keys_of(world_path("pop.db"), keys);

	if (count != rows)
		return false;
	for (int i = 0; i < count; i++)
		if (strcmp(keys[i], want) == 0)
			return true;
	return rows == 0;
}

static void expect(const char *want, int rows)
{
	uint64_t until = uv_hrtime() + UINT64_C(5000000000);

	while (!holds(want, rows) && uv_hrtime() < until)
		(void)uv_run(&world->loop, UV_RUN_ONCE);
	assert_true(holds(want, rows));
}

static void change(const char *text, bool leased)
{
	slice_begin(&world->slice, false);
	(void)slice_add(&world->slice, text, "", leased ? 9000 : 0);
	assert_true(world_bring());
}

static void test_it_is_what_makemap_makes(void **state)
{
	(void)state;
	assert_true(world_try(&export_opensmtpd_db, "path = \"~/pop.db\""));
	slice_begin(&world->slice, true);
	assert_true(world_bring());
	expect("", 0);
	change("192.0.2.7", true);
	expect("192.0.2.7", 1);
	change("2001:db8::7", true);
	expect("2001:db8::7", 2);
	change("2001:db8:1:2::/64", true);
	expect("2001:db8:1:2::/64", 3);
	change("192.0.2.7", false);
	expect("2001:db8::7", 2);
	world_close();
	assert_int_equal(world_names(), 1);
}

static time_t time_of_file(void)
{
	struct stat st;

	assert_int_equal(stat(world_path("pop.db"), &st), 0);
	return st.st_mtim.tv_sec;
}

static void test_each_file_has_a_time_of_its_own(void **state)
{
	time_t before;

	(void)state;
	assert_true(world_try(
	    &export_opensmtpd_db, "path = \"~/pop.db\" interval = 10"));
	slice_begin(&world->slice, true);
	assert_true(world_bring());
	expect("", 0);
	for (int i = 0; i < 3; i++) {
		before = time_of_file();
		change("192.0.2.7", i % 2 == 0);
		expect("192.0.2.7", i % 2 == 0);
		assert_true(time_of_file() > before);
	}
}

/* What a reader has open stays what it was, to its end. */
static void test_an_open_file_never_changes(void **state)
{
	struct stat before = { 0 }, after = { 0 };
	int fd;

	(void)state;
	assert_true(world_try(&export_opensmtpd_db, "path = \"~/pop.db\""));
	slice_begin(&world->slice, true);
	assert_true(world_bring());
	expect("", 0);
	fd = open(world_path("pop.db"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && fstat(fd, &before) == 0);
	change("192.0.2.7", true);
	expect("192.0.2.7", 1);
	assert_int_equal(fstat(fd, &after), 0);
	assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	assert_int_equal(after.st_nlink, 0);
	(void)close(fd);
}

/* The library is told of it before the rename. */
static void test_a_full_disk_leaves_the_old_file(void **state)
{
	struct rlimit old, less;

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_true(world_try(
	    &export_opensmtpd_db, "path = \"~/pop.db\" interval = 10"));
	slice_begin(&world->slice, true);
	(void)slice_add(&world->slice, "192.0.2.7", "", 9000);
	assert_true(world_bring());
	expect("192.0.2.7", 1);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	less = old;
	less.rlim_cur = FULL;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
	change("2001:db8::7", true);
	for (int i = 0; i < 3; i++)
		(void)uv_run(&world->loop, UV_RUN_ONCE);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_true(holds("192.0.2.7", 1));
	assert_int_equal(world_names(), 1);
	expect("2001:db8::7", 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(test_it_is_what_makemap_makes),
		WORLD(test_each_file_has_a_time_of_its_own),
		WORLD(test_an_open_file_never_changes),
		WORLD(test_a_full_disk_leaves_the_old_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
