/* SPDX-License-Identifier: ISC */
/*
 * test_http_json - the bodies of the http source: what becomes a login, and
 * that everything else becomes none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "source/http_event.h"
#include "source/http_notice.h"
#include "source/http_policy.h"

enum { NOW = 1000 };

static const struct http_words words = { { "imap", "pop3" }, 2 };

typedef enum http_told read_fn(const char *body, size_t len,
    const struct http_words *w, int64_t now, struct login *out);

static void assert_addr(const struct login *l, const char *text)
{
	char out[ADDR_TEXT_SIZE];

	(void)addr_print(&l->addr, out);
	assert_string_equal(out, text);
}

/* Nothing or bad: then the login is empty. */
static void assert_none(read_fn *read, const char *body, enum http_told want)
{
	static const struct login none;
	struct login l;

	memset(&l, 0xff, sizeof(l));
	if (read(body, strlen(body), &words, NOW, &l) != want)
		fail_msg("%s", body);
	assert_memory_equal(&l, &none, sizeof(l));
}

/* --- Dovecot's report ------------------------------------------------------
 */

#define REPORT_HEAD "{\"device_id\":\"\",\"login\":\"anna\",\"pwhash\":\"0d52\""
#define REPORT                                                                 \
	REPORT_HEAD ",\"protocol\":\"imap\",\"remote\":\"192.0.2.7\","         \
		    "\"session_id\":\"XeCrgrlg0dR/AAAF\",\"success\":true,"    \
		    "\"policy_reject\":false,\"tls\":false}"

static void test_http_policy_reads_a_good_report(void **state)
{
	struct login l;

	(void)state;
	assert_int_equal(
	    http_policy_read(REPORT, strlen(REPORT), &words, NOW, &l),
	    HTTP_TOLD_LOGIN);
	assert_int_equal(l.kind, LOGIN_IN);
	assert_addr(&l, "192.0.2.7");
	assert_string_equal(l.user, "anna");
	assert_int_equal(l.user_len, 4);
	assert_string_equal(l.session, "XeCrgrlg0dR/AAAF");
	assert_int_equal(l.session_len, 16);
	assert_string_equal(l.server, "dovecot");
	assert_int_equal(l.time, NOW);
	assert_int_equal(l.tls, 0);
	assert_int_equal(l.mpid, 0);
}

/* The report with each of its members as it should not be. */
static void test_http_policy_takes_nothing_less(void **state)
{
	static const char *const changes[][2] = {
		{ "\"success\":true", "\"success\":false" },
		{ "\"success\":true", "\"success\":\"true\"" },
		{ "\"success\":true", "\"success\":1" },
		{ "\"success\":true", "\"succeeded\":true" },
		{ "\"policy_reject\":false", "\"policy_reject\":true" },
		{ "\"policy_reject\":false", "\"policy_reject\":null" },
		{ "\"policy_reject\":false", "\"reject\":false" },
		{ "\"imap\"", "\"doveadm\"" },
		{ "\"imap\"", "\"submission\"" },
		{ "\"imap\"", "\"IMAP\"" },
		{ "\"imap\"", "\"\"" },
		{ "\"imap\"", "[\"imap\"]" },
		{ "\"192.0.2.7\"", "\"\"" },
		{ "\"192.0.2.7\"", "\"192.0.2.07\"" },
		{ "\"192.0.2.7\"", "\"192.0.2.7 \"" },
		{ "\"192.0.2.7\"", "\"192.0.2.7/32\"" },
		{ "\"192.0.2.7\"", "\"mx.example.org\"" },
		{ "\"192.0.2.7\"", "\"fe80::1%eth0\"" },
		{ "\"192.0.2.7\"", "3221225991" },
		{ "\"192.0.2.7\"", "null" },
		{ "\"anna\"", "\"\"" },
		{ "\"anna\"", "\"an\\nna\"" },
		{ "\"anna\"", "\"an\\u007fna\"" },
		{ "\"anna\"", "null" },
		{ "\"anna\"", "[\"anna\"]" },
	};
	char body[1024];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(changes); i++) {
		const char *at = strstr(REPORT, changes[i][0]);

		assert_non_null(at);
		(void)snprintf(body, sizeof(body), "%.*s%s%s",
		    (int)(at - REPORT), REPORT, changes[i][1],
		    at + strlen(changes[i][0]));
		assert_none(http_policy_read, body, HTTP_TOLD_NOTHING);
	}
}

