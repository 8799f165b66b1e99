/* SPDX-License-Identifier: ISC */
/*
 * test_notify - the notify protocol, both ways: what is a notice, what is not,
 * and that what is written reads back.
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
#include "source/notify_codec.h"

#define LOGIN "login ip=192.0.2.7 user=anna server=dovecot"

/* Reads a copy that ends at its last byte, so that reading on is caught. */
static bool reads(
    const char *text, size_t len, struct login *out, const char **why)
{
	char *copy = xmalloc(len ? len : 1);
	bool good;

	memcpy(copy, text, len);
	memset(out, 0xa5, sizeof(*out));
	*why = "";
	good = notify_parse(copy, len, out, why);
	free(copy);
	return good;
}

static struct login must_read(const char *text)
{
	struct login l;
	const char *why;

	if (!reads(text, strlen(text), &l, &why))
		fail_msg("\"%s\": %s", text, why);
	assert_null(why);
	return l;
}

static void is_from(const struct login *l, const char *text)
{
	struct addr want = { 0 };

	if (*text)
		assert_true(addr_parse(text, strlen(text), &want));
	assert_true(addr_equal(&l->addr, &want));
}

static void test_notify_reads_a_login_with_every_key(void **state)
{
	struct login l =
	    must_read("login pid=77 tls=yes service=imap session=x%20%3d%ff/+ "
		      "server=uw-imap user=a%20b@example.net ip=2001:db8::7\n");

	(void)state;
	assert_int_equal(l.kind, LOGIN_IN);
	is_from(&l, "2001:db8::7");
	assert_string_equal(l.user, "a b@example.net");
	assert_int_equal(l.user_len, 15);
	assert_string_equal(l.server, "uw-imap");
	assert_string_equal(l.session, "x =\xff/+");
	assert_int_equal(l.session_len, 6);
	assert_int_equal(l.tls, 1);
	assert_int_equal(l.mpid, 77);
	assert_int_equal(l.time, 0);
	assert_int_equal(l.userless, 0);
}

static void test_notify_reads_what_is_enough(void **state)
{
	struct login l = must_read(LOGIN);

	(void)state;
	assert_int_equal(l.kind, LOGIN_IN);
	is_from(&l, "192.0.2.7");
	assert_int_equal(l.session_len, 0);
	assert_int_equal(l.tls, 0);
	assert_int_equal(l.mpid, 0);
	l = must_read(LOGIN " tls=no ");
	assert_int_equal(l.tls, 0);
	l = must_read("login ip=::ffff:192.0.2.7 user=a server=other");
	is_from(&l, "192.0.2.7");
	l = must_read("alive ip=192.0.2.7 user=anna server=dovecot session=s");
	assert_int_equal(l.kind, LOGIN_ALIVE);
	l = must_read("logout user=anna server=dovecot session=s service=imap");
	assert_int_equal(l.kind, LOGIN_OUT);
	is_from(&l, "");
	l = must_read("logout ip=192.0.2.7 user=a server=dovecot session=s\n");
	is_from(&l, "192.0.2.7");
}

