/* SPDX-License-Identifier: ISC */
/*
 * session - see the header.
 *
 * Everything that calls back runs in turn(), from the loop: a statement that is
 * queued by a callback is begun by the next round of the same loop, so that an
 * engine that never waits does not go deeper and deeper, nor keeps the loop.
 */
#include "session.h"

#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue.h"

enum {
	PAUSE_FIRST_MS = 100,
	PAUSE_MOST_MS = 2000,
	TURN_STATEMENTS = 64 /* then the loop gets its turn */
};

enum state {
	STOPPED, /* not started, or closed */
	WAITING, /* for the timer, to connect */
	CONNECTING,
	READY,
	RUNNING /* `current` */
};

struct sql_session {
	struct sql_session_env env;
	char *what, *name;
	const struct sql_engine *engine;
	struct sql_place place;
	struct sql_conn *conn;
	enum state state;
	struct sql_queue urgent; /* of the hook `connected` */
	struct sql_queue queued;
	struct sql_statement *current;
	bool hook;                /* inside of it */
	char why[SQL_WORDS_SIZE]; /* of the last loss; "": it is good */
	int64_t pause; /* before the next attempt; 0: something was answered */
	uv_loop_t *loop;
	uv_idle_t idle;   /* while there is something to do at once */
	uv_timer_t timer; /* of the state */
	uv_poll_t *poll;  /* of poll_fd; frees itself */
	int poll_fd;
	int watched; /* what for; 0: stopped */
	unsigned handles;
	bool closed;
};

/* Calls back and releases. */
static void statement_end(
    const struct sql_session *s, struct sql_statement *st, struct sql_result *r)
{
	r->engine = s->engine;
	if (!s->closed)
		st->fn(st->ctx, r);
	free(st);
}

/* --- handles --- */

static void handle_closed(struct sql_session *s)
{
	if (--s->handles == 0)
		free(s);
}

static void on_handle_closed(uv_handle_t *handle)
{
	handle_closed(handle->data);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct sql_session *s = handle->data;

	free(handle);
	handle_closed(s);
}

static void on_idle(uv_idle_t *idle);
static void on_timer(uv_timer_t *timer);
static void on_poll(uv_poll_t *poll, int status, int events);

static void arm(struct sql_session *s, int64_t ms)
{
	/* A lookup or an engine that waits has kept the loop. */
	uv_update_time(s->loop);
	(void)uv_timer_start(&s->timer, on_timer, (uint64_t)ms, 0);
}

static void forget_poll(struct sql_session *s)
{
	if (!s->poll)
		return;
	uv_close((uv_handle_t *)s->poll, on_poll_closed);
	s->poll = NULL;
	s->watched = 0;
}

/* Waits for what the engine waits for. The descriptor may be another than
 * before, even with the same number; see step(). False: it has none. */
static bool watch(struct sql_session *s, int events)
{
	int fd = s->engine->fd(s->conn);

	if (s->poll && fd != s->poll_fd)
		forget_poll(s);
	if (fd < 0)
		return false;
	if (!s->poll) {
		s->poll = xcalloc(1, sizeof(*s->poll));
		if (uv_poll_init(s->loop, s->poll, fd) != 0) {
			free(s->poll);
			s->poll = NULL;
			return false;
		}
		s->poll->data = s;
		s->poll_fd = fd;
		s->handles++;
	}
	if (s->watched == events)
		return true;
	s->watched = events;
	return uv_poll_start(s->poll,
		   ((events & SQL_READ) ? UV_READABLE : 0) |
		       ((events & SQL_WRITE) ? UV_WRITABLE : 0),
		   on_poll) == 0;
}

/* --- lost and back --- */

static void note_lost(struct sql_session *s, const char *why)
{
	char shown[SQL_WORDS_SIZE];
	bool told = *s->why;

	(void)snprintf(s->why, sizeof(s->why), "%s", why);
	if (told)
		return;
	log_warn(LOG_DATABASE,
	    "%s=%s database=lost error=\"%s\" next=\"tries again\"", s->what,
	    s->name, log_words(s->why, strlen(s->why), shown, sizeof(shown)));
}

static void note_back(struct sql_session *s)
{
	if (*s->why)
		log_info(LOG_DATABASE, "%s=%s database=back", s->what, s->name);
	s->why[0] = '\0';
}

/* Closes the connection and plans the next. All that are queued are called
 * back; what they queue anew waits for that. */
