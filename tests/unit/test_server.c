/* SPDX-License-Identifier: ISC */
/*
 * test_server - answers, and clients of every bad habit.
 */
#include "server_world.h"

/* --- questions and answers -------------------------------------------------
 */

static void test_server_answers_and_keeps_the_connection(void **state)
{
	struct fixture *f = start("postfix-policy", "");
	int fd = client(f);

	(void)state;
	for (int i = 0; i < 3; i++) {
		say(fd, POLICY, sizeof(POLICY) - 1);
		hear_text(f, fd, OK);
	}
	assert_true(still_open(f, fd));
	assert_int_equal(f->counts.questions, 3);
	assert_int_equal(f->counts.allow, 3);
	assert_null(f->server->ports[0].idle.first->in);
	(void)close(fd);
	wait_open(f, 0);
	assert_int_equal(f->counts.dropped, 0);
	stop(f);
}

static void test_server_answers_a_pipeline_with_one_send(void **state)
{
	struct fixture *f = start("ask", "");
	int fd = client(f);
	char got[200];
	ssize_t n;

	(void)state;
	say(fd, ASK "check 192.0.2.9\ncheck 192.0.2.3\nche", 16 * 3 + 3);
	turn(f);
	n = recv(fd, got, sizeof(got), 0);
	assert_int_equal(n, strlen("allow ttl=60\ntempfail unknown\nnone\n"));
	assert_memory_equal(
	    got, "allow ttl=60\ntempfail unknown\nnone\n", (size_t)n);
	assert_int_equal(f->begun, 1);
	say(fd, "ck 192.0.2.3\n", 13);
	hear_text(f, fd, "none\n");
	assert_int_equal(f->counts.questions, 4);
	assert_int_equal(f->counts.allow, 1);
	assert_int_equal(f->counts.tempfail, 1);
	assert_int_equal(f->counts.none, 2);
	(void)close(fd);
	stop(f);
}

static void test_server_does_not_mind_where_input_is_cut(void **state)
{
	static const char two[] = POLICY POLICY;
	struct fixture *f = start("postfix-policy", "");
	int fd = client(f);

	(void)state;
	for (size_t cut = 1; cut < sizeof(two) - 1; cut++) {
		say(fd, two, cut);
		turn(f);
		say(fd, two + cut, sizeof(two) - 1 - cut);
		hear_text(f, fd, OK OK);
	}
	for (size_t i = 0; i < sizeof(two) - 1; i++) {
		say(fd, two + i, 1);
		turn(f);
	}
	hear_text(f, fd, OK OK);
	assert_int_equal(f->server->held, 0);
	(void)close(fd);
	stop(f);
}

static void test_server_answers_a_client_that_only_listens_now(void **state)
{
	struct fixture *f = start("ask", "");
	int fd = client_quiet(f);

	(void)state;
	say(fd, ASK ASK "chec", 36);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	hear_text(f, fd, "allow ttl=60\nallow ttl=60\n");
	assert_true(closed(f, fd));
	(void)close(fd);
	stop(f);
}

static void test_server_tells_the_user_only_to_those_it_may(void **state)
{
	char options[64];
	struct fixture *f;
	int fd;

	(void)state;
	(void)snprintf(options, sizeof(options), "show-user = {\"%u\"}",
	    (unsigned)geteuid());
	f = start("ask", options);
	fd = client(f);
	say(fd, ASK, sizeof(ASK) - 1);
	hear_text(f, fd, "allow ttl=60 user=jo\n");
	(void)close(fd);
	stop(f);
	f = start("ask", "show-user = {\"4242\"}");
	fd = client(f);
	say(fd, ASK, sizeof(ASK) - 1);
	hear_text(f, fd, "allow ttl=60\n");
	(void)close(fd);
	stop(f);
}

/* --- bad habits ------------------------------------------------------------
 */

static void test_server_closes_after_a_bad_request(void **state)
{
	struct fixture *f = start("ask", "");
	int fd = client(f);
	char got[200];
	size_t n;

	(void)state;
	say(fd, ASK "bad\n" ASK, 36);
	n = hear(f, fd, got, sizeof(got));
	assert_memory_equal(got, "allow ttl=60\nerror ", 19);
	assert_int_equal(got[n - 1], '\n');
	assert_int_equal(f->counts.bad, 1);
	assert_int_equal(f->counts.questions, 1);
	(void)close(fd);
	wait_open(f, 0);
	stop(f);
	f = start("postfix-policy", "");
	fd = client(f);
	say(fd, "nonsense\n\n", 10);
	assert_true(closed(f, fd));
	assert_int_equal(f->counts.bad, 1);
	(void)close(fd);
	stop(f);
}

static void test_server_drops_a_refused_client_that_will_not_go(void **state)
{
	struct fixture *f = start("ask", "");
	int fd = client(f);

	(void)state;
	say(fd, "bad\n", 4);
	turn(f);
	say(fd, ASK, sizeof(ASK) - 1);
	turn(f);
	assert_int_equal(f->counts.open, 1);
	assert_int_equal(f->answers, 0);
	age(f, 11000);
	assert_int_equal(f->counts.open, 0);
	(void)close(fd);
	stop(f);
}

