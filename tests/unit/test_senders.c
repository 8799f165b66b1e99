/* SPDX-License-Identifier: ISC */
/*
 * test_senders - the map of require-sender: its text, its file, its look-ups.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "decide/senders.h"

static struct senders *map_of(const char *text)
{
	struct err err = { 0 };
	struct senders *s = senders_parse(text, strlen(text), "map", &err);

	if (!s)
		print_message("%s\n", err.text);
	return s;
}

static bool allows(
    const struct senders *s, const char *sender, const char *user)
{
	return senders_allow(
	    s, sender, strlen(sender), user, strlen(user), "example.net");
}

static void test_senders_reads_lines_remarks_and_what_goes_on(void **state)
{
	struct senders *s = map_of("# a remark\n"
				   "\n"
				   "   \t \n"
				   "jo@example.org  jo, anna@example.org,,ann\n"
				   "\tcarl\r\n"
				   "  # a remark with a name: mallory\n"
				   "  dora\n"
				   "@example.org boss\n"
				   "Bare  bob\n"
				   "last@example.org last\n");

	(void)state;
	assert_non_null(s);
	assert_int_equal(senders_count(s), 4);
	assert_true(allows(s, "jo@example.org", "jo"));
	assert_true(allows(s, "jo@example.org", "anna@example.org"));
	assert_true(allows(s, "jo@example.org", "ann"));
	assert_true(allows(s, "jo@example.org", "carl"));
	assert_true(allows(s, "jo@example.org", "dora"));
	assert_false(allows(s, "jo@example.org", "mallory"));
	assert_false(allows(s, "jo@example.org", "remark"));
	assert_false(allows(s, "jo@example.org", "#"));
	assert_true(allows(s, "last@example.org", "last"));
	senders_free(&s);
	assert_null(s);
}

static void test_senders_the_nearest_key_decides(void **state)
{
	struct senders *s = map_of("jo@example.org jo\n"
				   "@example.org boss\n"
				   "bare bob\n"
				   "bare@example.net nobody\n");

	(void)state;
	assert_true(allows(s, "other@example.org", "boss"));
	/* Its own line says who, not its domain's. */
	assert_false(allows(s, "jo@example.org", "boss"));
	/* The bare one only where no whole one stands. */
	assert_false(allows(s, "bare@example.net", "bob"));
	assert_true(allows(s, "bare@example.net", "nobody"));
	/* Subdomains are other domains. */
	assert_false(allows(s, "x@sub.example.org", "boss"));
	assert_false(allows(s, "x@example.org.example.com", "boss"));
	assert_false(allows(s, "x@ample.org", "boss"));
	senders_free(&s);

	s = map_of("bare bob\n");
	assert_true(allows(s, "bare@example.net", "bob"));
	assert_false(allows(s, "bare@example.org", "bob"));
	assert_false(senders_allow(s, "bare@example.net", 16, "bob", 3, ""));
	assert_false(senders_allow(s, "bare@example.net", 16, "bob", 3, NULL));
	senders_free(&s);

	/* The whole of a sender is a key, not its beginning. */
	s = map_of("jo@example.net bob\n");
	assert_true(allows(s, "jo@example.net", "bob"));
	assert_false(allows(s, "jo@example.net@example.net", "bob"));
	senders_free(&s);
}

static void test_senders_completes_and_compares_without_case(void **state)
{
	struct senders *s = map_of("Jo@Example.ORG Anna bob@example.net\n");

	(void)state;
	assert_true(allows(s, "jo@example.org", "anna"));
	assert_true(allows(s, "JO@EXAMPLE.ORG", "ANNA@EXAMPLE.NET"));
	assert_true(allows(s, "jo@example.org", "bob"));
	assert_false(allows(s, "jo@example.org", "anna@example.org"));
	assert_false(allows(s, "jo@example.org", "bob@example.org"));
	assert_false(allows(s, "jo@example.org", "ann"));
	assert_false(allows(s, "jo@example.org", "annas"));
	/* Without a domain, a bare name is only itself. */
	assert_true(senders_allow(s, "jo@example.org", 14, "anna", 4, ""));
	assert_false(
	    senders_allow(s, "jo@example.org", 14, "anna@example.net", 16, ""));
	senders_free(&s);
}

static void test_senders_nobody_writes_as_nobody(void **state)
{
	struct senders *s = map_of("@example.org boss\n<> boss\nbare boss\n");

	(void)state;
	assert_false(allows(s, "", "boss"));
	assert_false(allows(s, "<>", "boss"));
	assert_false(allows(s, "bare", "boss"));
	assert_false(allows(s, "x@", "boss"));
	assert_false(allows(s, "x@example.org", ""));
	senders_free(&s);
	s = map_of("");
	assert_non_null(s);
	assert_int_equal(senders_count(s), 0);
	assert_false(allows(s, "x@example.org", "x@example.org"));
	senders_free(&s);
}

