/* SPDX-License-Identifier: ISC */
/*
 * test_receiver_queue - a live source's logins on their way: each token hears
 * exactly once what became of it, in time, whatever the keeper does; nothing
 * that was taken is lost while there is a keeper at the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/receiver_queue.h"
#include "login/rules.h"

enum { ALL = QUEUE_LOGINS, TOKENS = 100000 };

/* What was heard, by token. */
static struct {
	unsigned calls;
	enum source_outcome outcome;
	uint8_t judgement;
	struct source_told told;
} heard[TOKENS];

/* The keeper: takes what it is sent while it has room. */
static struct {
	size_t room;
	size_t count;
	struct wire_logins *batches[1000];
	struct wire_ask asks[8192];
	size_t ask_count;
} keeper;

static struct queue *queue;
static struct queue *again; /* submits from inside a hook, when set */

static void stored(
    void *ctx, uint64_t token, enum source_outcome outcome, uint8_t judgement)
{
	const struct login login = { .kind = LOGIN_IN };

	assert_ptr_equal(ctx, heard);
	assert_in_range(token, 1, TOKENS - 1);
	heard[token].calls++;
	heard[token].outcome = outcome;
	heard[token].judgement = judgement;
	if (again && token + 1 < TOKENS && outcome == SOURCE_STORED)
		assert_true(queue_submit(again, token + 1, &login, 0));
}

static void told(void *ctx, uint64_t token, const struct source_told *t)
{
	assert_ptr_equal(ctx, heard);
	assert_in_range(token, 1, TOKENS - 1);
	heard[token].calls++;
	heard[token].told = *t;
}

static int deliver(void *ctx, const struct wire_header *h)
{
	(void)ctx;
	if (!keeper.room)
		return -1;
	keeper.room--;
	if (h->type == WIRE_ASK) {
		memcpy(&keeper.asks[keeper.ask_count++], h,
		    sizeof(keeper.asks[0]));
		return 0;
	}
	assert_int_equal(h->type, WIRE_LOGINS);
	assert_in_range(h->count, 1, SOURCE_BATCH);
	keeper.batches[keeper.count] = xcalloc(1, sizeof(struct wire_logins));
	memcpy(keeper.batches[keeper.count++], h, wire_size(h));
	return 0;
}

static void forget(void)
{
	for (size_t i = 0; i < keeper.count; i++)
		free(keeper.batches[i]);
	memset(&keeper, 0, sizeof(keeper));
	keeper.room = SIZE_MAX;
}

static int setup(void **state)
{
	const struct queue_hooks hooks = {
		.ctx = heard, .stored = stored, .told = told
	};

	(void)state;
	memset(heard, 0, sizeof(heard));
	again = NULL;
	forget();
	queue = queue_new(&hooks);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	forget();
	queue_free(&queue);
	return 0;
}

static bool submit(uint64_t token, uint64_t now)
{
	const struct login login = { .kind = LOGIN_IN, .time = (int64_t)token };

	return queue_submit(queue, token, &login, now);
}

/* The keeper's acknowledgement of its i-th batch. */
static bool acknowledge(size_t i, uint8_t judgement)
{
	union wire_message m = {
		.stored = { .h = { .type = WIRE_STORED,
				.count = keeper.batches[i]->h.count,
				.value = keeper.batches[i]->h.value } }
	};

	memset(m.stored.judgements, judgement, sizeof(m.stored.judgements));
	return queue_receive(queue, &m);
}

static void test_logins_of_a_turn_share_a_message(void **state)
{
	(void)state;
	for (uint64_t t = 1; t <= 100; t++)
		assert_true(submit(t, 1000));
	assert_true(queue_send(queue, deliver, NULL));
	assert_int_equal(keeper.count, 2);
	assert_int_equal(keeper.batches[0]->h.count, SOURCE_BATCH);
	assert_int_equal(keeper.batches[1]->logins[35].time, 100);
	assert_true(acknowledge(0, JUDGE_LEASE));
	assert_int_equal(queue_waiting(queue), 36);
	assert_true(acknowledge(1, JUDGE_OLD));
	assert_int_equal(queue_waiting(queue), 0);
	for (uint64_t t = 1; t <= 100; t++) {
		assert_int_equal(heard[t].calls, 1);
		assert_int_equal(heard[t].outcome, SOURCE_STORED);
		assert_int_equal(
		    heard[t].judgement, t <= 64 ? JUDGE_LEASE : JUDGE_OLD);
	}
	assert_int_equal(queue_expire(queue, 5000), -1);
}

