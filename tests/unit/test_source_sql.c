/* SPDX-License-Identifier: ISC */
/*
 * test_source_sql - rows as logins, which rows were taken, and which ids of a
 * sequence are yet to come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "source/sql_login.h"
#include "source/sql_seen.h"
#include "source/sql_since.h"
#include "source/stream_ids.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define THERE  INT64_C(1700000000000)
#define HERE   (THERE + 7 * MINUTE) /* our clock is ahead of the database's */

static const struct sql_row_clock watch = { .here = HERE,
	.there = THERE,
	.period = 30 * MINUTE,
	.max_skew = 5 * MINUTE,
	.ttl = 30 * MINUTE };

static struct sql_value value(const char *text)
{
	return (struct sql_value){ text, text ? strlen(text) : 0 };
}

static enum sql_row_worth read_row(const char *address, const char *time,
    const char *user, const char *expiry, struct login *out)
{
	const struct sql_row row = { value(address), value(time), value(user),
		value(expiry) };

	return sql_row_read(&row, &watch, out);
}

/* --- one row ---------------------------------------------------------------
 */

static void test_a_row_is_as_old_as_the_database_says(void **state)
{
	struct login l;

	(void)state;
	assert_int_equal(read_row("192.0.2.7", "1699999940", "anna", NULL, &l),
	    SQL_ROW_LOGIN);
	assert_int_equal(l.kind, LOGIN_IN);
	assert_true(l.time == HERE - MINUTE);
	assert_string_equal(l.user, "anna");
	assert_int_equal(l.user_len, 4);
	assert_string_equal(l.server, "sql");
	assert_int_equal(l.userless, 0);
	/* Ahead, but not by much: now, not later. */
	assert_int_equal(
	    read_row("192.0.2.7", "1700000100", NULL, NULL, &l), SQL_ROW_LOGIN);
	assert_true(l.time == HERE);
	assert_int_equal(l.userless, 1);
}

static void test_clocks_that_agree_are_one(void **state)
{
	const struct sql_row row = { value("192.0.2.7"), value("1699999999"),
		value(NULL), value(NULL) };
	struct sql_row_clock near = watch;
	struct login l;

	(void)state;
	for (int64_t ahead = -499; ahead < 500; ahead += 499) {
		near.here = THERE + ahead;
		assert_int_equal(sql_row_read(&row, &near, &l), SQL_ROW_LOGIN);
		assert_true(l.time == THERE - SECOND);
	}
	/* Whole seconds, and never to the row's good. */
	near.here = THERE + 2999;
	assert_int_equal(sql_row_read(&row, &near, &l), SQL_ROW_LOGIN);
	assert_true(l.time == THERE + SECOND);
	near.here = THERE - 500;
	assert_int_equal(sql_row_read(&row, &near, &l), SQL_ROW_LOGIN);
	assert_true(l.time == THERE - 2 * SECOND);
}

static void test_no_lease_outlives_its_row(void **state)
{
	const struct sql_row nine = { value("192.0.2.7"), value("1699999460"),
		value(NULL), value(NULL) };
	struct sql_row_clock c = watch;
	struct login l;

	(void)state;
	/* Its own expiry, two minutes from now. */
	assert_int_equal(
	    read_row("192.0.2.7", "1700000000", NULL, "1700000120", &l),
	    SQL_ROW_LOGIN);
	assert_true(l.time + watch.ttl == HERE + 2 * MINUTE);
	/* The same for one that is ahead of its time. */
	assert_int_equal(
	    read_row("192.0.2.7", "1700000100", NULL, "1700000120", &l),
	    SQL_ROW_LOGIN);
	assert_true(l.time + watch.ttl == HERE + 2 * MINUTE);
	/* One that is far does not count: the time does. */
	assert_int_equal(
	    read_row("192.0.2.7", "1699999940", NULL, "1800000000", &l),
	    SQL_ROW_LOGIN);
	assert_true(l.time == HERE - MINUTE);
	/* A period of ten minutes, nine of them over. */
	c.period = 10 * MINUTE;
	assert_int_equal(sql_row_read(&nine, &c, &l), SQL_ROW_LOGIN);
	assert_true(l.time + c.ttl == HERE + MINUTE);
	/* An import has rules of its own. */
	c.period = INT64_MAX;
	c.ttl = 0;
	assert_int_equal(sql_row_read(&nine, &c, &l), SQL_ROW_LOGIN);
	assert_true(l.time == HERE - 9 * MINUTE);
}

