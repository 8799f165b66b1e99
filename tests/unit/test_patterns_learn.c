/* SPDX-License-Identifier: ISC */
/*
 * test_patterns_learn - pattern files that are proposed: from the genuine lines
 * of the servers we know, what stays and what becomes a class, what is refused
 * and in which words, and that no name of a user chooses the address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/patterns_check.h"
#include "cmd/patterns_learn.h"

static const int64_t late = 4102444800000; /* every stamp has a reading */

/* The file that is proposed for these lines, each with its LF; NULL and *err.
 */
static char *propose(
    const char *lines, const struct learn_hints *hints, struct err *err)
{
	struct learn *l = learn_new(hints);
	char *text = NULL;

	*err = (struct err){ 0 };
	while (*lines && !err->code) {
		size_t n = strcspn(lines, "\n");

		learn_line(l, lines, n, err);
		lines += n + (lines[n] == '\n');
	}
	if (!err->code)
		text = learn_propose(l, err);
	learn_free(&l);
	return text;
}

/* Its patterns alone. */
static struct patterns *open_text(const char *text, const char *server)
{
	char path[] = "/tmp/relaypass-test-XXXXXX";
	AUTO_CLOSE int fd = mkstemp(path);
	const struct patterns_options o = { .file = path, .servers = server };
	struct err err = { 0 };
	struct patterns *p;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	p = patterns_open(&o, &err);
	unlink(path);
	if (!p)
		fail_msg("%s", err.text);
	return p;
}

#define HEAD "Nov 20 18:05:01 mx1 ourpop[7]: "

/* --- genuine lines -------------------------------------------------------- */

/* "sample login ip=... | LINE", as it stands in the file. */
static char *sample_line(const struct pattern_sample *s)
{
	size_t size = strlen(s->want) + s->text_len + 32;
	char *line = xmalloc(size);

	snprintf(line, size, "sample login %s | %s\n", s->want, s->text);
	return line;
}

/* What is proposed for one sample takes the sample, as it is. */
static void hit(const char *text, const struct pattern_file *f,
    const struct pattern_sample *s)
{
	struct patterns *p = open_text(text, f->name);
	struct patterns *known = NULL;
	struct matcher *m = matcher_new(p), *by;
	const struct patterns_options o = { .servers = f->name };
	struct err err = { 0 };
	struct login got = { 0 }, want = { 0 };

	known = patterns_open(&o, &err);
	assert_non_null(known);
	by = matcher_new(known);
	assert_int_equal(
	    matcher_line(by, s->text, s->text_len, late, 0, &want), LOGIN_IN);
	assert_int_equal(
	    matcher_line(m, s->text, s->text_len, late, 0, &got), LOGIN_IN);
	assert_true(addr_equal(&got.addr, &want.addr));
	if (strstr(s->want, "user="))
		assert_string_equal(got.user, want.user);
	assert_string_equal(got.server, f->name);
	matcher_free(&m);
	matcher_free(&by);
	patterns_close(&known);
	patterns_close(&p);
}

/* Pieces of the line itself, addresses and marks, in any order. */
static size_t make_name(
    unsigned *seed, const struct pattern_sample *s, char *out, size_t size)
{
	static const char *const bits[] = { "203.0.113.66", "x", " ", "]", ", ",
		"\"", ">", "2001:db8:bad::66", ":", "2001:db8:bad:" };
	size_t used = 0;

	for (int n = 1 + rand_r(seed) % 8; n; n--) {
		const char *piece = bits[rand_r(seed) % COUNT_OF(bits)];
		size_t len = strlen(piece);

		if (rand_r(seed) % 2) {
			size_t at = (size_t)rand_r(seed) % s->text_len;

			piece = s->text + at;
			len = (size_t)rand_r(seed) % (s->text_len - at) + 1;
		}
		if (used + len >= size)
			break;
		memcpy(out + used, piece, len);
		used += len;
	}
	return used;
}

