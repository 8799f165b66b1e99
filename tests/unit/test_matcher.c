/* SPDX-License-Identifier: ISC */
/*
 * test_matcher - lines to logins: what is carried over, what joins, and that
 * nothing a matcher remembers changes what a line means.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>
#include <unistd.h>

#include "base/line.h"
#include "matcher_world.h"
#include "pattern/file.h"

static void test_matcher_fills_the_whole_login(void **state)
{
	struct world *w = *state;
	struct login want = { .kind = LOGIN_IN,
		.tls = 1,
		.user_len = 3,
		.session_len = 3,
		.mpid = 7,
		.time = 1795197901000,
		.server = "dovecot",
		.user = "bob",
		.session = "abc" };

	assert_int_equal(take(w, LOGIN FROM), LOGIN_IN);
	addr_parse("192.0.2.1", 9, &want.addr);
	/* Every byte, also those behind the texts. */
	assert_memory_equal(&w->login, &want, sizeof(want));
}

static void test_matcher_drops_one_cr_and_refuses_control_bytes(void **state)
{
	static const char line[] = LOGIN FROM;
	struct world *w = *state;
	char copy[300];
	size_t len = sizeof(line) - 1;

	assert_int_equal(take(w, LOGIN FROM "\r"), LOGIN_IN);
	assert_int_equal(take(w, LOGIN FROM "\r\r"), LOGIN_NOTHING);
	assert_int_equal(take(w, LOGIN FROM "\n"), LOGIN_NOTHING);
	/* Each control byte at each place of the line. */
	for (int c = 0; c < 256; c++) {
		if (c >= ' ' && c != 0x7f)
			continue;
		for (size_t at = 0; at < len; at++) {
			memcpy(copy, line, len);
			copy[at] = (char)c;
			assert_int_equal(
			    take_bytes(w, copy, len), LOGIN_NOTHING);
		}
	}
	/* In the user, where any byte but < and > would do. */
	assert_int_equal(take(w, HEAD "imapd: LOGIN, user=a\tb, "
				      "ip=[192.0.2.1], port=[1]"),
	    LOGIN_NOTHING);
	assert_int_equal(take(w, HEAD "imapd: LOGIN, user=a\xc2\x9b"
				      "b, ip=[192.0.2.1], port=[1]"),
	    LOGIN_NOTHING);
	assert_int_equal(take(w, HEAD "imapd: LOGIN, user=a\xc2\xa0"
				      "b, ip=[192.0.2.1], port=[1]"),
	    LOGIN_IN);
	assert_int_equal(take(w, HEAD "imapd: LOGIN, user=a\xe4"
				      "b, ip=[192.0.2.1], port=[1]"),
	    LOGIN_IN);
}

static void test_matcher_limits_user_session_and_line(void **state)
{
	struct world *w = *state;
	char line[LINE_MAX_BYTES + 300];

	for (int n = 250; n < 262; n++) {
		snprintf(line, sizeof(line),
		    HEAD "imapd: LOGIN, user=%0*d, ip=[192.0.2.1]", n, 0);
		assert_int_equal(take(w, line),
		    n <= LOGIN_USER_MAX ? LOGIN_IN : LOGIN_NOTHING);
	}
	for (int n = 90; n < 100; n++) {
		snprintf(line, sizeof(line),
		    LOGIN "rip=192.0.2.1, "
			  "lip=198.51.100.1, session=<%0*d>",
		    n, 0);
		assert_int_equal(take(w, line), LOGIN_IN);
		assert_int_equal(
		    w->login.session_len, n <= LOGIN_SESSION_MAX ? n : 0);
	}
	snprintf(line, sizeof(line),
	    HEAD "imapd: LOGIN, user=bob%0*d, "
		 "ip=[192.0.2.1]",
	    LINE_MAX_BYTES, 0);
	assert_int_equal(take(w, line), LOGIN_NOTHING);
	assert_int_equal(take_bytes(w, line, 0), LOGIN_NOTHING);
}

