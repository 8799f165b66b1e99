/* SPDX-License-Identifier: ISC */
/*
 * test_drac - the source drac on sockets of its own, with a keeper that the
 * test plays: who is answered what, and when; what is submitted.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "login/rules.h"
#include "source/drac_rpc.h"
#include "source/source.h"

enum { TURNS = 2000, SUBMITTED_MAX = 64 };

struct world {
	struct conf *conf;
	const struct conf_section *section;
	const struct source_kind *kind;
	struct source *source;
	uv_loop_t loop;
	int fds[SOURCE_FDS_MAX];
	size_t fd_count;
	uint16_t port;
	/* The keeper. */
	bool full;
	struct login logins[SUBMITTED_MAX];
	uint64_t tokens[SUBMITTED_MAX];
	size_t submitted;
};

static bool submit(void *ctx, uint64_t token, const struct login *login)
{
	struct world *w = ctx;

	if (w->full)
		return false;
	assert_true(w->submitted < SUBMITTED_MAX);
	w->logins[w->submitted] = *login;
	w->tokens[w->submitted++] = token;
	return true;
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static uint16_t free_port(void)
{
	struct sockaddr_in at = loopback(0);
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	(void)close(fd);
	return ntohs(at.sin_port);
}

static struct conf *read_conf(
    struct world *w, const char *options, struct err *err)
{
	static struct conf_kind kind;
	static const struct conf_kind *const kinds[] = { &kind, NULL };
	static const struct option none[] = { OPTION_END };
	static const struct conf_schema schema[] = {
		{ "source", "Where logins come from.", none, kinds }, { 0 }
	};
	char text[1000];

	w->kind = source_kind_find("drac");
	assert_non_null(w->kind);
	kind = (struct conf_kind){ w->kind->name, w->kind->help,
		w->kind->options };
	(void)snprintf(
	    text, sizeof(text), "source d { kind = \"drac\" %s }", options);
	return conf_parse(text, strlen(text), "test", schema, err);
}

static struct world *start(const char *options)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct err err = { 0 };
	char text[800];

	w->port = free_port();
	(void)snprintf(text, sizeof(text),
	    "listen = {\"udp:127.0.0.1:%u\", "
	    "\"tcp:127.0.0.1:%u\"} %s",
	    w->port, w->port, options);
	w->conf = read_conf(w, text, &err);
	if (!w->conf)
		fail_msg("%s", err.text);
	w->section = conf_at(w->conf, "source", 0);
	int n = w->kind->sockets(w->section, w->fds, SOURCE_FDS_MAX, &err);
	if (n != 2)
		fail_msg("%s", err.text);
	w->fd_count = (size_t)n;
	const struct source_env env = { .name = conf_name(w->section),
		.fds = w->fds,
		.fd_count = w->fd_count,
		.submit = submit,
		.live_ctx = w };
	w->source = w->kind->open(&env, w->section, NULL, 0, &err);
	if (!w->source)
		fail_msg("%s", err.text);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	w->kind->start(w->source, &w->loop);
	return w;
}

