/* SPDX-License-Identifier: ISC */
/*
 * test_addr_all - the address parser against inet_pton(3), for as many texts as
 * RELAYPASS_ADDR_TEXTS says. With 4294967296 it reads every IPv4 address there
 * is, each once as it is and once with a mistake in it; for every 40 of them
 * one IPv6 text.
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

enum { TEXT_SIZE = 80, IPV4_FOR_AN_IPV6 = 40, GROUPS = 8 };

/* What is put into texts where it may not be. */
static const char odd_bytes[] = "0123456789.:abfxAF%/+- \t\n[]\\";

static uint64_t seed = 0x9E3779B97F4A7C15;

static uint32_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

static uint32_t below(uint32_t limit)
{
	return (uint32_t)((uint64_t)next_random() * limit >> 32);
}

static uint64_t text_count(void)
{
	const char *text = getenv("RELAYPASS_ADDR_TEXTS");

	return text ? strtoull(text, NULL, 10) : 2000000;
}

/* The text needs its NUL, for inet_pton(3). */
static void judge(const char *text, size_t len)
{
	struct addr ours, theirs = { 0 };
	bool good = inet_pton(AF_INET, text, theirs.bytes + 12) == 1;
	char printed[ADDR_TEXT_SIZE];

	if (good) {
		theirs.bytes[10] = theirs.bytes[11] = 0xff;
	} else {
		memset(&theirs, 0, sizeof(theirs));
		good = inet_pton(AF_INET6, text, theirs.bytes) == 1;
	}
	if (addr_parse(text, len, &ours) != good)
		fail_msg("\"%s\": inet_pton says %d", text, good);
	if (!good)
		return;
	if (!addr_equal(&ours, &theirs))
		fail_msg("\"%s\": another address than inet_pton's", text);
	len = addr_print(&ours, printed);
	if (!addr_parse(printed, len, &theirs) || !addr_equal(&ours, &theirs))
		fail_msg("\"%s\" is printed as \"%s\"", text, printed);
}

/* Replaces, takes out or puts in one byte at a place of the text. */
static size_t mutate(char *text, size_t len, uint32_t how, size_t at, char c)
{
	switch (how) {
	case 0:
		text[at] = c;
		break;
	case 1:
		memmove(text + at, text + at + 1, len - at);
		return len - 1;
	default:
		memmove(text + at + 1, text + at, len - at + 1);
		text[at] = c;
		return len + 1;
	}
	return len;
}

static size_t print_ipv4(uint32_t value, char *out)
{
	static char number[256][4];
	static size_t width[256];
	size_t len = 0;

	if (!width[0])
		for (int i = 0; i < 256; i++)
			width[i] = (size_t)snprintf(
			    number[i], sizeof(number[i]), "%d", i);
	for (int shift = 24; shift >= 0; shift -= 8) {
		unsigned byte = value >> shift & 255;

		memcpy(out + len, number[byte], sizeof(number[byte]));
		len += width[byte];
		out[len++] = shift ? '.' : '\0';
	}
	return len - 1;
}

static void try_ipv4(uint32_t value)
{
	char text[TEXT_SIZE], printed[ADDR_TEXT_SIZE];
	size_t len = print_ipv4(value, text);
	uint32_t net = htonl(value);
	struct addr a;

	if (!addr_parse(text, len, &a) || !addr_is_ipv4(&a) ||
	    memcmp(a.bytes + 12, &net, 4) != 0)
		fail_msg("\"%s\" is not what was read", text);
	if (addr_print(&a, printed) != len ||
	    memcmp(text, printed, len + 1) != 0)
		fail_msg("\"%s\" is printed as \"%s\"", text, printed);
	judge(text, len);
	len = mutate(text, len, below(3), below((uint32_t)len),
	    odd_bytes[below(sizeof(odd_bytes) - 1)]);
	judge(text, len);
}

static void test_addr_parse_reads_every_ipv4_text(void **state)
{
	uint64_t count = text_count();

	(void)state;
	/* An odd factor: each value once in 2^32, and all sorts in a few. */
	for (uint64_t i = 0; i < count; i++)
		try_ipv4((uint32_t)i * 0x9E3779B1);
}

/* Every byte at every place of addresses of every shape. */
static void test_addr_parse_agrees_on_every_mistake_in_ipv4(void **state)
{
	static const uint8_t numbers[] = { 7, 25, 255 };

	(void)state;
	for (unsigned shape = 0; shape < 81; shape++) {
		uint32_t value = (uint32_t)numbers[shape / 27] << 24 |
				 (uint32_t)numbers[shape / 9 % 3] << 16 |
				 (uint32_t)numbers[shape / 3 % 3] << 8 |
				 numbers[shape % 3];
		char text[TEXT_SIZE];
		size_t len = print_ipv4(value, text);

		for (size_t at = 0; at < len; at++)
			for (unsigned n = 0; n < 3 * 255; n++) {
				char copy[TEXT_SIZE];

				memcpy(copy, text, len + 1);
				judge(copy, mutate(copy, len, n / 255, at,
						(char)(1 + n % 255)));
			}
	}
}

/* A group: small or large letters, with leading zeros or without. */
static size_t print_group(uint32_t value, char *out)
{
	const char *digits = below(2) ? "0123456789abcdef" : "0123456789ABCDEF";
	size_t width = 1 + below(4), len = 0;

	for (int shift = 12; shift >= 0; shift -= 4)
		if (value >> shift || (size_t)shift / 4 < width)
			out[len++] = digits[value >> shift & 15];
	return len;
}

/* Groups in any spelling, about as many as there may be, "::" somewhere or
 * nowhere, sometimes an IPv4 address behind them. */
static size_t random_ipv6(char *out)
{
	bool gap = below(3) != 0, tail = below(6) == 0;
	uint32_t full = tail ? GROUPS - 2 : GROUPS;
	uint32_t groups = gap ? below(full) : full;
	uint32_t at = below(groups + 1);
	size_t len = 0;

	if (below(8) == 0)
		groups = below(GROUPS + 2);
	for (uint32_t i = 0; i <= groups; i++) {
		uint32_t value = below(3) ? next_random() & 0xffff : below(2);

		if (i && (i < groups || tail))
			out[len++] = ':';
		if (gap && i == at) {
			out[len++] = ':';
			if (!i || (i == groups && !tail))
				out[len++] = ':';
		}
		if (i < groups)
			len +=
			    print_group(below(6) ? value : 0xffff, out + len);
	}
	if (tail)
		return len + print_ipv4(next_random(), out + len);
	out[len] = '\0';
	return len;
}

static void test_addr_parse_agrees_on_random_ipv6_texts(void **state)
{
	uint64_t count = text_count() / IPV4_FOR_AN_IPV6;
	uint64_t taken = 0;

	(void)state;
	for (uint64_t i = 0; i < count; i++) {
		char text[TEXT_SIZE];
		size_t len = random_ipv6(text);
		struct addr a;

		taken += addr_parse(text, len, &a);
		judge(text, len);
		if (!len)
			continue;
		len = mutate(text, len, below(3), below((uint32_t)len),
		    odd_bytes[below(sizeof(odd_bytes) - 1)]);
		judge(text, len);
	}
	/* Else this would be a test of refusals. */
	assert_true(taken > count / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addr_parse_reads_every_ipv4_text),
		cmocka_unit_test(
		    test_addr_parse_agrees_on_every_mistake_in_ipv4),
		cmocka_unit_test(test_addr_parse_agrees_on_random_ipv6_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
