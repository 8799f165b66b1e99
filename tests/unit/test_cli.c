/* SPDX-License-Identifier: ISC */
/*
 * test_cli - the pure parts of the verbs: options, safe text, requests,
 * replies, and a conversation over a socket pair's worth of hostile answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/cli.h"
#include "cmd/jsonl.h"

/* --- options -------------------------------------------------------------- */

struct parsed {
	const char *user, *socket, *rest[2];
	bool all;
	int count;
	struct err err;
};

static void parse(struct parsed *p, const char *const *words)
{
	const struct cli_option options[] = {
		{ "user", 'u', &p->user, NULL },
		{ "socket", 's', &p->socket, NULL },
		{ "all", 'a', NULL, &p->all },
		{ 0 },
	};
	char *argv[12];
	int argc = 0;

	memset(p, 0, sizeof(*p));
	for (; words[argc]; argc++)
		memcpy(&argv[argc], &words[argc], sizeof(char *));
	p->count = cli_options(argc, argv, options, p->rest, 2, &p->err);
}

#define PARSE(p, ...)                                                          \
	parse(p, (const char *const[]){ "verb", __VA_ARGS__, NULL })

static void test_cli_options_take_any_order_and_form(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "one", "--user", "bob", "-a", "two", "-s/tmp/x");
	assert_int_equal(p.count, 2);
	assert_string_equal(p.rest[0], "one");
	assert_string_equal(p.rest[1], "two");
	assert_string_equal(p.user, "bob");
	assert_string_equal(p.socket, "/tmp/x");
	assert_true(p.all);
	PARSE(&p, "--user=a=b", "-s", "y");
	assert_string_equal(p.user, "a=b");
	assert_string_equal(p.socket, "y");
	PARSE(&p, "--user=", "--", "--all");
	assert_string_equal(p.user, "");
	assert_int_equal(p.count, 1);
	assert_string_equal(p.rest[0], "--all");
	assert_false(p.all);
	PARSE(&p, "-");
	assert_string_equal(p.rest[0], "-");
	PARSE(&p, "--user", "-x");
	assert_string_equal(p.user, "-x");
}

static void test_cli_options_refuse_what_they_do_not_know(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "--nonsense");
	assert_int_equal(p.count, -1);
	PARSE(&p, "-x");
	assert_int_equal(p.count, -1);
	PARSE(&p, "--use", "x");
	assert_int_equal(p.count, -1);
	PARSE(&p, "--all=yes");
	assert_int_equal(p.count, -1);
	PARSE(&p, "-ab");
	assert_int_equal(p.count, -1);
	PARSE(&p, "--user");
	assert_int_equal(p.count, -1);
	assert_string_equal(p.err.text, "option --user wants a value");
	PARSE(&p, "1", "2", "3\x1b[2J");
	assert_int_equal(p.count, -1);
	assert_string_equal(p.err.text, "\"3\\x1b[2J\" is too much");
	assert_int_equal(p.err.code, EXIT_USER);
}

/* --- text ----------------------------------------------------------------- */

static void test_cli_safe_lets_no_control_byte_through(void **state)
{
	char out[32];

	(void)state;
	assert_string_equal(cli_safe("a b", 3, out, sizeof(out)), "a b");
	assert_string_equal(cli_safe("\x1b[1m\\\xc3\xa4", 7, out, sizeof(out)),
	    "\\x1b[1m\\x5c\\xc3\\xa4");
	assert_string_equal(cli_safe("0123456789", 10, out, 8), "0123...");
	assert_string_equal(cli_safe("01\n", 3, out, 6), "01...");
	assert_string_equal(cli_safe("abc", 3, out, 3), "ab");
	assert_string_equal(cli_safe("", 0, out, 1), "");
}

static void test_cli_span_is_short(void **state)
{
	char out[CLI_SPAN_SIZE];

	(void)state;
	assert_string_equal(cli_span(-5, out), "0s");
	assert_string_equal(cli_span(59, out), "59s");
	assert_string_equal(cli_span(1752, out), "29m12s");
	assert_string_equal(cli_span(3720, out), "1h02m");
	assert_string_equal(cli_span(273600, out), "3d04h");
	assert_true(strlen(cli_span(INT64_MAX, out)) < CLI_SPAN_SIZE);
}

static const char *json_of(const char *text)
{
	static char out[200];
	json_t *object = json_object();

	jsonl_put(object, "k", text);
	snprintf(out, sizeof(out), "%s",
	    json_string_value(json_object_get(object, "k")));
	json_decref(object);
	return out;
}

