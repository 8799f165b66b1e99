/* SPDX-License-Identifier: ISC */
/*
 * test_sqlite_module - SQLite through its module: values as they were, every
 * fault by its name, files that are missing, locked, moved, full or damaged.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sql/sql.h"

enum { PATH_SIZE = 256, LONG = 100000, MANY = 100, SECOND = 1000000000 };

static const struct sql_engine *sqlite;
static char directory[PATH_SIZE], file[PATH_SIZE + 8];
static struct sql_conn *db;
static int64_t timeout = 60000; /* ms, of what is opened */

static struct sql_conn *open_file(const char *path, bool create)
{
	struct sql_place place = { .host = "",
		.database = path,
		.user = "",
		.password = "",
		.ca = "",
		.create = create,
		.timeout = timeout };
	struct err err = { 0 };
	struct sql_conn *c = sqlite->open(&place, &err);

	if (!c)
		fail_msg("%s", err.text);
	return c;
}

static int run(struct sql_conn *c, const char *statement)
{
	return sqlite->run(c, statement, NULL, 0);
}

static void good(struct sql_conn *c, const char *statement)
{
	const char *text;

	if (run(c, statement) != SQL_DONE) {
		(void)sqlite->fault(c, &text);
		fail_msg("%s: %s", statement, text);
	}
}

static void assert_fault(
    struct sql_conn *c, enum sql_fault fault, const char *words)
{
	const char *text = NULL;

	assert_int_equal(sqlite->fault(c, &text), fault);
	if (!strstr(text, words))
		fail_msg("\"%s\" is not in: %s", words, text);
	assert_null(strchr(text, '\n'));
	assert_int_equal(sqlite->rows(c), 0);
	assert_int_equal(sqlite->affected(c), 0);
}

static void bad(struct sql_conn *c, const char *statement, enum sql_fault fault,
    const char *words)
{
	assert_int_equal(run(c, statement), SQL_FAILED);
	assert_fault(c, fault, words);
}

static void assert_value(size_t row, size_t column, const char *text)
{
	struct sql_value v = sqlite->value(db, row, column);

	if (!text) {
		assert_null(v.text);
		return;
	}
	assert_non_null(v.text);
	assert_string_equal(v.text, text);
	assert_int_equal(v.len, strlen(text));
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(directory, sizeof(directory), "/tmp/test-sqlite-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	(void)snprintf(file, sizeof(file), "%s/db", directory);
	db = open_file(file, true);
	if (sqlite->connect(db) != SQL_DONE)
		return -1;
	good(db, "CREATE TABLE lease (ip TEXT PRIMARY KEY, n INTEGER)");
	return 0;
}

static int tear_down(void **state)
{
	static const char *const ends[] = { "", "-journal", "-wal", "-shm",
		".away" };
	char path[PATH_SIZE + 16];

	(void)state;
	sqlite->close(&db);
	assert_null(db);
	sqlite->close(&db); /* none: nothing happens */
	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", file, ends[i]);
		(void)unlink(path);
	}
	return rmdir(directory);
}

static int load(void **state)
{
	struct err err = { 0 };

	(void)state;
	sqlite = sql_engine_load(SQL_SQLITE, &err);
	if (!sqlite)
		fail_msg("%s", err.text);
	return 0;
}

/* --- values --- */

