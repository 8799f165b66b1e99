/* SPDX-License-Identifier: ISC */
/*
 * test_whoson - the source: who may say what over which transport, and what is
 * answered when.
 */
#include "kind_world.h"

#include "login/rules.h"

extern const struct source_kind source_whoson;

#define END   "\r\n\r\n"
#define ALLOW "allow = \"127.0.0.1\" "
#define LOGIN "login-from = \"127.0.0.1\" "
/* As many places as the test gives sockets. */
#define TWO "listen = {\"tcp:127.0.0.1:9876\", \"udp:127.0.0.1:9876\"} "

static const int both[] = { SOCK_STREAM, SOCK_DGRAM, 0 };

static struct kind_world *start(const char *options)
{
	char text[500];

	(void)snprintf(text, sizeof(text), TWO ALLOW "%s", options);
	return world_start(&source_whoson, both, text);
}

static int stream(struct kind_world *w)
{
	return world_client(w, 0, SOCK_STREAM);
}

static int datagram(struct kind_world *w)
{
	return world_client(w, 1, SOCK_DGRAM);
}

static void say(struct kind_world *w, int fd, const char *text)
{
	world_send(w, fd, text, strlen(text));
}

static void hears(struct kind_world *w, int fd, const char *want)
{
	char out[2000];
	ssize_t n = world_receive(w, fd, out, sizeof(out));

	if (n < 0)
		fail_msg("heard nothing, wanted \"%s\"", want);
	assert_string_equal(out, want);
}

static void hears_nothing(struct kind_world *w, int fd)
{
	char out[2000];

	if (world_receive(w, fd, out, sizeof(out)) >= 0)
		fail_msg("heard \"%s\"", out);
}

static void store(
    struct kind_world *w, enum source_outcome outcome, uint8_t judgement)
{
	source_whoson.stored(
	    w->source, w->login_token[w->logins - 1], outcome, judgement);
}

static void tell(struct kind_world *w, bool known, const char *user)
{
	struct source_told told = { .known = known, .leased = user != NULL };

	if (user) {
		told.user_len = (uint8_t)strlen(user);
		memcpy(told.user, user, strlen(user));
	}
	source_whoson.told(w->source, w->ask_token[w->asks - 1], &told);
}

/* --- logins --- */

static void test_whoson_answers_a_login_after_the_commit(void **state)
{
	struct kind_world *w = start(LOGIN);
	int fd = stream(w);

	(void)state;
	say(w, fd, "LOGIN 192.0.2.1 anna@example.org" END);
	assert_int_equal(w->logins, 1);
	assert_int_equal(w->login[0].kind, LOGIN_IN);
	assert_string_equal(w->login[0].user, "anna@example.org");
	assert_int_equal(w->login[0].user_len, 16);
	assert_int_equal(w->login[0].userless, 0);
	assert_string_equal(w->login[0].server, "whoson");
	assert_true(w->login[0].time == WORLD_NOW);
	hears_nothing(w, fd);
	store(w, SOURCE_STORED, JUDGE_LEASE);
	hears(w, fd, "+LOGIN OK" END);
	say(w, fd, "LOGIN 192.0.2.1" END);
	assert_int_equal(w->login[1].userless, 1);
	assert_int_equal(w->login[1].user_len, 0);
	store(w, SOURCE_STORED, JUDGE_SPECIAL);
	hears(w, fd, "-LOGIN gave no lease" END);
	say(w, fd, "LOGIN 192.0.2.1" END);
	store(w, SOURCE_NOT_STORED, 0);
	hears(w, fd, "*temporarily unavailable" END);
	w->full = true;
	say(w, fd, "LOGIN 192.0.2.1" END);
	hears(w, fd, "*temporarily unavailable" END);
	(void)close(fd);
	world_end(w);
}

