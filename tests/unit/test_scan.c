/* SPDX-License-Identifier: ISC */
/*
 * test_scan - what the configuration reader refuses, and in which words.
 */
#include "conf_tables.h"

/* The text is refused, and the message is this one. */
static void bad(const char *text, const char *message)
{
	struct err err;
	struct conf *c = parse(text, &err);

	assert_null(c);
	assert_string_equal(err.text, message);
	assert_int_equal(err.code, EXIT_USER);
}

static void bad_somehow(const char *text, size_t len, const char *part)
{
	struct err err = { 0 };
	struct conf *c = conf_parse(text, len, "t.conf", schema, &err);

	assert_null(c);
	if (strstr(err.text, part) == NULL)
		fail_msg("got: %s\nwant: ... %s ...", err.text, part);
}

#define bad_literal(text, part) bad_somehow(text, sizeof(text) - 1, part)
/* before, `times` times piece, behind; to be freed. */
static char *repeated(
    const char *before, const char *piece, size_t times, const char *behind)
{
	size_t size =
	    strlen(before) + times * strlen(piece) + strlen(behind) + 1;
	char *out = xcalloc(1, size), *at = out;

	at += snprintf(at, size, "%s", before);
	for (size_t i = 0; i < times; i++)
		at += snprintf(at, strlen(piece) + 1, "%s", piece);
	snprintf(at, strlen(behind) + 1, "%s", behind);
	return out;
}

static void test_scan_tells_bad_values_with_line_and_expectation(void **state)
{
	(void)state;
	bad("lease {\n ttl = 5x }",
	    "t.conf:2: lease: ttl: found '5x', expected a duration such as "
	    "90s, 30m, 1h or 60 * 30, from 1s to 365d");
	bad("lease { ttl = 0 }",
	    "t.conf:1: lease: ttl: found '0', expected a duration such as "
	    "90s, 30m, 1h or 60 * 30, from 1s to 365d");
	bad("/* a\n*/ # b\nlease { never = { 192.0.2.1,\n\n'10.0.0.1/8' } }",
	    "t.conf:5: lease: never: found '10.0.0.1/8', expected networks "
	    "such as 192.0.2.0/24, 2001:db8::/32, 192.0.2.1 or 10.1. (no bits "
	    "set behind the prefix)");
	bad("lease { prefix = 129 }",
	    "t.conf:1: lease: prefix: found '129', expected a whole number, "
	    "from 32 to 128");
	bad("lease { prefix = \" 64\" }",
	    "t.conf:1: lease: prefix: found ' 64', expected a whole number, "
	    "from 32 to 128");
	bad("lease { mode = enfor }",
	    "t.conf:1: lease: mode: found 'enfor', expected one of enforce, "
	    "observe, off");
	bad("lease { tls = 1 }",
	    "t.conf:1: lease: tls: found '1', expected yes or no");
	bad("lease { map = 2P }",
	    "t.conf:1: lease: map: found '2P', expected a size such as 64K, 1M "
	    "or 2G, from 4K to 1T");
	bad("lease { map = 9223372036854775807T }",
	    "t.conf:1: lease: map: found '9223372036854775807T', expected a "
	    "size such as 64K, 1M or 2G, from 4K to 1T");
	bad("lease { directory = var }",
	    "t.conf:1: lease: directory: found 'var', expected an absolute "
	    "path");
	bad("lease { ttl = {1h, 2h} }",
	    "t.conf:1: lease: ttl: found a list of 2, expected one value");
	bad("lease { ttl = {} }",
	    "t.conf:1: lease: ttl: found a list of 0, expected one value");
}

