/* SPDX-License-Identifier: ISC */
/*
 * test_drac_portmap - what is said to rpcbind byte by byte, and what is read
 * from its answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "source/drac_portmap.h"

static void test_drac_portmap_writes_what_rpcbind_reads(void **state)
{
	static const uint8_t set[] = "\0\0\0\7\0\0\0\0\0\0\0\2\0\1\x86\xa0"
				     "\0\0\0\4\0\0\0\1\0\0\0\0\0\0\0\0"
				     "\0\0\0\0\0\0\0\0\0\x0d\xbc\5\0\0\0\2"
				     "\0\0\0\4tcp6\0\0\0\x08::.42.149\0"
				     "\0\0\0\0\0\0";
	uint8_t out[PORTMAP_CALL_MAX];
	char place[PORTMAP_PLACE_SIZE];
	struct addr a = { 0 };
	size_t len;

	(void)state;
	portmap_place(&a, 10901, place);
	assert_string_equal(place, "::.42.149");
	assert_true(addr_parse("192.0.2.1", 9, &a));
	portmap_place(&a, 65535, place);
	assert_string_equal(place, "192.0.2.1.255.255");
	assert_string_equal(portmap_transport(false, false), "udp");
	assert_string_equal(portmap_transport(true, true), "tcp6");
	/* The longest there is. */
	memset(&a, 0xfe, sizeof(a));
	portmap_place(&a, 65535, place);
	len = portmap_set_encode(out, 7, 2, "udp6", place);
	assert_true(len <= sizeof(out));
	len = portmap_set_encode(out, 7, 2, "tcp6", "::.42.14");
	assert_int_equal(len, 40 + 8 + 8 + 12 + 4);
	assert_memory_equal(out, set, 60);
	assert_memory_equal(out + 60, "::.42.14\0\0\0\0", 12);
	assert_int_equal(portmap_unset_encode(out, 7, 1), 40 + 8 + 12);
	assert_int_equal(portmap_find_encode(out, 7, 1, false), 56);
	assert_int_equal(portmap_find_encode(out, 7, 2, true), 40 + 8 + 8 + 8);
}

static void found_is(const char *text, bool good, uint16_t want)
{
	uint8_t bytes[200] = { 0, 0, 0, 7, 0, 0, 0, 1 };
	size_t len = strlen(text);
	uint16_t port = 1;

	(void)drac_put_word(bytes + 24, (uint32_t)len);
	for (size_t i = 0; i < len; i++)
		bytes[28 + i] = (uint8_t)text[i];
	assert_int_equal(
	    portmap_found_decode(bytes, 28 + (len + 3) / 4 * 4, 7, true, &port),
	    good ? RPC_REPLY_SERVED : RPC_REPLY_REFUSED);
	if (good)
		assert_int_equal(port, want);
}

static void test_drac_portmap_reads_places(void **state)
{
	uint8_t bytes[28] = { 0, 0, 0, 7, 0, 0, 0, 1 };
	uint16_t port;

	(void)state;
	found_is("", true, 0);
	found_is("2001:db8::1.42.149", true, 10901);
	found_is("::.255.255", true, 65535);
	found_is("::.0.0", true, 0);
	found_is("::.256.1", false, 0);
	found_is("::.1.1000", false, 0);
	found_is(".1.", false, 0);
	found_is("1.1", false, 0);
	found_is("..", false, 0);
	found_is("x", false, 0);
	bytes[26] = 42;
	bytes[27] = 149;
	assert_int_equal(
	    portmap_found_decode(bytes, 28, 7, false, &port), RPC_REPLY_SERVED);
	assert_int_equal(port, 10901);
	bytes[25] = 1;
	assert_int_equal(portmap_found_decode(bytes, 28, 7, false, &port),
	    RPC_REPLY_REFUSED);
	assert_int_equal(
	    portmap_found_decode(bytes, 28, 8, false, &port), RPC_REPLY_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drac_portmap_writes_what_rpcbind_reads),
		cmocka_unit_test(test_drac_portmap_reads_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
