/* SPDX-License-Identifier: ISC */
/* The statements of the kinds "sql", and the options that they are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sql/text.h"

static struct conf *conf;
static struct err err;

static const struct conf_section *section(const char *options)
{
	static const struct option rows[] = { SQL_OPTIONS, OPTION_END };
	static const struct option none[] = { OPTION_END };
	static const struct conf_kind kind = { "sql", "A test.", rows };
	static const struct conf_kind *const kinds[] = { &kind, NULL };
	static const struct conf_schema schema[] = {
		{ "export", "A test.", none, kinds }, { 0 }
	};
	char text[1024];

	conf_free(&conf);
	(void)snprintf(
	    text, sizeof(text), "export t { kind = \"sql\" %s }", options);
	conf = conf_parse(text, strlen(text), "test", schema, &err);
	if (!conf)
		print_error("%s\n", err.text);
	assert_non_null(conf);
	return conf_at(conf, "export", 0);
}

static struct sql_table table_of(const char *options)
{
	const struct conf_section *s = section(options);
	struct sql_table t;

	assert_int_equal(sql_place_check(s, &err), 0);
	assert_int_equal(sql_table_read(s, 1800000, &t, &err), 0);
	return t;
}

static void expect(char *text, const char *want)
{
	assert_string_equal(text, want);
	free(text);
}

#define PG    "engine = \"postgresql\" database = \"d\" "
#define MARIA "engine = \"mariadb\" database = \"d\" "
#define LITE  "engine = \"sqlite\" database = \"/d\" "

/* --- options ---------------------------------------------------------------
 */

static void test_presets_name_table_and_columns(void **state)
{
	static const struct {
		const char *preset, *name, *address, *time;
		bool epoch;
	} rows[] = {
		{ "qpsmtpd", "popbsmtp", "ip", "login_time", false },
		{ "dovecot-mysql", "popbsmtp", "address", "last_seen", false },
		{ "dovecot-postgresql", "auth", "host", "accessed", false },
		{ "vpopmail", "relay", "ip_addr", "timestamp", true },
		{ "dbmail", "dbmail_pbsp", "ipnumber", "since", false },
		{ "relaypass", "relaypass_leases", "address", "last_login",
		    false },
	};
	char options[200];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct sql_table t;

		(void)snprintf(options, sizeof(options), PG "preset = \"%s\"",
		    rows[i].preset);
		t = table_of(options);
		assert_string_equal(t.name, rows[i].name);
		assert_string_equal(t.columns[SQL_ADDRESS], rows[i].address);
		assert_string_equal(t.columns[SQL_TIME], rows[i].time);
		assert_int_equal(t.epoch, rows[i].epoch);
		assert_int_equal(t.period, 1800000);
		assert_int_equal(sql_row_params(&t),
		    i + 1 == COUNT_OF(rows) ? SQL_COLUMNS : 2);
	}
}

static void test_a_column_can_be_named_or_left_out(void **state)
{
	struct sql_table t = table_of(
	    PG "table = \"mail.leases\" time-column = \"-\" user-column = "
	       "\"login\" period = \"60 * 30\" time-format = \"epoch\"");

	(void)state;
	assert_int_equal(sql_row_params(&t), 4);
	assert_string_equal(t.columns[SQL_TIME], "");
	assert_true(t.epoch);
}