static void test_a_value_that_was_cut_off_does_not_count(void **state)
{
	char text[SQL_USER_CUT + 1];
	struct login l;

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "192.0.2.7", 9);
	text[SQL_ADDRESS_CUT] = '\0';
	assert_int_equal(
	    read_row(text, "1700000000", NULL, NULL, &l), SQL_ROW_BAD_ADDRESS);
	text[SQL_ADDRESS_CUT - 1] = '\0';
	assert_int_equal(
	    read_row(text, "1700000000", NULL, NULL, &l), SQL_ROW_LOGIN);
	memset(text, ' ', sizeof(text));
	memcpy(text, "1700000000", 10);
	text[SQL_TIME_CUT] = '\0';
	assert_int_equal(
	    read_row("192.0.2.7", text, NULL, NULL, &l), SQL_ROW_BAD_TIME);
	memset(text, ' ', sizeof(text));
	memcpy(text, "anna", 4);
	text[SQL_USER_CUT] = '\0';
	assert_int_equal(read_row("192.0.2.7", "1700000000", text, NULL, &l),
	    SQL_ROW_BAD_USER);
}

static void test_rows_out_of_their_time_give_nothing(void **state)
{
	struct login l;

	(void)state;
	assert_int_equal(
	    read_row("192.0.2.7", "1699998200", NULL, NULL, &l), SQL_ROW_LOGIN);
	assert_int_equal(
	    read_row("192.0.2.7", "1699998199", NULL, NULL, &l), SQL_ROW_OVER);
	assert_int_equal(l.kind, LOGIN_NOTHING);
	assert_int_equal(
	    read_row("192.0.2.7", "1700000300", NULL, NULL, &l), SQL_ROW_LOGIN);
	assert_int_equal(
	    read_row("192.0.2.7", "1700000301", NULL, NULL, &l), SQL_ROW_AHEAD);
	assert_int_equal(l.kind, LOGIN_NOTHING);
	/* Its own end. */
	assert_int_equal(
	    read_row("192.0.2.7", "1699999940", NULL, "1700000000", &l),
	    SQL_ROW_OVER);
	assert_int_equal(
	    read_row("192.0.2.7", "1699999940", NULL, "1700000001", &l),
	    SQL_ROW_LOGIN);
	assert_int_equal(read_row("192.0.2.7", "1699999940", NULL, "soon", &l),
	    SQL_ROW_OVER);
}

static void test_only_one_whole_address_is_one(void **state)
{
	static const char *const good[] = { "192.0.2.7", "192.0.2.7/32",
		"::ffff:192.0.2.7", "192.0.2.7      " };
	static const char *const bad[] = { "", "/32", "192.0.2.7/24",
		"192.0.2.7/128", "192.0.2.07", " 192.0.2.7", "192.0.2",
		"192.0.2.7/32/32", "2001:db8::7/32", "2001:db8::7/64",
		"mail.example.org", "192.0.2.7;", "192.0.2.7\t", NULL };
	struct login l;
	struct addr want;

	(void)state;
	assert_true(addr_parse("192.0.2.7", 9, &want));
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_int_equal(
		    read_row(good[i], "1700000000", NULL, NULL, &l),
		    SQL_ROW_LOGIN);
		assert_memory_equal(&l.addr, &want, sizeof(want));
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(read_row(bad[i], "1700000000", NULL, NULL, &l),
		    SQL_ROW_BAD_ADDRESS);
		assert_int_equal(l.kind, LOGIN_NOTHING);
	}
	assert_int_equal(
	    read_row("2001:db8::7/128", "1700000000", NULL, NULL, &l),
	    SQL_ROW_LOGIN);
}

