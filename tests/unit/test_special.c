/* SPDX-License-Identifier: ISC */
/*
 * test_special - both edges of every special block, and the neighbours that are
 * ordinary customers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "base/special.h"

static enum special kind_of(const char *text, const char **name_r)
{
	struct addr a;

	if (!addr_parse(text, strlen(text), &a))
		fail_msg("%s does not parse", text);
	return special_find(&a, name_r);
}

static void all_are(enum special kind, const char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *name = "?";
		if (kind_of(texts[i], &name) != kind)
			fail_msg("%s is of another kind", texts[i]);
		assert_int_equal(name != NULL, kind != SPECIAL_NONE);
		assert_int_equal(kind_of(texts[i], NULL), kind);
	}
}

static void test_special_find_calls_customers_ordinary(void **state)
{
	static const char *const texts[] = { "1.0.0.0", "9.255.255.255",
		"11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
		"128.0.0.1", "169.253.255.255", "169.255.0.0", "172.15.255.255",
		"172.32.0.0", "191.255.255.255", "192.0.1.0", "192.88.98.255",
		"192.88.100.0", "192.167.255.255", "192.169.0.0",
		"198.17.255.255", "198.20.0.0", "223.255.255.255",
		"2000::", "2001:200::1", "2001:4860::1",
		"2003::", "2620:fe::fe", "2a00:1450::1", "3fff:ffff::1" };

	(void)state;
	all_are(SPECIAL_NONE, texts, COUNT_OF(texts));
}

static void test_special_find_calls_documentation_nets_ordinary(void **state)
{
	static const char *const texts[] = { "192.0.2.0", "192.0.2.255",
		"198.51.100.0", "198.51.100.255", "203.0.113.0",
		"203.0.113.255", "2001:db8::", "2001:db8:ffff::1" };

	(void)state;
	all_are(SPECIAL_NONE, texts, COUNT_OF(texts));
}

static void test_special_find_lets_a_site_open_private_nets(void **state)
{
	static const char *const texts[] = { "10.0.0.0", "10.255.255.255",
		"100.64.0.0", "100.127.255.255", "172.16.0.0", "172.31.255.255",
		"192.168.0.0", "192.168.255.255", "198.18.0.0",
		"198.19.255.255", "fc00::", "fdff:ffff::1", "::ffff:10.0.0.1" };

	(void)state;
	all_are(SPECIAL_PRIVATE, texts, COUNT_OF(texts));
}

static void test_special_find_never_opens_the_rest(void **state)
{
	static const char *const texts[] = { "0.0.0.0", "0.255.255.255",
		"127.0.0.0", "127.255.255.255", "::ffff:7f00:1", "169.254.0.0",
		"169.254.255.255", "192.0.0.0", "192.0.0.9", "192.0.0.255",
		"192.88.99.0", "192.88.99.255", "224.0.0.0", "239.255.255.255",
		"240.0.0.0", "255.255.255.254", "255.255.255.255", "::", "::1",
		"::2", "::192.0.2.1", "::ffff:0:192.0.2.1",
		"64:ff9b::192.0.2.1", "64:ff9b:1::1", "100::1",
		"1fff::", "2001::1", "2001:0:ffff::1", "2001:2::1",
		"2001:10::1", "2001:1f:ffff::1", "2001:20::1",
		"2001:1ff:ffff::1", "2002::", "2002:ffff::1",
		"4000::", "5f00::1", "fbff::1", "fe00::1", "fe80::", "febf::1",
		"fec0::1", "feff::1", "ff00::", "ff0e::1", "ffff:ffff::1" };

	(void)state;
	all_are(SPECIAL_NEVER, texts, COUNT_OF(texts));
}

static void test_special_find_names_the_block(void **state)
{
	const char *name;

	(void)state;
	kind_of("255.255.255.255", &name);
	assert_string_equal(name, "Limited Broadcast");
	kind_of("2001::1", &name);
	assert_string_equal(name, "Teredo");
	kind_of("::1", &name);
	assert_string_equal(name, "Loopback Address");
	kind_of("4000::", &name);
	assert_string_equal(name, "Outside 2000::/3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_special_find_calls_customers_ordinary),
		cmocka_unit_test(
		    test_special_find_calls_documentation_nets_ordinary),
		cmocka_unit_test(
		    test_special_find_lets_a_site_open_private_nets),
		cmocka_unit_test(test_special_find_never_opens_the_rest),
		cmocka_unit_test(test_special_find_names_the_block),
	};

	return cmocka_run_group_tests_name("special", tests, NULL, NULL);
}