/* Whatever the user calls himself, the address is the one behind it or none. */
static void attack(const char *text, const struct pattern_file *f,
    const struct pattern_sample *s)
{
	struct patterns *p = open_text(text, f->name);
	struct matcher *m = matcher_new(p);
	struct login real = { 0 };
	const char *user;
	unsigned seed = 1;
	int taken = 0;

	assert_int_equal(
	    matcher_line(m, s->text, s->text_len, late, 0, &real), LOGIN_IN);
	user = strstr(s->text, real.user);
	assert_non_null(user);
	for (int i = 0; i < 2000; i++) {
		char line[6000], name[255];
		size_t n = make_name(&seed, s, name, sizeof(name));
		struct login got;
		int len = snprintf(line, sizeof(line), "%.*s%.*s%s",
		    (int)(user - s->text), s->text, (int)n, name,
		    user + real.user_len);

		if (matcher_line(m, line, (size_t)len, late, 0, &got) ==
		    LOGIN_NOTHING)
			continue;
		taken++;
		if (!addr_equal(&got.addr, &real.addr))
			fail_msg(
			    "%s\ngives another address by\n%s", line, text);
	}
	/* Some names are harmless, or this would prove nothing. */
	assert_true(taken > 0);
	matcher_free(&m);
	patterns_close(&p);
}

static bool learn_from(
    const struct pattern_file *f, const struct pattern_sample *s)
{
	const struct learn_hints hints = { .server = f->name };
	AUTO_FREE char *line = sample_line(s);
	struct err err;
	AUTO_FREE char *text = propose(line, &hints, &err);

	if (!text) {
		assert_int_equal(err.code, EXIT_NO);
		assert_true(err.text[0]);
		return false;
	}
	hit(text, f, s);
	attack(text, f, s);
	return true;
}

static void test_learn_takes_genuine_lines_of_known_servers(void **state)
{
	static const char must_work[] =
	    " courier cyrus dovecot uw-imap qpopper "
	    "teapop solid-pop3d vpop3d ";
	struct err err = { 0 };
	struct patterns *all =
	    patterns_open(&(struct patterns_options){ 0 }, &err);
	size_t good = 0;

	(void)state;
	assert_non_null(all);
	for (size_t i = 0; i < patterns_count(all); i++) {
		const struct pattern_file *f = patterns_file(all, i);
		char name[40];
		size_t here = 0;

		for (size_t k = 0; k < f->sample_count; k++)
			here += f->samples[k].kind == LOGIN_IN &&
				learn_from(f, &f->samples[k]);
		snprintf(name, sizeof(name), " %s ", f->name);
		if (strstr(must_work, name) && here < 2)
			fail_msg("%s: only %zu samples", f->name, here);
		good += here;
	}
	assert_true(good >= 30);
	patterns_close(&all);
}

/* All of a server's lines at once, and the whole check of what comes of it. */
static void no_mistake(
    void *ctx, const struct pattern_file *f, int line, const char *text)
{
	(void)ctx;
	(void)f;
	fail_msg("line %d: %s", line, text);
}

static void no_note(
    void *ctx, const struct pattern_file *f, int line, const char *text)
{
	(void)ctx;
	(void)f;
	(void)line;
	assert_non_null(strstr(text, "takes the place of"));
}

static void cheap(
    const struct pattern_file *f, const struct pattern_expr *e, double steps)
{
	(void)f;
	(void)e;
	assert_true(steps >= 0 && steps < 5);
}