static void test_only_a_number_is_a_time(void **state)
{
	static const char *const bad[] = { "", " ", "-1", "1.2.3", "17e8",
		"now", "1700000000x", "0x65", ".5", "9999999999999999", NULL };
	struct login l;
	int64_t seconds = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(read_row("192.0.2.7", bad[i], NULL, NULL, &l),
		    SQL_ROW_BAD_TIME);
	assert_true(sql_row_time(value("1700000000.9999"), &seconds));
	assert_true(seconds == 1700000000);
	assert_true(sql_row_time(value("1700000000  "), &seconds));
}

static void test_each_refusal_says_what_to_mend(void **state)
{
	(void)state;
	for (int w = SQL_ROW_AHEAD; w <= SQL_ROW_BAD_USER; w++) {
		const char *word = sql_row_word((enum sql_row_worth)w);

		assert_non_null(strstr(sql_row_mend(word), "what writes it"));
	}
	assert_non_null(strstr(sql_row_mend("too-many-at-once"), "same time"));
}

static void test_users_are_clean_and_not_too_long(void **state)
{
	char user[LOGIN_USER_MAX + 2];
	struct login l;

	(void)state;
	memset(user, 'u', sizeof(user));
	user[LOGIN_USER_MAX + 1] = '\0';
	assert_int_equal(read_row("192.0.2.7", "1700000000", user, NULL, &l),
	    SQL_ROW_BAD_USER);
	user[LOGIN_USER_MAX] = '\0';
	assert_int_equal(
	    read_row("192.0.2.7", "1700000000", user, NULL, &l), SQL_ROW_LOGIN);
	assert_int_equal(l.user_len, LOGIN_USER_MAX);
	assert_int_equal(
	    read_row("192.0.2.7", "1700000000", "an\nna", NULL, &l),
	    SQL_ROW_BAD_USER);
	assert_int_equal(
	    read_row("192.0.2.7", "1700000000", "", NULL, &l), SQL_ROW_LOGIN);
	assert_int_equal(l.userless, 1);
}

static void test_a_row_is_told_from_another(void **state)
{
	const struct sql_row a = { value("192.0.2.7"), value("1"), value("x"),
		value(NULL) };
	struct sql_row b = a;

	(void)state;
	assert_true(sql_row_hash(&a) == sql_row_hash(&b));
	b.time = value("2");
	assert_true(sql_row_hash(&a) != sql_row_hash(&b));
	b = a;
	b.time = value("1x");
	b.user = value("");
	assert_true(sql_row_hash(&a) != sql_row_hash(&b));
}

/* --- the table -------------------------------------------------------------
 */

struct column {
	const char *name, *type;
};

/* The answer of a database. */
struct sql_conn {
	const struct column *columns;
};

static struct sql_value column_value(
    const struct sql_conn *conn, size_t row, size_t column)
{
	const struct column *c = &conn->columns[row];

	return sql_value_of(column == 0   ? c->name
			    : column == 1 ? c->type
					  : NULL);
}

static int look(
    struct sql_table *t, const struct column *c, size_t n, struct err *err)
{
	static const struct sql_engine engine = { .value = column_value };
	const struct sql_conn conn = { c };
	const struct sql_result columns = {
		.rows = n, .engine = &engine, .conn = &conn
	};

	memset(err, 0, sizeof(*err));
	return sql_login_look(t, &columns, err);
}

static void test_a_table_is_looked_at(void **state)
{
	struct sql_table t = { .engine = SQL_POSTGRESQL,
		.name = "popbsmtp",
		.columns = { "ip", "login_time", "", "", "" } };
	const struct column inet[] = { { "ip", "inet" },
		{ "login_time", "timestamptz" } };
	const struct column text[] = { { "login_time", "bpchar" },
		{ "ip", "varchar" } };
	const struct column number[] = { { "ip", "int8" },
		{ "login_time", "timestamp" } };
	struct err err;

	(void)state;
	assert_int_equal(look(&t, inet, COUNT_OF(inet), &err), 0);
	assert_true(t.inet);
	assert_int_equal(look(&t, inet, 1, &err), -1);
	assert_non_null(strstr(err.text, "no column login_time"));
	assert_int_equal(look(&t, inet, 0, &err), -1);
	assert_int_equal(err.code, EXIT_USER);
	assert_int_equal(look(&t, number, COUNT_OF(number), &err), -1);
	assert_non_null(strstr(err.text, "address-column"));
	assert_int_equal(look(&t, text, COUNT_OF(text), &err), -1);
	assert_non_null(strstr(err.text, "time-column"));
	t.epoch = true;
	assert_int_equal(look(&t, text, COUNT_OF(text), &err), 0);
	assert_true(t.text_times && !t.inet);
	assert_int_equal(look(&t, inet, COUNT_OF(inet), &err), -1);
	assert_non_null(strstr(err.text, "\"native\""));
}

