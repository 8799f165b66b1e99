/* SPDX-License-Identifier: ISC */
/*
 * test_opener - which files the supervisor opens for a reader, which it
 * refuses, and which names count as rotated.
 */
#include "daemon/opener_names.h"
#include "opener_world.h"

/* --- current files ---------------------------------------------------------
 */

static void test_opener_opens_a_file_and_waits_for_a_missing_one(void **state)
{
	struct world *w = *state;

	NOTHING(w);
	make(w, "mail.log");
	assert_true(woken(w));
	CURRENT(w, "mail.log");
	assert_false(woken(w));
	append(w, "mail.log");
	assert_true(woken(w));
}

static void test_opener_opens_what_patterns_name_but_no_rotated_files(
    void **state)
{
	struct world *w = *state;

	CONFIGURE(w, "mail*", "imap.log", "m*.log");
	make(w, "mail.log");
	make(w, "mail.log.1");
	make(w, "mail.log.2.gz");
	make(w, "mail.err.3.gz");
	make(w, "mail-20261120.log");
	make(w, "mail.err");
	make(w, ".mail.log");
	make(w, "imap.log");
	must(mkdir(path_of(w, "mailbox"), 0700) == 0);
	CURRENT(w, "mail.err", "mail.log", "imap.log");
	(void)woken(w);
	make(w, "mail.info");
	assert_true(woken(w));
}

static void test_opener_opens_dated_logs_that_have_no_current_name(void **state)
{
	struct world *w = *state;

	CONFIGURE(w, "*/mail-*.log");
	must(mkdir(path_of(w, "d"), 0700) == 0);
	make(w, "d/mail-20261119.log");
	make(w, "d/mail-20261120.log");
	CURRENT(w, "d/mail-20261119.log", "d/mail-20261120.log");
}

static void test_opener_gives_a_file_once(void **state)
{
	struct world *w = *state;

	CONFIGURE(w, "a.log", "b.log", "*.log");
	make(w, "b.log");
	must(symlink("b.log", path_of(w, "a.log")) == 0);
	CURRENT(w, "a.log");
}

static void test_opener_gives_no_more_than_its_limit(void **state)
{
	struct world *w = *state;
	char name[32];

	CONFIGURE(w, "*.log");
	for (int i = 0; i < OPENER_FILES_MAX + 10; i++) {
		(void)snprintf(name, sizeof(name), "x%03d.log", i);
		make(w, name);
	}
	w->count = 0;
	assert_int_equal(opener_run(w->opener, OPEN_CURRENT, NULL, take, w),
	    OPENER_FILES_MAX);
}

/* --- what it refuses -------------------------------------------------------
 */

static void test_opener_refuses_what_is_no_regular_file(void **state)
{
	struct world *w = *state;

	must(mkfifo(path_of(w, "mail.log"), 0600) == 0);
	NOTHING(w); /* and does not hang */
	must(unlink(path_of(w, "mail.log")) == 0);
	must(mkdir(path_of(w, "mail.log"), 0700) == 0);
	NOTHING(w);
	must(rmdir(path_of(w, "mail.log")) == 0);
	must(symlink("/dev/zero", path_of(w, "mail.log")) == 0);
	NOTHING(w);
}

static void test_opener_refuses_a_file_that_everybody_may_write(void **state)
{
	struct world *w = *state;

	make(w, "mail.log");
	must(chmod(path_of(w, "mail.log"), 0666) == 0);
	NOTHING(w);
	must(chmod(path_of(w, "mail.log"), 0660) == 0);
	CURRENT(w, "mail.log");
}

