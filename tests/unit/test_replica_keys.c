/* SPDX-License-Identifier: ISC */
/* test_replica_keys - the file that the nodes of a site sign with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "replica/keys.h"

#define SECRET_A "0123456789abcdef0123456789abcdef"
#define SECRET_B "fedcba9876543210fedcba9876543210"

static struct replica_keys *parse(const char *text, struct err *err)
{
	memset(err, 0, sizeof(*err));
	return replica_keys_parse(text, strlen(text), "keys", err);
}

static void test_replica_keys_first_signs_and_all_are_found(void **state)
{
	static const char text[] = "# made in spring\n"
				   "\n"
				   "  k2\t" SECRET_B "  \r\n"
				   "k1 " SECRET_A "\n";
	struct err err;
	struct replica_keys *k = parse(text, &err);
	const struct replica_key *first, *old;

	(void)state;
	assert_non_null(k);
	first = replica_keys_first(k);
	assert_string_equal(first->id, "k2");
	assert_int_equal(first->len, strlen(SECRET_B));
	assert_memory_equal(first->secret, SECRET_B, first->len);
	old = replica_keys_find(k, "k1 and more", 2);
	assert_non_null(old);
	assert_memory_equal(old->secret, SECRET_A, old->len);
	assert_null(replica_keys_find(k, "k", 1));
	assert_null(replica_keys_find(k, "k12", 3));
	assert_null(replica_keys_find(k, "", 0));
	replica_keys_free(&k);
	assert_null(k);
	replica_keys_free(&k);
}

static void test_replica_keys_last_line_needs_no_end(void **state)
{
	struct err err;
	struct replica_keys *k = parse("k " SECRET_A, &err);

	(void)state;
	assert_non_null(k);
	replica_keys_free(&k);
}

static void test_replica_keys_refuse_with_file_and_line(void **state)
{
	static const struct {
		const char *text, *said;
	} bad[] = {
		{ "", "keys:1: there is no key" },
		{ "# only words\n", "keys:1: there is no key" },
		{ "k1\n", "keys:1: the secret must" },
		{ SECRET_A "\n", "keys:1: expected the key's id" },
		{ "k1 0123456789abcdef0123456789abcde\n",
		    "keys:1: the secret must have 32" },
		{ "k1 " SECRET_A "\nk1 " SECRET_B "\n",
		    "keys:2: there is a key of this id" },
		{ "\nK1 " SECRET_A "\n", "keys:2: expected the key's id" },
		{ "k_1 " SECRET_A "\n", "keys:1: expected the key's id" },
		{ "k=1 " SECRET_A "\n", "keys:1: expected the key's id" },
		{ "abcdefghijklmnopq " SECRET_A "\n",
		    "keys:1: expected the key's id" },
		{ "k1 " SECRET_A " " SECRET_B "\n",
		    "keys:1: something stands behind" },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_null(parse(bad[i].text, &err));
		assert_int_equal(err.code, EXIT_USER);
		if (strncmp(err.text, bad[i].said, strlen(bad[i].said)) != 0)
			fail_msg("\"%s\" gave \"%s\"", bad[i].text, err.text);
		assert_null(strstr(err.text, "0123456789abcdef"));
	}
	assert_null(replica_keys_parse("k\0 " SECRET_A, 36, "keys", &err));
	assert_non_null(strstr(err.text, "no text"));
}

static void test_replica_keys_have_a_limit(void **state)
{
	char text[(REPLICA_KEYS_MAX + 1) * 64] = "";
	struct replica_keys *k;
	struct err err;
	size_t len = 0;

	(void)state;
	for (int i = 0; i < REPLICA_KEYS_MAX; i++)
		len += (size_t)snprintf(
		    text + len, sizeof(text) - len, "k%d " SECRET_A "\n", i);
	k = parse(text, &err);
	assert_non_null(k);
	assert_non_null(replica_keys_find(k, "k15", 3));
	replica_keys_free(&k);
	(void)snprintf(text + len, sizeof(text) - len, "k " SECRET_A "\n");
	assert_null(parse(text, &err));
	assert_non_null(strstr(err.text, "keys:17: more than 16"));
}

static void write_file(const char *path, mode_t mode, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

static void test_replica_keys_file_is_for_nobody_else(void **state)
{
	static const mode_t bad[] = { 0640, 0604, 0660, 0620, 0602 };
	char path[] = "/tmp/relaypass-keys-XXXXXX";
	struct replica_keys *k;
	struct err err;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	(void)close(fd);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		write_file(path, bad[i], "k1 " SECRET_A "\n");
		assert_null(replica_keys_read(path, &err));
		assert_int_equal(err.code, EXIT_USER);
		assert_non_null(strstr(err.text, path));
		assert_null(strstr(err.text, SECRET_A));
	}
	write_file(path, 0600, "k1 short\n");
	assert_null(replica_keys_read(path, &err));
	assert_null(strstr(err.text, "k1 short"));
	write_file(path, 0400, "");
	assert_null(replica_keys_read(path, &err));
	write_file(path, 0600, "k1 " SECRET_A "\n");
	k = replica_keys_read(path, &err);
	assert_non_null(k);
	assert_string_equal(replica_keys_first(k)->id, "k1");
	replica_keys_free(&k);
	(void)unlink(path);
	assert_null(replica_keys_read(path, &err));
	assert_int_equal(err.code, EXIT_USER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_replica_keys_first_signs_and_all_are_found),
		cmocka_unit_test(test_replica_keys_last_line_needs_no_end),
		cmocka_unit_test(test_replica_keys_refuse_with_file_and_line),
		cmocka_unit_test(test_replica_keys_have_a_limit),
		cmocka_unit_test(test_replica_keys_file_is_for_nobody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
