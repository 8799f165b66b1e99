/* SPDX-License-Identifier: ISC */
/*
 * test_http - the http source as a whole: real connections, a real loop, a
 * keeper that is the test. Bodies and heads have tests of their own.
 */
#include "http_world.h"
#include "login/rules.h"

#define REPORT_OF(address, success)                                            \
	"{\"device_id\":\"\",\"login\":\"anna\",\"protocol\":\"imap\","        \
	"\"pwhash\":\"0d52\",\"remote\":\"" address "\",\"session_id\":"       \
	"\"XeC\",\"success\":" success ",\"policy_reject\":false,"             \
	"\"tls\":true}"
#define REPORT     REPORT_OF("192.0.2.7", "true")
#define REPORT_URL "/policy?command=report"
#define ALLOW_URL  "/policy?command=allow"

static const char *body_of(const struct world *w)
{
	return strstr(w->reply, "\r\n\r\n") + 4;
}

/* Nothing has been submitted when this request has had its answer. */
static void expect_refusal(
    struct world *w, const char *request, size_t len, unsigned status)
{
	int fd = world_connect(w);

	world_send(fd, request, len);
	assert_int_equal(world_reply(w, fd), status);
	assert_int_equal(w->login_count, 0);
	(void)close(fd);
}

#define EXPECT_REFUSAL(w, request, status)                                     \
	expect_refusal(w, request, sizeof(request) - 1, status)

/* --- answers ---------------------------------------------------------------
 */

static void test_http_answers_a_report_after_the_commit(void **state)
{
	struct world *w = *state;
	int fd;
	char byte;

	world_start(w, "");
	fd = world_connect(w);
	world_post(fd, REPORT_URL, KEY_HEAD, REPORT);
	WORLD_WAIT(w, w->login_count == 1);
	assert_string_equal(w->logins[0].user, "anna");
	assert_int_equal(w->logins[0].kind, LOGIN_IN);
	assert_true(w->tokens[0] != 0);
	for (int i = 0; i < 5; i++)
		world_turn(w);
	assert_int_equal(recv(fd, &byte, 1, MSG_PEEK), -1);
	world_stored(w, 0, SOURCE_STORED, JUDGE_LEASE);
	assert_int_equal(world_reply(w, fd), 200);
	assert_string_equal(body_of(w), "{\"status\":0,\"msg\":\"\"}");
	(void)close(fd);
}

static void test_http_says_so_when_a_report_is_not_stored(void **state)
{
	struct world *w = *state;
	int fd;

	world_start(w, "");
	fd = world_connect(w);
	world_post(fd, REPORT_URL, KEY_HEAD, REPORT);
	WORLD_WAIT(w, w->login_count == 1);
	world_stored(w, 0, SOURCE_NOT_STORED, 0);
	assert_int_equal(world_reply(w, fd), 503);
	assert_non_null(strstr(w->reply, "not stored"));
	w->full = true;
	world_post(fd, REPORT_URL, KEY_HEAD, REPORT);
	assert_int_equal(world_reply(w, fd), 503);
	(void)close(fd);
}

static void test_http_answers_allow_without_a_login(void **state)
{
	struct world *w = *state;
	int fd;

	world_start(w, "");
	fd = world_connect(w);
	world_post(fd, ALLOW_URL, KEY_HEAD, REPORT);
	assert_int_equal(world_reply(w, fd), 200);
	assert_string_equal(body_of(w), "{\"status\":0,\"msg\":\"\"}");
	/* Whatever it says: our trouble must stop no login. */
	world_post(fd, ALLOW_URL, KEY_HEAD, "{");
	assert_int_equal(world_reply(w, fd), 200);
	world_post(fd, REPORT_URL, KEY_HEAD, REPORT_OF("192.0.2.7", "false"));
	assert_int_equal(world_reply(w, fd), 200);
	assert_int_equal(w->login_count, 0);
	(void)close(fd);
}