static void test_sqlite_module_gives_values_as_they_were(void **state)
{
	static char longest[LONG + 1];
	const struct sql_value in[] = { { "it's \"x\"; --", 13 }, { "", 0 },
		{ NULL, 0 }, { "a\0b", 3 }, { longest, LONG },
		{ "m\xc3\xbcller", 7 } };
	struct sql_value out;

	(void)state;
	memset(longest, 'y', LONG);
	assert_int_equal(
	    sqlite->run(db, "SELECT ?, ?, ?, ?, ?, ?, 7, 0.5, x'00ff'", in,
		COUNT_OF(in)),
	    SQL_DONE);
	assert_int_equal(sqlite->rows(db), 1);
	assert_int_equal(sqlite->columns(db), 9);
	assert_int_equal(sqlite->affected(db), 0);
	for (size_t i = 0; i < COUNT_OF(in); i++) {
		out = sqlite->value(db, 0, i);
		assert_int_equal(out.len, in[i].len);
		assert_int_equal(!out.text, !in[i].text);
		if (in[i].text)
			assert_memory_equal(out.text, in[i].text, in[i].len);
	}
	assert_value(0, 6, "7");
	assert_value(0, 7, "0.5");
	assert_int_equal(sqlite->value(db, 0, 8).len, 2);
	assert_int_equal(sqlite->fd(db), -1);
	assert_int_equal(sqlite->step(db, 0), SQL_DONE);
}

static void test_sqlite_module_counts_rows(void **state)
{
	(void)state;
	good(db, "INSERT INTO lease VALUES ('a', 1), ('b', 2), ('c', NULL)");
	assert_int_equal(sqlite->affected(db), 3);
	assert_int_equal(sqlite->columns(db), 0);
	good(db, "SELECT ip, n FROM lease ORDER BY ip");
	assert_int_equal(sqlite->affected(db), 0);
	assert_int_equal(sqlite->rows(db), 3);
	assert_value(0, 0, "a");
	assert_value(1, 1, "2");
	assert_value(2, 1, NULL);
	good(db, "UPDATE lease SET n = 2 WHERE n = 2");
	assert_int_equal(sqlite->affected(db), 1);
	good(db, "DELETE FROM lease WHERE n = 9");
	assert_int_equal(sqlite->affected(db), 0);
	good(db, "CREATE TABLE other (a)");
	assert_int_equal(sqlite->affected(db), 0);
	good(db, "SELECT ip FROM lease WHERE n = 9");
	assert_int_equal(sqlite->rows(db), 0);
	assert_int_equal(sqlite->columns(db), 1);
	good(db, "INSERT INTO lease VALUES ('a', 5) ON CONFLICT (ip) DO "
		 "UPDATE SET n = excluded.n RETURNING n");
	assert_int_equal(sqlite->affected(db), 1);
	assert_value(0, 0, "5");
}

/* More than are kept, each more than once. */
static void test_sqlite_module_keeps_statements(void **state)
{
	(void)state;
	for (int i = 0; i < 3 * MANY; i++) {
		char statement[64], text[16];
		struct sql_value v = { text, 0 };

		v.len = (size_t)snprintf(text, sizeof(text), "%d", i);
		(void)snprintf(statement, sizeof(statement),
		    "SELECT ? || '-%d'", i % MANY);
		assert_int_equal(sqlite->run(db, statement, &v, 1), SQL_DONE);
		(void)snprintf(
		    statement, sizeof(statement), "%d-%d", i, i % MANY);
		assert_value(0, 0, statement);
	}
}

static void test_sqlite_module_follows_a_changed_table(void **state)
{
	struct sql_conn *other = open_file(file, false);

	(void)state;
	good(db, "SELECT * FROM lease");
	assert_int_equal(sqlite->columns(db), 2);
	assert_int_equal(sqlite->connect(other), SQL_DONE);
	good(other, "ALTER TABLE lease ADD COLUMN more");
	good(db, "SELECT * FROM lease");
	good(other, "INSERT INTO lease VALUES ('a', 1, 2)");
	good(db, "SELECT * FROM lease");
	assert_int_equal(sqlite->columns(db), 3);
	assert_value(0, 2, "2");
	good(other, "DROP TABLE lease");
	bad(db, "SELECT * FROM lease", SQL_FAULT_NO_TABLE, "lease");
	sqlite->close(&other);
}

/* --- faults --- */

