/* SPDX-License-Identifier: ISC */
/*
 * test_spp_reply - replies of good servers and of hostile ones, and the EHLO
 * list that clients see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "smtp/reply.h"

enum { OUT_SIZE = 2 * SPP_REPLY_MAX };

static void whole_replies(void **state)
{
	static const struct {
		const char *text, *rest, *printed;
		int code;
	} table[] = {
		{ "220 mail.example.org ESMTP\r\n", "",
		    "220 mail.example.org ESMTP\r\n", 220 },
		{ "250 ok\n", "", "250 ok\r\n", 250 },
		{ "250\r\n", "", "250 \r\n", 250 },
		{ "354\n", "", "354 \r\n", 354 },
		{ "599 x\r\n", "", "599 x\r\n", 599 },
		{ "250-a\r\n250-b\n250 c\r\n", "",
		    "250-a\r\n250-b\r\n250 c\r\n", 250 },
		{ "250-\r\n250\r\n", "", "250-\r\n250 \r\n", 250 },
		{ "250 ok\r\n250 more\r\n", "250 more\r\n", "250 ok\r\n", 250 },
		{ "421 x\r\nrubbish", "rubbish", "421 x\r\n", 421 },
		{ "550 a\rb\x01\x7f\t\xc3\xb6\r\r\n", "",
		    "550 a?b??\t\xc3\xb6?\r\n", 550 },
		{ "250 354 go ahead\r\n", "", "250 354 go ahead\r\n", 250 },
	};
	char out[OUT_SIZE];

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		const char *text = table[i].text;
		size_t len = strlen(text), used = 0, n;
		int code = 0;

		assert_int_equal(
		    spp_reply_read(text, len, &code, &used), SPP_REPLY_WHOLE);
		assert_int_equal(code, table[i].code);
		assert_string_equal(text + used, table[i].rest);
		n = spp_reply_print(text, used, out, sizeof(out));
		assert_int_equal(n, strlen(table[i].printed));
		assert_memory_equal(out, table[i].printed, n);
		/* Each beginning of it is not yet whole. */
		for (size_t part = 0; part < used; part++)
			assert_int_equal(
			    spp_reply_read(text, part, &code, &used),
			    SPP_REPLY_MORE);
	}
	(void)state;
}

static void hostile_replies(void **state)
{
	static const char *const table[] = {
		"\r\n",
		"\n",
		"ok\r\n",
		"EHLO example.org\r\n",
		" 250 ok\r\n",
		"25\r\n",
		"2\n",
		"25x ok\r\n",
		"2500 ok\r\n",
		"250_ok\r\n",
		"250\tok\r\n",
		"250\rok\r\n",
		"250\r\r\n",
		"100 wait\r\n",
		"199-x",
		"000 x\r\n",
		"600 x\r\n",
		"-25 x\r\n",
		"250-a\r\n251 b\r\n",
		"250-a\r\n550 b\r\n",
		"250-a\r\nb\r\n",
		"250-a\r\n\r\n250 b\r\n",
		"250-a\r\n250-b\r\n.\r\n",
		"x",
		"6",
		"25O",
		"250x",
		"250-a\nx",
	};
	size_t used;
	int code;

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		size_t len = strlen(table[i]);

		if (spp_reply_read(table[i], len, &code, &used) !=
		    SPP_REPLY_WRONG)
			fail_msg("%s", table[i]);
	}
	assert_int_equal(
	    spp_reply_read("2\0", 2, &code, &used), SPP_REPLY_WRONG);
	assert_int_equal(
	    spp_reply_read("250\0\n", 5, &code, &used), SPP_REPLY_WRONG);
	(void)state;
}

