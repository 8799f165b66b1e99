/* SPDX-License-Identifier: ISC */
/* What a database answers about a table, and what the administrator is told of
 * it: an engine that only has the values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sql/look.h"

enum { COLUMNS = 6, ROWS_MAX = 4 };

struct sql_conn {
	const char *cells[ROWS_MAX][COLUMNS];
};

static struct sql_value cell(
    const struct sql_conn *c, size_t row, size_t column)
{
	return sql_value_of(c->cells[row][column]);
}

static const struct sql_engine engine = { .value = cell };
static struct sql_table table;
static struct sql_look look;

static int setup(void **state)
{
	(void)state;
	table = (struct sql_table){ .engine = SQL_MARIADB,
		.preset = SQL_PRESET_DOVECOT_MYSQL,
		.database = "mail",
		.name = "popbsmtp",
		.columns = { "address", "last_seen", "", "", "" } };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sql_look_end(&look);
	return 0;
}

static void fails(enum sql_fault fault, const char *text)
{
	const struct sql_result r = { .fault = fault, .text = text };

	assert_int_equal(look.verdict, SQL_LOOK_GOES_ON);
	sql_look_take(&look, &r);
}

static void gives(const struct sql_conn *conn, size_t rows)
{
	const struct sql_result r = { .text = "",
		.rows = rows,
		.columns = COLUMNS,
		.engine = &engine,
		.conn = conn };

	assert_int_equal(look.verdict, SQL_LOOK_GOES_ON);
	sql_look_take(&look, &r);
}

static void gives_none(void)
{
	gives(NULL, 0);
}

static void gives_account(const char *account, const char *schema)
{
	const struct sql_conn one = { { { account, schema } } };

	gives(&one, 1);
}

static void gives_good_columns(void)
{
	const struct sql_conn two = { {
	    { "address", "varchar", "39", "", "", "1" },
	    { "last_seen", "datetime", "", "", "", "" },
	} };

	gives(&two, 2);
}

static void is_told(enum sql_look_verdict verdict, const char *text)
{
	assert_int_equal(look.verdict, verdict);
	assert_int_equal(look.err.code, EXIT_USER);
	assert_string_equal(look.err.text, text);
	assert_null(look.statement);
}

static void test_sql_look_at_a_good_table(void **state)
{
	(void)state;
	sql_look_begin(&look, &table);
	assert_int_equal(look.count, 2);
	assert_string_equal(look.params[0].text, "");
	assert_string_equal(look.params[1].text, "popbsmtp");
	gives_good_columns();
	for (int i = 0; i < SQL_RIGHTS; i++)
		gives_none();
	assert_int_equal(look.verdict, SQL_LOOK_GOOD);
}

/* MariaDB does not tell one who has no right whether there is a table. */
static void test_sql_look_at_a_hidden_table(void **state)
{
	(void)state;
	sql_look_begin(&look, &table);
	gives_none();
	assert_non_null(strstr(look.statement, "FROM `mail`.`popbsmtp`"));
	fails(SQL_FAULT_DENIED, "SELECT command denied");
	gives_account("'leases'@'localhost'", NULL);
	is_told(SQL_LOOK_WRONG,
	    "table: there is no table \"popbsmtp\", or user may not see it; "
	    "run: GRANT SELECT, INSERT, UPDATE, DELETE ON `mail`.`popbsmtp` TO "
	    "'leases'@'localhost';");
}

static void test_sql_look_at_a_missing_table(void **state)
{
	(void)state;
	sql_look_begin(&look, &table);
	gives_none();
	fails(SQL_FAULT_NO_TABLE, "no such table");
	is_told(SQL_LOOK_NO_TABLE,
	    "table: there is no table \"popbsmtp\"; set create-table = yes, "
	    "or run: CREATE TABLE `mail`.`popbsmtp` (`address` varchar(39) NOT "
	    "NULL PRIMARY KEY, `last_seen` datetime NOT NULL) ENGINE=InnoDB "
	    "DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;");
}

/* However long the server's words are, the statement is whole. */
static void test_sql_look_without_a_right(void **state)
{
	char words[2 * SQL_WORDS_SIZE];

	(void)state;
	memset(words, 'w', sizeof(words));
	words[sizeof(words) - 1] = '\0';
	sql_look_begin(&look, &table);
	gives_good_columns();
	gives_none();
	fails(SQL_FAULT_DENIED, words);
	gives_account("'leases'@'%'", NULL);
	assert_int_equal(look.verdict, SQL_LOOK_WRONG);
	assert_non_null(strstr(look.err.text, "INSERT on popbsmtp is denied: "
					      "wwww"));
	assert_non_null(strstr(look.err.text,
	    "w...; run: GRANT SELECT, INSERT, UPDATE, DELETE ON "
	    "`mail`.`popbsmtp` TO 'leases'@'%';"));
}

static void test_sql_look_without_a_right_to_the_schema(void **state)
{
	(void)state;
	table.engine = SQL_POSTGRESQL;
	table.name = "mail.auth";
	sql_look_begin(&look, &table);
	assert_int_equal(look.count, 1);
	assert_string_equal(look.params[0].text, "\"mail\".\"auth\"");
	fails(SQL_FAULT_DENIED, "permission denied for schema mail");
	gives_account("leases", "public");
	is_told(SQL_LOOK_WRONG,
	    "table: mail.auth: permission denied for schema mail; run: GRANT "
	    "USAGE ON SCHEMA \"mail\" TO leases;");
}

static void test_sql_look_without_the_right_to_create(void **state)
{
	(void)state;
	table.create = true;
	sql_look_begin(&look, &table);
	gives_none();
	assert_non_null(strstr(look.statement, "CREATE TABLE"));
	fails(SQL_FAULT_DENIED, "CREATE command denied");
	gives_account("'leases'@'%'", NULL);
	is_told(SQL_LOOK_WRONG,
	    "create-table: popbsmtp cannot be made: CREATE command denied; "
	    "run: GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON "
	    "`mail`.`popbsmtp` TO 'leases'@'%';");
}

static void test_sql_look_while_the_database_is_lost(void **state)
{
	(void)state;
	sql_look_begin(&look, &table);
	gives_none();
	fails(SQL_FAULT_GONE, "the server has gone away");
	assert_int_equal(look.verdict, SQL_LOOK_FAILED);
	assert_int_equal(look.err.code, EXIT_AGAIN);
}

#define LOOK(name)                                                             \
	cmocka_unit_test_setup_teardown(test_sql_look_##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOK(at_a_good_table),
		LOOK(at_a_hidden_table),
		LOOK(at_a_missing_table),
		LOOK(without_a_right),
		LOOK(without_a_right_to_the_schema),
		LOOK(without_the_right_to_create),
		LOOK(while_the_database_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
