/* SPDX-License-Identifier: ISC */
/* test_wheel - keys come back when they are due, once, and never more than fit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "login/wheel.h"

static struct addr numbered(unsigned n)
{
	struct addr a = { { 0x20, 0x01, 0x0d, 0xb8 } };

	a.bytes[14] = (uint8_t)(n >> 8);
	a.bytes[15] = (uint8_t)n;
	return a;
}

static bool add(struct wheel *w, int64_t boot, int64_t due, unsigned n)
{
	struct addr a = numbered(n);

	return wheel_add(w, boot, due, &a, "bob", 3);
}

static void test_wheel_gives_a_key_back_when_it_is_due(void **state)
{
	struct wheel *w = wheel_new(1 << 20);
	struct wheel_key key;
	struct addr a = numbered(7);

	(void)state;
	assert_true(wheel_add(w, 1000, 61000, &a, "bob@example.org", 15));
	assert_false(wheel_take(w, 1000, &key));
	assert_false(wheel_take(w, 60999, &key));
	assert_true(wheel_take(w, 61000 + WHEEL_SLOT_MS, &key));
	assert_true(addr_equal(&key.addr, &a));
	assert_int_equal(key.user_len, 15);
	assert_string_equal(key.user, "bob@example.org");
	assert_false(wheel_take(w, 200000, &key));
	assert_int_equal(wheel_bytes(w), 0);
	wheel_free(&w);
	assert_null(w);
	wheel_free(&w);
}

static void test_wheel_is_never_early_and_at_most_a_slot_late(void **state)
{
	struct wheel_key key;

	(void)state;
	for (int64_t due = 5000; due < 5600; due += 7) {
		struct wheel *w = wheel_new(1 << 20);

		assert_true(add(w, 4321, due, 1));
		assert_false(wheel_take(w, due - 1, &key));
		assert_true(wheel_take(w, due + WHEEL_SLOT_MS, &key));
		wheel_free(&w);
	}
}

static void test_wheel_refuses_what_is_too_far_ahead(void **state)
{
	struct wheel *w = wheel_new(1 << 20);

	(void)state;
	assert_true(add(w, 77, 77 + WHEEL_HORIZON_MS, 1));
	assert_false(add(w, 77, 77 + WHEEL_SLOTS * WHEEL_SLOT_MS, 1));
	wheel_free(&w);
}

static void test_wheel_takes_what_is_overdue_at_once(void **state)
{
	struct wheel *w = wheel_new(1 << 20);
	struct wheel_key key;

	(void)state;
	assert_true(add(w, 50000, 60000, 1));
	assert_true(add(w, 50000, 10, 2));
	assert_true(wheel_take(w, 50000, &key));
	assert_int_equal(key.addr.bytes[15], 2);
	wheel_free(&w);
}

static void test_wheel_stays_within_its_bytes(void **state)
{
	struct wheel *w = wheel_new(4096);
	struct wheel_key key;
	unsigned in = 0, out = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		in += add(w, 0, 1000 + 17 * (int64_t)i, i);
	assert_in_range(in, 10, 4096 / 20);
	assert_in_range(wheel_bytes(w), 1, 4096);
	while (wheel_take(w, 100000, &key))
		out++;
	assert_int_equal(in, out);
	assert_true(add(w, 100000, 101000, 1));
	wheel_free(&w);
}

static void test_wheel_keeps_order_over_many_turns(void **state)
{
	struct wheel *w = wheel_new(1 << 20);
	struct wheel_key key;
	unsigned taken = 0;

	(void)state;
	for (int64_t now = 0; now < 10 * 60 * 1000; now += 100) {
		assert_true(add(w, now, now + 90000, (unsigned)(now / 100)));
		while (wheel_take(w, now, &key)) {
			/* Added 90 s ago, up to a slot earlier. */
			unsigned n = (unsigned)(key.addr.bytes[14] << 8 |
						key.addr.bytes[15]);
			int64_t late = now - 90000 - 100 * (int64_t)n;
			assert_in_range(late, 0, WHEEL_SLOT_MS);
			taken++;
		}
	}
	assert_in_range(taken, 5090, 5100);
	wheel_free(&w);
}

static void test_wheel_survives_a_long_sleep(void **state)
{
	struct wheel *w = wheel_new(1 << 20);
	struct wheel_key key;

	(void)state;
	assert_true(add(w, 1000, 2000, 1));
	assert_true(wheel_take(w, INT64_C(1) << 39, &key));
	assert_false(wheel_take(w, INT64_C(1) << 39, &key));
	assert_true(add(w, INT64_C(1) << 39, (INT64_C(1) << 39) + 1000, 2));
	assert_true(wheel_take(w, (INT64_C(1) << 39) + 1250, &key));
	wheel_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wheel_gives_a_key_back_when_it_is_due),
		cmocka_unit_test(
		    test_wheel_is_never_early_and_at_most_a_slot_late),
		cmocka_unit_test(test_wheel_refuses_what_is_too_far_ahead),
		cmocka_unit_test(test_wheel_takes_what_is_overdue_at_once),
		cmocka_unit_test(test_wheel_stays_within_its_bytes),
		cmocka_unit_test(test_wheel_keeps_order_over_many_turns),
		cmocka_unit_test(test_wheel_survives_a_long_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
