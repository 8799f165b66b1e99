/* SPDX-License-Identifier: ISC */
/*
 * test_kv - the coding of words and values: limits, refusals, round trips.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/kv.h"
#include "base/mem.h"

static void test_kv_encode_codes_what_the_line_needs(void **state)
{
	char out[64] = "x";
	size_t used = 1;

	(void)state;
	assert_true(
	    kv_encode(out, sizeof(out), &used, "a b%=\n\x7f\xff~!", 10));
	assert_string_equal(out, "xa%20b%25%3D%0A%7F%FF~!");
	assert_int_equal(used, strlen(out));
}

static void test_kv_encode_leaves_a_full_buffer_alone(void **state)
{
	char out[8] = "ab";
	size_t used = 2;

	(void)state;
	assert_false(kv_encode(out, sizeof(out), &used, "123456", 6));
	assert_int_equal(used, 2);
	assert_string_equal(out, "ab");
	assert_false(kv_encode(out, sizeof(out), &used, "12  ", 4));
	assert_string_equal(out, "ab");
	assert_true(kv_encode(out, sizeof(out), &used, "12345", 5));
	assert_string_equal(out, "ab12345");
	assert_false(kv_encode(out, sizeof(out), &used, "1", 1));
	assert_true(kv_encode(out, sizeof(out), &used, "", 0));
}

static void decodes(const char *in, const char *want)
{
	char out[64];
	size_t used = 99;

	if (!kv_decode(in, strlen(in), out, sizeof(out), &used))
		fail_msg("\"%s\" was refused", in);
	assert_int_equal(used, strlen(want));
	assert_string_equal(out, want);
}

static void test_kv_decode_takes_any_coding(void **state)
{
	(void)state;
	decodes("", "");
	decodes("plain", "plain");
	decodes("%41%6a%6A", "Ajj");
	decodes("a%20b%25%3d=", "a b%==");
	decodes("%01%7f%ff", "\x01\x7f\xff");
	decodes("\xc3\xa4", "\xc3\xa4");
}

static void test_kv_decode_refuses_bad_coding(void **state)
{
	static const char *const rows[] = { "%", "%4", "a%", "a%4", "%zz",
		"%4g", "%%41", "%00", "a%0a", "%0D", "a\nb", "a\tb", "\x7f",
		"% 1", "%-1" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char out[16] = "x";
		size_t used = 9;
		if (kv_decode(
			rows[i], strlen(rows[i]), out, sizeof(out), &used))
			fail_msg("\"%s\" was taken", rows[i]);
		assert_int_equal(used, 0);
		assert_string_equal(out, "");
	}
}

static void test_kv_decode_never_writes_beyond_size(void **state)
{
	char out[4] = "zzz";
	size_t used;

	(void)state;
	assert_true(kv_decode("abc", 3, out, 4, &used));
	assert_false(kv_decode("abcd", 4, out, 4, &used));
	assert_false(kv_decode("", 0, out, 0, &used));
	assert_false(kv_decode("a\0b", 3, out, 4, &used));
}

static void test_kv_put_appends_pieces(void **state)
{
	char out[40] = "lease ";
	size_t used = 6;

	(void)state;
	assert_true(kv_put(out, sizeof(out), &used, "user", "a b"));
	assert_true(kv_put_int(out, sizeof(out), &used, "ttl", -12));
	assert_string_equal(out, "lease user=a%20b ttl=-12 ");
	assert_int_equal(used, strlen(out));
	assert_false(kv_put(out, sizeof(out), &used, "key", "0123456789abcd"));
	assert_string_equal(out, "lease user=a%20b ttl=-12 ");
	assert_int_equal(used, strlen(out));
}

static void test_kv_next_walks_over_words(void **state)
{
	static const char line[] = "check 192.0.2.7 sender=a=b user= ";
	const char *in = line;
	size_t len = sizeof(line) - 1;
	struct kv_word w;

	(void)state;
	assert_int_equal(kv_next(&in, &len, &w), 1);
	assert_int_equal(w.key_len, 0);
	assert_memory_equal(w.value, "check", w.value_len);
	assert_int_equal(kv_next(&in, &len, &w), 1);
	assert_int_equal(w.value_len, 9);
	assert_int_equal(kv_next(&in, &len, &w), 1);
	assert_int_equal(w.key_len, 6);
	assert_memory_equal(w.key, "sender", 6);
	assert_int_equal(w.value_len, 3);
	assert_memory_equal(w.value, "a=b", 3);
	assert_int_equal(kv_next(&in, &len, &w), 1);
	assert_int_equal(w.key_len, 4);
	assert_int_equal(w.value_len, 0);
	assert_int_equal(kv_next(&in, &len, &w), 0);
	assert_int_equal(len, 0);
}

static int first(const char *text)
{
	size_t len = strlen(text);
	struct kv_word w;

	return kv_next(&text, &len, &w);
}

static void test_kv_next_refuses_empty_words_and_control_bytes(void **state)
{
	(void)state;
	assert_int_equal(first(""), 0);
	assert_int_equal(first(" a"), -1);
	assert_int_equal(first("=a"), -1);
	assert_int_equal(first("a\tb"), -1);
	assert_int_equal(first("a\r"), -1);
	assert_int_equal(first("a\x7f"), -1);
	const char *in = "a  b";
	size_t len = 4;
	struct kv_word w;
	assert_int_equal(kv_next(&in, &len, &w), 1);
	assert_int_equal(kv_next(&in, &len, &w), -1);
}

static void test_kv_round_trips_any_value(void **state)
{
	(void)state;
	srandom(3);
	for (int i = 0; i < 50000; i++) {
		char value[40], line[256] = "", back[64];
		size_t len = (size_t)(random() % 30), used = 0, back_len;
		for (size_t k = 0; k < len; k++) {
			value[k] = (char)(1 + random() % 255);
			if (value[k] == '\n' || value[k] == '\r')
				value[k] = ' ';
		}
		value[len] = '\0';
		assert_true(kv_put(line, sizeof(line), &used, "k", value));
		const char *in = line;
		struct kv_word w;
		assert_int_equal(kv_next(&in, &used, &w), 1);
		assert_int_equal(used, 0);
		assert_true(kv_decode(
		    w.value, w.value_len, back, sizeof(back), &back_len));
		assert_int_equal(back_len, len);
		assert_memory_equal(back, value, len + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kv_encode_codes_what_the_line_needs),
		cmocka_unit_test(test_kv_encode_leaves_a_full_buffer_alone),
		cmocka_unit_test(test_kv_decode_takes_any_coding),
		cmocka_unit_test(test_kv_decode_refuses_bad_coding),
		cmocka_unit_test(test_kv_decode_never_writes_beyond_size),
		cmocka_unit_test(test_kv_put_appends_pieces),
		cmocka_unit_test(test_kv_next_walks_over_words),
		cmocka_unit_test(
		    test_kv_next_refuses_empty_words_and_control_bytes),
		cmocka_unit_test(test_kv_round_trips_any_value),
	};

	return cmocka_run_group_tests_name("kv", tests, NULL, NULL);
}