static void test_opener_refuses_foreign_owners(void **state)
{
	struct world *w = *state;
	char number[16];
	const char *owners[] = { number, "no-such-user-here" };
	char path[200];
	const char *paths[] = { path };
	struct opener_options o = { .name = "test",
		.paths = paths,
		.path_count = 1,
		.owners = owners,
		.owner_count = 2,
		.inotify_fd = -1 };

	if (geteuid() != 0)
		skip();
	make(w, "mail.log");
	must(chown(path_of(w, "mail.log"), STRANGER, 0) == 0);
	NOTHING(w);
	(void)snprintf(number, sizeof(number), "%d", STRANGER);
	(void)snprintf(path, sizeof(path), "%s", path_of(w, "mail.log"));
	opener_free(&w->opener);
	w->opener = opener_new(&o);
	CURRENT(w, "mail.log");
}

static void test_opener_refuses_links_of_foreign_owners(void **state)
{
	struct world *w = *state;

	if (geteuid() != 0)
		skip();
	make(w, "real.log");
	must(symlink("real.log", path_of(w, "mail.log")) == 0);
	CURRENT(w, "mail.log");
	must(lchown(path_of(w, "mail.log"), STRANGER, 0) == 0);
	NOTHING(w);
	/* The same for a directory on the way. */
	must(mkdir(path_of(w, "d"), 0700) == 0);
	make(w, "d/mail.log");
	must(symlink("d", path_of(w, "link")) == 0);
	CONFIGURE(w, "link/mail.log");
	CURRENT(w, "link/mail.log");
	must(lchown(path_of(w, "link"), STRANGER, 0) == 0);
	NOTHING(w);
}

static void test_opener_refuses_directories_that_everybody_may_change(
    void **state)
{
	struct world *w = *state;

	must(mkdir(path_of(w, "d"), 0700) == 0);
	make(w, "d/mail.log");
	make(w, "d/mail.log.1");
	CONFIGURE(w, "d/mail.log");
	CURRENT(w, "d/mail.log");
	must(chmod(path_of(w, "d"), 0777) == 0);
	NOTHING(w);
	expect(w, OPEN_SIBLINGS, "d/mail.log", NULL, 0);
	must(chmod(path_of(w, "d"), 01777) == 0);
	CURRENT(w, "d/mail.log");
}

static void test_opener_follows_four_links_and_no_more(void **state)
{
	struct world *w = *state;

	make(w, "real.log");
	must(symlink("real.log", path_of(w, "4")) == 0);
	must(symlink("4", path_of(w, "3")) == 0);
	must(symlink("./3", path_of(w, "2")) == 0);
	must(symlink(path_of(w, "2"), path_of(w, "mail.log")) == 0);
	CURRENT(w, "mail.log");
	must(symlink("mail.log", path_of(w, "5")) == 0);
	CONFIGURE(w, "5");
	NOTHING(w);
	must(symlink("loop", path_of(w, "loop")) == 0);
	CONFIGURE(w, "loop");
	NOTHING(w);
}

/* --- watches ---------------------------------------------------------------
 */

static void test_opener_watches_the_way_of_links(void **state)
{
	struct world *w = *state;

	must(mkdir(path_of(w, "real"), 0700) == 0);
	make(w, "real/a.log");
	make(w, "real/b.log");
	must(symlink("real/a.log", path_of(w, "mail.log")) == 0);
	CURRENT(w, "mail.log");
	(void)woken(w);
	append(w, "real/a.log");
	assert_true(woken(w));
	must(symlink("real/b.log", path_of(w, "next")) == 0);
	must(rename(path_of(w, "next"), path_of(w, "mail.log")) == 0);
	assert_true(woken(w));
}

static void test_opener_wakes_for_our_files_only(void **state)
{
	struct world *w = *state;

	make(w, "mail.log");
	make(w, "other.log");
	CURRENT(w, "mail.log");
	(void)woken(w);
	append(w, "other.log");
	assert_false(woken(w));
	append(w, "mail.log");
	assert_true(woken(w));
}

/* A syslogd writes on into the renamed file until it is told. */
static void test_opener_watches_a_file_behind_its_name(void **state)
{
	struct world *w = *state;

	make(w, "mail.log");
	CURRENT(w, "mail.log");
	must(rename(path_of(w, "mail.log"), path_of(w, "mail.log.1")) == 0);
	make(w, "mail.log");
	CURRENT(w, "mail.log");
	(void)woken(w);
	append(w, "mail.log.1");
	assert_true(woken(w));
	append(w, "mail.log");
	assert_true(woken(w));
}