static void test_http_policy_refuses_what_is_no_json(void **state)
{
	static const char *const bodies[] = { "", "{", "null", "[]", "1",
		"\"x\"", REPORT "x", REPORT REPORT, "[" REPORT "]",
		REPORT_HEAD ",\"login\":\"mallory\"}",
		"{\"login\":\"an\\u0000na\"}", "{\"login\":\"an\xff\xfena\"}",
		"{'login':'anna'}", "{\"a\":1e999}",
		"{\"a\":[[[[[[[[1]]]]]]]]}" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bodies); i++)
		assert_none(http_policy_read, bodies[i], HTTP_TOLD_BAD);
}

/* Brackets in strings are no depth; and what is cut is nothing. */
static void test_http_policy_survives_any_cut(void **state)
{
	static const char deep[] = "{\"x\":\"\\\"[[[[[[[[[[[[{{{{{{\"}";
	struct login l;

	(void)state;
	assert_none(http_policy_read, deep, HTTP_TOLD_NOTHING);
	for (size_t n = 0; n < strlen(REPORT); n++)
		assert_int_equal(http_policy_read(REPORT, n, &words, NOW, &l),
		    HTTP_TOLD_BAD);
}

static void test_http_policy_bounds_the_body(void **state)
{
	size_t size = HTTP_BODY_MAX + 1;
	AUTO_FREE char *body = xmalloc(size + 1);
	struct login l;

	(void)state;
	(void)snprintf(body, size + 1, "%-*s", (int)size, REPORT);
	assert_int_equal(
	    http_policy_read(body, size - 1, &words, NOW, &l), HTTP_TOLD_LOGIN);
	assert_int_equal(
	    http_policy_read(body, size, &words, NOW, &l), HTTP_TOLD_BAD);
}

static void test_http_policy_bounds_user_and_session(void **state)
{
	char body[1024], user[LOGIN_USER_MAX + 2], session[128];
	struct login l;

	(void)state;
	memset(user, 'u', sizeof(user));
	memset(session, 's', sizeof(session));
	for (int over = 0; over < 2; over++) {
		int n = snprintf(body, sizeof(body),
		    "{\"login\":\"%.*s\",\"protocol\":\"pop3\","
		    "\"remote\":\"2001:db8::7\",\"session_id\":\"%.*s\","
		    "\"success\":true,\"policy_reject\":false,\"tls\":true}",
		    LOGIN_USER_MAX, user, LOGIN_SESSION_MAX + over, session);
		assert_int_equal(
		    http_policy_read(body, (size_t)n, &words, NOW, &l),
		    HTTP_TOLD_LOGIN);
		assert_int_equal(l.user_len, LOGIN_USER_MAX);
		assert_int_equal(l.session_len, over ? 0 : LOGIN_SESSION_MAX);
		assert_int_equal(l.tls, 1);
		assert_addr(&l, "2001:db8::7");
	}
	(void)snprintf(body, sizeof(body),
	    "{\"login\":\"%.*s\",\"protocol\":\"pop3\",\"remote\":\"192.0.2.7\""
	    ",\"success\":true,\"policy_reject\":false}",
	    LOGIN_USER_MAX + 1, user);
	assert_none(http_policy_read, body, HTTP_TOLD_NOTHING);
}

/* --- Dovecot's events ------------------------------------------------------
 */

#define EVENT(name, fields)                                                    \
	"{\"event\":\"" name "\",\"hostname\":\"mx\","                         \
	"\"end_time\":\"2026-11-20T18:05:01.500Z\",\"categories\":[\"auth\"]," \
	"\"fields\":{" fields "}}"