/* What is wrong, and a part of what is answered. */
static const struct {
	const char *text, *why;
} wrong[] = {
	{ "", "verb" },
	{ "\n", "verb" },
	{ " ", "verb" },
	{ "login", "ip is missing" },
	{ "LOGIN ip=192.0.2.7 user=anna server=dovecot", "verb" },
	{ "ip=192.0.2.7 login user=anna server=dovecot", "verb" },
	{ "revoke ip=192.0.2.7 user=anna server=dovecot", "verb" },
	{ "login=1 ip=192.0.2.7 user=anna server=dovecot", "verb" },
	{ " " LOGIN, "verb" },
	{ LOGIN "\n\n", "malformed" },
	{ LOGIN "\r\n", "malformed" },
	{ LOGIN "\n" LOGIN "\n", "malformed" },
	{ LOGIN "  tls=yes", "malformed" },
	{ LOGIN "  ", "malformed" },
	{ LOGIN "\ttls=yes", "malformed" },
	{ LOGIN " =yes", "malformed" },
	{ LOGIN " tls", "unknown key" },
	{ LOGIN " 192.0.2.7", "unknown key" },
	{ LOGIN " lease=1", "unknown key" },
	{ LOGIN " ip=192.0.2.8", "twice" },
	{ LOGIN " tls=yes tls=yes", "twice" },
	{ LOGIN " tls=1", "tls" },
	{ LOGIN " tls=", "tls" },
	{ LOGIN " pid=0", "pid" },
	{ LOGIN " pid=", "pid" },
	{ LOGIN " pid=01", "pid" },
	{ LOGIN " pid=-1", "pid" },
	{ LOGIN " pid=+1", "pid" },
	{ LOGIN " pid=4194305", "pid" },
	{ LOGIN " pid=99999999999999999999", "pid" },
	{ LOGIN " pid=4294967297", "pid" },
	{ LOGIN " session=", "session" },
	{ LOGIN " session=%01", "session" },
	{ LOGIN " session=%7f", "session" },
	{ LOGIN " session=a%00", "session" },
	{ LOGIN " session=a%0a", "session" },
	{ LOGIN " session=a%", "session" },
	{ LOGIN " service=", "service" },
	{ LOGIN " service=im%20ap", "service" },
	{ "login ip=192.0.2.7 server=dovecot", "user is missing" },
	{ "login ip=192.0.2.7 user=anna", "server is missing" },
	{ "login user=anna server=dovecot", "ip is missing" },
	{ "login ip= user=anna server=dovecot", "ip" },
	{ "login ip=192.0.2 user=anna server=dovecot", "ip" },
	{ "login ip=192.0.2.07 user=anna server=dovecot", "ip" },
	{ "login ip=192.0.2.7:110 user=anna server=dovecot", "ip" },
	{ "login ip=[192.0.2.7] user=anna server=dovecot", "ip" },
	{ "login ip=fe80::1%25eth0 user=anna server=dovecot", "ip" },
	{ "login ip=192.0.2.7%00 user=anna server=dovecot", "ip" },
	{ "login ip=mail.example.org user=anna server=dovecot", "ip" },
	{ "login ip=192.0.2.7 user= server=dovecot", "user" },
	{ "login ip=192.0.2.7 user=a%1b server=dovecot", "user" },
	{ "login ip=192.0.2.7 user=anna server=", "server" },
	{ "login ip=192.0.2.7 user=anna server=Dovecot", "server" },
	{ "login ip=192.0.2.7 user=anna server=dove%20cot", "server" },
	{ "login ip=192.0.2.7 user=anna server=abcdefghijklmnopqrstuvwx",
	    "server" },
	{ "alive ip=192.0.2.7 user=anna server=dovecot", "session is missing" },
	{ "alive user=anna server=dovecot session=s", "ip is missing" },
	{ "alive ip=192.0.2.7 user=anna server=dovecot session=s pid=1",
	    "does not have" },
	{ "logout user=anna server=dovecot", "session is missing" },
	{ "logout server=dovecot session=s", "user is missing" },
	{ "logout user=anna server=dovecot session=s tls=yes",
	    "does not have" },
};

static void test_notify_refuses_everything_else(void **state)
{
	static const struct login nothing;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct login l;
		const char *why;
		if (reads(wrong[i].text, strlen(wrong[i].text), &l, &why))
			fail_msg("\"%s\" was taken", wrong[i].text);
		if (!strstr(why, wrong[i].why))
			fail_msg("\"%s\": %s", wrong[i].text, why);
		assert_memory_equal(&l, &nothing, sizeof(l));
	}
}

static void test_notify_refuses_a_nul_and_what_is_cut(void **state)
{
	static const char nul[] = LOGIN "\0", all[] = LOGIN;
	struct login l;
	const char *why;

	(void)state;
	assert_false(reads(nul, sizeof(nul), &l, &why));
	/* "server=d" still is one: a sender never cuts, and a stream's line is
	 * whole only with its LF. */
	for (size_t n = 0; n < sizeof(LOGIN) - sizeof("dovecot"); n++)
		assert_false(reads(all, n, &l, &why));
}

/* A notice whose user has n letters, each written in `each` bytes. */
static size_t long_user(char *out, size_t size, size_t n, const char *each)
{
	size_t len = (size_t)snprintf(
	    out, size, "login ip=192.0.2.7 server=dovecot user=");

	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(out + len, size - len, "%s", each);
	return len;
}