static void test_learn_makes_a_file_that_check_finds_good(void **state)
{
	static const char lines[] =
	    "Nov 20 18:05:01 mx1 imapd: LOGIN, user=bob@example.net, "
	    "ip=[::ffff:192.0.2.70], port=[51000], protocol=IMAP\n"
	    "Nov 20 18:05:02 mx1 imapd: LOGIN, user=alice, ip=[2001:db8::7], "
	    "port=[5101], protocol=IMAP\n"
	    "Nov 20 18:05:02 mx1 pop3d: LOGIN, user=alice, ip=[192.0.2.71], "
	    "port=[51001], protocol=POP3\n";
	const struct learn_hints hints = { .server = "courier" };
	char path[] = "/tmp/relaypass-test-XXXXXX";
	AUTO_CLOSE int fd = mkstemp(path);
	struct pattern_check check = { .tell = no_mistake, .note = no_note };
	struct err err;
	AUTO_FREE char *text = propose(lines, &hints, &err);
	struct pattern_file *f;

	(void)state;
	assert_non_null(text);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	f = patterns_check_file(&check, path);
	assert_non_null(f);
	patterns_check_costs(&check, f, cheap);
	assert_int_equal(check.mistakes, 0);
	assert_int_equal(f->block_count, 2);
	assert_true(f->sample_count > 20);
	pattern_file_free(&f);
	unlink(path);
}

/* --- what stays and what does not ----------------------------------------- */

static void assert_holds(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg(
		    "\"%s\" is not in:\n%s", part, text ? text : "(nothing)");
}

static void gives(const char *lines, const char *users, const char *part)
{
	const struct learn_hints hints = { .user = users };
	struct err err;
	AUTO_FREE char *text = propose(lines, &hints, &err);

	if (text)
		assert_holds(text, part);
	else
		fail_msg("%s\n%s", lines, err.text);
}

#define USER(end)                                                              \
	"(?!anonymous" end "|ANONYMOUS" end ")(?<user>[^" end "]{1,255}+)"

static void test_learn_keeps_words_and_widens_numbers_and_names(void **state)
{
	(void)state;
	/* One line: words stay, numbers are numbers. */
	gives(HEAD "login ok: user=<al> from [192.0.2.1] id=4711\n", NULL,
	    "login    ^login ok: user=<" USER(">") "> from \\[(?<ip>%ip%)\\] "
						   "id=[0-9]{1,20}+$\n");
	/* Words that differ become a choice, without common beginnings. */
	gives(HEAD "login user=al from 192.0.2.1 by PLAIN\n" HEAD
		   "login user=bo from 192.0.2.2 by CRAM-MD5\n" HEAD
		   "login user=bo from 192.0.2.2 by CRAM-SHA1\n",
	    NULL, " by (?:CRAM-(?:MD5|SHA1)|PLAIN)$\n");
	gives(HEAD "login user=al from 192.0.2.1 by pop3\n" HEAD
		   "login user=bo from 192.0.2.2 by pop3s\n",
	    NULL, " by pop3(?:s)?$\n");
	/* What is made of the user's name differs with it. */
	gives(HEAD "User al logged in with mailbox /var/mail/al from "
		   "192.0.2.1\n",
	    "al", "mailbox /[0-9A-Za-z/._\\-+@]{1,255}+ from (?<ip>%ip%)$\n");
	/* A name beside the address is a host's. */
	gives(HEAD "login user=al from c.example.net [192.0.2.1]\n", NULL,
	    " from [0-9A-Za-z.\\-]{1,255}+ \\[(?<ip>%ip%)\\]$\n");
	/* Ids, with the marks that were seen. */
	gives(HEAD "login user=al from 192.0.2.1 session=<aB3+x/z=>\n", NULL,
	    " session=<[0-9A-Za-z+/=]{1,64}+>$\n");
	/* An address with a port is a dotted quad. */
	gives(HEAD "login user=al from 192.0.2.1:50001 ok\n", NULL,
	    " from (?<ip>(?:[0-9]{1,3}+\\.){3}+[0-9]{1,3}+):[0-9]{1,20}+ "
	    "ok$\n");
}