static void test_names_are_quoted_in_the_statement(void **state)
{
	const struct sql_table t = { .engine = SQL_MARIADB,
		.name = "mail.pop`x",
		.columns = { "ip", "at", "who", "", "ends" } };
	char *s = sql_login_since(&t, 7);

	(void)state;
	assert_string_equal(s,
	    "SELECT substr(`ip`, 1, 64), FLOOR(UNIX_TIMESTAMP(`at`)) - "
	    "IF(FROM_UNIXTIME(UNIX_TIMESTAMP(`at`) - 3600) = `at`, 3600, 0), "
	    "substr(`who`, 1, 256), FLOOR(UNIX_TIMESTAMP(`ends`)) - "
	    "IF(FROM_UNIXTIME(UNIX_TIMESTAMP(`ends`) - 3600) = `ends`, 3600, "
	    "0) FROM `mail`.`pop``x` WHERE `at` >= "
	    "FROM_UNIXTIME(CAST(? AS SIGNED)) ORDER BY `at` LIMIT 7");
	free(s);
}

static void test_texts_are_asked_for_in_part(void **state)
{
	const struct sql_table t = { .engine = SQL_POSTGRESQL,
		.name = "relay",
		.columns = { "ip_addr", "timestamp", "", "", "" },
		.epoch = true,
		.text_times = true };
	char *s = sql_login_since(&t, 500);

	(void)state;
	assert_string_equal(s,
	    "SELECT substr(\"ip_addr\"::text, 1, 64), "
	    "substr(\"timestamp\"::text, 1, 40), NULL, NULL FROM \"relay\" "
	    "WHERE \"timestamp\" >= $1::text ORDER BY \"timestamp\" LIMIT "
	    "500");
	free(s);
}

/* --- from where on ---------------------------------------------------------
 */

#define BOOT (1000 * SECOND) /* of our clock, when the database's is THERE */
#define S0   (THERE / SECOND)

static const struct sql_since place = {
	.overlap = MINUTE,
	.interval = 5 * SECOND,
	.period = 30 * MINUTE,
};

/* An answer that was 100 ms on its way. */
static bool begin(
    struct sql_since *s, int64_t there, int64_t boot, int64_t *from)
{
	return sql_since_begin(
	    s, THERE + there, BOOT + boot, BOOT + boot + 100, true, from);
}

static void test_a_reading_begins_where_the_last_one_ended(void **state)
{
	struct sql_since s = place;
	int64_t from = 0;

	(void)state;
	/* Nothing that is over. */
	assert_true(begin(&s, 0, 0, &from));
	assert_true(from == S0 - 30 * 60);
	s.at = s.latest = S0;
	assert_true(begin(&s, 5 * SECOND, 5 * SECOND, &from));
	assert_true(from == S0 - 60);
	assert_true(sql_since_begin(&s, THERE + 5 * SECOND, BOOT + 5 * SECOND,
	    BOOT + 5 * SECOND, false, &from));
	assert_true(from == S0 - 2);
	/* Clocks run unlike, and an answer may be late: no step. */
	assert_true(begin(&s, 2 * SECOND, 6 * SECOND, &from));
	assert_true(from == S0 - 60);
	assert_true(sql_since_begin(&s, THERE + 7 * SECOND, BOOT + 7 * SECOND,
	    BOOT + 60 * SECOND, true, &from));
	assert_true(begin(&s, 60 * SECOND, 61 * SECOND, &from));
	/* Away for an hour. */
	assert_true(begin(&s, 60 * MINUTE, 60 * MINUTE, &from));
	assert_true(from == S0 + 30 * 60);
	assert_true(s.floor == 0);
}

