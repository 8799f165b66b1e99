/* SPDX-License-Identifier: ISC */
/*
 * test_server_limits - too many clients, too few descriptors, and who may ask
 * at all.
 */
#include "server_world.h"

/* --- limits ----------------------------------------------------------------
 */

static void test_server_makes_room_by_the_longest_idle(void **state)
{
	struct fixture *f = start("ask", "max-connections = 3");
	int busy = client(f), oldest = client(f), other = client(f), late;

	(void)state;
	say(busy, "chec", 4);
	turn(f);
	late = client_quiet(f);
	assert_true(closed(f, oldest));
	assert_true(still_open(f, other));
	say(late, ASK, sizeof(ASK) - 1);
	hear_text(f, late, "allow ttl=60\n");
	say(busy, "k 192.0.2.1\n", 12);
	hear_text(f, busy, "allow ttl=60\n");
	say(other, "c", 1);
	say(late, "c", 1);
	say(busy, "c", 1);
	turn(f);
	(void)close(oldest);
	oldest = client_quiet(f); /* all are inside a request */
	assert_true(closed(f, oldest));
	assert_int_equal(f->counts.open, 3);
	assert_int_equal(f->counts.dropped, 2);
	(void)close(busy);
	(void)close(oldest);
	(void)close(other);
	(void)close(late);
	stop(f);
}

static void test_server_bounds_all_unfinished_requests(void **state)
{
	struct fixture *f = start("ask", "");
	int fd = client(f);

	(void)state;
	f->server->held = CONN_HELD_MAX;
	say(fd, "chec", 4);
	assert_true(closed(f, fd));
	assert_int_equal(f->counts.dropped, 1);
	f->server->held -= CONN_HELD_MAX;
	assert_int_equal(f->server->held, 0);
	(void)close(fd);
	stop(f);
}

static void test_server_survives_running_out_of_descriptors(void **state)
{
	struct fixture *f = start("ask", "");
	struct rlimit old, low;
	int fds[40] = { 0 }, busy;
	size_t n = 0;
	int probe = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	busy = client(f);
	say(busy, "c", 1);
	turn(f);
	while (n < COUNT_OF(fds)) /* they wait in the queue */
		fds[n++] = client_quiet(f);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)fds[n - 1] + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (int i = 0; i < 500; i++)
		turn(f);
	/* Nobody is left waiting, and the loop has nothing to do. */
	assert_int_equal(f->counts.open, 1);
	assert_int_equal(f->counts.dropped, n);
	(void)close(probe); /* one more descriptor */
	say(busy, "heck 192.0.2.1\n", 15);
	hear_text(f, busy, "allow ttl=60\n");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	while (n)
		(void)close(fds[--n]);
	probe = client(f);
	say(probe, ASK, sizeof(ASK) - 1);
	hear_text(f, probe, "allow ttl=60\n");
	(void)close(probe);
	(void)close(busy);
	stop(f);
}

/* --- who may ask -----------------------------------------------------------
 */

static void test_server_lets_in_only_named_users(void **state)
{
	struct fixture *f = start("ask", "allow-uid = {\"4242\"}");
	int fd = client_quiet(f);

	(void)state;
	say(fd, ASK, sizeof(ASK) - 1);
	assert_true(closed(f, fd));
	assert_int_equal(f->answers, 0);
	assert_int_equal(f->counts.dropped, 1);
	(void)close(fd);
	stop(f);
}

static int client_tcp(struct fixture *f)
{
	struct sockaddr_storage to = { 0 };
	socklen_t len = sizeof(to);
	int fd;

	assert_int_equal(getsockname(f->fd, (struct sockaddr *)&to, &len), 0);
	fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, len), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* A port that is free now. */
static unsigned free_port(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	(void)close(fd);
	return ntohs(in.sin_port);
}

static void ask_over_tcp(const char *format, bool welcome)
{
	char options[200];
	struct fixture *f;
	int fd;

	(void)snprintf(options, sizeof(options), "listen = \"inet:%s:%u\" %s",
	    strchr(format, '6') ? "[::1]" : "127.0.0.1", free_port(),
	    strchr(format, ' '));
	f = start("postfix-policy", options);
	fd = client_tcp(f);
	say(fd, POLICY, sizeof(POLICY) - 1);
	if (welcome)
		hear_text(f, fd, OK);
	else
		assert_true(closed(f, fd));
	assert_int_equal(f->answers, welcome);
	assert_int_equal(f->counts.dropped, !welcome);
	(void)close(fd);
	stop(f);
}

static bool have_ipv6(void)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool have = bind(fd, (struct sockaddr *)&in6, sizeof(in6)) == 0;

	(void)close(fd);
	return have;
}

static void test_server_lets_in_only_named_networks(void **state)
{
	(void)state;
	ask_over_tcp("4 ", true);
	ask_over_tcp("4 allow = {\"127.0.0.0/8\"}", true);
	ask_over_tcp("4 allow = {\"192.0.2.0/24\", \"::1\"}", false);
	if (!have_ipv6())
		return;
	ask_over_tcp("6 ", true);
	ask_over_tcp("6 allow = {\"2001:db8::/32\"}", false);
}

static void test_server_stops_accepting_but_goes_on_answering(void **state)
{
	struct fixture *f = start("ask", "");
	int fd = client(f), late;

	(void)state;
	server_stop_accepting(f->server);
	late = client_quiet(f);
	say(fd, ASK, sizeof(ASK) - 1);
	hear_text(f, fd, "allow ttl=60\n");
	assert_int_equal(f->counts.open, 1);
	assert_int_equal(server_connections(f->server), 1);
	say(fd, "chec", 4);
	turn(f);
	(void)close(late);
	stop(f);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test(test_server_##name)
		TEST(makes_room_by_the_longest_idle),
		TEST(bounds_all_unfinished_requests),
		TEST(survives_running_out_of_descriptors),
		TEST(lets_in_only_named_users),
		TEST(lets_in_only_named_networks),
		TEST(stops_accepting_but_goes_on_answering),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
