/* SPDX-License-Identifier: ISC */
/*
 * test_board - the memory that all processes share: a child writes its own slot
 * and no other, whatever it tries, and all others see what it writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/board.h"

static struct board *board;
static int fd = -1;

static int setup(void **state)
{
	(void)state;
	board = board_map(sizeof(*board), &fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return close(fd) || munmap(board, sizeof(*board));
}

/* The status of a child that owns the third slot. */
static int child(void (*act)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)signal(SIGSEGV, SIG_DFL);
		board_narrow(board, &board->slots[2], fd);
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void write_own(void)
{
	board->slots[2].lines = 7;
	board_beat(&board->slots[2]);
}

static void write_other(void)
{
	board->slots[3].beat = 1;
}

static void write_first(void)
{
	board->slots[0].beat = 1;
}

static void unprotect(void)
{
	if (mprotect(&board->slots[3], BOARD_PAGE, PROT_READ | PROT_WRITE) == 0)
		board->slots[3].beat = 1;
	else
		_exit(1);
}

static void map_again(void)
{
	if (mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		0) == MAP_FAILED)
		_exit(1);
}

static void test_a_child_writes_its_own_slot(void **state)
{
	(void)state;
	assert_int_equal(child(write_own), 0);
	assert_int_equal(board->slots[2].lines, 7);
	assert_true(board->slots[2].beat > 0);
}

static void test_a_child_writes_no_other_slot(void **state)
{
	static void (*const acts[])(
	    void) = { write_other, write_first, unprotect, map_again };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(acts); i++)
		assert_int_not_equal(child(acts[i]), 0);
	assert_int_equal(board->slots[3].beat, 0);
	assert_int_equal(board->slots[0].beat, 0);
}

static void test_what_the_supervisor_writes_is_seen(void **state)
{
	(void)state;
	board->slots[5].pid = 99;
	assert_int_equal(board->slots[5].pid, 99);
	assert_int_equal(sizeof(struct board_slot) % BOARD_PAGE, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_a_child_writes_its_own_slot),
		TEST(test_a_child_writes_no_other_slot),
		TEST(test_what_the_supervisor_writes_is_seen),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