static void test_http_reads_events_at_their_secret_path(void **state)
{
	struct world *w = *state;
	int fd;

	world_start(w, "");
	fd = world_connect(w);
	world_post(fd, "/event/" WORLD_SECRET, "",
	    "{\"event\":\"mail_user_session_finished\",\"fields\":"
	    "{\"user\":\"anna\",\"session\":\"XeC\"}}");
	WORLD_WAIT(w, w->login_count == 1);
	assert_int_equal(w->logins[0].kind, LOGIN_OUT);
	world_stored(w, 0, SOURCE_STORED, JUDGE_NONE);
	assert_int_equal(world_reply(w, fd), 200);
	(void)close(fd);
}

static void test_http_answers_notices_one_by_one(void **state)
{
	struct world *w = *state;
	int fd;

	world_start(w, "");
	fd = world_connect(w);
	world_post(fd, "/login", BEARER_HEAD,
	    "[{\"ip\":\"192.0.2.7\",\"user\":\"a\"},"
	    "{\"ip\":\"192.0.2.8\",\"user\":\"b\"},"
	    "{\"ip\":\"192.0.2.9\",\"user\":\"c\"}]");
	WORLD_WAIT(w, w->login_count == 3);
	/* In any order. */
	world_stored(w, 2, SOURCE_STORED, JUDGE_PRIVATE);
	world_stored(w, 0, SOURCE_STORED, JUDGE_LEASE);
	world_stored(w, 1, SOURCE_NOT_STORED, 0);
	assert_int_equal(world_reply(w, fd), 503);
	assert_string_equal(body_of(w),
	    "[{\"stored\":true,\"lease\":true},{\"stored\":false},"
	    "{\"stored\":true,\"lease\":false,"
	    "\"reason\":\"private-address\"}]");
	world_post(
	    fd, "/login", BEARER_HEAD, "{\"ip\":\"192.0.2.7\",\"user\":\"a\"}");
	WORLD_WAIT(w, w->login_count == 4);
	world_stored(w, 3, SOURCE_STORED, JUDGE_LEASE);
	assert_int_equal(world_reply(w, fd), 200);
	assert_string_equal(body_of(w), "{\"stored\":true,\"lease\":true}");
	world_post(fd, "/login", BEARER_HEAD,
	    "[{\"ip\":\"192.0.2.7\",\"user\":\"a\"},{}]");
	assert_int_equal(world_reply(w, fd), 400);
	assert_non_null(strstr(body_of(w), "ip is missing"));
	assert_int_equal(w->login_count, 4);
	(void)close(fd);
}

/* An answer reaches the request it belongs to, or nobody. */
static void test_http_forgets_tokens_that_were_answered(void **state)
{
	struct world *w = *state;
	int fd;

	world_start(w, "");
	fd = world_connect(w);
	for (size_t i = 0; i < 200; i++) {
		world_post(fd, REPORT_URL, KEY_HEAD, REPORT);
		WORLD_WAIT(w, w->login_count == i + 1);
		for (size_t k = 0; k < i; k++)
			assert_true(w->tokens[k] != w->tokens[i]);
		if (i > 0)
			world_stored(w, i - 1, SOURCE_NOT_STORED, 0);
		world_stored(w, i, SOURCE_STORED, JUDGE_LEASE);
		world_stored(w, i, SOURCE_NOT_STORED, 0);
		assert_int_equal(world_reply(w, fd), 200);
	}
	w->kind->stored(w->source, 0, SOURCE_STORED, JUDGE_LEASE);
	w->kind->stored(w->source, UINT64_MAX, SOURCE_STORED, JUDGE_LEASE);
	(void)close(fd);
}

static void test_http_outlives_a_client_that_went(void **state)
{
	struct world *w = *state;
	int fd;

	world_start(w, "");
	fd = world_connect(w);
	world_post(fd, REPORT_URL, KEY_HEAD, REPORT);
	WORLD_WAIT(w, w->login_count == 1);
	(void)close(fd);
	world_turn(w);
	world_stored(w, 0, SOURCE_STORED, JUDGE_LEASE);
	fd = world_connect(w);
	world_post(fd, ALLOW_URL, KEY_HEAD, "{}");
	assert_int_equal(world_reply(w, fd), 200);
	(void)close(fd);
}

static void test_http_answers_who_waits_when_it_stops(void **state)
{
	struct world *w = *state;
	int fd;

	world_start(w, "");
	fd = world_connect(w);
	world_post(fd, REPORT_URL, KEY_HEAD, REPORT);
	WORLD_WAIT(w, w->login_count == 1);
	world_stop(w);
	assert_int_equal(world_reply(w, fd), 503);
	(void)close(fd);
}

