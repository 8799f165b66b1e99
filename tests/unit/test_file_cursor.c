/* SPDX-License-Identifier: ISC */
/*
 * test_file_cursor - cursor bytes of the file source, and the seek by stamps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "source/file_cursor.h"
#include "source/file_seek.h"

static struct file_cursor sample(void)
{
	struct file_cursor c = { .count = FILE_CURSOR_PLACES };

	for (size_t i = 0; i < c.count; i++)
		c.places[i] = (struct place){
			.dev = 0xfd00 + i,
			.ino = UINT64_MAX - i,
			.offset = INT64_MAX - (int64_t)i,
			.size = 12345,
			.mtime = -1,
			.head_hash = UINT64_C(0x123456789abcdef0),
			.head_len = (uint16_t)(PLACE_HEAD_MAX - i),
			.done = i % 2 == 0,
		};
	return c;
}

static void test_file_cursor_reads_back_what_it_wrote(void **state)
{
	struct file_cursor c = sample(), back;
	uint8_t bytes[SOURCE_CURSOR_MAX];

	(void)state;
	for (c.count = 1; c.count <= FILE_CURSOR_PLACES; c.count++) {
		size_t len = file_cursor_encode(&c, bytes);
		assert_true(file_cursor_decode(bytes, len, &back));
		assert_int_equal(back.count, c.count);
		for (size_t i = 0; i < c.count; i++) {
			assert_true(back.places[i].ino == c.places[i].ino);
			assert_true(
			    back.places[i].offset == c.places[i].offset);
			assert_true(back.places[i].mtime == -1);
			assert_int_equal(
			    back.places[i].head_len, c.places[i].head_len);
			assert_int_equal(back.places[i].done, i % 2 == 0);
		}
	}
}

static void test_file_cursor_refuses_other_bytes(void **state)
{
	struct file_cursor c = sample(), back;
	uint8_t bytes[SOURCE_CURSOR_MAX + 1] = { 0 };
	size_t len = file_cursor_encode(&c, bytes);

	(void)state;
	for (size_t i = 0; i <= SOURCE_CURSOR_MAX; i++)
		if (i != len)
			assert_false(file_cursor_decode(bytes, i, &back));
	bytes[0]++; /* another version */
	assert_false(file_cursor_decode(bytes, len, &back));
	bytes[0]--;
	bytes[2] = 2; /* flags */
	assert_false(file_cursor_decode(bytes, len, &back));
	bytes[2] = 1;
	assert_true(file_cursor_decode(bytes, len, &back));
	c.places[1].offset = -1;
	len = file_cursor_encode(&c, bytes);
	assert_false(file_cursor_decode(bytes, len, &back));
	assert_int_equal(back.count, 0);
	c = sample();
	c.places[3].head_len = PLACE_HEAD_MAX + 1;
	len = file_cursor_encode(&c, bytes);
	assert_false(file_cursor_decode(bytes, len, &back));
	c.places[3].head_len = 0; /* read to somewhere, but of what? */
	len = file_cursor_encode(&c, bytes);
	assert_false(file_cursor_decode(bytes, len, &back));
}

static void test_file_cursor_hash_tells_bytes_and_lengths_apart(void **state)
{
	uint8_t bytes[PLACE_HEAD_MAX] = { 0 };
	uint64_t hashes[PLACE_HEAD_MAX * 2];
	size_t n = 0;

	(void)state;
	for (size_t i = 1; i <= PLACE_HEAD_MAX; i++)
		hashes[n++] = place_hash(bytes, i);
	for (size_t i = 0; i < PLACE_HEAD_MAX; i++) {
		bytes[i] = 1;
		hashes[n++] = place_hash(bytes, PLACE_HEAD_MAX);
		bytes[i] = 0;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			assert_true(hashes[i] != hashes[j]);
}

/* --- the seek --- */

static int64_t stamp(void *ctx, const char *line, size_t len)
{
	char text[32] = "";

	(void)ctx;
	memcpy(text, line, len < sizeof(text) ? len : sizeof(text) - 1);
	return line[0] >= '0' && line[0] <= '9' ? strtoll(text, NULL, 10) : -1;
}

/* n lines stamped 0 .. n - 1; every `gap`th line bears none. */
static int make_log(int n, int gap, int64_t *size)
{
	char path[] = "/tmp/relaypass-seek-XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(dup(fd), "w");

	must(fd >= 0 && f);
	for (int i = 0; i < n; i++)
		must(fprintf(f, i % gap ? "%d and %*d\n" : "\t%d %*d\n", i,
			 i % 97, i) > 0);
	must(fputs("a half line", f) >= 0);
	*size = ftell(f);
	must(fclose(f) == 0 && unlink(path) == 0);
	return fd;
}

static void check_seek(int fd, int64_t size, int64_t since)
{
	bool stamped;
	int64_t at = file_seek(fd, 0, size, since, stamp, NULL, &stamped);
	char text[200] = "";

	assert_true(stamped);
	if (at > 0) {
		assert_int_equal(pread(fd, text, 1, at - 1), 1);
		assert_int_equal(text[0], '\n');
	}
	/* The next stamp from there is not younger, and not much older. */
	assert_true(pread(fd, text, sizeof(text) - 1, at) > 0);
	int64_t found = stamp(NULL, text, strlen(text));
	if (found < 0)
		found = strtoll(text + 1, NULL, 10);
	assert_true(found <= since);
	assert_true(at == 0 || found >= since - 4000);
}

static void test_file_seek_finds_the_first_young_line(void **state)
{
	const int lines = 100000;
	int64_t size;
	AUTO_CLOSE int fd = make_log(lines, 5, &size);

	(void)state;
	for (int64_t since = 1; since < lines; since += 997)
		check_seek(fd, size, since);
	check_seek(fd, size, lines + 10);
}

static void test_file_seek_starts_at_the_end_without_stamps(void **state)
{
	int64_t size;
	bool stamped;
	AUTO_CLOSE int fd = make_log(10000, 1, &size);

	(void)state;
	assert_int_equal(
	    file_seek(fd, 0, size, 5, stamp, NULL, &stamped), size - 11);
	assert_false(stamped);
	/* A beginning that the caller gives is never passed. */
	assert_int_equal(
	    file_seek(fd, size - 5, size, 5, stamp, NULL, &stamped), size - 5);
	assert_int_equal(
	    file_seek(fd, size, size, 5, stamp, NULL, &stamped), size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_cursor_reads_back_what_it_wrote),
		cmocka_unit_test(test_file_cursor_refuses_other_bytes),
		cmocka_unit_test(
		    test_file_cursor_hash_tells_bytes_and_lengths_apart),
		cmocka_unit_test(test_file_seek_finds_the_first_young_line),
		cmocka_unit_test(
		    test_file_seek_starts_at_the_end_without_stamps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
