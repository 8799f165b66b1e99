/* SPDX-License-Identifier: ISC */
/*
 * test_foreign - somebody else's expression finds logins of the server that it
 * was made for, and it is seen when it takes the wrong address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "pattern/file.h"
#include "pattern/foreign.h"

#define TIME "(\\w\\w\\w +\\d+ \\d+:\\d+:\\d+)"
#define IP   "(\\d+\\.\\d+\\.\\d+\\.\\d+)"

/* "server" or "server!" (wrong addresses), commas between. */
static const char *servers(const char *expression, unsigned group)
{
	static char text[500];
	const struct patterns_options options = { 0 };
	struct err err = { 0 };
	struct patterns *all = patterns_open(&options, &err);
	struct foreign found;

	text[0] = '\0';
	assert_non_null(all);
	for (size_t i = 0; i < patterns_count(all); i++) {
		size_t used = strlen(text);

		assert_int_equal(
		    foreign_search(all, i, expression, group, &found, &err), 0);
		if (found.logins)
			(void)snprintf(text + used, sizeof(text) - used,
			    "%s%s%s", used ? "," : "",
			    patterns_file(all, i)->name,
			    found.wrong == found.logins ? "!" : "");
	}
	patterns_close(&all);
	return text;
}

static const struct row {
	const char *expression, *servers;
	unsigned group;
} rows[] = {
	{ "^" TIME " \\S+ (?:ipop3s?d|imaps?d)\\[\\d+\\]: "
	  "(?:Login|Authenticated|Auth|APOP) user=\\S+ "
	  "host=(?:\\S+ )?\\[" IP "\\]",
	    "uw-imap", 2 },
	{ "^" TIME " \\S+ (?:dovecot: )?(?:imap|pop3)-login: Login: .*? "
	  "(?:\\[|rip=)[:f]*" IP "[],]",
	    "dovecot", 2 },
	/* Those of the Dovecot wiki; the second takes the server's address. */
	{ "^(... .. ..:..:..) \\S+ (?:pop3|imap)-login: Login: .+ \\[" IP "\\]",
	    "dovecot", 2 },
	{ "^dovecot: (... .. ..:..:..) \\S+ (?:pop3|imap)-login: Login: \\S+ "
	  "\\S+ \\S+ lip=" IP,
	    "dovecot!", 2 },
	{ "(?:pop3|imap)-login: (... .. ..:..:..) Info: Login: \\S+ \\[" IP
	  "\\]",
	    "dovecot", 2 },
	{ "^(... .. ..:..:..) \\S+ (?:dovecot: )?(?:imap|pop3)-login: Login: "
	  "\\S+ \\S+ rip=" IP,
	    "dovecot", 2 },
	{ "(?:pop3|imap)-login: (... .. ..:..:..) Info: Login: \\S+ "
	  "\\[::ffff:" IP "\\]",
	    "dovecot", 2 },
	{ "^" TIME " \\S+ popa3d\\[(\\d+)\\]: Authentication passed for ",
	    "popa3d", 0 },
	{ "^" TIME " \\S+ nothing: ", "", 2 },
	/* A group that is not there takes no address. */
	{ "IMAP User", "apple!", 2 },
};

static void test_foreign_finds_its_server(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_string_equal(servers(rows[i].expression, rows[i].group),
		    rows[i].servers);
}

static void test_foreign_refuses(void **state)
{
	static const struct {
		const char *expression, *why;
	} bad[] = {
		{ "(unclosed", "is no expression: " },
		{ "(?:.+.+.+.+.+.+.+.+)+[\\x01\\x02]", "takes too long" },
	};
	const struct patterns_options options = { .servers = "dovecot" };
	struct patterns *p = patterns_open(&options, NULL);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct foreign found;
		struct err err = { 0 };

		assert_int_equal(
		    foreign_search(p, 0, bad[i].expression, 1, &found, &err),
		    -1);
		assert_non_null(strstr(err.text, bad[i].why));
	}
	patterns_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_foreign_finds_its_server),
		cmocka_unit_test(test_foreign_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