/* What stands behind the one that waits is read while it stops. */
static void test_http_takes_nothing_more_when_it_stops(void **state)
{
	struct world *w = *state;
	int pipelined, fresh;

	world_start(w, "");
	pipelined = world_connect(w);
	fresh = world_connect(w);
	world_post(fresh, ALLOW_URL, KEY_HEAD, "{}");
	assert_int_equal(world_reply(w, fresh), 200);
	world_post(pipelined, REPORT_URL, KEY_HEAD, REPORT);
	world_post(pipelined, REPORT_URL, KEY_HEAD, REPORT);
	WORLD_WAIT(w, w->login_count == 1);
	world_post(fresh, REPORT_URL, KEY_HEAD, REPORT);
	world_stop(w);
	assert_int_equal(w->login_count, 1);
	assert_int_equal(world_reply(w, pipelined), 503);
	assert_int_not_equal(world_reply(w, pipelined), 200);
	assert_int_not_equal(world_reply(w, fresh), 200);
	(void)close(pipelined);
	(void)close(fresh);
}

/* --- requests that have no effect ------------------------------------------
 */

#define LENGTH_OF_TWO "Content-Length: 2\r\n\r\n{}"
#define POST_REPORT   "POST " REPORT_URL " HTTP/1.1\r\n"

static void test_http_refuses_by_the_head(void **state)
{
	struct world *w = *state;

	world_start(w, "");
	EXPECT_REFUSAL(w, POST_REPORT JSON_HEAD LENGTH_OF_TWO, 401);
	EXPECT_REFUSAL(w,
	    POST_REPORT JSON_HEAD
	    "X-Relaypass-Key: 0123456789abcdeF\r\n" LENGTH_OF_TWO,
	    401);
	EXPECT_REFUSAL(w,
	    "POST /event/0123456789abcdee HTTP/1.1\r\n" JSON_HEAD LENGTH_OF_TWO,
	    401);
	EXPECT_REFUSAL(w,
	    "POST /login HTTP/1.1\r\n" JSON_HEAD KEY_HEAD LENGTH_OF_TWO, 401);
	EXPECT_REFUSAL(w,
	    "GET " REPORT_URL " HTTP/1.1\r\nHost: localhost\r\n" KEY_HEAD
	    "\r\n",
	    405);
	assert_non_null(strstr(w->reply, "Allow: POST"));
	EXPECT_REFUSAL(w,
	    POST_REPORT JSON_HEAD KEY_HEAD
	    "Origin: https://example.org\r\n" LENGTH_OF_TWO,
	    403);
	EXPECT_REFUSAL(w,
	    POST_REPORT "Host: evil.example.org\r\nContent-Type: "
			"application/json\r\n" KEY_HEAD LENGTH_OF_TWO,
	    421);
	EXPECT_REFUSAL(w,
	    POST_REPORT
	    "Host: localhost\r\nContent-Type: text/plain\r\n" KEY_HEAD
		LENGTH_OF_TWO,
	    415);
	EXPECT_REFUSAL(w,
	    "POST /policy?command=report&command=allow HTTP/1.1\r\n" JSON_HEAD
		KEY_HEAD LENGTH_OF_TWO,
	    400);
	EXPECT_REFUSAL(
	    w, "POST / HTTP/1.1\r\n" JSON_HEAD KEY_HEAD LENGTH_OF_TWO, 404);
	EXPECT_REFUSAL(w,
	    POST_REPORT JSON_HEAD KEY_HEAD "Content-Length: 16385\r\n\r\n{}",
	    413);
	EXPECT_REFUSAL(
	    w, POST_REPORT JSON_HEAD KEY_HEAD LENGTH_OF_TWO "x", 200);
}

static void test_http_refuses_two_ways_to_tell_a_length(void **state)
{
	struct world *w = *state;

	world_start(w, "");
	EXPECT_REFUSAL(w,
	    POST_REPORT JSON_HEAD KEY_HEAD
	    "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
	    400);
	EXPECT_REFUSAL(w,
	    POST_REPORT JSON_HEAD KEY_HEAD
	    "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
	    400);
	EXPECT_REFUSAL(w,
	    POST_REPORT JSON_HEAD KEY_HEAD "Host: localhost\r\n" LENGTH_OF_TWO,
	    400);
	EXPECT_REFUSAL(
	    w, POST_REPORT JSON_HEAD KEY_HEAD KEY_HEAD LENGTH_OF_TWO, 400);
}