static void test_notify_limits(void **state)
{
	char text[2 * NOTIFY_MAX];
	struct login l;
	const char *why;

	(void)state;
	assert_true(
	    reads(text, long_user(text, sizeof(text), 255, "%ff"), &l, &why));
	assert_int_equal(l.user_len, LOGIN_USER_MAX);
	assert_false(
	    reads(text, long_user(text, sizeof(text), 256, "u"), &l, &why));
	assert_string_equal(why, "user is too long or no name");
	assert_false(
	    reads(text, long_user(text, sizeof(text), 400, "%ff"), &l, &why));
	assert_string_equal(why, "too long");
	(void)snprintf(text, sizeof(text), LOGIN " session=%096d", 0);
	assert_false(reads(text, strlen(text), &l, &why));
	(void)snprintf(text, sizeof(text), LOGIN " session=%095d", 0);
	assert_true(reads(text, strlen(text), &l, &why));
	assert_int_equal(l.session_len, LOGIN_SESSION_MAX);
}

/* --- writing ----------------------------------------------------------------
 */

static struct login some_login(uint8_t kind)
{
	struct login l;

	memset(&l, 0, sizeof(l));
	l.kind = kind;
	l.user_len = 6;
	memcpy(l.user, "a b=%\xff", 6);
	memcpy(l.server, "dovecot", 7);
	l.session_len = 3;
	memcpy(l.session, "s/1", 3);
	assert_true(addr_parse("192.0.2.7", 9, &l.addr));
	return l;
}

static void same_login(const struct login *a, const struct login *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->tls, b->tls);
	assert_int_equal(a->mpid, b->mpid);
	assert_true(addr_equal(&a->addr, &b->addr));
	assert_string_equal(a->server, b->server);
	assert_int_equal(a->user_len, b->user_len);
	assert_string_equal(a->user, b->user);
	assert_int_equal(a->session_len, b->session_len);
	assert_string_equal(a->session, b->session);
}

static void test_notify_writes_what_it_reads(void **state)
{
	char out[NOTIFY_MAX + 1];
	struct login l = some_login(LOGIN_IN), back;
	size_t len;

	(void)state;
	l.tls = 1;
	l.mpid = 4194304;
	len = notify_print(&l, "imap", out);
	assert_int_equal(len, strlen(out));
	assert_string_equal(out,
	    "login ip=192.0.2.7 user=a%20b%3D%25%FF server=dovecot "
	    "session=s/1 tls=yes pid=4194304 service=imap\n");
	back = must_read(out);
	same_login(&back, &l);

	l = some_login(LOGIN_ALIVE);
	assert_true(notify_print(&l, NULL, out) > 0);
	assert_string_equal(out,
	    "alive ip=192.0.2.7 user=a%20b%3D%25%FF server=dovecot "
	    "session=s/1\n");
	l.kind = LOGIN_OUT;
	memset(&l.addr, 0, sizeof(l.addr));
	assert_true(notify_print(&l, "", out) > 0);
	assert_string_equal(
	    out, "logout user=a%20b%3D%25%FF server=dovecot session=s/1\n");
}

static void test_notify_writes_nothing_that_it_would_not_read(void **state)
{
	char out[NOTIFY_MAX + 1];
	struct login l;

	(void)state;
	l = some_login(LOGIN_NOTHING);
	assert_int_equal(notify_print(&l, NULL, out), 0);
	assert_string_equal(out, "");
	l.kind = LOGIN_RESTART;
	assert_int_equal(notify_print(&l, NULL, out), 0);
	l = some_login(LOGIN_IN);
	l.user[0] = '\0';
	assert_int_equal(notify_print(&l, NULL, out), 0);
	l = some_login(LOGIN_IN);
	l.user[1] = '\n';
	assert_int_equal(notify_print(&l, NULL, out), 0);
	assert_string_equal(out, "");
	l = some_login(LOGIN_IN);
	memset(&l.addr, 0, sizeof(l.addr));
	assert_int_equal(notify_print(&l, NULL, out), 0);
	l = some_login(LOGIN_ALIVE);
	l.session[0] = '\0';
	assert_int_equal(notify_print(&l, NULL, out), 0);
	l = some_login(LOGIN_OUT);
	l.mpid = 7;
	assert_int_equal(notify_print(&l, NULL, out), 0);
	l = some_login(LOGIN_IN);
	assert_int_equal(notify_print(&l, "IMAP", out), 0);
	/* More than a notice may hold. */
	memset(l.user, 0xff, LOGIN_USER_MAX);
	memset(l.session, 0xff, LOGIN_SESSION_MAX);
	assert_int_equal(notify_print(&l, NULL, out), 0);
}