#define EVENT_LOGIN                                                            \
	EVENT("auth_request_finished",                                         \
	    "\"success\":\"yes\",\"mechanism\":\"PLAIN\",\"service\":"         \
	    "\"imap\",\"session\":\"abc\",\"remote_ip\":\"192.0.2.7\","        \
	    "\"user\":\"anna\"")
/* As 2.4.1 has sent it, but for the addresses. */
#define EVENT_LOGIN_2_4                                                        \
	EVENT("auth_request_finished",                                         \
	    "\"duration\":1194,\"remote_pid\":27,\"remote_uid\":105,"          \
	    "\"remote_gid\":109,\"success\":\"yes\",\"policy_result\":\"ok\"," \
	    "\"mechanism\":\"PLAIN\",\"transport\":\"TLS\",\"protocol\":"      \
	    "\"imap\",\"session\":\"abc\",\"local_ip\":\"192.0.2.1\","         \
	    "\"real_local_ip\":\"192.0.2.1\",\"remote_ip\":\"192.0.2.7\","     \
	    "\"real_remote_ip\":\"192.0.2.7\",\"original_user\":\"Anna\","     \
	    "\"user\":\"anna\",\"translated_user\":\"anna\"")
#define EVENT_TIME INT64_C(1795197901500)

static void test_http_event_reads_login_and_logout(void **state)
{
	static const char out[] = EVENT("mail_user_session_finished",
	    "\"user\":\"anna\",\"session\":\"abc\"");
	struct login l;

	(void)state;
	assert_int_equal(
	    http_event_read(EVENT_LOGIN, strlen(EVENT_LOGIN), &words, NOW, &l),
	    HTTP_TOLD_LOGIN);
	assert_int_equal(l.kind, LOGIN_IN);
	assert_addr(&l, "192.0.2.7");
	assert_string_equal(l.user, "anna");
	assert_string_equal(l.session, "abc");
	assert_string_equal(l.server, "dovecot");
	assert_int_equal(l.time, EVENT_TIME);

	assert_int_equal(http_event_read(out, strlen(out), &words, NOW, &l),
	    HTTP_TOLD_LOGIN);
	assert_int_equal(l.kind, LOGIN_OUT);
	assert_string_equal(l.user, "anna");
	assert_string_equal(l.session, "abc");
	assert_int_equal(l.time, EVENT_TIME);
}

static void test_http_event_reads_dovecot_2_4(void **state)
{
	static const char body[] = EVENT_LOGIN_2_4;
	struct login l;

	(void)state;
	assert_int_equal(http_event_read(body, strlen(body), &words, NOW, &l),
	    HTTP_TOLD_LOGIN);
	assert_int_equal(l.kind, LOGIN_IN);
	assert_addr(&l, "192.0.2.7");
	assert_string_equal(l.user, "anna");
	assert_string_equal(l.session, "abc");
	assert_int_equal(l.time, EVENT_TIME);
	assert_true(l.tls);
}

