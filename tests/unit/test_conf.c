/* SPDX-License-Identifier: ISC */
/*
 * test_conf - the configuration reader: values, sections, printing, files. What
 * it refuses is test_scan.c's.
 */
#include "conf_tables.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void put(void *ctx, const char *text)
{
	char **out = ctx;
	size_t used = *out != NULL ? strlen(*out) : 0;

	*out = xrealloc(*out, used + strlen(text) + 1, 1);
	memcpy(*out + used, text, strlen(text) + 1);
}

static char *printed(const struct conf *c, bool comments)
{
	char *out = NULL;

	conf_print(c, comments, put, &out);
	return out;
}

static void test_conf_gives_defaults_when_the_file_is_empty(void **state)
{
	struct conf *c = good("");
	const struct conf_section *s = conf_at(c, "lease", 0);

	(void)state;
	assert_int_equal(conf_count(c, "lease"), 1);
	assert_int_equal(conf_count(c, "source"), 0);
	assert_int_equal(conf_number(s, "ttl"), 1800000);
	assert_int_equal(conf_number(s, "prefix"), 128);
	assert_int_equal(conf_number(s, "mode"), 0);
	assert_int_equal(conf_number(s, "tls"), 0);
	assert_int_equal(conf_number(s, "map"), 64 << 20);
	assert_int_equal(conf_list_size(s, "never"), 2);
	assert_string_equal(conf_list_at(s, "never", 1), "10.9.");
	assert_int_equal(conf_list_size(s, "users"), 0);
	assert_string_equal(conf_string(s, "directory"), "/var/lib/x");
	assert_string_equal(conf_string(s, "extra"), "");
	assert_string_equal(conf_name(s), "");
	assert_string_equal(conf_kind(s), "");
	assert_false(conf_is_set(s, "ttl"));
	conf_free(&c);
	assert_null(c);
}

static void test_conf_reads_values_of_every_type(void **state)
{
	struct conf *c = good("# first line\n"
			      "lease { ttl = \"60 * 30\" prefix = \"64\"\n"
			      "  mode = observe tls = on  /* two\n"
			      "  lines */ map = '128K'\n"
			      "  never = { \"192.0.2.0/24\", # one\n"
			      "    2001:db8::/32, // two\n"
			      "    '10.1.', }\n"
			      "  users = joe@example.org directory = /srv\n"
			      "  note = \"a \\\"b\\\" \\\\ \\${x} # c\" }\n");
	const struct conf_section *s = conf_at(c, "lease", 0);

	(void)state;
	assert_int_equal(conf_number(s, "ttl"), 1800000);
	assert_int_equal(conf_number(s, "prefix"), 64);
	assert_int_equal(conf_number(s, "mode"), 1);
	assert_string_equal(conf_string(s, "mode"), "observe");
	assert_int_equal(conf_number(s, "tls"), 1);
	assert_int_equal(conf_number(s, "map"), 131072);
	assert_int_equal(conf_list_size(s, "never"), 3);
	assert_string_equal(conf_list_at(s, "never", 1), "2001:db8::/32");
	assert_int_equal(conf_list_size(s, "users"), 1);
	assert_string_equal(conf_list_at(s, "users", 0), "joe@example.org");
	assert_string_equal(conf_string(s, "directory"), "/srv");
	assert_string_equal(conf_string(s, "note"), "a \"b\" \\ ${x} # c");
	assert_true(conf_is_set(s, "ttl"));
	assert_int_equal(conf_line(s), 2);
	conf_free(&c);
}

static void test_conf_reads_sections_with_kinds_in_file_order(void **state)
{
	struct conf *c = good("source b { path = '/a' kind = fifo }\n"
			      "lease {}\n"
			      "source\n  'a-1' { kind = \"file\"\n"
			      "path = {\"/x\",\"/y\"} weight = -3 }\n");
	const struct conf_section *s = conf_at(c, "source", 0);

	(void)state;
	assert_int_equal(conf_count(c, "source"), 2);
	assert_string_equal(conf_name(s), "b");
	assert_string_equal(conf_kind(s), "fifo");
	assert_string_equal(conf_string(s, "path"), "/a");
	assert_int_equal(conf_number(s, "weight"), 1);
	s = conf_at(c, "source", 1);
	assert_string_equal(conf_name(s), "a-1");
	assert_string_equal(conf_kind(s), "file");
	assert_int_equal(conf_list_size(s, "path"), 2);
	assert_int_equal(conf_number(s, "weight"), -3);
	assert_int_equal(conf_line(s), 3);
	conf_free(&c);
}

static void test_conf_empty_list_replaces_the_default(void **state)
{
	struct conf *c = good("lease { never = {} }");

	(void)state;
	assert_int_equal(conf_list_size(conf_at(c, "lease", 0), "never"), 0);
	assert_true(conf_is_set(conf_at(c, "lease", 0), "never"));
	conf_free(&c);
}

