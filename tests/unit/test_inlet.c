/* SPDX-License-Identifier: ISC */
/*
 * test_inlet - connections and datagrams of a live source: framing, late
 * replies, deadlines and limits.
 */
#include "inlet_world.h"

#include <sys/resource.h>

/* --- streams ---------------------------------------------------------------
 */

static void test_inlet_serves_requests_in_any_pieces(void **state)
{
	struct inlet_world *w = world_start("");
	int fd = client(w);

	(void)state;
	say(fd, "one\ntwo\nthr");
	hear(w, fd, "one\ntwo\n");
	assert_true(quiet(w, fd));
	say(fd, "ee\nfo");
	hear(w, fd, "three\n");
	say(fd, "u");
	turn(w);
	say(fd, "r\n");
	hear(w, fd, "four\n");
	assert_true(w->peer.local);
	assert_false(w->peer.datagram);
	assert_int_equal(w->peer.uid, geteuid());
	assert_int_equal(w->peer.pid, getpid());
	assert_int_equal(w->peer.endpoint, 0);
	(void)close(fd);
	for (int i = 0; i < TURNS && !w->gone; i++)
		turn(w);
	assert_int_equal(w->gone, 1);
	assert_int_equal(inlet_open(w->inlet), 0);
	assert_int_equal(w->odd.total, 0);
	world_stop(w);
}

static void test_inlet_reads_nothing_while_a_reply_is_awaited(void **state)
{
	struct inlet_world *w = world_start("");
	int fd = client(w);
	unsigned calls;

	(void)state;
	say(fd, "wait 1\nwait 2\nx\n");
	for (int i = 0; i < TURNS && !w->calls; i++)
		turn(w);
	calls = w->calls;
	assert_int_equal(w->waiting_count, 1);
	say(fd, "y\n");
	assert_true(quiet(w, fd));
	assert_int_equal(w->calls, calls);
	assert_true(inlet_reply(w->inlet, w->waiting[0], "A\n", 2));
	assert_int_equal(w->waiting_count, 2);
	hear(w, fd, "A\n");
	assert_true(inlet_reply(w->inlet, w->waiting[1], "B\n", 2));
	hear(w, fd, "B\nx\ny\n");
	say(fd, "wait 3\n");
	for (int i = 0; i < TURNS && w->waiting_count < 3; i++)
		turn(w);
	inlet_end(w->inlet, w->waiting[2], "C\n", 2);
	hear(w, fd, "C\n");
	assert_true(closed(w, fd));
	(void)close(fd);
	world_stop(w);
}

/* The number of a client that went is never that of another. */
static void test_inlet_numbers_reach_nobody_else(void **state)
{
	struct inlet_world *w = world_start("max-connections = 1");
	int fd = client(w);
	inlet_client old;

	(void)state;
	say(fd, "wait\n");
	for (int i = 0; i < TURNS && !w->waiting_count; i++)
		turn(w);
	old = w->waiting[0];
	assert_int_not_equal(old, 0);
	age(w, 10001); /* nobody replied */
	assert_true(closed(w, fd));
	assert_int_equal(odd_times(w, "unanswered"), 1);
	(void)close(fd);
	fd = client(w);
	say(fd, "wait\n");
	for (int i = 0; i < TURNS && w->waiting_count < 2; i++)
		turn(w);
	assert_int_not_equal(w->waiting[1], old);
	assert_int_equal(
	    w->waiting[1] & INLET_SLOT_MASK, old & INLET_SLOT_MASK);
	assert_false(inlet_reply(w->inlet, old, "late\n", 5));
	inlet_end(w->inlet, old, "late\n", 5);
	assert_false(inlet_reply(w->inlet, 0, "x", 1));
	assert_true(quiet(w, fd));
	assert_true(inlet_reply(w->inlet, w->waiting[1], "mine\n", 5));
	hear(w, fd, "mine\n");
	(void)close(fd);
	world_stop(w);
}

