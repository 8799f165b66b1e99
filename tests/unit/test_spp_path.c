/* SPDX-License-Identifier: ISC */
/*
 * test_spp_path - addresses as clients write them: what is read, what is
 * printed for the server, and what is refused because two programs could see
 * two addresses in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "smtp/path.h"

static void check_print(const struct spp_address *a, const char *want)
{
	char printed[SPP_PRINTED_SIZE];

	assert_int_equal(spp_address_print(a, printed), strlen(want));
	assert_string_equal(printed, want);
}

static const struct {
	const char *arg, *text, *printed, *rest; /* NULL: as text, "" */
} good[] = {
	{ "FROM:<joe@example.org>", "joe@example.org", NULL, NULL },
	{ "TO:<joe@example.org>", "joe@example.org", NULL, NULL },
	{ "from: <joe@example.org>", "joe@example.org", NULL, NULL },
	{ "FROM :\t<joe@example.org>  ", "joe@example.org", NULL, NULL },
	{ "FROM <joe@example.org>", "joe@example.org", NULL, NULL },
	{ "<joe@example.org>", "joe@example.org", NULL, NULL },
	{ "FROM:<>", "", NULL, NULL },
	{ "FROM:<> BODY=8BITMIME", "", NULL, "BODY=8BITMIME" },
	{ "FROM:<joe@example.org> \t SIZE=7 BODY=7BIT", "joe@example.org", NULL,
	    "SIZE=7 BODY=7BIT" },
	/* without brackets, as qmail has it */
	{ "FROM:joe@example.org", "joe@example.org", NULL, NULL },
	{ "FROM: joe@example.org SIZE=7", "joe@example.org", NULL, "SIZE=7" },
	{ "TO:postmaster", "postmaster", NULL, NULL },
	{ "TO:\"joe public\"@example.org x", "joe public@example.org",
	    "\"joe public\"@example.org", "x" },
	/* source routes */
	{ "TO:<@a.example.net:joe@example.org>", "joe@example.org", NULL,
	    NULL },
	{ "TO:<@a.example.net,@b.example.net:joe@example.org>",
	    "joe@example.org", NULL, NULL },
	{ "TO:@a.example.net:joe@example.org", "joe@example.org", NULL, NULL },
	{ "TO:<@example.org:joe%example.net@example.com>",
	    "joe%example.net@example.com", NULL, NULL },
	/* the percent hack, bangs, more than one @ */
	{ "TO:<joe%example.net@example.org>", "joe%example.net@example.org",
	    NULL, NULL },
	{ "TO:<example.net!joe@example.org>", "example.net!joe@example.org",
	    NULL, NULL },
	{ "TO:<joe@example.net@example.org>", "joe@example.net@example.org",
	    "\"joe@example.net\"@example.org", NULL },
	{ "TO:<joe%example.net>", "joe%example.net", NULL, NULL },
	/* quoted local parts */
	{ "TO:<\"joe\"@example.org>", "joe@example.org", NULL, NULL },
	{ "TO:<\"joe.public\"@example.org>", "joe.public@example.org", NULL,
	    NULL },
	{ "TO:<\"j\\oe\"@example.org>", "joe@example.org", NULL, NULL },
	{ "TO:<\"joe\\\"s\\\\\"@example.org>", "joe\"s\\@example.org",
	    "\"joe\\\"s\\\\\"@example.org", NULL },
	{ "TO:<\"joe@example.net\"@example.org>", "joe@example.net@example.org",
	    "\"joe@example.net\"@example.org", NULL },
	{ "TO:<\"@a:joe\"@example.org>", "@a:joe@example.org",
	    "\"@a:joe\"@example.org", NULL },
	{ "TO:<\"post master\">", "post master", "\"post master\"", NULL },
	{ "TO:<\"\"@example.org>", "@example.org", "\"\"@example.org", NULL },
	/* dots that RFC 5321 does not have */
	{ "TO:<joe.@example.org>", "joe.@example.org", "\"joe.\"@example.org",
	    NULL },
	{ "TO:<.j..oe@example.org>", ".j..oe@example.org",
	    "\".j..oe\"@example.org", NULL },
	/* no domain, literals */
	{ "TO:<postmaster>", "postmaster", NULL, NULL },
	{ "TO:<joe@[192.0.2.1]>", "joe@[192.0.2.1]", NULL, NULL },
	{ "TO:<joe@[IPv6:2001:db8::1]>", "joe@[IPv6:2001:db8::1]", NULL, NULL },
	{ "FROM:<prvs=1=joe+x-a=b@example.org>", "prvs=1=joe+x-a=b@example.org",
	    NULL, NULL },
	{ "TO:<j\xc3\xb6@ex\xc3\xa4mple.org>", "j\xc3\xb6@ex\xc3\xa4mple.org",
	    NULL, NULL },
};

