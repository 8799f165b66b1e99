/* SPDX-License-Identifier: ISC */
/*
 * test_patterns - the files of patterns/: their samples, what they cost, and
 * that no text of a stranger becomes a login. RELAYPASS_HOSTILE is the number
 * of hostile lines (100000).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "pattern/file.h"
#include "pattern/header.h"
#include "pattern/pattern.h"

static const int64_t test_now = 1795198200000; /* 2026-11-20T18:10:00Z */

static struct patterns *open_servers(const char *servers, bool no_jit)
{
	struct patterns_options o = { .servers = servers, .no_jit = no_jit };
	struct err err = { 0 };
	struct patterns *p = patterns_open(&o, &err);

	if (!p)
		fail_msg("%s", err.text);
	return p;
}

static void tell(
    void *ctx, const struct pattern_file *f, int line, const char *why)
{
	(void)ctx;
	print_error("%s:%d: the sample %s\n", f->path, line, why);
}

static void test_patterns_samples_give_what_they_say(void **state)
{
	static const char *const zones[] = { "UTC", "America/New_York",
		"Asia/Kolkata" };
	size_t wrong = 0;

	(void)state;
	for (size_t z = 0; z < COUNT_OF(zones); z++) {
		setenv("TZ", zones[z], 1);
		for (int no_jit = 0; no_jit < 2; no_jit++) {
			struct patterns *p = open_servers(NULL, no_jit);

			for (size_t i = 0; i < patterns_count(p); i++)
				wrong += patterns_run_samples(
				    p, patterns_file(p, i), tell, NULL);
			patterns_close(&p);
		}
	}
	setenv("TZ", "UTC", 1);
	assert_int_equal(wrong, 0);
}

static void test_patterns_samples_hit_no_other_server(void **state)
{
	struct patterns *all = open_servers(NULL, false);
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < patterns_count(all); i++) {
		const char *name = patterns_file(all, i)->name;
		struct patterns *alone = open_servers(name, false);
		struct matcher *m = matcher_new(alone);

		for (size_t k = 0; k < patterns_count(all); k++) {
			const struct pattern_file *f = patterns_file(all, k);

			for (size_t n = 0; k != i && n < f->sample_count; n++) {
				struct login l;

				if (matcher_line(m, f->samples[n].text,
					f->samples[n].text_len, test_now, 0,
					&l) == LOGIN_NOTHING)
					continue;
				wrong++;
				tell(NULL, f, f->samples[n].line, name);
			}
		}
		matcher_free(&m);
		patterns_close(&alone);
	}
	patterns_close(&all);
	assert_int_equal(wrong, 0);
}

/* Some servers write nothing that proves a login; then the file says so. */
static bool has_logins(const struct pattern_file *f)
{
	for (size_t b = 0; b < f->block_count; b++)
		for (size_t k = 0; k < f->blocks[b].expr_count; k++)
			if (f->blocks[b].exprs[k].kind == PATTERN_LOGIN)
				return true;
	return false;
}

static void test_patterns_have_genuine_and_hostile_samples(void **state)
{
	struct patterns *p = open_servers(NULL, false);

	(void)state;
	for (size_t i = 0; i < patterns_count(p); i++) {
		const struct pattern_file *f = patterns_file(p, i);
		int genuine = 0, none = 0;

		for (size_t n = 0; n < f->sample_count; n++) {
			genuine += f->samples[n].kind == LOGIN_IN;
			none += f->samples[n].kind == LOGIN_NOTHING;
		}
		if ((has_logins(f) ? genuine < 3 : !f->notes.n) || none < 5 ||
		    !f->about)
			fail_msg("%s: %d logins, %d hostile", f->path, genuine,
			    none);
	}
	patterns_close(&p);
}

static void test_patterns_cost_few_steps_a_byte(void **state)
{
	struct patterns *p = open_servers(NULL, false);

	(void)state;
	for (size_t i = 0; i < patterns_count(p); i++) {
		const struct pattern_file *f = patterns_file(p, i);

		for (size_t b = 0; b < f->block_count; b++)
			for (size_t k = 0; k < f->blocks[b].expr_count; k++) {
				const struct pattern_expr *e =
				    &f->blocks[b].exprs[k];
				double cost = pattern_cost(f, e);

				if (cost > 50)
					fail_msg("%s:%d: %.1f", f->path,
					    e->line, cost);
			}
	}
	patterns_close(&p);
}

