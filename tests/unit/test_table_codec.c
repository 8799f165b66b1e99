/* SPDX-License-Identifier: ISC */
/*
 * test_table_codec - each line that smtpd sends, and what it must get: an
 * answer that it cannot read, or none, ends or hangs it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cmd/table_codec.h"

static enum table_word word_of(const char *line)
{
	struct table_request r;

	table_parse(line, strlen(line), false, &r);
	return r.word;
}

/* found: relaypassd would say yes to everything. */
static const char *answer(const char *line, bool found)
{
	static char out[TABLE_REPLY_MAX + 1];
	struct table_request r;
	size_t len;

	table_parse(line, strlen(line), false, &r);
	len = table_print(&r, found, out);
	out[len] = '\0';
	return out;
}

static void test_the_handshake_registers_addresses_alone(void **state)
{
	(void)state;
	assert_int_equal(word_of("config|smtpd-version|7.8.0"), TABLE_CONFIG);
	assert_int_equal(word_of("config|protocol|0.1"), TABLE_PROTOCOL);
	assert_int_equal(word_of("config|protocol|0.2"), TABLE_OTHER_PROTOCOL);
	assert_int_equal(word_of("config|protocol"), TABLE_OTHER_PROTOCOL);
	assert_int_equal(word_of("config|tablename|a|b"), TABLE_CONFIG);
	assert_string_equal(
	    answer("config|ready", true), "register|netaddr\nregister|ready\n");
	assert_string_equal(answer("config|protocol|0.1", true), "");
}

#define T "table|0.1|1713795103.314423|pop|"

static void test_each_request_has_its_answer(void **state)
{
	static const struct {
		const char *line, *yes, *no;
	} rows[] = {
		{ T "check|netaddr|e5862859|192.0.2.7",
		    "check-result|e5862859|found\n",
		    "check-result|e5862859|not-found\n" },
		{ T "check|netaddr|1|[2001:db8::7]", "check-result|1|found\n",
		    "check-result|1|not-found\n" },
		{ T "check|netaddr|1|2001:db8::7", "check-result|1|found\n",
		    "check-result|1|not-found\n" },
		{ T "lookup|netaddr|1|[2001:db8::7]",
		    "lookup-result|1|found|2001:db8::7\n",
		    "lookup-result|1|not-found\n" },
		{ T "update|478ff0d2", "update-result|478ff0d2|ok\n",
		    "update-result|478ff0d2|ok\n" },
		/* The manual's examples show lookup-result, smtpd wants: */
		{ T "fetch|netaddr|9", "fetch-result|9|not-found\n",
		    "fetch-result|9|not-found\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_string_equal(answer(rows[i].line, true), rows[i].yes);
		assert_string_equal(answer(rows[i].line, false), rows[i].no);
	}
}

static void test_nothing_but_an_address_is_found(void **state)
{
	static const char *const keys[] = { T "check|netaddr|1|local",
		T "check|netaddr|1|", T "check|netaddr|1",
		T "check|netaddr|1|192.0.2.7|", T "check|netaddr|1|192.0.2.7 ",
		T "check|netaddr|1|[192.0.2.7]", T "check|netaddr|1|[]",
		T "check|netaddr|1|192.0.2.0/24",
		T "check|netaddr|1|mx.example.org",
		T "check|mailaddr|1|192.0.2.7" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		assert_string_equal(
		    answer(keys[i], true), "check-result|1|not-found\n");
}

static void test_a_line_that_was_cut_finds_nothing(void **state)
{
	static const char line[] = T "check|netaddr|1|192.0.2.7";
	struct table_request r;

	(void)state;
	table_parse(line, strlen(line), true, &r);
	assert_int_equal(r.word, TABLE_CHECK);
	assert_false(r.has_addr);
	table_parse("config|ready", strlen("config|ready"), true, &r);
	assert_int_equal(r.word, TABLE_BAD);
}

static void test_what_has_no_number_is_bad(void **state)
{
	static const char *const lines[] = { "", "|", "table", "table|0.1",
		"table|0.1|1|pop", T "check", T "check|netaddr",
		T "check|netaddr||192.0.2.7", T "check|netaddr|a b|192.0.2.7",
		T "check|netaddr|\x7f|192.0.2.7", T "delete|netaddr|1|x",
		T "update", T "update|", "config", "config|ready|",
		"filter|0.7|1|smtp-in|connect|1|2|x",
		T "check|netaddr|"
		  "12345678901234567890123456789012345678901234567890123456789"
		  "012345|192.0.2.7" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		assert_int_equal(word_of(lines[i]), TABLE_BAD);
		assert_string_equal(answer(lines[i], true), "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_handshake_registers_addresses_alone),
		cmocka_unit_test(test_each_request_has_its_answer),
		cmocka_unit_test(test_nothing_but_an_address_is_found),
		cmocka_unit_test(test_a_line_that_was_cut_finds_nothing),
		cmocka_unit_test(test_what_has_no_number_is_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
