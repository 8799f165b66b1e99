/* SPDX-License-Identifier: ISC */
/*
 * test_pattern_file - what a pattern file may hold, and how its mistakes are
 * told: file, line, what was expected.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "pattern/file.h"

static struct pattern_file *parse(const char *text, struct err *err)
{
	*err = (struct err){ 0 };
	return pattern_file_parse("x.pattern", text, strlen(text), err);
}

static const char every_statement[] =
    "# a comment\n\n"
    "server   some-server\n"
    "about    What it is\n"
    "note     One thing.\n"
    "note     Another thing.\n"
    "define   who (?<user>[^ ]++)\n"
    "define   line from (?<ip>%ip%) %who%\n"
    "program  a/b c*\n"
    "join     60\n"
    "session  host program pid\n"
    "tls      c*\n"
    "near     login\n"
    "uid      root 107\n"
    "uid      4294967294\n"
    "login    ^login %line%$\n"
    "connect  ^connect (?<ip>%ip%)$\n"
    "lead     a\n"
    "start    ^up 100%, or so$\n"
    "file     unstamped\n"
    "logout   ^bye (?<user>[^ ]++)$\n"
    "sample   login ip=192.0.2.1 user=a%20b tls=1 | a | b | c\n"
    "sample   none | x\n";

static void test_pattern_file_reads_every_statement(void **state)
{
	struct err err;
	struct pattern_file *f = parse(every_statement, &err);

	(void)state;
	if (!f) {
		fail_msg("%s", err.text);
		return;
	}
	assert_string_equal(f->name, "some-server");
	assert_string_equal(f->about, "What it is");
	assert_int_equal(f->notes.n, 2);
	assert_string_equal(f->source, every_statement);
	assert_int_equal(f->block_count, 3);
	assert_int_equal(f->blocks[0].place, PATTERN_PROGRAM);
	assert_int_equal(f->blocks[0].names.n, 2);
	assert_string_equal(f->blocks[0].names.at[1], "c*");
	assert_string_equal(f->blocks[0].server, "some-server");
	assert_int_equal(f->blocks[0].join, 60000);
	assert_int_equal(f->blocks[0].field_count, 3);
	assert_int_equal(f->blocks[0].fields[2], FIELD_PID);
	assert_int_equal(f->blocks[0].near.n, 1);
	assert_ptr_equal(f->blocks[0].senders, &f->blocks[0].users);
	assert_int_equal(f->blocks[0].users.words.n, 3);
	assert_int_equal(f->blocks[0].users.uids[0], 0);
	assert_int_equal(f->blocks[0].users.uids[1], 107);
	assert_int_equal(f->blocks[0].users.uids[2], 4294967294);
	assert_null(f->blocks[1].senders);
	assert_int_equal(f->blocks[0].expr_count, 2);
	assert_string_equal(f->blocks[0].exprs[0].text,
	    "^login from (?<ip>[0-9A-Fa-f:.]++) (?<user>[^ ]++)$");
	assert_int_equal(f->blocks[0].exprs[0].names.n, 2);
	assert_int_equal(f->blocks[1].place, PATTERN_LEAD);
	assert_int_equal(f->blocks[1].exprs[0].kind, PATTERN_START);
	assert_string_equal(f->blocks[1].exprs[0].text, "^up 100%, or so$");
	assert_true(f->blocks[2].unstamped);
	assert_int_equal(f->sample_count, 2);
	assert_string_equal(f->samples[0].text, "a | b | c");
	assert_string_equal(
	    f->samples[0].want, "ip=192.0.2.1 user=a%20b tls=1");
	assert_int_equal(f->samples[1].kind, LOGIN_NOTHING);
	pattern_file_free(&f);
	assert_null(f);
}

static const struct {
	const char *text, *told;
} mistakes[] = {
	{ "", "x.pattern:0: expected `server NAME`" },
	{ "# only\n", "x.pattern:1: expected `server NAME`" },
	{ "program a\n", "x.pattern:1: expected `server NAME` first" },
	{ "server A\n", "x.pattern:1: server: expected" },
	{ "server a b\n", "x.pattern:1: server: expected" },
	{ "server\n", "x.pattern:1: server: expected" },
	{ "server abcdefghijklmnopqrstuvwx\n", "x.pattern:1: server" },
	{ "server a\nserver b\n", "x.pattern:2: a second `server`" },
	{ "server a\nabout b\nabout c\n", "x.pattern:3: a second" },
	{ "server a\nfoo b\n", "x.pattern:2: unknown keyword" },
	{ "server a\nlogin ^a$\n", "x.pattern:2: expected `program`" },
	{ "server a\nnear a\n", "x.pattern:2: near" },
	{ "server a\nsession ip\n", "x.pattern:2: expected `program`" },
	{ "server a\nprogram\n", "x.pattern:2: expected at least" },
	{ "server a\nprogram a*b\n", "x.pattern:2: expected names" },
	{ "server a\nprogram a b:c\n", "x.pattern:2: expected names" },
	{ "server a\nprogram *\n", "x.pattern:2: expected names" },
	{ "server a\nfile x\n", "x.pattern:2: file" },
	{ "server a\nfile\njoin 60\n", "x.pattern:3: join" },
	{ "server a\nprogram a\njoin 0\n", "x.pattern:3: join" },
	{ "server a\nprogram a\njoin 60s\n", "x.pattern:3: join" },
	{ "server a\nprogram a\nsession\n", "x.pattern:3: session" },
	{ "server a\nprogram a\nsession x\n", "x.pattern:3: session" },
	{ "server a\nprogram a\nlogin a$\n", "x.pattern:3: expected an "
					     "expression" },
	{ "server a\nprogram a\nlogin ^(?<user>a)b$\n",
	    "x.pattern:3: a login needs (?<ip>...)" },
	{ "server a\nprogram a\nlogin ^(?<ip>a)b$\n",
	    "x.pattern:3: a login needs (?<user>...)" },
	{ "server a\nprogram a\nstart ^(?<foo>a)b$\n",
	    "x.pattern:3: groups are" },
	{ "server a\nprogram a\nstart ^(?:(?<ip>a)|(?<ip>b))$\n",
	    "x.pattern:3: groups are" },
	{ "server a\nprogram a\nstart ^.*x$\n", "x.pattern:3: a far repeat" },
	{ "server a\ndefine ip x\n", "x.pattern:2: define" },
	{ "server a\ndefine a x\ndefine a y\n", "x.pattern:3: define" },
	{ "server a\ndefine a\n", "x.pattern:2: define" },
	{ "server a\ndefine a %a%\nprogram a\nstart ^%a%$\n",
	    "x.pattern:4: a piece that holds itself" },
	{ "uid 0\nserver a\n", "x.pattern:1: expected `server NAME`" },
	{ "server a\nuid\n", "x.pattern:2: uid: expected" },
	{ "server a\nprogram a\nuid\n", "x.pattern:3: uid: expected" },
	{ "server a\nprogram a\nuid 4294967295\n", "x.pattern:3: uid" },
	{ "server a\nprogram a\nuid 0 99999999999999999999999\n",
	    "x.pattern:3: uid" },
	{ "server a\nsample login\n", "x.pattern:2: sample" },
	{ "server a\nsample maybe | x\n", "x.pattern:2: sample" },
	{ "server a\nsample login foo=1 | x\n", "x.pattern:2: sample" },
	{ "server a\nsample login ip=%zz | x\n", "x.pattern:2: sample" },
	{ "server a\r\n", "x.pattern:1: a NUL or CR byte" },
};

static void test_pattern_file_tells_mistakes_with_their_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
		struct err err;
		struct pattern_file *f = parse(mistakes[i].text, &err);

		if (f || strncmp(err.text, mistakes[i].told,
			     strlen(mistakes[i].told)) != 0)
			fail_msg("\"%s\"\n  told \"%s\"", mistakes[i].text,
			    f ? "nothing" : err.text);
		assert_int_equal(err.code, EXIT_USER);
	}
}

static void note_unknown(
    void *ctx, const struct pattern_file *f, int line, const char *name)
{
	char *out = ctx;
	size_t used = strlen(out);

	snprintf(out + used, 100 - used, "%s:%d %s\n", f->path, line, name);
}

static void test_pattern_file_tells_users_that_are_not_here(void **state)
{
	static const char text[] = "server a\nuid nobody-such 0\n"
				   "program a\nuid root not-a-user\n"
				   "file\nuid 5 root\n"
				   "lead a\nuid nor-this\n"
				   "program b\n";
	char told[100] = "";
	struct err err;
	struct pattern_file *f = parse(text, &err);

	(void)state;
	assert_non_null(f);
	assert_int_equal(f->blocks[0].users.uids[1], PATTERN_NO_UID);
	assert_int_equal(pattern_file_unknown_users(f, note_unknown, told), 3);
	assert_string_equal(told, "x.pattern:2 nobody-such\n"
				  "x.pattern:4 not-a-user\n"
				  "x.pattern:8 nor-this\n");
	/* A block without its own has the file's. */
	assert_ptr_equal(f->blocks[0].senders, &f->blocks[0].users);
	assert_ptr_equal(f->blocks[3].senders, &f->users);
	pattern_file_free(&f);
}