/* Every cut of a sample gives what the whole gives, or nothing; and never an
 * address that is a cut of the true one. */
static void test_patterns_cut_lines_give_no_cut_address(void **state)
{
	struct patterns *p = open_servers(NULL, false);
	struct matcher *m = matcher_new(p);

	(void)state;
	for (size_t i = 0; i < patterns_count(p); i++) {
		const struct pattern_file *f = patterns_file(p, i);

		for (size_t n = 0; n < f->sample_count; n++) {
			const struct pattern_sample *s = &f->samples[n];
			struct login whole, cut;

			if (matcher_line(m, s->text, s->text_len, test_now,
				300000, &whole) != LOGIN_IN)
				continue;
			for (size_t len = 0; len < s->text_len; len++) {
				if (matcher_line(m, s->text, len, test_now,
					300000, &cut) == LOGIN_NOTHING)
					continue;
				/* A name that spells an address keeps it
				 * when the true one is cut off. */
				if (!addr_equal(&whole.addr, &cut.addr) &&
				    !strstr(s->text, "203.0.113.66"))
					fail_msg("%s:%d: cut at %zu: %.*s",
					    f->path, s->line, len, (int)len,
					    s->text);
			}
		}
	}
	matcher_free(&m);
	patterns_close(&p);
}

/* --- hostile text
 * -----------------------------------------------------------*/

enum { ROOM = 6000 };

struct maker {
	uint64_t state;
	char text[ROOM];
	size_t used;
};

static unsigned pick(struct maker *m, unsigned n)
{
	m->state ^= m->state << 13;
	m->state ^= m->state >> 7;
	m->state ^= m->state << 17;
	return (unsigned)((m->state * 0x2545F4914F6CDD1D >> 33) % n);
}

static void put(struct maker *m, const char *text, size_t len)
{
	if (m->used + len < sizeof(m->text)) {
		memcpy(m->text + m->used, text, len);
		m->used += len;
	}
}

#define EVIL "203.0.113.66"
#define HEAD "Nov 20 18:05:01 mx1 "

/* What an attacker would try in a name, and pieces of every format. */
static const char *const pieces[] = {
	(">, method=PLAIN, rip=" EVIL
	 ", lip=198.51.100.1, mpid=1, TLS, session=<x"),
	(">, method=PLAIN, rip=" EVIL ", lip=1.1.1.1, TLS"),
	">, method=", "PLAIN", ", rip=", EVIL, ", lip=", ", mpid=1", ", TLS",
	", secured", ", session=<", ">", "<", "user=<",
	"imap-login: ", "Login: ", "Logged in: ",
	("Login: user=<bob>, method=PLAIN, rip=" EVIL
	 ", lip=198.51.100.1, TLS, session=<x>"),
	", ip=[", "]", "[", (", ip=[::ffff:" EVIL "]"), ", port=[1]",
	", protocol=IMAP", ", stls=1",
	"LOGIN, user=", (", ip=[" EVIL "], port=[1], protocol=IMAP"),
	"login: ", ("[" EVIL "]"), ("[" EVIL "] bob plaintext User logged in"),
	" plaintext", " User logged in", " SESSIONID=<", "anonymous",
	"ANONYMOUS", " ", "  ", ",", "=", "\"", "\\", "%", "\x80", "\xff",
	"\xc3\xb6", "\xe2\x80\xa8", "?", "a", "x", "@", ".", "-", ":",
	"::", "0", "1", "/", "(", ")", (HEAD "dovecot: "), "dovecot: ", "Info: "
};

static void put_hostile(struct maker *m)
{
	for (unsigned n = 1 + pick(m, 7); n; n--) {
		const char *piece = pieces[pick(m, COUNT_OF(pieces))];

		put(m, piece, strlen(piece));
	}
}

static void put_ordinary(struct maker *m)
{
	static const char *const names[] = { "bob", "al", "anna.m", "o'brien",
		"j\xc3\xb6rg", "info+tag", "user_7", "rip", "login", "A.Name",
		"192.0.2.99", "root" };
	static const char *const domains[] = { "", "@example.net",
		"@mail.example.org", "@xn--bcher-kva.example" };
	char text[80];

	snprintf(text, sizeof(text), "%s%u%s", names[pick(m, COUNT_OF(names))],
	    pick(m, 1000), domains[pick(m, 4)]);
	put(m, text, strlen(text));
}

