/* SPDX-License-Identifier: ISC */
/*
 * test_spp_command - verbs and arguments, parameters printed anew, base64.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "smtp/command.h"

static void lines(void **state)
{
	static const struct {
		const char *text;
		enum spp_command command;
		const char *arg;
	} table[] = {
		{ "HELO example.org", SPP_C_HELO, "example.org" },
		{ "ehlo example.org", SPP_C_EHLO, "example.org" },
		{ "MAIL FROM:<> SIZE=7", SPP_C_MAIL, "FROM:<> SIZE=7" },
		{ "rCpT\tTO:<joe>\t ", SPP_C_RCPT, "TO:<joe>" },
		{ "DATA", SPP_C_DATA, "" },
		{ "DATA ", SPP_C_DATA, "" },
		{ "RSET", SPP_C_RSET, "" },
		{ "NOOP  x  y  ", SPP_C_NOOP, "x  y" },
		{ "QUIT", SPP_C_QUIT, "" },
		{ "VRFY joe", SPP_C_VRFY, "joe" },
		{ "HELP", SPP_C_HELP, "" },
		{ "AUTH PLAIN AGEAYg==", SPP_C_AUTH, "PLAIN AGEAYg==" },
		{ "STARTTLS", SPP_C_STARTTLS, "" },
		{ "", SPP_C_UNKNOWN, "" },
		{ " ", SPP_C_UNKNOWN, "" },
		{ " QUIT", SPP_C_UNKNOWN, "QUIT" },
		{ "QUITS", SPP_C_UNKNOWN, "" },
		{ "QUI T", SPP_C_UNKNOWN, "T" },
		{ "BDAT 7 LAST", SPP_C_UNKNOWN, "7 LAST" },
		{ "XCLIENT ADDR=192.0.2.1", SPP_C_UNKNOWN, "ADDR=192.0.2.1" },
		{ "MAIL:", SPP_C_UNKNOWN, "" },
		{ "GET / HTTP/1.1", SPP_C_UNKNOWN, "/ HTTP/1.1" },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		const char *text = table[i].text;
		struct spp_line l;

		spp_line_read(text, strlen(text), &l);
		assert_int_equal(l.command, table[i].command);
		assert_int_equal(l.len, strlen(table[i].arg));
		assert_memory_equal(l.arg, table[i].arg, l.len);
		assert_true(
		    l.arg >= text && l.arg + l.len <= text + strlen(text));
	}
	/* A NUL is no end. */
	struct spp_line l;
	spp_line_read("QUIT\0X", 6, &l);
	assert_int_equal(l.command, SPP_C_UNKNOWN);
	(void)state;
}

static void clean_lines(void **state)
{
	char text[3] = "a?b";

	for (int c = 0; c < 256; c++) {
		text[1] = (char)c;
		assert_int_equal(spp_line_is_clean(text, 3),
		    c == '\t' || (c >= ' ' && c != 0x7f));
	}
	assert_true(spp_line_is_clean("", 0));
	(void)state;
}

/* --- parameters ------------------------------------------------------------
 */

static void good(enum spp_command of, const char *text, const char *want)
{
	char out[SPP_PARAMETERS_MAX];
	int code = 1;

	if (!spp_parameters_print(text, strlen(text), of, out, &code))
		fail_msg("%s: %d", text, code);
	assert_int_equal(code, 0);
	assert_string_equal(out, want);
}

static void bad(enum spp_command of, const char *text, int want)
{
	char out[SPP_PARAMETERS_MAX];
	int code = 0;

	if (spp_parameters_print(text, strlen(text), of, out, &code))
		fail_msg("%s was taken", text);
	if (code != want)
		fail_msg("%s: %d, not %d", text, code, want);
	assert_string_equal(out, "");
}

static void good_parameters(void **state)
{
	good(SPP_C_MAIL, "", "");
	good(SPP_C_MAIL, " \t ", "");
	good(SPP_C_MAIL, "SIZE=7", " SIZE=7");
	good(SPP_C_MAIL, "size=7  body=8bitmime\tSmtpUtf8",
	    " SIZE=7 BODY=8bitmime SMTPUTF8");
	good(SPP_C_MAIL, "BODY=7BIT SIZE=18446744073709551615",
	    " BODY=7BIT SIZE=18446744073709551615");
	good(SPP_C_MAIL, "AUTH=<>", " AUTH=<>");
	good(SPP_C_MAIL, "AUTH=e+3Dmc2@example.org",
	    " AUTH=e+3Dmc2@example.org");
	good(SPP_C_MAIL, "RET=HDRS ENVID=QQ+2B314159",
	    " RET=HDRS ENVID=QQ+2B314159");
	good(SPP_C_RCPT, "NOTIFY=NEVER", " NOTIFY=NEVER");
	good(SPP_C_RCPT, "notify=success,Failure,DELAY",
	    " NOTIFY=success,Failure,DELAY");
	good(SPP_C_RCPT, "ORCPT=rfc822;joe+2Bx@example.org",
	    " ORCPT=rfc822;joe+2Bx@example.org");
	(void)state;
}