static void test_rows_do_not_get_young_by_a_clock_set_back(void **state)
{
	struct sql_since s = place;
	int64_t from = 0;

	(void)state;
	assert_true(begin(&s, 0, 0, &from));
	s.at = s.latest = S0;
	/* Ten minutes back, and until then. */
	assert_false(begin(&s, -10 * MINUTE, 5 * SECOND, &from));
	assert_false(begin(&s, -5 * MINUTE, 5 * MINUTE + 5 * SECOND, &from));
	assert_false(begin(&s, 5 * SECOND, 10 * MINUTE + 10 * SECOND, &from));
	assert_true(begin(&s, 6 * SECOND, 10 * MINUTE + 11 * SECOND, &from));
	assert_true(from == S0 + 6);
	s.at = s.latest = S0 + 6;
	assert_true(begin(&s, MINUTE, 11 * MINUTE + 5 * SECOND, &from));
	assert_true(from == S0 + 6);
}

static void test_a_stored_place_tells_of_a_clock_set_back(void **state)
{
	struct sql_since s = place;
	int64_t from = 0;

	(void)state;
	s.at = S0;
	assert_false(begin(&s, -10 * MINUTE, 0, &from));
	assert_false(begin(&s, 65 * SECOND, 11 * MINUTE + 5 * SECOND, &from));
	assert_true(begin(&s, 66 * SECOND, 11 * MINUTE + 6 * SECOND, &from));
	assert_true(from == S0 + 66);
	/* Nobody waits for years: what is there is over. */
	s = place;
	s.at = S0 + 400 * 86400;
	assert_false(begin(&s, 0, 0, &from));
	assert_true(begin(&s, SECOND, SECOND, &from));
	assert_true(from == S0 + 1);
}

/* --- what was taken --------------------------------------------------------
 */

static void test_what_one_reading_took_the_next_one_knows(void **state)
{
	struct sql_seen *s = sql_seen_new();

	(void)state;
	sql_seen_begin(s, true);
	for (uint64_t i = 0; i < 5000; i++)
		assert_false(sql_seen_take(s, i));
	sql_seen_end(s);
	/* One for the last moments forgets nothing. */
	sql_seen_begin(s, false);
	assert_true(sql_seen_take(s, 4999));
	assert_false(sql_seen_take(s, 5000));
	sql_seen_end(s);
	/* Nor does one that broke off. */
	sql_seen_begin(s, true);
	assert_true(sql_seen_take(s, 3000));
	sql_seen_begin(s, true);
	for (uint64_t i = 4000; i < 5100; i++)
		assert_int_equal(sql_seen_take(s, i), i <= 5000);
	assert_true(sql_seen_take(s, 3000));
	sql_seen_end(s);
	/* It knows those of the last one, and no others. */
	sql_seen_begin(s, true);
	for (uint64_t i = 0; i < 5200; i++)
		assert_int_equal(
		    sql_seen_take(s, i), i == 3000 || (i >= 4000 && i < 5100));
	sql_seen_end(s);
	sql_seen_free(&s);
	assert_null(s);
}

/* --- ids -------------------------------------------------------------------
 */

static struct stream_ids ids;
static char first[STREAM_GAPS_TEXT], last[STREAM_GAPS_TEXT];

static void assert_gaps(const char *firsts, const char *lasts)
{
	stream_ids_print(&ids, first, last);
	assert_string_equal(first, firsts);
	assert_string_equal(last, lasts);
}