static void test_sqlite_module_names_faults(void **state)
{
	const struct sql_value one = { "1", 1 };

	(void)state;
	good(db, "INSERT INTO lease VALUES ('a', 1)");
	bad(db, "SELECT x FROM missing", SQL_FAULT_NO_TABLE, "missing");
	bad(db, "SELECT missing FROM lease", SQL_FAULT_NO_COLUMN, "missing");
	bad(db, "INSERT INTO lease (missing) VALUES (1)", SQL_FAULT_NO_COLUMN,
	    "missing");
	/* Not a string, as SQLite takes it by itself. */
	bad(db, "SELECT \"missing\" FROM lease", SQL_FAULT_NO_COLUMN,
	    "missing");
	bad(db, "INSERT INTO lease VALUES ('a', 2)", SQL_FAULT_DUPLICATE,
	    "lease.ip");
	bad(db, "SELEC", SQL_FAULT_OTHER, "SELEC");
	bad(db, "", SQL_FAULT_OTHER, "one statement");
	bad(db, "SELECT 1; SELECT 2", SQL_FAULT_OTHER, "one statement");
	good(db, "SELECT 1; \n");
	bad(db, "SELECT ?", SQL_FAULT_OTHER, "parameters");
	assert_int_equal(sqlite->run(db, "SELECT 1", &one, 1), SQL_FAILED);
	assert_fault(db, SQL_FAULT_OTHER, "parameters");
	assert_int_equal(sqlite->step(db, 0), SQL_FAILED);
	good(db, "SELECT n FROM lease");
	assert_value(0, 0, "1");
}

/* Between two characters, with a sign that it was cut. */
static void test_sqlite_module_cuts_long_words(void **state)
{
	static const char euro[] = "\xe2\x82\xac";
	enum { PIECES = 2 * SQL_WORDS_SIZE / 3 };
	size_t cut = 0;

	(void)state;
	for (size_t n = 0; n < PIECES; n++) {
		char statement[sizeof(euro) * PIECES + 32];
		const char *text, *end;
		size_t at = (size_t)snprintf(
		    statement, sizeof(statement), "SELECT x FROM \"");

		for (size_t i = 0; i < n; i++)
			at += (size_t)snprintf(
			    statement + at, sizeof(statement) - at, "%s", euro);
		(void)snprintf(statement + at, sizeof(statement) - at, "\"");
		bad(db, statement, SQL_FAULT_NO_TABLE, "no such table: ");
		(void)sqlite->fault(db, &text);
		assert_true(strlen(text) < SQL_WORDS_SIZE);
		end = strstr(text, "...");
		if (end) {
			cut++;
			assert_string_equal(end, "...");
			assert_memory_equal(
			    end - strlen(euro), euro, strlen(euro));
		} else {
			assert_int_equal(
			    strlen(strstr(text, "table: ")), 7 + 3 * n);
		}
	}
	assert_true(cut > PIECES / 3 && cut < PIECES);
}

static void test_sqlite_module_trusts_no_file(void **state)
{
	(void)state;
	bad(db, "SELECT load_extension('/nonexistent')", SQL_FAULT_OTHER,
	    "not authorized");
	good(db, "PRAGMA trusted_schema");
	assert_value(0, 0, "0");
	good(db, "PRAGMA cell_size_check");
	assert_value(0, 0, "1");
	good(db, "PRAGMA journal_mode");
	assert_value(0, 0, "delete");
}

static void test_sqlite_module_waits_for_a_lock_shortly(void **state)
{
	struct sql_conn *other = open_file(file, false);
	uint64_t before;

	(void)state;
	assert_int_equal(sqlite->connect(other), SQL_DONE);
	good(other, "BEGIN EXCLUSIVE");
	before = uv_hrtime();
	bad(db, "INSERT INTO lease VALUES ('a', 1)", SQL_FAULT_BUSY, "locked");
	bad(db, "SELECT ip FROM lease", SQL_FAULT_BUSY, "locked");
	assert_true(uv_hrtime() - before < SECOND);
	good(other, "COMMIT");
	good(db, "INSERT INTO lease VALUES ('a', 1)");
	/* A file can be locked while it is opened, too. */
	good(db, "BEGIN EXCLUSIVE");
	assert_int_equal(sqlite->connect(other), SQL_FAILED);
	assert_fault(other, SQL_FAULT_BUSY, file);
	bad(other, "SELECT 1", SQL_FAULT_GONE, "not connected");
	good(db, "COMMIT");
	sqlite->close(&other);
}