static void test_scan_tells_names_that_are_not_known(void **state)
{
	(void)state;
	bad("\nleases { }",
	    "t.conf:2: there is no section 'leases'; there are: lease, source, "
	    "export");
	bad("lease {\n\n ttll = 1h }",
	    "t.conf:3: lease: there is no option 'ttll'; there are: ttl, "
	    "prefix, mode, tls, map, never, users, directory, extra, note");
	bad("source a { kind = file path = '/x'\n drain = yes }",
	    "t.conf:2: source a: kind file has no option 'drain'; it has: "
	    "kind, weight, path, owner");
	bad("source a { kind = file path = '/x'\n x = yes }",
	    "t.conf:2: source a: kind file has no option 'x'; it has: kind, "
	    "weight, path, owner");
	bad("source a { x = yes kind = file }",
	    "t.conf:1: source a: no kind of source has an option 'x'");
	bad("source a { kind = fil path = '/x' }",
	    "t.conf:1: source a: there is no kind 'fil' of source; there are: "
	    "file, fifo");
	/* Its options cannot be known: they may be those of a kind that this
	 * build has not. */
	bad("source a {\n units = x\n kind = journal }",
	    "t.conf:3: source a: there is no kind 'journal' of source; there "
	    "are: file, fifo");
	bad("source a { kind = journal\n units = x }",
	    "t.conf:1: source a: there is no kind 'journal' of source; there "
	    "are: file, fifo");
	bad("source a { kind = { journal, file } units = x }",
	    "t.conf:1: source a: there is no kind 'journal' of source; there "
	    "are: file, fifo");
	bad("lease { kind = journal }",
	    "t.conf:1: lease: there is no option 'kind'; there are: ttl, "
	    "prefix, mode, tls, map, never, users, directory, extra, note");
	bad("export popip { kind = cdb path = '/x' }",
	    "t.conf:1: export popip: this version has no kind of export yet; "
	    "remove the section");
}

static void test_scan_tells_what_is_missing(void **state)
{
	(void)state;
	bad("source a { path = '/x' }",
	    "t.conf:1: source a: kind is missing; there are: file, fifo");
	bad("\nsource a {\n kind = file }",
	    "t.conf:2: source a: path is missing, expected a text, or a list "
	    "such as {\"a\", \"b\"}");
	bad("source { kind = file }",
	    "t.conf:1: source: a name is missing, as in: source NAME { ... }");
}

static void test_scan_refuses_a_section_or_option_given_twice(void **state)
{
	(void)state;
	bad("lease { }\nlease { }",
	    "t.conf:2: lease: there is one already, on line 1");
	bad("source a { kind = fifo path = '/x' }\n"
	    "source b { kind = fifo path = '/x' }\n"
	    "source 'a' { kind = fifo path = '/x' }",
	    "t.conf:3: source a: there is one already, on line 1");
	bad("lease x { }",
	    "t.conf:1: lease: this section has no name, but 'x' stands there");
	bad("lease { ttl = 1h\n ttl = 2h }",
	    "t.conf:2: ttl is set a second time; the first is on line 1");
	bad("lease { users = {a}\n users = {} }",
	    "t.conf:2: users is set a second time; the first is on line 1");
}

static void test_scan_tells_a_broken_shape(void **state)
{
	(void)state;
	bad("\nlease {\n ttl = 1h\n",
	    "t.conf:4: found the end of the file, expected an option or '}'; "
	    "the section begins on line 2");
	bad("lease { ttl 1h }",
	    "t.conf:1: found '1h', expected '=' (a value of several words "
	    "stands in quotes)");
	bad("lease { ttl = 60 * 30 }",
	    "t.conf:1: found '*', which must stand in quotes");
	bad("lease { } }",
	    "t.conf:1: found '}', expected a section, as in: lease { ... }");
	bad("ttl = 1h",
	    "t.conf:1: found '=', expected '{' or the section's name");
	bad("lease { never = { a b } }",
	    "t.conf:1: found 'b', expected ',' or '}'");
	bad("lease { never += { a } }",
	    "t.conf:1: found '+', which must stand in quotes");
	bad("lease { note = \"abc\n\" }",
	    "t.conf:1: a value in \"...\" does not end on its line");
	bad("lease { note = 'abc",
	    "t.conf:1: a value in '...' does not end on its line");
	bad("lease { /* \n\n }",
	    "t.conf:1: a comment begins here and has no end");
	bad("lease { directory = /var//log }",
	    "t.conf:1: '//' begins a comment; the value must stand in quotes");
	bad("\"lease\" { }",
	    "t.conf:1: found '\"lease\"', expected a section, as in: lease { "
	    "... }");
	bad("lease { lease { ttl = 1h } }",
	    "t.conf:1: found '{', expected '=' (a value of several words "
	    "stands in quotes)");
	bad("source a.b { }",
	    "t.conf:1: found 'a.b', expected a name of 1 to 31 letters, "
	    "digits, '-' and '_'");
}

