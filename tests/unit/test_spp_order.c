/* SPDX-License-Identifier: ISC */
/*
 * test_spp_order - every command of a plugin, and lines that are none: nothing
 * of a line can become a second line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "smtp/order.h"

static void reads_len(
    const char *line, size_t len, enum spp_verb verb, const char *text)
{
	struct spp_order o;

	memset(&o, 0xa5, sizeof(o));
	spp_order_read(line, len, &o);
	if (o.verb != verb)
		fail_msg("\"%s\" is %d, not %d", line, (int)o.verb, (int)verb);
	assert_string_equal(o.text, text);
}

static void reads(const char *line, enum spp_verb verb, const char *text)
{
	reads_len(line, strlen(line), verb, text);
}

static void test_order_reads_each_verb(void **state)
{
	(void)state;
	reads("A", SPP_ACCEPT, "");
	reads("N", SPP_NEXT, "");
	reads("O", SPP_OK, "");
	reads("D", SPP_DROP, "");
	reads("E550 no", SPP_ERROR, "550 no");
	reads("R421 gone", SPP_REJECT, "421 gone");
	reads("LM450 later", SPP_LATER_MAIL, "450 later");
	reads("LR450 later", SPP_LATER_RCPT, "450 later");
	reads("LD450 later", SPP_LATER_DATA, "450 later");
	reads("SNAME=value", SPP_SET, "NAME=value");
	reads("UNAME", SPP_UNSET, "NAME");
	reads("HX-Spam-Flag: YES", SPP_HEADER, "X-Spam-Flag: YES");
	reads("Cspam@example.com", SPP_ADDRESS, "spam@example.com");
	reads("P250-hello", SPP_PRINT, "250-hello");
}

static void test_order_takes_the_first_letter_only(void **state)
{
	(void)state;
	reads("Accepted by me", SPP_ACCEPT, "");
	reads("Debug output", SPP_DROP, "");
	reads("OK", SPP_OK, "");
	reads("E", SPP_ERROR, "");
	reads("C", SPP_ADDRESS, "");
	reads("LM", SPP_LATER_MAIL, "");
}

static void test_order_ignores_what_is_none(void **state)
{
	(void)state;
	reads("", SPP_NOTHING, "");
	reads("\r", SPP_NOTHING, "");
	reads("a", SPP_NOTHING, "");
	reads(" A", SPP_NOTHING, "");
	reads("L", SPP_NOTHING, "");
	reads("LX450 no", SPP_NOTHING, "");
	reads("Lm450 no", SPP_NOTHING, "");
	reads("X", SPP_NOTHING, "");
	reads_len("\0A", 2, SPP_NOTHING, "");
}

static void test_order_wants_good_names(void **state)
{
	(void)state;
	reads("SA=", SPP_SET, "A=");
	reads("SA==b=c", SPP_SET, "A==b=c");
	reads("Sspam-score.x=5 ", SPP_SET, "spam-score.x=5 ");
	reads("SA", SPP_NOTHING, "");
	reads("S=a", SPP_NOTHING, "");
	reads("S", SPP_NOTHING, "");
	reads("SA B=c", SPP_NOTHING, "");
	reads("SA\xc3=c", SPP_NOTHING, "");
	reads_len("SA\0=c", 5, SPP_NOTHING, "");
	reads("UA=", SPP_NOTHING, "");
	reads("U", SPP_NOTHING, "");
	reads("UA B", SPP_NOTHING, "");
}

static void test_order_wants_headers_with_a_name(void **state)
{
	(void)state;
	reads("HX:", SPP_HEADER, "X:");
	reads("H\tmore", SPP_HEADER, "\tmore");
	reads("H more", SPP_HEADER, " more");
	reads("H", SPP_NOTHING, "");
	reads("H \t ", SPP_NOTHING, "");
	reads("Hno colon", SPP_NOTHING, "");
	reads("H: text", SPP_NOTHING, "");
	reads("HX Y: text", SPP_NOTHING, "");
	reads("HX\x01: text", SPP_NOTHING, "");
	reads_len("HX\0: text", 9, SPP_NOTHING, "");
}

static void test_order_has_no_second_line(void **state)
{
	(void)state;
	reads("E550 no\r", SPP_ERROR, "550 no");
	reads("E550 no\r\r", SPP_ERROR, "550 no ");
	reads("E550 no\r250 yes", SPP_ERROR, "550 no 250 yes");
	reads("E550 no\r\n250 yes", SPP_ERROR, "550 no  250 yes");
	reads("HX: a\rY: b", SPP_HEADER, "X: a Y: b");
	reads("HX: a\r\n\r\nbody", SPP_HEADER, "X: a    body");
	reads("SA=b\nC=d", SPP_SET, "A=b C=d");
	reads_len("E550 no\0yes", 11, SPP_ERROR, "550 no yes");
	reads_len("SA=b\0C=d", 8, SPP_SET, "A=b C=d");
	reads("A\r", SPP_ACCEPT, "");
}

static void test_order_keeps_other_bytes(void **state)
{
	(void)state;
	reads("E550 \x01\t\xff\xc3\xa9 ", SPP_ERROR, "550 \x01\t\xff\xc3\xa9 ");
}

static void test_order_has_room_for_the_longest(void **state)
{
	AUTO_FREE char *line = xmalloc(SPP_ORDER_MAX + 2);
	struct spp_order o;

	(void)state;
	memset(line, 'E', SPP_ORDER_MAX + 1);
	line[SPP_ORDER_MAX + 1] = '\0';
	spp_order_read(line, SPP_ORDER_MAX, &o);
	assert_int_equal(o.verb, SPP_ERROR);
	assert_int_equal(strlen(o.text), SPP_ORDER_MAX - 1);
	spp_order_read(line, SPP_ORDER_MAX + 1, &o);
	assert_int_equal(o.verb, SPP_NOTHING);
}

static void test_order_ends_with_the_terminal_ones(void **state)
{
	static const bool ends[] = { [SPP_ACCEPT] = true,
		[SPP_NEXT] = true,
		[SPP_OK] = true,
		[SPP_ERROR] = true,
		[SPP_REJECT] = true,
		[SPP_DROP] = true,
		[SPP_PRINT] = false };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ends); i++)
		assert_int_equal(spp_order_ends((enum spp_verb)i), ends[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_reads_each_verb),
		cmocka_unit_test(test_order_takes_the_first_letter_only),
		cmocka_unit_test(test_order_ignores_what_is_none),
		cmocka_unit_test(test_order_wants_good_names),
		cmocka_unit_test(test_order_wants_headers_with_a_name),
		cmocka_unit_test(test_order_has_no_second_line),
		cmocka_unit_test(test_order_keeps_other_bytes),
		cmocka_unit_test(test_order_has_room_for_the_longest),
		cmocka_unit_test(test_order_ends_with_the_terminal_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
