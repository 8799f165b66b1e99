/* SPDX-License-Identifier: ISC */
/*
 * test_secret - which files hold a secret, and when two secrets are equal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/secret.h"

static char dir[] = "/tmp/test-secret-XXXXXX";
static char path[64];

static int make_dir(void **state)
{
	(void)state;
	(void)snprintf(
	    path, sizeof(path), "%s", mkdtemp(dir) ? dir : "/nowhere");
	(void)snprintf(path, sizeof(path), "%s/file", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

static void write_file(const void *bytes, size_t len, mode_t mode)
{
	int fd;

	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static void reads(const char *text, size_t len, const char *want)
{
	struct err err = { 0 };
	char *secret;
	size_t got;

	write_file(text, len, 0600);
	if (secret_read(path, &secret, &got, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(got, strlen(want));
	assert_string_equal(secret, want);
	secret_free(&secret, got);
	assert_null(secret);
}

static void refuses(const char *why)
{
	struct err err = { 0 };
	char *secret;
	size_t got = 1;

	assert_int_equal(secret_read(path, &secret, &got, &err), -1);
	assert_null(secret);
	assert_int_equal(got, 0);
	assert_int_equal(err.code, EXIT_USER);
	assert_non_null(strstr(err.text, path));
	if (!strstr(err.text, why))
		fail_msg("\"%s\" lacks \"%s\"", err.text, why);
	assert_null(strstr(err.text, "hunter2"));
}

static void test_secret_read_cuts_one_line_end(void **state)
{
	(void)state;
	reads("hunter2", 7, "hunter2");
	reads("hunter2\n", 8, "hunter2");
	reads("hunter2\r\n", 9, "hunter2");
	reads("hunter2\n\n", 9, "hunter2\n");
	reads("one two\nthree\n", 14, "one two\nthree");
}

static void test_secret_read_keeps_every_other_byte(void **state)
{
	struct err err = { 0 };
	char *secret;
	size_t len;

	(void)state;
	write_file("a\0b\n", 4, 0400);
	assert_int_equal(secret_read(path, &secret, &len, &err), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(secret, "a\0b", 4);
	secret_free(&secret, len);
}

static void test_secret_read_refuses_empty_files(void **state)
{
	(void)state;
	write_file("", 0, 0600);
	refuses("empty");
	write_file("\n", 1, 0600);
	refuses("empty");
	write_file("\r\n", 2, 0600);
	refuses("empty");
}

static void test_secret_read_refuses_what_others_may_touch(void **state)
{
	static const mode_t modes[] = { 0640, 0604, 0620, 0602, 0644, 0666,
		0777, 0610 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		write_file("hunter2", 7, modes[i]);
		refuses("chmod 0600");
	}
}

static void test_secret_read_refuses_a_stranger_s_file(void **state)
{
	const struct passwd *nobody;

	(void)state;
	if (geteuid() != 0)
		skip();
	write_file("hunter2", 7, 0600);
	assert_int_equal(chown(path, 12345, 0), 0);
	refuses("belongs to user 12345; run: chown root ");
	/* As the administrator knows it. */
	assert_non_null(nobody = getpwnam("nobody"));
	assert_int_equal(chown(path, nobody->pw_uid, 0), 0);
	refuses("belongs to user nobody; run: chown root ");
}

static void test_secret_read_refuses_what_is_no_file(void **state)
{
	(void)state;
	(void)unlink(path);
	refuses("No such file");
	assert_int_equal(mkfifo(path, 0600), 0);
	refuses("not a regular file");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	refuses("not a regular file");
	assert_int_equal(rmdir(path), 0);
}