static void good_paths(void **state)
{
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		const char *arg = good[i].arg, *rest = NULL;
		const char *want = good[i].rest ? good[i].rest : "";
		struct spp_address a;
		size_t len = strlen(arg);

		assert_true(spp_path_read(arg, len, &a, &rest));
		assert_string_equal(a.text, good[i].text);
		assert_int_equal(a.len, strlen(a.text));
		check_print(
		    &a, good[i].printed ? good[i].printed : good[i].text);
		assert_int_equal(arg + len - rest, strlen(want));
		assert_memory_equal(rest, want, strlen(want));
	}
	(void)state;
}

static const char *const bad[] = {
	"",
	"FROM",
	"FROM:",
	"FROM: ",
	"joe@example.org",
	"FROM joe@example.org",
	"RCPT:<joe@example.org>",
	"FROM:TO:<joe@example.org>",
	"FROM:Joe <joe@example.org>",
	"FROM:joe@example.org <joan@example.org",
	"FROM:joe@example.org <joan@example.org>",
	/* the end is missing, or is somewhere else */
	"FROM:<",
	"FROM:<joe@example.org",
	"FROM:joe@example.org>",
	"FROM:<joe@example.org>>",
	"FROM:<<joe@example.org>>",
	"FROM:<joe@example.org><joan@example.org>",
	"FROM:<joe@example.org>SIZE=7",
	"FROM:<joe@example.org>,<joan@example.org>",
	"FROM:<joe@<joan@example.org>",
	"FROM:<\"joe>\"@example.org>",
	"FROM:<\"joe\\>\"@example.org>",
	"FROM:<\"<joe\"@example.org>",
	"FROM:<joe@example.org\\>",
	"FROM:joe<joan@example.org",
	"FROM: SIZE=7",
	"FROM:AUTH=joe@example.org",
	/* quotes */
	"FROM:<\"joe@example.org>",
	"FROM:<joe\"@example.org>",
	"FROM:<\"joe@example.org> \"",
	"FROM:<jo\"e\"@example.org>",
	"FROM:<\"jo\"e@example.org>",
	"FROM:<\"joe\"\"x\"@example.org>",
	"FROM:<\"joe\".x@example.org>",
	"FROM:<\"joe\"@\"example.org\">",
	"FROM:<\"joe@example.org\">",
	"FROM:<\"joe\\",
	"FROM:<\"\">",
	"FROM:<\"joe\"@>",
	"FROM:<\"joe\"@example.org@example.net>",
	/* escapes, comments, lists, groups */
	"FROM:<joe\\@example.net@example.org>",
	"FROM:<joe(x)@example.org>",
	"FROM:<joe@example.org(x)>",
	"FROM:<joe,joan@example.org>",
	"FROM:<a:joe@example.org;>",
	"FROM:<joe@example.org;joan@example.org>",
	"FROM:<joe@example.org,example.net>",
	/* blanks */
	"FROM:< joe@example.org>",
	"FROM:<joe@example.org >",
	"FROM:<joe @example.org>",
	"FROM:<joe@example.org\t>",
	"FROM:< >",
	"FROM:<\"j\toe\"@example.org>",
	/* routes */
	"TO:<@example.org>",
	"TO:<@example.org:>",
	"TO:<@:joe@example.org>",
	"TO:<@example.org,:joe@example.org>",
	"TO:<@example.org,example.net:joe@example.org>",
	"TO:<@example.org:@example.net:joe@example.org>",
	"TO:<@[192.0.2.1]:joe@example.org>",
	"TO:<@example.org joe@example.org>",
	/* domains */
	"TO:<joe@>",
	"TO:<@>",
	"TO:<joe@.example.org>",
	"TO:<joe@example.org.>",
	"TO:<joe@example..org>",
	"TO:<joe@-example.org>",
	"TO:<joe@example-.org>",
	"TO:<joe@example.net%.example.org>",
	"TO:<joe@example.net!example.org>",
	"TO:<joe@example.net/example.org>",
	"TO:<joe@[192.0.2.1>",
	"TO:<joe@192.0.2.1]>",
	"TO:<joe@[192.0.2.256]>",
	"TO:<joe@[2001:db8::1]>",
	"TO:<joe@[IPv6:192.0.2.1]>",
	"TO:<joe@[]>",
	"TO:<joe@[IPv6:]>",
	"TO:<joe@[[192.0.2.1]]>",
	/* controls, and 8 bits that are no text */
	"FROM:<joe\r@example.org>",
	"FROM:<joe\nRCPT@example.org>",
	"FROM:<\"joe\n\"@example.org>",
	"FROM:<\"joe\\\r\"@example.org>",
	"FROM:<joe\x7f@example.org>",
	"FROM:<joe\x80@example.org>",
	"FROM:<joe\xbe@example.org>",
	"FROM:<joe\xc3@example.org>",
	"FROM:<joe\xc0\xbe@example.org>",
	"FROM:<joe\xe0\x80\xbe@example.org>",
	"FROM:<joe\xed\xa0\x80@example.org>",
	"FROM:<joe\xf4\x90\x80\x80@example.org>",
	"FROM:<joe\xc2\x85@example.org>",
	"FROM:<\"joe\xff\"@example.org>",
	"FROM:<joe@ex\xe4mple.org>",
};

