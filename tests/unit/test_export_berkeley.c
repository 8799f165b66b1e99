/* SPDX-License-Identifier: ISC */
/*
 * test_export_berkeley - what stands in the file, byte for byte, and that a
 * reader that locks it as Sendmail does never sees half a change.
 */
#include "in_place_world.h"

#include <db.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

enum { ROUNDS = 200, MANY = 20000 };

extern const struct export_kind export_berkeley_hash, export_berkeley_btree;

static DB *open_reader(void)
{
	DB *db;

	must(db_create(&db, NULL, 0) == 0);
	if (db->open(db, NULL, world.path, NULL, DB_UNKNOWN,
		DB_RDONLY | DB_FCNTL_LOCKING, 0) == 0)
		return db;
	(void)db->close(db, DB_NOSYNC);
	return NULL;
}

/* The value of a key of len bytes, "-" for none; the number of all rows. */
static size_t look(const char *key_text, size_t len, char value[static 64])
{
	char text[64];
	DBT key = { .data = text, .size = (unsigned)len }, data = { 0 };
	DB *db = open_reader();
	DBC *cursor;
	size_t rows = 0;

	must(len < sizeof(text) && db != NULL);
	memcpy(text, key_text, len);
	(void)snprintf(value, 64, "-");
	if (db->get(db, NULL, &key, &data, 0) == 0) {
		assert_in_range(data.size, 0, 63);
		memcpy(value, data.data, data.size);
		value[data.size] = '\0';
	}
	must(db->cursor(db, NULL, &cursor, 0) == 0);
	while (cursor->get(cursor, &key, &data, DB_NEXT) == 0)
		rows++;
	(void)cursor->close(cursor);
	(void)db->close(db, 0);
	return rows;
}

static void expect(const char *key, const char *value, size_t rows)
{
	char found[64];

	assert_int_equal(look(key, strlen(key), found), rows);
	assert_string_equal(found, value);
}

static time_t file_time(void)
{
	struct stat st;

	must(stat(world.path, &st) == 0);
	return st.st_mtim.tv_sec;
}

static void test_berkeley_holds_what_is_leased(void **state)
{
	(void)state;
	world_open(&export_berkeley_hash, "");
	world_begin(true);
	world_add("192.0.2.1", true, 1700000000000);
	world_add("2001:db8::7", true, 1700000000000);
	world_apply();
	expect("192.0.2.1", "OK", 2);
	expect("ipv6:2001:db8:0:0:0:0:0:7", "OK", 2);
	expect("2001:db8::7", "-", 2);
	expect("192.0.2", "-", 2);
	world_change("192.0.2.1", false, 0);
	expect("192.0.2.1", "-", 1);
	world_change("192.0.2.9", false, 0);
	world_change("192.0.2.9", true, 1700000000000);
	expect("192.0.2.9", "OK", 2);
	assert_int_equal(world.done, 4);
	assert_int_equal(world.failed, 0);
	world_close();
}

static void test_berkeley_writes_as_dracd_does(void **state)
{
	char found[64];

	(void)state;
	world_open(&export_berkeley_btree, "ipv6 = \"short\" value = \"%e\"");
	world_snapshot(1);
	world_change("2001:db8::7", true, 1800000000000);
	expect("10.0.0.0", "1700000000", 2);
	expect("2001:db8::7", "1800000000", 2);
	world_close();

	world_open(&export_berkeley_btree,
	    "ipv6 = \"short\" value = \"%t\" nul = yes cidr = yes");
	world_snapshot(1);
	world_change("2001:db8::7", true, 1800000000000);
	assert_int_equal(look("10.0.0.0/32", sizeof("10.0.0.0/32"), found), 2);
	assert_memory_equal(found, "1699999999", sizeof("1699999999"));
	(void)look("2001:db8::7/128", sizeof("2001:db8::7/128"), found);
	assert_string_equal(found, "1799999999");
	world_close();
}

static void test_berkeley_keys_begin_as_they_are_looked_up(void **state)
{
	(void)state;
	world_open(&export_berkeley_hash, "prefix = \"pop:\" cidr = yes");
	world_snapshot(1);
	world_change("2001:db8::7", true, 1800000000000);
	expect("pop:10.0.0.0/32", "OK", 2);
	expect("pop:ipv6:2001:db8:0:0:0:0:0:7/128", "OK", 2);
	world_close();
}

static void test_berkeley_takes_the_page_size(void **state)
{
	uint32_t page;
	FILE *f;

	(void)state;
	world_open(&export_berkeley_btree, "page-size = 512");
	world_snapshot(MANY);
	expect("10.0.0.2", "OK", MANY);
	f = fopen(world.path, "r");
	assert_non_null(f);
	/* After the file's number, its magic and its version. */
	assert_int_equal(fseek(f, 20, SEEK_SET), 0);
	assert_int_equal(fread(&page, sizeof(page), 1, f), 1);
	assert_int_equal(page, 512);
	assert_int_equal(fclose(f), 0);
	world_close();
}

