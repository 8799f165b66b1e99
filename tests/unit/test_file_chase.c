/* SPDX-License-Identifier: ISC */
/*
 * test_file_chase - the file source through each kind of rotation, while it
 * runs and while it is down. Storms of them are in test_rotation.c.
 */
#include "file_world.h"

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

/* --- rotation while it runs ------------------------------------------------
 */

static void test_file_chase_reads_an_old_file_after_rename(void **state)
{
	struct world *w = *state;

	world_line(w, "mail.log", "a");
	world_start(w);
	EXPECT(w, "a");
	world_rename(w, "mail.log", "mail.log.1");
	world_line(w, "mail.log.1", "b");
	EXPECT(w, "a", "b");
	world_line(w, "mail.log", "c");
	EXPECT(w, "a", "b", "c");
	world_line(w, "mail.log.1", "late");
	EXPECT(w, "a", "b", "c", "late");
	world_line(w, "mail.log", "d");
	EXPECT(w, "a", "b", "c", "late", "d");
}

static void test_file_chase_reads_an_old_file_moved_far_away(void **state)
{
	struct world *w = *state;

	must(mkdir(world_path(w, "old"), 0750) == 0);
	world_line(w, "mail.log", "a");
	world_start(w);
	EXPECT(w, "a");
	world_rename(w, "mail.log", "old/mail.log.1");
	world_line(w, "mail.log", "c");
	EXPECT(w, "a", "c");
	world_line(w, "old/mail.log.1", "late");
	EXPECT(w, "a", "c", "late");
}

/* Neither of its names is seen by one look. */
static void test_file_chase_looks_again_while_files_are_renamed(void **state)
{
	struct world *w = *state;

	world_line(w, "mail.log", "a");
	world_start(w);
	EXPECT(w, "a");
	world_stop(w);
	world_rename(w, "mail.log", "mail.log.2");
	world_line(w, "mail.log.1", "b");
	world_line(w, "mail.log", "c");
	(void)snprintf(w->hidden, sizeof(w->hidden), "mail.log.1");
	world_start(w);
	EXPECT(w, "a", "b", "c");
}

static void test_file_chase_reads_rotations_missed_in_between(void **state)
{
	struct world *w = *state;

	world_line(w, "mail.log", "a");
	world_start(w);
	EXPECT(w, "a");
	world_line(w, "mail.log", "b");
	world_rename(w, "mail.log", "mail.log.3");
	world_line(w, "mail.log", "c");
	world_rename(w, "mail.log", "mail.log.2");
	world_line(w, "mail.log", "d");
	world_gzip(w, "mail.log.2");
	world_rename(w, "mail.log", "mail.log.1");
	world_line(w, "mail.log", "e");
	EXPECT(w, "a", "b", "c", "d", "e");
}

static void copy_truncate(struct world *w, const char *to)
{
	size_t len;
	char *text = world_slurp(w, "mail.log", &len);

	world_bytes(w, to, 0, text, len);
	must(truncate(world_path(w, "mail.log"), 0) == 0);
	free(text);
}

static void test_file_chase_reads_the_rest_of_a_copytruncate(void **state)
{
	struct world *w = *state;

	world_line(w, "mail.log", "a-long-enough-to-be-known-again");
	world_start(w);
	EXPECT(w, "a-long-enough-to-be-known-again");
	world_line(w, "mail.log", "b");
	world_text(w, "mail.log", "login half");
	copy_truncate(w, "mail.log.1");
	world_text(w, "mail.log", "login c\n");
	EXPECT(w, "a-long-enough-to-be-known-again", "b", "c");
	copy_truncate(w, "mail.log.0");
	world_settle(w);
	world_text(w, "mail.log", "login d\n");
	EXPECT(w, "a-long-enough-to-be-known-again", "b", "c", "d");
}

static void test_file_chase_reads_two_copytruncates_at_once(void **state)
{
	struct world *w = *state;

	world_line(w, "mail.log", "a");
	world_start(w);
	EXPECT(w, "a");
	world_line(w, "mail.log", "b");
	copy_truncate(w, "mail.log.2");
	world_line(w, "mail.log", "c");
	copy_truncate(w, "mail.log.1");
	world_line(w, "mail.log", "d");
	EXPECT(w, "a", "b", "c", "d");
}

