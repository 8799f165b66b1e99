/* SPDX-License-Identifier: ISC */
/*
 * test_fifo - the fifo source with a real pipe: which ones it refuses, and that
 * a child that ends anywhere leaves the next one no half line to believe.
 */
#include "feed_world.h"

#include <grp.h>
#include <signal.h>
#include <sys/wait.h>

#include "source/pipe_size.h"

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

static void configure(struct feed_world *w, const char *more)
{
	char text[500];

	(void)snprintf(text, sizeof(text),
	    "source lines { kind = \"fifo\" path = \"%s\" %s }",
	    world_path(w, "fifo"), more);
	world_configure(w, text);
}

static void make(struct feed_world *w, mode_t mode)
{
	must(mkfifo(world_path(w, "fifo"), 0600) == 0);
	must(chmod(world_path(w, "fifo"), mode) == 0);
}

static void open_all(struct feed_world *w)
{
	struct err err = { 0 };

	if (world_sockets(w, &err) < 0)
		print_error("%s\n", err.text);
	assert_int_equal(w->env.fd_count, INTAKE_FDS);
}

static void expect_refused(struct feed_world *w, const char *why)
{
	struct err err = { 0 };

	assert_int_equal(world_sockets(w, &err), -1);
	assert_int_equal(err.code, EXIT_USER);
	assert_non_null(strstr(err.text, why));
	assert_non_null(strstr(err.text, "source lines"));
}

/* --- what is refused --- */

