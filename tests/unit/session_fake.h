/* SPDX-License-Identifier: ISC */
/*
 * session_fake - an engine that does what its statements say, on a socket of
 * the test, and a session on it. The words of a statement:
 *     ok...     an answer that comes through the socket, later
 *     now...    one that is there at once
 *     never...  none
 *     bad...    SQL_FAULT_NO_TABLE
 *     gone...   the connection breaks
 */
#ifndef TESTS_UNIT_SESSION_FAKE_H
#define TESTS_UNIT_SESSION_FAKE_H
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "sql/session.h"

enum { SEEN_SIZE = 8192, TURNS_MOST = 100000, TIMEOUT_MS = 50 };

/* What connecting does. */
enum fake_way {
	WAY_OK,
	WAY_LATER,
	WAY_REFUSED,
	WAY_LOGIN,
	WAY_HANGS,
	WAY_HOPS
};

struct sql_conn {
	int fd, peer; /* -1: never waits */
	bool connecting;
	unsigned hops;
	enum sql_fault fault;
	const char *text;
};

static struct fake {
	bool waits; /* false: fd -1 */
	enum fake_way way;
	unsigned opened, connected, closed;
	uint64_t before; /* the place's, at the last open */
	struct sql_conn *conn;
	bool told;            /* a notification is there */
	char seen[SEEN_SIZE]; /* what ran: "ok 1|ok 2|" */
} fake;

static int fake_fail(struct sql_conn *c, enum sql_fault fault, const char *text)
{
	c->fault = fault;
	c->text = text;
	return SQL_FAILED;
}

static int fake_prepare(struct err *err)
{
	(void)err;
	return 0;
}

static void fake_sockets(struct sql_conn *c)
{
	int pair[2];

	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
	    0);
	c->fd = pair[0];
	c->peer = pair[1];
}

static void fake_unplug(struct sql_conn *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	if (c->peer >= 0)
		(void)close(c->peer);
	c->fd = c->peer = -1;
}

static struct sql_conn *fake_open(
    const struct sql_place *place, struct err *err)
{
	struct sql_conn *c = xcalloc(1, sizeof(*c));

	assert_string_equal(place->password, "secret");
	if (strcmp(place->host, "bad") == 0) {
		free(c);
		(void)err_set(err, EXIT_USER, "a bad place");
		return NULL;
	}
	fake.before = place->before;
	fake.opened++;
	c->fd = c->peer = -1;
	return c;
}

static void fake_say(struct sql_conn *c)
{
	assert_int_equal(write(c->peer, "x", 1), 1);
}

static int fake_connect(struct sql_conn *c)
{
	fake.conn = c;
	fake.connected++;
	if (fake.waits)
		fake_sockets(c);
	if (fake.way == WAY_LATER)
		fake_say(c);
	switch (fake.way) {
	case WAY_REFUSED:
		return fake_fail(c, SQL_FAULT_GONE, "connection \"refused\"");
	case WAY_LOGIN:
		return fake_fail(c, SQL_FAULT_LOGIN, "wrong password");
	case WAY_LATER:
	case WAY_HANGS:
		c->connecting = true;
		return SQL_READ;
	case WAY_HOPS:
		c->connecting = true;
		return SQL_WRITE;
	case WAY_OK:
		break;
	}
	return SQL_DONE;
}

static int fake_run(struct sql_conn *c, const char *statement,
    const struct sql_value *params, size_t count)
{
	size_t at = strlen(fake.seen);

	(void)snprintf(fake.seen + at, sizeof(fake.seen) - at, "%s", statement);
	for (size_t i = 0; i < count; i++) {
		at = strlen(fake.seen);
		if (params[i].text)
			assert_int_equal(params[i].text[params[i].len], 0);
		(void)snprintf(fake.seen + at, sizeof(fake.seen) - at, ",%s",
		    params[i].text ? params[i].text : "NULL");
	}
	at = strlen(fake.seen);
	(void)snprintf(fake.seen + at, sizeof(fake.seen) - at, "|");
	if (strncmp(statement, "bad", 3) == 0)
		return fake_fail(c, SQL_FAULT_NO_TABLE, "no such table");
	if (strncmp(statement, "gone", 4) == 0)
		return fake_fail(c, SQL_FAULT_GONE, "cut");
	if (strncmp(statement, "now", 3) == 0)
		return SQL_DONE;
	if (strncmp(statement, "ok", 2) == 0)
		fake_say(c);
	return SQL_READ;
}