static void test_inlet_ends_connections_as_the_protocol_says(void **state)
{
	static const struct {
		const char *say, *hear;
		unsigned malformed;
	} rows[] = {
		{ "bye\nx\n", "bye\n", 0 },
		{ "end\nx\n", "over\n", 0 },
		{ "bad\nx\n", "bad\n", 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct inlet_world *w = world_start("");
		int fd = client(w);
		say(fd, rows[i].say);
		hear(w, fd, rows[i].hear);
		assert_true(closed(w, fd));
		assert_int_equal(w->calls, 1);
		assert_int_equal(odd_times(w, "malformed"), rows[i].malformed);
		(void)close(fd);
		world_stop(w);
	}
}

static void test_inlet_bounds_a_request(void **state)
{
	struct inlet_world *w = world_start("");
	int fd = client(w), other = client(w);
	char text[101];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	say(fd, text);
	assert_true(closed(w, fd));
	assert_int_equal(odd_times(w, "malformed"), 1);
	text[98] = '\n';
	text[99] = '\0';
	say(other, text);
	hear(w, other, text);
	say(other, "half");
	(void)shutdown(other, SHUT_WR);
	assert_true(closed(w, other));
	assert_int_equal(odd_times(w, "cut-off"), 1);
	(void)close(fd);
	(void)close(other);
	world_stop(w);
}

/* What was asked before the client closed its side is replied. */
static void test_inlet_replies_to_who_has_said_all(void **state)
{
	struct inlet_world *w = world_start("");
	int fd = client(w);

	(void)state;
	say(fd, "wait\nx\n");
	(void)shutdown(fd, SHUT_WR);
	for (int i = 0; i < 20; i++)
		turn(w);
	assert_int_equal(inlet_open(w->inlet), 1);
	assert_true(inlet_reply(w->inlet, w->waiting[0], "A\n", 2));
	hear(w, fd, "A\nx\n");
	assert_true(closed(w, fd));
	assert_int_equal(w->odd.total, 0);
	(void)close(fd);
	world_stop(w);
}

static void test_inlet_ends_the_slow_and_the_idle(void **state)
{
	struct inlet_world *w = world_start("");
	int slow = client(w), idle = client(w), quick = client(w);

	(void)state;
	say(slow, "on");
	turn(w);
	turn(w);
	age(w, 9000);
	say(slow, "e"); /* no new deadline */
	turn(w);
	turn(w);
	age(w, 1001);
	assert_true(closed(w, slow));
	assert_int_equal(odd_times(w, "too-slow"), 1);
	say(quick, "x\n");
	hear(w, quick, "x\n");
	age(w, 50000);
	assert_true(closed(w, idle));
	assert_true(quiet(w, quick));
	assert_int_equal(inlet_open(w->inlet), 1);
	assert_int_equal(w->odd.total, 1);
	(void)close(slow);
	(void)close(idle);
	(void)close(quick);
	world_stop(w);
}

static void test_inlet_ends_who_does_not_read(void **state)
{
	struct inlet_world *w = world_start("");
	int flood = client(w), fd = client(w);
	static const char line[] =
	    "12345678901234567890123456789012345678901234567890\n";
	size_t sent = 0, have = 0;
	char got[65536];
	ssize_t n;

	(void)state;
	say(flood, "flood\n");
	assert_true(closed(w, flood));
	assert_int_equal(odd_times(w, "does-not-read"), 1);
	(void)close(flood);
	for (int i = 0; i < 100000; i++) {
		if (send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL) < 0)
			break;
		sent += sizeof(line) - 1;
		turn(w);
	}
	/* All of it is bounded, and nothing is lost if he reads after all. */
	assert_true(sent < 100000 * (sizeof(line) - 1));
	assert_true(w->inlet->held <= 4 * INLET_READ);
	for (int i = 0; i < 10 * TURNS && have < sent; i++) {
		n = recv(fd, got, sizeof(got), 0);
		have += n > 0 ? (size_t)n : 0;
		turn(w);
	}
	assert_int_equal(have, sent);
	while (send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL) > 0)
		turn(w);
	age(w, 10001);
	assert_int_equal(odd_times(w, "does-not-read"), 2);
	assert_int_equal(inlet_open(w->inlet), 0);
	assert_int_equal(w->inlet->held, 0);
	(void)close(fd);
	world_stop(w);
}