static void endless_replies(void **state)
{
	AUTO_FREE char *text = xmalloc(SPP_REPLY_MAX + 100);
	size_t used, len = 0;
	int code;

	while (len < SPP_REPLY_MAX) {
		memcpy(text + len, "250-\n", 6);
		len += 5;
	}
	assert_int_equal(
	    spp_reply_read(text, len, &code, &used), SPP_REPLY_WRONG);
	memcpy(text, "250 ", 5);
	memset(text + 4, 'x', SPP_REPLY_MAX + 96);
	assert_int_equal(spp_reply_read(text, SPP_REPLY_MAX - 1, &code, &used),
	    SPP_REPLY_MORE);
	assert_int_equal(
	    spp_reply_read(text, SPP_REPLY_MAX, &code, &used), SPP_REPLY_WRONG);
	/* The longest, and one more. */
	text[SPP_REPLY_MAX - 1] = '\n';
	assert_int_equal(
	    spp_reply_read(text, SPP_REPLY_MAX, &code, &used), SPP_REPLY_WHOLE);
	assert_int_equal(used, SPP_REPLY_MAX);
	text[SPP_REPLY_MAX - 1] = 'x';
	text[SPP_REPLY_MAX] = '\n';
	assert_int_equal(spp_reply_read(text, SPP_REPLY_MAX + 1, &code, &used),
	    SPP_REPLY_WRONG);
	(void)state;
}

/* Whatever the room, what comes out is whole. */
static void small_rooms(void **state)
{
	static const char text[] = "550-first line\r\n550-second\r\n550 last "
				   "line of it\r\n";
	char out[100];
	size_t used;
	int code;

	for (size_t size = 0; size < sizeof(out); size++) {
		memset(out, 'x', sizeof(out));
		size_t n = spp_reply_print(text, sizeof(text) - 1, out, size);
		assert_true(n <= size);
		if (size >= 6) {
			assert_int_equal(spp_reply_read(out, n, &code, &used),
			    SPP_REPLY_WHOLE);
			assert_int_equal(used, n);
		}
		for (size_t i = n; i < sizeof(out); i++)
			assert_int_equal(out[i], 'x');
	}
	assert_int_equal(spp_reply_print("rubbish\r\n", 9, out, 100), 0);
	assert_int_equal(spp_reply_print("250 x", 5, out, 100), 0);
	(void)state;
}

/* --- EHLO ------------------------------------------------------------------
 */

static void check_offer(const char *reply, struct spp_offer offer,
    struct spp_extensions *ext, const char *want)
{
	char out[OUT_SIZE];
	size_t n = spp_reply_offer(
	    reply, strlen(reply), offer, ext, out, sizeof(out) - 1);

	out[n] = '\0';
	assert_string_equal(out, want);
}

static void the_list_of_a_rich_server(void **state)
{
	static const char reply[] =
	    "250-mail.example.org\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n"
	    "250-VRFY\r\n250-ETRN\r\n250-STARTTLS\r\n"
	    "250-AUTH PLAIN LOGIN DIGEST-MD5 GSSAPI CRAM-MD5\r\n"
	    "250-AUTH=PLAIN\r\n250-XCLIENT NAME ADDR  PORT\r\n"
	    "250-XFORWARD NAME\r\n250-ENHANCEDSTATUSCODES\r\n"
	    "250-8bitmime\r\n250-DSN\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n"
	    "250-BINARYMIME\r\n250 HELP\r\n";
	struct spp_extensions ext;

	check_offer(reply, (struct spp_offer){ 0 }, &ext,
	    "250-mail.example.org\r\n250-SIZE 10240000\r\n250-8BITMIME\r\n"
	    "250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250-HELP\r\n"
	    "250-AUTH CRAM-MD5\r\n250 PIPELINING\r\n");
	assert_true(ext.xclient && ext.auth);
	assert_string_equal(ext.xclient_words, "NAME ADDR PORT");
	check_offer(reply,
	    (struct spp_offer){ .starttls = true, .plain_and_login = true },
	    &ext,
	    "250-mail.example.org\r\n250-SIZE 10240000\r\n250-8BITMIME\r\n"
	    "250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250-HELP\r\n"
	    "250-AUTH PLAIN LOGIN CRAM-MD5\r\n250-STARTTLS\r\n"
	    "250 PIPELINING\r\n");
	(void)state;
}