static int fake_step(struct sql_conn *c, int ready)
{
	char byte;

	if (c->connecting && fake.way == WAY_HOPS) {
		/* As a library that tries the next address: first the same
		 * number, then another. */
		int old = c->fd;

		assert_true(ready & SQL_WRITE);
		if (++c->hops > 2) {
			c->connecting = false;
			return SQL_DONE;
		}
		fake_unplug(c);
		fake_sockets(c);
		if (c->hops == 2) {
			int other = fcntl(c->fd, F_DUPFD_CLOEXEC, old + 20);

			(void)close(c->fd);
			c->fd = other;
		} else
			assert_int_equal(c->fd, old);
		return SQL_WRITE;
	}
	assert_true(ready & SQL_READ);
	c->connecting = false;
	if (read(c->fd, &byte, 1) != 1)
		return fake_fail(c, SQL_FAULT_GONE, "end of file");
	return SQL_DONE;
}

static int fake_fd(const struct sql_conn *c)
{
	return c->fd;
}

static size_t fake_one(const struct sql_conn *c)
{
	(void)c;
	return 1;
}

static struct sql_value fake_value(
    const struct sql_conn *c, size_t row, size_t column)
{
	(void)c;
	assert_int_equal(row + column, 0);
	return (struct sql_value){ "v", 1 };
}

static int64_t fake_affected(const struct sql_conn *c)
{
	(void)c;
	return 7;
}

static enum sql_fault fake_fault(const struct sql_conn *c, const char **text_r)
{
	*text_r = c->text;
	return c->fault;
}

static bool fake_notified(struct sql_conn *c, bool *gone_r)
{
	bool told = fake.told;
	char byte;

	fake.told = false;
	*gone_r = c->fd >= 0 && read(c->fd, &byte, 1) == 0;
	if (*gone_r)
		(void)fake_fail(c, SQL_FAULT_GONE, "shut down");
	return told;
}

static uint64_t fake_number(const struct sql_conn *c)
{
	return c->connecting ? 0 : 4711;
}

static void fake_close(struct sql_conn **cp)
{
	struct sql_conn *c = *cp;

	*cp = NULL;
	fake.closed++;
	fake.conn = NULL;
	fake_unplug(c);
	free(c);
}

static const struct sql_engine fake_engine = { .id = SQL_POSTGRESQL,
	.prepare = fake_prepare,
	.open = fake_open,
	.connect = fake_connect,
	.run = fake_run,
	.step = fake_step,
	.fd = fake_fd,
	.rows = fake_one,
	.columns = fake_one,
	.value = fake_value,
	.affected = fake_affected,
	.fault = fake_fault,
	.notified = fake_notified,
	.number = fake_number,
	.close = fake_close };

/* --- a session on it --- */

struct world {
	uv_loop_t loop;
	uv_timer_t pulse; /* so that no turn waits for ever */
	struct sql_session *session;
	struct sql_place place;
	char seen[SEEN_SIZE]; /* answers: "a:0 b:1:text|" */
	unsigned answers, hooks, notified;
	const char *hook; /* a statement the hook queues */
	const char *next; /* one that the next callback queues */
	bool close;       /* what the next callback does */
	bool close_hook, close_notified;
	int log, stderr_was;
};

static struct world world;

static void on_done(void *ctx, const struct sql_result *r)
{
	size_t at = strlen(world.seen);

	world.answers++;
	(void)snprintf(world.seen + at, sizeof(world.seen) - at, "%s:%d%s%s|",
	    (const char *)ctx, (int)r->fault, *r->text ? ":" : "", r->text);
	if (r->fault == SQL_FAULT_NONE) {
		assert_int_equal(r->rows, 1);
		assert_int_equal(r->affected, 7);
		assert_string_equal(sql_result_value(r, 0, 0).text, "v");
	}
	if (world.next) {
		const char *next = world.next;

		world.next = NULL;
		sql_session_run(
		    world.session, next, NULL, 0, on_done, (char *)"next");
	}
	if (world.close)
		sql_session_close(&world.session);
}

