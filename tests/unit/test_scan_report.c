/* SPDX-License-Identifier: ISC */
/*
 * test_scan_report - what `relaypass scan` shows to whoever looks on: words
 * that speak of logins, addresses in a text, the programs that no pattern
 * knows, the bar, and the counts.
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
#include "cmd/scan_addr.h"
#include "cmd/scan_near.h"
#include "cmd/scan_progress.h"
#include "cmd/scan_sum.h"
#include "cmd/scan_words.h"

/* --- words ---------------------------------------------------------------- */

static const char *const logins[] = { "LOGIN, user=al, ip=[192.0.2.1]",
	"User al logged in from 192.0.2.1", "user al authenticated - 192.0.2.1",
	"POP login by user \"al\" at (c.example.net) 192.0.2.1",
	"Authentication passed for al", "login al pass 192.0.2.1",
	"IMAP User \"al\" log on successful from 192.0.2.1", "login",
	"Successful login for al [192.0.2.1]", "auth ok al 192.0.2.1",
	"Login user=al host=unknown [192.0.2.1]" };

static const char *const no_logins[] = { "", "x",
	"LOGIN FAILED, user=al, ip=[192.0.2.1]", "badlogin: [192.0.2.1] al",
	"LOGOUT, user=al, ip=[192.0.2.1]",
	"imap-login: Disconnected (auth failed, 1 attempts): user=<al>",
	"client=mx[192.0.2.1], sasl_method=PLAIN, x=dovecot_login:al",
	"message blogins 192.0.2.1", "password of al 192.0.2.1",
	"Received-SPF: Pass identity=mailfrom client-ip=192.0.2.1",
	"connect from client.example.net[192.0.2.1]" };

static void test_scan_words_tell_a_login_from_all_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(logins); i++)
		if (!scan_words_login(logins[i], strlen(logins[i])))
			fail_msg("no login: %s", logins[i]);
	for (size_t i = 0; i < COUNT_OF(no_logins); i++)
		if (scan_words_login(no_logins[i], strlen(no_logins[i])))
			fail_msg("a login: %s", no_logins[i]);
	assert_string_equal(scan_words_against("it failed", 9), "fail*");
	assert_null(scan_words_against("knot", 4));
	assert_string_equal(scan_words_other("postfix/smtpd", 13), "smtp");
	assert_null(scan_words_other("pop3d", 5));
}

/* Wherever it stands: the quick look goes by steps of 16 bytes. */
static void test_scan_words_find_a_word_at_every_place(void **state)
{
	char text[200];

	(void)state;
	for (size_t at = 0; at < sizeof(text) - 6; at++)
		for (size_t len = at + 5; len <= at + 6; len++) {
			memset(text, '.', sizeof(text));
			for (size_t i = 0; i < 5; i++)
				text[at + i] = "LOGIN"[i];
			assert_true(scan_words_login(text, len));
			text[at] = 'x';
			assert_false(scan_words_login(text, len));
		}
}

/* --- addresses ------------------------------------------------------------ */

static const struct {
	const char *text, *found;
} addresses[] = {
	{ "from 192.0.2.1", "192.0.2.1" },
	{ "[192.0.2.1]", "192.0.2.1" },
	{ "[::ffff:192.0.2.1]", "::ffff:192.0.2.1" },
	{ "rip=2001:db8::1, x", "2001:db8::1" },
	{ "from 192.0.2.1.", "192.0.2.1" },
	{ "from 2001:db8::1: x", "2001:db8::1" },
	{ "192.0.2.1:50001->198.51.100.1:110", "192.0.2.1 198.51.100.1" },
	{ "al@example.org:192.0.2.1", "192.0.2.1" },
	{ "cafe:192.0.2.1", "192.0.2.1" },
	{ "c.example.net [192.0.2.1] 2001:db8::2", "192.0.2.1 2001:db8::2" },
	{ "::1", "::1" },
	{ "at 10:00:01 of 2026-11-20", "" },
	{ "192.0.2.1-dsl.example.net", "" },
	{ "dsl-192.0.2.1.example.net", "" },
	{ "x192.0.2.1", "" },
	{ "192.0.2.1x", "" },
	{ "192.0.2.0/24", "" },
	{ "fe80::1%eth0", "" },
	{ "192.0.2.01", "" },
	{ "1.2.3.4.5", "" },
	{ "192.0.2", "" },
	{ "", "" },
};

static void test_scan_addr_finds_addresses_that_stand_free(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(addresses); i++) {
		const char *text = addresses[i].text;
		char found[100] = "";
		struct addr_place p;

		for (size_t at = 0; scan_addr_next(text, strlen(text), at, &p);
		     at = p.at + p.len)
			snprintf(found + strlen(found),
			    sizeof(found) - strlen(found), "%s%.*s",
			    *found ? " " : "", (int)p.len, text + p.at);
		if (strcmp(found, addresses[i].found) != 0)
			fail_msg("%s: found \"%s\"", text, found);
	}
}