static void bad_parameters(void **state)
{
	static const char *const malformed[] = { "=", "=7", "SIZE",
		"SIZE=", "SIZE=x", "SIZE=-1", "SIZE=7=8",
		"SIZE=123456789012345678901", "SIZE=7 SIZE=8", "BODY=", "BODY",
		"BODY=BINARYMIME", "AUTH=", "AUTH=<joe>", "AUTH=joe>",
		"AUTH=a=b", "AUTH=+3d", "AUTH=+3", "AUTH=+", "AUTH=+0A",
		"ENVID=+7F", "ENVID=+0D+0AData", "ENVID=\x01", "ENVID=\x7f",
		"ENVID=\xc3\xb6", "RET=ALL", "SMTPUTF8=", "SMTPUTF8=yes",
		"<joe@example.org>", "\x01", ">" };
	static const char *const of_rcpt[] = { "NOTIFY=", "NOTIFY=,",
		"NOTIFY=DELAY,", "NOTIFY=NEVER,DELAY", "NOTIFY=ALWAYS",
		"NOTIFY=NEVER NOTIFY=NEVER", "ORCPT=", "ORCPT=rfc822",
		"ORCPT=rfc822;", "ORCPT=;joe", "ORCPT=rfc822;<joe>",
		"ORCPT=rfc822;+0A" };

	for (size_t i = 0; i < COUNT_OF(malformed); i++)
		bad(SPP_C_MAIL, malformed[i], SPP_BAD_PARAMETER);
	for (size_t i = 0; i < COUNT_OF(of_rcpt); i++)
		bad(SPP_C_RCPT, of_rcpt[i], SPP_BAD_PARAMETER);
	bad(SPP_C_MAIL, "XVERP=+=", SPP_UNKNOWN_PARAMETER);
	bad(SPP_C_MAIL, "BY=7;R", SPP_UNKNOWN_PARAMETER);
	bad(SPP_C_MAIL, "NOTIFY=NEVER", SPP_UNKNOWN_PARAMETER);
	bad(SPP_C_RCPT, "SIZE=7", SPP_UNKNOWN_PARAMETER);
	bad(SPP_C_MAIL, "SIZE=7 FOO", SPP_UNKNOWN_PARAMETER);
	bad(SPP_C_DATA, "SIZE=7", SPP_UNKNOWN_PARAMETER);
	(void)state;
}

static void long_parameters(void **state)
{
	char text[2000] = "ORCPT=rfc822;", out[SPP_PARAMETERS_MAX];
	int code;

	memset(text + 13, 'x', sizeof(text) - 13);
	assert_true(
	    spp_parameters_print(text, 6 + 500, SPP_C_RCPT, out, &code));
	assert_int_equal(strlen(out), 507);
	assert_false(
	    spp_parameters_print(text, 6 + 501, SPP_C_RCPT, out, &code));
	assert_int_equal(code, SPP_BAD_PARAMETER);
	memcpy(text, "AUTH=", 6);
	memset(text + 5, 'x', sizeof(text) - 5);
	for (size_t len = SPP_PARAMETERS_MAX - 3; len < sizeof(text); len++)
		assert_int_equal(
		    spp_parameters_print(text, len, SPP_C_MAIL, out, &code),
		    len + 2 <= SPP_PARAMETERS_MAX);
	(void)state;
}

/* --- base64 ----------------------------------------------------------------
 */

static void base64(void **state)
{
	static const struct {
		const char *text, *bytes; /* NULL: none */
	} table[] = {
		{ "", "" },
		{ "Zg==", "f" },
		{ "aGk=", "hi" },
		{ "Zm9v", "foo" },
		{ "Zm9vYg==", "foob" },
		{ "Zm9vYmE=", "fooba" },
		{ "Zm9vYmFy", "foobar" },
		{ "+/+/", "\xfb\xff\xbf" },
		{ "Zg", NULL },
		{ "Zg=", NULL },
		{ "Zg===", NULL },
		{ "=", NULL },
		{ "====", NULL },
		{ "Z===", NULL },
		{ "Zh==", NULL },
		{ "Zm9=", NULL },
		{ "Zg==Zg==", NULL },
		{ "Zm 9v", NULL },
		{ "Zm9v ", NULL },
		{ "Zm9-", NULL },
		{ "Zm_v", NULL },
		{ "Zm9\n", NULL },
		{ "Zm9\xff", NULL },
	};
	unsigned char out[16];

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		const char *text = table[i].text, *want = table[i].bytes;
		long n = spp_base64_read(text, strlen(text), out, sizeof(out));

		assert_int_equal(n, want ? (long)strlen(want) : -1);
		if (want)
			assert_memory_equal(out, want, strlen(want));
	}
	assert_int_equal(spp_base64_read("Zm9v", 4, out, 3), 3);
	assert_int_equal(spp_base64_read("Zm9v", 4, out, 2), -1);
	assert_int_equal(spp_base64_read("Zm8=", 4, out, 2), 2);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(clean_lines),
		cmocka_unit_test(good_parameters),
		cmocka_unit_test(bad_parameters),
		cmocka_unit_test(long_parameters),
		cmocka_unit_test(base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