static void test_wrong_options_say_what_was_expected(void **state)
{
	static const struct {
		const char *options, *says;
	} rows[] = {
		{ PG "table = \"a.b.c\"", "table: \"a.b.c\": expected" },
		{ PG "table = \"a b\"", "table: \"a b\": expected" },
		{ PG "table = \".a\"", "table: \".a\": expected" },
		{ PG "address-column = \"a.b\"", "address-column: \"a.b\"" },
		{ PG "address-column = \"-\"", "must have one" },
		{ PG "time-column = \"-\" expiry-column = \"-\"",
		    "a time-column or an expiry-column" },
		{ PG "time-column = \"address\"",
		    "is the column of address-column, too" },
		{ PG "tls = \"on\"", "tls: a unix socket has none" },
		{ PG "host = \"db.example.org\" ca = \"/x\"",
		    "ca: it is used by tls" },
		{ "engine = \"sqlite\" database = \"leases\"",
		    "expected the absolute path" },
		{ LITE "host = \"db.example.org\"", "host: not for engine" },
		{ LITE "tls = \"on\"", "tls: not for engine" },
		{ "engine = \"mariadb\" database = \"\"",
		    "database: it needs a name" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct conf_section *s = section(rows[i].options);
		struct sql_table t;

		memset(&err, 0, sizeof(err));
		assert_true(sql_place_check(s, &err) < 0 ||
			    sql_table_read(s, 1, &t, &err) < 0);
		if (!strstr(err.text, rows[i].says))
			print_error("%s\n", err.text);
		assert_non_null(strstr(err.text, rows[i].says));
		assert_int_equal(err.code, EXIT_USER);
	}
}

/* --- statements ------------------------------------------------------------
 */

static void test_two_sections_name_one_table(void **state)
{
	static const struct {
		const char *one, *other;
		bool same;
	} rows[] = {
		{ PG, PG, true },
		{ PG, PG "host = \"/run/postgresql\" port = 5432", true },
		{ PG, PG "host = \"localhost\"", true },
		{ PG, PG "port = 5433", false },
		{ PG, PG "host = \"192.0.2.1\"", false },
		{ PG "host = \"db\"", PG "host = \"DB\"", true },
		{ PG, PG "preset = \"qpsmtpd\"", false },
		{ PG, MARIA, false },
		{ PG, "engine = \"postgresql\" database = \"e\"", false },
		{ PG "table = \"t\"", PG "table = \"a.t\"", true },
		{ PG "table = \"b.t\"", PG "table = \"a.t\"", false },
		{ PG "table = \"T\"", PG "table = \"t\"", false },
		{ MARIA "table = \"T\"", MARIA "table = \"t\"", true },
		/* A schema is a database. */
		{ MARIA "table = \"e.t\"",
		    "engine = \"mysql\" database = \"e\" table = \"t\"", true },
		{ MARIA "table = \"e.t\"", MARIA "table = \"t\"", false },
		{ LITE, LITE "table = \"main.relaypass_leases\"", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct conf *kept;
		const struct conf_section *one = section(rows[i].one), *other;

		kept = conf;
		conf = NULL;
		other = section(rows[i].other);
		if (sql_table_same(one, other) != rows[i].same ||
		    sql_table_same(other, one) != rows[i].same)
			fail_msg("%s, %s", rows[i].one, rows[i].other);
		conf_free(&kept);
	}
}

static void test_upsert_in_each_dialect(void **state)
{
	struct sql_table t = table_of(PG "preset = \"dovecot-postgresql\"");

	(void)state;
	expect(sql_text_upsert(&t, 2),
	    "INSERT INTO \"auth\" (\"host\", \"accessed\") VALUES "
	    "($1, to_timestamp($2::double precision)), "
	    "($3, to_timestamp($4::double precision)) "
	    "ON CONFLICT (\"host\") DO UPDATE SET "
	    "\"accessed\" = excluded.\"accessed\"");
	t = table_of(MARIA "preset = \"dovecot-mysql\"");
	expect(sql_text_upsert(&t, 1),
	    "INSERT INTO `popbsmtp` (`address`, `last_seen`) VALUES "
	    "(?, FROM_UNIXTIME(CAST(? AS SIGNED))) ON DUPLICATE KEY UPDATE "
	    "`last_seen` = VALUES(`last_seen`)");
	t = table_of(LITE "preset = \"qpsmtpd\"");
	expect(sql_text_upsert(&t, 1),
	    "INSERT INTO \"popbsmtp\" (\"ip\", \"login_time\") VALUES "
	    "(?, datetime(?, 'unixepoch')) ON CONFLICT (\"ip\") DO UPDATE SET "
	    "\"login_time\" = excluded.\"login_time\"");
	t = table_of(PG);
	expect(sql_text_upsert(&t, 1),
	    "INSERT INTO \"relaypass_leases\" (\"address\", \"last_login\", "
	    "\"username\", \"source\", \"expires\") VALUES ($1, "
	    "to_timestamp($2::double precision), $3, $4, "
	    "to_timestamp($5::double precision)) ON CONFLICT (\"address\") DO "
	    "UPDATE SET \"last_login\" = excluded.\"last_login\", \"username\" "
	    "= excluded.\"username\", \"source\" = excluded.\"source\", "
	    "\"expires\" = excluded.\"expires\"");
}

static void test_types_that_were_seen_change_the_casts(void **state)
{
	struct sql_table t = table_of(PG "preset = \"dbmail\"");

	(void)state;
	t.inet = true;
	expect(sql_text_delete(&t, 2),
	    "DELETE FROM \"dbmail_pbsp\" WHERE \"ipnumber\" IN ($1::inet, "
	    "$2::inet)");
	expect(sql_text_addresses(&t, false, 10),
	    "SELECT host(\"ipnumber\") FROM \"dbmail_pbsp\" WHERE "
	    "\"ipnumber\" > $1::inet ORDER BY \"ipnumber\" LIMIT 10");
	t = table_of(PG "preset = \"vpopmail\"");
	t.text_times = true;
	expect(sql_text_upsert(&t, 1),
	    "INSERT INTO \"relay\" (\"ip_addr\", \"timestamp\") VALUES ($1, "
	    "$2::text) ON CONFLICT (\"ip_addr\") DO UPDATE SET \"timestamp\" = "
	    "excluded.\"timestamp\"");
}

static void test_a_shared_table_keeps_what_is_later(void **state)
{
	struct sql_table t = table_of(PG "preset = \"dovecot-postgresql\" "
					 "table = \"mail.auth\"");

	(void)state;
	t.shared = true;
	expect(sql_text_upsert(&t, 1),
	    "INSERT INTO \"mail\".\"auth\" AS old (\"host\", \"accessed\") "
	    "VALUES ($1, to_timestamp($2::double precision)) ON CONFLICT "
	    "(\"host\") DO UPDATE SET \"accessed\" = CASE WHEN "
	    "old.\"accessed\" > excluded.\"accessed\" THEN old.\"accessed\" "
	    "ELSE excluded.\"accessed\" END");
	expect(sql_text_delete(&t, 2),
	    "DELETE FROM \"mail\".\"auth\" WHERE (\"host\" = $1 AND "
	    "\"accessed\" <= to_timestamp($2::double precision)) OR (\"host\" "
	    "= $3 AND \"accessed\" <= to_timestamp($4::double precision))");
	t = table_of(
	    MARIA "time-column = \"-\" source-column = \"-\" table = \"t\"");
	t.shared = true;
	expect(sql_text_upsert(&t, 1),
	    "INSERT INTO `t` (`address`, `username`, `expires`) VALUES (?, ?, "
	    "FROM_UNIXTIME(CAST(? AS SIGNED))) ON DUPLICATE KEY UPDATE "
	    "`username` = CASE WHEN `expires` > VALUES(`expires`) THEN "
	    "`username` ELSE VALUES(`username`) END, `expires` = CASE WHEN "
	    "`expires` > VALUES(`expires`) THEN `expires` ELSE "
	    "VALUES(`expires`) END");
	t = table_of(LITE "preset = \"vpopmail\"");
	t.shared = true;
	expect(sql_text_delete(&t, 1),
	    "DELETE FROM \"relay\" WHERE (\"ip_addr\" = ? AND "
	    "CAST(\"timestamp\" AS INTEGER) <= CAST(? AS INTEGER))");
}

static void test_pages_of_addresses_hold_no_null(void **state)
{
	struct sql_table t = table_of(LITE "preset = \"qpsmtpd\"");

	(void)state;
	expect(sql_text_addresses(&t, true, 10),
	    "SELECT \"ip\" FROM \"popbsmtp\" WHERE \"ip\" IS NOT NULL "
	    "ORDER BY \"ip\" LIMIT 10");
	expect(sql_text_addresses(&t, false, 10),
	    "SELECT \"ip\" FROM \"popbsmtp\" WHERE \"ip\" > ? "
	    "ORDER BY \"ip\" LIMIT 10");
}

static void test_purge_compares_the_end_where_there_is_one(void **state)
{
	struct sql_table t = table_of(PG);

	(void)state;
	expect(sql_text_purge(&t),
	    "DELETE FROM \"relaypass_leases\" WHERE \"address\" IN (SELECT "
	    "\"address\" FROM \"relaypass_leases\" WHERE \"expires\" <= "
	    "to_timestamp($1::double precision) LIMIT 5000) AND \"expires\" <= "
	    "to_timestamp($1::double precision)");
	t = table_of(MARIA "preset = \"dovecot-mysql\"");
	expect(sql_text_purge(&t),
	    "DELETE FROM `popbsmtp` WHERE `last_seen` <= "
	    "FROM_UNIXTIME(CAST(? AS SIGNED)) LIMIT 5000");
	t = table_of(LITE "preset = \"vpopmail\"");
	expect(sql_text_purge(&t),
	    "DELETE FROM \"relay\" WHERE \"ip_addr\" IN (SELECT \"ip_addr\" "
	    "FROM \"relay\" WHERE CAST(\"timestamp\" AS INTEGER) <= CAST(? AS "
	    "INTEGER) LIMIT 5000)");
}

static void test_what_the_administrator_is_told_to_run(void **state)
{
	struct sql_table t =
	    table_of(MARIA "preset = \"qpsmtpd\" table = \"maildb.popbsmtp\"");

	(void)state;
	expect(sql_text_widen(&t), "ALTER TABLE `maildb`.`popbsmtp` MODIFY `ip`"
				   " varchar(39) NOT NULL;");
	expect(sql_text_make_unique(&t),
	    "ALTER TABLE `maildb`.`popbsmtp` ADD UNIQUE (`ip`);");
	expect(sql_text_grant(&t, "'r'@'%'", false),
	    "GRANT SELECT, INSERT, UPDATE, DELETE ON `maildb`.`popbsmtp` TO "
	    "'r'@'%';");
	expect(sql_text_grant(&t, "'r'@'%'", true),
	    "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON "
	    "`maildb`.`popbsmtp` TO 'r'@'%';");
	/* Whichever database the administrator's client is connected to. */
	t = table_of("engine = \"mysql\" database = \"d.`b\" "
		     "preset = \"qpsmtpd\"");
	expect(sql_text_widen(&t), "ALTER TABLE `d.``b`.`popbsmtp` MODIFY `ip`"
				   " varchar(39) NOT NULL;");
	expect(sql_text_grant(&t, "'r'@'%'", false),
	    "GRANT SELECT, INSERT, UPDATE, DELETE ON `d.``b`.`popbsmtp` TO "
	    "'r'@'%';");
	t = table_of(PG "table = \"ma\\\"il.t\"");
	expect(sql_text_grant_schema(&t, "r", "public", true),
	    "GRANT USAGE, CREATE ON SCHEMA \"ma\"\"il\" TO r;");
	t = table_of(PG "preset = \"dovecot-postgresql\"");
	expect(sql_text_grant_schema(&t, "r", "public", true),
	    "GRANT USAGE, CREATE ON SCHEMA public TO r;");
	expect(sql_text_grant_schema(&t, "r", "public", false),
	    "GRANT USAGE ON SCHEMA public TO r;");
	expect(sql_text_widen(&t), "ALTER TABLE \"auth\" ALTER COLUMN \"host\""
				   " TYPE varchar(39);");
	expect(sql_text_create(&t),
	    "CREATE TABLE \"auth\" (\"host\" varchar(39) NOT NULL PRIMARY KEY, "
	    "\"accessed\" timestamptz NOT NULL)");
	t = table_of(LITE "preset = \"qpsmtpd\"");
	expect(sql_text_make_unique(&t),
	    "CREATE UNIQUE INDEX \"popbsmtp_ip\" ON \"popbsmtp\" (\"ip\");");
}

/* --- quoting ---------------------------------------------------------------
 */

/* Reads a quoted identifier as the databases do; the byte behind it. */
static const char *unquote(const char *p, char quote, char *out)
{
	assert_int_equal(*p, quote);
	for (p++;; p++) {
		assert_int_not_equal(*p, '\0');
		if (*p == quote && *++p != quote)
			break;
		*out++ = *p;
	}
	*out = '\0';
	return p;
}

/* xorshift32: the same names each time. */
static size_t any(size_t below)
{
	static uint32_t x = 2463534242;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x % below;
}

/* Whatever a good name is made of, it is one identifier and nothing behind. */
static void test_any_good_name_stays_one_identifier(void **state)
{
	static const char bytes[] = "\"\"``''\\;-- a.Z$%()=?\x7f\xc3\n";
	size_t good = 0;

	(void)state;
	for (size_t i = 0; i < 200000; i++) {
		char name[SQL_NAME_MAX + 4] = { 0 }, back[2][SQL_NAME_MAX + 4];
		size_t len = any(12);
		bool qualified = any(2) == 1;
		enum sql_engine_id engine = (enum sql_engine_id)any(3);
		char quote = engine == SQL_MARIADB ? '`' : '"';
		struct sql_text t = { 0 };
		const char *p, *dot;

		for (size_t j = 0; j < len; j++)
			name[j] = bytes[any(sizeof(bytes) - 1)];
		if (!sql_name_is_good(name, qualified))
			continue;
		good++;
		sql_put_name(&t, engine, name, qualified);
		p = unquote(t.bytes, quote, back[0]);
		dot = strchr(name, '.');
		if (dot) {
			assert_true(qualified);
			assert_memory_equal(
			    back[0], name, (size_t)(dot - name));
			assert_int_equal(*p, '.');
			p = unquote(p + 1, quote, back[1]);
			assert_string_equal(back[1], dot + 1);
		} else {
			assert_string_equal(back[0], name);
		}
		assert_string_equal(p, "");
		free(t.bytes);
	}
	assert_true(good > 10000);
}

static void test_names_have_limits(void **state)
{
	char name[SQL_NAME_MAX + 2];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[SQL_NAME_MAX] = '\0';
	assert_true(sql_name_is_good(name, false));
	name[SQL_NAME_MAX] = 'n';
	name[SQL_NAME_MAX + 1] = '\0';
	assert_false(sql_name_is_good(name, false));
	assert_false(sql_name_is_good("", false));
	assert_false(sql_name_is_good("a.b", false));
	assert_false(sql_name_is_good("a.", true));
	assert_false(sql_name_is_good("..", true));
	assert_true(sql_name_is_good("a.b", true));
}

static int teardown(void **state)
{
	(void)state;
	conf_free(&conf);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_presets_name_table_and_columns),
		cmocka_unit_test(test_a_column_can_be_named_or_left_out),
		cmocka_unit_test(test_wrong_options_say_what_was_expected),
		cmocka_unit_test(test_two_sections_name_one_table),
		cmocka_unit_test(test_upsert_in_each_dialect),
		cmocka_unit_test(test_types_that_were_seen_change_the_casts),
		cmocka_unit_test(test_a_shared_table_keeps_what_is_later),
		cmocka_unit_test(test_pages_of_addresses_hold_no_null),
		cmocka_unit_test(
		    test_purge_compares_the_end_where_there_is_one),
		cmocka_unit_test(test_what_the_administrator_is_told_to_run),
		cmocka_unit_test(test_any_good_name_stays_one_identifier),
		cmocka_unit_test(test_names_have_limits),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