static void bad_paths(void **state)
{
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct spp_address a = { 3, "old" };
		const char *rest;

		if (spp_path_read(bad[i], strlen(bad[i]), &a, &rest))
			fail_msg("%s was read as %s", bad[i], a.text);
		assert_int_equal(a.len, 0);
		assert_string_equal(a.text, "");
	}
	(void)state;
}

static void a_nul_is_a_byte(void **state)
{
	static const char plain[] = "TO:<joe\0@example.org>";
	static const char quoted[] = "TO:<\"joe\0\"@example.org>";
	static const char domain[] = "TO:<joe@example.org\0.example.net>";
	struct spp_address a;
	const char *rest;

	assert_false(spp_path_read(plain, sizeof(plain) - 1, &a, &rest));
	assert_false(spp_path_read(quoted, sizeof(quoted) - 1, &a, &rest));
	assert_false(spp_path_read(domain, sizeof(domain) - 1, &a, &rest));
	assert_false(spp_address_set(plain, sizeof(plain) - 1, &a));
	(void)state;
}

static void the_longest(void **state)
{
	char arg[SPP_ADDRESS_MAX + 20] = "TO:<", *local = arg + 4;
	const char *rest;
	struct spp_address a;

	for (size_t len = SPP_ADDRESS_MAX - 1; len <= SPP_ADDRESS_MAX + 1;
	     len++) {
		memset(local, 'x', len);
		memcpy(local + len - 12, "@example.org>", 14);
		assert_int_equal(spp_path_read(arg, strlen(arg), &a, &rest),
		    len <= SPP_ADDRESS_MAX);
		assert_int_equal(
		    spp_address_set(local, len, &a), len <= SPP_ADDRESS_MAX);
	}
	/* Escaped, each byte is two. */
	char printed[SPP_PRINTED_SIZE];
	memset(arg, '"', SPP_ADDRESS_MAX);
	assert_true(spp_address_set(arg, SPP_ADDRESS_MAX, &a));
	assert_int_equal(spp_address_print(&a, printed), SPP_PRINTED_SIZE - 1);
	(void)state;
}

