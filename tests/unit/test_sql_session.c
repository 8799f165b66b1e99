/* SPDX-License-Identifier: ISC */
/*
 * test_sql_session - statements in their order over a connection that breaks in
 * every way; callbacks that queue, give the connection up, or close.
 */
#include "session_fake.h"

enum { NS_MS = 1000000 };

static void start(void)
{
	sql_session_start(world.session, &world.loop);
}

/* --- in good order --- */

static void test_sql_session_runs_in_order_with_copies(void **state)
{
	char text[] = "ok 1", value[] = "a'b";
	struct sql_value params[] = { { value, 3 }, { NULL, 0 }, { "", 0 } };

	(void)state;
	sql_session_run(world.session, text, params, 3, on_done, (char *)"a");
	memset(text, 'x', sizeof(text));
	memset(value, 'x', sizeof(value));
	run_one("ok 2", "b");
	assert_false(sql_session_is_connected(world.session));
	start();
	assert_int_equal(fake.connected, 0);
	assert_int_equal(world.answers, 0);
	run_one("bad", "c");
	run_one("now", "d");
	answers(4);
	assert_string_equal(fake.seen, "ok 1,a'b,NULL,|ok 2|bad|now|");
	assert_string_equal(world.seen, "a:0|b:0|c:3:no such table|d:0|");
	/* What is queued in a callback comes after what was there. */
	world.next = "ok after";
	run_one("now", "e");
	run_one("ok 4", "f");
	answers(7);
	assert_non_null(strstr(world.seen, "e:0|f:0|next:0|"));
	assert_int_equal(fake.connected, 1);
	assert_int_equal(logged("database="), 0);
}

static void test_sql_session_runs_the_hooks_statements_first(void **state)
{
	(void)state;
	world.hook = "ok hook";
	run_one("ok 1", "a");
	start();
	answers(2);
	assert_string_equal(fake.seen, "ok hook|ok 1|");
	run_one("gone", "b");
	run_one("ok 2", "c");
	answers(4);
	/* Queued between the connections. */
	run_one("ok 3", "d");
	answers(6);
	assert_string_equal(
	    world.seen, "hook:0|a:0|b:1:cut|c:1:cut|hook:0|d:0|");
	assert_int_equal(world.hooks, 2);
}

static void test_sql_session_refuses_a_value_with_a_nul(void **state)
{
	struct sql_value value = { "a\0b", 3 };

	(void)state;
	sql_session_run(world.session, "ok", &value, 1, on_done, (char *)"a");
	start();
	answers(1);
	assert_string_equal(world.seen, "a:9:a value holds a NUL byte|");
	assert_string_equal(fake.seen, "");
	goes_on_well("b");
}

/* Not deeper with each, and the loop gets its turns. */
static unsigned left, ticks;

static void on_many(void *ctx, const struct sql_result *r)
{
	assert_int_equal(r->fault, SQL_FAULT_NONE);
	fake.seen[0] = '\0';
	if (--left)
		sql_session_run(world.session, "now", NULL, 0, on_many, ctx);
	else
		world.answers++;
}

static void on_tick(uv_prepare_t *tick)
{
	(void)tick;
	ticks++;
}

static void test_sql_session_runs_engines_that_never_wait(void **state)
{
	static uv_prepare_t tick; /* until the loop has closed it */

	(void)state;
	fake.waits = false;
	left = 200000;
	ticks = 0;
	assert_int_equal(uv_prepare_init(&world.loop, &tick), 0);
	assert_int_equal(uv_prepare_start(&tick, on_tick), 0);
	start();
	sql_session_run(world.session, "now", NULL, 0, on_many, NULL);
	answers(1);
	assert_true(ticks > 1000);
	run_one("gone", "a");
	run_one("now", "b");
	answers(3);
	run_one("now", "c");
	answers(4);
	assert_string_equal(world.seen, "a:1:cut|b:1:cut|c:0|");
	assert_int_equal(fake.connected, 2);
	uv_close((uv_handle_t *)&tick, NULL);
}