static void test_http_event_takes_nothing_less(void **state)
{
	static const char *const bodies[] = {
		EVENT("auth_request_finished",
		    "\"service\":\"imap\",\"remote_ip\":\"192.0.2.7\","
		    "\"user\":\"anna\""),
		EVENT("auth_request_finished",
		    "\"success\":\"no\",\"service\":\"imap\","
		    "\"remote_ip\":\"192.0.2.7\",\"user\":\"anna\""),
		EVENT("auth_request_finished",
		    "\"success\":\"yes\",\"mechanism\":\"ANONYMOUS\","
		    "\"service\":\"imap\",\"remote_ip\":\"192.0.2.7\","
		    "\"user\":\"anna\""),
		EVENT("auth_request_finished",
		    "\"success\":\"yes\",\"service\":\"doveadm\","
		    "\"remote_ip\":\"192.0.2.7\",\"user\":\"anna\""),
		EVENT("auth_request_finished",
		    "\"success\":\"yes\",\"protocol\":\"doveadm\","
		    "\"remote_ip\":\"192.0.2.7\",\"user\":\"anna\""),
		EVENT("auth_request_finished",
		    "\"success\":\"yes\",\"service\":\"doveadm\","
		    "\"protocol\":\"imap\",\"remote_ip\":\"192.0.2.7\","
		    "\"user\":\"anna\""),
		EVENT("auth_request_finished",
		    "\"success\":\"yes\",\"service\":\"imap\","
		    "\"user\":\"anna\""),
		EVENT("auth_request_finished",
		    "\"success\":\"yes\",\"service\":\"imap\","
		    "\"remote_ip\":\"192.0.2.7\""),
		EVENT("auth_passdb_request_finished",
		    "\"success\":\"yes\",\"service\":\"imap\","
		    "\"remote_ip\":\"192.0.2.7\",\"user\":\"anna\""),
		EVENT("mail_user_session_finished", "\"user\":\"anna\""),
		EVENT("mail_user_session_finished", "\"session\":\"abc\""),
		"{\"event\":\"auth_request_finished\",\"success\":\"yes\","
		"\"service\":\"imap\",\"remote_ip\":\"192.0.2.7\","
		"\"user\":\"anna\"}",
		"{\"event\":\"auth_request_finished\",\"fields\":[]}",
		"{}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bodies); i++)
		assert_none(http_event_read, bodies[i], HTTP_TOLD_NOTHING);
	assert_none(http_event_read, "[" EVENT_LOGIN "]", HTTP_TOLD_BAD);
	assert_none(http_event_read, EVENT_LOGIN EVENT_LOGIN, HTTP_TOLD_BAD);
}

/* --- our own ---------------------------------------------------------------
 */

static struct http_notices notices;

static bool reads(const char *body, const char **why)
{
	memset(&notices, 0xff, sizeof(notices));
	return http_notice_read(body, strlen(body), NOW, &notices, why);
}

static void test_http_notice_reads_every_key(void **state)
{
	const struct login *l = &notices.logins[0];
	const char *why;

	(void)state;
	assert_true(reads("{\"ip\":\"::ffff:192.0.2.7\",\"user\":\"anna\","
			  "\"session\":\"a 1\",\"server\":\"my-imapd\","
			  "\"tls\":true,\"kind\":\"login\","
			  "\"time\":\"2026-11-20T19:05:01.5+01:00\"}",
	    &why));
	assert_null(why);
	assert_false(notices.array);
	assert_int_equal(notices.count, 1);
	assert_int_equal(l->kind, LOGIN_IN);
	assert_addr(l, "192.0.2.7");
	assert_string_equal(l->user, "anna");
	assert_string_equal(l->session, "a 1");
	assert_string_equal(l->server, "my-imapd");
	assert_int_equal(l->tls, 1);
	assert_int_equal(l->time, EVENT_TIME);

	assert_true(reads("{\"ip\":\"192.0.2.7\",\"user\":\"anna\"}", &why));
	assert_string_equal(l->server, "http");
	assert_int_equal(l->time, NOW);
	assert_int_equal(l->session_len, 0);
}

static void test_http_notice_reads_an_array(void **state)
{
	const char *why;

	(void)state;
	assert_true(reads("[{\"ip\":\"192.0.2.7\",\"user\":\"anna\"},"
			  "{\"kind\":\"alive\",\"ip\":\"192.0.2.8\","
			  "\"user\":\"bob\",\"session\":\"b\"},"
			  "{\"kind\":\"logout\",\"user\":\"bob\","
			  "\"session\":\"b\"}]",
	    &why));
	assert_true(notices.array);
	assert_int_equal(notices.count, 3);
	assert_int_equal(notices.logins[0].kind, LOGIN_IN);
	assert_int_equal(notices.logins[1].kind, LOGIN_ALIVE);
	assert_addr(&notices.logins[1], "192.0.2.8");
	assert_int_equal(notices.logins[2].kind, LOGIN_OUT);
	assert_addr(&notices.logins[2], "::");
}

static void test_http_notice_refuses_all_or_nothing(void **state)
{
#define GOOD "\"ip\":\"192.0.2.7\",\"user\":\"anna\""
	static const char *const bodies[] = {
		"",
		"null",
		"\"x\"",
		"[]",
		"[[]]",
		"{}",
		"{" GOOD,
		"{" GOOD ",\"port\":1}",
		"{" GOOD "," GOOD "}",
		"{" GOOD ",\"kind\":\"restart\"}",
		"{" GOOD ",\"kind\":1}",
		"{" GOOD ",\"tls\":\"yes\"}",
		"{" GOOD ",\"tls\":1}",
		"{" GOOD ",\"session\":\"\"}",
		"{" GOOD ",\"session\":7}",
		"{" GOOD ",\"server\":\"My Server\"}",
		"{" GOOD ",\"server\":\"abcdefghijklmnopqrstuvwx\"}",
		"{" GOOD ",\"time\":1795197901}",
		"{" GOOD ",\"time\":\"2026-11-20 18:05:01\"}",
		"{" GOOD ",\"time\":\"2026-11-20T18:05:01Z \"}",
		"{" GOOD ",\"time\":\"yesterday\"}",
		"{" GOOD ",\"kind\":\"alive\"}",
		"{" GOOD ",\"kind\":\"logout\"}",
		"{" GOOD ",\"kind\":\"logout\",\"session\":\"s\",\"tls\":true}",
		"{\"ip\":\"192.0.2.7\"}",
		"{\"user\":\"anna\"}",
		"{\"ip\":\"192.0.2.07\",\"user\":\"anna\"}",
		"{\"ip\":\"192.0.2.7\",\"user\":\"\"}",
		"{\"ip\":\"192.0.2.7\",\"user\":\"a\\u0000b\"}",
		"{\"kind\":\"logout\",\"session\":\"s\"}",
		"[{" GOOD "},{" GOOD ",\"x\":1}]",
		"[{" GOOD "},null]",
	};
	const char *why;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		if (reads(bodies[i], &why))
			fail_msg("%s", bodies[i]);
		assert_int_equal(notices.count, 0);
		assert_non_null(why);
		assert_true(strlen(why) > 5);
	}
}