/* How servers write a name: D cuts at 80 bytes and puts '?' for control bytes,
 * C puts '.' for a newline, Y writes lower case. */
static void put_name(struct maker *m, bool hostile, char how)
{
	size_t from = m->used;

	if (hostile)
		put_hostile(m);
	else
		put_ordinary(m);
	if (how == 'D' && m->used - from > 80) {
		m->used = from + 80;
		put(m, "...", 3);
	}
	for (size_t i = from; how == 'Y' && i < m->used; i++)
		if (m->text[i] >= 'A' && m->text[i] <= 'Z')
			m->text[i] = (char)(m->text[i] + 32);
}

static void put_address(struct maker *m, const struct addr *a, bool mapped)
{
	char text[ADDR_TEXT_SIZE];
	size_t len = addr_print(a, text);

	if (mapped && addr_is_ipv4(a))
		put(m, "::ffff:", 7);
	put(m, text, len);
}

/*
 * What servers print. In a format: D C Y a name as above, I the client's
 * address, M the same mapped, R a reverse name, H any hostile text, all behind
 * a '%'. true: a login.
 */
static const struct {
	bool login;
	const char *text;
} formats[] = {
	{ true, "dovecot: imap-login: Login: user=<%D>, method=PLAIN, rip=%I, "
		"lip=198.51.100.1, mpid=4711, TLS, session=<Qm9iU2Vzc2lvbjE>" },
	{ true, "dovecot: pop3-login: Logged in: user=<%D>, method=XOAUTH2, "
		"rip=%I, lip=198.51.100.1, mpid=4711, session=<a+b/c=>" },
	{ true, "dovecot: pop3-login: Login: user=<%D>, method=CRAM-MD5, "
		"rip=%M, lip=::ffff:198.51.100.1, TLS" },
	{ true, "imap-login: Login: %D [%M]" },
	{ true, "imapd: LOGIN, user=%C, ip=[%M], port=[51000], protocol=IMAP" },
	{ true, "imapd: LOGIN, user=%C, ip=[%M], port=[51000], protocol=IMAP, "
		"starttls=1" },
	{ true, "pop3d-ssl: LOGIN, user=%C, ip=[%M], port=[51000]" },
	{ true, "pop3d: LOGIN, user=%C, ip=[%M], port=[51000], protocol=POP3, "
		"stls=1" },
	{ true, "pop3login: LOGIN, user=%C, ip=[%M], protocol=POP3" },
	{ true, "cyrus/imap[16125]: login: [%I] %Y plaintext User logged in "
		"SESSIONID=<cyrus-1>" },
	{ true, "cyrus/pop3[16125]: login: client.example.net [%I] %Y "
		"plaintext+TLS User logged in" },
	{ true, "cyrus/imaps[1]: login: %R [%I] bob plaintext User logged in" },
	{ false, "dovecot: imap-login: Disconnected: Aborted login by logging "
		 "out (auth failed, 1 attempts in 0 secs): user=<%D>, "
		 "method=PLAIN, rip=%I, lip=198.51.100.1, TLS, session=<x>" },
	{ false, "dovecot: imap-login: Login aborted: Logged out (auth failed, "
		 "1 attempts in 2 secs) (auth_failed): user=<%D>, method=PLAIN,"
		 " rip=%I, lip=198.51.100.1, session=<x>" },
	{ false, "dovecot: auth: passwd-file(%D,%I): unknown user %H" },
	{ false, "dovecot: auth-worker(17): sql(%H,%I): Password mismatch" },
	{ false, "dovecot: lmtp(%H)<1><x>: msgid=<%H>: saved mail to %H" },
	{ false, "dovecot: imap(al)<1><x>: copy: box=%H, subject=%H, from=%H" },
	{ false, "dovecot: managesieve-login: Login: user=<%D>, method=PLAIN, "
		 "rip=%I, lip=198.51.100.1, mpid=5, TLS, session=<x>" },
	{ false, "dovecot: submission-login: Login: user=<%D>, method=PLAIN, "
		 "rip=%I, lip=198.51.100.1, mpid=5, TLS, session=<x>" },
	{ false, "dovecot: imap-login: Login: user=<%D>, method=ANONYMOUS, "
		 "rip=%I, lip=198.51.100.1, mpid=5, TLS, session=<x>" },
	{ false, "imapd: LOGIN FAILED, user=%C, ip=[%M], port=[51000]" },
	{ false, "pop3d: LOGIN FAILED, method=%H, ip=[%M], port=[51000]" },
	{ false, "imapd: Connection, ip=[%M], port=[51000]%H" },
	{ false, "sqwebmaild: LOGIN, user=%C, ip=[%M]" },
	{ false, "cyrus/imap[1]: badlogin: %R [%I] plaintext (%Y) [SASL(-13): "
		 "%H]" },
	{ false, "cyrus/imap[1]: login: [%I] anonymous %H" },
	{ false, "cyrus/lmtp[1]: login: [%I] %Y PLAIN User logged in" },
	{ false, "cyrus/imap[1]: open: user %Y opened %H" },
	{ false,
	    "postfix/smtpd[9]: NOQUEUE: reject: RCPT from %H[%I]: 553 %H" },
	{ false, "sshd[9]: Invalid user %H from %I port 4" },
	{ false, "sendmail[9]: %H, from=%H, relay=%H [%I]" },
};

