/* SPDX-License-Identifier: ISC */
/*
 * test_stdin - the stdin source: what it refuses, what it reads, and that the
 * end of the file ends it in good order, for each child that sees it.
 */
#include "feed_world.h"

#include <sys/socket.h>

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int saved = -1; /* the test program's own */

static int setup(void **state)
{
	int bad = world_setup(state);

	world_configure(*state, "source lines { kind = \"stdin\" }");
	saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
	return bad;
}

static int teardown(void **state)
{
	must(dup2(saved, STDIN_FILENO) == STDIN_FILENO);
	must(close(saved) == 0);
	return world_teardown(state);
}

/* Puts fd in the place of standard input. */
static void become_stdin(int fd)
{
	must(fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
	must(close(fd) == 0);
}

static void expect_refused(struct feed_world *w, const char *why)
{
	struct err err = { 0 };

	assert_int_equal(world_sockets(w, &err), -1);
	assert_int_equal(err.code, EXIT_USER);
	assert_non_null(strstr(err.text, why));
}

/* Opens the source by the reading end; returns the writing one. */
static int open_pipe(struct feed_world *w)
{
	struct err err = { 0 };
	int ends[2];

	must(pipe2(ends, O_CLOEXEC) == 0);
	become_stdin(ends[0]);
	assert_int_equal(world_sockets(w, &err), INTAKE_FDS);
	return ends[1];
}

static void test_stdin_refuses_what_nobody_writes_into(void **state)
{
	struct feed_world *w = *state;
	int terminal = posix_openpt(O_RDWR | O_NOCTTY);

	become_stdin(open("/dev/null", O_RDONLY));
	expect_refused(w, "/dev/null");
	become_stdin(open("/dev/zero", O_RDONLY));
	expect_refused(w, "no pipe");
	become_stdin(open("/proc/self/status", O_RDONLY));
	expect_refused(w, "no pipe");
	must(terminal >= 0 && unlockpt(terminal) == 0);
	become_stdin(open(ptsname(terminal), O_RDWR | O_NOCTTY));
	expect_refused(w, "a terminal");
	must(close(terminal) == 0);
}

static void test_stdin_leaves_nothing_for_a_second_source(void **state)
{
	struct feed_world *w = *state;
	struct err err = { 0 };
	int writer = open_pipe(w), more[SOURCE_FDS_MAX];

	assert_int_equal(
	    w->kind->sockets(world_section(w), more, SOURCE_FDS_MAX, &err), -1);
	assert_non_null(strstr(err.text, "only one"));
	must(close(writer) == 0);
}

static void test_stdin_reads_to_the_end_of_the_file(void **state)
{
	struct feed_world *w = *state;
	int writer = open_pipe(w);

	world_start(w);
	world_write(writer, "a");
	world_wait(w, 1, false);
	assert_false(w->ended);
	world_write(writer, "b");
	must(write(writer, "half a line", 11) == 11);
	must(close(writer) == 0);
	world_wait(w, 2, true);
	assert_true(w->ended);
	EXPECT(w, "a", "b");
}

static void test_stdin_tells_its_end_to_each_child(void **state)
{
	struct feed_world *w = *state;
	int writer = open_pipe(w);

	world_write(writer, "a");
	must(close(writer) == 0);
	world_start(w);
	world_wait(w, 1, true);
	world_stop(w);
	w->ended = false;
	world_start(w);
	world_wait(w, 1, true);
	assert_true(w->ended);
	EXPECT(w, "a");
}

static void test_stdin_reads_a_socket(void **state)
{
	struct feed_world *w = *state;
	struct err err = { 0 };
	int ends[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	become_stdin(ends[0]);
	assert_int_equal(world_sockets(w, &err), INTAKE_FDS);
	world_start(w);
	world_write(ends[1], "a");
	must(close(ends[1]) == 0);
	world_wait(w, 1, true);
	EXPECT(w, "a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_stdin_refuses_what_nobody_writes_into),
		TEST(test_stdin_leaves_nothing_for_a_second_source),
		TEST(test_stdin_reads_to_the_end_of_the_file),
		TEST(test_stdin_tells_its_end_to_each_child),
		TEST(test_stdin_reads_a_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