static void test_sqlite_module_says_what_is_read_only_or_full(void **state)
{
	char fill[128];

	(void)state;
	good(db, "PRAGMA query_only = ON");
	bad(db, "INSERT INTO lease VALUES ('a', 1)", SQL_FAULT_DENIED,
	    "readonly");
	good(db, "PRAGMA query_only = OFF");
	good(db, "PRAGMA max_page_count = 20");
	(void)snprintf(fill, sizeof(fill),
	    "INSERT INTO lease VALUES ('big', zeroblob(%d))", LONG);
	bad(db, fill, SQL_FAULT_FULL, "full");
	good(db, "INSERT INTO lease VALUES ('a', 1)");
}

#define NUMBERS(end)                                                           \
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n" end   \
	") "

/* A table may be a view that never ends, or gives more than there is room. */
static void test_sqlite_module_gives_up_what_never_ends(void **state)
{
	struct sql_conn *hasty;
	uint64_t before;

	(void)state;
	good(db, "CREATE VIEW endless AS " NUMBERS("") "SELECT i FROM n");
	timeout = 500;
	hasty = open_file(file, false);
	timeout = 60000;
	assert_int_equal(sqlite->connect(hasty), SQL_DONE);
	before = uv_hrtime();
	bad(hasty, "SELECT i FROM endless WHERE i < 0", SQL_FAULT_OTHER,
	    "500 ms");
	assert_in_range(uv_hrtime() - before, SECOND / 2, 30ULL * SECOND);
	/* Each statement has all of the time, and nothing stays locked. */
	good(hasty, "SELECT n FROM lease");
	good(db, "DROP TABLE lease");
	sqlite->close(&hasty);
}

static void test_sqlite_module_gives_up_what_is_too_large(void **state)
{
	(void)state;
	bad(db, NUMBERS(" LIMIT 10000") "SELECT i, hex(zeroblob(5000)) FROM n",
	    SQL_FAULT_OTHER, "too large");
	bad(db, NUMBERS("") "SELECT NULL FROM n", SQL_FAULT_OTHER, "too large");
	good(db, NUMBERS(" LIMIT 2000") "SELECT i, hex(zeroblob(5000)) FROM n");
	assert_int_equal(sqlite->rows(db), 2000);
	assert_value(1999, 0, "2000");
	/* The statement is not left half done. */
	good(db, "DROP TABLE lease");
}

/* --- files --- */

static void refused(
    const char *path, bool create, enum sql_fault fault, const char *words)
{
	struct sql_conn *c = open_file(path, create);

	assert_int_equal(sqlite->connect(c), SQL_FAILED);
	assert_fault(c, fault, words);
	assert_fault(c, fault, path);
	bad(c, "SELECT 1", SQL_FAULT_GONE, "not connected");
	sqlite->close(&c);
}

static void write_file(const char *path, const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(close(fd), 0);
}

static void test_sqlite_module_refuses_what_is_no_database(void **state)
{
	struct sql_place place = { .database = "relative.db" };
	struct err err = { 0 };
	char path[PATH_SIZE + 16];
	static char text[4096];

	(void)state;
	assert_null(sqlite->open(&place, &err));
	assert_int_equal(err.code, EXIT_USER);
	assert_non_null(strstr(err.text, "relative.db"));
	(void)snprintf(path, sizeof(path), "%s.away", file);
	refused(path, false, SQL_FAULT_LOGIN, "not made unasked");
	assert_int_equal(access(path, F_OK), -1);
	refused(directory, false, SQL_FAULT_LOGIN, "");
	memset(text, 'x', sizeof(text));
	write_file(path, text, sizeof(text));
	refused(path, false, SQL_FAULT_OTHER, "not a database");
	refused(path, true, SQL_FAULT_OTHER, "not a database");
	(void)snprintf(path, sizeof(path), "%s/none/db", directory);
	refused(path, false, SQL_FAULT_LOGIN, "No such file");
	refused(path, true, SQL_FAULT_LOGIN, "No such file");
}