static void test_fifo_refuses_what_is_no_pipe(void **state)
{
	struct feed_world *w = *state;
	int fd;

	configure(w, "");
	expect_refused(w, "there is no such pipe");
	fd = open(world_path(w, "fifo"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	must(fd >= 0 && close(fd) == 0);
	expect_refused(w, "not a named pipe");
	must(unlink(world_path(w, "fifo")) == 0);
	must(mkfifo(world_path(w, "other"), 0600) == 0);
	must(symlink(world_path(w, "other"), world_path(w, "fifo")) == 0);
	expect_refused(w, "symbolic link");
}

static void test_fifo_refuses_what_others_may_write(void **state)
{
	struct feed_world *w = *state;
	const struct group *gr = getgrgid(getegid());
	char more[100];

	must(gr != NULL);
	(void)snprintf(more, sizeof(more), "group = \"%s\"", gr->gr_name);
	configure(w, "");
	make(w, 0602);
	expect_refused(w, "everybody may write");
	must(chmod(world_path(w, "fifo"), 0620) == 0);
	expect_refused(w, "its group may write");
	configure(w, more);
	open_all(w);
}

static void test_fifo_refuses_another_group_and_owner(void **state)
{
	struct feed_world *w = *state;
	enum { SOMEBODY = 12345 };

	if (geteuid() != 0)
		skip();
	configure(w, "group = \"root\"");
	make(w, 0620);
	must(chown(world_path(w, "fifo"), (uid_t)-1, SOMEBODY) == 0);
	expect_refused(w, "its group may write");
	must(chown(world_path(w, "fifo"), SOMEBODY, 0) == 0);
	expect_refused(w, "its owner");
	configure(w, "group = \"root\" owner = { \"12345\" }");
	open_all(w);
}

static void test_fifo_refuses_wrong_options(void **state)
{
	struct feed_world *w = *state;

	configure(w, "group = \"no-such-group\"");
	expect_refused(w, "no-such-group");
	configure(w, "mode = \"0602\"");
	expect_refused(w, "mode");
	configure(w, "mode = \"0620\"");
	expect_refused(w, "mode");
	configure(w, "mode = \"rw\"");
	expect_refused(w, "mode");
}

static void test_fifo_makes_one_when_told(void **state)
{
	struct feed_world *w = *state;
	const struct group *gr = getgrgid(getegid());
	struct stat st;
	char more[100];

	(void)snprintf(more, sizeof(more),
	    "create = \"yes\" mode = \"0620\" group = \"%s\"", gr->gr_name);
	configure(w, more);
	open_all(w);
	assert_int_equal(stat(world_path(w, "fifo"), &st), 0);
	assert_int_equal(st.st_mode, S_IFIFO | 0620);
	assert_int_equal(st.st_gid, getegid());
	assert_int_equal(
	    fcntl(w->fds[INTAKE_STREAM], F_GETPIPE_SZ), PIPE_SIZE_MAX);
}

/* --- reading --- */

static int open_writer(struct feed_world *w)
{
	int fd = open(world_path(w, "fifo"), O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	must(fd >= 0);
	return fd;
}

static void test_fifo_reads_what_writers_that_come_and_go_write(void **state)
{
	struct feed_world *w = *state;
	int fd;

	configure(w, "");
	make(w, 0600);
	open_all(w);
	world_start(w);
	fd = open_writer(w);
	world_write(fd, "a");
	must(close(fd) == 0);
	world_wait(w, 1, false);
	fd = open_writer(w);
	world_write(fd, "b");
	world_wait(w, 2, false);
	EXPECT(w, "a", "b");
	assert_false(w->ended);
	must(close(fd) == 0);
}

static void test_fifo_reads_what_came_while_a_child_restarted(void **state)
{
	struct feed_world *w = *state;
	int fd;

	configure(w, "");
	make(w, 0600);
	open_all(w);
	fd = open_writer(w);
	world_write(fd, "a"); /* before the first child */
	world_start(w);
	world_wait(w, 1, false);
	world_stop(w);
	world_write(fd, "b");
	world_write(fd, "c");
	world_start(w);
	world_wait(w, 3, false);
	EXPECT(w, "a", "b", "c");
	must(close(fd) == 0);
}

static void wait_empty(struct feed_world *w)
{
	uint64_t limit = uv_hrtime() + WORLD_LIMIT_MS * UINT64_C(1000000);
	int waiting = 1;

	while (waiting > 0 && uv_hrtime() < limit)
		must(ioctl(w->fds[INTAKE_STREAM], FIONREAD, &waiting) == 0);
	assert_int_equal(waiting, 0);
}

/* Another process reads all there is, notes where it stands, and is killed. */
static void read_and_die(struct feed_world *w, enum feed_place stands)
{
	pid_t pid = fork();

	must(pid >= 0);
	if (pid == 0) {
		world_start(w);
		for (;;)
			(void)uv_run(&w->loop, UV_RUN_ONCE);
	}
	wait_empty(w);
	/* While it reads, the mark says "inside". */
	for (uint32_t place = FEED_DOUBT; place != (uint32_t)stands;)
		must(pread(w->fds[INTAKE_MARK], &place, sizeof(place), 0) ==
		     sizeof(place));
	must(kill(pid, SIGKILL) == 0);
	must(waitpid(pid, NULL, 0) == pid);
}

static void test_fifo_believes_no_half_line_after_a_kill(void **state)
{
	struct feed_world *w = *state;
	int fd;

	configure(w, "");
	make(w, 0600);
	open_all(w);
	fd = open_writer(w);
	must(write(fd, "half of a failure, user=<", 25) == 25);
	read_and_die(w, FEED_INSIDE);
	/* The rest is what a stranger gave as his name. */
	world_write(fd, "mallory");
	world_write(fd, "a");
	world_start(w);
	world_wait(w, 1, false);
	world_settle(w);
	EXPECT(w, "a");
	must(close(fd) == 0);
}

static void test_fifo_loses_nothing_behind_a_kill_between_lines(void **state)
{
	struct feed_world *w = *state;
	int fd;

	configure(w, "");
	make(w, 0600);
	open_all(w);
	fd = open_writer(w);
	world_write(fd, "lost-with-the-process");
	read_and_die(w, FEED_LINE);
	world_write(fd, "a");
	world_start(w);
	world_wait(w, 1, false);
	EXPECT(w, "a");
	must(close(fd) == 0);
}

static void test_fifo_stops_at_the_end_of_a_line(void **state)
{
	struct feed_world *w = *state;
	char line[WORLD_LINE_SIZE];
	size_t len = world_line(line, "a");
	char *many = xmalloc(PIPE_SIZE_MAX);
	size_t used = 0;
	int fd, waiting = 0;

	configure(w, "");
	make(w, 0600);
	open_all(w);
	fd = open_writer(w);
	/* More than one read, so that the first ends inside a line. */
	while (used < 3 * INTAKE_READ_SIZE) {
		memcpy(many + used, line, len);
		used += len;
	}
	must(write(fd, many, used) == (ssize_t)used);
	world_start(w);
	(void)uv_run(&w->loop, UV_RUN_ONCE);
	world_stop(w);
	must(ioctl(w->fds[INTAKE_STREAM], FIONREAD, &waiting) == 0);
	assert_true(waiting > 0 && (size_t)waiting < used);
	assert_int_equal((size_t)waiting % len, 0);
	assert_int_equal(w->count * len, used - (size_t)waiting);
	free(many);
	must(close(fd) == 0);
}

/* Somebody wrote before relaypassd came, and somebody else may have read. */
static void test_fifo_doubts_its_first_line_beside_a_writer(void **state)
{
	struct feed_world *w = *state;
	char line[WORLD_LINE_SIZE];
	size_t len = world_line(line, "mallory");
	int fd;

	configure(w, "");
	make(w, 0600);
	fd = open(world_path(w, "fifo"), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	must(fd >= 0 && write(fd, line + 1, len - 1) == (ssize_t)len - 1);
	world_write(fd, "a");
	open_all(w);
	world_start(w);
	world_wait(w, 1, false);
	world_settle(w);
	EXPECT(w, "a");
	must(close(fd) == 0);
}

/* The keeper takes nothing; the writer never waits. */
static void test_fifo_drains_while_nobody_takes_logins(void **state)
{
	struct feed_world *w = *state;
	char line[WORLD_LINE_SIZE];
	size_t len = world_line(line, "a"), written = 0;
	int fd;

	configure(w, "");
	make(w, 0600);
	open_all(w);
	w->room = 0;
	world_start(w);
	fd = open_writer(w);
	while (written < 4 * PIPE_SIZE_MAX) {
		ssize_t n = write(fd, line, len);
		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			world_settle(w);
			continue;
		}
		written += (size_t)n;
	}
	world_settle(w);
	assert_int_equal(w->refused * len, written);
	must(close(fd) == 0);
}

/* --- a keeper that takes less than comes --- */

static size_t room_of(void *ctx)
{
	const struct feed_world *w = ctx;

	return w->room - w->count;
}

static int start_without_room(struct feed_world *w)
{
	configure(w, "");
	make(w, 0600);
	open_all(w);
	w->room = 0;
	w->env.room = room_of;
	world_start(w);
	return open_writer(w);
}

static int waiting_in(struct feed_world *w)
{
	int waiting = 0;

	must(ioctl(w->fds[INTAKE_STREAM], FIONREAD, &waiting) == 0);
	return waiting;
}

/* Turns the loop until all is read; how long that took, in ms. */
static uint64_t drained_after(struct feed_world *w)
{
	uint64_t began = uv_hrtime(),
		 limit = WORLD_LIMIT_MS * UINT64_C(1000000);

	while (waiting_in(w) > 0 && uv_hrtime() - began < limit)
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	return (uv_hrtime() - began) / 1000000;
}

static void test_fifo_lets_writers_wait_for_room(void **state)
{
	struct feed_world *w = *state;
	int fd = start_without_room(w);

	world_write(fd, "a");
	for (unsigned i = 0; i < 100; i++)
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	assert_true(waiting_in(w) > 0);
	w->room = WORLD_LOGINS;
	world_wait(w, 1, false);
	EXPECT(w, "a");
	assert_int_equal(w->refused, 0);
	must(close(fd) == 0);
}

static void test_fifo_lets_no_writer_wait_for_long(void **state)
{
	struct feed_world *w = *state;
	int fd = start_without_room(w);
	uint64_t first;

	world_write(fd, "a");
	first = drained_after(w);
	assert_true(first >= 400 && first < 3000);
	assert_int_equal(w->refused, 1);
	/* There still is none: now nobody waits any more. */
	world_write(fd, "b");
	for (unsigned i = 0; i < 3; i++)
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	assert_int_equal(waiting_in(w), 0);
	assert_int_equal(w->refused, 2);
	/* There is again; then there is not. */
	w->room = 2 * WORLD_LOGINS;
	world_write(fd, "c");
	(void)drained_after(w);
	EXPECT(w, "c");
	w->room = w->count;
	world_write(fd, "d");
	assert_true(drained_after(w) >= 400);
	assert_int_equal(w->refused, 3);
	must(close(fd) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_fifo_refuses_what_is_no_pipe),
		TEST(test_fifo_refuses_what_others_may_write),
		TEST(test_fifo_refuses_another_group_and_owner),
		TEST(test_fifo_refuses_wrong_options),
		TEST(test_fifo_makes_one_when_told),
		TEST(test_fifo_reads_what_writers_that_come_and_go_write),
		TEST(test_fifo_reads_what_came_while_a_child_restarted),
		TEST(test_fifo_believes_no_half_line_after_a_kill),
		TEST(test_fifo_loses_nothing_behind_a_kill_between_lines),
		TEST(test_fifo_stops_at_the_end_of_a_line),
		TEST(test_fifo_doubts_its_first_line_beside_a_writer),
		TEST(test_fifo_drains_while_nobody_takes_logins),
		TEST(test_fifo_lets_writers_wait_for_room),
		TEST(test_fifo_lets_no_writer_wait_for_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