/* Seen as one file that goes on, but for the copy that lies beside it. */
static void test_file_chase_reads_what_only_lies_beside(void **state)
{
	struct world *w = *state;

	world_text(w, "mail.log", "");
	world_start(w);
	world_settle(w);
	world_line(w, "mail.log", "a");
	copy_truncate(w, "mail.log.1");
	world_line(w, "mail.log", "b");
	world_wait(w, 2);
	world_settle(w);
	assert_int_equal(w->user_count, 2);
	assert_string_equal(w->users[0], "b");
	assert_string_equal(w->users[1], "a");
}

static void test_file_chase_never_joins_a_half_line(void **state)
{
	struct world *w = *state;

	world_line(w, "mail.log", "a");
	world_text(w, "mail.log", "login half");
	world_start(w);
	EXPECT(w, "a");
	must(truncate(world_path(w, "mail.log"), 0) == 0);
	world_text(w, "mail.log", "-way\nlogin b\n");
	EXPECT(w, "a", "b");
}

static void test_file_chase_sees_a_truncation_that_grew_over(void **state)
{
	struct world *w = *state;
	char more[2000];

	world_line(w, "mail.log", "a");
	world_start(w);
	EXPECT(w, "a");
	memset(more, 'x', sizeof(more));
	more[sizeof(more) - 1] = '\n';
	must(truncate(world_path(w, "mail.log"), 0) == 0);
	world_text(w, "mail.log", "login b\n");
	world_bytes(w, "mail.log", O_APPEND, more, sizeof(more));
	world_line(w, "mail.log", "c");
	EXPECT(w, "a", "b", "c");
}

static void test_file_chase_goes_on_after_remove_and_create(void **state)
{
	struct world *w = *state;

	world_line(w, "mail.log", "a");
	world_start(w);
	EXPECT(w, "a");
	world_line(w, "mail.log", "b");
	must(unlink(world_path(w, "mail.log")) == 0);
	world_line(w, "mail.log", "c");
	EXPECT(w, "a", "b", "c");
	must(unlink(world_path(w, "mail.log")) == 0);
	world_settle(w);
	world_line(w, "mail.log", "d");
	EXPECT(w, "a", "b", "c", "d");
}

static void test_file_chase_skips_the_hole_of_a_truncation(void **state)
{
	struct world *w = *state;
	const char *path = world_path(w, "mail.log");
	int fd = open(path, O_WRONLY | O_CREAT, 0640); /* no O_APPEND */
	char fill[12000];

	assert_true(fd >= 0);
	memset(fill, 'x', sizeof(fill));
	fill[sizeof(fill) - 1] = '\n';
	must(write(fd, fill, sizeof(fill)) == sizeof(fill));
	must(write(fd, "login a\n", 8) == 8);
	world_start(w);
	world_settle(w);
	must(ftruncate(fd, 0) == 0);
	must(write(fd, "login b\n", 8) == 8);
	EXPECT(w, "b");
	must(write(fd, "login c\n", 8) == 8);
	EXPECT(w, "b", "c");
	must(ftruncate(fd, 0) == 0);
	world_settle(w);
	must(write(fd, "login d\n", 8) == 8);
	EXPECT(w, "b", "c", "d");
	world_crash(w);
	must(write(fd, "login e\n", 8) == 8);
	world_start(w);
	EXPECT(w, "b", "c", "d", "e");
	must(close(fd) == 0);
}

static void test_file_chase_follows_a_symlink_that_is_switched(void **state)
{
	struct world *w = *state;

	must(mkdir(world_path(w, "real"), 0750) == 0);
	world_line(w, "real/mail-20261119.log", "a");
	must(symlink("real/mail-20261119.log", world_path(w, "mail.log")) == 0);
	world_start(w);
	EXPECT(w, "a");
	world_line(w, "real/mail-20261119.log", "b");
	EXPECT(w, "a", "b");
	world_line(w, "real/mail-20261120.log", "c");
	must(symlink("real/mail-20261120.log", world_path(w, "link")) == 0);
	world_rename(w, "link", "mail.log");
	EXPECT(w, "a", "b", "c");
	world_line(w, "real/mail-20261119.log", "late");
	EXPECT(w, "a", "b", "c", "late");
	world_line(w, "real/mail-20261120.log", "d");
	EXPECT(w, "a", "b", "c", "late", "d");
}