static void test_nobody_waits_longer_than_the_limit(void **state)
{
	(void)state;
	assert_true(submit(1, 1000));
	assert_true(queue_send(queue, deliver, NULL));
	assert_true(submit(2, 1100));
	assert_int_equal(queue_expire(queue, 1100), SOURCE_ANSWER_MS - 100);
	assert_int_equal(queue_expire(queue, 1000 + SOURCE_ANSWER_MS - 1), 1);
	assert_int_equal(heard[1].calls, 0);
	assert_int_equal(queue_expire(queue, 1000 + SOURCE_ANSWER_MS), 100);
	assert_int_equal(heard[1].calls, 1);
	assert_int_equal(heard[1].outcome, SOURCE_NOT_STORED);
	assert_int_equal(queue_expire(queue, 1100 + SOURCE_ANSWER_MS), -1);
	assert_int_equal(heard[2].calls, 1);
	/* Stored too late: it was told already. */
	assert_true(queue_send(queue, deliver, NULL));
	assert_true(acknowledge(0, JUDGE_LEASE));
	assert_true(acknowledge(1, JUDGE_LEASE));
	assert_int_equal(heard[1].calls, 1);
	assert_int_equal(heard[2].calls, 1);
}

static void test_a_login_behind_an_expired_one_has_its_own_time(void **state)
{
	(void)state;
	keeper.room = 0;
	for (uint64_t t = 1; t <= 50; t++) {
		uint64_t now = 1000 + 150 * t;
		assert_true(submit(t, now));
		assert_false(queue_send(queue, deliver, NULL));
		(void)queue_expire(queue, now);
		assert_int_equal(heard[t].calls, 0);
		if (t > 2)
			assert_int_equal(heard[t - 2].calls, 1);
	}
	/* A keeper that comes back gets them all the same. */
	keeper.room = 9;
	assert_true(queue_send(queue, deliver, NULL));
	assert_int_equal(keeper.batches[0]->h.count, 50);
	queue_rewind(queue);
	assert_true(submit(51, 20000));
	assert_int_equal(queue_expire(queue, 20000), SOURCE_ANSWER_MS);
	assert_int_equal(heard[51].calls, 0);
	(void)queue_expire(queue, 20000 + SOURCE_ANSWER_MS);
	assert_int_equal(heard[51].calls, 1);
}

static void test_room_is_bounded_and_comes_back(void **state)
{
	(void)state;
	keeper.room = 3;
	for (uint64_t t = 1; t <= ALL; t++) {
		assert_int_equal(queue_room(queue), ALL + 1 - t);
		assert_true(submit(t, 1));
	}
	assert_int_equal(queue_room(queue), 0);
	assert_false(submit(ALL + 1, 1));
	assert_false(queue_send(queue, deliver, NULL));
	assert_int_equal(keeper.count, 3);
	assert_false(acknowledge(1, JUDGE_LEASE)); /* out of order */
	assert_false(submit(ALL + 2, 1));
	assert_true(acknowledge(0, JUDGE_LEASE));
	assert_true(acknowledge(1, JUDGE_LEASE));
	for (uint64_t t = ALL + 3; t < ALL + 3 + 2 * SOURCE_BATCH; t++)
		assert_true(submit(t, 1));
	assert_false(submit(TOKENS - 1, 1));
	assert_int_equal(queue_waiting(queue), ALL);
	assert_int_equal(heard[ALL + 1].calls, 0);
}

static void test_the_next_keeper_gets_what_was_not_acknowledged(void **state)
{
	(void)state;
	for (uint64_t t = 1; t <= 3 * SOURCE_BATCH; t++)
		assert_true(submit(t, 1));
	assert_true(queue_send(queue, deliver, NULL));
	assert_true(acknowledge(0, JUDGE_LEASE));
	forget();
	queue_rewind(queue);
	assert_true(queue_send(queue, deliver, NULL));
	assert_int_equal(keeper.count, 2);
	assert_int_equal(keeper.batches[0]->logins[0].time, 65);
	assert_true(acknowledge(0, JUDGE_LEASE));
	assert_true(acknowledge(1, JUDGE_LEASE));
	for (uint64_t t = 1; t <= 3 * SOURCE_BATCH; t++)
		assert_int_equal(heard[t].calls, 1);
}

static void test_a_hook_may_submit(void **state)
{
	(void)state;
	again = queue;
	assert_true(submit(1, 1));
	for (size_t i = 0; i < 500; i++) {
		assert_true(queue_send(queue, deliver, NULL));
		assert_int_equal(keeper.count, i + 1);
		assert_true(acknowledge(i, JUDGE_LEASE));
	}
	again = NULL;
	assert_int_equal(heard[500].calls, 1);
	assert_int_equal(queue_waiting(queue), 1);
}