static void test_opener_watches_where_a_directory_will_appear(void **state)
{
	struct world *w = *state;

	CONFIGURE(w, "a/b/mail.log");
	NOTHING(w);
	must(mkdir(path_of(w, "a"), 0700) == 0);
	assert_true(woken(w));
	NOTHING(w);
	must(mkdir(path_of(w, "a/b"), 0700) == 0);
	assert_true(woken(w));
	NOTHING(w);
	make(w, "a/b/mail.log");
	assert_true(woken(w));
	CURRENT(w, "a/b/mail.log");
	/* The watch above is of no use now. */
	(void)woken(w);
	make(w, "other");
	assert_false(woken(w));
	must(rename(path_of(w, "a/b"), path_of(w, "a/c")) == 0);
	assert_true(woken(w));
}

/* --- rotated files ---------------------------------------------------------
 */

static void test_opener_lists_rotated_files_newest_first(void **state)
{
	struct world *w = *state;

	static const char *const names[] = { "mail.log", "mail.log.0",
		"mail.log.1", "mail-20261120.log", "mail.log-20261119.gz",
		"mail.log.2.gz", "mail.log.old", "mail.log.3.zst" };
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		make(w, names[i]);
		date(w, names[i], 1700000000 - (time_t)i);
	}
	make(w, "mail.log.swp");
	make(w, "mail.logs");
	make(w, "mail.err");
	make(w, "xmail.log.1");
	must(symlink("mail.log.1", path_of(w, "mail.log.7")) == 0);
	must(mkdir(path_of(w, "mail.log.8"), 0700) == 0);
	must(mkfifo(path_of(w, "mail.log.9"), 0700) == 0);
	SIBLINGS(w, "mail.log", "mail.log.0", "mail.log.1", "mail-20261120.log",
	    "mail.log-20261119.gz", "mail.log.2.gz", "mail.log.old",
	    "mail.log.3.zst");
	/* Also when the file itself is away. */
	must(unlink(path_of(w, "mail.log")) == 0);
	w->count = 0;
	assert_int_equal(opener_run(w->opener, OPEN_SIBLINGS,
			     path_of(w, "mail.log"), take, w),
	    7);
}

static void test_opener_lists_by_name_within_one_tick(void **state)
{
	struct world *w = *state;

	static const char *const names[] = { "mail.log.2", "mail.log.10",
		"mail.log.1" };
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		make(w, names[i]);
		date(w, names[i], 1700000000);
	}
	SIBLINGS(w, "mail.log", "mail.log.1", "mail.log.2", "mail.log.10");
}

static void test_opener_lists_no_more_than_the_newest_64(void **state)
{
	struct world *w = *state;
	char name[32];

	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "mail.log.%d", i);
		make(w, name);
		date(w, name, 1700000000 + i * 37 % 100);
	}
	w->count = 0;
	assert_int_equal(opener_run(w->opener, OPEN_SIBLINGS,
			     path_of(w, "mail.log"), take, w),
	    OPENER_SIBLINGS_MAX);
	/* 27 * 37 % 100 is 99. */
	assert_string_equal(w->got[0], "mail.log.27");
}

static void test_opener_lists_beside_a_links_target_too(void **state)
{
	struct world *w = *state;

	must(mkdir(path_of(w, "real"), 0700) == 0);
	make(w, "real/mail-20261120.log");
	make(w, "real/mail-20261119.log");
	make(w, "real/mail-20261118.log.gz");
	make(w, "real/mail.err");
	make(w, "mail.log.1");
	must(symlink("real/mail-20261120.log", path_of(w, "mail.log")) == 0);
	w->count = 0;
	assert_int_equal(opener_run(w->opener, OPEN_SIBLINGS,
			     path_of(w, "mail.log"), take, w),
	    3);
}