static void test_pattern_file_limits_what_a_piece_grows_to(void **state)
{
	char text[2000] = "server a\ndefine a0 xxxxxxxxxx\n";
	struct err err;

	(void)state;
	for (int i = 1; i < 6; i++) {
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used,
		    "define a%d %%a%d%%%%a%d%%%%a%d%%%%a%d%%\n", i, i - 1,
		    i - 1, i - 1, i - 1);
	}
	snprintf(text + strlen(text), sizeof(text) - strlen(text),
	    "program a\nstart ^%%a5%%$\n");
	assert_null(parse(text, &err));
	assert_non_null(strstr(err.text, "longer than"));
}

static void test_pattern_file_loads_regular_files_only(void **state)
{
	char path[] = "/tmp/relaypass-test-XXXXXX";
	AUTO_CLOSE int fd = mkstemp(path);
	struct err err = { 0 };
	struct pattern_file *f;

	(void)state;
	assert_true(fd >= 0 && write(fd, "server a\n", 9) == 9);
	f = pattern_file_load(path, &err);
	assert_non_null(f);
	pattern_file_free(&f);
	unlink(path);
	assert_null(pattern_file_load(path, &err));
	assert_int_equal(err.code, EXIT_USER);
	assert_null(pattern_file_load("/tmp", &err));
	assert_null(pattern_file_load("/dev/zero", &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pattern_file_reads_every_statement),
		cmocka_unit_test(
		    test_pattern_file_tells_mistakes_with_their_line),
		cmocka_unit_test(
		    test_pattern_file_tells_users_that_are_not_here),
		cmocka_unit_test(
		    test_pattern_file_limits_what_a_piece_grows_to),
		cmocka_unit_test(test_pattern_file_loads_regular_files_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