static void test_whoson_ends_leases_at_a_logout(void **state)
{
	struct kind_world *w = start(LOGIN);
	int fd = stream(w);

	(void)state;
	say(w, fd, "LOGOUT 192.0.2.1" END);
	assert_int_equal(w->login[0].kind, LOGIN_END);
	assert_int_equal(w->login[0].user_len, 0);
	store(w, SOURCE_STORED, JUDGE_LEASE);
	hears(w, fd, "+LOGOUT record deleted" END);
	say(w, fd, "LOGOUT 192.0.2.1" END);
	store(w, SOURCE_STORED, JUDGE_NONE);
	hears(w, fd, "+LOGOUT no such record, nothing done" END);
	(void)close(fd);
	world_end(w);
}

static void test_whoson_takes_logins_only_from_login_from(void **state)
{
	static const char *const options[] = { "",
		"login-from = \"192.0.2.0/24\"" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(options); i++) {
		struct kind_world *w = start(options[i]);
		int fd = stream(w);
		say(w, fd, "LOGIN 192.0.2.1 anna" END);
		hears(w, fd, "*not allowed" END);
		say(w, fd, "LOGOUT 192.0.2.1" END);
		hears(w, fd, "*not allowed" END);
		assert_int_equal(w->logins, 0);
		say(w, fd, "QUERY 192.0.2.1" END);
		assert_int_equal(w->asks, 1);
		(void)close(fd);
		world_end(w);
	}
}

static void test_whoson_takes_logins_over_udp_only_when_told_so(void **state)
{
	struct kind_world *w = start(LOGIN);
	int fd = datagram(w);

	(void)state;
	say(w, fd, "LOGIN 192.0.2.1 anna" END);
	hears(w, fd, "*not allowed" END);
	say(w, fd, "LOGOUT 192.0.2.1" END);
	hears(w, fd, "*not allowed" END);
	assert_int_equal(w->logins, 0);
	(void)close(fd);
	world_end(w);
	w = start(LOGIN "udp-login = yes");
	fd = datagram(w);
	say(w, fd, "LOGIN 192.0.2.1 anna" END);
	assert_int_equal(w->logins, 1);
	store(w, SOURCE_STORED, JUDGE_LEASE);
	hears(w, fd, "+LOGIN OK" END);
	(void)close(fd);
	world_end(w);
}

static void test_whoson_limits_the_rate_of_logins(void **state)
{
	struct kind_world *w = start(LOGIN "max-rate = 2");
	int fd = stream(w);

	(void)state;
	for (int i = 0; i < 8; i++) {
		size_t before = w->logins;
		say(w, fd, "LOGIN 192.0.2.1 anna" END);
		if (w->logins > before) {
			store(w, SOURCE_STORED, JUDGE_LEASE);
			hears(w, fd, "+LOGIN OK" END);
		} else {
			hears(w, fd, "*not allowed" END);
		}
	}
	/* A second may have ended in between. */
	assert_in_range(w->logins, 2, 4);
	(void)close(fd);
	world_end(w);
}

/* --- questions --- */

static void test_whoson_limits_the_rate_of_questions_over_udp(void **state)
{
	struct kind_world *w = start(LOGIN "max-rate = 2 udp-login = yes");
	int udp = datagram(w), tcp = stream(w);

	(void)state;
	for (int i = 0; i < 8; i++) {
		size_t before = w->asks;
		say(w, udp, "QUERY 192.0.2.1" END);
		if (w->asks > before) {
			tell(w, true, "anna");
			hears(w, udp, "+anna" END);
		} else {
			hears(w, udp, "*temporarily unavailable" END);
		}
	}
	/* A second may have ended in between. */
	assert_in_range(w->asks, 2, 4);
	/* Logins are counted by themselves, and TCP asks what it likes. */
	say(w, udp, "LOGIN 192.0.2.1 anna" END);
	assert_int_equal(w->logins, 1);
	for (size_t i = w->asks; i < 8; i++) {
		say(w, tcp, "QUERY 192.0.2.1" END);
		assert_int_equal(w->asks, i + 1);
		tell(w, true, "anna");
		hears(w, tcp, "+anna" END);
	}
	(void)close(udp);
	(void)close(tcp);
	world_end(w);
}