static void test_scan_runs_no_feature_of_libconfuse(void **state)
{
	struct conf *c;

	(void)state;
	assert_int_equal(setenv("SECRET", "/from/the/environment", 1), 0);
	bad("include(\"/etc/passwd\")",
	    "t.conf:1: found '('; there are no functions and no include() "
	    "here");
	bad("lease { directory = ${SECRET} }",
	    "t.conf:1: found '$', which must stand in quotes");
	bad_literal("lease { directory = \"${SECRET}\" }", "not read here");
	bad_literal(
	    "lease { directory = \"/a${SECRET:-x}\" }", "not read here");
	bad_literal("lease|ttl = 5m", "found '|'");
	c = good("lease { note = '${SECRET}' directory = \"/\\${SECRET}\" }");
	assert_string_equal(
	    conf_string(conf_at(c, "lease", 0), "note"), "${SECRET}");
	assert_string_equal(
	    conf_string(conf_at(c, "lease", 0), "directory"), "/${SECRET}");
	conf_free(&c);
}

static void test_scan_refuses_control_bytes_and_nul(void **state)
{
	(void)state;
	bad_literal("\nlease { \0 }", "t.conf:2: a NUL byte");
	bad_literal("lease { note = \"a\x01\" }", "control byte 0x01");
	bad_literal("lease { note = 'a\x7f' }", "control byte 0x7f");
	bad_literal("lease { note = \"\\n\" }", "backslash");
	bad_literal("lease { note = \"\\x00\" }", "backslash");
	bad_literal("\xef\xbb\xbflease { }", "byte 0xef");
}

static void test_scan_keeps_its_limits(void **state)
{
	char *text = repeated("lease { never = {", "192.0.2.1,", 4096, "} }");
	char *sections = xcalloc(258, 64);
	char *at = sections;
	struct conf *c = good(text);

	(void)state;
	assert_int_equal(conf_list_size(conf_at(c, "lease", 0), "never"), 4096);
	conf_free(&c);
	free(text);
	text = repeated("lease { never = {", "192.0.2.1,", 4097, "} }");
	bad_somehow(text, strlen(text), "more than 4096 values");
	free(text);
	text = repeated("lease { note = \"", "a", 4097, "\" }");
	bad_somehow(text, strlen(text), "longer than 4096 bytes");
	free(text);
	text = repeated("", "#\n", 524289, "");
	bad_somehow(text, strlen(text), "larger than 1048576 bytes");
	bad_somehow(text, strlen(text) - 1, "larger");
	text[1048576] = '\0';
	c = good(text);
	conf_free(&c);
	free(text);
	for (int i = 0; i < 256; i++)
		at += snprintf(
		    at, 64, "source s%d { kind = fifo path = '/' }\n", i);
	c = good(sections);
	assert_int_equal(conf_count(c, "source"), 256);
	assert_string_equal(conf_name(conf_at(c, "source", 255)), "s255");
	conf_free(&c);
	snprintf(at, 64, "lease { }");
	bad_somehow(sections, strlen(sections), "more than 256 sections");
	free(sections);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_scan_tells_bad_values_with_line_and_expectation),
		cmocka_unit_test(test_scan_tells_names_that_are_not_known),
		cmocka_unit_test(test_scan_tells_what_is_missing),
		cmocka_unit_test(
		    test_scan_refuses_a_section_or_option_given_twice),
		cmocka_unit_test(test_scan_tells_a_broken_shape),
		cmocka_unit_test(test_scan_runs_no_feature_of_libconfuse),
		cmocka_unit_test(test_scan_refuses_control_bytes_and_nul),
		cmocka_unit_test(test_scan_keeps_its_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
