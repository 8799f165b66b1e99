/* SPDX-License-Identifier: ISC */
/*
 * test_addr - parser and printer of addresses and networks: tables of texts,
 * round trips, and millions of random and mutated texts against inet_pton(3).
 * RELAYPASS_TEST_COUNT sets how many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"

static uint64_t seed = 88172645463325252U;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static unsigned below(unsigned limit)
{
	return (unsigned)(next_random() % limit);
}

static unsigned long test_count(unsigned long usual)
{
	const char *text = getenv("RELAYPASS_TEST_COUNT");

	return text ? strtoul(text, NULL, 10) : usual;
}

static bool parse(const char *text, struct addr *out)
{
	return addr_parse(text, strlen(text), out);
}

static void takes(const char *text, const char *canonical)
{
	char out[ADDR_TEXT_SIZE];
	struct addr a;

	if (!parse(text, &a))
		fail_msg("\"%s\" was refused", text);
	size_t len = addr_print(&a, out);
	assert_int_equal(len, strlen(out));
	assert_string_equal(out, canonical);
}

static void refuses(const char *text, size_t len)
{
	static const struct addr zero;
	struct addr a;

	memset(&a, 0x55, sizeof(a));
	if (addr_parse(text, len, &a))
		fail_msg("\"%s\" was taken", text);
	assert_memory_equal(&a, &zero, sizeof(a));
}

static void test_addr_parse_takes_and_prints_canonically(void **state)
{
	static const char *const rows[][2] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "10.20.30.40", "10.20.30.40" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "::ffff:c000:201", "192.0.2.1" },
		{ "::FFFF:C000:0201", "192.0.2.1" },
		{ "0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1" },
		{ "0:0:0:0:0:ffff:c000:201", "192.0.2.1" },
		{ "0000:0000:0000:0000:0000:ffff:192.168.100.200",
		    "192.168.100.200" },
		{ "2001:db8::ffff:192.0.2.1", "2001:db8::ffff:c000:201" },
		{ "::192.0.2.1", "::c000:201" },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "1::", "1::" },
		{ "2001:DB8::0007", "2001:db8::7" },
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },
		{ "0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7" },
		{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
		{ "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
		{ "fe80::", "fe80::" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		takes(rows[i][0], rows[i][1]);
}

static void test_addr_parse_refuses_everything_else(void **state)
{
	static const char *const rows[] = { "", " ", "localhost", "192.0.2",
		"192.0.2.", "192.0.2.1.", ".192.0.2.1", "192.0.2.1.1",
		"192.0.513", "192.0.2.256", "192.0.2.1000", "3221225985",
		"0xc0000201", "0300.0.2.1", "192.0.02.1", "192.0.2.01",
		"192.0.2.00", "00.0.0.0", "192.0.2.1 ", " 192.0.2.1",
		"192.0.2.1:25", "192.0.2.1/32", "[192.0.2.1]", "+1.2.3.4",
		"-1.2.3.4", "1.2.3.a", "192.0.2.1%eth0", "fe80::1%eth0",
		"fe80::1%1", "[::1]", "[::1]:25", "::1/128", ":", ":::", ":1",
		"1:", "::1:", ":1::", "1:2", "1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
		"1:2:3:4::5:6:7:8", "1::2::3", "12345::", "00001::", "g::1",
		"::ffff:192.0.2", "::ffff:192.0.2.256", "::ffff:192.0.02.1",
		"::ffff:192.0.2.1:1", "1:2:3:4:5:6:7:192.0.2.1",
		"::192.0.2.1:1", "192.0.2.1::", "::1 ", "::ffff:0x7f.1",
		"\xd9\xa1.2.3.4" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		refuses(rows[i], strlen(rows[i]));
	refuses("192.0.2.1\0", 10);
	refuses("192.0.2.1\n", 10);
	refuses("::1\0", 4);
}

static void test_addr_parse_reads_len_bytes_only(void **state)
{
	struct addr a;
	char out[ADDR_TEXT_SIZE];

	(void)state;
	assert_true(addr_parse("192.0.2.199", 10, &a));
	addr_print(&a, out);
	assert_string_equal(out, "192.0.2.19");
	assert_true(addr_parse("2001:db8::12", 11, &a));
	addr_print(&a, out);
	assert_string_equal(out, "2001:db8::1");
}

/* What inet_pton says of a text, in our form. */
static bool judge(const char *text, struct addr *out)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, out->bytes + 12) == 1) {
		out->bytes[10] = out->bytes[11] = 0xff;
		return true;
	}
	memset(out, 0, sizeof(*out));
	return inet_pton(AF_INET6, text, out->bytes) == 1;
}

static void compare(const char *text)
{
	struct addr ours, theirs;
	bool good = parse(text, &ours);

	if (good != judge(text, &theirs))
		fail_msg("\"%s\": %s, inet_pton differs", text,
		    good ? "taken" : "refused");
	if (good && !addr_equal(&ours, &theirs))
		fail_msg("\"%s\": another value than inet_pton's", text);
}

