/* SPDX-License-Identifier: ISC */
/*
 * test_roll - the roll holds what the slices told, in order, whatever came in
 * one of them; and many leases are cheap.
 */
#include "export_world.h"

#include "export/roll.h"

enum { POOL = 600, ROUNDS = 400, MANY = 100000 };

static struct export_slice *slice;

static int make_slice(void **state)
{
	(void)state;
	slice = calloc(1, sizeof(*slice));
	return slice ? 0 : -1;
}

static int free_slice(void **state)
{
	(void)state;
	free(slice);
	return 0;
}

static void test_what_comes_and_goes_and_moves_is_told(void **state)
{
	struct roll *r = roll_new(true);
	struct addr a;

	(void)state;
	slice_begin(slice, true);
	(void)slice_add(slice, "192.0.2.9", "bo", 1000);
	(void)slice_add(slice, "2001:db8::7", "", 1000);
	(void)slice_add(slice, "192.0.2.1", "al", 1000);
	assert_int_equal(roll_apply(r, slice), ROLL_MEMBERS);
	assert_int_equal(roll_count(r), 3);
	assert_string_equal(roll_at(r, 0)->user, "al");
	assert_string_equal(roll_at(r, 1)->user, "bo");
	assert_int_equal(roll_apply(r, slice), ROLL_SAME);
	slice_begin(slice, false);
	(void)slice_add(slice, "192.0.2.9", "bo", 5000);
	(void)slice_add(slice, "192.0.2.77", "", 0);
	assert_int_equal(roll_apply(r, slice), ROLL_DETAILS);
	assert_int_equal(roll_at(r, 1)->end, later(5000).wall);
	slice_begin(slice, false);
	(void)slice_add(slice, "192.0.2.9", "", 0);
	(void)slice_add(slice, "192.0.2.9", "", 0);
	(void)slice_add(slice, "192.0.2.5", "x", 1000);
	(void)slice_add(slice, "192.0.2.5", "x", 1000);
	assert_int_equal(roll_apply(r, slice), ROLL_MEMBERS);
	assert_int_equal(roll_count(r), 3);
	assert_true(addr_parse("192.0.2.9", 9, &a));
	assert_null(roll_find(r, &a));
	assert_true(addr_parse("192.0.2.5", 9, &a));
	assert_non_null(roll_find(r, &a));
	roll_free(&r);
	roll_free(&r);
}

static void test_a_snapshot_drops_what_none_of_its_slices_names(void **state)
{
	struct roll *r = roll_new(false);

	(void)state;
	slice_begin(slice, true);
	(void)slice_add(slice, "192.0.2.1", "", 1000);
	(void)slice_add(slice, "192.0.2.2", "", 1000);
	(void)slice_add(slice, "192.0.2.3", "", 1000);
	(void)roll_apply(r, slice);
	slice_begin(slice, true);
	slice->last = false;
	(void)slice_add(slice, "192.0.2.1", "", 1000);
	assert_int_equal(roll_apply(r, slice), ROLL_SAME);
	assert_int_equal(roll_count(r), 3);
	slice->first = false;
	slice->last = true;
	slice->count = 0;
	(void)slice_add(slice, "192.0.2.3", "", 1000);
	assert_int_equal(roll_apply(r, slice), ROLL_MEMBERS);
	assert_int_equal(roll_count(r), 2);
	assert_null(roll_at(r, 0)->user);
	/* An empty one empties it. */
	slice_begin(slice, true);
	assert_int_equal(roll_apply(r, slice), ROLL_MEMBERS);
	assert_int_equal(roll_count(r), 0);
	roll_free(&r);
}

static void address_of(unsigned i, char out[static 32])
{
	(void)snprintf(out, 32, i % 2 ? "2001:db8::%x" : "198.51.%u.%u",
	    i % 2 ? i : 100 + (i >> 8), i & 255);
}

static void check(const struct roll *r, const bool *leased)
{
	size_t count = 0;

	for (unsigned i = 0; i < POOL; i++) {
		char text[32];
		struct addr a;

		address_of(i, text);
		assert_true(addr_parse(text, strlen(text), &a));
		assert_int_equal(roll_find(r, &a) != NULL, leased[i]);
		count += leased[i];
	}
	assert_int_equal(roll_count(r), count);
	for (size_t i = 1; i < count; i++)
		assert_true(memcmp(&roll_at(r, i - 1)->addr,
				&roll_at(r, i)->addr, sizeof(struct addr)) < 0);
}

static void test_any_changes_leave_it_sorted_and_right(void **state)
{
	struct roll *r = roll_new(true);
	bool leased[POOL] = { false };
	uint32_t random = 1;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		slice_begin(slice, false);
		random = random * 1664525 + 1013904223;
		for (unsigned n = random >> 24; n > 0; n--) {
			char text[32];
			unsigned i;

			random = random * 1664525 + 1013904223;
			i = (random >> 8) % POOL;
			address_of(i, text);
			/* What is told is what holds at the end. */
			leased[i] = (i * 7 + round * 13) % 3 != 0;
			(void)slice_add(
			    slice, text, "u", leased[i] ? 1000 + round : 0);
		}
		(void)roll_apply(r, slice);
		check(r, leased);
	}
	roll_free(&r);
}

static void test_many_leases_are_cheap(void **state)
{
	struct roll *r = roll_new(false);
	uint64_t began = uv_hrtime();
	char text[32];

	(void)state;
	for (unsigned i = 0; i < MANY;) {
		slice_begin(slice, i == 0);
		slice->snapshot = true;
		slice->last = i + EXPORT_SLICE >= MANY;
		for (; i < MANY && slice->count < EXPORT_SLICE; i++) {
			(void)snprintf(text, sizeof(text), "10.%u.%u.%u",
			    i >> 16, i >> 8 & 255, i & 255);
			(void)slice_add(slice, text, "", 1000);
		}
		(void)roll_apply(r, slice);
	}
	assert_int_equal(roll_count(r), MANY);
	/* One of many, a thousand times: far below what a test notices. */
	for (unsigned i = 0; i < 1000; i++) {
		slice_begin(slice, false);
		(void)snprintf(
		    text, sizeof(text), "10.0.%u.%u", i >> 8, i & 255);
		(void)slice_add(slice, text, "", i % 2 ? 0 : 2000);
		(void)roll_apply(r, slice);
	}
	assert_int_equal(roll_count(r), MANY - 500);
	assert_true(uv_hrtime() - began < UINT64_C(30000000000));
	roll_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_comes_and_goes_and_moves_is_told),
		cmocka_unit_test(
		    test_a_snapshot_drops_what_none_of_its_slices_names),
		cmocka_unit_test(test_any_changes_leave_it_sorted_and_right),
		cmocka_unit_test(test_many_leases_are_cheap),
	};

	return cmocka_run_group_tests(tests, make_slice, free_slice);
}