static void test_http_bounds_head_and_body(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *text = xmalloc(40000);
	int n =
	    snprintf(text, 40000, "%s", POST_REPORT JSON_HEAD KEY_HEAD "X: ");
	int fd;

	world_start(w, "");
	memset(text + n, 'x', 9000);
	(void)snprintf(text + n + 9000, 100, "\r\n" LENGTH_OF_TWO);
	expect_refusal(w, text, strlen(text), 431);

	/* A body that begins well, and never ends. */
	n = snprintf(text, 40000, "%s",
	    POST_REPORT JSON_HEAD KEY_HEAD "Transfer-Encoding: chunked\r\n\r\n"
					   "8000\r\n" REPORT);
	memset(text + n, ' ', 0x8000 - strlen(REPORT));
	fd = world_connect(w);
	world_send(fd, text, (size_t)n + 0x8000 - strlen(REPORT));
	assert_int_equal(world_reply(w, fd), 0);
	assert_int_equal(w->login_count, 0);
	(void)close(fd);
}

/* A request that is cut anywhere is none. */
static void test_http_takes_whole_requests_only(void **state)
{
	struct world *w = *state;
	char text[1024];
	int n = snprintf(text, sizeof(text),
	    POST_REPORT JSON_HEAD KEY_HEAD "Content-Length: %zu\r\n\r\n%s",
	    strlen(REPORT), REPORT);
	int other;

	world_start(w, "");
	other = world_connect(w);
	for (int cut = 0; cut < n; cut++) {
		int fd = world_connect(w);

		if (cut)
			world_send(fd, text, (size_t)cut);
		(void)close(fd);
		world_post(other, ALLOW_URL, KEY_HEAD, "{}");
		assert_int_equal(world_reply(w, other), 200);
		assert_int_equal(w->login_count, 0);
	}
	(void)close(other);
}

/* --- connections -----------------------------------------------------------
 */

static void test_http_reads_chunks_and_single_bytes(void **state)
{
	struct world *w = *state;
	char text[1024];
	size_t half = strlen(REPORT) / 2;
	int n = snprintf(text, sizeof(text),
	    POST_REPORT JSON_HEAD KEY_HEAD
	    "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%.*s\r\n%zx\r\n%s\r\n"
	    "0\r\n\r\n",
	    half, (int)half, REPORT, strlen(REPORT) - half, &REPORT[half]);
	int fd;

	world_start(w, "");
	fd = world_connect(w);
	for (int i = 0; i < n; i++) {
		world_send(fd, text + i, 1);
		if (i % 16 == 0)
			world_turn(w);
	}
	WORLD_WAIT(w, w->login_count == 1);
	world_stored(w, 0, SOURCE_STORED, JUDGE_LEASE);
	assert_int_equal(world_reply(w, fd), 200);
	(void)close(fd);
}

static void test_http_answers_pipelined_requests_in_order(void **state)
{
	struct world *w = *state;
	int fd;

	world_start(w, "");
	fd = world_connect(w);
	world_post(fd, REPORT_URL, KEY_HEAD, REPORT);
	world_post(fd, ALLOW_URL, KEY_HEAD, "{}");
	world_post(fd, REPORT_URL, KEY_HEAD, REPORT_OF("192.0.2.8", "true"));
	WORLD_WAIT(w, w->login_count == 1);
	for (int i = 0; i < 5; i++)
		world_turn(w);
	/* The next is not read before the first is answered. */
	assert_int_equal(w->login_count, 1);
	world_stored(w, 0, SOURCE_NOT_STORED, 0);
	assert_int_equal(world_reply(w, fd), 503);
	assert_int_equal(world_reply(w, fd), 200);
	WORLD_WAIT(w, w->login_count == 2);
	world_stored(w, 1, SOURCE_STORED, JUDGE_LEASE);
	assert_int_equal(world_reply(w, fd), 200);
	(void)close(fd);
}

