/* SPDX-License-Identifier: ISC */
/*
 * test_source_file - the file source as a whole: real files, inotify, opener
 * and loop; a matcher of the test's own. Rotation is in test_file_chase.c.
 */
#include "file_world.h"

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

/* --- following -------------------------------------------------------------
 */

static void test_source_file_follows_appended_lines(void **state)
{
	struct world *w = *state;

	world_text(w, "mail.log", "");
	world_start(w);
	world_settle(w);
	world_line(w, "mail.log", "a");
	world_text(w, "mail.log", "some other line\n");
	world_line(w, "mail.log", "b");
	EXPECT(w, "a", "b");
}

static void test_source_file_takes_no_line_before_its_end(void **state)
{
	struct world *w = *state;

	world_text(w, "mail.log", "");
	world_start(w);
	world_settle(w);
	world_text(w, "mail.log", "login half");
	world_settle(w);
	assert_int_equal(w->user_count, 0);
	world_text(w, "mail.log", "way\nlogin b\n");
	EXPECT(w, "halfway", "b");
}

static void test_source_file_waits_for_a_missing_file(void **state)
{
	struct world *w = *state;

	world_start(w);
	world_settle(w);
	world_line(w, "mail.log", "a");
	EXPECT(w, "a");
}

static void test_source_file_waits_for_a_missing_directory(void **state)
{
	struct world *w = *state;
	char paths[200];

	(void)snprintf(paths, sizeof(paths), "\"%s/deep/er/mail.log\"", w->dir);
	world_configure(w, paths);
	world_start(w);
	world_settle(w);
	must(mkdir(world_path(w, "deep"), 0750) == 0);
	world_settle(w);
	must(mkdir(world_path(w, "deep/er"), 0750) == 0);
	world_line(w, "deep/er/mail.log", "a");
	EXPECT(w, "a");
}

static void test_source_file_reads_the_first_unstamped_line(void **state)
{
	struct world *w = *state;

	world_start(w);
	world_settle(w);
	world_text(w, "mail.log", "login a\n");
	EXPECT(w, "a");
}

static void test_source_file_drops_long_lines_and_strips_nuls(void **state)
{
	struct world *w = *state;
	char *line = xmalloc(20001);

	memset(line, 'x', 20000);
	line[20000] = '\n';
	world_start(w);
	world_settle(w);
	world_bytes(w, "mail.log", O_APPEND, line, 20001);
	world_bytes(w, "mail.log", O_APPEND, "\0\0\0login a\n", 11);
	world_bytes(w, "mail.log", O_APPEND, "login b\rc\n", 10);
	EXPECT(w, "a", "b\rc");
	free(line);
}

static void test_source_file_follows_several_globs(void **state)
{
	struct world *w = *state;
	char paths[300];

	(void)snprintf(paths, sizeof(paths),
	    "\"%s/mail*\", \"%s/imap.log\", \"%s/m*.log\"", w->dir, w->dir,
	    w->dir);
	world_configure(w, paths);
	/* Rotated files that the glob names are none of its logs. */
	world_line(w, "mail.log.1", "old");
	must(truncate(world_path(w, "mail.log.1"), 0) == 0);
	world_line(w, "mail.log", "a");
	world_start(w);
	EXPECT(w, "a");
	world_line(w, "imap.log", "b");
	EXPECT(w, "a", "b");
	world_line(w, "mail.err", "c");
	EXPECT(w, "a", "b", "c");
	world_rename(w, "mail.log", "mail.log.1");
	world_settle(w);
	world_line(w, "mail.log", "d");
	EXPECT(w, "a", "b", "c", "d");
}

/* --- start without a cursor ------------------------------------------------
 */

static void test_source_file_reads_back_one_ttl(void **state)
{
	struct world *w = *state;
	int64_t now = clock_now().wall, start = now - 3 * WORLD_TTL;
	char line[200];
	const int lines = 30000;
	size_t young = 0;
	FILE *f = fopen(world_path(w, "mail.log"), "w");

	assert_non_null(f);
	for (int i = 0; i < lines; i++) {
		int64_t time = start + (now - start) * i / lines;
		if (time >= now - WORLD_TTL - 1000)
			young++;
		(void)snprintf(line, sizeof(line), "@%lld login %s%d\n",
		    (long long)time, i % 7 ? "u" : "a-somewhat-longer-name-",
		    i);
		must(fputs(line, f) >= 0);
	}
	must(fclose(f) == 0);
	world_start(w);
	world_wait(w, young - 2);
	world_settle(w);
	/* The clock went on while we wrote. */
	assert_in_range(w->user_count, young - 100, young);
	assert_string_equal(w->users[w->user_count - 1], "u29999");
}

static void test_source_file_reads_back_into_rotated_files(void **state)
{
	struct world *w = *state;
	int64_t now = clock_now().wall;

	world_line_at(w, "mail.log.2", now - 4 * WORLD_TTL, "old");
	world_line_at(w, "mail.log.2", now - WORLD_TTL / 2, "a");
	world_gzip(w, "mail.log.2");
	world_line_at(w, "mail.log.1", now - 2 * WORLD_TTL, "old");
	world_line_at(w, "mail.log.1", now - WORLD_TTL / 3, "b");
	world_line_at(w, "mail.log", now - WORLD_TTL / 4, "c");
	world_start(w);
	EXPECT(w, "a", "b", "c");
	world_crash(w);
	world_line(w, "mail.log", "d");
	world_start(w);
	EXPECT(w, "a", "b", "c", "d");
}