static void test_matcher_reads_stamps_inside_messages(void **state)
{
	struct world *w = *state;

	assert_int_equal(take(w, "2026-11-20T18:05:01.123Z,0051,2,10.0.0.5:995,"
				 "192.0.2.170:51515,bob,31,14,5,pass,*****,"
				 "R=ok,"),
	    LOGIN_IN);
	assert_true(w->login.time == 1795197901123);
	assert_string_equal(w->login.server, "exchange");
	assert_int_equal(take(w, "2026-11-31T18:05:01.123Z,0051,2,10.0.0.5:995,"
				 "192.0.2.170:51515,bob,31,14,5,pass,*****,"
				 "R=ok,"),
	    LOGIN_NOTHING);
}

static void test_matcher_believes_no_line_without_a_stamp(void **state)
{
	static const char message[] = "imap-login: Info: Login: user=<bob>, "
				      "method=PLAIN, " FROM;
	char dir[] = "/tmp/relaypass-test-XXXXXX", path[64];
	struct world *w = *state;
	FILE *f;

	assert_int_equal(take(w, message), LOGIN_NOTHING);
	assert_int_equal(take(w, "dovecot: imap-login: Login: user=<bob>, "
				 "method=PLAIN, " FROM),
	    LOGIN_NOTHING);
	/* ... unless the administrator says so. */
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/mine.pattern", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("server mine\nfile unstamped\n"
	      "login ^(?<user>[^ ]++) from (?<ip>%ip%)$\n",
	    f);
	fclose(f);
	matcher_free(&w->matcher);
	patterns_close(&w->patterns);
	w->patterns = world_patterns(NULL, dir);
	w->matcher = matcher_new(w->patterns);
	assert_int_equal(take(w, "bob from 192.0.2.5"), LOGIN_IN);
	assert_true(w->login.time == test_now);
	unlink(path);
	rmdir(dir);
}

static void test_matcher_takes_a_file_of_the_administrator_over_ours(
    void **state)
{
	char dir[] = "/tmp/relaypass-test-XXXXXX", path[64];
	struct patterns_options o = { .dir = dir };
	struct err err = { 0 };
	struct patterns *p;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/courier.pattern", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("server courier\nprogram imapd\n"
	      "login ^IN (?<user>[^ ]++) (?<ip>%ip%)$\n",
	    f);
	fclose(f);
	p = patterns_open(&o, &err);
	assert_non_null(p);
	for (size_t i = 0; i < patterns_count(p); i++)
		if (!strcmp(patterns_file(p, i)->name, "courier"))
			assert_string_equal(patterns_file(p, i)->path, path);
	patterns_close(&p);
	f = fopen(path, "w");
	fputs("server courier\nprogram imapd\nlogin ^.*x$\n", f);
	fclose(f);
	assert_null(patterns_open(&o, &err));
	assert_int_equal(err.code, EXIT_USER);
	assert_non_null(strstr(err.text, "courier.pattern:3:"));
	/* Safe by its form, but too much for PCRE2. */
	f = fopen(path, "w");
	fputs("server courier\nprogram imapd\n"
	      "login ^IN (?<user>[^ ]++) (?<ip>%ip%)$\n"
	      "fail ^(?:(?:(?:ab){64}){64}+){64}+$\n",
	    f);
	fclose(f);
	assert_null(patterns_open(&o, &err));
	assert_int_equal(err.code, EXIT_USER);
	assert_non_null(strstr(err.text, "courier.pattern:4: "));
	assert_non_null(strstr(err.text, "too large"));
	unlink(path);
	rmdir(dir);
	o = (struct patterns_options){ .servers = "dovecot,courrier" };
	assert_null(patterns_open(&o, &err));
	assert_non_null(strstr(err.text, "courrier"));
	o = (struct patterns_options){ .dir = "/nonexistent/patterns" };
	p = patterns_open(&o, &err);
	assert_non_null(p);
	patterns_close(&p);
}

static void test_matcher_counts_what_it_refuses(void **state)
{
	struct world *w = *state;
	struct matcher_counts c;

	take(w, LOGIN FROM);
	take(w, LOGIN "rip=192.0.2.1, lip=198.51.100.1, mpid=4");
	take(w, LOGIN "rip=fe80::1%eth0, lip=198.51.100.1, TLS");
	take(w, HEAD "dovecot: lmtp(bob): saved");
	take(w, HEAD "dovecot: imap(bob)<7><abc>: Disconnected: Logged out");
	take(w, "nothing of a head");
	c = matcher_counts(w->matcher);
	assert_int_equal(c.lines, 6);
	assert_int_equal(c.logins, 1);
	assert_int_equal(c.logouts, 1);
	assert_int_equal(c.refused, 2);
	assert_int_equal(c.odd, 1);
}

