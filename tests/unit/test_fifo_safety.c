/* SPDX-License-Identifier: ISC */
/*
 * test_fifo_safety - who reads a pipe is seen from outside: by the number of
 * bytes, by what comes next, by the time of access; nobody who reads is robbed.
 * With made-up samples first, then with a real pipe.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/fifo_stall.h"
#include "source/pipe_size.h"

enum { SIZE = 1000, HIGH = 500, LOW = 250, PATIENCE = 8, NEVER = 100 };

static struct stall_sample sample(size_t waiting, const char *head)
{
	struct stall_sample s = { .waiting = waiting, .read_at = 1 };

	s.head_len = strlen(head);
	memcpy(s.head, head, s.head_len);
	return s;
}

static struct stall made(void)
{
	struct stall s;

	stall_init(&s, SIZE, 50, PATIENCE);
	return s;
}

/* Judges the same sample until something is to be taken; after which look. */
static unsigned patience_of(struct stall *s, const struct stall_sample *now)
{
	unsigned looks = 1;

	while (stall_judge(s, now) == 0 && looks < NEVER)
		looks++;
	return looks;
}

static void test_fifo_safety_takes_after_patience_what_is_too_much(void **state)
{
	struct stall s = made();
	struct stall_sample much = sample(HIGH + 1, "abc");

	(void)state;
	assert_int_equal(patience_of(&s, &much), PATIENCE);
	assert_true(s.alone);
	assert_int_equal(stall_judge(&s, &much), HIGH + 1 - LOW);
}

static void test_fifo_safety_leaves_what_is_not_too_much(void **state)
{
	struct stall s = made();
	struct stall_sample some = sample(HIGH, "abc");

	(void)state;
	assert_int_equal(patience_of(&s, &some), NEVER);
	assert_false(s.alone);
}

/* Lines of half a page and more fill it with half the bytes. */
static void test_fifo_safety_takes_from_a_full_one_of_few_bytes(void **state)
{
	struct stall s = made();
	struct stall_sample full = sample(LOW - 10, "abc");

	(void)state;
	full.full = true;
	assert_int_equal(patience_of(&s, &full), PATIENCE);
	assert_int_equal(stall_judge(&s, &full), LOW - 10);
}

static void test_fifo_safety_waits_from_the_moment_of_too_much(void **state)
{
	struct stall s = made();
	struct stall_sample some = sample(10, "abc");
	struct stall_sample much = sample(SIZE, "abc");

	(void)state;
	assert_int_equal(stall_judge(&s, &some), 0);
	assert_int_equal(patience_of(&s, &much), PATIENCE);
}

/* Each trace alone, always just before the patience ends. */
static void test_fifo_safety_sees_each_trace_of_a_reader(void **state)
{
	struct stall s = made();
	struct stall_sample now = sample(HIGH + 100, "abc");

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		if (i % 6 == 5) {
			now.head[0] ^= i % 3 == 0;
			now.waiting -= i % 3 == 1;
			now.read_at += i % 3 == 2;
			now.head[1] ^= i % 18 == 5;
		}
		assert_int_equal(stall_judge(&s, &now), 0);
	}
	assert_false(s.alone);
}

static void test_fifo_safety_takes_growth_for_no_reader(void **state)
{
	struct stall s = made();
	struct stall_sample now = sample(HIGH + 1, "a");
	unsigned looks = 1;

	(void)state;
	while (stall_judge(&s, &now) == 0) {
		looks++;
		now.waiting++;
		now.head_len++; /* zeros, behind what was there */
	}
	assert_int_equal(looks, PATIENCE);
}

static void test_fifo_safety_drains_on_until_a_reader_is_seen(void **state)
{
	struct stall s = made();
	struct stall_sample much = sample(SIZE, "abc"), left;

	(void)state;
	(void)patience_of(&s, &much);
	/* Its own taking is no reader's. */
	left = sample(LOW, "def");
	left.read_at = 2;
	stall_took(&s, &left);
	assert_int_equal(stall_judge(&s, &left), 0);
	assert_true(s.alone);
	left.waiting = SIZE;
	assert_int_equal(stall_judge(&s, &left), SIZE - LOW);
	stall_took(&s, &left);
	/* Somebody else's is. */
	left.read_at = 3;
	assert_int_equal(stall_judge(&s, &left), 0);
	assert_false(s.alone);
	assert_int_equal(patience_of(&s, &left), PATIENCE);
}