/* --- limits ----------------------------------------------------------------
 */

static void test_inlet_makes_room_by_the_longest_idle(void **state)
{
	struct inlet_world *w = world_start("max-connections = 3");
	int busy = client(w), oldest = client(w), other = client(w), late;

	(void)state;
	say(busy, "o");
	turn(w);
	turn(w);
	late = client_unix(w->path, SOCK_STREAM);
	assert_true(closed(w, oldest));
	assert_true(quiet(w, other));
	say(late, "x\n");
	hear(w, late, "x\n");
	assert_int_equal(odd_times(w, "full"), 1);
	say(other, "o");
	say(late, "o");
	turn(w);
	turn(w);
	(void)close(oldest);
	oldest = client_unix(w->path, SOCK_STREAM);
	assert_true(closed(w, oldest)); /* all are inside a request */
	assert_int_equal(odd_times(w, "full"), 2);
	assert_int_equal(inlet_open(w->inlet), 3);
	(void)close(busy);
	(void)close(oldest);
	(void)close(other);
	(void)close(late);
	world_stop(w);
}

static void test_inlet_bounds_all_that_is_held(void **state)
{
	struct inlet_world *w = world_start("");
	int fd = client(w);

	(void)state;
	w->inlet->held = INLET_HELD_MAX;
	say(fd, "on");
	assert_true(closed(w, fd));
	assert_int_equal(odd_times(w, "full"), 1);
	w->inlet->held -= INLET_HELD_MAX;
	assert_int_equal(w->inlet->held, 0);
	(void)close(fd);
	world_stop(w);
}

static void test_inlet_survives_running_out_of_descriptors(void **state)
{
	struct inlet_world *w = world_start("");
	struct rlimit old, low;
	int fds[40] = { 0 }, busy;
	size_t n = 0;
	int probe = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	busy = client(w);
	say(busy, "o");
	turn(w);
	turn(w);
	while (n < COUNT_OF(fds)) /* they wait in the queue */
		fds[n++] = client_unix(w->path, SOCK_STREAM);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)fds[n - 1] + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (int i = 0; i < 500; i++)
		turn(w);
	/* Nobody is left waiting, and the loop has nothing to do. */
	assert_int_equal(inlet_open(w->inlet), 1);
	assert_int_equal(odd_times(w, "no-descriptors"), n);
	(void)close(probe);
	say(busy, "k\n");
	hear(w, busy, "ok\n");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	while (n)
		(void)close(fds[--n]);
	probe = client(w);
	say(probe, "x\n");
	hear(w, probe, "x\n");
	(void)close(probe);
	(void)close(busy);
	world_stop(w);
}

/* --- who may speak ---------------------------------------------------------
 */

static void test_inlet_turns_strangers_away(void **state)
{
	struct inlet_world *w = world_start("allow-uid = \"4242\"");
	int fd = client_unix(w->path, SOCK_STREAM), gram = sender(w, true);

	(void)state;
	say(fd, "x\n");
	assert_true(closed(w, fd));
	say(gram, "x");
	assert_true(quiet(w, gram));
	assert_int_equal(w->calls, 0);
	assert_int_equal(w->gone, 0);
	assert_int_equal(odd_times(w, "not-allowed"), 2);
	(void)close(fd);
	(void)close(gram);
	world_stop(w);
}

enum { OWN = 4, STRANGERS = 40 };

static void echoes(struct inlet_world *w, int fd)
{
	say(fd, "x\n");
	hear(w, fd, "x\n");
}

