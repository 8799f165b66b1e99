/* SPDX-License-Identifier: ISC */
/*
 * test_doctor_addresses - the lines that the doctor proposes for the section
 * lease, and what an export that leaves networks out changes in them.
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
#include "cmd/doctor_private.h"
#include "daemon/schema.h"

static const char source[] = "source s { kind = \"file\" path = \"/x\" }\n";

struct said {
	enum doctor_verdict verdict;
	char text[700], lines[300];
};

static void keep(void *ctx, const char *check, enum doctor_verdict verdict,
    const char *text, const char *lines)
{
	struct said *s = ctx;

	(void)check;
	s->verdict = verdict;
	(void)snprintf(s->text, sizeof(s->text), "%s", text);
	(void)snprintf(s->lines, sizeof(s->lines), "%s", lines ? lines : "");
}

/* What it says to one login by IPv6. */
static struct said run(const char *conf, check_fn *check)
{
	struct doctor_facts *f = xcalloc(1, sizeof(*f));
	struct said said = { 0 };
	struct telling t = { .tell = keep, .ctx = &said };
	struct err err = { 0 };
	char text[1000];

	(void)snprintf(text, sizeof(text), "%s%s", source, conf);
	f->conf = conf_parse(text, strlen(text), "test", schema(), &err);
	if (!f->conf)
		fail_msg("%s", err.text);
	f->rules = rules_new(conf_at(f->conf, "lease", 0), NULL, 0);
	f->logs = xcalloc(1, sizeof(*f->logs));
	f->log_count = 1;
	f->logs[0].found.last = 1;
	f->logs[0].found.logins = f->logs[0].found.ipv6 = 1;
	check(f, &t);
	doctor_forget(f);
	free(f);
	return said;
}

static void test_lines_stand_in_the_section_that_is_there(void **state)
{
	struct said s;

	(void)state;
	s = run("", check_ipv6);
	assert_string_equal(s.lines, "lease {\n\tipv6-prefix = 64\n}\n");
	s = run("lease { private = { \"10.0.0.0/8\" } }\n", check_ipv6);
	assert_string_equal(
	    s.lines, "# in section lease (line 2):\n\tipv6-prefix = 64\n");
	s = run("\nlease { ttl = \"1d\" }\n", check_ttl);
	assert_int_equal(s.verdict, DOCTOR_DO);
	assert_string_equal(
	    s.lines, "# in section lease (line 3):\n\tttl = \"30m\"\n");
}

static void test_networks_are_not_proposed_where_an_export_drops_them(
    void **state)
{
	static const char *const with[] = { "kind = \"text\" path = \"/y/z\"",
		"kind = \"redis\" servers = {\"192.0.2.1\"}" };
	static const struct {
		const char *options, *says;
	} without[] = {
		{ "kind = \"drac\" server = \"192.0.2.1\"",
		    "export far (kind drac) leaves networks out" },
		{ "kind = \"sql\" engine = \"sqlite\" database = \"/y/z\"",
		    "export far (kind sql) leaves networks" },
		{ "kind = \"lmdb\" path = \"/y/z\"", "(kind lmdb)" },
	};
	char conf[200];
	struct said s;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(with); i++) {
		(void)snprintf(
		    conf, sizeof(conf), "export near { %s }\n", with[i]);
		s = run(conf, check_ipv6);
		assert_non_null(strstr(s.lines, "ipv6-prefix = 64"));
	}
	for (size_t i = 0; i < COUNT_OF(without); i++) {
		(void)snprintf(conf, sizeof(conf),
		    "export near { kind = \"text\" path = \"/y/z\" }\n"
		    "export far { %s }\n",
		    without[i].options);
		s = run(conf, check_ipv6);
		assert_int_equal(s.verdict, DOCTOR_NOTE);
		assert_non_null(strstr(s.text, without[i].says));
		assert_string_equal(s.lines, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_stand_in_the_section_that_is_there),
		cmocka_unit_test(
		    test_networks_are_not_proposed_where_an_export_drops_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