/* A login that failed may differ in one of these only. */
static void test_learn_keeps_what_may_say_that_it_succeeded(void **state)
{
	(void)state;
	gives(HEAD "login user=al from 192.0.2.1 rc=0\n", NULL, " rc=0$\n");
	gives(HEAD "login user=al from 192.0.2.1 status=200\n", NULL,
	    " status=200$\n");
	gives(HEAD "login user=al from 192.0.2.1 (auth.success)\n", NULL,
	    " \\(auth\\.success\\)$\n");
	gives(HEAD "request user=al from 192.0.2.1 event=auth.ok1\n" HEAD
		   "request user=bo from 192.0.2.1 event=auth.ok2\n",
	    NULL, " event=auth\\.ok(?:1|2)$\n");
	/* The ports of POP3 and IMAP, not those of anything else. */
	gives(HEAD "login user=al from 192.0.2.1 port=995\n", NULL,
	    " port=995$\n");
}

static void test_learn_groups_by_program_and_form(void **state)
{
	static const char lines[] =
	    "Nov 20 18:05:01 mx1 apop[7]: login user=al [192.0.2.1]\n"
	    "Nov 20 18:05:01 mx1 bpop[7]: login user=al [192.0.2.1]\n"
	    "Nov 20 18:05:01 mx1 cpop[7]: login user=al [192.0.2.1] tls\n"
	    "Nov 20 18:05:01 mx1 cpop[7]: login user=bo [192.0.2.2]\n"
	    "dpop: Nov 20 18:05:01 login user=al [192.0.2.1]\n";
	const struct learn_hints hints = { 0 };
	struct err err;
	AUTO_FREE char *text = propose(lines, &hints, &err);

	(void)state;
	if (!text)
		fail_msg("%s", err.text);
	assert_holds(text, "\nserver   apop\n");
	assert_holds(text, "\nprogram  apop bpop\nlogin ");
	assert_holds(text, "\nprogram  cpop\nlogin ");
	assert_holds(text, "\nlead     dpop\nlogin ");
	assert_holds(text, "\nnear     login user=\n");
	assert_holds(text, "\\] tls$\n");
}

static void test_learn_takes_hints_and_samples(void **state)
{
	const struct learn_hints both = {
		.server = "ours", .user = "al,bo", .ip = "192.0.2.1,2001:db8::2"
	};
	struct err err;
	char *text;

	(void)state;
	text = propose(HEAD "login al [192.0.2.1] at 198.51.100.1\n" HEAD
			    "login bo [2001:db8::2] at 198.51.100.1\n",
	    &both, &err);
	if (!text)
		fail_msg("%s", err.text);
	assert_holds(text, "server   ours\n");
	assert_holds(text, "sample login ip=192.0.2.1 user=al | ");
	assert_holds(text, "\\[(?<ip>%ip%)\\] at %ip%$\n");
	free(text);
	text = propose("# a comment\n\nserver   thing\n"
		       "sample login ip=192.0.2.1 user=a%20b | " HEAD
		       "login <a b> 192.0.2.1 198.51.100.1\n"
		       "sample none | " HEAD "login <a b> 192.0.2.1 refused\n"
		       "sample logout user=al | " HEAD "bye\n",
	    &(struct learn_hints){ 0 }, &err);
	if (!text)
		fail_msg("%s", err.text);
	assert_holds(text, "sample login ip=192.0.2.1 user=a%20b | ");
	assert_holds(
	    text, "sample none | " HEAD "login <a b> 192.0.2.1 refused\n");
	free(text);
}

/* --- what is refused ------------------------------------------------------ */