static void test_http_notice_takes_64_and_no_more(void **state)
{
	static const char one[] = "{" GOOD "},";
	AUTO_FREE char *body = xmalloc(65 * sizeof(one) + 8);
	const char *why;
	size_t len = 0;

	(void)state;
	body[len++] = '[';
	for (int i = 0; i < 65; i++) {
		memcpy(body + len, one, sizeof(one) - 1);
		len += sizeof(one) - 1;
		body[len - 1] = ']';
		assert_int_equal(
		    http_notice_read(body, len, NOW, &notices, &why), i < 64);
		assert_int_equal(notices.count, i < 64 ? i + 1 : 0);
		body[len - 1] = ',';
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_policy_reads_a_good_report),
		cmocka_unit_test(test_http_policy_takes_nothing_less),
		cmocka_unit_test(test_http_policy_refuses_what_is_no_json),
		cmocka_unit_test(test_http_policy_survives_any_cut),
		cmocka_unit_test(test_http_policy_bounds_the_body),
		cmocka_unit_test(test_http_policy_bounds_user_and_session),
		cmocka_unit_test(test_http_event_reads_login_and_logout),
		cmocka_unit_test(test_http_event_reads_dovecot_2_4),
		cmocka_unit_test(test_http_event_takes_nothing_less),
		cmocka_unit_test(test_http_notice_reads_every_key),
		cmocka_unit_test(test_http_notice_reads_an_array),
		cmocka_unit_test(test_http_notice_refuses_all_or_nothing),
		cmocka_unit_test(test_http_notice_takes_64_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