static void test_whoson_answers_what_the_keeper_knows(void **state)
{
	struct kind_world *w = start("");

	(void)state;
	for (int i = 0; i < 2; i++) {
		int fd = i ? datagram(w) : stream(w);
		struct addr want;
		assert_true(addr_parse("192.0.2.1", 9, &want));
		say(w, fd, "QUERY 192.0.2.1" END);
		assert_true(addr_equal(&w->asked[w->asks - 1], &want));
		hears_nothing(w, fd);
		tell(w, true, "anna@example.org");
		hears(w, fd, "+anna@example.org" END);
		say(w, fd, "query ::ffff:192.0.2.1" END);
		assert_true(addr_equal(&w->asked[w->asks - 1], &want));
		tell(w, true, "");
		hears(w, fd, "+" END);
		say(w, fd, "QUERY 192.0.2.1" END);
		tell(w, true, NULL);
		hears(w, fd, "-Not Logged in" END);
		(void)close(fd);
	}
	world_end(w);
}

/* Neither yes nor no, so that Exim defers. */
static void test_whoson_says_when_it_cannot_tell(void **state)
{
	struct kind_world *w = start("");
	int fd = stream(w);

	(void)state;
	say(w, fd, "QUERY 192.0.2.1" END);
	tell(w, false, NULL);
	hears(w, fd, "*temporarily unavailable" END);
	w->full = true;
	say(w, fd, "QUERY 192.0.2.1" END);
	hears(w, fd, "*temporarily unavailable" END);
	(void)close(fd);
	world_end(w);
}

static void test_whoson_takes_several_requests_in_one_piece(void **state)
{
	struct kind_world *w = start("");
	int fd = stream(w);

	(void)state;
	say(w, fd, "QUERY 192.0.2.1" END "QUERY 192.0.2.2" END "QUIT" END);
	/* One at a time, so that the answers keep their order. */
	assert_int_equal(w->asks, 1);
	tell(w, true, "anna");
	world_turn(w);
	assert_int_equal(w->asks, 2);
	tell(w, true, NULL);
	hears(w, fd, "+anna" END "-Not Logged in" END "+QUIT OK" END);
	hears(w, fd, "");
	(void)close(fd);
	world_end(w);
}

static void test_whoson_waits_for_a_request_in_pieces(void **state)
{
	static const char text[] = "QUERY 192.0.2.1" END;
	struct kind_world *w = start("");
	int fd = stream(w);

	(void)state;
	for (size_t i = 0; i < strlen(text); i++) {
		assert_int_equal(w->asks, 0);
		world_send(w, fd, text + i, 1);
	}
	assert_int_equal(w->asks, 1);
	(void)close(fd);
	world_end(w);
}

/* --- wrong requests --- */

static void test_whoson_refuses_wrong_requests_and_goes_on(void **state)
{
	static const char *const rows[] = { "LOGIN" END, "QUERY x" END, END,
		"HELP" END, "QUERY 192.0.2.1 x" END };
	struct kind_world *w = start(LOGIN "udp-login = yes");
	int fd = stream(w), udp = datagram(w);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		say(w, fd, rows[i]);
		hears(w, fd, "*command parse error" END);
		say(w, udp, rows[i]);
		hears(w, udp, "*command parse error" END);
	}
	assert_int_equal(w->logins + w->asks, 0);
	say(w, fd, "QUIT" END);
	hears(w, fd, "+QUIT OK" END);
	(void)close(fd);
	(void)close(udp);
	world_end(w);
}

static void test_whoson_closes_where_no_request_ends(void **state)
{
	struct kind_world *w = start(LOGIN);
	int fd = stream(w);

	(void)state;
	say(w, fd, "LOGIN 192.0.2.1 anna\r\nX\r\n");
	hears(w, fd, "*command parse error" END);
	hears(w, fd, "");
	(void)close(fd);
	/* Half a request is none. */
	fd = stream(w);
	say(w, fd, "LOGIN 192.0.2.1 anna\r\n");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	world_turn(w);
	assert_int_equal(w->logins, 0);
	hears(w, fd, "*command parse error" END);
	(void)close(fd);
	world_end(w);
}