static void test_opener_lists_nothing_the_configuration_does_not_name(
    void **state)
{
	struct world *w = *state;

	must(mkdir(path_of(w, "d"), 0700) == 0);
	must(mkdir(path_of(w, "other"), 0700) == 0);
	make(w, "other/mail.log.1");
	make(w, "d/mail.log.1");
	make(w, "secret.1");
	CONFIGURE(w, "d/*.log", "*/x.log");
	SIBLINGS(w, "d/mail.log", "d/mail.log.1");
	expect(w, OPEN_SIBLINGS, "secret", NULL, 0);
	expect(w, OPEN_SIBLINGS, "other/mail.log", NULL, 0);
	expect(w, OPEN_SIBLINGS, "d/../other/mail.log", NULL, 0);
	expect(w, OPEN_SIBLINGS, "../x.log", NULL, 0);
	expect(w, OPEN_SIBLINGS, NULL, NULL, 0);
	w->count = 0;
	assert_int_equal(
	    opener_run(w->opener, OPEN_SIBLINGS, "mail.log", take, w), 0);
}

static void test_opener_knows_rotated_names(void **state)
{
	static const char *const yes[] = { "m.log.1", "m.log.0", "m.log.12",
		"m.log.2.gz", "m.log.2.zst", "m.log-20261120",
		"m.log-20261120.gz", "m.log.old", "m-20261120.log", "m.1.log",
		"m.log.gz", "m.log-2026-11-20T00:00:00", "m-20261120.log.gz",
		"m.log.20261120", "m.log-20261120-1795000000" };
	static const char *const no[] = { "m.log", "m.log.", "m.log.x",
		"m.logs", "m.log.1x", "m.log~", "mm.log.1", "m.lo", "m",
		"m.log.swp", "m.log-", "m.log.old.1x", "m-x.log", "m.err.1",
		"m.log.1.bak" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(yes); i++)
		if (!names_rotated("m.log", yes[i]))
			fail_msg("%s", yes[i]);
	for (size_t i = 0; i < COUNT_OF(no); i++)
		if (names_rotated("m.log", no[i]))
			fail_msg("%s", no[i]);
	assert_true(names_rotated("maillog", "maillog.1"));
	assert_false(names_rotated("maillog", "mail-1log"));
	assert_false(names_rotated("x.gz", "x.gz"));
	assert_true(names_dated("m-20261119.log", "m-20261120.log"));
	assert_true(names_dated("m-20261119.log", "m-20261120.log.gz"));
	assert_false(names_dated("m-20261119.log", "m-2026112.log"));
	assert_false(names_dated("m.log", "m.log"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_opener_opens_a_file_and_waits_for_a_missing_one),
		TEST(test_opener_opens_what_patterns_name_but_no_rotated_files),
		TEST(test_opener_opens_dated_logs_that_have_no_current_name),
		TEST(test_opener_gives_a_file_once),
		TEST(test_opener_gives_no_more_than_its_limit),
		TEST(test_opener_refuses_what_is_no_regular_file),
		TEST(test_opener_refuses_a_file_that_everybody_may_write),
		TEST(test_opener_refuses_foreign_owners),
		TEST(test_opener_refuses_links_of_foreign_owners),
		TEST(test_opener_refuses_directories_that_everybody_may_change),
		TEST(test_opener_follows_four_links_and_no_more),
		TEST(test_opener_watches_the_way_of_links),
		TEST(test_opener_wakes_for_our_files_only),
		TEST(test_opener_watches_a_file_behind_its_name),
		TEST(test_opener_watches_where_a_directory_will_appear),
		TEST(test_opener_lists_rotated_files_newest_first),
		TEST(test_opener_lists_by_name_within_one_tick),
		TEST(test_opener_lists_no_more_than_the_newest_64),
		TEST(test_opener_lists_beside_a_links_target_too),
		TEST(test_opener_lists_nothing_the_configuration_does_not_name),
		cmocka_unit_test(test_opener_knows_rotated_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
