/* SPDX-License-Identifier: ISC */
/*
 * test_export_folders - the directories with a file for each lease: their
 * names, content and times, what is removed, and what is not.
 */
#include "export_world.h"

#include <errno.h>

#define WORLD(name)                                                            \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
#define FULL "2001.0db8.0000.0000.0000.0000.0000.0007"

extern const struct export_kind export_dsearch, export_relay_ctrl;

static bool exists(const char *name)
{
	return access(world_path(name), F_OK) == 0;
}

static void bring_all(void)
{
	slice_begin(&world->slice, true);
	(void)slice_add(&world->slice, "192.0.2.7", "al@example.org", 9000);
	(void)slice_add(&world->slice, "2001:db8::7", "bo", 9000);
	(void)slice_add(&world->slice, "2001:db8:1:2::/64", "", 9000);
	assert_true(world_bring());
}

static void test_dsearch_has_either_name_of_ipv6(void **state)
{
	struct stat st;

	(void)state;
	(void)umask(077);
	assert_true(world_try(&export_dsearch, "path = \"~\""));
	bring_all();
	(void)umask(022);
	assert_true(exists("192.0.2.7") && exists("2001:db8::7"));
	assert_true(exists(FULL));
	assert_int_equal(world_names(), 3);
	assert_int_equal(stat(world_path("192.0.2.7"), &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	slice_begin(&world->slice, false);
	(void)slice_add(&world->slice, "2001:db8::7", "", 0);
	(void)slice_add(&world->slice, "192.0.2.99", "", 0);
	assert_true(world_bring());
	assert_int_equal(world_names(), 1);
}

static void test_a_snapshot_removes_old_leases_and_nothing_else(void **state)
{
	static const char *const others[] = { "README", "192.0.2.0",
		"192.0.2.07", ".htaccess", "2001.0db8", "192.0.2.7.bak" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(others); i++)
		world_write(others[i], "mine");
	world_write("192.0.2.66", "");
	world_write("2001.0db8.0000.0000.0000.0000.0000.0066", "");
	world_write("2001:db8::66", "");
	world_write("192.0.2.7", "");
	assert_true(world_try(&export_dsearch, "path = \"~\""));
	bring_all();
	assert_false(exists("192.0.2.66") || exists("2001:db8::66"));
	assert_false(exists("2001.0db8.0000.0000.0000.0000.0000.0066"));
	/* 192.0.2.0 is the name of an address: nobody else's. */
	assert_false(exists("192.0.2.0"));
	for (size_t i = 0; i < COUNT_OF(others); i++)
		assert_true(i == 1 || exists(others[i]));
	assert_true(exists("192.0.2.7") && exists(FULL));
}

static void test_a_snapshot_in_slices_keeps_all_of_them(void **state)
{
	(void)state;
	world_write("192.0.2.66", "");
	assert_true(world_try(&export_dsearch, "path = \"~\""));
	slice_begin(&world->slice, true);
	world->slice.last = false;
	(void)slice_add(&world->slice, "192.0.2.1", "", 9000);
	assert_true(world_bring());
	assert_true(exists("192.0.2.66"));
	world->slice.first = false;
	world->slice.last = true;
	world->slice.count = 0;
	(void)slice_add(&world->slice, "192.0.2.2", "", 9000);
	assert_true(world_bring());
	assert_true(exists("192.0.2.1") && exists("192.0.2.2"));
	assert_false(exists("192.0.2.66"));
}

static void expect_content(const char *name, const char *want, size_t len)
{
	size_t got = 0;
	char *text = world_read(name, &got);

	assert_non_null(text);
	assert_int_equal(got, len);
	assert_memory_equal(text, want, len);
	free(text);
}

static void test_relay_ctrl_files_are_as_its_own(void **state)
{
	struct stat st;
	ino_t inode;

	(void)state;
	world_write(".relaypass-t", "of one that died");
	assert_true(world_try(&export_relay_ctrl, "path = \"~\""));
	bring_all();
	expect_content(
	    "192.0.2.7", "USER=al\0DOMAIN=example.org", sizeof("USER=al") + 19);
	expect_content("2001:db8::7", "USER=bo", sizeof("USER=bo"));
	assert_int_equal(world_names(), 2);
	assert_int_equal(stat(world_path("192.0.2.7"), &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1700000000);
	assert_int_equal(st.st_mode & 07777, 0644);
	/* The same again is not written; another login is. */
	inode = st.st_ino;
	bring_all();
	assert_int_equal(stat(world_path("192.0.2.7"), &st), 0);
	assert_int_equal(st.st_ino, inode);
	slice_begin(&world->slice, false);
	slice_add(&world->slice, "192.0.2.7", "", 9000)->last_login = 1500;
	assert_true(world_bring());
	assert_int_equal(stat(world_path("192.0.2.7"), &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1);
	assert_int_equal(st.st_mtim.tv_nsec, 500000000);
	assert_int_equal(st.st_size, 0);
}

static void test_relay_ctrl_times_can_be_those_of_the_end(void **state)
{
	struct stat st;

	(void)state;
	assert_true(
	    world_try(&export_relay_ctrl, "path = \"~\" expiry = \"15m\""));
	bring_all();
	assert_int_equal(stat(world_path("192.0.2.7"), &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1700000009 - 900);
}

static void test_a_name_can_only_be_a_name(void **state)
{
	static const char *const odd[] = { "a b", "a\nb", "x\x7f", "" };
	static const char long_name[] = "u@example.org@example.net";

	(void)state;
	assert_true(world_try(&export_relay_ctrl, "path = \"~\""));
	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		slice_begin(&world->slice, true);
		(void)slice_add(
		    &world->slice, "192.0.2.7", odd[i], 9000 + (int64_t)i);
		assert_true(world_bring());
		expect_content("192.0.2.7", "", 0);
	}
	slice_begin(&world->slice, true);
	slice_add(&world->slice, "192.0.2.7", long_name, 1)->last_login = 5;
	assert_true(world_bring());
	expect_content("192.0.2.7", "USER=u@example.org\0DOMAIN=example.net",
	    sizeof("USER=u@example.org") + sizeof("DOMAIN=example.net"));
}

static void test_a_full_disk_does_not_keep_what_has_ended(void **state)
{
	(void)state;
	assert_true(world_try(&export_relay_ctrl, "path = \"~\""));
	bring_all();
	/* A name that is taken is as good as no room: nothing can be made. */
	assert_int_equal(mkdir(world_path(".relaypass-t"), 0755), 0);
	slice_begin(&world->slice, false);
	(void)slice_add(&world->slice, "192.0.2.8", "", 9000);
	(void)slice_add(&world->slice, "192.0.2.7", "", 0);
	assert_false(world_bring());
	assert_false(exists("192.0.2.7") || exists("192.0.2.8"));
	assert_int_equal(rmdir(world_path(".relaypass-t")), 0);
	assert_true(world_bring());
	assert_true(exists("192.0.2.8"));
}

static void test_everybodys_directory_is_refused(void **state)
{
	(void)state;
	assert_int_equal(chmod(dir, 0777), 0);
	assert_false(world_try(&export_relay_ctrl, "path = \"~\""));
	world_close();
	assert_false(world_try(&export_dsearch, "path = \"~\""));
	world_close();
	assert_false(world_try(&export_dsearch, "path = \"~/none\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(test_dsearch_has_either_name_of_ipv6),
		WORLD(test_a_snapshot_removes_old_leases_and_nothing_else),
		WORLD(test_a_snapshot_in_slices_keeps_all_of_them),
		WORLD(test_relay_ctrl_files_are_as_its_own),
		WORLD(test_relay_ctrl_times_can_be_those_of_the_end),
		WORLD(test_a_name_can_only_be_a_name),
		WORLD(test_a_full_disk_does_not_keep_what_has_ended),
		WORLD(test_everybodys_directory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