/* --- programs that no pattern knows --------------------------------------- */

static void look(struct near *n, const char *line)
{
	near_line(n, line, strlen(line), false);
}

/* What is printed; to be freed. */
static char *printed(struct near **n)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	must(out != NULL);
	near_print(*n, out);
	must(fclose(out) == 0);
	near_free(n);
	return text;
}

static void assert_holds(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void test_near_shows_programs_of_any_header(void **state)
{
	struct near *n = near_new();
	char *text;

	(void)state;
	look(n, "Nov 20 18:05:01 mx1 onepop[4]: login al from 192.0.2.1");
	look(n, "Nov 20 18:05:02 mx1 onepop[5]: login bo from 192.0.2.2\r");
	look(n, "<22>1 2026-11-20T18:05:12Z mx1 twopop 1 - -  login al "
		"192.0.2.1");
	look(n, "threepop: Nov 20 18:05:01 login al 192.0.2.1");
	look(n, "Nov 20 18:05:01 fourpop: login al 192.0.2.1");
	look(n, "Nov 20 18:05:01 [fivepop] login al 192.0.2.1");
	look(n, "{\"log\": \"login al 192.0.2.1\"}");
	look(n, "<999>broken login al 192.0.2.1");
	look(n, "Nov 20 18:05:01 mx1 sixpop: Authentication passed for al");
	look(n, "Nov 20 18:05:01 mx1 postfix/smtpd[4]: login al 192.0.2.1");
	look(n, "Nov 20 18:05:01 mx1 dovecot: managesieve-login: Login: al "
		"192.0.2.1");
	look(n, "Nov 20 18:05:01 mx1 other: LOGIN FAILED al 192.0.2.1");
	text = printed(&n);
	assert_holds(
	    text, "  onepop: 2; for example\n    Nov 20 18:05:01 mx1 ");
	assert_holds(text, "  twopop: 1; ");
	assert_holds(text, "  threepop: 1; ");
	assert_holds(text, "  fourpop: 1; ");
	assert_holds(text, "  fivepop: 1; ");
	assert_holds(text, "  (no program): 2; for example\n    {\"log\"");
	assert_holds(text, "  sixpop: 1; for example (no address in it)\n");
	assert_holds(text, "relaypass patterns learn");
	assert_null(strstr(text, "smtpd"));
	assert_null(strstr(text, "sieve"));
	assert_null(strstr(text, "FAILED"));
	free(text);
}

static void test_near_shows_nothing_that_a_terminal_obeys(void **state)
{
	struct near *n = near_new();
	char line[9000], *text;
	int len;

	(void)state;
	look(n, "Nov 20 18:05:01 mx1 e\033[31mvil: login al 192.0.2.1");
	look(n, "Nov 20 18:05:01 mx1 pop: login \033]0;x\007\x9b"
		"31m 192.0.2.1");
	len = snprintf(
	    line, sizeof(line), "Nov 20 18:05:01 mx1 long: login 192.0.2.1 ");
	memset(line + len, 'a', sizeof(line) - (size_t)len);
	near_line(n, line, sizeof(line), false);
	near_line(n, "\0\0 login", 8, true);
	text = printed(&n);
	for (const char *p = text; *p; p++)
		assert_true(*p == '\n' || (*p >= ' ' && *p <= '~'));
	assert_holds(text, "e\\x1b[31mvil");
	assert_holds(text, "...\n");
	assert_holds(text, "begin as a login of a known server");
	assert_true(strlen(text) < 2500);
	free(text);
}

/* Names that somebody makes up do not push out a program that writes more. */
static void test_near_is_bounded_and_keeps_the_frequent(void **state)
{
	struct near *n = near_new();
	char line[200], *text;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		snprintf(line, sizeof(line),
		    "Nov 20 18:05:01 mx1 made-up-%d: login al 192.0.2.1", i);
		look(n, line);
		if (i % 20 == 0)
			look(n, "Nov 20 18:05:01 mx1 realpop: login al "
				"192.0.2.1");
	}
	text = printed(&n);
	assert_holds(text, "  realpop: ");
	assert_holds(text, "  and many programs more\n");
	assert_true(strlen(text) < 10000);
	free(text);
}