static void stop(struct world *w)
{
	w->kind->stop(w->source);
	w->kind->close(&w->source);
	assert_null(w->source);
	(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	for (size_t i = 0; i < w->fd_count; i++)
		(void)close(w->fds[i]);
	conf_free(&w->conf);
	free(w);
}

static void turn(struct world *w)
{
	(void)uv_run(&w->loop, UV_RUN_NOWAIT);
}

/* --- clients ---------------------------------------------------------------
 */

static int client(const struct world *w, int type)
{
	struct sockaddr_in at = loopback(w->port);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		assert_int_equal(errno, EINPROGRESS);
	return fd;
}

static void ask(int fd, uint32_t xid, const char *text, bool stream)
{
	uint8_t bytes[DRAC_MARK + DRAC_ASK_MAX];
	struct addr a;
	size_t len;

	assert_true(addr_parse(text, strlen(text), &a));
	len = drac_ask_encode(bytes + DRAC_MARK, xid,
	    addr_is_ipv4(&a) ? DRAC_VERSION_4 : DRAC_VERSION_6, &a);
	drac_record_mark(len, bytes);
	if (stream)
		assert_int_equal(
		    send(fd, bytes, DRAC_MARK + len, 0), DRAC_MARK + len);
	else
		assert_int_equal(send(fd, bytes + DRAC_MARK, len, 0), len);
}

/* The result that comes for this xid; -1: nothing does. */
static int hear(struct world *w, int fd, uint32_t xid, bool stream)
{
	uint8_t bytes[DRAC_MARK + DRAC_REPLY_MAX];
	size_t skip = stream ? DRAC_MARK : 0;
	enum drac_result result;

	for (int i = 0; i < TURNS; i++) {
		ssize_t n = recv(fd, bytes, skip + 28, 0);
		if (n > 0) {
			assert_int_equal(n, skip + 28);
			assert_int_equal(
			    drac_answer_decode(bytes + skip, 28, xid, &result),
			    RPC_REPLY_SERVED);
			return (int)result;
		}
		if (n == 0)
			return -1;
		turn(w);
	}
	return -1;
}

static void wait_submitted(struct world *w, size_t count)
{
	for (int i = 0; i < TURNS && w->submitted < count; i++)
		turn(w);
	assert_int_equal(w->submitted, count);
}

static bool quiet(struct world *w, int fd)
{
	char byte;

	for (int i = 0; i < 20; i++)
		turn(w);
	return recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN;
}

/* --- answers ---------------------------------------------------------------
 */

#define US "allow = {\"127.0.0.1\"}"

static void test_drac_answers_after_the_commit(void **state)
{
	struct world *w = start(US);
	int udp = client(w, SOCK_DGRAM);
	struct addr want;

	(void)state;
	ask(udp, 7, "203.0.113.7", false);
	wait_submitted(w, 1);
	assert_true(quiet(w, udp));
	const struct login *l = &w->logins[0];
	assert_int_equal(l->kind, LOGIN_IN);
	assert_int_equal(l->userless, 1);
	assert_int_equal(l->user_len, 0);
	assert_int_equal(l->session_len, 0);
	assert_string_equal(l->server, "drac");
	assert_true(l->time > 0);
	assert_true(addr_parse("203.0.113.7", 11, &want));
	assert_true(addr_equal(&l->addr, &want));
	w->kind->stored(w->source, w->tokens[0], SOURCE_STORED, JUDGE_LEASE);
	assert_int_equal(hear(w, udp, 7, false), DRAC_SUCCESS);
	/* It is answered once. */
	w->kind->stored(w->source, w->tokens[0], SOURCE_STORED, JUDGE_LEASE);
	w->kind->stored(w->source, 0, SOURCE_STORED, JUDGE_LEASE);
	w->kind->stored(w->source, UINT64_MAX, SOURCE_STORED, JUDGE_LEASE);
	assert_true(quiet(w, udp));
	(void)close(udp);
	stop(w);
}

static void test_drac_results_have_their_meaning(void **state)
{
	static const struct {
		enum source_outcome outcome;
		uint8_t judgement;
		enum drac_result result;
	} rows[] = {
		{ SOURCE_STORED, JUDGE_LEASE, DRAC_SUCCESS },
		{ SOURCE_STORED, JUDGE_NONE, DRAC_SUCCESS },
		{ SOURCE_STORED, JUDGE_LEASE + 1, DRAC_SUCCESS },
		{ SOURCE_NOT_STORED, JUDGE_NONE, DRAC_SYSTEM_ERROR },
	};
	struct world *w = start(US);
	int udp = client(w, SOCK_DGRAM), tcp = client(w, SOCK_STREAM);

	(void)state;
	for (uint32_t i = 0; i < COUNT_OF(rows); i++) {
		size_t at = w->submitted;
		ask(udp, i, "203.0.113.7", false);
		wait_submitted(w, at + 1);
		ask(tcp, i + 100, "2001:db8::7", true);
		wait_submitted(w, at + 2);
		for (size_t k = at; k < at + 2; k++)
			w->kind->stored(w->source, w->tokens[k],
			    rows[i].outcome, rows[i].judgement);
		assert_int_equal(hear(w, udp, i, false), rows[i].result);
		assert_int_equal(hear(w, tcp, i + 100, true), rows[i].result);
	}
	(void)close(udp);
	(void)close(tcp);
	stop(w);
}

/* Two calls on their way, answered in the other order. */
static void test_drac_answers_go_where_they_belong(void **state)
{
	struct world *w = start(US);
	int one = client(w, SOCK_DGRAM), two = client(w, SOCK_DGRAM);

	(void)state;
	ask(one, 1, "203.0.113.1", false);
	wait_submitted(w, 1);
	ask(two, 2, "203.0.113.2", false);
	wait_submitted(w, 2);
	w->kind->stored(w->source, w->tokens[1], SOURCE_STORED, JUDGE_LEASE);
	assert_int_equal(hear(w, two, 2, false), DRAC_SUCCESS);
	assert_true(quiet(w, one));
	w->kind->stored(w->source, w->tokens[0], SOURCE_NOT_STORED, JUDGE_NONE);
	assert_int_equal(hear(w, one, 1, false), DRAC_SYSTEM_ERROR);
	(void)close(one);
	(void)close(two);
	stop(w);
}

static void test_drac_full_queue_is_a_system_error_at_once(void **state)
{
	struct world *w = start(US);
	int udp = client(w, SOCK_DGRAM);

	(void)state;
	w->full = true;
	ask(udp, 9, "203.0.113.7", false);
	assert_int_equal(hear(w, udp, 9, false), DRAC_SYSTEM_ERROR);
	w->full = false;
	ask(udp, 10, "203.0.113.7", false);
	wait_submitted(w, 1);
	w->kind->stored(w->source, w->tokens[0], SOURCE_STORED, JUDGE_LEASE);
	assert_int_equal(hear(w, udp, 10, false), DRAC_SUCCESS);
	(void)close(udp);
	stop(w);
}

static void test_drac_denies_whom_nobody_named(void **state)
{
	char file[] = "/tmp/test-drac-XXXXXX", options[100];
	struct world *w = start("allow = {\"192.0.2.0/24\"}");
	int udp = client(w, SOCK_DGRAM), tcp = client(w, SOCK_STREAM);
	int fd;

	(void)state;
	ask(udp, 1, "203.0.113.66", false);
	assert_int_equal(hear(w, udp, 1, false), DRAC_DENIED);
	turn(w);
	ask(tcp, 2, "203.0.113.66", true);
	assert_int_equal(hear(w, tcp, 2, true), DRAC_DENIED);
	/* Nothing else that he says is answered. */
	assert_int_equal(send(udp, "rubbish", 7, 0), 7);
	assert_true(quiet(w, udp));
	assert_int_equal(w->submitted, 0);
	(void)close(tcp);
	(void)close(udp);
	stop(w);
	/* Both lists count. */
	fd = mkstemp(file);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "255.0.0.0 127.0.0.0\n", 20), 20);
	(void)close(fd);
	(void)snprintf(options, sizeof(options),
	    "allow = {\"192.0.2.0/24\"} allow-file = \"%s\"", file);
	w = start(options);
	udp = client(w, SOCK_DGRAM);
	ask(udp, 3, "203.0.113.7", false);
	wait_submitted(w, 1);
	(void)close(udp);
	stop(w);
	assert_int_equal(unlink(file), 0);
}

