/* SPDX-License-Identifier: ISC */
/*
 * test_dovecot_line - what the Dovecot plugin says is what the notify protocol
 * reads: one coding, one grammar, whatever a name holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../contrib/dovecot/notify-line.h"
#include "base/kv.h"
#include "base/mem.h"
#include "source/notify_codec.h"

/* As the plugin puts them together. */
static bool say(struct notify_line *line, const char *verb, const char *user,
    const char *session)
{
	notify_begin(line, verb);
	notify_put(line, "ip", "192.0.2.7");
	notify_put(line, "user", user);
	notify_put(line, "server", "dovecot");
	notify_put(line, "session", session);
	return notify_end(line);
}

static void hears(const char *verb, enum login_kind kind, const char *session)
{
	struct notify_line line;
	struct login l;
	const char *why;

	assert_true(say(&line, verb, "anna b", session));
	assert_true(notify_parse(line.text, line.used, &l, &why));
	assert_int_equal(l.kind, kind);
	assert_string_equal(l.user, "anna b");
	assert_string_equal(l.server, "dovecot");
	assert_string_equal(l.session, session);
}

static void test_dovecot_line_is_a_notice(void **state)
{
	(void)state;
	hears("login", LOGIN_IN, "UeElW7lg2Mx/AAAB");
	hears("login", LOGIN_IN, "");
	hears("alive", LOGIN_ALIVE, "a+b/c=");
	hears("logout", LOGIN_OUT, "a+b/c=");
}

static void test_dovecot_line_says_service_and_tls(void **state)
{
	struct notify_line line;
	struct login l;
	const char *why;

	(void)state;
	notify_begin(&line, "login");
	notify_put(&line, "ip", "2001:db8::7");
	notify_put(&line, "user", "anna");
	notify_put(&line, "server", "dovecot");
	notify_put(&line, "service", "imap");
	notify_put(&line, "tls", "yes");
	assert_true(notify_end(&line));
	assert_true(notify_parse(line.text, line.used, &l, &why));
	assert_int_equal(l.tls, 1);
}

/* Each byte alone, and between others. */
static void test_dovecot_line_codes_each_byte_as_kv(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		const char value[] = { 'a', (char)c, 'b', (char)c, 0 };
		struct notify_line line;
		char want[64];
		size_t used = 0;

		notify_begin(&line, "x");
		notify_put(&line, "k", value);
		assert_true(notify_end(&line));
		assert_true(kv_put(want, sizeof(want), &used, "x k", value));
		want[used - 1] = '\n'; /* kv_put() leaves a blank */
		assert_int_equal(line.used, used);
		assert_memory_equal(line.text, want, used);
	}
}

/* xorshift64: the same names in every run. */
static unsigned next_random(unsigned limit)
{
	static uint64_t seed = 4;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % limit);
}

static void test_dovecot_line_carries_random_names(void **state)
{
	const char *count = getenv("RELAYPASS_TEST_COUNT");
	long long rounds = 10000 * (count ? strtoll(count, NULL, 10) : 1);

	(void)state;
	for (long long i = 0; i < rounds; i++) {
		char user[LOGIN_USER_MAX + 1];
		size_t len = 1 + next_random(LOGIN_USER_MAX);
		struct notify_line line;
		struct login l;
		const char *why;

		for (size_t j = 0; j < len; j++) {
			unsigned c = ' ' + next_random(256 - ' ');
			user[j] = (char)(c == 0x7f ? '~' : c);
		}
		user[len] = 0;
		if (!say(&line, "login", user, "x"))
			fail_msg("a name of %zu bytes did not fit", len);
		assert_true(notify_parse(line.text, line.used, &l, &why));
		assert_int_equal(l.user_len, len);
		assert_memory_equal(l.user, user, len);
		assert_string_equal(l.session, "x");
	}
}

/* A name with a byte that would end the line cannot end it. */
static void test_dovecot_line_cannot_be_broken(void **state)
{
	struct notify_line line;
	struct login l;
	const char *why;

	(void)state;
	assert_true(say(&line, "login",
	    "x\nlogin ip=203.0.113.66 user=y server=dovecot", "x"));
	assert_ptr_equal(
	    memchr(line.text, '\n', line.used), line.text + line.used - 1);
	assert_false(notify_parse(line.text, line.used, &l, &why));
}

static void test_dovecot_line_that_is_too_long_is_not_sent(void **state)
{
	char user[NOTIFY_LINE_MAX];
	struct notify_line line;
	size_t fits = 0;

	(void)state;
	assert_int_equal(NOTIFY_LINE_MAX, NOTIFY_MAX);
	memset(user, 'u', sizeof(user));
	for (size_t len = 1; len < sizeof(user); len++) {
		user[len] = 0;
		if (say(&line, "login", user, "x")) {
			assert_int_equal(fits, len - 1);
			fits = len;
			assert_true(line.used <= NOTIFY_MAX);
			assert_int_equal(line.text[line.used - 1], '\n');
		}
		user[len] = 'u';
	}
	assert_in_range(fits, 900, NOTIFY_MAX - 1);
	/* The last one that fitted filled it to the last byte. */
	user[fits] = 0;
	assert_true(say(&line, "login", user, "x"));
	assert_int_equal(line.used, NOTIFY_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dovecot_line_is_a_notice),
		cmocka_unit_test(test_dovecot_line_says_service_and_tls),
		cmocka_unit_test(test_dovecot_line_codes_each_byte_as_kv),
		cmocka_unit_test(test_dovecot_line_carries_random_names),
		cmocka_unit_test(test_dovecot_line_cannot_be_broken),
		cmocka_unit_test(
		    test_dovecot_line_that_is_too_long_is_not_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