static void lists_of_others(void **state)
{
	static const struct spp_offer none = { 0 },
				      plain = { .plain_and_login = true };
	struct spp_extensions ext;

	/* Poor ones. */
	check_offer("250 example.org\r\n", none, &ext,
	    "250-example.org\r\n250 PIPELINING\r\n");
	assert_false(ext.xclient || ext.auth);
	check_offer("250\n", none, &ext, "250-\r\n250 PIPELINING\r\n");
	/* Nothing can be read of its mechanisms, or nothing is safe. */
	check_offer("250-x\r\n250 AUTH GSSAPI XPLAIN PLAINX\r\n", plain, &ext,
	    "250-x\r\n250 PIPELINING\r\n");
	assert_false(ext.auth);
	check_offer("250-x\r\n250 AUTH PLAIN LOGIN\r\n", none, &ext,
	    "250-x\r\n250 PIPELINING\r\n");
	assert_false(ext.auth);
	check_offer("250-x\r\n250-AUTH\r\n250 AUTH=login plain\r\n", plain,
	    &ext, "250-x\r\n250-AUTH PLAIN LOGIN\r\n250 PIPELINING\r\n");
	assert_true(ext.auth);
	/* Limits. */
	check_offer("250-x\r\n250 SIZE\r\n", none, &ext,
	    "250-x\r\n250-SIZE\r\n250 PIPELINING\r\n");
	check_offer("250-x\r\n250 SIZE 7x\r\n", none, &ext,
	    "250-x\r\n250-SIZE\r\n250 PIPELINING\r\n");
	check_offer("250-x\r\n250-SIZE 123456789012345678901\r\n250 SIZE "
		    "12345678901234567890\r\n",
	    none, &ext,
	    "250-x\r\n250-SIZE 12345678901234567890\r\n250 PIPELINING\r\n");
	/* Not a list at all. */
	check_offer("502 what?\r\n", plain, &ext, "502 what?\r\n");
	check_offer("421-a\r\n421 PIPELINING\r\n", plain, &ext,
	    "421-a\r\n421 PIPELINING\r\n");
	assert_false(ext.xclient || ext.auth);
	(void)state;
}

static void a_hostile_list(void **state)
{
	char reply[8000] = "250-\x01greeting\rof ", *p = reply + 17;
	char out[OUT_SIZE];
	struct spp_extensions ext;
	size_t n;

	memset(p, 'x', 3000);
	p += 3000;
	memcpy(p, "\r\n250-XCLIENT ", 14);
	p += 14;
	memset(p, 'A', 300);
	p += 300;
	for (int i = 0; i < 100; i++) {
		memcpy(p, "\r\n250-SIZE 7", 12);
		p += 12;
	}
	memcpy(p, "\r\n250 DSN\r\n", 12);
	n = spp_reply_offer(reply, strlen(reply), (struct spp_offer){ 0 }, &ext,
	    out, sizeof(out));
	assert_true(n < 600);
	out[n] = '\0';
	assert_memory_equal(out, "250-?greeting?of xxx", 20);
	assert_non_null(
	    strstr(out, "x\r\n250-SIZE 7\r\n250-DSN\r\n250 PIPELINING\r\n"));
	assert_true(ext.xclient);
	assert_string_equal(ext.xclient_words, "");
	for (size_t size = 0; size < 100; size++)
		assert_true(
		    spp_reply_offer(reply, strlen(reply),
			(struct spp_offer){ 0 }, &ext, out, size) <= size);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_replies),
		cmocka_unit_test(hostile_replies),
		cmocka_unit_test(endless_replies),
		cmocka_unit_test(small_rooms),
		cmocka_unit_test(the_list_of_a_rich_server),
		cmocka_unit_test(lists_of_others),
		cmocka_unit_test(a_hostile_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