static const struct {
	const char *lines, *user, *ip, *told;
} refusals[] = {
	{ "", NULL, NULL, "no line to learn from" },
	{ HEAD "login user=al\n", NULL, NULL, "line 1: holds no address" },
	{ HEAD "login user=al from client.example.net\n", NULL, NULL,
	    "line 1: holds no address" },
	{ HEAD "login user=al 192.0.2.1 198.51.100.1 x\n", NULL, NULL,
	    "line 1: holds 2 addresses; say which is the client's with --ip" },
	{ HEAD "login user=al [192.0.2.1] 198.51.100.1\n", NULL, "192.0.2.9",
	    "line 1: does not hold that address" },
	{ HEAD "login user=al [192.0.2.1] 192.0.2.1\n", NULL, "192.0.2.1",
	    "line 1: the address stands in 2 places" },
	{ HEAD "login from 192.0.2.1\n", NULL, NULL,
	    "line 1: no user= and no name with @" },
	{ HEAD "login a@example.org b@example.org [192.0.2.1]\n", NULL, NULL,
	    "line 1: more than one word may be the user" },
	{ HEAD "login from 192.0.2.1\n", "al", NULL,
	    "line 1: does not hold the user \"al\"" },
	{ HEAD "al: login al from 192.0.2.1\n", "al", NULL,
	    "line 1: \"al\" stands in 2 places" },
	{ HEAD "login al for bo from 192.0.2.1\n", "al,bo", NULL,
	    "line 1: holds two of the users" },
	{ HEAD "login ok al 192.0.2.1\n", "al", NULL,
	    "no mark of the server's closes it" },
	{ HEAD "login ok user=al@example.org:192.0.2.1\n", NULL, NULL,
	    "no mark of the server's closes it" },
	{ HEAD "login ok al@example.org:192.0.2.1\n", NULL, NULL,
	    "no mark of the server's closes it" },
	{ HEAD "login <al> c.example.net/192.0.2.1/x1/y.z\n", "al", NULL,
	    "could choose the address" },
	{ HEAD "login user=<a>b> [192.0.2.1]\n", "a>b", NULL,
	    "line 1: the user \"a>b\" holds the byte '>' that ends" },
	{ HEAD "login from 2001:db8::1:50001 user=al\n", NULL, "2001:db8::1",
	    "line 1: holds no address" },
	{ HEAD "login from 2001:db8::1. user=al\n", NULL, NULL,
	    "may belong to it" },
	{ HEAD "al@example.org [192.0.2.1] 2, 1 (512)\n", NULL, NULL,
	    "no word is in it that only a login has" },
	{ HEAD "login user=anonymous [192.0.2.1]\n", NULL, NULL,
	    "line 1: the user is anonymous" },
	{ HEAD "ok login user=al [192.0.2.1]\n" HEAD
	       "LOGIN FAILED, user=al [192.0.2.1]\n",
	    NULL, NULL, "line 2: says \"fail\"" },
	{ "Nov 20 18:05:01 mx1 postfix/smtpd[7]: login user=al 192.0.2.1\n",
	    NULL, NULL, "line 1: is of another service (smtp)" },
	{ "Nov 20 18:05:01 mx1 ours: managesieve-login: Login: user=<al> "
	  "192.0.2.1\n",
	    NULL, NULL, "line 1: is of another service (sieve)" },
	{ HEAD "login user=al [192.0.2.1] protocol=SMTP\n", NULL, NULL,
	    "line 1: is a login by smtp" },
	{ "login user=al 192.0.2.1\n", NULL, NULL,
	    "line 1: begins with no time stamp" },
	{ "<22>1 2026-11-20T18:05:12Z mx1 - - - -  login user=al 192.0.2.1\n",
	    NULL, NULL, "line 1: names no program" },
	{ HEAD "login user=\033al [192.0.2.1]\n", NULL, NULL,
	    "line 1: holds a control byte" },
	{ "Nov 20 18:05:02 mx1 pop3d: LOGIN, user=bob, ip=[192.0.2.71], "
	  "port=[51001]\n",
	    NULL, NULL,
	    "line 1: relaypass knows this line already, as one of "
	    "courier" },
	{ "sample login foo=1 | " HEAD "x\n", NULL, NULL,
	    "line 1: sample: expected" },
	{ "Nov 20 18:05:01 login user=al 192.0.2.1\n", NULL, NULL,
	    "give the server a name" },
};