static void test_server_refuses_a_request_without_end(void **state)
{
	struct fixture *f = start("postfix-policy", "");
	char *text = xmalloc(LISTENER_REQUEST_MAX);
	size_t sent = 0;
	int fd = client(f);

	(void)state;
	memset(text, 'a', LISTENER_REQUEST_MAX);
	text[1] = '=';
	while (sent < LISTENER_REQUEST_MAX) {
		ssize_t n = send(
		    fd, text + sent, LISTENER_REQUEST_MAX - sent, MSG_NOSIGNAL);
		if (n > 0)
			sent += (size_t)n;
		turn(f);
		assert_true(f->server->held <= LISTENER_REQUEST_MAX);
	}
	assert_true(closed(f, fd));
	assert_int_equal(f->counts.bad, 1);
	assert_int_equal(f->server->held, 0);
	free(text);
	(void)close(fd);
	stop(f);
}

static void test_server_times_requests_not_reads(void **state)
{
	struct fixture *f = start("ask", "");
	int slow = client(f), good = client(f);

	(void)state;
	for (int i = 0; i < 4; i++) {
		say(slow, &ASK[i], 1);
		say(good, ASK, sizeof(ASK) - 1);
		hear_text(f, good, "allow ttl=60\n");
		age(f, 3000);
	}
	assert_true(closed(f, slow));
	assert_int_equal(f->counts.dropped, 1);
	assert_true(still_open(f, good));
	(void)close(slow);
	(void)close(good);
	stop(f);
}

static void test_server_closes_the_idle_at_their_time(void **state)
{
	struct fixture *f = start("ask", "idle-timeout = \"10m\"");
	int early = client(f), late = client(f);

	(void)state;
	age(f, 599000);
	say(late, ASK, sizeof(ASK) - 1);
	hear_text(f, late, "allow ttl=60\n");
	age(f, 2000);
	assert_true(closed(f, early));
	assert_true(still_open(f, late));
	assert_int_equal(f->counts.dropped, 0);
	(void)close(early);
	(void)close(late);
	wait_open(f, 0);
	age(f, 0);
	assert_false(f->server->timing);
	stop(f);
}

static void test_server_bounds_answers_nobody_reads(void **state)
{
	struct fixture *f = start("ask", "");
	int fd = client(f), size = 4096;
	size_t sent = 0, heard = 0;
	char got[4096];
	int idle = 0;

	(void)state;
	(void)setsockopt(f->server->ports[0].idle.first->fd, SOL_SOCKET,
	    SO_SNDBUF, &size, sizeof(size));
	while (idle < 50) {
		ssize_t n = send(fd, ASK, sizeof(ASK) - 1, MSG_NOSIGNAL);
		if (n > 0)
			sent += (size_t)n;
		idle = n > 0 ? 0 : idle + 1;
		turn(f);
		assert_true(
		    f->server->held <= CONN_OUT_SIZE + LISTENER_REQUEST_MAX);
	}
	assert_true(f->server->ports[0].busy.first->blocked);
	for (idle = 0; idle < 50;) {
		ssize_t n = recv(fd, got, sizeof(got), 0);
		if (n > 0)
			heard += (size_t)n;
		idle = n > 0 ? 0 : idle + 1;
		turn(f);
	}
	/* The last question may have been cut by the full socket. */
	assert_int_equal(heard, sent / 16 * strlen("allow ttl=60\n"));
	assert_int_equal(f->counts.dropped, 0);
	(void)close(fd);
	stop(f);
}

static void test_server_drops_who_never_reads(void **state)
{
	struct fixture *f = start("ask", "");
	int fd = client(f);
	int idle = 0;

	(void)state;
	while (idle < 50) {
		idle = send(fd, ASK, 16, MSG_NOSIGNAL) > 0 ? 0 : idle + 1;
		turn(f);
	}
	age(f, 9000);
	assert_int_equal(f->counts.open, 1);
	age(f, 2000);
	assert_int_equal(f->counts.open, 0);
	assert_int_equal(f->counts.dropped, 1);
	assert_int_equal(f->server->held, 0);
	(void)close(fd);
	stop(f);
}

/* Who connects when another has been answered must not get an answer of the
 * moment before: the clock and the ledger are looked at anew. */
static void test_server_looks_anew_for_each_new_client(void **state)
{
	struct fixture *f = start("ask", "");
	int one = client_quiet(f), two = client_quiet(f);

	(void)state;
	say(one, ASK, 16);
	say(two, ASK, 16);
	turn(f);
	assert_int_equal(f->answers, 2);
	assert_int_equal(f->begun, 2);
	(void)close(one);
	(void)close(two);
	stop(f);
}

static void test_server_survives_clients_that_vanish(void **state)
{
	struct fixture *f = start("ask", "");

	(void)state;
	for (int i = 0; i < 50; i++) {
		int fd = client_quiet(f);
		if (i % 3)
			say(fd, ASK ASK "check", 37);
		if (i % 2)
			turn(f);
		(void)close(fd);
	}
	for (int i = 0; i < 200; i++)
		turn(f);
	assert_int_equal(f->counts.open, 0);
	stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test(test_server_##name)
		TEST(answers_and_keeps_the_connection),
		TEST(answers_a_pipeline_with_one_send),
		TEST(does_not_mind_where_input_is_cut),
		TEST(answers_a_client_that_only_listens_now),
		TEST(tells_the_user_only_to_those_it_may),
		TEST(closes_after_a_bad_request),
		TEST(drops_a_refused_client_that_will_not_go),
		TEST(refuses_a_request_without_end),
		TEST(times_requests_not_reads),
		TEST(closes_the_idle_at_their_time),
		TEST(bounds_answers_nobody_reads),
		TEST(drops_who_never_reads),
		TEST(looks_anew_for_each_new_client),
		TEST(survives_clients_that_vanish),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