static void test_http_serves_others_while_one_waits(void **state)
{
	struct world *w = *state;
	int waits, fd;

	world_start(w, "");
	waits = world_connect(w);
	world_post(waits, REPORT_URL, KEY_HEAD, REPORT);
	WORLD_WAIT(w, w->login_count == 1);
	fd = world_connect(w);
	for (int i = 0; i < 100; i++) {
		world_post(fd, ALLOW_URL, KEY_HEAD, "{}");
		assert_int_equal(world_reply(w, fd), 200);
	}
	world_stored(w, 0, SOURCE_STORED, JUDGE_LEASE);
	assert_int_equal(world_reply(w, waits), 200);
	(void)close(waits);
	(void)close(fd);
}

static void test_http_closes_the_longest_idle_for_a_new_one(void **state)
{
	struct world *w = *state;
	int fds[4];

	world_start(w, "max-connections = 3");
	for (size_t i = 0; i < 3; i++) {
		fds[i] = world_connect(w);
		world_post(fds[i], ALLOW_URL, KEY_HEAD, "{}");
		assert_int_equal(world_reply(w, fds[i]), 200);
	}
	world_post(fds[0], ALLOW_URL, KEY_HEAD, "{}");
	assert_int_equal(world_reply(w, fds[0]), 200);
	fds[3] = world_connect(w);
	world_post(fds[3], ALLOW_URL, KEY_HEAD, "{}");
	assert_int_equal(world_reply(w, fds[3]), 200);
	assert_int_equal(world_reply(w, fds[1]), 0);
	world_post(fds[0], ALLOW_URL, KEY_HEAD, "{}");
	assert_int_equal(world_reply(w, fds[0]), 200);
	world_post(fds[2], ALLOW_URL, KEY_HEAD, "{}");
	assert_int_equal(world_reply(w, fds[2]), 200);
	for (size_t i = 0; i < 4; i++)
		(void)close(fds[i]);
}

/* Those who wait are not thrown out. */
static void test_http_turns_away_when_all_are_at_work(void **state)
{
	struct world *w = *state;
	int busy, late;

	world_start(w, "max-connections = 1");
	busy = world_connect(w);
	world_post(busy, REPORT_URL, KEY_HEAD, REPORT);
	WORLD_WAIT(w, w->login_count == 1);
	late = world_connect(w);
	assert_int_equal(world_reply(w, late), 0);
	world_stored(w, 0, SOURCE_STORED, JUDGE_LEASE);
	assert_int_equal(world_reply(w, busy), 200);
	(void)close(busy);
	(void)close(late);
}

static void test_http_hears_no_stranger(void **state)
{
	struct world *w = *state;
	struct matcher_counts counts;
	int fd;

	w->uid++;
	world_start(w, "");
	fd = world_connect(w);
	world_post(fd, REPORT_URL, KEY_HEAD, REPORT);
	assert_int_equal(world_reply(w, fd), 0);
	assert_int_equal(w->login_count, 0);
	w->kind->counts(w->source, &counts);
	assert_int_equal(counts.lines, 0);
	assert_int_equal(counts.refused, 1);
	(void)close(fd);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_http_answers_a_report_after_the_commit),
		TEST(test_http_says_so_when_a_report_is_not_stored),
		TEST(test_http_answers_allow_without_a_login),
		TEST(test_http_reads_events_at_their_secret_path),
		TEST(test_http_answers_notices_one_by_one),
		TEST(test_http_forgets_tokens_that_were_answered),
		TEST(test_http_outlives_a_client_that_went),
		TEST(test_http_answers_who_waits_when_it_stops),
		TEST(test_http_takes_nothing_more_when_it_stops),
		TEST(test_http_refuses_by_the_head),
		TEST(test_http_refuses_two_ways_to_tell_a_length),
		TEST(test_http_bounds_head_and_body),
		TEST(test_http_takes_whole_requests_only),
		TEST(test_http_reads_chunks_and_single_bytes),
		TEST(test_http_answers_pipelined_requests_in_order),
		TEST(test_http_serves_others_while_one_waits),
		TEST(test_http_closes_the_longest_idle_for_a_new_one),
		TEST(test_http_turns_away_when_all_are_at_work),
		TEST(test_http_hears_no_stranger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