static struct addr random_addr(void)
{
	struct addr a = { { 0 } };

	/* Groups of zeros and of ones are where printers go wrong. */
	for (int i = 0; i < 16; i += 2) {
		if (below(2)) {
			a.bytes[i] = below(3) ? 0 : (uint8_t)below(256);
			a.bytes[i + 1] = (uint8_t)below(256);
		}
	}
	if (below(4) == 0) {
		memset(a.bytes, 0, 10);
		a.bytes[10] = a.bytes[11] = 0xff;
	}
	return a;
}

static void mutate(char *text, size_t size)
{
	static const char letters[] = "0123456789abcdefABCDEF:.::..0fg% /x";
	size_t len = strlen(text);
	size_t at = below((unsigned)len + 1);

	switch (below(4)) {
	case 0:
		if (at < len)
			memmove(text + at, text + at + 1, len - at);
		break;
	case 1:
		if (at < len)
			text[at] = letters[below(sizeof(letters) - 1)];
		break;
	case 2:
		if (len + 2 < size) {
			memmove(text + at + 1, text + at, len - at + 1);
			text[at] = letters[below(sizeof(letters) - 1)];
		}
		break;
	default:
		text[at] = '\0';
		break;
	}
}

static void test_addr_parse_equals_inet_pton_on_mutated_texts(void **state)
{
	unsigned long count = test_count(1500000);

	(void)state;
	for (unsigned long i = 0; i < count; i++) {
		char text[80];
		struct addr a = random_addr();
		const void *bytes = a.bytes;
		if (below(3) == 0)
			inet_ntop(AF_INET, (const char *)bytes + 12, text,
			    sizeof(text));
		else
			inet_ntop(AF_INET6, bytes, text, sizeof(text));
		compare(text);
		for (unsigned n = below(4); n > 0; n--) {
			mutate(text, sizeof(text));
			compare(text);
		}
	}
}

static void test_addr_parse_equals_inet_pton_on_random_texts(void **state)
{
	static const char letters[] = "0123456789abf:::...";
	unsigned long count = test_count(1500000);

	(void)state;
	for (unsigned long i = 0; i < count; i++) {
		char text[48];
		unsigned len = below(20);
		for (unsigned k = 0; k < len; k++)
			text[k] = letters[below(sizeof(letters) - 1)];
		text[len] = '\0';
		compare(text);
	}
}

static void test_addr_print_round_trips_and_is_canonical(void **state)
{
	unsigned long count = test_count(500000);

	(void)state;
	for (unsigned long i = 0; i < count; i++) {
		struct addr a = random_addr(), back;
		char out[ADDR_TEXT_SIZE], theirs[64];
		size_t len = addr_print(&a, out);
		assert_int_equal(len, strlen(out));
		assert_true(addr_parse(out, len, &back));
		assert_true(addr_equal(&a, &back));
		/* glibc writes mapped and compatible forms in its own way. */
		inet_ntop(AF_INET6, a.bytes, theirs, sizeof(theirs));
		if (!strchr(theirs, '.'))
			assert_string_equal(out, theirs);
	}
}

static void test_addr_mask_clears_what_is_behind(void **state)
{
	struct addr a;

	(void)state;
	memset(&a, 0xff, sizeof(a));
	for (unsigned bits = 0; bits <= 128; bits++) {
		struct addr m = addr_mask(&a, bits);
		for (unsigned i = 0; i < 128; i++) {
			int bit = m.bytes[i / 8] >> (7 - i % 8) & 1;
			assert_int_equal(bit, i < bits);
		}
	}
}

static void test_addr_is_ipv4_only_for_mapped(void **state)
{
	struct addr a;

	(void)state;
	assert_true(parse("192.0.2.1", &a));
	assert_true(addr_is_ipv4(&a));
	assert_true(parse("::ffff:0:0", &a));
	assert_true(addr_is_ipv4(&a));
	assert_true(parse("::fffe:0:0", &a));
	assert_false(addr_is_ipv4(&a));
	assert_true(parse("::1.2.3.4", &a));
	assert_false(addr_is_ipv4(&a));
}

/* --- networks ------------------------------------------------------------- */

static void net_takes(const char *text, const char *canonical)
{
	char out[NET_TEXT_SIZE];
	struct net n;

	if (!net_parse(text, strlen(text), &n))
		fail_msg("\"%s\" was refused", text);
	size_t len = net_print(&n, out);
	assert_int_equal(len, strlen(out));
	assert_string_equal(out, canonical);
}