static void test_sql_session_follows_the_descriptor(void **state)
{
	(void)state;
	fake.way = WAY_HOPS;
	start();
	goes_on_well("a");
	assert_int_equal(fake.connected, 1);
}

static void test_sql_session_tells_notifications(void **state)
{
	(void)state;
	start();
	hooks(1);
	fake.told = true;
	fake_say(fake.conn);
	for (int i = 0; i < TURNS_MOST && !world.notified; i++)
		(void)uv_run(&world.loop, UV_RUN_ONCE);
	assert_int_equal(world.notified, 1);
	/* One that came with an answer. */
	fake.told = true;
	goes_on_well("a");
	assert_int_equal(world.notified, 2);
}

/* --- lost --- */

static void test_sql_session_tells_all_that_none_can_be_made(void **state)
{
	(void)state;
	fake.way = WAY_REFUSED;
	run_one("ok 1", "a");
	run_one("ok 2", "b");
	start();
	answers(2);
	assert_string_equal(world.seen,
	    "a:1:connection \"refused\"|b:1:connection \"refused\"|");
	/* The next attempts: after 100, 200, 400 ms. */
	for (unsigned n = 1; n <= 3; n++) {
		uint64_t from = uv_hrtime();

		assert_int_equal(fake.connected, n);
		connections(n + 1);
		assert_true((uv_hrtime() - from) / NS_MS >= (50U << n) - 5);
	}
	fake.way = WAY_LOGIN;
	run_one("ok 3", "c");
	answers(3);
	assert_non_null(strstr(world.seen, "c:2:wrong password|"));
	assert_int_equal(logged("database=lost"), 1);
	assert_int_equal(logged("export=pg database=lost error=\"connection "
				"'refused'\" next=\"tries again\""),
	    1);
	fake.way = WAY_LATER;
	hooks(1);
	assert_int_equal(logged("export=pg database=back"), 1);
	assert_string_equal(fake.seen, "");
	goes_on_well("d");
}

static void test_sql_session_loses_all_that_are_queued(void **state)
{
	(void)state;
	start();
	run_one("ok 1", "a");
	run_one("never", "b");
	run_one("ok 2", "c");
	answers(1);
	(void)shutdown(fake.conn->peer, SHUT_RDWR);
	/* A callback's own waits for the next connection. */
	world.next = "ok next";
	answers(4);
	assert_string_equal(
	    world.seen, "a:0|b:1:end of file|c:1:end of file|next:0|");
	assert_string_equal(fake.seen, "ok 1|never|ok next|");
	assert_int_equal(logged("database=lost"), 1);
	assert_int_equal(logged("database=back"), 1);
}

static void test_sql_session_gives_a_statement_its_time(void **state)
{
	(void)state;
	start();
	run_one("never", "a");
	run_one("ok", "b");
	answers(2);
	assert_string_equal(world.seen,
	    "a:1:no answer within 50 ms|b:1:no answer within 50 ms|");
	assert_int_equal(fake.connected, 1);
	connections(2);
	/* The server is told to end the old one. */
	assert_int_equal(fake.before, 4711);
	goes_on_well("c");
	run_one("gone", "d");
	answers(4);
	connections(3);
	assert_int_equal(fake.before, 4711);
}

static void test_sql_session_gives_connecting_its_time(void **state)
{
	(void)state;
	fake.way = WAY_HANGS;
	run_one("ok", "a");
	start();
	answers(1);
	assert_string_equal(world.seen, "a:1:no answer within 50 ms|");
	fake.way = WAY_LATER;
	goes_on_well("b");
	assert_int_equal(fake.before, 0);
	assert_int_equal(logged("database=lost"), 1);
	assert_int_equal(logged("database=back"), 1);
}