static void test_secret_read_refuses_a_long_file(void **state)
{
	char *bytes = xmalloc(SECRET_MAX + 1);
	struct err err = { 0 };
	char *secret;
	size_t len;

	(void)state;
	memset(bytes, 'x', SECRET_MAX + 1);
	write_file(bytes, SECRET_MAX + 1, 0600);
	refuses("longer");
	write_file(bytes, SECRET_MAX, 0600);
	assert_int_equal(secret_read(path, &secret, &len, &err), 0);
	assert_int_equal(len, SECRET_MAX);
	secret_free(&secret, len);
	free(bytes);
}

static void test_secret_equal_compares_all_bytes(void **state)
{
	char a[40], b[40];

	(void)state;
	memset(a, 'a', sizeof(a));
	memset(b, 'a', sizeof(b));
	assert_true(secret_equal(a, sizeof(a), b, sizeof(b)));
	assert_true(secret_equal("", 0, "", 0));
	assert_false(secret_equal(a, sizeof(a), b, sizeof(b) - 1));
	assert_false(secret_equal(a, 0, b, 1));
	for (size_t i = 0; i < sizeof(a); i++)
		for (unsigned bit = 1; bit < 256; bit <<= 1) {
			b[i] = (char)(b[i] ^ (char)bit);
			assert_false(secret_equal(a, sizeof(a), b, sizeof(b)));
			b[i] = a[i];
		}
}

/* --- rows ------------------------------------------------------------------
 */

static char rows[256];

/* NAME=SECRET; of each, "refused" is what the caller does not like. */
static const char *on_row(void *ctx, const char *name, size_t name_len,
    const char *secret, size_t len)
{
	size_t *calls = ctx, used = strlen(rows);

	++*calls;
	if (name_len == 7 && memcmp(name, "refused", name_len) == 0)
		return "it is refused";
	(void)snprintf(rows + used, sizeof(rows) - used, "%.*s=%.*s;",
	    (int)name_len, name, (int)len, secret);
	return NULL;
}

static void rows_are(const char *bytes, size_t len, const char *want)
{
	struct err err = { 0 };
	char *text = xmalloc(len + 1);
	size_t calls = 0;

	memcpy(text, bytes, len);
	*rows = '\0';
	if (secret_rows(text, len, "keys", on_row, &calls, &err) < 0) {
		assert_int_equal(err.code, EXIT_USER);
		assert_string_equal(err.text, want);
	} else {
		assert_string_equal(rows, want);
		assert_true(calls > 0);
	}
	free(text);
}
#define ROWS_ARE(text, want) rows_are(text, sizeof(text) - 1, want)

static void test_secret_rows_takes_each_row(void **state)
{
	(void)state;
	ROWS_ARE("# id\tsecret\n\n  \t\r\n a  one \r\nb\ttwo\t\nc three",
	    "a=one;b=two;c=three;");
	ROWS_ARE("lone\n", "lone=;");
}

static void test_secret_rows_names_the_bad_line(void **state)
{
	(void)state;
	ROWS_ARE("", "keys:1: there is no key in it");
	ROWS_ARE("#\n \n", "keys:1: there is no key in it");
	ROWS_ARE("a one\0\n", "keys:1: it is no text");
	ROWS_ARE("a one\nrefused two\n", "keys:2: it is refused");
	ROWS_ARE("a one\n\nb two three\n",
	    "keys:3: something stands behind the secret, which may hold no "
	    "blank");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secret_read_cuts_one_line_end),
		cmocka_unit_test(test_secret_read_keeps_every_other_byte),
		cmocka_unit_test(test_secret_read_refuses_empty_files),
		cmocka_unit_test(
		    test_secret_read_refuses_what_others_may_touch),
		cmocka_unit_test(test_secret_read_refuses_a_stranger_s_file),
		cmocka_unit_test(test_secret_read_refuses_what_is_no_file),
		cmocka_unit_test(test_secret_read_refuses_a_long_file),
		cmocka_unit_test(test_secret_equal_compares_all_bytes),
		cmocka_unit_test(test_secret_rows_takes_each_row),
		cmocka_unit_test(test_secret_rows_names_the_bad_line),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