/* --- binding ----------------------------------------------------------------
 */

static void test_notify_binds_to_one_address(void **state)
{
	static const char *const bad[] = { "", "\n", "bind", "bind \n",
		"bind ip=\n", "bind ip=::\n", "bind ip=192.0.2\n",
		"bind ip=192.0.2.7 \n", "bind ip=192.0.2.7\r\n",
		"bind ip=192.0.2.7\n\n", "bind  ip=192.0.2.7\n",
		"BIND ip=192.0.2.7\n", "bind ip=192.0.2.7 ip=192.0.2.8\n",
		"bind ip=192.0.2.7 user=anna\n", "bind user=anna\n",
		" bind ip=192.0.2.7\n", "bind ip=192.0.2.7%00\n", LOGIN };
	static const char *const good[] = { "192.0.2.7", "2001:db8::7" };
	static const struct addr none;
	char out[NOTIFY_MAX + 1];
	struct addr want, got;
	struct login l;
	const char *why;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		if (notify_bind_parse(bad[i], strlen(bad[i]), &got))
			fail_msg("\"%s\" was taken", bad[i]);
		assert_true(addr_equal(&got, &none));
	}
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_true(addr_parse(good[i], strlen(good[i]), &want));
		size_t len = notify_bind_print(&want, out);
		assert_int_equal(len, strlen(out));
		assert_int_equal(out[len - 1], '\n');
		assert_true(notify_bind_parse(out, len, &got));
		assert_true(addr_equal(&got, &want));
		assert_true(notify_bind_parse(out, len - 1, &got));
		/* It is no notice, on a datagram neither. */
		assert_false(reads(out, len, &l, &why));
		assert_string_equal(why, "unknown verb");
	}
	assert_string_equal(out, "bind ip=2001:db8::7\n");
}

/* --- answers ----------------------------------------------------------------
 */

static void answers(const char *text, enum notify_word word, const char *why)
{
	char printed[NOTIFY_ANSWER_MAX + 1];
	struct notify_answer a;

	if (!notify_answer_parse(text, strlen(text), &a))
		fail_msg("\"%s\" was refused", text);
	assert_int_equal(a.word, word);
	assert_string_equal(a.text, why);
	assert_true(notify_answer_print(word, why, printed) > 0);
	assert_string_equal(printed, text);
}

static void test_notify_answers_read_and_write(void **state)
{
	static const char *const bad[] = { "", "\n", "stored ", "stored x\n",
		"bound x\n", "bound \n", "STORED\n", "none", "none \n",
		"none a b\n", "none A\n", "none\n", "not-stored\n", "error\n",
		"error \x1b[1m\n", "stored\n\n", "nonesuch x\n", " stored\n" };
	char text[NOTIFY_ANSWER_MAX + 2];
	struct notify_answer a;

	(void)state;
	answers("stored\n", NOTIFY_STORED, "");
	answers("bound\n", NOTIFY_BOUND, "");
	answers("none private-address\n", NOTIFY_NONE, "private-address");
	answers("not-stored busy\n", NOTIFY_NOT_STORED, "busy");
	answers("error ip is no address\n", NOTIFY_ERROR, "ip is no address");
	assert_true(notify_answer_parse("stored", 6, &a));
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		if (notify_answer_parse(bad[i], strlen(bad[i]), &a))
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(a.word, NOTIFY_NOT_STORED);
	}
	(void)snprintf(text, sizeof(text), "error ");
	memset(text + 6, 'e', sizeof(text) - 6);
	assert_true(notify_answer_parse(text, 6 + 95, &a));
	assert_false(notify_answer_parse(text, 6 + 96, &a));
	assert_false(notify_answer_parse(text, sizeof(text), &a));
	assert_false(notify_answer_parse("stored\0", 7, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notify_reads_a_login_with_every_key),
		cmocka_unit_test(test_notify_reads_what_is_enough),
		cmocka_unit_test(test_notify_refuses_everything_else),
		cmocka_unit_test(test_notify_refuses_a_nul_and_what_is_cut),
		cmocka_unit_test(test_notify_limits),
		cmocka_unit_test(test_notify_writes_what_it_reads),
		cmocka_unit_test(
		    test_notify_writes_nothing_that_it_would_not_read),
		cmocka_unit_test(test_notify_binds_to_one_address),
		cmocka_unit_test(test_notify_answers_read_and_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