/*
 * A matcher remembers hosts, days and connections to be quick. Lines of all
 * sorts, shuffled: one that has seen them all says what a new one says.
 */
static void test_matcher_memory_changes_no_result(void **state)
{
	static const char *const heads[] = { "Nov 20 18:05:01 mx1 ",
		"Nov 20 18:05:01 imap-login: ",
		"Nov 20 18:05:01 a-very-long-host-name.example.net ",
		"Nov 20 18:05:01 imap ", "<22>Nov 20 18:05:01 mx1 ",
		"<22>1 2026-11-20T18:05:01Z mx1 ",
		"2026-11-20T18:05:01.123456+00:00 mx1 ",
		"2026-11-20T18:05:01Z master ", "2026-11-20T18:05:01+00:00 m ",
		"2026-11-20 18:05:01 mx1 ", "Nov 20 18:05:01 mx1 mail.info ",
		"Nov 20 18:05:01 ", "2026-11-20T18:05:01Z ",
		"dovecot: Nov 20 18:05:01 Info: ", "Nov 20 18:05:01 dovecot ",
		"1795197901 x ", "Nov 20 18:05:01 mx1 mx1 ",
		"2026-11-20T18:05:01Z mx1 mx1 " };
	static const char *const rests[] = {
		"dovecot: imap-login: Login: user=<bob>, method=PLAIN, " FROM,
		("dovecot - - -  imap-login: Login: user=<bob>, "
		 "method=PLAIN, " FROM),
		"imap-login: Login: user=<bob>, method=PLAIN, " FROM,
		"imap-login: Info: Login: user=<bob>, method=PLAIN, " FROM,
		"Info: Login: user=<bob>, method=PLAIN, " FROM,
		("imapd: LOGIN, user=bob, ip=[192.0.2.1], port=[51000], "
		 "protocol=IMAP"),
		("imap[7]: login: [192.0.2.1] bob plaintext User logged "
		 "in"),
		("postfix/smtp[77]: to=<a@example.net>, "
		 "relay=mx.example[192.0.2.1]:25, status=sent (250 ok)"),
		"master: Info: Dovecot v2.3.19 starting up for imap",
		"Dovecot v1.2.3 starting up                                  ",
		"login: Info: Dovecot v1.2.3 starting up                     ",
	};
	struct world *w = *state;
	unsigned seed = 5;
	int logins = 0;

	for (int i = 0; i < 4000; i++) {
		char line[500];
		struct matcher *fresh = matcher_new(w->patterns);
		struct login other;
		enum login_kind kind;

		snprintf(line, sizeof(line), "%s%s",
		    heads[(size_t)rand_r(&seed) % COUNT_OF(heads)],
		    rests[(size_t)rand_r(&seed) % COUNT_OF(rests)]);
		kind = matcher_line(
		    fresh, line, strlen(line), test_now, test_skew, &other);
		logins += kind == LOGIN_IN;
		if (take(w, line) != kind)
			fail_msg("%s", line);
		if (kind)
			assert_memory_equal(&w->login, &other, sizeof(other));
		matcher_free(&fresh);
	}
	assert_true(logins > 400);
}