static void test_berkeley_snapshot_drops_what_it_does_not_name(void **state)
{
	(void)state;
	world_open(&export_berkeley_hash, "");
	world_snapshot(MANY);
	expect("10.0.0.2", "OK", MANY);
	world_close();
	world_open(&export_berkeley_hash, "");
	world_snapshot(0);
	expect("10.0.0.2", "-", 0);
	world_close();
}

static void test_berkeley_each_change_has_a_time_of_its_own(void **state)
{
	time_t before;

	(void)state;
	world_open(&export_berkeley_hash, "");
	world_snapshot(2);
	for (int i = 0; i < 3; i++) {
		before = file_time();
		world_change("192.0.2.1", i % 2 == 0, 1700000000000);
		assert_true(file_time() > before);
	}
	/* A renewal changes nothing here, and no reader has to look. */
	before = file_time();
	world_change("10.0.0.1", true, 1800000000000);
	assert_int_equal(file_time(), before);
	world_close();
}

static void spoil(off_t from, size_t len)
{
	char bytes[4096];
	int fd = open(world.path, O_RDWR);

	memset(bytes, 0xa5, sizeof(bytes));
	must(fd >= 0 && len <= sizeof(bytes));
	must(pwrite(fd, bytes, len, from) == (ssize_t)len);
	(void)close(fd);
}

static void test_berkeley_writes_a_torn_file_anew(void **state)
{
	(void)state;
	world_open(&export_berkeley_hash, "");
	world_snapshot(2000);
	world_close();
	spoil(8192, 4096);
	must(truncate(world.path, 20000) == 0);
	world_open(&export_berkeley_hash, "");
	world_snapshot(2000);
	expect("10.0.7.207", "OK", 2000);
	world_close();
}

static void test_berkeley_never_overwrites_another_file(void **state)
{
	char back[32] = "";
	FILE *file;

	(void)state;
	file = fopen(world.path, "w");
	must(file && fputs("example.org RELAY\n", file) >= 0 &&
	     fclose(file) == 0);
	world_open(&export_berkeley_hash, "");
	world_snapshot(1);
	world_close();
	file = fopen(world.path, "r");
	must(file && fgets(back, sizeof(back), file));
	(void)fclose(file);
	assert_string_equal(back, "example.org RELAY\n");
}

/* A reader: locks, opens, looks for what is always there, and counts. */
static bool read_once(int fd, bool by_flock)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	char found[64];
	size_t rows;

	must((by_flock ? flock(fd, LOCK_SH) : fcntl(fd, F_SETLKW, &l)) == 0);
	rows = look("10.0.0.1", strlen("10.0.0.1"), found);
	l.l_type = F_UNLCK;
	must((by_flock ? flock(fd, LOCK_UN) : fcntl(fd, F_SETLK, &l)) == 0);
	/* Each change brings or takes a hundred. */
	return strcmp(found, "OK") == 0 && rows % 100 == 0;
}

static void change_hundred(bool leased)
{
	char text[ADDR_TEXT_SIZE];

	world_begin(false);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(text, sizeof(text), "192.0.2.%d", i);
		world_add(text, leased, 1700000000000);
	}
	world_apply();
}

static void test_berkeley_reader_never_sees_half_a_change(void **state)
{
	(void)state;
	for (int by_flock = 0; by_flock < 2; by_flock++) {
		int status = 0;
		pid_t pid;

		world_open(&export_berkeley_hash, "");
		world_snapshot(2000);
		pid = fork();
		must(pid >= 0);
		if (pid == 0) {
			int fd = open(world.path, O_RDWR);
			/* As a mail server: not always. */
			while (read_once(fd, by_flock))
				(void)usleep(2000);
			_exit(1);
		}
		for (int i = 0; i < ROUNDS; i++)
			change_hundred(i % 2 == 0);
		/* It reads until it finds something wrong. */
		must(kill(pid, SIGKILL) == 0);
		must(waitpid(pid, &status, 0) == pid);
		assert_true(WIFSIGNALED(status));
		expect("192.0.2.99", "-", 2000);
		change_hundred(true);
		expect("192.0.2.99", "OK", 2100);
		world_close();
	}
}

int main(void)
{
#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_berkeley_holds_what_is_leased),
		TEST(test_berkeley_writes_as_dracd_does),
		TEST(test_berkeley_keys_begin_as_they_are_looked_up),
		TEST(test_berkeley_takes_the_page_size),
		TEST(test_berkeley_snapshot_drops_what_it_does_not_name),
		TEST(test_berkeley_each_change_has_a_time_of_its_own),
		TEST(test_berkeley_writes_a_torn_file_anew),
		TEST(test_berkeley_never_overwrites_another_file),
		TEST(test_berkeley_reader_never_sees_half_a_change),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