static void test_conf_print_reads_back_to_the_same(void **state)
{
	struct conf *c = good(
	    "lease { ttl = 5400 map = 1000000 note = \"a\\\"\\\\'\\${b} "
	    "\xc3\xa4\""
	    " never = {\"10.\", ::1} mode = off tls = yes users = {'x y', z} }"
	    "source one { kind = file path = {'/a*', \"/b\"} }"
	    "source two { kind = fifo path = /c weight = -9 }");
	struct err err;

	(void)state;
	for (int comments = 0; comments < 2; comments++) {
		char *text = printed(c, comments);
		struct conf *again = parse(text, &err);

		if (again == NULL)
			fail_msg("%s\n%s", err.text, text);
		assert_true(conf_same(c, again, "lease"));
		assert_true(conf_same(c, again, "source"));
		assert_true(conf_same(c, again, "export"));
		assert_int_equal(comments, strstr(text, "# How long.") != NULL);
		conf_free(&again);
		free(text);
	}
	conf_free(&c);
}

static void test_conf_default_prints_templates_of_the_kinds(void **state)
{
	struct conf *c = conf_default(schema), *again;
	char *text = printed(c, true);

	(void)state;
	assert_non_null(strstr(text, "#source NAME {\n#\tkind = \"fifo\"\n"));
	assert_non_null(strstr(text, "#\tdrain = \"yes\"\n"));
	assert_non_null(strstr(text, "\tttl = \"30m\"\n"));
	again = good(text);
	assert_true(conf_same(c, again, "lease"));
	conf_free(&again);
	conf_free(&c);
	free(text);
}

static void test_conf_same_compares_meaning_not_writing(void **state)
{
	struct conf *a = good("lease { ttl = 1h never = {10.1.} }"
			      "source a { kind = fifo path = /x }"
			      "source b { kind = fifo path = /y }");
	struct conf *b = good("source b { drain = on path = /y kind = fifo }"
			      "source a { kind = fifo path = /x }"
			      "lease { never = 10.1.0.0/16 ttl = 3600 }");
	struct conf *other = good("source b { kind = fifo path = /z }"
				  "source a { kind = fifo path = /x }"
				  "lease { never = 10.1.0.0/16 ttl = 3601 }");

	(void)state;
	assert_true(conf_same(a, b, "lease"));
	assert_true(conf_same(a, b, "source"));
	assert_false(conf_same(a, other, "lease"));
	assert_false(conf_same(a, other, "source"));
	conf_free(&a);
	conf_free(&b);
	conf_free(&other);
}

static void test_conf_load_names_the_file_and_refuses_odd_ones(void **state)
{
	char path[] = "/tmp/test_conf.XXXXXX";
	int fd = mkstemp(path);
	struct err err = { 0 };
	struct conf *c;
	char want[200];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "lease { ttl = 2h }\nx", 20), 20);
	assert_null(conf_load(path, schema, &err));
	snprintf(want, sizeof(want), "%s:2: ", path);
	assert_memory_equal(err.text, want, strlen(want));
	assert_int_equal(ftruncate(fd, 19), 0);
	c = conf_load(path, schema, &err);
	assert_non_null(c);
	assert_int_equal(conf_number(conf_at(c, "lease", 0), "ttl"), 7200000);
	conf_free(&c);
	assert_int_equal(ftruncate(fd, 1 << 21), 0);
	assert_null(conf_load(path, schema, &err));
	assert_non_null(strstr(err.text, "larger than"));
	close(fd);
	unlink(path);
	assert_null(conf_load(path, schema, &err));
	assert_non_null(strstr(err.text, "No such file"));
	assert_null(conf_load("/dev/null", schema, &err));
	assert_non_null(strstr(err.text, "not a regular file"));
	assert_null(conf_load("/tmp", schema, &err));
}

/* Reading from memory must do in a process that may open nothing. isatty() of
 * libconfuse's lexer is an ioctl on descriptor -1. */
static void test_conf_parse_opens_no_file(void **state)
{
	static const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	const struct sock_fprog program = { COUNT_OF(code),
		(struct sock_filter *)code };
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct err err;
		struct conf *c;

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
			_exit(2);
		c = parse("lease { ttl = 1h }", &err);
		_exit(c != NULL && parse("lease { x = 1 }", &err) == NULL ? 0
									  : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_conf_gives_defaults_when_the_file_is_empty),
		cmocka_unit_test(test_conf_reads_values_of_every_type),
		cmocka_unit_test(
		    test_conf_reads_sections_with_kinds_in_file_order),
		cmocka_unit_test(test_conf_empty_list_replaces_the_default),
		cmocka_unit_test(test_conf_print_reads_back_to_the_same),
		cmocka_unit_test(
		    test_conf_default_prints_templates_of_the_kinds),
		cmocka_unit_test(test_conf_same_compares_meaning_not_writing),
		cmocka_unit_test(
		    test_conf_load_names_the_file_and_refuses_odd_ones),
		cmocka_unit_test(test_conf_parse_opens_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
