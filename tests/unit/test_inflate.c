/* SPDX-License-Identifier: ISC */
/*
 * test_inflate - packed files: whole, in several parts, damaged, cut, and made
 * to burst.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "source/inflate.h"

enum { TEXT_SIZE = 700001 };

static char text[TEXT_SIZE];

static int new_file(void)
{
	char path[] = "/tmp/relaypass-inflate-XXXXXX";
	int fd = mkstemp(path);

	must(fd >= 0 && unlink(path) == 0);
	return fd;
}

static void add_bytes(int fd, const void *bytes, size_t len)
{
	must(lseek(fd, 0, SEEK_END) >= 0);
	must(write(fd, bytes, len) == (ssize_t)len);
}

static void add_gzip(int fd, const char *from, size_t len)
{
	must(lseek(fd, 0, SEEK_END) >= 0);
	gzFile gz = gzdopen(dup(fd), "ab");
	must(gz && gzwrite(gz, from, (unsigned)len) == (int)len);
	must(gzclose(gz) == Z_OK);
}

static void add_zstd(int fd, const char *from, size_t len)
{
	size_t size = ZSTD_compressBound(len);
	AUTO_FREE char *out = xmalloc(size);

	size = ZSTD_compress(out, size, from, len, 3);
	must(!ZSTD_isError(size));
	add_bytes(fd, out, size);
}

static int fill_text(void **state)
{
	uint32_t x = 1;

	(void)state;
	for (size_t i = 0; i < TEXT_SIZE; i++) {
		x = x * 1664525 + 1013904223;
		text[i] = i % 50 == 49 ? '\n' : (char)('a' + (x >> 24) % 16);
	}
	return 0;
}

/* Reads in pieces; returns the last answer, *len is what came before. */
static ssize_t read_all(int fd, char *out, size_t piece, size_t *len)
{
	struct inflater *i = inflater_open(fd);
	ssize_t n;

	assert_non_null(i);
	*len = 0;
	while ((n = inflater_read(i, out + *len,
		    piece < TEXT_SIZE + 1 - *len ? piece
						 : TEXT_SIZE + 1 - *len)) > 0)
		*len += (size_t)n;
	/* The answer stays the same. */
	assert_int_equal(inflater_read(i, out + *len, 1), n);
	inflater_close(&i);
	assert_null(i);
	return n;
}

static void expect_text(int fd)
{
	static const size_t pieces[] = { 1, 7, 4096, 262144 };
	AUTO_FREE char *out = xmalloc(TEXT_SIZE + 1);
	size_t len;

	for (size_t p = 0; p < COUNT_OF(pieces); p++) {
		assert_int_equal(read_all(fd, out, pieces[p], &len), 0);
		assert_int_equal(len, TEXT_SIZE);
		assert_memory_equal(out, text, TEXT_SIZE);
	}
}

static void test_inflate_reads_gzip(void **state)
{
	AUTO_CLOSE int fd = new_file();

	(void)state;
	add_gzip(fd, text, TEXT_SIZE);
	expect_text(fd);
	assert_false(inflate_goes_beyond(fd, TEXT_SIZE));
	assert_true(inflate_goes_beyond(fd, TEXT_SIZE - 1));
}

static void test_inflate_reads_zstd(void **state)
{
	AUTO_CLOSE int fd = new_file();

	(void)state;
	add_zstd(fd, text, TEXT_SIZE);
	expect_text(fd);
	assert_false(inflate_goes_beyond(fd, TEXT_SIZE));
	assert_true(inflate_goes_beyond(fd, 5));
}

static void test_inflate_reads_several_members(void **state)
{
	AUTO_CLOSE int gz = new_file();
	AUTO_CLOSE int zst = new_file();

	(void)state;
	add_gzip(gz, text, 100);
	add_gzip(gz, text, 0);
	add_gzip(gz, text + 100, TEXT_SIZE - 100);
	add_bytes(gz, "\0\0\0\0\0", 5); /* tapes pad */
	expect_text(gz);
	add_zstd(zst, text, 100);
	add_zstd(zst, text + 100, TEXT_SIZE - 100);
	expect_text(zst);
	assert_true(inflate_goes_beyond(zst, TEXT_SIZE - 100));
}

static void test_inflate_leaves_plain_files_alone(void **state)
{
	AUTO_CLOSE int fd = new_file();

	(void)state;
	assert_null(inflater_open(fd));
	add_bytes(fd, text, 100);
	assert_null(inflater_open(fd));
	assert_int_equal(inflate_detect("\x1f\x8b", 2), INFLATE_PLAIN);
	assert_int_equal(inflate_detect("\x1f\x8b\x08", 3), INFLATE_GZIP);
	assert_int_equal(inflate_detect("\x28\xb5\x2f\xfd", 4), INFLATE_ZSTD);
}

static void cut_everywhere(int fd)
{
	AUTO_FREE char *out = xmalloc(TEXT_SIZE + 1);
	off_t size = lseek(fd, 0, SEEK_END);
	size_t len;

	for (off_t at = size - 1; at > 4; at -= at > size - 20 ? 1 : 19997) {
		must(ftruncate(fd, at) == 0);
		assert_int_equal(read_all(fd, out, 65536, &len), -1);
		/* All that came is right. */
		assert_true(len <= TEXT_SIZE);
		assert_memory_equal(out, text, len);
	}
}

static void test_inflate_tells_a_cut_file(void **state)
{
	AUTO_CLOSE int gz = new_file();
	AUTO_CLOSE int zst = new_file();

	(void)state;
	add_gzip(gz, text, TEXT_SIZE);
	cut_everywhere(gz);
	add_zstd(zst, text, TEXT_SIZE);
	cut_everywhere(zst);
}

static void test_inflate_tells_a_damaged_file(void **state)
{
	AUTO_CLOSE int fd = new_file();
	char out[1000];
	ssize_t n;

	(void)state;
	add_gzip(fd, text, TEXT_SIZE);
	off_t middle = lseek(fd, 0, SEEK_END) / 2;
	must(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, middle) == 8);
	struct inflater *i = inflater_open(fd);
	do
		n = inflater_read(i, out, sizeof(out));
	while (n > 0);
	assert_int_equal(n, -1);
	inflater_close(&i);
}

/* A bomb gives much, but takes no memory. */
static void test_inflate_takes_little_memory(void **state)
{
	AUTO_CLOSE int fd = new_file();
	static char nothing[1 << 20];
	struct rusage before, after;
	size_t total = 0;
	ssize_t n;

	(void)state;
	for (int i = 0; i < 64; i++)
		add_gzip(fd, nothing, sizeof(nothing));
	must(getrusage(RUSAGE_SELF, &before) == 0);
	struct inflater *i = inflater_open(fd);
	while ((n = inflater_read(i, nothing, sizeof(nothing))) > 0)
		total += (size_t)n;
	inflater_close(&i);
	must(getrusage(RUSAGE_SELF, &after) == 0);
	assert_int_equal(n, 0);
	assert_int_equal(total, 64 << 20);
	assert_true(after.ru_maxrss - before.ru_maxrss < 16 * 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inflate_reads_gzip),
		cmocka_unit_test(test_inflate_reads_zstd),
		cmocka_unit_test(test_inflate_reads_several_members),
		cmocka_unit_test(test_inflate_leaves_plain_files_alone),
		cmocka_unit_test(test_inflate_tells_a_cut_file),
		cmocka_unit_test(test_inflate_tells_a_damaged_file),
		cmocka_unit_test(test_inflate_takes_little_memory),
	};

	return cmocka_run_group_tests(tests, fill_text, NULL);
}