static void test_sql_session_learns_of_the_end_while_idle(void **state)
{
	(void)state;
	start();
	hooks(1);
	(void)shutdown(fake.conn->peer, SHUT_RDWR);
	hooks(2);
	assert_int_equal(logged("error=\"shut down\""), 1);
	assert_int_equal(logged("database=back"), 1);
	goes_on_well("a");
}

/* --- callbacks that interfere --- */

static void closes(const char *statement)
{
	start();
	world.close = true;
	run_one(statement, "a");
	run_one("ok 2", "b");
	(void)uv_run(&world.loop, UV_RUN_DEFAULT);
	assert_null(world.session);
	assert_int_equal(world.answers, 1);
}

static void test_sql_session_closed_in_the_callback_of_an_answer(void **state)
{
	(void)state;
	closes("ok");
}

static void test_sql_session_closed_in_the_callback_of_a_fault(void **state)
{
	(void)state;
	closes("bad");
}

static void test_sql_session_closed_in_the_callback_of_a_loss(void **state)
{
	(void)state;
	closes("gone");
}

static void test_sql_session_closed_in_the_callback_of_a_limit(void **state)
{
	(void)state;
	closes("never");
}

static void test_sql_session_closed_in_the_hook(void **state)
{
	(void)state;
	world.close_hook = true;
	run_one("ok", "a");
	start();
	(void)uv_run(&world.loop, UV_RUN_DEFAULT);
	assert_null(world.session);
	assert_int_equal(world.answers, 0);
}

static void test_sql_session_closed_by_a_notification(void **state)
{
	(void)state;
	start();
	hooks(1);
	world.close_notified = fake.told = true;
	fake_say(fake.conn);
	(void)uv_run(&world.loop, UV_RUN_DEFAULT);
	assert_null(world.session);
	assert_int_equal(world.notified, 1);
}

static void test_sql_session_closed_while_it_connects(void **state)
{
	(void)state;
	fake.way = WAY_HANGS;
	run_one("ok", "a");
	start();
	connections(1);
	sql_session_close(&world.session);
	(void)uv_run(&world.loop, UV_RUN_DEFAULT);
	assert_int_equal(world.answers, 0);
}

static void test_sql_session_closed_before_its_start(void **state)
{
	(void)state;
	run_one("ok", "a");
	sql_session_close(&world.session);
	assert_null(world.session);
	sql_session_close(&world.session);
}

static void test_sql_session_refuses_a_bad_place(void **state)
{
	struct sql_place place = world.place;
	char password[] = "secret";
	struct err err = { 0 };

	(void)state;
	place.host = "bad";
	place.password = password;
	assert_null(sql_session_new(&world_env, &fake_engine, &place, &err));
	assert_int_equal(err.code, EXIT_USER);
	assert_string_equal(err.text, "a bad place");
}

#define SESSION(name)                                                          \
	cmocka_unit_test_setup_teardown(                                       \
	    test_sql_session_##name, world_start, world_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SESSION(runs_in_order_with_copies),
		SESSION(runs_the_hooks_statements_first),
		SESSION(refuses_a_value_with_a_nul),
		SESSION(runs_engines_that_never_wait),
		SESSION(follows_the_descriptor),
		SESSION(tells_notifications),
		SESSION(tells_all_that_none_can_be_made),
		SESSION(loses_all_that_are_queued),
		SESSION(gives_a_statement_its_time),
		SESSION(gives_connecting_its_time),
		SESSION(learns_of_the_end_while_idle),
		SESSION(closed_in_the_callback_of_an_answer),
		SESSION(closed_in_the_callback_of_a_fault),
		SESSION(closed_in_the_callback_of_a_loss),
		SESSION(closed_in_the_callback_of_a_limit),
		SESSION(closed_in_the_hook),
		SESSION(closed_by_a_notification),
		SESSION(closed_while_it_connects),
		SESSION(closed_before_its_start),
		SESSION(refuses_a_bad_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