static void test_net_parse_takes_cidr_hosts_and_dotted_prefixes(void **state)
{
	static const char *const rows[][2] = {
		{ "192.0.2.0/24", "192.0.2.0/24" },
		{ "192.0.2.1/32", "192.0.2.1/32" },
		{ "192.0.2.1", "192.0.2.1/32" },
		{ "::ffff:192.0.2.1", "192.0.2.1/32" },
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "128.0.0.0/1", "128.0.0.0/1" },
		{ "10.", "10.0.0.0/8" },
		{ "10.1.", "10.1.0.0/16" },
		{ "192.168.7.", "192.168.7.0/24" },
		{ "2001:db8::/32", "2001:db8::/32" },
		{ "2001:db8::7", "2001:db8::7/128" },
		{ "2001:db8::7/128", "2001:db8::7/128" },
		{ "::/0", "::/0" },
		{ "::/90", "::/90" },
		{ "fc00::/7", "fc00::/7" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		net_takes(rows[i][0], rows[i][1]);
}

static void test_net_parse_refuses_everything_else(void **state)
{
	static const char *const rows[] = { "", "/", "/8", "192.0.2.0/",
		"192.0.2.0/33", "192.0.2.0/024", "192.0.2.0/24/", "10.0.0.0/ 8",
		"192.0.2.0/24 ", "192.0.2.0/-1", "192.0.2.0/+8",
		"192.0.2.0/255.255.255.0", "192.0.2.1/24", "2001:db8::1/32",
		"2001:db8::/129", "2001:db8::/256", "::1/0", ".", "..", "10..",
		"10.1", "1.2.3.4.", "256.", "010.", "10.1.2", "a.", "::1.",
		"::ffff:0:0/96", "::ffff:0:0/0", "::ffff:192.0.2.0/120",
		"::ffff:192.0.2.1/128", "::ffff:10.", "example.net" };
	static const struct net zero;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct net n;
		memset(&n, 0x55, sizeof(n));
		if (net_parse(rows[i], strlen(rows[i]), &n))
			fail_msg("\"%s\" was taken", rows[i]);
		assert_memory_equal(&n, &zero, sizeof(n));
	}
}

static bool contains(const char *net, const char *addr)
{
	struct net n;
	struct addr a;

	assert_true(net_parse(net, strlen(net), &n));
	assert_true(parse(addr, &a));
	return net_contains(&n, &a);
}

static void test_net_contains_knows_its_edges(void **state)
{
	(void)state;
	assert_true(contains("192.0.2.0/24", "192.0.2.0"));
	assert_true(contains("192.0.2.0/24", "192.0.2.255"));
	assert_false(contains("192.0.2.0/24", "192.0.3.0"));
	assert_false(contains("192.0.2.0/24", "192.0.1.255"));
	assert_true(contains("172.16.0.0/12", "172.31.255.255"));
	assert_false(contains("172.16.0.0/12", "172.32.0.0"));
	assert_true(contains("192.0.2.1", "192.0.2.1"));
	assert_false(contains("192.0.2.1", "192.0.2.0"));
	assert_true(contains("10.1.", "10.1.255.0"));
	assert_false(contains("10.1.", "10.2.0.0"));
	assert_true(contains("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(contains("2001:db8::/33", "2001:db8:8000::"));
}

static void test_net_contains_keeps_the_families_apart(void **state)
{
	(void)state;
	assert_true(contains("0.0.0.0/0", "203.0.113.7"));
	assert_false(contains("0.0.0.0/0", "2001:db8::7"));
	assert_false(contains("0.0.0.0/0", "::"));
	assert_true(contains("::/0", "2001:db8::7"));
	assert_false(contains("::/0", "203.0.113.7"));
	assert_false(contains("::/0", "::ffff:203.0.113.7"));
	assert_false(contains("::/64", "203.0.113.7"));
	assert_false(contains("::/80", "203.0.113.7"));
}

static void test_net_print_round_trips(void **state)
{
	unsigned long count = test_count(200000);

	(void)state;
	for (unsigned long i = 0; i < count; i++) {
		struct net n, back;
		char out[NET_TEXT_SIZE];
		struct addr a = random_addr();
		bool ipv4 = addr_is_ipv4(&a);
		n.bits = (uint8_t)(ipv4 ? 96 + below(33) : below(129));
		n.addr = addr_mask(&a, n.bits);
		size_t len = net_print(&n, out);
		assert_int_equal(len, strlen(out));
		if (!net_parse(out, len, &back))
			fail_msg("%s does not read back", out);
		assert_memory_equal(&n, &back, sizeof(n));
		assert_true(net_contains(&n, &a));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addr_parse_takes_and_prints_canonically),
		cmocka_unit_test(test_addr_parse_refuses_everything_else),
		cmocka_unit_test(test_addr_parse_reads_len_bytes_only),
		cmocka_unit_test(
		    test_addr_parse_equals_inet_pton_on_mutated_texts),
		cmocka_unit_test(
		    test_addr_parse_equals_inet_pton_on_random_texts),
		cmocka_unit_test(test_addr_print_round_trips_and_is_canonical),
		cmocka_unit_test(test_addr_mask_clears_what_is_behind),
		cmocka_unit_test(test_addr_is_ipv4_only_for_mapped),
		cmocka_unit_test(
		    test_net_parse_takes_cidr_hosts_and_dotted_prefixes),
		cmocka_unit_test(test_net_parse_refuses_everything_else),
		cmocka_unit_test(test_net_contains_knows_its_edges),
		cmocka_unit_test(test_net_contains_keeps_the_families_apart),
		cmocka_unit_test(test_net_print_round_trips),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
