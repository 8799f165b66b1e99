/* SPDX-License-Identifier: ISC */
/*
 * test_redis_line - one connection: who waits for a reply hears of its end, and
 * a server that does not answer is given up, on a loop with a module that the
 * test plays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "redis/line.h"

enum { LIMIT_MS = 30, COMMANDS_MAX = 4 };

/* The module, with the commands that it was given. */
static struct {
	size_t asked, answered;
	bool open;
	struct {
		redis_reply_fn *fn;
		void *ctx;
	} commands[COMMANDS_MAX];
} module;

static struct redis_conn *fake_connect(uv_loop_t *loop, const char *host,
    uint16_t port, const char *ca, void (*up)(void *ctx),
    void (*down)(void *ctx, const char *why), void *ctx, struct err *err)
{
	(void)loop;
	(void)host;
	(void)port;
	(void)ca;
	(void)up;
	(void)down;
	(void)ctx;
	(void)err;
	memset(&module, 0, sizeof(module));
	module.open = true;
	return (struct redis_conn *)&module;
}

static void fake_command(struct redis_conn *c, size_t argc,
    const char *const *argv, const size_t *lens, redis_reply_fn *fn, void *ctx)
{
	(void)c;
	(void)argc;
	(void)argv;
	(void)lens;
	must(module.asked < COMMANDS_MAX);
	module.commands[module.asked].fn = fn;
	module.commands[module.asked++].ctx = ctx;
}

static void fake_close(struct redis_conn **c)
{
	*c = NULL;
	module.open = false;
}

static const struct redis_api api = {
	.connect = fake_connect, .command = fake_command, .close = fake_close
};

static void answer(const struct redis_reply *reply)
{
	size_t i = module.answered++;

	module.commands[i].fn(module.commands[i].ctx, reply);
}

/* --- its owner ------------------------------------------------------------ */

struct owner {
	struct redis_line line;
	uv_loop_t loop;
	char seen[64]; /* one letter for each call, in order */
};

static void see(struct owner *o, char letter)
{
	size_t len = strlen(o->seen);

	must(len + 1 < sizeof(o->seen));
	o->seen[len] = letter;
}

static void on_up(void *ctx)
{
	see(ctx, 'u');
}

static void on_down(void *ctx, const char *why)
{
	assert_string_equal(why, "it does not answer");
	see(ctx, 'd');
	uv_stop(&((struct owner *)ctx)->loop);
}

static void on_heard(void *ctx, const struct redis_reply *reply)
{
	assert_non_null(reply);
	see(ctx, 'h');
}

static void on_first(void *ctx, const struct redis_reply *reply)
{
	see(ctx, reply ? '1' : 'x');
}

static void on_second(void *ctx, const struct redis_reply *reply)
{
	see(ctx, reply ? '2' : 'y');
}

/* Ends the connection when it is answered. */
static void on_last(void *ctx, const struct redis_reply *reply)
{
	struct owner *o = ctx;

	see(o, reply ? '3' : 'z');
	if (reply)
		redis_line_drop(&o->line);
}

static void put(struct owner *o, int64_t blocks, redis_reply_fn *fn)
{
	static const char *const words[] = { "PING" };
	static const size_t lens[] = { 4 };

	redis_line_put(&o->line, blocks, 1, words, lens, fn, o);
}

static int set_up(void **state)
{
	static const struct redis_endpoint server = { "192.0.2.1", 6379 };
	struct owner *o = xcalloc(1, sizeof(*o));

	must(uv_loop_init(&o->loop) == 0);
	o->line = (struct redis_line){ .api = &api,
		.timeout = LIMIT_MS,
		.up = on_up,
		.down = on_down,
		.heard = on_heard,
		.ctx = o };
	redis_line_start(&o->line, &o->loop);
	must(redis_line_connect(&o->line, &server, NULL, NULL) == 0);
	*state = o;
	return 0;
}

static int tear_down(void **state)
{
	struct owner *o = *state;

	redis_line_stop(&o->line);
	uv_close((uv_handle_t *)&o->line.timer, NULL);
	while (uv_run(&o->loop, UV_RUN_NOWAIT))
		;
	must(uv_loop_close(&o->loop) == 0);
	free(o);
	return 0;
}

/* --- tests ---------------------------------------------------------------- */

static void test_line_gives_each_its_own_reply(void **state)
{
	const struct redis_reply reply = { .type = REDIS_NIL };
	struct owner *o = *state;

	put(o, 0, on_first);
	put(o, 0, on_second);
	answer(&reply);
	answer(&reply);
	assert_string_equal(o->seen, "1h2h");
}

static void test_line_tells_who_waits_that_it_is_lost(void **state)
{
	const struct redis_reply reply = { .type = REDIS_NIL };
	struct owner *o = *state;

	put(o, 0, on_first);
	put(o, 0, on_last);
	put(o, 0, on_second);
	answer(&reply);
	/* Ends it: the next one will never be answered, and nothing is heard
	 * of the last. */
	answer(&reply);
	assert_string_equal(o->seen, "1h3y");
	assert_false(module.open);
}

static void test_line_takes_no_more_when_the_server_lost_it(void **state)
{
	struct owner *o = *state;

	put(o, 0, on_first);
	assert_false(o->line.lost);
	answer(NULL);
	assert_true(o->line.lost);
	assert_string_equal(o->seen, "x");
}

static void test_line_gives_up_who_does_not_answer(void **state)
{
	struct owner *o = *state;
	uint64_t begun = uv_hrtime();

	put(o, LIMIT_MS, on_first);
	(void)uv_run(&o->loop, UV_RUN_DEFAULT);
	assert_string_equal(o->seen, "d");
	/* Not before the server has had the time that it was given. */
	assert_true(uv_hrtime() - begun >= 2ull * LIMIT_MS * 1000000);
	redis_line_drop(&o->line);
	assert_string_equal(o->seen, "dx");
}

static void test_line_gives_up_who_cannot_be_reached(void **state)
{
	struct owner *o = *state;

	(void)uv_run(&o->loop, UV_RUN_DEFAULT);
	assert_string_equal(o->seen, "d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_line_gives_each_its_own_reply),
		TEST(test_line_tells_who_waits_that_it_is_lost),
		TEST(test_line_takes_no_more_when_the_server_lost_it),
		TEST(test_line_gives_up_who_does_not_answer),
		TEST(test_line_gives_up_who_cannot_be_reached),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