static void test_whoson_takes_whole_datagrams_only(void **state)
{
	static const char *const rows[] = { "LOGIN 192.0.2.1 anna",
		"LOGIN 192.0.2.1 anna\r\n", "LOGIN 192.0.2.1 anna" END "x",
		"LOGIN 192.0.2.1 anna" END "QUIT" END };
	struct kind_world *w = start(LOGIN "udp-login = yes");
	int fd = datagram(w);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		say(w, fd, rows[i]);
		hears(w, fd, "*command parse error" END);
	}
	assert_int_equal(w->logins, 0);
	(void)close(fd);
	world_end(w);
}

static void test_whoson_lists_its_counters(void **state)
{
	struct kind_world *w = start(LOGIN);
	int fd = stream(w), udp = datagram(w);

	(void)state;
	say(w, fd, "QUERY 192.0.2.1" END);
	tell(w, true, "anna");
	hears(w, fd, "+anna" END);
	say(w, fd, "LOGIN 192.0.2.1 anna" END);
	store(w, SOURCE_STORED, JUDGE_LEASE);
	hears(w, fd, "+LOGIN OK" END);
	say(w, udp, "LOGOUT 192.0.2.1" END);
	hears(w, udp, "*not allowed" END);
	say(w, fd, "HELP" END);
	hears(w, fd, "*command parse error" END);
	say(w, fd, "LIST" END);
	hears(w, fd,
	    "+LIST OK\r\nqueries 1\r\nfound 1\r\nlogins 1\r\nleases 1\r\n"
	    "logouts 0\r\nrefused 1\r\nunavailable 0\r\nwrong 1" END);
	say(w, udp, "LIST" END);
	hears(w, udp, "*not over UDP" END);
	(void)close(fd);
	(void)close(udp);
	world_end(w);
}

/* --- whosond's file --- */

static char conf_path[] = "/tmp/test-whoson-XXXXXX";

static void write_conf(const char *text)
{
	int fd = open(conf_path, O_WRONLY | O_TRUNC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(close(fd), 0);
}

static int make_conf(void **state)
{
	int fd = mkstemp(conf_path);

	(void)state;
	return fd >= 0 ? close(fd) : -1;
}

static int remove_conf(void **state)
{
	(void)state;
	return unlink(conf_path);
}

/* A TCP place of the section's own, a UDP place of the file's with this list.
 */
static struct kind_world *start_file(const char *allow, const char *list)
{
	char options[500], text[300];

	(void)snprintf(text, sizeof(text),
	    "server udp port=%u\n%sserver global ttl=5 user=x\n",
	    world_port(SOCK_DGRAM), list);
	write_conf(text);
	(void)snprintf(options, sizeof(options),
	    "listen = \"tcp:127.0.0.1:%u\" allow = \"%s\" config = \"%s\"",
	    world_port(SOCK_STREAM), allow, conf_path);
	return world_start(&source_whoson, NULL, options);
}

static void test_whoson_lets_each_place_of_the_file_have_its_peers(void **state)
{
	/* The section's own place is not opened up by the file. */
	struct kind_world *w =
	    start_file("192.0.2.0/24", "\tallow=127.0.0.0/8\n");
	int fd = stream(w), udp = datagram(w);

	(void)state;
	say(w, udp, "QUERY 192.0.2.1" END);
	assert_int_equal(w->asks, 1);
	say(w, fd, "QUERY 192.0.2.1" END);
	assert_int_equal(w->asks, 1);
	hears(w, fd, "");
	(void)close(fd);
	(void)close(udp);
	world_end(w);
}

static void test_whoson_obeys_the_file_s_deny(void **state)
{
	struct kind_world *w =
	    start_file("127.0.0.1", "\tallow=127.0.0.0/8\n\tdeny=127.0.0.1\n");
	int fd = stream(w), udp = datagram(w);

	(void)state;
	say(w, udp, "QUERY 192.0.2.1" END);
	assert_int_equal(w->asks, 0);
	hears_nothing(w, udp);
	say(w, fd, "QUERY 192.0.2.1" END);
	assert_int_equal(w->asks, 1);
	(void)close(fd);
	(void)close(udp);
	world_end(w);
}

static void refuses(const char *options, const char *why)
{
	struct conf *conf = world_conf(&source_whoson, options);
	struct err err = { 0 };
	int fds[SOURCE_FDS_MAX];

	assert_int_equal(source_whoson.sockets(conf_at(conf, "source", 0), fds,
			     SOURCE_FDS_MAX, &err),
	    -1);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" lacks \"%s\"", err.text, why);
	conf_free(&conf);
}