static void test_nonsense_ends_the_channel(void **state)
{
	union wire_message m = {
		.stored = { .h = { .type = WIRE_STORED, .count = 1 } }
	};

	(void)state;
	assert_false(queue_receive(queue, &m)); /* nothing is out */
	assert_true(submit(1, 1));
	assert_false(queue_receive(queue, &m)); /* not sent yet */
	assert_true(queue_send(queue, deliver, NULL));
	m.stored.h.count = 2;
	assert_false(queue_receive(queue, &m));
	m.stored.h.count = 1;
	m.stored.h.value = 1;
	assert_false(queue_receive(queue, &m));
	m.h = (struct wire_header){ .type = WIRE_OPEN };
	assert_false(queue_receive(queue, &m));
	m.h = (struct wire_header){ .type = WIRE_CURSORS_END };
	assert_true(queue_receive(queue, &m));
	assert_true(acknowledge(0, JUDGE_LEASE));
	assert_false(acknowledge(0, JUDGE_LEASE)); /* twice */
	assert_int_equal(heard[1].calls, 1);
}

static void answer(size_t i, bool leased)
{
	union wire_message m = {
		.told = { .h = { .type = WIRE_TOLD,
			      .value = keeper.asks[i].h.value },
		    .told = { .known = true, .leased = leased } }
	};

	assert_true(queue_receive(queue, &m));
}

static void test_questions(void **state)
{
	const struct addr addr = { .bytes = { [15] = 7 } };

	(void)state;
	assert_true(queue_ask(queue, 1, &addr, 1000));
	assert_true(queue_ask(queue, 2, &addr, 1000));
	assert_true(queue_send(queue, deliver, NULL));
	assert_int_equal(keeper.ask_count, 2);
	assert_memory_equal(&keeper.asks[1].addr, &addr, sizeof(addr));
	answer(1, true);
	assert_int_equal(heard[2].calls, 1);
	assert_true(heard[2].told.known && heard[2].told.leased);
	assert_int_equal(queue_expire(queue, 1000 + SOURCE_ANSWER_MS), -1);
	assert_int_equal(heard[1].calls, 1);
	assert_false(heard[1].told.known);
	answer(0, true); /* too late, and no harm */
	assert_int_equal(heard[1].calls, 1);
	/* What nobody waits for any more is not sent. */
	keeper.room = 0;
	assert_true(queue_ask(queue, 3, &addr, 2000));
	assert_false(queue_send(queue, deliver, NULL));
	(void)queue_expire(queue, 2000 + SOURCE_ANSWER_MS);
	keeper.room = 5;
	assert_true(queue_send(queue, deliver, NULL));
	assert_int_equal(keeper.ask_count, 2);
	for (uint64_t t = 0; t < QUEUE_ASKS; t++)
		assert_true(queue_ask(queue, 10 + t, &addr, 3000));
	assert_false(queue_ask(queue, 9, &addr, 3000));
	(void)queue_expire(queue, 3000 + SOURCE_ANSWER_MS);
	assert_true(queue_ask(queue, 9, &addr, 4000));
	for (uint64_t t = 0; t < QUEUE_ASKS; t++)
		assert_int_equal(heard[10 + t].calls, 1);
}

/* A keeper that dies, comes back, is slow and forgets: chosen by a fixed
 * sequence, long enough that all numbers wrap around the rings many times. */
static void test_random_keepers(void **state)
{
	uint32_t random = 1;
	uint64_t token = 0, now = 0;

	(void)state;
	for (size_t step = 0; step < 200000 && token + 1 < TOKENS; step++) {
		random = random * 1664525u + 1013904223u;
		switch (random >> 28) {
		case 0:
			forget();
			queue_rewind(queue);
			break;
		case 1:
			keeper.room = (random >> 20) & 7;
			break;
		case 2:
			now += (random >> 16) & 127;
			(void)queue_expire(queue, now);
			break;
		case 3:
		case 4:
			if (keeper.count > 900)
				forget(), queue_rewind(queue);
			keeper.room += 2;
			(void)queue_send(queue, deliver, NULL);
			break;
		case 5:
		case 6:
		case 7:
			for (size_t i = 0; i < keeper.count; i++)
				(void)acknowledge(i, JUDGE_LEASE);
			break;
		default:
			token += submit(token + 1, now);
			break;
		}
	}
	(void)queue_expire(queue, now + SOURCE_ANSWER_MS);
	for (uint64_t t = 1; t <= token; t++)
		assert_int_equal(heard[t].calls, 1);
	assert_true(token > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_logins_of_a_turn_share_a_message),
		TEST(test_nobody_waits_longer_than_the_limit),
		TEST(test_a_login_behind_an_expired_one_has_its_own_time),
		TEST(test_room_is_bounded_and_comes_back),
		TEST(test_the_next_keeper_gets_what_was_not_acknowledged),
		TEST(test_a_hook_may_submit),
		TEST(test_nonsense_ends_the_channel),
		TEST(test_questions),
		TEST(test_random_keepers),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