static void labels_have_an_end(void **state)
{
	char text[400] = "joe@";
	struct spp_address a;

	memset(text + 4, 'x', 64);
	assert_true(spp_address_set(text, 4 + 63, &a));
	assert_true(spp_address_has_good_domain(&a));
	assert_false(spp_address_set(text, 4 + 64, &a));
	for (size_t i = 0; i < 300; i++)
		text[4 + i] = i % 2 ? '.' : 'x';
	assert_true(spp_address_set(text, 4 + 255, &a));
	assert_false(spp_address_set(text, 4 + 257, &a));
	(void)state;
}

static void what_a_plugin_says(void **state)
{
	static const struct {
		const char *text, *printed; /* NULL: refused */
	} table[] = {
		{ "spam@example.org", "spam@example.org" },
		{ "", "" },
		{ "postmaster", "postmaster" },
		{ "joe public@example.org", "\"joe public\"@example.org" },
		{ "\"joe\"@example.org", "\"\\\"joe\\\"\"@example.org" },
		{ "joe@example.net@example.org",
		    "\"joe@example.net\"@example.org" },
		{ "@a:joe@example.org", "\"@a:joe\"@example.org" },
		{ "@example.org", "\"\"@example.org" },
		{ "<joe@example.org>", NULL },
		{ "joe@example.org> SIZE=1", NULL },
		{ "joe@example.org SIZE=1", NULL },
		{ "joe@", NULL },
		{ "joe@example.org ", NULL },
		{ "joe\r\nDATA", NULL },
		{ "j\xffoe", NULL },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		const char *text = table[i].text, *want = table[i].printed;
		struct spp_address a = { 3, "old" };

		assert_int_equal(
		    spp_address_set(text, strlen(text), &a), want != NULL);
		assert_string_equal(a.text, want ? text : "");
		check_print(&a, want ? want : "");
	}
	(void)state;
}

static struct spp_address address(const char *text)
{
	struct spp_address a;

	assert_true(spp_address_set(text, strlen(text), &a));
	return a;
}

static void which_may_lead_elsewhere(void **state)
{
	static const struct {
		const char *text;
		bool routed;
	} table[] = {
		{ "", false },
		{ "joe@example.org", false },
		{ "joe", false },
		{ "joe.@example.org", false },
		{ "joe public@example.org", false },
		{ "joe+x=y@example.org", false },
		{ "j\xc3\xb6@example.org", false },
		{ "joe@[192.0.2.1]", false },
		{ "joe%example.net@example.org", true },
		{ "joe%example.net", true },
		{ "example.net!joe@example.org", true },
		{ "example.net!joe", true },
		{ "joe@example.net@example.org", true },
		{ "@a:joe@example.org", true },
		{ "a:joe@example.org", true },
		{ "joe,joan@example.org", true },
		{ "joe(x)@example.org", true },
		{ "j\"oe@example.org", true },
		{ "j\\oe@example.org", true },
		{ "[joe]@example.org", true },
		{ "@example.org", true },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct spp_address a = address(table[i].text);

		assert_int_equal(spp_address_is_routed(&a), table[i].routed);
	}
	(void)state;
}

static void domains(void **state)
{
	struct spp_address a = address("joe@example.net@example.org");

	assert_string_equal(spp_address_domain(&a), "example.org");
	assert_true(spp_address_has_good_domain(&a));
	a = address("joe");
	assert_null(spp_address_domain(&a));
	assert_false(spp_address_has_good_domain(&a));
	a = address("joe@[IPv6:2001:db8::1]");
	assert_string_equal(spp_address_domain(&a), "[IPv6:2001:db8::1]");
	assert_true(spp_address_has_good_domain(&a));
	/* Who makes one without us gets it refused, too. */
	a = (struct spp_address){ 9, "joe@a%.ex" };
	assert_false(spp_address_has_good_domain(&a));
	assert_true(spp_address_is_routed(&a));
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_paths),
		cmocka_unit_test(bad_paths),
		cmocka_unit_test(a_nul_is_a_byte),
		cmocka_unit_test(the_longest),
		cmocka_unit_test(labels_have_an_end),
		cmocka_unit_test(what_a_plugin_says),
		cmocka_unit_test(which_may_lead_elsewhere),
		cmocka_unit_test(domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
