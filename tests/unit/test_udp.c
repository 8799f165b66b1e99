/* SPDX-License-Identifier: ISC */
/*
 * test_udp - questions that are datagrams of the network.
 */
#include <arpa/inet.h>

#include "server_world.h"

#define QUERY "QUERY 192.0.2.1\r\n\r\n"
#define YES   "+leased\r\n\r\n"

/* A server at a port of the kernel's choice. */
static struct fixture *open_udp(
    bool six, const char *options, struct sockaddr_storage *at)
{
	struct sockaddr_in four = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr *any =
	    six ? (struct sockaddr *)&in6 : (struct sockaddr *)&four;
	socklen_t len = six ? sizeof(in6) : sizeof(four);
	int fd = socket(any->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char all[256];

	assert_int_equal(bind(fd, any, len), 0);
	assert_int_equal(getsockname(fd, any, &len), 0);
	(void)close(fd);
	memset(at, 0, sizeof(*at));
	memcpy(at, any, len);
	(void)snprintf(all, sizeof(all), "listen = \"udp:%s:%u\" %s",
	    six ? "[::1]" : "127.0.0.1",
	    ntohs(six ? in6.sin6_port : four.sin_port), options);
	return start("whoson", all);
}

/* A client with an address of its own; NULL: any. */
static int asker(const struct sockaddr_storage *server, const char *own)
{
	struct sockaddr_in four = { .sin_family = AF_INET };
	int fd = socket(
	    server->ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	if (own) {
		assert_int_equal(inet_pton(AF_INET, own, &four.sin_addr), 1);
		assert_int_equal(
		    bind(fd, (const struct sockaddr *)&four, sizeof(four)), 0);
	}
	/* Connected, so that an answer from elsewhere is not heard. */
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)server,
		server->ss_family == AF_INET ? sizeof(struct sockaddr_in)
					     : sizeof(struct sockaddr_in6)),
	    0);
	return fd;
}

static void serves(bool six)
{
	struct sockaddr_storage at;
	struct fixture *f = open_udp(six, "", &at);
	int one = asker(&at, NULL), two = asker(&at, NULL);

	say(one, QUERY, strlen(QUERY));
	say(two, "QUERY 192.0.2.3\r\n\r\n", strlen(QUERY));
	hear_text(f, two, "-Not Logged in\r\n\r\n");
	hear_text(f, one, YES);
	say(one, "QUIT\r\n\r\n", 8);
	hear_text(f, one, "+QUIT OK\r\n\r\n");
	assert_int_equal(f->counts.questions, 3);
	assert_int_equal(f->counts.allow, 1);
	assert_int_equal(f->counts.open, 0);
	(void)close(one);
	(void)close(two);
	stop(f);
}

static void test_udp_answers_each_by_one(void **state)
{
	(void)state;
	serves(false);
	serves(true);
}

static bool is_silent(struct fixture *f, int fd)
{
	char byte;

	for (int i = 0; i < 20; i++)
		turn(f);
	return recv(fd, &byte, 1, 0) < 0;
}

/* Or two servers, told to talk by a forged datagram, would never stop. */
static void test_udp_does_not_answer_what_is_no_question(void **state)
{
	static const char *const bad[] = { (QUERY QUERY), "QUERY 192.0.2.1",
		"\n", "*command parse error\r\n\r\n", YES };
	struct sockaddr_storage at;
	struct fixture *f = open_udp(false, "", &at);
	int fd = asker(&at, NULL);
	char large[8192];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		say(fd, bad[i], strlen(bad[i]));
		if (!is_silent(f, fd))
			fail_msg("row %zu is answered", i);
	}
	(void)snprintf(
	    large, sizeof(large), "%-*s\n", (int)sizeof(large) - 2, QUERY);
	say(fd, large, sizeof(large));
	assert_true(is_silent(f, fd));
	assert_int_equal(f->counts.bad, COUNT_OF(bad) + 1);
	assert_int_equal(f->counts.questions, 0);
	say(fd, QUERY, strlen(QUERY));
	hear_text(f, fd, YES);
	(void)close(fd);
	stop(f);
}

static void test_udp_knows_who_may_ask(void **state)
{
	struct sockaddr_storage at;
	struct fixture *f = open_udp(false, "allow = {\"127.0.0.2\"}", &at);
	int in = asker(&at, "127.0.0.2"), out = asker(&at, "127.0.0.3");

	(void)state;
	say(out, QUERY, strlen(QUERY));
	assert_true(is_silent(f, out));
	assert_int_equal(f->counts.dropped, 1);
	assert_int_equal(f->counts.questions, 0);
	say(in, QUERY, strlen(QUERY));
	hear_text(f, in, YES);
	(void)close(in);
	(void)close(out);
	stop(f);
}

/* Nobody is shown a user for his address. */
static void test_udp_shows_no_user(void **state)
{
	struct sockaddr_storage at;
	struct fixture *f = open_udp(false, "show-user = \"root\"", &at);
	int fd = asker(&at, NULL);

	(void)state;
	say(fd, QUERY, strlen(QUERY));
	hear_text(f, fd, YES);
	(void)close(fd);
	stop(f);
}

static void test_udp_needs_allow_beyond_loopback(void **state)
{
	struct conf *conf =
	    listener_conf("whoson", "listen = \"udp:0.0.0.0:9876\"");
	struct err err = { 0 };

	(void)state;
	assert_null(listener_new(conf_at(conf, "listener", 0), &err));
	assert_non_null(strstr(err.text, "allow"));
	conf_free(&conf);
}

static void test_udp_is_not_for_every_kind(void **state)
{
	static const char *const kinds[] = { "ask", "postfix-policy",
		"socketmap", "tcp-table" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct conf *conf =
		    listener_conf(kinds[i], "listen = \"udp:127.0.0.1:9876\"");
		struct err err = { 0 };
		if (listener_new(conf_at(conf, "listener", 0), &err))
			fail_msg("%s", kinds[i]);
		assert_int_equal(err.code, EXIT_USER);
		conf_free(&conf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test(test_udp_##name)
		TEST(answers_each_by_one),
		TEST(does_not_answer_what_is_no_question),
		TEST(knows_who_may_ask),
		TEST(shows_no_user),
		TEST(needs_allow_beyond_loopback),
		TEST(is_not_for_every_kind),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