static void lose(struct sql_session *s, enum sql_fault fault, const char *text)
{
	struct sql_statement *st;
	struct sql_queue gone;
	uint64_t number = 0;

	note_lost(s, text && *text ? text : "the connection was closed");
	if (s->conn && s->engine->number)
		number = s->engine->number(s->conn);
	if (number)
		s->place.before = number;
	forget_poll(s);
	if (s->conn)
		s->engine->close(&s->conn);
	s->state = WAITING;
	arm(s, s->pause);
	s->pause = s->pause ? 2 * s->pause : PAUSE_FIRST_MS;
	if (s->pause > PAUSE_MOST_MS)
		s->pause = PAUSE_MOST_MS;

	sql_queue_init(&gone);
	if (s->current)
		sql_queue_add(&gone, s->current);
	s->current = NULL;
	sql_queue_move(&gone, &s->urgent);
	sql_queue_move(&gone, &s->queued);
	while ((st = sql_queue_take(&gone)) != NULL) {
		struct sql_result r = { .fault = fault, .text = s->why };

		statement_end(s, st, &r);
	}
}

/* --- running --- */

/* Reads what has come while nothing runs. */
static void look(struct sql_session *s)
{
	const char *text = NULL;
	bool gone = true, any = false;

	if (s->engine->notified)
		any = s->engine->notified(s->conn, &gone);
	if (gone) {
		/* Only who was asked for words has some. */
		if (s->engine->notified)
			(void)s->engine->fault(s->conn, &text);
		lose(s, SQL_FAULT_GONE, text);
	}
	if (any && !s->closed && s->env.notified)
		s->env.notified(s->env.ctx);
}

static void connected(struct sql_session *s)
{
	s->state = READY;
	s->place.before = 0;
	(void)uv_timer_stop(&s->timer);
	if (s->env.connected) {
		s->hook = true;
		s->env.connected(s->env.ctx);
		s->hook = false;
	}
	/* Else: when something was answered. */
	if (!s->closed && !s->urgent.first && !s->queued.first)
		note_back(s);
}

/* The current statement has its answer, and the connection has shown that it
 * is good. */
static void finish(struct sql_session *s, struct sql_result *r)
{
	struct sql_statement *st = s->current;

	s->current = NULL;
	s->state = READY;
	s->pause = 0;
	(void)uv_timer_stop(&s->timer);
	note_back(s);
	statement_end(s, st, r);
	/* A notification may have come with the answer. */
	if (!s->closed && s->env.notified && s->engine->notified)
		look(s);
}

static void failed(struct sql_session *s)
{
	struct sql_result r = { .text = "", .conn = s->conn };

	r.fault = s->engine->fault(s->conn, &r.text);
	if (s->state == CONNECTING || r.fault == SQL_FAULT_GONE)
		lose(s, r.fault, r.text);
	else
		finish(s, &r);
}

/* What the engine said, to the state. */
static void settle(struct sql_session *s, int said)
{
	struct sql_result r = { .text = "", .conn = s->conn };

	if (said == SQL_FAILED) {
		failed(s);
	} else if (said != SQL_DONE) {
		if (!watch(s, said))
			lose(s, SQL_FAULT_GONE, "no descriptor to wait on");
	} else if (s->state == CONNECTING) {
		connected(s);
	} else {
		r.rows = s->engine->rows(s->conn);
		r.columns = s->engine->columns(s->conn);
		r.affected = s->engine->affected(s->conn);
		finish(s, &r);
	}
}

static void connect_now(struct sql_session *s)
{
	struct err err = { 0 };
	int said;

	s->state = CONNECTING;
	s->conn = s->engine->open(&s->place, &err);
	if (!s->conn) {
		lose(s, SQL_FAULT_OTHER, err.text);
		return;
	}
	said = s->engine->connect(s->conn);
	/* Not before: looking the name up has a limit of its own. */
	arm(s, s->env.timeout);
	settle(s, said);
}

static void begin(struct sql_session *s, struct sql_statement *st)
{
	struct sql_result odd = { .fault = SQL_FAULT_OTHER,
		.text = "a value holds a NUL byte" };

	if (st->odd) {
		statement_end(s, st, &odd);
		return;
	}
	s->current = st;
	s->state = RUNNING;
	arm(s, s->env.timeout);
	settle(s, s->engine->run(s->conn, st->text, st->params, st->count));
}

/* While connecting, the engine may close its descriptor and open another,
 * which gets the same number: the loop must not know the old one then. */
static void step(struct sql_session *s, int ready)
{
	if (s->poll && s->state == CONNECTING) {
		(void)uv_poll_stop(s->poll);
		s->watched = 0;
	}
	settle(s, s->engine->step(s->conn, ready));
}

/* Does what can be done now; the idle handle goes on if there is more. */
static void turn(struct sql_session *s)
{
	struct sql_statement *st = NULL;
	int i;

	for (i = 0; i < TURN_STATEMENTS && !s->closed; i++) {
		if (s->state != READY)
			break;
		st = sql_queue_take(&s->urgent);
		if (!st)
			st = sql_queue_take(&s->queued);
		if (!st)
			break;
		begin(s, st);
	}
	if (s->closed)
		return;
	/* To learn of the end, and of notifications. */
	if (s->state == READY && s->engine->fd(s->conn) >= 0)
		(void)watch(s, SQL_READ);
	if (i < TURN_STATEMENTS)
		(void)uv_idle_stop(&s->idle);
	else
		(void)uv_idle_start(&s->idle, on_idle);
}