static void test_source_file_without_stamps_starts_at_the_end(void **state)
{
	struct world *w = *state;

	world_text(w, "mail.log", "login old\nlogin half");
	world_start(w);
	world_settle(w);
	world_text(w, "mail.log", "-new\n");
	EXPECT(w, "half-new");
}

static void test_source_file_dates_unstamped_lines_by_the_file(void **state)
{
	struct world *w = *state;
	struct timespec times[2] = { 0 };

	first_part(w);
	world_text(w, "mail.log", "login d\n");
	times[0].tv_sec = times[1].tv_sec = 1700000000;
	must(utimensat(AT_FDCWD, world_path(w, "mail.log"), times, 0) == 0);
	world_start(w);
	EXPECT(w, "a", "b", "c", "d");
	assert_int_equal(w->last_time, INT64_C(1700000000000));
}

/* --- the sink --------------------------------------------------------------
 */

static void test_source_file_tells_a_bare_cursor_seldom(void **state)
{
	struct world *w = *state;

	world_text(w, "mail.log", "");
	world_start(w);
	world_settle(w);
	for (int i = 0; i < 200; i++) {
		world_text(w, "mail.log", "nothing of interest\n");
		world_settle(w);
	}
	assert_in_range(w->calls, 0, 5);
	world_stop(w);
	/* The last one stands at the end. */
	world_text(w, "mail.log", "login a\n");
	world_start(w);
	EXPECT(w, "a");
}

static void test_source_file_stops_the_loop_without_a_keeper(void **state)
{
	struct world *w = *state;

	world_line(w, "mail.log", "a");
	w->die_at = 1;
	world_start(w);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(w->user_count, 0);
}

static int count_beats(uv_timer_t *timer)
{
	return *(int *)timer->data;
}

static void on_beat(uv_timer_t *timer)
{
	(*(int *)timer->data)++;
}

static void test_source_file_lets_the_loop_turn_in_a_backlog(void **state)
{
	struct world *w = *state;
	const size_t size = 64 * 1024 * 1024;
	char *text = xmalloc(size);
	uv_timer_t timer;
	int beats = 0;

	for (size_t i = 0; i < size; i += 64) {
		memset(text + i, 'x', 63);
		text[i + 63] = '\n';
	}
	first_part(w);
	world_bytes(w, "mail.log", O_APPEND, text, size);
	world_text(w, "mail.log", "login d\n");
	free(text);
	world_start(w);
	must(uv_timer_init(&w->loop, &timer) == 0);
	timer.data = &beats;
	must(uv_timer_start(&timer, on_beat, 1, 1) == 0);
	world_wait(w, 4);
	uv_close((uv_handle_t *)&timer, NULL);
	(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	assert_true(count_beats(&timer) > 2);
	EXPECT(w, "a", "b", "c", "d");
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void test_source_file_is_quick_from_append_to_sink(void **state)
{
	struct world *w = *state;
	enum { ROUNDS = 200 };
	uint64_t took[ROUNDS];

	world_text(w, "mail.log", "");
	world_start(w);
	world_settle(w);
	int fd = open(world_path(w, "mail.log"), O_WRONLY | O_APPEND);
	for (size_t i = 0; i < ROUNDS; i++) {
		uint64_t begin = uv_hrtime();
		must(write(fd, "login a\n", 8) == 8);
		world_wait(w, i + 1);
		took[i] = w->heard_at - begin;
	}
	must(close(fd) == 0);
	qsort(took, ROUNDS, sizeof(took[0]), by_size);
	/* A figure to look at; bench/follow.py measures. */
	print_message("append to sink: median %llu us, p99 %llu us\n",
	    (unsigned long long)(took[ROUNDS / 2] / 1000),
	    (unsigned long long)(took[ROUNDS * 99 / 100] / 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_source_file_follows_appended_lines),
		TEST(test_source_file_takes_no_line_before_its_end),
		TEST(test_source_file_waits_for_a_missing_file),
		TEST(test_source_file_waits_for_a_missing_directory),
		TEST(test_source_file_reads_the_first_unstamped_line),
		TEST(test_source_file_drops_long_lines_and_strips_nuls),
		TEST(test_source_file_follows_several_globs),
		TEST(test_source_file_reads_back_one_ttl),
		TEST(test_source_file_reads_back_into_rotated_files),
		TEST(test_source_file_without_stamps_starts_at_the_end),
		TEST(test_source_file_dates_unstamped_lines_by_the_file),
		TEST(test_source_file_tells_a_bare_cursor_seldom),
		TEST(test_source_file_stops_the_loop_without_a_keeper),
		TEST(test_source_file_lets_the_loop_turn_in_a_backlog),
		TEST(test_source_file_is_quick_from_append_to_sink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
