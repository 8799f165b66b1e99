/* SPDX-License-Identifier: ISC */
/*
 * test_doctor_links - what the doctor makes of databases that were asked, and
 * of what relaypassd tells of its exports and sources.
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
#include "cmd/client.h"
#include "cmd/doctor_private.h"
#include "daemon/schema.h"

static const char text[] =
    "source both { kind = \"file\" path = \"/x\" }\n"
    "export both { kind = \"text\" path = \"/y/z\" }\n"
    "export far { kind = \"drac\" server = \"192.0.2.1\" }\n";

struct said {
	size_t count;
	enum doctor_verdict verdict[8];
	char text[8][1000];
};

static void keep(void *ctx, const char *check, enum doctor_verdict verdict,
    const char *words, const char *lines)
{
	struct said *s = ctx;

	(void)check;
	assert_null(lines);
	assert_true(s->count < COUNT_OF(s->text));
	s->verdict[s->count] = verdict;
	(void)snprintf(s->text[s->count++], sizeof(s->text[0]), "%s", words);
}

static void run(const struct doctor_facts *f, check_fn *check, struct said *out)
{
	struct telling t = { .tell = keep, .ctx = out };

	memset(out, 0, sizeof(*out));
	check(f, &t);
}

static void expect(const struct said *s, size_t i, enum doctor_verdict verdict,
    const char *words)
{
	assert_true(i < s->count);
	assert_string_equal(s->text[i], words);
	assert_int_equal(s->verdict[i], verdict);
}

static int setup(void **state)
{
	struct doctor_facts *f = xcalloc(1, sizeof(*f));
	struct err err = { 0 };

	f->conf = conf_parse(text, sizeof(text) - 1, "test", schema(), &err);
	if (!f->conf)
		print_error("%s\n", err.text);
	*state = f;
	return f->conf ? 0 : -1;
}

static int teardown(void **state)
{
	doctor_forget(*state);
	free(*state);
	return 0;
}

/* --- what relaypassd tells ------------------------------------------------ */

static const char *const *rows; /* ends with NULL */

static int tell_rows(const struct endpoint *control, doctor_row_fn *fn,
    void *ctx, struct err *err)
{
	(void)control;
	(void)err;
	for (size_t i = 0; rows[i]; i++) {
		AUTO_FREE struct reply *r = xcalloc(1, sizeof(*r));
		assert_true(reply_parse(rows[i], strlen(rows[i]), r));
		fn(ctx, r);
	}
	return 0;
}

static void look(struct doctor_facts *f, const char *const *told)
{
	const struct doctor_where where = { .root = "", .status = tell_rows };
	const struct endpoint here = { 0 };

	rows = told;
	doctor_links_look(f, &where, &here);
}

static void test_doctor_tells_who_is_out_of_step(void **state)
{
	static const char *const told[] = {
		"status process role=writer name=both pid=7",
		"status source name=both lines=3",
		"status export name=both kind=text state=good lag=0 behind=2 "
		"trouble=",
		"status export name=far kind=drac state=trouble lag=75 "
		"behind=1 "
		"trouble=no%20route",
		"status export name=gone state=down lag=9 behind=0 trouble=",
		NULL
	};
	struct said said;

	look(*state, told);
	run(*state, check_lag, &said);
	assert_int_equal(said.count, 2);
	expect(&said, 0, DOCTOR_GOOD, "export both is in step, 2 changes wait");
	expect(&said, 1, DOCTOR_DO,
	    "export far has been out of step for 1m15s, 1 change waits: no "
	    "route");
}

static void test_doctor_gives_a_moment(void **state)
{
	static const char *const told[] = {
		"status export name=far state=behind lag=9 behind=0 trouble=",
		"status source name=both state=down lag=0 behind=0 "
		"trouble=no%20such%20account",
		NULL
	};
	struct said said;

	look(*state, told);
	run(*state, check_lag, &said);
	assert_int_equal(said.count, 2);
	expect(&said, 0, DOCTOR_NOTE, "export far has been out of step for 9s");
	expect(
	    &said, 1, DOCTOR_DO, "source both has no process: no such account");
}

/* Refused records and a wrong clock hold nothing up, and are to be mended all
 * the same. */