/* Whoever may speak keeps its place, and finds one, whatever strangers do. */
static void test_inlet_lets_few_strangers_in(void **state)
{
	struct inlet_world *w = world_start("max-connections = 24");
	int own[24], strangers[STRANGERS];

	(void)state;
	for (size_t i = 0; i < OWN; i++)
		own[i] = client(w);
	w->strange = true;
	for (size_t i = 0; i < STRANGERS; i++) {
		strangers[i] = client_unix(w->path, SOCK_STREAM);
		turn(w);
		assert_in_range(inlet_open(w->inlet), 1, OWN + INLET_STRANGERS);
	}
	assert_int_equal(inlet_open(w->inlet), OWN + INLET_STRANGERS);
	for (size_t i = 0; i < STRANGERS - INLET_STRANGERS; i++)
		assert_true(closed(w, strangers[i]));
	assert_int_equal(
	    odd_times(w, "not-allowed"), STRANGERS - INLET_STRANGERS);
	echoes(w, strangers[STRANGERS - 1]);
	w->strange = false;
	for (size_t i = OWN; i < COUNT_OF(own); i++) {
		own[i] = client_unix(w->path, SOCK_STREAM);
		echoes(w, own[i]);
	}
	assert_int_equal(inlet_open(w->inlet), COUNT_OF(own));
	assert_true(closed(w, strangers[STRANGERS - 1]));
	/* With no place left a stranger has none. */
	w->strange = true;
	(void)close(strangers[0]);
	strangers[0] = client_unix(w->path, SOCK_STREAM);
	assert_true(closed(w, strangers[0]));
	for (size_t i = 0; i < COUNT_OF(own); i++) {
		echoes(w, own[i]);
		(void)close(own[i]);
	}
	for (size_t i = 0; i < STRANGERS; i++)
		(void)close(strangers[i]);
	world_stop(w);
}

/* A port that is free now. */
static unsigned free_port(int type)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	(void)close(fd);
	return ntohs(in.sin_port);
}

/* From 127.0.0.1 to another address of this host. */
static int client_inet(unsigned port, int type)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	in.sin_addr.s_addr = htonl(0x7f000002);
	in.sin_port = htons((uint16_t)port);
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static void speak_over(const char *word, int type, const char *allow, bool may)
{
	unsigned port = free_port(type);
	char options[200];
	struct inlet_world *w;
	int fd;

	/* Any address, so that a reply has to choose its own: a connected
	 * client takes it only from where it asked. */
	(void)snprintf(options, sizeof(options),
	    "listen = \"%s:0.0.0.0:%u\" allow = {%s}", word, port, allow);
	w = world_start(options);
	fd = client_inet(port, type);
	say(fd, "hello\n");
	if (may) {
		hear(w, fd, "hello\n");
		assert_false(w->peer.local);
		assert_int_equal(w->peer.uid, (uid_t)-1);
		assert_int_equal(w->peer.addr.bytes[15], 1);
		assert_int_not_equal(w->peer.port, 0);
	} else {
		assert_true(type == SOCK_STREAM ? closed(w, fd) : quiet(w, fd));
		assert_int_equal(w->calls, 0);
	}
	assert_int_equal(odd_times(w, "not-allowed"), !may);
	(void)close(fd);
	world_stop(w);
}

static void test_inlet_lets_listed_networks_speak(void **state)
{
	(void)state;
	speak_over("tcp", SOCK_STREAM, "\"127.0.0.0/8\"", true);
	speak_over("tcp", SOCK_STREAM, "\"192.0.2.0/24\"", false);
	speak_over("udp", SOCK_DGRAM, "\"127.0.0.1\"", true);
	speak_over("udp", SOCK_DGRAM, "\"127.0.0.2\", \"::1\"", false);
}

/* --- datagrams -------------------------------------------------------------
 */

static void test_inlet_replies_to_datagrams(void **state)
{
	struct inlet_world *w = world_start("");
	int one = sender(w, true), two = sender(w, true);
	inlet_client first;

	(void)state;
	say(one, "wait a");
	turn(w);
	first = w->last;
	say(two, "now");
	hear(w, two, "now");
	assert_true(quiet(w, one));
	assert_int_equal(w->inlet->letters_out, 1);
	assert_true(inlet_reply(w->inlet, first, "late", 4));
	hear(w, one, "late");
	assert_false(inlet_reply(w->inlet, first, "again", 5));
	assert_true(quiet(w, one));
	say(one, "");
	turn(w);
	assert_int_equal(w->len, 0);
	assert_true(w->peer.datagram);
	assert_int_equal(w->peer.uid, geteuid());
	assert_int_equal(w->peer.endpoint, 1);
	assert_int_equal(w->inlet->letters_out, 0);
	assert_int_equal(w->odd.total, 0);
	(void)close(one);
	(void)close(two);
	world_stop(w);
}

