/* SPDX-License-Identifier: ISC */
/*
 * test_nft_text - the export kind "nftables": which names it takes, and what it
 * says to nft.
 */
#include "export_world.h"

#include "export/nft_text.h"

static const struct nft_names names = { "t", { "s4", "s6" } };
static struct nft_text text;
static struct export_slice slice;

/* As the kind gives it: ends are boot times. */
static void by_boot(void)
{
	for (size_t i = 0; i < slice.count; i++)
		slice.changes[i].lease.end.wall =
		    nft_boot_end(&slice.changes[i].lease, slice.now);
}

static void test_nft_name_takes_nothing_but_words(void **state)
{
	static const char *const good[] = { "a", "_", "Relay_4", "relaypass" };
	static const char *const bad[] = { "", "4", "4a", "a b", "a;b", "a-b",
		"a}", "a\n", "a\"", "a.b", "a/b", "a#", "$a", "\xc3\xa9" };
	char longest[NFT_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_true(nft_name_good(good[i]));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_false(nft_name_good(bad[i]));
	memset(longest, 'a', sizeof(longest));
	longest[NFT_NAME_MAX] = '\0';
	assert_true(nft_name_good(longest));
	longest[NFT_NAME_MAX] = 'a';
	longest[NFT_NAME_MAX + 1] = '\0';
	assert_false(nft_name_good(longest));
}

static void test_nft_boot_end_is_the_first_of_both(void **state)
{
	struct lease lease = { .end = later(5000) };

	(void)state;
	assert_int_equal(nft_boot_end(&lease, t0), t0.boot + 5000);
	lease.end.wall -= 3000;
	assert_int_equal(nft_boot_end(&lease, t0), t0.boot + 2000);
	lease.end.boot -= 4000;
	assert_int_equal(nft_boot_end(&lease, t0), t0.boot + 1000);
}

static void test_nft_text_makes_sets(void **state)
{
	(void)state;
	nft_text_table(&text, &names);
	assert_string_equal(text.bytes, "add table inet t\n");
	nft_text_set(&text, &names, 0);
	assert_string_equal(text.bytes,
	    "add set inet t s4 { type ipv4_addr; flags timeout; }\n");
	nft_text_set(&text, &names, 1);
	assert_string_equal(text.bytes,
	    "add set inet t s6 { type ipv6_addr; flags timeout; }\n");
}

static void test_nft_text_changes_do_not_ask_what_was(void **state)
{
	(void)state;
	slice_begin(&slice, false);
	assert_false(nft_text_changes(&text, &names, &slice));
	(void)slice_add(&slice, "203.0.113.7", "anna", 90061007);
	(void)slice_add(&slice, "2001:db8::/64", "anna", 50);
	(void)slice_add(&slice, "203.0.113.8", "", 0);
	by_boot();
	assert_true(nft_text_changes(&text, &names, &slice));
	assert_string_equal(text.bytes,
	    "add element inet t s4 { 203.0.113.7, 203.0.113.8 }\n"
	    "delete element inet t s4 { 203.0.113.7, 203.0.113.8 }\n"
	    "add element inet t s4 { 203.0.113.7 timeout 90061s7ms }\n"
	    "add element inet t s6 { 2001:db8:: }\n"
	    "delete element inet t s6 { 2001:db8:: }\n"
	    "add element inet t s6 { 2001:db8:: timeout 0s50ms }\n");
}

/* No time left is no element, not one without a time. */
static void test_nft_text_gives_no_element_without_a_time(void **state)
{
	struct roll *roll = roll_new(false);

	(void)state;
	slice_begin(&slice, true);
	(void)slice_add(&slice, "203.0.113.7", "anna", -1);
	(void)slice_add(&slice, "2001:db8::7", "anna", 1);
	slice.changes[1].lease.end.boot--;
	by_boot();
	assert_true(nft_text_changes(&text, &names, &slice));
	assert_null(strstr(text.bytes, "timeout"));
	(void)roll_apply(roll, &slice);
	nft_text_whole(&text, &names, roll, t0.boot);
	assert_string_equal(
	    text.bytes, "flush set inet t s4\nflush set inet t s6\n");
	roll_free(&roll);
}

static void test_nft_text_whole_is_the_roll(void **state)
{
	struct roll *roll = roll_new(false);

	(void)state;
	slice_begin(&slice, true);
	(void)slice_add(&slice, "2001:db8::7", "anna", 3000);
	(void)slice_add(&slice, "203.0.113.7", "anna", 2000);
	(void)slice_add(&slice, "203.0.113.8", "anna", 500);
	by_boot();
	(void)roll_apply(roll, &slice);
	nft_text_whole(&text, &names, roll, t0.boot + 1000);
	assert_string_equal(text.bytes,
	    "flush set inet t s4\n"
	    "add element inet t s4 { 203.0.113.7 timeout 1s0ms }\n"
	    "flush set inet t s6\n"
	    "add element inet t s6 { 2001:db8::7 timeout 2s0ms }\n");
	roll_free(&roll);
}

static void test_nft_text_takes_a_full_slice(void **state)
{
	size_t count = 0;

	(void)state;
	slice_begin(&slice, false);
	for (unsigned i = 0; i < EXPORT_SLICE; i++) {
		char address[40];

		(void)snprintf(address, sizeof(address),
		    "2001:db8:1111:2222:3333:4444:5555:%x", 0xf000 + i);
		(void)slice_add(&slice, address, "anna", TTL_MS);
	}
	by_boot();
	assert_true(nft_text_changes(&text, &names, &slice));
	assert_int_equal(strlen(text.bytes), text.len);
	for (const char *at = text.bytes;
	     (at = strstr(at, " timeout 1800s0ms")); at++)
		count++;
	assert_int_equal(count, EXPORT_SLICE);
}

static int free_text(void **state)
{
	(void)state;
	free(text.bytes);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nft_name_takes_nothing_but_words),
		cmocka_unit_test(test_nft_boot_end_is_the_first_of_both),
		cmocka_unit_test(test_nft_text_makes_sets),
		cmocka_unit_test(test_nft_text_changes_do_not_ask_what_was),
		cmocka_unit_test(test_nft_text_gives_no_element_without_a_time),
		cmocka_unit_test(test_nft_text_whole_is_the_roll),
		cmocka_unit_test(test_nft_text_takes_a_full_slice),
	};

	return cmocka_run_group_tests(tests, NULL, free_text);
}