static void test_jsonl_put_takes_any_bytes(void **state)
{
	(void)state;
	assert_string_equal(json_of("plain"), "plain");
	assert_string_equal(json_of("\xc3\xa4"), "\xc3\xa4");
	assert_string_equal(json_of("a\xe4z"), "a\\xe4z");
	assert_string_equal(json_of("\x01"), "\x01");
}

/* --- requests ------------------------------------------------------------- */

static void test_request_builds_one_coded_line(void **state)
{
	struct request r;

	(void)state;
	request_begin(&r, "grant");
	request_put_addr(&r, "address", "::FFFF:192.0.2.7");
	request_put_user(&r, "anna b=%");
	request_put_duration(&r, "ttl", "30m");
	request_put(&r, "now-only", NULL);
	assert_int_equal(r.err.code, 0);
	assert_string_equal(
	    r.line, "grant address=192.0.2.7 user=anna%20b%3D%25 ttl=1800 ");
	request_begin(&r, "check");
	request_put_addr(&r, NULL, "2001:DB8::7");
	request_put(&r, "sender", "");
	assert_string_equal(r.line, "check 2001:db8::7 sender= ");
	assert_int_equal(r.used, strlen(r.line));
}

static void test_request_refuses_what_cannot_be_sent(void **state)
{
	char big[5000];
	struct request r;

	(void)state;
	request_begin(&r, "grant");
	request_put_addr(&r, "address", "mail.example.net\n");
	assert_int_equal(r.err.code, EXIT_USER);
	assert_null(strchr(r.err.text, '\n'));
	request_begin(&r, "grant");
	request_put_duration(&r, "ttl", "0");
	assert_int_equal(r.err.code, EXIT_USER);
	request_begin(&r, "grant");
	request_put_user(&r, "a\nb");
	assert_int_equal(r.err.code, EXIT_USER);
	memset(big, 'u', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	request_begin(&r, "grant");
	request_put_user(&r, big);
	assert_int_equal(r.err.code, EXIT_USER);
	request_begin(&r, "check");
	request_put(&r, "sender", big);
	assert_int_equal(r.err.code, EXIT_USER);
	/* The first mistake stays. */
	request_put_user(&r, "bob");
	assert_string_equal(r.err.text, "sender is too long");
}

/* --- replies -------------------------------------------------------------- */

static bool reply(const char *line, struct reply *r)
{
	return reply_parse(line, strlen(line), r);
}

static void test_reply_parse_cuts_words_and_values(void **state)
{
	struct reply r;

	(void)state;
	assert_true(reply("status process role=keeper pid=12 name=a%20b ", &r));
	assert_string_equal(r.word, "status");
	assert_string_equal(r.topic, "process");
	assert_int_equal(r.count, 3);
	assert_string_equal(reply_value(&r, "name"), "a b");
	assert_int_equal(reply_number(&r, "pid"), 12);
	assert_int_equal(reply_number(&r, "role"), 0);
	assert_int_equal(reply_number(&r, "nothing"), 0);
	assert_null(reply_value(&r, "nothing"));
	assert_true(reply("ok", &r));
	assert_int_equal(r.count, 0);
	assert_true(reply("ok x=", &r));
	assert_string_equal(reply_value(&r, "x"), "");
	assert_true(reply("ok n=99999999999999999999", &r));
	assert_int_equal(reply_number(&r, "n"), 0);
}

static void test_reply_parse_refuses_what_is_not_ours(void **state)
{
	static const char *const rows[] = { "", " ok", "a=b", "ok  x=1",
		"ok a b c", "ok x=1 word", "ok x=%zz", "ok x=\x1b", "ok =1",
		"ok x=%0a", "a-word-that-is-longer-than-any-of-ours-is" };
	char many[2000];
	size_t used = 2;
	struct reply r;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (reply(rows[i], &r))
			fail_msg("\"%s\" was taken", rows[i]);
	}
	memcpy(many, "ok", 3);
	for (int i = 0; i <= REPLY_PAIRS_MAX; i++)
		used +=
		    (size_t)snprintf(many + used, sizeof(many) - used, " k=v");
	assert_false(reply(many, &r));
}

/* --- a conversation ------------------------------------------------------- */

/* A peer that answers the first request with these bytes, in two pieces. */
static pid_t serve(const char *path, const char *bytes, size_t len, size_t cut)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const void *address = &un;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, address, sizeof(un)), 0);
	assert_int_equal(listen(fd, 1), 0);
	pid_t pid = fork();
	if (pid == 0) {
		char in[100];
		int c = accept(fd, NULL, NULL);
		if (read(c, in, sizeof(in)) < 0 || write(c, bytes, cut) < 0 ||
		    write(c, bytes + cut, len - cut) < 0)
			_exit(1);
		_exit(0);
	}
	close(fd);
	return pid;
}