static void test_doctor_tells_what_is_wrong_with_who_is_in_step(void **state)
{
	static const char *const told[] = {
		"status source name=both state=trouble lag=1 behind=0 "
		"trouble=12%20records%20refused",
		"status export name=far state=trouble lag=4 behind=1 "
		"trouble=moment",
		NULL
	};
	struct said said;

	look(*state, told);
	run(*state, check_lag, &said);
	assert_int_equal(said.count, 2);
	expect(&said, 0, DOCTOR_NOTE,
	    "export far has been out of step for 4s, 1 change waits: moment");
	expect(&said, 1, DOCTOR_DO,
	    "source both is in step, but: 12 records refused");
}

static void test_doctor_says_nothing_of_a_daemon_that_does_not_run(void **state)
{
	const struct doctor_where where = { .root = "", .status = tell_rows };
	struct said said;

	rows = NULL; /* would end the test */
	doctor_links_look(*state, &where, NULL);
	run(*state, check_lag, &said);
	assert_int_equal(said.count, 0);
	run(*state, check_databases, &said);
	assert_int_equal(said.count, 0);
}

/* --- what databases are like ---------------------------------------------- */

/* Words as libpq, libmariadb, SQLite, Redis and the kernel have them. */
static void test_doctor_knows_what_to_do_about_others_words(void **state)
{
	static const struct {
		const char *says, *advice;
	} words[] = {
		{ "connection to server at \"192.0.2.1\", port 5432 failed: "
		  "Connection refused",
		    "; does the server run, and listen at this address and "
		    "port?" },
		{ "Can't connect to server on '192.0.2.1' (1)",
		    "; the unit of systemd" },
		{ "connect: Operation not permitted", "; the unit of systemd" },
		{ "192.0.2.1:6379: Connection timed out", "IPAddressAllow=" },
		{ "FATAL:  password authentication failed for user \"x\"",
		    "; the server and the option password-file" },
		{ "Access denied for user 'x'@'localhost' (using password: "
		  "YES)",
		    "; the server and the option password-file" },
		{ "could not extend file: No space left on device",
		    "; make room there" },
		{ "The table 'leases' is full", "; make room there" },
		{ "permission denied for table leases", "; relaypassd -t" },
		{ "ERROR: relation \"leases\" does not exist",
		    "; relaypassd -t" },
		{ "192.0.2.1:6379: it is no master", "announce-ip" },
		{ "NOREPLICAS Not enough good replicas to write.",
		    "do the other servers run?" },
		/* Its own advice is enough. */
		{ "permission denied for table x; run: GRANT SELECT ON x", "" },
	};
	struct doctor_facts *f = *state;
	const struct doctor_where where = { .root = "" };

	doctor_links_look(f, &where, NULL);
	f->links[0].tested = true;
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		const char *behind;
		struct said said;

		f->links[0].test = (struct err){ 0 };
		(void)err_set(
		    &f->links[0].test, EXIT_AGAIN, "%s", words[i].says);
		run(f, check_databases, &said);
		assert_int_equal(said.count, 1);
		assert_non_null(strstr(said.text[0], words[i].says));
		behind =
		    strstr(said.text[0], words[i].says) + strlen(words[i].says);
		if (*words[i].advice)
			assert_non_null(strstr(behind, words[i].advice));
		else
			assert_string_equal(behind, "");
	}
}

static void test_doctor_tells_what_a_database_lacks(void **state)
{
	struct doctor_facts *f = *state;
	const struct doctor_where where = { .root = "" };
	struct said said;

	doctor_links_look(f, &where, NULL);
	assert_int_equal(f->link_count, 3);
	for (size_t i = 0; i < f->link_count; i++)
		f->links[i].tested = true;
	(void)err_set(&f->links[1].test, EXIT_USER, "run: ALTER TABLE x");
	(void)err_set(&f->links[2].test, EXIT_AGAIN, "it is starting");
	run(f, check_databases, &said);
	assert_int_equal(said.count, 3);
	expect(&said, 0, DOCTOR_GOOD,
	    "export both (text): what it needs is there");
	expect(&said, 1, DOCTOR_DO, "export far (drac): run: ALTER TABLE x");
	expect(&said, 2, DOCTOR_CANNOT, "source both (file): it is starting");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_doctor_tells_who_is_out_of_step),
		TEST(test_doctor_gives_a_moment),
		TEST(test_doctor_tells_what_is_wrong_with_who_is_in_step),
		TEST(test_doctor_says_nothing_of_a_daemon_that_does_not_run),
		TEST(test_doctor_tells_what_a_database_lacks),
		TEST(test_doctor_knows_what_to_do_about_others_words),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
