/* SPDX-License-Identifier: ISC */
/*
 * test_relay_ctrl_file - the lease files of relay-ctrl: what is written is
 * found, for as long as it may be, and nothing else in that directory does
 * harm. Files are dated, the clock is an argument.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/relay-ctrl-env.h"
#include "cmd/relay-ctrl-file.h"

enum { EXPIRY = 900, SECONDS = 1700000000 };

static const struct moment now = { SECONDS * 1000LL + 321, 5000 };

struct world {
	char dir[64];
	struct lease_dir d;
	struct addr v4, v6;
};

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	const char *what;

	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/test-ctrl-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(clearenv(), 0);
	assert_int_equal(setenv("RELAY_CTRL_DIR", w->dir, 1), 0);
	assert_int_equal(lease_dir_open(&w->d, &what), 0);
	assert_false(w->d.shared);
	assert_true(addr_parse("192.0.2.7", 9, &w->v4));
	assert_true(addr_parse("2001:db8::7", 11, &w->v6));
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	DIR *dir = opendir(w->dir);
	const struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir)))
		if (unlinkat(w->d.fd, e->d_name, 0) < 0)
			(void)unlinkat(w->d.fd, e->d_name, AT_REMOVEDIR);
	(void)closedir(dir);
	lease_dir_close(&w->d);
	assert_int_equal(w->d.fd, -1);
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
	return 0;
}

/* A file as another program has left it, dated seconds from now. */
static void leave(const struct world *w, const char *name, const char *bytes,
    size_t len, long seconds)
{
	const struct timespec at[2] = { { SECONDS + seconds, 0 },
		{ SECONDS + seconds, 0 } };
	AUTO_CLOSE int fd =
	    openat(w->d.fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	assert_int_equal(futimens(fd, at), 0);
}

static bool is_there(const struct world *w, const char *name)
{
	struct stat st;

	return fstatat(w->d.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static size_t count(const struct world *w)
{
	DIR *dir = opendir(w->dir);
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n - 2;
}

static enum lease_file_state look(
    const struct world *w, const struct addr *a, char *out, size_t *len)
{
	return lease_file_look(&w->d, a, EXPIRY, now, out, len);
}

static void date(const struct world *w, const char *name, long seconds)
{
	const struct timespec at[2] = { { SECONDS + seconds, 0 },
		{ SECONDS + seconds, 0 } };

	assert_int_equal(utimensat(w->d.fd, name, at, 0), 0);
}

static void test_lease_file_is_found_when_it_is_written(void **state)
{
	static const char bytes[] = "USER=anna\0DOMAIN=example.net";
	const struct world *w = *state;
	char out[LEASE_FILE_MAX];
	struct stat st;
	size_t len;

	assert_int_equal(
	    lease_file_write(&w->d, &w->v4, bytes, sizeof(bytes), now), 0);
	assert_int_equal(lease_file_write(&w->d, &w->v6, "", 0, now), 0);
	assert_true(is_there(w, "192.0.2.7") && is_there(w, "2001:db8::7"));
	assert_int_equal(count(w), 2);
	date(w, "192.0.2.7", 0);
	date(w, "2001:db8::7", -EXPIRY);
	assert_int_equal(look(w, &w->v4, out, &len), LEASE_FILE_LIVE);
	assert_int_equal(len, sizeof(bytes));
	assert_memory_equal(out, bytes, sizeof(bytes));
	assert_int_equal(look(w, &w->v6, out, &len), LEASE_FILE_LIVE);
	assert_int_equal(len, 0);
	assert_int_equal(fstatat(w->d.fd, "192.0.2.7", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* Again, by others, while it is read: always a whole one. */
static void test_lease_file_is_replaced_whole(void **state)
{
	struct world *w = *state;
	char out[LEASE_FILE_MAX];
	struct stat st;
	size_t len;
	mode_t before = umask(0777);

	w->d.shared = true;
	leave(w, "192.0.2.7", "USER=old", 9, -EXPIRY - 1);
	int reader = openat(w->d.fd, "192.0.2.7", O_RDONLY);
	assert_int_equal(
	    lease_file_write(&w->d, &w->v4, "USER=new", 9, now), 0);
	(void)umask(before);
	assert_int_equal(read(reader, out, sizeof(out)), 9);
	assert_string_equal(out, "USER=old");
	(void)close(reader);
	date(w, "192.0.2.7", 0);
	assert_int_equal(look(w, &w->v4, out, &len), LEASE_FILE_LIVE);
	assert_string_equal(out, "USER=new");
	assert_int_equal(fstatat(w->d.fd, "192.0.2.7", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(count(w), 1);
}

static void test_lease_file_runs_out_on_both_sides(void **state)
{
	static const struct {
		long seconds;
		enum lease_file_state state;
	} rows[] = { { 0, LEASE_FILE_LIVE }, { -EXPIRY, LEASE_FILE_LIVE },
		{ -EXPIRY - 1, LEASE_FILE_EXPIRED },
		{ -SECONDS, LEASE_FILE_EXPIRED },
		{ LEASE_FILE_SKEW, LEASE_FILE_LIVE },
		{ LEASE_FILE_SKEW + 1, LEASE_FILE_EXPIRED },
		{ 1000000000, LEASE_FILE_EXPIRED } };
	const struct world *w = *state;
	char out[LEASE_FILE_MAX];
	size_t len;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		leave(w, "192.0.2.7", "x", 1, rows[i].seconds);
		assert_int_equal(look(w, &w->v4, out, &len), rows[i].state);
		assert_int_equal(
		    is_there(w, "192.0.2.7"), rows[i].state == LEASE_FILE_LIVE);
		assert_int_equal(len, rows[i].state == LEASE_FILE_LIVE);
	}
	assert_int_equal(look(w, &w->v4, out, &len), LEASE_FILE_NONE);
	assert_int_equal(errno, ENOENT);
}

static void test_lease_file_must_be_a_file(void **state)
{
	const struct world *w = *state;
	char out[LEASE_FILE_MAX];
	size_t len;

	assert_int_equal(symlinkat("/etc/passwd", w->d.fd, "192.0.2.7"), 0);
	assert_int_equal(look(w, &w->v4, out, &len), LEASE_FILE_NONE);
	assert_int_equal(mkfifoat(w->d.fd, "2001:db8::7", 0666), 0);
	assert_int_equal(look(w, &w->v6, out, &len), LEASE_FILE_NONE);
	/* Writing replaces either, and follows neither. */
	assert_int_equal(lease_file_touch(&w->d, &w->v4, now), 0);
	assert_int_equal(lease_file_touch(&w->d, &w->v6, now), 0);
	date(w, "192.0.2.7", 0);
	date(w, "2001:db8::7", 0);
	assert_int_equal(look(w, &w->v4, out, &len), LEASE_FILE_LIVE);
	assert_int_equal(len, 0);
	assert_int_equal(look(w, &w->v6, out, &len), LEASE_FILE_LIVE);
}

static void test_lease_file_cannot_replace_a_directory(void **state)
{
	const struct world *w = *state;

	assert_int_equal(mkdirat(w->d.fd, "192.0.2.7", 0755), 0);
	assert_int_equal(lease_file_touch(&w->d, &w->v4, now), -1);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(count(w), 1);
}

static void test_lease_file_touch_keeps_what_it_holds(void **state)
{
	const struct world *w = *state;
	char out[LEASE_FILE_MAX];
	struct stat st;
	size_t len;

	leave(w, "192.0.2.7", "USER=anna", 10, -EXPIRY - 1);
	assert_int_equal(lease_file_touch(&w->d, &w->v4, now), 0);
	assert_int_equal(fstatat(w->d.fd, "192.0.2.7", &st, 0), 0);
	assert_true(st.st_mtim.tv_sec > SECONDS + 1000);
	date(w, "192.0.2.7", 0);
	assert_int_equal(look(w, &w->v4, out, &len), LEASE_FILE_LIVE);
	assert_string_equal(out, "USER=anna");
}

static void test_lease_file_value_is_whole_and_clean(void **state)
{
	static const char bytes[] = "USER=anna\0DOMAIN=\0PATH=/tmp\0NOVALUE\0"
				    "X=1\0X=2\0Y=a\nb\0Z=z\0Z=\x7f\0=e\0"
				    "LAST=cut";
	const size_t len = sizeof(bytes) - 1;

	(void)state;
	assert_string_equal(lease_file_value(bytes, len, "USER"), "anna");
	assert_string_equal(lease_file_value(bytes, len, "DOMAIN"), "");
	assert_string_equal(lease_file_value(bytes, len, "X"), "2");
	assert_null(lease_file_value(bytes, len, "Y"));
	assert_null(lease_file_value(bytes, len, "Z"));
	assert_null(lease_file_value(bytes, len, "NOVALUE"));
	assert_null(lease_file_value(bytes, len, "NOVAL"));
	assert_null(lease_file_value(bytes, len, "OMAIN"));
	assert_null(lease_file_value(bytes, len, "USE"));
	assert_null(lease_file_value(bytes, len, "LAST"));
	assert_null(lease_file_value(bytes, 0, "USER"));
	assert_null(lease_file_value(bytes, 9, "USER"));
	assert_non_null(lease_file_value(bytes, 10, "USER"));
}

static void test_lease_file_age_removes_what_ran_out(void **state)
{
	const struct world *w = *state;

	leave(w, "192.0.2.7", "", 0, -EXPIRY);
	leave(w, "192.0.2.8", "", 0, -EXPIRY - 1);
	leave(w, "192.0.2.9", "", 0, LEASE_FILE_SKEW + 1);
	leave(w, ".1699990000.000000:77", "", 0, -EXPIRY - 1);
	leave(w, ".1700000000.000000:78", "", 0, 0);
	leave(w, "README", "", 0, -EXPIRY - 1);
	assert_int_equal(mkdirat(w->d.fd, "kept", 0755), 0);
	date(w, "kept", -EXPIRY - 1);
	assert_int_equal(lease_file_age(&w->d, EXPIRY, now), 4);
	assert_int_equal(count(w), 3);
	assert_true(is_there(w, "192.0.2.7") && is_there(w, "kept") &&
		    is_there(w, ".1700000000.000000:78"));
	/* Again: the descriptor stands at the beginning. */
	assert_int_equal(lease_file_age(&w->d, -1, now), 2);
}

/* --- the directory ----------------------------------------------------------
 */

static void test_lease_dir_takes_the_descriptor_of_chdir(void **state)
{
	const struct world *w = *state;
	struct lease_dir d;
	const char *what;
	char text[16];
	int fd = open(w->dir, O_RDONLY | O_DIRECTORY);

	(void)snprintf(text, sizeof(text), "%d", fd);
	assert_int_equal(setenv("RELAY_CTRL_DIR_FD", text, 1), 0);
	assert_int_equal(setenv("RELAY_CTRL_DIR", "/nowhere", 1), 0);
	assert_int_equal(lease_dir_open(&d, &what), 0);
	assert_true(d.shared);
	assert_null(getenv("RELAY_CTRL_DIR_FD"));
	/* The next program gets neither it nor our copy. */
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(fcntl(d.fd, F_GETFD), FD_CLOEXEC);
	lease_dir_close(&d);
}

static void test_lease_dir_refuses_what_is_none(void **state)
{
	static const char *const bad[] = { "", "x", "-1", "0", "2", "3x",
		"999999999999999999999", "65000" };
	const struct world *w = *state;
	struct lease_dir d;
	const char *what = "x";
	char text[16];
	int pair[2];

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(setenv("RELAY_CTRL_DIR_FD", bad[i], 1), 0);
		assert_int_equal(lease_dir_open(&d, &what), -1);
		assert_string_equal(what, "RELAY_CTRL_DIR_FD");
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	(void)snprintf(text, sizeof(text), "%d", pair[0]);
	assert_int_equal(setenv("RELAY_CTRL_DIR_FD", text, 1), 0);
	assert_int_equal(lease_dir_open(&d, &what), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(d.fd, -1);
	(void)close(pair[1]);
	assert_int_equal(unsetenv("RELAY_CTRL_DIR_FD"), 0);
	leave(w, "file", "", 0, 0);
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/file", w->dir);
	assert_int_equal(setenv("RELAY_CTRL_DIR", path, 1), 0);
	assert_int_equal(lease_dir_open(&d, &what), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_string_equal(what, path);
	assert_int_equal(unsetenv("RELAY_CTRL_DIR"), 0);
	assert_int_equal(lease_dir_open(&d, &what), -1);
	assert_null(what);
}

/* --- the environment --------------------------------------------------------
 */

static void test_ctrl_names_are_two_and_the_administrators(void **state)
{
	struct ctrl_names n;

	(void)state;
	assert_int_equal(clearenv(), 0);
	ctrl_names(&n);
	assert_int_equal(n.count, 2);
	assert_string_equal(n.names[0], "USER");
	assert_string_equal(n.names[1], "DOMAIN");
	assert_int_equal(
	    setenv("RELAY_CTRL_ENV", "VUSER,RELAYCLIENT,A B,1X,,_x9", 1), 0);
	ctrl_names(&n);
	assert_int_equal(n.count, 4);
	assert_string_equal(n.names[2], "VUSER");
	assert_string_equal(n.names[3], "_x9");
	assert_int_equal(
	    setenv("RELAY_CTRL_ENV", "A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q", 1),
	    0);
	ctrl_names(&n);
	assert_int_equal(n.count, CTRL_NAMES_MAX);
}

static void test_ctrl_number_has_a_default(void **state)
{
	static const struct {
		const char *text;
		int64_t number;
	} rows[] = { { "", 900 }, { "0", 900 }, { "-5", 900 }, { "x", 900 },
		{ "60", 60 }, { "60s", 900 }, { "5000", 1000 },
		{ "99999999999999999999", 900 } };

	(void)state;
	assert_int_equal(unsetenv("RELAY_CTRL_EXPIRY"), 0);
	assert_int_equal(ctrl_number("RELAY_CTRL_EXPIRY", 900, 1000), 900);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(
		    setenv("RELAY_CTRL_EXPIRY", rows[i].text, 1), 0);
		assert_int_equal(ctrl_number("RELAY_CTRL_EXPIRY", 900, 1000),
		    rows[i].number);
	}
}

static void test_ctrl_client_waits_for_courier(void **state)
{
	struct addr a, want;

	(void)state;
	assert_int_equal(clearenv(), 0);
	assert_false(ctrl_client(&a));
	assert_int_equal(setenv("TCPREMOTEIP", "::ffff:192.0.2.7", 1), 0);
	assert_true(ctrl_client(&a));
	assert_true(addr_parse("192.0.2.7", 9, &want));
	assert_true(addr_equal(&a, &want));
	assert_int_equal(setenv("AUTHUSER", "x", 1), 0);
	assert_true(ctrl_client(&a));
	assert_int_equal(setenv("AUTHARGV0", "x", 1), 0);
	assert_false(ctrl_client(&a));
	assert_int_equal(setenv("AUTHENTICATED", "", 1), 0);
	assert_false(ctrl_client(&a));
	assert_int_equal(setenv("AUTHENTICATED", "anna", 1), 0);
	assert_true(ctrl_client(&a));
	assert_int_equal(setenv("TCPREMOTEIP", "999.9.9", 1), 0);
	assert_false(ctrl_client(&a));
	assert_int_equal(setenv("TCPREMOTEIP", "...", 1), 0);
	assert_false(ctrl_client(&a));
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(test_lease_file_is_found_when_it_is_written),
		WORLD(test_lease_file_is_replaced_whole),
		WORLD(test_lease_file_runs_out_on_both_sides),
		WORLD(test_lease_file_must_be_a_file),
		WORLD(test_lease_file_cannot_replace_a_directory),
		WORLD(test_lease_file_touch_keeps_what_it_holds),
		WORLD(test_lease_file_value_is_whole_and_clean),
		WORLD(test_lease_file_age_removes_what_ran_out),
		WORLD(test_lease_dir_takes_the_descriptor_of_chdir),
		WORLD(test_lease_dir_refuses_what_is_none),
		cmocka_unit_test(
		    test_ctrl_names_are_two_and_the_administrators),
		cmocka_unit_test(test_ctrl_number_has_a_default),
		cmocka_unit_test(test_ctrl_client_waits_for_courier),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