static void on_connected(void *ctx)
{
	struct world *w = ctx;

	w->hooks++;
	if (w->hook)
		sql_session_run(
		    w->session, w->hook, NULL, 0, on_done, (char *)"hook");
	if (w->close_hook)
		sql_session_close(&w->session);
}

static void on_notified(void *ctx)
{
	struct world *w = ctx;

	w->notified++;
	if (w->close_notified)
		sql_session_close(&w->session);
}

static const struct sql_session_env world_env = { "export", "pg", TIMEOUT_MS,
	on_connected, on_notified, &world };

static void on_pulse(uv_timer_t *pulse)
{
	(void)pulse;
}

static int world_start(void **state)
{
	struct err err = { 0 };
	char password[] = "secret";

	(void)state;
	memset(&fake, 0, sizeof(fake));
	memset(&world, 0, sizeof(world));
	fake.waits = true;
	assert_int_equal(uv_loop_init(&world.loop), 0);
	(void)uv_timer_init(&world.loop, &world.pulse);
	(void)uv_timer_start(&world.pulse, on_pulse, 1, 1);
	uv_unref((uv_handle_t *)&world.pulse);
	world.place = (struct sql_place){ .host = "192.0.2.1",
		.database = "d",
		.user = "u",
		.password = password,
		.ca = "" };
	world.session =
	    sql_session_new(&world_env, &fake_engine, &world.place, &err);
	assert_non_null(world.session);
	/* Both were copied. */
	memset(password, 'x', sizeof(password));
	log_open(LOG_TO_STDERR, LOG_LEVEL_DEBUG, "test");
	world.log = memfd_create("log", MFD_CLOEXEC);
	world.stderr_was = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(dup2(world.log, STDERR_FILENO), STDERR_FILENO);
	return 0;
}

/* Everything was released, each connection closed. */
static int world_stop(void **state)
{
	(void)state;
	sql_session_close(&world.session);
	uv_close((uv_handle_t *)&world.pulse, NULL);
	(void)uv_run(&world.loop, UV_RUN_DEFAULT);
	(void)dup2(world.stderr_was, STDERR_FILENO);
	(void)close(world.stderr_was);
	(void)close(world.log);
	assert_int_equal(uv_loop_close(&world.loop), 0);
	assert_int_equal(fake.opened, fake.closed);
	return 0;
}

static void run_one(const char *statement, const char *name)
{
	sql_session_run(world.session, statement, NULL, 0, on_done,
	    (void *)(uintptr_t)name);
}

/* Turns the loop until that many answers came. */
static void answers(unsigned count)
{
	for (int i = 0; i < TURNS_MOST && world.answers < count; i++)
		(void)uv_run(&world.loop, UV_RUN_ONCE);
	assert_int_equal(world.answers, count);
}

static void connections(unsigned count)
{
	for (int i = 0; i < TURNS_MOST && fake.connected < count; i++)
		(void)uv_run(&world.loop, UV_RUN_ONCE);
	assert_int_equal(fake.connected, count);
}

static void hooks(unsigned count)
{
	for (int i = 0; i < TURNS_MOST && world.hooks < count; i++)
		(void)uv_run(&world.loop, UV_RUN_ONCE);
	assert_int_equal(world.hooks, count);
}

/* How often a word stands in the log. */
static unsigned logged(const char *word)
{
	static char text[SEEN_SIZE];
	ssize_t n = pread(world.log, text, sizeof(text) - 1, 0);
	unsigned count = 0;

	assert_true(n >= 0);
	text[n] = '\0';
	for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
		count++;
	return count;
}

static void goes_on_well(const char *name)
{
	unsigned count = world.answers + 1;

	run_one("ok well", name);
	answers(count);
	assert_true(sql_session_is_connected(world.session));
	assert_non_null(strstr(fake.seen, "ok well|"));
}
#endif