/* One login under every head that header.h knows. */
static void test_matcher_takes_a_login_under_every_head(void **state)
{
#define TEXT   "Login: user=<bob>, method=PLAIN, " FROM
#define SYSLOG " mx1 dovecot: imap-login: " TEXT
	static const char *const lines[] = {
		"Nov 20 18:05:01" SYSLOG,
		"<22>Nov 20 18:05:01" SYSLOG,
		"Nov 20 18:05:01 mx1 dovecot[7]: imap-login: " TEXT,
		"Nov 20 18:05:01 mx1 mail.info dovecot: imap-login: " TEXT,
		"Nov 20 2026 18:05:01" SYSLOG,
		"Fri Nov 20 18:05:01 2026" SYSLOG,
		"2026-11-20T18:05:01" SYSLOG,
		"2026-11-20 18:05:01" SYSLOG,
		"2026-11-20T18:05:01.000+00:00" SYSLOG,
		"2026-11-20T20:05:01.000000+02:00" SYSLOG,
		"2026/11/20 18:05:01" SYSLOG,
		"@400000006b008bd700000000" SYSLOG,
		"1795197901" SYSLOG,
		("<22>1 2026-11-20T18:05:01Z mx1 dovecot - - -  "
		 "imap-login: " TEXT),
		("<22>1 2026-11-20T18:05:01Z mx1 dovecot 7 ID [a@1 b=\"]\"] "
		 "imap-login: " TEXT),
		"Nov 20 18:05:01 imap-login: Info: " TEXT,
		"2026-11-20 18:05:01 imap-login: Info: " TEXT,
		"@400000006b008bd700000000 imap-login: Info: " TEXT,
		"dovecot: Nov 20 18:05:01 Info: imap-login: " TEXT,
		"dovecot: 2026-11-20 18:05:01 Info: imap-login: " TEXT,
	};
#undef SYSLOG
#undef TEXT
	struct world *w = *state;

	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		if (take(w, lines[i]) != LOGIN_IN)
			fail_msg("refused: %s", lines[i]);
		assert_string_equal(w->login.user, "bob");
		assert_addr(w, "192.0.2.1");
		assert_true(w->login.time == 1795197901000);
	}
}

#define BY(uid) " @[_PID=7 _UID=" uid " _GID=8 _COMM=a _CMDLINE=\"a \\\" b\"]"

static void test_matcher_wants_the_suffix_of_annotated_lines(void **state)
{
	struct world *w = *state;

	/* Where nobody said that they have it, it is just text. */
	assert_int_equal(take(w, LOGIN FROM BY("0")), LOGIN_NOTHING);
	matcher_annotated(w->matcher, true);
	assert_int_equal(take(w, LOGIN FROM BY("1001")), LOGIN_IN);
	assert_string_equal(w->login.session, "abc");
	assert_int_equal(take(w, LOGIN FROM), LOGIN_NOTHING);
	assert_int_equal(take(w, LOGIN FROM BY("0") BY("0")), LOGIN_NOTHING);
	assert_int_equal(take(w, LOGIN FROM " " BY("0")), LOGIN_NOTHING);
	/* Cut lines stay cut ones. */
	assert_int_equal(
	    take(w, LOGIN "rip=192.0.2.1, lip=198.51.100.1" BY("0")),
	    LOGIN_NOTHING);
	assert_int_equal(
	    take(w, "<22>1 2026-11-20T18:05:01Z mx1 dovecot - - -  imap-login: "
		    "Login: user=<bob>, method=PLAIN, " FROM BY("0")),
	    LOGIN_IN);
	assert_int_equal(take(w, HEAD "dovecot: imap(bob)<7><abc>: "
				      "Disconnected: Logged out" BY("5")),
	    LOGIN_OUT);
	/* Foreign programs' lines are no refusals. */
	assert_int_equal(
	    take(w, HEAD "kernel: a line without it"), LOGIN_NOTHING);
	assert_int_equal(matcher_counts(w->matcher).refused, 5);
	matcher_annotated(w->matcher, false);
	assert_int_equal(take(w, LOGIN FROM), LOGIN_IN);
}

/* A server of which only uid 107 is believed, and one of which everybody is. */
static const char uid_patterns[] =
    "server mine\n"
    "program minepop\n"
    "uid 107 root-of-nowhere\n"
    "join 60\n"
    "login ^(?<user>[a-z]{1,9}+) in(?: from (?<ip>%ip%))?+$\n"
    "connect ^from (?<ip>%ip%)$\n"
    "logout ^(?<user>[a-z]{1,9}+) out$\n"
    "start ^up$\n"
    "program mineimap\n"
    "login ^(?<user>[a-z]{1,9}+) in from (?<ip>%ip%)$\n"
    "sample login ip=192.0.2.1 user=bob | Nov 20 18:05:01 mx1 minepop: bob in "
    "from 192.0.2.1\n"
    "sample login ip=192.0.2.1 user=bob | Nov 20 18:05:01 mx1 minepop: bob in "
    "from 192.0.2.1 @[_PID=1 _UID=107 _GID=0]\n"
    "sample none | Nov 20 18:05:01 mx1 minepop: bob in from 192.0.2.1 @[_PID=1 "
    "_UID=0 _GID=0]\n"
    "sample login | Nov 20 18:05:01 mx1 mineimap: bob in from 192.0.2.1 "
    "@[_PID=1 _UID=5 _GID=0]\n";

