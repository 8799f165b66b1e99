/* SPDX-License-Identifier: ISC */
/*
 * sql_reader - see the header.
 */
#include "sql_reader.h"

#include "base/mem.h"
#include "sql_login.h"

enum { TICK_MS = 1000 };

static const char *const whose[] = { [SQL_POSTGRESQL] = "PostgreSQL's",
	[SQL_MARIADB] = "MariaDB's",
	[SQL_SQLITE] = "SQLite's" };

/* --- turns -----------------------------------------------------------------
 */

static void on_tick(uv_timer_t *timer)
{
	const struct sql_reader *r = timer->data;

	r->env.second(r->env.ctx);
}

static void on_soon(uv_timer_t *timer)
{
	const struct sql_reader *r = timer->data;

	r->env.notified(r->env.ctx);
}

static void on_notified(void *ctx)
{
	struct sql_reader *r = ctx;

	if (!r->stopped && !uv_is_active((uv_handle_t *)&r->soon))
		(void)uv_timer_start(
		    &r->soon, on_soon, (uint64_t)r->env.soon, 0);
}

static void on_connected(void *ctx)
{
	const struct sql_reader *r = ctx;

	r->env.connected(r->env.ctx);
}

int sql_reader_open(
    struct sql_reader *r, const struct sql_reader_env *env, struct err *err)
{
	const char *name = env->source->name;
	const struct sql_session_env session = { .what = "source",
		.name = name,
		.timeout = conf_number(env->conf, "timeout"),
		.connected = on_connected,
		.notified = env->listens ? on_notified : NULL,
		.ctx = r };

	r->env = *env;
	r->skew.max = env->source->max_skew;
	trouble_init(&r->table, LOG_SOURCE_ERROR, LOG_SOURCE_OPEN, "source",
	    name, "table", env->table);
	trouble_init(&r->clock, LOG_SOURCE_ERROR, LOG_SOURCE_OPEN, "source",
	    name, "clock", "database");
	if (sql_place_read(env->conf, &r->place, err) < 0 ||
	    !(r->engine = sql_engine_load(env->engine, err)) ||
	    !(r->session =
		    sql_session_new(&session, r->engine, &r->place, err)))
		return -1;
	return 0;
}

void sql_reader_start(struct sql_reader *r, uv_loop_t *loop)
{
	/* The password lies in one place from here on. */
	sql_place_free(&r->place);
	r->loop = loop;
	r->handles = 2;
	must(uv_timer_init(loop, &r->tick) == 0);
	must(uv_timer_init(loop, &r->soon) == 0);
	r->tick.data = r->soon.data = r;
	(void)uv_timer_start(&r->tick, on_tick, TICK_MS, TICK_MS);
	sql_session_start(r->session, loop);
}

static void on_closed(uv_handle_t *handle)
{
	struct sql_reader *r = handle->data;

	if (--r->handles == 0 && r->unwanted)
		r->env.release(r->env.ctx);
}

void sql_reader_stop(struct sql_reader *r)
{
	r->stopped = true;
	sql_session_close(&r->session);
	sql_place_free(&r->place);
	if (r->handles == 0 || uv_is_closing((uv_handle_t *)&r->tick))
		return;
	uv_close((uv_handle_t *)&r->tick, on_closed);
	uv_close((uv_handle_t *)&r->soon, on_closed);
}

void sql_reader_close(struct sql_reader *r)
{
	uv_loop_t *loop = r->loop;

	sql_reader_stop(r);
	r->unwanted = true;
	if (r->handles == 0)
		r->env.release(r->env.ctx);
	else
		(void)uv_run(loop, UV_RUN_NOWAIT);
}

/* --- what is wrong ---------------------------------------------------------
 */

bool sql_reader_is_good(struct sql_reader *r, const struct sql_result *result)
{
	if (result->fault == SQL_FAULT_NONE)
		return !r->stopped;
	if (result->fault != SQL_FAULT_GONE && result->fault != SQL_FAULT_LOGIN)
		trouble_tell(&r->table, result->text);
	return false;
}

void sql_reader_rests(struct sql_reader *r)
{
	trouble_over(&r->table);
}

void sql_reader_ask_time(struct sql_reader *r, sql_done_fn *fn)
{
	r->asked = clock_now();
	sql_session_run(
	    r->session, sql_login_now(r->env.engine), NULL, 0, fn, r->env.ctx);
}

void sql_reader_time(struct sql_reader *r, int64_t there)
{
	const char *text = skew_look(
	    &r->skew, whose[r->env.engine], there, r->asked, clock_now());

	if (text)
		trouble_tell(&r->clock, text);
	else
		trouble_over(&r->clock);
}

void sql_reader_step(
    struct sql_reader *r, bool in_step, uint64_t behind, const char *refused)
{
	const struct source_env *env = r->env.source;
	const char *text = sql_session_trouble(r->session);

	if (!text)
		text = trouble_text(&r->table);
	if (!text)
		text = trouble_text(&r->clock);
	env->step(env->step_ctx, in_step, behind, text ? text : refused);
}