static void on_idle(uv_idle_t *idle)
{
	turn(idle->data);
}

static void on_timer(uv_timer_t *timer)
{
	struct sql_session *s = timer->data;
	char text[SQL_WORDS_SIZE];

	(void)snprintf(text, sizeof(text), "no answer within %" PRId64 " ms",
	    s->env.timeout);
	if (s->state == WAITING)
		connect_now(s);
	else if (s->state == CONNECTING || s->state == RUNNING)
		lose(s, SQL_FAULT_GONE, text);
	if (!s->closed)
		turn(s);
}

/* A failed poll has stopped itself; the engine finds out why. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct sql_session *s = poll->data;
	int ready = ((events & UV_READABLE) ? SQL_READ : 0) |
		    ((events & UV_WRITABLE) ? SQL_WRITE : 0);

	if (status < 0) {
		ready = SQL_READ | SQL_WRITE;
		s->watched = 0;
	}
	if (s->state == READY)
		look(s);
	else if (s->state == CONNECTING || s->state == RUNNING)
		step(s, ready);
	if (!s->closed)
		turn(s);
}

/* --- the header's --- */

static void free_text(const char *text)
{
	free((void *)(uintptr_t)text);
}

static void free_place(struct sql_place *place)
{
	if (place->password)
		explicit_bzero((void *)(uintptr_t)place->password,
		    strlen(place->password));
	free_text(place->host);
	free_text(place->database);
	free_text(place->user);
	free_text(place->password);
	free_text(place->ca);
}

static void copy_place(struct sql_place *out, const struct sql_place *place)
{
	*out = *place;
	out->host = xstrdup(place->host ? place->host : "");
	out->database = xstrdup(place->database ? place->database : "");
	out->user = xstrdup(place->user ? place->user : "");
	out->password = xstrdup(place->password ? place->password : "");
	out->ca = xstrdup(place->ca ? place->ca : "");
}

/* The library looks the name up again, with no way to load what that needs. */
static void look_up(const struct sql_place *place)
{
	static const struct addrinfo hint = { .ai_socktype = SOCK_STREAM };
	const char *host = place->host;
	struct addrinfo *found = NULL;
	struct addr addr;

	if (!*host || *host == '/' || addr_parse(host, strlen(host), &addr))
		return;
	if (getaddrinfo(host, NULL, &hint, &found) == 0)
		freeaddrinfo(found);
}

struct sql_session *sql_session_new(const struct sql_session_env *env,
    const struct sql_engine *engine, const struct sql_place *place,
    struct err *err)
{
	struct sql_session *s = xcalloc(1, sizeof(*s));
	struct sql_conn *trial;

	s->env = *env;
	s->what = xstrdup(env->what);
	s->name = xstrdup(env->name);
	s->engine = engine;
	copy_place(&s->place, place);
	s->place.timeout = env->timeout;
	sql_queue_init(&s->urgent);
	sql_queue_init(&s->queued);
	trial = engine->open(&s->place, err);
	if (!trial) {
		sql_session_close(&s);
		return NULL;
	}
	engine->close(&trial);
	if (engine->id != SQL_SQLITE)
		look_up(&s->place);
	return s;
}

void sql_session_start(struct sql_session *s, uv_loop_t *loop)
{
	must(s->state == STOPPED);
	s->loop = loop;
	(void)uv_idle_init(loop, &s->idle);
	(void)uv_timer_init(loop, &s->timer);
	s->idle.data = s->timer.data = s;
	s->handles = 2;
	s->state = WAITING;
	s->pause = PAUSE_FIRST_MS; /* of the second attempt */
	arm(s, 0);
}

bool sql_session_is_connected(const struct sql_session *s)
{
	return s->state == READY || s->state == RUNNING;
}

const char *sql_session_trouble(const struct sql_session *s)
{
	return *s->why ? s->why : NULL;
}

void sql_session_run(struct sql_session *s, const char *statement,
    const struct sql_value *params, size_t count, sql_done_fn *fn, void *ctx)
{
	struct sql_statement *st = sql_statement_new(statement, params, count);

	st->fn = fn;
	st->ctx = ctx;
	sql_queue_add(s->hook ? &s->urgent : &s->queued, st);
	if (s->state == READY)
		(void)uv_idle_start(&s->idle, on_idle);
}

void sql_session_close(struct sql_session **sp)
{
	struct sql_session *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	s->closed = true;
	sql_queue_drop(&s->urgent);
	sql_queue_drop(&s->queued);
	free(s->current);
	s->current = NULL;
	if (s->conn) {
		forget_poll(s);
		s->engine->close(&s->conn);
	}
	free_place(&s->place);
	free(s->what);
	free(s->name);
	if (s->state == STOPPED) {
		free(s);
		return;
	}
	s->state = STOPPED;
	uv_close((uv_handle_t *)&s->idle, on_handle_closed);
	uv_close((uv_handle_t *)&s->timer, on_handle_closed);
}