/* An example without an address gives way to one with an address. */
static void test_near_prefers_an_example_with_an_address(void **state)
{
	struct near *n = near_new();
	char *text;

	(void)state;
	look(n, "Nov 20 18:05:01 mx1 pop: login of al began");
	look(n, "Nov 20 18:05:02 mx1 pop: login al 192.0.2.1");
	look(n, "Nov 20 18:05:03 mx1 pop: login bo 192.0.2.2");
	text = printed(&n);
	assert_holds(text, "  pop: 3; for example\n    Nov 20 18:05:02 ");
	free(text);
}

static void test_near_prints_nothing_about_nothing(void **state)
{
	struct near *n = near_new();
	char *text = printed(&n);

	(void)state;
	assert_string_equal(text, "");
	free(text);
}

/* --- the bar -------------------------------------------------------------- */

static void test_progress_text_fits_every_width(void **state)
{
	struct progress p = {
		.total = 256000000, .done = 121000000, .files = 1, .began = 1000
	};
	char out[PROGRESS_LINE_SIZE];

	(void)state;
	assert_string_equal(progress_text(&p, 1100, 80, out),
	    " 47% [=================>                  ]  121 MB of 256 MB, "
	    "1.2 GB/s, 0s left");
	for (size_t columns = 0; columns < 700; columns++) {
		size_t len = strlen(progress_text(&p, 5000, columns, out));

		assert_true(len <= columns && len < PROGRESS_LINE_SIZE);
		assert_int_equal(strchr(out, '[') != NULL,
		    columns >=
			strlen(" 47% 121 MB of 256 MB, 30 MB/s, 4s left") + 14);
	}
}

static void test_progress_text_without_a_total_has_no_part(void **state)
{
	struct progress p = { .done = 5400000, .files = 3, .file = 2 };
	char out[PROGRESS_LINE_SIZE];

	(void)state;
	assert_string_equal(
	    progress_text(&p, 2000, 80, out), "file 2 of 3: 5.4 MB, 2.7 MB/s");
	assert_string_equal(
	    progress_text(&p, 0, 80, out), "file 2 of 3: 5.4 MB, 5.4 GB/s");
}

/* A log may grow while it is read. */
static void test_progress_text_never_says_more_than_all(void **state)
{
	struct progress p = { .total = 1000, .done = 5000, .files = 1 };
	char out[PROGRESS_LINE_SIZE];

	(void)state;
	assert_string_equal(
	    progress_text(&p, 1000, 30, out), "100% 5 kB of 1 kB, 5 kB/s");
}

static void test_progress_size_counts_by_thousands(void **state)
{
	char out[16];

	(void)state;
	assert_string_equal(progress_size(0, out), "0 kB");
	assert_string_equal(progress_size(999400, out), "999 kB");
	assert_string_equal(progress_size(999600, out), "1.0 MB");
	assert_string_equal(progress_size(268435456, out), "268 MB");
	assert_string_equal(progress_size(1.44e9, out), "1.4 GB");
	assert_string_equal(progress_size(5e15, out), "5000 TB");
}

/* --- the counts ----------------------------------------------------------- */

static void test_sum_counts_by_server_and_reason(void **state)
{
	struct login l = { .kind = LOGIN_IN, .server = "dovecot" };
	struct sum *s = sum_new(2);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	must(out != NULL);
	sum_login(s, &l, JUDGE_LEASE);
	sum_login(s, &l, JUDGE_OLD);
	l.kind = LOGIN_OUT;
	sum_login(s, &l, JUDGE_NONE);
	memcpy(l.server, "courier", 8);
	l.kind = LOGIN_IN;
	sum_login(s, &l, JUDGE_PRIVATE);
	sum_print(s, out);
	must(fclose(out) == 0);
	assert_holds(text,
	    "courier             1             0             0\n"
	    "dovecot             2             1             1\n");
	assert_holds(text, "1 private-address, 1 too-old\n");
	assert_holds(text, "--now");
	free(text);
	sum_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan_words_tell_a_login_from_all_else),
		cmocka_unit_test(test_scan_words_find_a_word_at_every_place),
		cmocka_unit_test(
		    test_scan_addr_finds_addresses_that_stand_free),
		cmocka_unit_test(test_near_shows_programs_of_any_header),
		cmocka_unit_test(test_near_shows_nothing_that_a_terminal_obeys),
		cmocka_unit_test(test_near_is_bounded_and_keeps_the_frequent),
		cmocka_unit_test(test_near_prefers_an_example_with_an_address),
		cmocka_unit_test(test_near_prints_nothing_about_nothing),
		cmocka_unit_test(test_progress_text_fits_every_width),
		cmocka_unit_test(
		    test_progress_text_without_a_total_has_no_part),
		cmocka_unit_test(test_progress_text_never_says_more_than_all),
		cmocka_unit_test(test_progress_size_counts_by_thousands),
		cmocka_unit_test(test_sum_counts_by_server_and_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