/* --- a real pipe --- */

struct pipe {
	char path[64];
	int fd, peek[2];
	struct stall_sample at;
};

static int setup(void **state)
{
	struct pipe *p = xcalloc(1, sizeof(*p));

	(void)snprintf(
	    p->path, sizeof(p->path), "/tmp/relaypass-fifo-%d", (int)getpid());
	must(mkfifo(p->path, 0600) == 0);
	p->fd = open(p->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	must(p->fd >= 0 && pipe2(p->peek, O_NONBLOCK | O_CLOEXEC) == 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pipe *p = *state;

	must(close(p->fd) == 0 && close(p->peek[0]) == 0);
	must(close(p->peek[1]) == 0 && unlink(p->path) == 0);
	free(p);
	return 0;
}

static void put(struct pipe *p, const char *text)
{
	must(write(p->fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void test_fifo_safety_looks_without_taking(void **state)
{
	struct pipe *p = *state;
	char back[16];

	put(p, "one\ntwo\n");
	for (unsigned i = 0; i < 3; i++) {
		assert_true(stall_sample(p->fd, p->peek, &p->at));
		assert_int_equal(p->at.waiting, 8);
		assert_false(p->at.full);
		assert_int_equal(p->at.head_len, 8);
		assert_memory_equal(p->at.head, "one\ntwo\n", 8);
	}
	assert_int_equal(read(p->fd, back, sizeof(back)), 8);
	assert_memory_equal(back, "one\ntwo\n", 8);
	assert_true(stall_sample(p->fd, p->peek, &p->at));
	assert_int_equal(p->at.waiting, 0);
	assert_int_equal(p->at.head_len, 0);
}

static void test_fifo_safety_sees_that_a_writer_would_wait(void **state)
{
	struct pipe *p = *state;
	char line[2500];
	size_t written = 0;

	memset(line, 'x', sizeof(line));
	while (write(p->fd, line, sizeof(line)) > 0)
		written += sizeof(line);
	assert_true(stall_sample(p->fd, p->peek, &p->at));
	assert_true(p->at.full);
	/* Full of not much more than half of what it could hold. */
	assert_true(p->at.waiting < (size_t)fcntl(p->fd, F_GETPIPE_SZ) * 2 / 3);
	assert_true(p->at.waiting >= written);
}

/* Lines that are all different: the bytes tell, whatever the clock does. */
static void test_fifo_safety_sees_a_reader_behind_a_busy_writer(void **state)
{
	struct pipe *p = *state;
	struct stall s;
	char line[128];
	unsigned n = 0;

	stall_init(&s, (size_t)pipe_size_widen(p->fd), 50, PATIENCE);
	for (unsigned look = 0; look < 200; look++) {
		for (;;) {
			int len = snprintf(
			    line, sizeof(line), "line %u of a busy log\n", n);
			if (write(p->fd, line, (size_t)len) < 0)
				break;
			n++;
		}
		assert_true(stall_sample(p->fd, p->peek, &p->at));
		assert_true(p->at.full);
		p->at.read_at = 0; /* as on a file system without it */
		assert_int_equal(stall_judge(&s, &p->at), 0);
		/* A slow one: a page every six looks. */
		if (look % 6 == 0) {
			char page[4096];
			assert_true(read(p->fd, page, sizeof(page)) > 0);
		}
	}
}

static void test_fifo_safety_takes_no_descriptor_for_a_pipe(void **state)
{
	struct pipe *p = *state;

	assert_false(stall_sample(-1, p->peek, &p->at));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_fifo_safety_takes_after_patience_what_is_too_much),
		cmocka_unit_test(test_fifo_safety_leaves_what_is_not_too_much),
		cmocka_unit_test(
		    test_fifo_safety_takes_from_a_full_one_of_few_bytes),
		cmocka_unit_test(
		    test_fifo_safety_waits_from_the_moment_of_too_much),
		cmocka_unit_test(test_fifo_safety_sees_each_trace_of_a_reader),
		cmocka_unit_test(test_fifo_safety_takes_growth_for_no_reader),
		cmocka_unit_test(
		    test_fifo_safety_drains_on_until_a_reader_is_seen),
		cmocka_unit_test_setup_teardown(
		    test_fifo_safety_looks_without_taking, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_fifo_safety_sees_that_a_writer_would_wait, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_fifo_safety_sees_a_reader_behind_a_busy_writer, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_fifo_safety_takes_no_descriptor_for_a_pipe, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