static void test_gaps_are_kept_until_they_are_old(void **state)
{
	(void)state;
	stream_ids_begin(&ids, 10);
	assert_gaps("{}", "{}");
	stream_ids_next(&ids, 11, 0, 1000);
	stream_ids_next(&ids, 15, 0, 1000);
	stream_ids_next(&ids, 17, 0, 2000);
	assert_gaps("{12,16}", "{14,16}");
	assert_true(stream_ids_whole(&ids) == 11);
	stream_ids_late(&ids, 13);
	assert_gaps("{12,14,16}", "{12,14,16}");
	stream_ids_late(&ids, 12);
	stream_ids_late(&ids, 99);
	stream_ids_late(&ids, 15);
	assert_gaps("{14,16}", "{14,16}");
	assert_true(stream_ids_whole(&ids) == 13);
	stream_ids_asked(&ids, 1000 + STREAM_GAP_MS - 1);
	assert_int_equal(ids.count, 2);
	stream_ids_asked(&ids, 1000 + STREAM_GAP_MS);
	assert_gaps("{16}", "{16}");
	stream_ids_late(&ids, 16);
	assert_gaps("{}", "{}");
	assert_true(stream_ids_whole(&ids) == 17);
}

static void test_old_rows_have_no_gaps(void **state)
{
	(void)state;
	stream_ids_begin(&ids, 0);
	stream_ids_next(&ids, 500, STREAM_GAP_MS, 1000000);
	assert_true(stream_ids_whole(&ids) == 500);
	stream_ids_next(&ids, 502, STREAM_GAP_MS - 1, 1000000);
	assert_gaps("{501}", "{501}");
	stream_ids_asked(&ids, 1000001);
	assert_gaps("{}", "{}");
	/* Twice is once. */
	stream_ids_next(&ids, 502, 0, 1000000);
	stream_ids_next(&ids, 400, 0, 1000000);
	assert_true(ids.high == 502);
}

static void test_gaps_have_an_end(void **state)
{
	(void)state;
	stream_ids_begin(&ids, INT64_MAX - 10 * STREAM_GAPS_MAX);
	for (int64_t i = 1; i <= 2 * STREAM_GAPS_MAX; i++)
		stream_ids_next(
		    &ids, INT64_MAX - 10 * STREAM_GAPS_MAX + 4 * i, 0, 1000);
	assert_int_equal(ids.count, STREAM_GAPS_MAX);
	/* The oldest have been forgotten. */
	assert_true(ids.gaps[0].first ==
		    INT64_MAX - 10 * STREAM_GAPS_MAX + 4 * STREAM_GAPS_MAX + 1);
	stream_ids_print(&ids, first, last);
	assert_int_equal(first[strlen(first) - 1], '}');
	/* No room for two: it stays whole. */
	stream_ids_late(&ids, ids.gaps[0].first + 1);
	assert_int_equal(ids.count, STREAM_GAPS_MAX);
	/* The rows read must not be lost: what is whole ends before a gap. */
	assert_true(stream_ids_whole(&ids) == ids.gaps[0].first - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_row_is_as_old_as_the_database_says),
		cmocka_unit_test(test_clocks_that_agree_are_one),
		cmocka_unit_test(test_no_lease_outlives_its_row),
		cmocka_unit_test(test_a_value_that_was_cut_off_does_not_count),
		cmocka_unit_test(test_rows_out_of_their_time_give_nothing),
		cmocka_unit_test(test_only_one_whole_address_is_one),
		cmocka_unit_test(test_only_a_number_is_a_time),
		cmocka_unit_test(test_each_refusal_says_what_to_mend),
		cmocka_unit_test(test_users_are_clean_and_not_too_long),
		cmocka_unit_test(test_a_row_is_told_from_another),
		cmocka_unit_test(test_a_table_is_looked_at),
		cmocka_unit_test(test_names_are_quoted_in_the_statement),
		cmocka_unit_test(test_texts_are_asked_for_in_part),
		cmocka_unit_test(
		    test_a_reading_begins_where_the_last_one_ended),
		cmocka_unit_test(
		    test_rows_do_not_get_young_by_a_clock_set_back),
		cmocka_unit_test(test_a_stored_place_tells_of_a_clock_set_back),
		cmocka_unit_test(test_what_one_reading_took_the_next_one_knows),
		cmocka_unit_test(test_gaps_are_kept_until_they_are_old),
		cmocka_unit_test(test_old_rows_have_no_gaps),
		cmocka_unit_test(test_gaps_have_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