static void test_senders_refuses_what_it_would_understand_half(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "jo@example.org\n", "map, line 1: expected a user" },
		{ "jo@example.org ,,\n", "line 1: expected a user" },
		{ "a b\njo@example.org\n# x\n", "line 2: expected a user" },
		{ "  jo@example.org jo\n", "line 1: goes on with a line" },
		{ "# x\n\n\tjo\n", "line 3: goes on with a line" },
		{ "a@example.org b\nA@example.org c\n", "line 2: this sender" },
		{ "a b # boss\n", "line 1: a remark needs a line of its own" },
		{ "a b #\n", "line 1: a remark" },
		{ "a b\x01 c\n", "line 1: a control byte" },
		{ "a\x7f c\n", "line 1: a control byte" },
		{ ",a b\n", "line 1: expected a sender first" },
		{ "\ra b\n", "line 1: expected a sender first" },
		{ "a b\nc annabel", "line 2: the last line has no end" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct err err = { 0 };
		struct senders *s = senders_parse(
		    cases[i].text, strlen(cases[i].text), "map", &err);

		assert_null(s);
		assert_int_equal(err.code, EXIT_USER);
		if (!strstr(err.text, cases[i].says))
			fail_msg("%s: %s", cases[i].text, err.text);
	}
	assert_null(senders_parse("a b\0c\n", 6, "map", NULL));
}

static void test_senders_is_bounded(void **state)
{
	size_t size = SENDERS_BYTES_MAX + 1;
	AUTO_FREE char *text = xmalloc(size);
	struct senders *s;

	(void)state;
	memset(text, 'a', size);
	assert_null(senders_parse(text, size, "map", NULL));
	text[1] = ' ';
	text[SENDERS_LINE_MAX + 1] = '\n';
	assert_null(senders_parse(text, SENDERS_LINE_MAX + 2, "map", NULL));
	text[SENDERS_LINE_MAX] = '\n';
	s = senders_parse(text, SENDERS_LINE_MAX + 1, "map", NULL);
	assert_non_null(s);
	senders_free(&s);
	text[SENDERS_LINE_MAX] = text[SENDERS_LINE_MAX + 1] = 'a';
	/* As one line, so its continuations together. */
	text[SENDERS_LINE_MAX / 2] = '\n';
	text[SENDERS_LINE_MAX / 2 + 1] = ' ';
	text[SENDERS_LINE_MAX + 3] = '\n';
	assert_null(senders_parse(text, SENDERS_LINE_MAX + 4, "map", NULL));
}

static void test_senders_finds_every_one_of_many(void **state)
{
	enum { MANY = 20000, ROW = 64 };
	AUTO_FREE char *text = xcalloc(MANY, ROW);
	size_t used = 0;
	struct senders *s;

	(void)state;
	for (int i = 0; i < MANY; i++)
		used += (size_t)snprintf(text + used, ROW,
		    "u%d@example.org login%d\n", i * 7919 % MANY,
		    i * 7919 % MANY);
	s = senders_parse(text, used, "map", NULL);
	assert_non_null(s);
	for (int i = 0; i < MANY; i++) {
		char sender[ROW], user[ROW];

		(void)snprintf(sender, sizeof(sender), "U%d@example.org", i);
		(void)snprintf(user, sizeof(user), "login%d", i);
		assert_true(allows(s, sender, user));
		(void)snprintf(user, sizeof(user), "login%d", i + 1);
		assert_false(allows(s, sender, user));
	}
	senders_free(&s);
}

static void test_senders_the_file_must_be_nobody_elses(void **state)
{
	char path[] = "/tmp/relaypass-test-XXXXXX", fifo[64];
	int fd = mkstemp(path);
	struct err err = { 0 };
	struct senders *s;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "jo@example.org jo\n", 18), 18);
	assert_int_equal(fchmod(fd, 0644), 0);
	s = senders_read(path, &err);
	assert_non_null(s);
	assert_true(allows(s, "jo@example.org", "jo"));
	senders_free(&s);
	assert_int_equal(fchmod(fd, 0664), 0);
	assert_null(senders_read(path, &err));
	assert_non_null(strstr(
	    err.text, "others may write it (mode 0664); run: chmod go-w "));
	assert_int_equal(fchmod(fd, 0602), 0);
	assert_null(senders_read(path, &err));
	assert_int_equal(fchmod(fd, 0644), 0);
	if (geteuid() == 0) {
		assert_int_equal(fchown(fd, 12345, 0), 0);
		assert_null(senders_read(path, &err));
		assert_non_null(strstr(
		    err.text, "belongs to user 12345; run: chown root "));
	}
	(void)close(fd);
	assert_int_equal(unlink(path), 0);
	assert_null(senders_read(path, &err));
	assert_int_equal(err.code, EXIT_USER);
	/* No fifo holds it up. */
	(void)snprintf(fifo, sizeof(fifo), "%s.fifo", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_null(senders_read(fifo, &err));
	assert_non_null(strstr(err.text, "not a regular file"));
	assert_int_equal(unlink(fifo), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test(test_senders_##name)
	const struct CMUnitTest tests[] = {
		T(reads_lines_remarks_and_what_goes_on),
		T(the_nearest_key_decides),
		T(completes_and_compares_without_case),
		T(nobody_writes_as_nobody),
		T(refuses_what_it_would_understand_half),
		T(is_bounded),
		T(finds_every_one_of_many),
		T(the_file_must_be_nobody_elses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
