/* SPDX-License-Identifier: ISC */
/*
 * test_standing - how exports and sources stand, out of slots that may hold
 * anything: their process may be a stranger's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/schema.h"
#include "daemon/standing.h"

#define SECOND UINT64_C(1000000000)
#define NOW    (5000 * SECOND)

static struct board *board;
static struct conf *conf;

/* drac is a connector, text is not; the sources' kinds do not matter. */
static const char text[] =
    "source log { kind = \"file\" path = \"/x\" }\n"
    "source both { kind = \"file\" path = \"/x\" }\n"
    "source mixed { kind = \"file\" path = \"/x\" }\n"
    "export both { kind = \"drac\" server = \"192.0.2.1\" }\n"
    "export mixed { kind = \"text\" path = \"/y/z\" }\n";

static struct board_slot *plan(size_t i, enum role role, const char *name)
{
	struct board_slot *s = &board->slots[i];

	s->role = (int32_t)role;
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

static int setup(void **state)
{
	struct err err = { 0 };

	(void)state;
	board = aligned_alloc(BOARD_PAGE, sizeof(*board));
	must(board);
	memset(board, 0, sizeof(*board));
	conf = conf_parse(text, sizeof(text) - 1, "test", schema(), &err);
	if (!conf)
		print_error("%s\n", err.text);
	/* As family_plan() does: exports before sources. */
	plan(0, ROLE_KEEPER, "");
	plan(1, ROLE_ANSWERER, "1");
	plan(2, ROLE_CONNECTOR, "both");
	plan(3, ROLE_WRITER, "mixed");
	plan(4, ROLE_READER, "log");
	plan(5, ROLE_CONNECTOR, "both");
	plan(6, ROLE_CONNECTOR, "mixed");
	return conf ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	conf_free(&conf);
	free(board);
	return 0;
}

/* --- whose slot ----------------------------------------------------------- */

static const struct conf_section *section(const char *type, const char *name)
{
	for (size_t i = 0; i < conf_count(conf, type); i++) {
		if (strcmp(conf_name(conf_at(conf, type, i)), name) == 0)
			return conf_at(conf, type, i);
	}
	fail_msg("no section %s %s", type, name);
	return NULL;
}

static long source_slot(const char *name)
{
	const struct board_slot *s =
	    standing_source(board, conf, section("source", name));

	return s ? s - board->slots : -1;
}

static long export_slot(const char *name)
{
	const struct board_slot *s =
	    standing_export(board, section("export", name));

	return s ? s - board->slots : -1;
}

static void test_an_export_and_a_source_of_one_name_are_told_apart(void **state)
{
	(void)state;
	assert_int_equal(export_slot("both"), 2);
	assert_int_equal(source_slot("both"), 5);
	assert_int_equal(export_slot("mixed"), 3);
	assert_int_equal(source_slot("mixed"), 6);
	assert_int_equal(source_slot("log"), 4);
}

static void test_slots_of_an_older_plan_are_left_alone(void **state)
{
	(void)state;
	plan(7, ROLE_CONNECTOR, "both");
	plan(8, ROLE_READER, "log");
	assert_int_equal(source_slot("both"), 5);
	assert_int_equal(source_slot("log"), 4);
}

static void test_who_has_no_slot_is_not_found(void **state)
{
	(void)state;
	plan(4, ROLE_GATEWAY, "log");
	plan(3, ROLE_KEEPER, "mixed");
	plan(6, ROLE_READER, "mixed");
	assert_int_equal(export_slot("mixed"), -1);
}

/* --- how it stands -------------------------------------------------------- */

static struct standing now_of(struct board_slot *s)
{
	struct standing out;

	memset(&out, 0xff, sizeof(out));
	standing_read(s, NOW, &out);
	return out;
}

/* A process since a minute, in step since as many seconds. */
static struct board_slot *running(uint64_t in_step)
{
	struct board_slot *s = &board->slots[5];

	s->pid = 77;
	s->started = NOW - 60 * SECOND;
	s->in_step = in_step ? NOW - in_step * SECOND : NOW;
	return s;
}

static void test_in_step_is_good(void **state)
{
	struct board_slot *s = running(1);

	(void)state;
	s->behind = 3;
	struct standing got = now_of(s);
	assert_true(got.up);
	assert_string_equal(got.state, "good");
	assert_int_equal(got.lag, 0);
	assert_int_equal(got.behind, 3);
	assert_string_equal(got.trouble, "");
}

static void test_out_of_step_is_behind_for_so_long(void **state)
{
	struct standing got = now_of(running(40));

	(void)state;
	assert_string_equal(got.state, "behind");
	assert_int_equal(got.lag, 40);
}

static void test_never_in_step_counts_from_the_start(void **state)
{
	struct board_slot *s = running(1);

	(void)state;
	s->in_step = 0;
	assert_string_equal(now_of(s).state, "behind");
	assert_int_equal(now_of(s).lag, 60);
}

static void test_trouble_is_told_with_the_time_since(void **state)
{
	struct board_slot *s = running(7);

	(void)state;
	(void)snprintf(s->trouble, sizeof(s->trouble), "no route");
	struct standing got = now_of(s);
	assert_string_equal(got.state, "trouble");
	assert_string_equal(got.trouble, "no route");
	assert_int_equal(got.lag, 7);
	/* What it cannot reach now it may have reached a moment ago. */
	assert_string_equal(now_of(running(1)).state, "trouble");
}

static void test_without_a_process_it_is_down(void **state)
{
	struct board_slot *s = running(20);

	(void)state;
	s->pid = 0;
	struct standing got = now_of(s);
	assert_false(got.up);
	assert_string_equal(got.state, "down");
	assert_int_equal(got.lag, 20);
	assert_string_equal(got.trouble, "");
	(void)snprintf(s->said, sizeof(s->said), "no such file");
	assert_string_equal(now_of(s).trouble, "no such file");
	/* One that is started again and again. */
	s->in_step = 0;
	s->down_since = NOW - 90 * SECOND;
	assert_int_equal(now_of(s).lag, 90);
	s->started = s->down_since = 0;
	assert_int_equal(now_of(s).lag, 0);
}

static void test_what_a_stranger_wrote_does_no_harm(void **state)
{
	struct board_slot *s = running(1);

	(void)state;
	/* No end, and bytes that would end a line or speak to a terminal. */
	memset(s->trouble, 'x', sizeof(s->trouble));
	memcpy(s->trouble, "a\nb\rc\033d\177e\tf", 11);
	s->in_step = UINT64_MAX;
	s->behind = UINT64_MAX;
	struct standing got = now_of(s);
	assert_int_equal(strlen(got.trouble), BOARD_TROUBLE - 1);
	assert_memory_equal(got.trouble, "a b c d e f", 11);
	assert_int_equal(got.lag, 0);
	assert_true(got.behind == UINT64_MAX);

	memset(s->name, 'y', sizeof(s->name));
	assert_int_equal(source_slot("both"), -1);
	s->role = -5;
	assert_int_equal(source_slot("both"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_an_export_and_a_source_of_one_name_are_told_apart),
		TEST(test_slots_of_an_older_plan_are_left_alone),
		TEST(test_who_has_no_slot_is_not_found),
		TEST(test_in_step_is_good),
		TEST(test_out_of_step_is_behind_for_so_long),
		TEST(test_never_in_step_counts_from_the_start),
		TEST(test_trouble_is_told_with_the_time_since),
		TEST(test_without_a_process_it_is_down),
		TEST(test_what_a_stranger_wrote_does_no_harm),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