/* --- restart ---------------------------------------------------------------
 */

static void test_file_chase_goes_on_exactly_from_its_cursor(void **state)
{
	struct world *w = *state;
	char user[32];
	const size_t lines = 500;

	for (size_t i = 0; i < lines; i++) {
		(void)snprintf(user, sizeof(user), "u%zu", i);
		world_line(w, "mail.log", user);
	}
	/* It dies at each batch, the last ones too. */
	for (int deaths = 0; w->user_count < lines; deaths++) {
		w->die_at = w->calls + 2;
		world_start(w);
		world_settle(w);
		world_crash(w);
		assert_true(deaths < 20);
	}
	w->die_at = 0;
	for (size_t i = 0; i < lines; i++) {
		(void)snprintf(user, sizeof(user), "u%zu", i);
		assert_string_equal(w->users[i], user);
	}
	world_text(w, "mail.log", "login last");
	world_start(w);
	world_settle(w);
	world_crash(w);
	world_text(w, "mail.log", "-one\n");
	world_start(w);
	world_wait(w, lines + 1);
	world_settle(w);
	assert_int_equal(w->user_count, lines + 1);
	assert_string_equal(w->users[lines], "last-one");
}

static void test_file_chase_finds_a_renamed_predecessor(void **state)
{
	struct world *w = *state;

	first_part(w);
	world_rename(w, "mail.log", "mail-20261120.log");
	world_line(w, "mail.log", "d");
	world_start(w);
	EXPECT(w, "a", "b", "c", "d");
}

static void test_file_chase_finds_a_predecessor_before_the_new_file(
    void **state)
{
	struct world *w = *state;

	first_part(w);
	world_rename(w, "mail.log", "mail.log.1");
	world_start(w);
	EXPECT(w, "a", "b", "c");
	world_line(w, "mail.log", "d");
	EXPECT(w, "a", "b", "c", "d");
}

static void test_file_chase_finds_a_packed_predecessor(void **state)
{
	struct world *w = *state;

	first_part(w);
	world_rename(w, "mail.log", "mail.log.1");
	world_gzip(w, "mail.log.1");
	world_line(w, "mail.log", "d");
	world_start(w);
	EXPECT(w, "a", "b", "c", "d");
	world_crash(w);
	world_line(w, "mail.log", "e");
	world_rename(w, "mail.log", "mail.log.0");
	world_zstd(w, "mail.log.0");
	world_line(w, "mail.log", "f");
	world_start(w);
	EXPECT(w, "a", "b", "c", "d", "e", "f");
}

static void test_file_chase_reads_all_rotations_since_its_cursor(void **state)
{
	struct world *w = *state;

	first_part(w);
	world_rename(w, "mail.log", "mail.log.4");
	world_gzip(w, "mail.log.4");
	world_line(w, "mail.log", "d");
	world_rename(w, "mail.log", "mail.log.3");
	world_gzip(w, "mail.log.3");
	world_line(w, "mail.log", "e");
	world_rename(w, "mail.log", "mail.log.2");
	world_zstd(w, "mail.log.2");
	world_line(w, "mail.log", "f");
	world_rename(w, "mail.log", "mail.log.1");
	world_line(w, "mail.log", "g");
	/* Again it dies at each batch. */
	for (int i = 0; i < 4; i++) {
		w->die_at = w->calls + 2;
		world_start(w);
		world_settle(w);
		world_crash(w);
	}
	w->die_at = 0;
	world_start(w);
	EXPECT(w, "a", "b", "c", "d", "e", "f", "g");
}

static void test_file_chase_finds_the_copy_made_while_it_was_down(void **state)
{
	struct world *w = *state;

	first_part(w);
	copy_truncate(w, "mail.log.1");
	world_line(w, "mail.log", "d");
	world_start(w);
	EXPECT(w, "a", "b", "c", "d");
}