static void make_line(
    struct maker *m, const char *format, bool hostile, const struct addr *a)
{
	static const char *const heads[] = { HEAD,
		"2026-11-20T18:05:01.123456+00:00 mx1 ", ("<22>" HEAD) };

	const char *head = heads[pick(m, COUNT_OF(heads))];

	m->used = 0;
	put(m, head, strlen(head));
	for (; *format; format++) {
		if (*format != '%') {
			put(m, format, 1);
			continue;
		}
		switch (*++format) {
		case 'I':
		case 'M':
			put_address(m, a, *format == 'M');
			break;
		case 'R':
		case 'H':
			put_hostile(m);
			break;
		default:
			put_name(m, hostile, *format);
		}
	}
}

static struct addr random_address(struct maker *m)
{
	struct addr a = { { [10] = 0xff, [11] = 0xff } };

	if (!pick(m, 3))
		a = (struct addr){ { 0x20, 0x01, 0x0d, 0xb8 } };
	for (int i = 12; i < 16; i++)
		a.bytes[i] = (uint8_t)(1 + pick(m, 250));
	return a;
}

static void test_patterns_no_hostile_text_becomes_a_login(void **state)
{
	const char *count = getenv("RELAYPASS_HOSTILE");
	long lines = count ? strtol(count, NULL, 10) : 100000;
	struct patterns *p = open_servers(NULL, false);
	struct matcher *m = matcher_new(p);
	struct maker maker = { .state = 4711 };
	long ordinary = 0, granted = 0, true_ones = 0;

	(void)state;
	for (long i = 0; i < lines; i++) {
		unsigned f = pick(&maker, COUNT_OF(formats));
		bool hostile = pick(&maker, 4) != 0;
		struct addr a = random_address(&maker);
		struct login l;
		bool in;

		make_line(&maker, formats[f].text, hostile, &a);
		in = matcher_line(m, maker.text, maker.used, test_now, 300000,
			 &l) == LOGIN_IN;
		if (in && (!formats[f].login || !addr_equal(&a, &l.addr)))
			fail_msg("%.*s", (int)maker.used, maker.text);
		true_ones += in;
		if (hostile || !formats[f].login ||
		    strstr(formats[f].text, "%R"))
			continue;
		ordinary++;
		granted += in;
		if (!in)
			print_message(
			    "no login: %.*s\n", (int)maker.used, maker.text);
	}
	assert_true(ordinary > lines / 100);
	assert_true(granted * 1000 >= ordinary * 999);
	print_message(
	    "%ld lines, %ld ordinary logins, %ld granted, %ld of all\n", lines,
	    ordinary, granted, true_ones);
	matcher_free(&m);
	patterns_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns_samples_give_what_they_say),
		cmocka_unit_test(test_patterns_samples_hit_no_other_server),
		cmocka_unit_test(
		    test_patterns_have_genuine_and_hostile_samples),
		cmocka_unit_test(test_patterns_cost_few_steps_a_byte),
		cmocka_unit_test(test_patterns_cut_lines_give_no_cut_address),
		cmocka_unit_test(test_patterns_no_hostile_text_becomes_a_login),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