static void test_whoson_refuses_a_wrong_section(void **state)
{
	char options[200];

	(void)state;
	refuses("", "listen");
	refuses("listen = \"tcp:127.0.0.1:9876\"", "allow");
	refuses("config = \"/nowhere/whoson.conf\"", "/nowhere/whoson.conf");
	(void)snprintf(options, sizeof(options), "config = \"%s\"", conf_path);
	write_conf("server tcp port=9876\n");
	refuses(options, "allow");
	write_conf("server tcp port=9876\n\tfoo=1\n");
	refuses(options, ":2: \"foo\": unknown keyword");
	write_conf("client tcp port=9876\n");
	refuses(options, "listen");
}

/* Writes a server entry for each type, by its port; 0 ends. */
struct server {
	const char *type;
	unsigned port;
};

static void write_servers(const struct server *servers)
{
	char text[500] = "";

	for (; servers->port; servers++)
		(void)snprintf(text + strlen(text), 80,
		    "server %s port=%u allow=127.0.0.1\n", servers->type,
		    servers->port);
	write_conf(text);
}

/* The descriptors were made when the file looked otherwise. */
static void test_whoson_refuses_a_file_that_has_changed(void **state)
{
	unsigned u = world_port(SOCK_DGRAM), t = world_port(SOCK_STREAM);
	const struct server before[] = { { "udp", u }, { "tcp", t }, { 0 } };
	const struct server after[][4] = {
		{ { "tcp", t }, { "udp", u } },
		{ { "udp", u } },
		{ { "udp", u }, { "tcp", t }, { "tcp", 1 } },
		{ { "udp", u }, { "tcp", 1 } },
		{ { "udp", u }, { "udp", t } },
	};
	char options[200];
	struct kind_world *w;

	(void)state;
	write_servers(before);
	(void)snprintf(options, sizeof(options), "config = \"%s\"", conf_path);
	w = world_start(&source_whoson, NULL, options);
	for (size_t i = 0; i < COUNT_OF(after); i++) {
		struct source_env env = {
			.name = "t", .fds = w->fds, .fd_count = w->fd_count
		};
		struct err err = { 0 };
		write_servers(after[i]);
		assert_null(source_whoson.open(
		    &env, conf_at(w->conf, "source", 0), NULL, 0, &err));
		if (!strstr(err.text, "have changed"))
			fail_msg("row %zu: %s", i, err.text);
	}
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whoson_answers_a_login_after_the_commit),
		cmocka_unit_test(test_whoson_ends_leases_at_a_logout),
		cmocka_unit_test(test_whoson_takes_logins_only_from_login_from),
		cmocka_unit_test(
		    test_whoson_takes_logins_over_udp_only_when_told_so),
		cmocka_unit_test(test_whoson_limits_the_rate_of_logins),
		cmocka_unit_test(
		    test_whoson_limits_the_rate_of_questions_over_udp),
		cmocka_unit_test(test_whoson_answers_what_the_keeper_knows),
		cmocka_unit_test(test_whoson_says_when_it_cannot_tell),
		cmocka_unit_test(
		    test_whoson_takes_several_requests_in_one_piece),
		cmocka_unit_test(test_whoson_waits_for_a_request_in_pieces),
		cmocka_unit_test(
		    test_whoson_refuses_wrong_requests_and_goes_on),
		cmocka_unit_test(test_whoson_closes_where_no_request_ends),
		cmocka_unit_test(test_whoson_takes_whole_datagrams_only),
		cmocka_unit_test(test_whoson_lists_its_counters),
		cmocka_unit_test(
		    test_whoson_lets_each_place_of_the_file_have_its_peers),
		cmocka_unit_test(test_whoson_obeys_the_file_s_deny),
		cmocka_unit_test(test_whoson_refuses_a_wrong_section),
		cmocka_unit_test(test_whoson_refuses_a_file_that_has_changed),
	};

	return cmocka_run_group_tests(tests, make_conf, remove_conf);
}