static void test_file_chase_takes_no_half_packed_double(void **state)
{
	struct world *w = *state;
	size_t len;

	first_part(w);
	world_rename(w, "mail.log", "mail.log.1");
	char *text = world_slurp(w, "mail.log.1", &len);
	world_gzip(w, "mail.log.1");
	must(truncate(world_path(w, "mail.log.1.gz"), 30) == 0);
	world_bytes(w, "mail.log.1", 0, text, len);
	world_line(w, "mail.log", "d");
	world_start(w);
	EXPECT(w, "a", "b", "c", "d");
	free(text);
}

static void test_file_chase_knows_a_reused_inode(void **state)
{
	struct world *w = *state;
	struct stat before, after;

	first_part(w);
	must(stat(world_path(w, "mail.log"), &before) == 0);
	for (int i = 0; i < 100; i++) {
		must(unlink(world_path(w, "mail.log")) == 0);
		world_text(w, "mail.log",
		    "another file that has the same inode number\n"
		    "and is longer than the old one was, if only because of "
		    "this line here, which tells nothing\n");
		must(stat(world_path(w, "mail.log"), &after) == 0);
		if (after.st_ino == before.st_ino)
			break;
	}
	if (after.st_ino != before.st_ino)
		skip();
	world_line(w, "mail.log", "d");
	world_start(w);
	EXPECT(w, "a", "b", "d");
}

static void test_file_chase_reads_late_lines_after_a_restart(void **state)
{
	struct world *w = *state;

	world_line(w, "mail.log", "a");
	world_start(w);
	EXPECT(w, "a");
	world_rename(w, "mail.log", "mail.log.1");
	world_line(w, "mail.log", "b");
	EXPECT(w, "a", "b");
	world_crash(w);
	world_line(w, "mail.log.1", "late");
	world_line(w, "mail.log", "c");
	world_start(w);
	EXPECT(w, "a", "b", "late", "c");
}

static void test_file_chase_goes_on_when_the_predecessor_is_lost(void **state)
{
	struct world *w = *state;

	first_part(w);
	must(unlink(world_path(w, "mail.log")) == 0);
	world_line(w, "mail.log", "x");
	world_rename(w, "mail.log", "mail.log.1");
	world_line(w, "mail.log", "y");
	world_start(w);
	EXPECT(w, "a", "b", "x", "y");
}

static void test_file_chase_refuses_a_broken_cursor(void **state)
{
	struct world *w = *state;

	first_part(w);
	w->cursors[0].bytes[0] ^= 0x80;
	world_start(w);
	/* As without a cursor: these lines are young. */
	EXPECT(w, "a", "b", "a", "b", "c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file_chase_reads_an_old_file_after_rename),
		TEST(test_file_chase_reads_an_old_file_moved_far_away),
		TEST(test_file_chase_looks_again_while_files_are_renamed),
		TEST(test_file_chase_reads_rotations_missed_in_between),
		TEST(test_file_chase_reads_the_rest_of_a_copytruncate),
		TEST(test_file_chase_reads_two_copytruncates_at_once),
		TEST(test_file_chase_reads_what_only_lies_beside),
		TEST(test_file_chase_never_joins_a_half_line),
		TEST(test_file_chase_sees_a_truncation_that_grew_over),
		TEST(test_file_chase_goes_on_after_remove_and_create),
		TEST(test_file_chase_skips_the_hole_of_a_truncation),
		TEST(test_file_chase_follows_a_symlink_that_is_switched),
		TEST(test_file_chase_goes_on_exactly_from_its_cursor),
		TEST(test_file_chase_finds_a_renamed_predecessor),
		TEST(test_file_chase_finds_a_predecessor_before_the_new_file),
		TEST(test_file_chase_finds_a_packed_predecessor),
		TEST(test_file_chase_reads_all_rotations_since_its_cursor),
		TEST(test_file_chase_finds_the_copy_made_while_it_was_down),
		TEST(test_file_chase_takes_no_half_packed_double),
		TEST(test_file_chase_knows_a_reused_inode),
		TEST(test_file_chase_reads_late_lines_after_a_restart),
		TEST(test_file_chase_goes_on_when_the_predecessor_is_lost),
		TEST(test_file_chase_refuses_a_broken_cursor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