static void count_row(void *ctx, const struct reply *row)
{
	assert_string_equal(row->word, "lease");
	*(size_t *)ctx += 1;
}

struct talk {
	int result;
	size_t rows;
	struct reply last;
	struct err err;
};

static void talk(const char *answer, size_t cut, struct talk *t)
{
	char dir[] = "/tmp/test-cli-XXXXXX";
	struct endpoint at = { .type = ENDPOINT_UNIX };

	memset(t, 0, sizeof(*t));
	assert_non_null(mkdtemp(dir));
	snprintf(at.path, sizeof(at.path), "%s/s", dir);
	pid_t pid = serve(at.path, answer, strlen(answer), cut);
	struct client *c = client_open(&at, 10000, false, &t->err);
	assert_non_null(c);
	t->result =
	    client_ask(c, "list", 4, count_row, &t->rows, &t->last, &t->err);
	client_close(&c);
	assert_null(c);
	waitpid(pid, NULL, 0);
	unlink(at.path);
	rmdir(dir);
}

static void test_client_ask_reads_rows_to_the_last_line(void **state)
{
	static const char answer[] = "lease address=192.0.2.7/32 user=a\n"
				     "lease address=192.0.2.8/32 user=b \n"
				     "ok count=2\n";
	struct talk t;

	(void)state;
	for (size_t cut = 0; cut < sizeof(answer); cut += 7) {
		talk(answer, cut, &t);
		assert_int_equal(t.result, 0);
		assert_int_equal(t.rows, 2);
		assert_int_equal(reply_number(&t.last, "count"), 2);
	}
}

static void test_client_ask_makes_errors_of_everything_else(void **state)
{
	struct talk t;

	(void)state;
	talk("error not stored: \x1b[31m\n", 3, &t);
	assert_int_equal(t.result, -1);
	assert_int_equal(t.err.code, EXIT_AGAIN);
	assert_string_equal(t.err.text, "not stored: \\x1b[31m");
	talk("lease user=a\n", 0, &t);
	assert_int_equal(t.result, -1);
	assert_non_null(strstr(t.err.text, "closed the connection"));
	talk("HTTP/1.1 200 OK\r\n", 4, &t);
	assert_int_equal(t.result, -1);
	assert_non_null(strstr(t.err.text, "another way"));
	talk("no reason=revoked\n", 4, &t);
	assert_int_equal(t.result, 0);
	assert_string_equal(t.last.word, "no");
}

static void test_client_ask_refuses_a_line_without_end(void **state)
{
	size_t size = 100000;
	AUTO_FREE char *big = xmalloc(size);
	struct talk t;

	(void)state;
	memset(big, 'x', size - 1);
	big[size - 1] = '\0';
	talk(big, 50000, &t);
	assert_int_equal(t.result, -1);
	assert_int_equal(t.err.code, EXIT_AGAIN);
}

static void test_client_open_says_who_is_not_there(void **state)
{
	struct endpoint at = { .type = ENDPOINT_UNIX,
		.path = "/nonexistent/control" };
	struct err err = { 0 };

	(void)state;
	assert_null(client_open(&at, 1000, true, &err));
	assert_int_equal(err.code, EXIT_AGAIN);
	assert_non_null(strstr(err.text, "unix:/nonexistent/control"));
	assert_non_null(strstr(err.text, "start relaypassd"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cli_options_take_any_order_and_form),
		cmocka_unit_test(test_cli_options_refuse_what_they_do_not_know),
		cmocka_unit_test(test_cli_safe_lets_no_control_byte_through),
		cmocka_unit_test(test_cli_span_is_short),
		cmocka_unit_test(test_jsonl_put_takes_any_bytes),
		cmocka_unit_test(test_request_builds_one_coded_line),
		cmocka_unit_test(test_request_refuses_what_cannot_be_sent),
		cmocka_unit_test(test_reply_parse_cuts_words_and_values),
		cmocka_unit_test(test_reply_parse_refuses_what_is_not_ours),
		cmocka_unit_test(test_client_ask_reads_rows_to_the_last_line),
		cmocka_unit_test(
		    test_client_ask_makes_errors_of_everything_else),
		cmocka_unit_test(test_client_ask_refuses_a_line_without_end),
		cmocka_unit_test(test_client_open_says_who_is_not_there),
	};

	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
