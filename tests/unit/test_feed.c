/* SPDX-License-Identifier: ISC */
/*
 * test_feed - lines of a stream give the logins they tell, however they are
 * cut; what begins inside a line gives none; a full queue drops and counts.
 */
#include "feed_world.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)

static int setup(void **state)
{
	int bad = world_setup(state);

	world_configure(*state, "source lines { kind = \"stdin\" }");
	return bad;
}

static struct feed *make(struct feed_world *w)
{
	return feed_new(&w->env, world_section(w));
}

static void put(struct feed *f, const char *text)
{
	feed_bytes(f, text, strlen(text), clock_now().wall);
}

static void test_feed_submits_logins_for_any_chunking(void **state)
{
	struct feed_world *w = *state;
	char text[3 * WORLD_LINE_SIZE];

	for (size_t step = 1; step < 300; step += 7) {
		struct feed *f = make(w);
		size_t len = world_line(text, "a");

		len += (size_t)snprintf(
		    text + len, WORLD_LINE_SIZE, "mx nothing of ours\n");
		len += world_line(text + len, "b");
		w->count = 0;
		for (size_t at = 0; at < len; at += step)
			feed_bytes(f, text + at,
			    step < len - at ? step : len - at,
			    clock_now().wall);
		EXPECT(w, "a", "b");
		feed_free(&f);
		assert_null(f);
	}
}

static void test_feed_takes_no_line_before_its_end(void **state)
{
	struct feed_world *w = *state;
	struct feed *f = make(w);
	char line[WORLD_LINE_SIZE];
	size_t len = world_line(line, "a");

	feed_bytes(f, line, len - 1, clock_now().wall);
	assert_int_equal(w->count, 0);
	put(f, "\n");
	EXPECT(w, "a");
	feed_free(&f);
}

static void test_feed_takes_single_lines(void **state)
{
	struct feed_world *w = *state;
	struct feed *f = make(w);
	char line[WORLD_LINE_SIZE];
	size_t len = world_line(line, "a");

	feed_line(f, line, len - 1, clock_now().wall);
	EXPECT(w, "a");
	feed_free(&f);
}

/* A login text that a stranger put into the middle of a line of his own. */
static void test_feed_never_takes_the_end_of_a_line(void **state)
{
	struct feed_world *w = *state;
	struct feed *f = make(w);
	char line[WORLD_LINE_SIZE];

	feed_begin(f, FEED_INSIDE);
	(void)world_line(line, "mallory");
	put(f, line);
	assert_int_equal(w->count, 0);
	(void)world_line(line, "a");
	put(f, line);
	EXPECT(w, "a");
	assert_int_equal(feed_long(f), 0);
	feed_free(&f);
}

static void test_feed_doubts_a_first_line_without_stamp(void **state)
{
	struct feed_world *w = *state;
	struct feed *f = make(w);
	struct matcher_counts n;
	char line[WORLD_LINE_SIZE];

	feed_begin(f, FEED_DOUBT);
	(void)world_line(line, "mallory");
	put(f, line + 3); /* the end of a line, into its stamp */
	assert_int_equal(w->count, 0);
	feed_counts(f, &n);
	assert_int_equal(n.lines, 0);
	put(f, "an unstamped line, not the first\n");
	feed_counts(f, &n);
	assert_int_equal(n.lines, 1);
	feed_free(&f);

	f = make(w);
	feed_begin(f, FEED_DOUBT);
	(void)world_line(line, "a");
	put(f, line);
	EXPECT(w, "a");
	feed_free(&f);
}

static void test_feed_drops_and_counts_when_the_queue_is_full(void **state)
{
	struct feed_world *w = *state;
	struct feed *f = make(w);
	struct matcher_counts n;
	char line[WORLD_LINE_SIZE];

	w->room = 2;
	(void)world_line(line, "a");
	for (size_t i = 0; i < 5; i++)
		put(f, line);
	EXPECT(w, "a", "a");
	assert_int_equal(feed_dropped(f), 3);
	w->room = 3;
	put(f, line);
	EXPECT(w, "a", "a", "a");
	assert_int_equal(feed_dropped(f), 3);
	feed_counts(f, &n);
	assert_int_equal(n.logins, 6);
	feed_free(&f);
}

static void test_feed_counts_lines_that_are_too_long(void **state)
{
	struct feed_world *w = *state;
	struct feed *f = make(w);
	char line[WORLD_LINE_SIZE];

	for (size_t i = 0; i < 1000; i++)
		put(f, "0123456789");
	put(f, "\n");
	assert_int_equal(feed_long(f), 1);
	(void)world_line(line, "a");
	put(f, line);
	EXPECT(w, "a");
	feed_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_feed_submits_logins_for_any_chunking),
		TEST(test_feed_takes_no_line_before_its_end),
		TEST(test_feed_takes_single_lines),
		TEST(test_feed_never_takes_the_end_of_a_line),
		TEST(test_feed_doubts_a_first_line_without_stamp),
		TEST(test_feed_drops_and_counts_when_the_queue_is_full),
		TEST(test_feed_counts_lines_that_are_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