static void test_learn_refuses_in_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		const struct learn_hints hints = { .user = refusals[i].user,
			.ip = refusals[i].ip };
		struct err err;
		AUTO_FREE char *text = propose(refusals[i].lines, &hints, &err);

		if (text)
			fail_msg("taken: %s", refusals[i].lines);
		if (!strstr(err.text, refusals[i].told))
			fail_msg(
			    "%s: told \"%s\"", refusals[i].lines, err.text);
	}
}

static void test_learn_refuses_bad_names_of_servers(void **state)
{
	static const char *const names[] = { "", "Our", "a b",
		"abcdefghijklmnopqrstuvwx" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const struct learn_hints hints = { .server = names[i] };
		struct err err;

		assert_null(
		    propose(HEAD "login user=al [192.0.2.1]\n", &hints, &err));
		assert_int_equal(err.code, EXIT_USER);
	}
}

/* --- size and noise ------------------------------------------------------- */

static void test_learn_takes_many_lines_and_says_so(void **state)
{
	const struct learn_hints hints = { 0 };
	struct learn *l = learn_new(&hints);
	struct err err = { 0 };
	char line[200];
	char *text;
	bool told = false;

	(void)state;
	for (int i = 0; i < LEARN_LINES_MAX + 5; i++) {
		int n = snprintf(line, sizeof(line),
		    HEAD "login user=u%d [192.0.2.%d] id=%d", i, i % 250, i);
		assert_int_equal(learn_line(l, line, (size_t)n, &err), 0);
	}
	text = learn_propose(l, &err);
	if (!text)
		fail_msg("%s", err.text);
	for (size_t i = 0; learn_note(l, i); i++)
		told = told || strstr(learn_note(l, i), "only the first 1000");
	assert_true(told);
	assert_true(strlen(text) < 10000);
	free(text);
	learn_free(&l);
}

/* Whatever the lines hold: a proposal that was proved, or words. */
static void test_learn_survives_any_line(void **state)
{
	static const char *const bits[] = { "login ", "user=", "al", "@",
		"example.org", " ", "[", "]", "<", ">", "\"", "192.0.2.1",
		"2001:db8::1", ":", "/", ",", "(", ")", "1234", "=", "ok", "'",
		"-", ".", "\xc3\xa4", "%ip%", "\\", "|", "sample none" };
	unsigned seed = 7;
	int good = 0;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		char text[600];
		size_t used = 0;
		struct err err;
		const struct learn_hints hints = { .user = i % 2 ? "al" : NULL,
			.ip = "192.0.2.1" };

		for (int k = 0; k < 1 + i % 3; k++) {
			used += (size_t)snprintf(
			    text + used, sizeof(text) - used, HEAD "login ");
			for (int n = rand_r(&seed) % 14; n; n--)
				used += (size_t)snprintf(text + used,
				    sizeof(text) - used, "%s",
				    bits[rand_r(&seed) % COUNT_OF(bits)]);
			used += (size_t)snprintf(
			    text + used, sizeof(text) - used, "\n");
		}
		AUTO_FREE char *file = propose(text, &hints, &err);

		good += file != NULL;
		assert_true(file || err.text[0]);
	}
	assert_true(good > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_learn_takes_genuine_lines_of_known_servers),
		cmocka_unit_test(test_learn_makes_a_file_that_check_finds_good),
		cmocka_unit_test(
		    test_learn_keeps_words_and_widens_numbers_and_names),
		cmocka_unit_test(
		    test_learn_keeps_what_may_say_that_it_succeeded),
		cmocka_unit_test(test_learn_groups_by_program_and_form),
		cmocka_unit_test(test_learn_takes_hints_and_samples),
		cmocka_unit_test(test_learn_refuses_in_words),
		cmocka_unit_test(test_learn_refuses_bad_names_of_servers),
		cmocka_unit_test(test_learn_takes_many_lines_and_says_so),
		cmocka_unit_test(test_learn_survives_any_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