static void test_matcher_believes_the_uids_of_a_block_only(void **state)
{
	char dir[] = "/tmp/relaypass-test-XXXXXX", path[64];
	struct world *w = *state;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/mine.pattern", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(uid_patterns, f);
	fclose(f);
	matcher_free(&w->matcher);
	patterns_close(&w->patterns);
	w->patterns = world_patterns("mine", dir);
	unlink(path);
	rmdir(dir);
	w->matcher = matcher_new(w->patterns);
#define POP  HEAD "minepop[4]: "
#define IMAP HEAD "mineimap[4]: "
	/* Nothing proves who sent it. */
	assert_int_equal(take(w, POP "bob in from 192.0.2.1"), LOGIN_NOTHING);
	assert_int_equal(matcher_counts(w->matcher).refused, 1);
	assert_int_equal(take(w, IMAP "bob in from 192.0.2.1"), LOGIN_IN);
	matcher_annotated(w->matcher, true);
	assert_int_equal(
	    take(w, POP "bob in from 192.0.2.1" BY("107")), LOGIN_IN);
	assert_int_equal(
	    take(w, IMAP "bob in from 192.0.2.1" BY("5")), LOGIN_IN);
	for (size_t i = 0; i < 4; i++) {
		static const char *const others[] = { POP
			"bob in from 203.0.113.66" BY("0"),
			POP "bob in from 203.0.113.66" BY("1001"),
			/* The uid that stands for a name not found. */
			POP "bob in from 203.0.113.66" BY("4294967295"),
			POP "bob in from 203.0.113.66" };

		assert_int_equal(take(w, others[i]), LOGIN_NOTHING);
		assert_int_equal(matcher_counts(w->matcher).refused, 2 + i);
	}
	/* Nor may others connect, log out or start anything. */
	take(w, POP "from 203.0.113.66" BY("1001"));
	assert_int_equal(take(w, POP "bob in" BY("107")), LOGIN_NOTHING);
	take(w, POP "from 192.0.2.2" BY("107"));
	take(w, POP "from 203.0.113.66" BY("1001"));
	assert_int_equal(take(w, POP "bob in" BY("107")), LOGIN_IN);
	assert_addr(w, "192.0.2.2");
	assert_int_equal(take(w, POP "bob out" BY("0")), LOGIN_NOTHING);
	assert_int_equal(take(w, POP "bob out" BY("107")), LOGIN_OUT);
	assert_int_equal(take(w, POP "up" BY("0")), LOGIN_NOTHING);
	assert_int_equal(take(w, POP "up" BY("107")), LOGIN_RESTART);
#undef POP
#undef IMAP
	assert_int_equal(patterns_run_samples(w->patterns,
			     patterns_file(w->patterns, 0), NULL, NULL),
	    0);
}

static void test_matcher_time_reads_any_stamped_line(void **state)
{
	static const char line[] = "Nov 20 18:05:01 mx1 postfix/smtp[1]: x";
	struct world *w = *state;

	assert_true(matcher_time(w->matcher, line, sizeof(line) - 1, test_now,
			test_skew) == 1795197901000);
	assert_true(
	    matcher_time(w->matcher, "no stamp", 8, test_now, test_skew) == -1);
	assert_true(matcher_time(w->matcher, "", 0, test_now, test_skew) == -1);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_matcher_fills_the_whole_login),
		TEST(test_matcher_drops_one_cr_and_refuses_control_bytes),
		TEST(test_matcher_limits_user_session_and_line),
		TEST(test_matcher_reads_stamps_inside_messages),
		TEST(test_matcher_believes_no_line_without_a_stamp),
		TEST(test_matcher_takes_a_file_of_the_administrator_over_ours),
		TEST(test_matcher_counts_what_it_refuses),
		TEST(test_matcher_memory_changes_no_result),
		TEST(test_matcher_takes_a_login_under_every_head),
		TEST(test_matcher_wants_the_suffix_of_annotated_lines),
		TEST(test_matcher_believes_the_uids_of_a_block_only),
		TEST(test_matcher_time_reads_any_stamped_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