static void test_inlet_bounds_late_replies(void **state)
{
	struct inlet_world *w = world_start("");
	int fd = sender(w, true);
	inlet_client first = 0;

	(void)state;
	for (int i = 0; i < INLET_LETTERS; i++) {
		say(fd, "wait");
		turn(w);
		first = first ? first : w->last;
	}
	assert_int_equal(w->inlet->letters_out, INLET_LETTERS);
	say(fd, "x");
	turn(w);
	assert_int_equal(w->calls, INLET_LETTERS);
	assert_int_equal(odd_times(w, "full"), 1);
	assert_true(inlet_reply(w->inlet, first, "1", 1));
	say(fd, "x");
	hear(w, fd, "1");
	age(w, INLET_LETTER_MS + 1); /* forgotten */
	assert_int_equal(w->inlet->letters_out, 0);
	assert_false(inlet_reply(w->inlet, w->last, "1", 1));
	(void)close(fd);
	world_stop(w);
}

static void test_inlet_survives_who_cannot_be_replied_to(void **state)
{
	struct inlet_world *w = world_start("");
	int unnamed = sender(w, false), deaf = sender(w, true);

	(void)state;
	say(unnamed, "x");
	turn(w);
	assert_int_equal(w->calls, 1);
	say(deaf, "wait");
	turn(w);
	(void)close(deaf);
	assert_false(inlet_reply(w->inlet, w->last, "1", 1));
	assert_int_equal(w->inlet->letters_out, 0);
	(void)close(unnamed);
	world_stop(w);
}

/* A datagram with descriptors in it leaves none here; one that is too long is
 * dropped. */
static void test_inlet_takes_no_descriptors_and_no_giants(void **state)
{
	static char giant[INLET_DATAGRAM_MAX + 1];
	struct inlet_world *w = world_start("");
	int fd = sender(w, true), before, after;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(3 * sizeof(int))];
	} control = { 0 };
	char text[] = "gift";
	struct iovec iov = { text, 4 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int gift[3] = { fd, fd, fd }, room = 4 * INLET_DATAGRAM_MAX;

	(void)state;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(gift));
	memcpy(CMSG_DATA(c), gift, sizeof(gift));
	before = dup(fd);
	(void)close(before);
	assert_int_equal(sendmsg(fd, &m, 0), 4);
	hear(w, fd, "gift");
	assert_int_equal(w->peer.uid, geteuid());
	after = dup(fd);
	(void)close(after);
	assert_int_equal(after, before);
	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
	assert_int_equal(send(fd, giant, sizeof(giant), 0), sizeof(giant));
	turn(w);
	assert_int_equal(w->calls, 1);
	assert_int_equal(odd_times(w, "too-long"), 1);
	assert_int_equal(
	    send(fd, giant, sizeof(giant) - 1, 0), sizeof(giant) - 1);
	turn(w);
	assert_int_equal(w->calls, 2);
	(void)close(fd);
	world_stop(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test(test_inlet_##name)
		TEST(serves_requests_in_any_pieces),
		TEST(reads_nothing_while_a_reply_is_awaited),
		TEST(numbers_reach_nobody_else),
		TEST(ends_connections_as_the_protocol_says),
		TEST(bounds_a_request),
		TEST(replies_to_who_has_said_all),
		TEST(ends_the_slow_and_the_idle),
		TEST(ends_who_does_not_read),
		TEST(makes_room_by_the_longest_idle),
		TEST(bounds_all_that_is_held),
		TEST(survives_running_out_of_descriptors),
		TEST(turns_strangers_away),
		TEST(lets_few_strangers_in),
		TEST(lets_listed_networks_speak),
		TEST(replies_to_datagrams),
		TEST(bounds_late_replies),
		TEST(survives_who_cannot_be_replied_to),
		TEST(takes_no_descriptors_and_no_giants),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