/* The same numbers each time. */
static uint32_t any(void)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(state >> 32);
}

/* What comes is a fault or rows, never a crash. */
static void test_sqlite_module_bears_damaged_files(void **state)
{
	static char bytes[1 << 16];
	struct stat st;
	int fd;

	(void)state;
	good(db, "INSERT INTO lease SELECT value, value FROM "
		 "json_each('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]')");
	good(db, "INSERT INTO lease SELECT a.ip || '.' || b.ip || '.' || c.ip, "
		 "1 FROM lease a, lease b, lease c WHERE c.n < 3");
	sqlite->close(&db);
	assert_int_equal(stat(file, &st), 0);
	assert_in_range(st.st_size, 8192, sizeof(bytes));
	fd = open(file, O_RDONLY);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), st.st_size);
	(void)close(fd);
	for (int i = 0; i < 500; i++) {
		static char hurt[sizeof(bytes)];

		memcpy(hurt, bytes, (size_t)st.st_size);
		/* Behind the header's first words. */
		for (int n = 0; n <= i % 40; n++)
			hurt[40 + any() % (st.st_size - 40)] = (char)any();
		write_file(file, hurt,
		    (size_t)(i % 5 ? st.st_size : any() % st.st_size));
		db = open_file(file, false);
		if (sqlite->connect(db) == SQL_DONE) {
			(void)run(db, "SELECT sum(n), count(ip) FROM lease");
			(void)run(db, "UPDATE lease SET n = n + 1");
			(void)run(db, "DELETE FROM lease WHERE ip > '3'");
			(void)run(db, "SELECT * FROM lease");
		}
		sqlite->close(&db);
	}
	write_file(file, bytes, (size_t)st.st_size / 2);
	refused(file, false, SQL_FAULT_OTHER, "malformed");
}

static void test_sqlite_module_notices_a_file_that_was_moved(void **state)
{
	char away[PATH_SIZE + 16];

	(void)state;
	good(db, "INSERT INTO lease VALUES ('a', 1)");
	(void)snprintf(away, sizeof(away), "%s.away", file);
	assert_int_equal(rename(file, away), 0);
	bad(db, "INSERT INTO lease VALUES ('b', 1)", SQL_FAULT_GONE, file);
	assert_int_equal(rename(away, file), 0);
	/* Another file of the same name. */
	sqlite->close(&db);
	db = open_file(file, true);
	assert_int_equal(sqlite->connect(db), SQL_DONE);
	assert_int_equal(rename(file, away), 0);
	write_file(file, "", 0);
	bad(db, "INSERT INTO lease VALUES ('b', 1)", SQL_FAULT_GONE, file);
	assert_int_equal(sqlite->connect(db), SQL_DONE);
	bad(db, "SELECT ip FROM lease", SQL_FAULT_NO_TABLE, "lease");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_sqlite_module_gives_values_as_they_were),
		TEST(test_sqlite_module_counts_rows),
		TEST(test_sqlite_module_keeps_statements),
		TEST(test_sqlite_module_follows_a_changed_table),
		TEST(test_sqlite_module_names_faults),
		TEST(test_sqlite_module_cuts_long_words),
		TEST(test_sqlite_module_trusts_no_file),
		TEST(test_sqlite_module_waits_for_a_lock_shortly),
		TEST(test_sqlite_module_says_what_is_read_only_or_full),
		TEST(test_sqlite_module_gives_up_what_never_ends),
		TEST(test_sqlite_module_gives_up_what_is_too_large),
		TEST(test_sqlite_module_refuses_what_is_no_database),
		TEST(test_sqlite_module_bears_damaged_files),
		TEST(test_sqlite_module_notices_a_file_that_was_moved),
	};

	return cmocka_run_group_tests(tests, load, NULL);
}