/* The one host that may, by TCP. */
static int named_client(const struct world *w)
{
	struct sockaddr_in from = loopback(0), to = loopback(w->port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static void test_drac_strangers_take_no_place(void **state)
{
	struct world *w = start("allow = {\"127.0.0.2\"} max-connections = 4");
	int named[3], strangers[40];

	(void)state;
	named[0] = named_client(w);
	for (size_t i = 0; i < COUNT_OF(strangers); i++) {
		strangers[i] = client(w, SOCK_STREAM);
		turn(w);
	}
	ask(strangers[39], 1, "203.0.113.66", true);
	assert_int_equal(hear(w, strangers[39], 1, true), DRAC_DENIED);
	/* Some have begun a request that they do not end. */
	for (size_t i = 37; i < 39; i++)
		(void)send(strangers[i], "\0\0", 2, MSG_NOSIGNAL);
	for (size_t i = 1; i < COUNT_OF(named); i++)
		named[i] = named_client(w);
	for (uint32_t i = 0; i < COUNT_OF(named); i++) {
		ask(named[i], i, "203.0.113.7", true);
		wait_submitted(w, i + 1);
		w->kind->stored(
		    w->source, w->tokens[i], SOURCE_STORED, JUDGE_LEASE);
		assert_int_equal(hear(w, named[i], i, true), DRAC_SUCCESS);
	}
	for (size_t i = 0; i < COUNT_OF(named); i++)
		(void)close(named[i]);
	for (size_t i = 0; i < COUNT_OF(strangers); i++)
		(void)close(strangers[i]);
	stop(w);
}

static void test_drac_limits_the_calls_of_one_second(void **state)
{
	struct world *w = start(US " rate = 2");
	int udp = client(w, SOCK_DGRAM);
	size_t errors = 0;

	(void)state;
	/* Six within one or two seconds. */
	for (uint32_t i = 0; i < 6; i++)
		ask(udp, i, "203.0.113.7", false);
	for (uint32_t i = 0; i < 6; i++) {
		size_t had = w->submitted;
		for (int t = 0; t < 50 && w->submitted == had; t++)
			turn(w);
	}
	for (size_t i = 0; i < 6; i++) {
		uint8_t bytes[DRAC_REPLY_MAX];
		errors += recv(udp, bytes, sizeof(bytes), 0) == 28 &&
			  bytes[27] == DRAC_SYSTEM_ERROR;
	}
	assert_true(w->submitted >= 2 && w->submitted <= 4);
	assert_int_equal(errors + w->submitted, 6);
	(void)close(udp);
	stop(w);
}

/* --- configuration ---------------------------------------------------------
 */

static void refuses(const char *options, const char *why)
{
	struct world w = { 0 };
	struct err err = { 0 };
	struct conf *conf = read_conf(&w, options, &err);

	if (conf)
		assert_int_equal(w.kind->sockets(conf_at(conf, "source", 0),
				     w.fds, SOURCE_FDS_MAX, &err),
		    -1);
	assert_int_equal(err.code, EXIT_USER);
	if (!strstr(err.text, why))
		fail_msg("%s: \"%s\", expected \"%s\"", options, err.text, why);
	if (conf)
		conf_free(&conf);
}

static void test_drac_refuses_to_listen_to_anybody(void **state)
{
	(void)state;
	refuses("", "listen");
	refuses("allow = {\"127.0.0.1\"}", "listen");
	refuses("listen = {\"udp:127.0.0.1:10901\"}", "allow-file");
	refuses("listen = {\"udp:127.0.0.1:10901\"} allow = {}", "allow-file");
	refuses("listen = {\"udp:127.0.0.1:10901\"} "
		"allow-file = \"/nonexistent/allow\"",
	    "/nonexistent/allow");
	refuses("listen = {\"unix:/tmp/x\"} allow = {\"127.0.0.1\"}", "listen");
	refuses(
	    "listen = {\"udp:127.0.0.1\"} allow = {\"127.0.0.1\"}", "listen");
	refuses("listen = {} allow = {\"127.0.0.1\"}", "listen");
	refuses("listen = {\"udp:127.0.0.1:10901\"} allow = {\"somebody\"}",
	    "allow");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drac_answers_after_the_commit),
		cmocka_unit_test(test_drac_results_have_their_meaning),
		cmocka_unit_test(test_drac_answers_go_where_they_belong),
		cmocka_unit_test(
		    test_drac_full_queue_is_a_system_error_at_once),
		cmocka_unit_test(test_drac_denies_whom_nobody_named),
		cmocka_unit_test(test_drac_strangers_take_no_place),
		cmocka_unit_test(test_drac_limits_the_calls_of_one_second),
		cmocka_unit_test(test_drac_refuses_to_listen_to_anybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
