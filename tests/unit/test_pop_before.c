/* SPDX-License-Identifier: ISC */
/*
 * test_pop_before - the parts of pop-before-smtp: options as Getopt::Long reads
 * them, the old configuration file, its patterns, Postfix' networks, what comes
 * out for relaypassd, and what its own log calls added and removed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cmd/pop_before.h"
#include "cmd/pop_before_told.h"
#include "cmd/pop_before_translate.h"
#include "conf/conf.h"
#include "daemon/schema.h"

enum { ARGS_MAX = 8, TEXT_SIZE = 6000 };

#define IP "(\\d+\\.\\d+\\.\\d+\\.\\d+)"

static struct pop_settings settings;
static char said[TEXT_SIZE];

static int set_up(void **state)
{
	(void)state;
	pop_defaults(&settings);
	said[0] = '\0';
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pop_settings_free(&settings);
	return 0;
}

static void note(void *ctx, int line, const char *text)
{
	size_t used = strlen(said);

	(void)ctx;
	(void)snprintf(
	    said + used, sizeof(said) - used, "%d: %s\n", line, text);
}

static void read_config(const char *text)
{
	pop_read_config(&settings, text, strlen(text), note, NULL);
}

/* --- options ----------------------------------------------------------------
 */

/* Words cut at blanks. */
static int take(const char *line, struct err *err)
{
	static char room[TEXT_SIZE];
	char *argv[ARGS_MAX], *more = NULL;
	int argc = 0;

	(void)snprintf(room, sizeof(room), "%s", line);
	for (char *word = strtok_r(room, " ", &more); word;
	     word = strtok_r(NULL, " ", &more))
		argv[argc++] = word;
	return pop_options(&settings, argc, argv, err);
}

static const char *shown(enum pop_name name)
{
	const char *text = pop_text(&settings, name);

	return text ? text : "(none)";
}

static void test_options_as_getopt_long_takes_them(void **state)
{
	static const struct {
		const char *line;
		enum pop_name name;
		const char *value;
	} rows[] = {
		{ "--nowrite", POP_WRITE, "0" },
		{ "--no-write", POP_WRITE, "0" },
		{ "--nowrite --write", POP_WRITE, "1" },
		{ "--NOFLOCK", POP_FLOCK, "0" },
		{ "-debug", POP_DEBUG, "1" },
		{ "--debug", POP_LOGTO, "-" },
		{ "--debug --logto=/x", POP_LOGTO, "/x" },
		{ "--logto /x --debug", POP_LOGTO, "-" },
		{ "--nodebug", POP_LOGTO, "(none)" },
		{ "--reproc", POP_REPROCESS, "1" },
		{ "--watch=/a", POP_WATCHLOG, "/a" },
		{ "--logf /a", POP_WATCHLOG, "/a" },
		{ "--db /b", POP_DBFILE, "/b" },
		{ "--db=", POP_DBFILE, NULL },
		{ "--grace=60", POP_GRACE, "60" },
		{ "--g 60 stray", POP_GRACE, "60" },
		{ "--grace=60 -- --grace=90", POP_GRACE, "60" },
		{ "--grace=x", POP_GRACE, NULL },
		{ "--grace", POP_GRACE, NULL },
		{ "--log=/x", POP_LOGTO, NULL }, /* logfile or logto */
		{ "--=x", POP_LOGTO, NULL },
		{ "--noversion", POP_LOGTO, NULL },
		{ "--config=/x", POP_LOGTO, NULL },
		{ "--list=1", POP_LOGTO, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct err err = { 0 };
		int result = take(rows[i].line, &err);

		assert_int_equal(result, rows[i].value ? 0 : -1);
		if (rows[i].value)
			assert_string_equal(shown(rows[i].name), rows[i].value);
		pop_settings_free(&settings);
		pop_defaults(&settings);
	}
}

static void test_options_that_print(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(take("--vers --dumpc --li --daemon /run/x", &err), 0);
	assert_true(settings.version && settings.dumpconfig && settings.list);
	assert_string_equal(settings.daemon, "/run/x");
	assert_int_equal(take("--wri --lo", &err), -1);
	assert_string_equal(err.text, "Option lo is ambiguous");
}

static void test_grace_is_a_number_of_seconds(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = { { "1800", 1800 }, { "1", 1 }, { "0", -1 }, { "-5", -1 },
		{ "31536000", 31536000 }, { "31536001", -1 }, { "5x", -1 },
		{ "", -1 }, { "99999999999999999999", -1 } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		pop_set(&settings, POP_GRACE, rows[i].text);
		assert_int_equal(pop_grace(&settings), rows[i].seconds);
	}
}

/* --- the configuration file -------------------------------------------------
 */

static void test_config_takes_what_is_plain(void **state)
{
	(void)state;
	read_config("$grace = 20*60;\n$file_tail{'name'} = '/l';\n"
		    "$file_tail{'interval'} = 1;\n$dbvalue = 'yes';\n"
		    "if (!-f $file_tail{'name'}) {\n $x = 1;\n}\n1;\n");
	assert_int_equal(pop_grace(&settings), 1200);
	assert_string_equal(shown(POP_WATCHLOG), "/l");
	assert_string_equal(shown(POP_DBVALUE), "yes");
	assert_string_equal(said, "");
}

static void test_config_tells_of_code(void **state)
{
	(void)state;
	read_config("$pat = get();\n$tie_func = \\&t;\n$other = 'x';\n"
		    "sub custom_match { 1 }\nforeach (1) { }\nuse Fcntl;\n");
	assert_true(settings.values[POP_PAT].code);
	assert_true(settings.custom_match);
	assert_string_equal(said,
	    "1: $pat is set by code, which is not run: write it as a string\n"
	    "2: $tie_func is code, which is not run: a Berkeley DB hash is "
	    "written\n"
	    "3: $other is not known: it has no effect\n"
	    "4: sub custom_match is code, which is not run: logins of every "
	    "server that relaypass knows count\n"
	    "5: foreach is code, which is not run\n"
	    "6: use Fcntl is code, which is not run\n");
}

/* --- patterns ---------------------------------------------------------------
 */

static void append(char *text, size_t size, const char *more, const char *end)
{
	size_t used = strlen(text);

	(void)snprintf(text + used, size - used, "%s%s", more, end);
}

static void test_translation(void **state)
{
	static const struct {
		const char *from, *to; /* NULL: refused */
	} rows[] = {
		{ "^[LOGTIME] \\S+ popd\\[\\d+\\]: ok user=\\S+ \\[" IP "\\]",
		    "popd ^ok user\\=(?<user>[^ ]{1,255}+) "
		    "\\[(?<ip>%ip%)\\]$" },
		{ "^[LOGTIME] \\S+ (?:a|b)d?: from [:f]*" IP " user .+$",
		    "ad bd a b ^from (?<ip>%ip%) "
		    "user (?<user>[^ ]{1,255}+)$" },
		{ "^[LOGTIME] \\S+ p: User \"[^\"]+\" (?:in|on) from " IP,
		    "p ^User \\\"(?<user>[^\"]{1,255}+)\\\" (?:in|on) from "
		    "(?<ip>%ip%)$" },
		{ "^[LOGTIME] \\S+ p: user \\S+ \\d+ at " IP " \\(\\d+\\)",
		    "p ^user (?<user>[^ ]{1,255}+) \\d+ at (?<ip>%ip%) "
		    "\\(\\d+\\)$" },
		{ "^[LOGTIME] \\S+ p: " IP " user=\\S+ is \\S+$",
		    "p ^(?<ip>%ip%) user\\=(?<user>[^ ]{1,255}+) is [^ ]++$" },
		{ "^[LOGTIME] \\S+ p: " IP " user=\\S+ is .*",
		    "p ^(?<ip>%ip%) user\\=(?<user>[^ ]{1,255}+) is .*+$" },
		/* Where a stranger's text may be what is found. */
		{ "user=\\S+ from " IP, NULL },
		{ "^[LOGTIME] \\S+ .*: user=\\S+ from " IP, NULL },
		{ "^[LOGTIME] \\S+ p: user=\\S+ from " IP " id=\\S+ ok", NULL },
		{ "^[LOGTIME] \\S+ p: user=\\S+ host=.+ \\[" IP "\\] .*",
		    NULL },
		{ "^[LOGTIME] \\S+ p\\[\\d+\\]: user \\S+ logged in from " IP
		  " after .+$",
		    NULL },
		{ "^[LOGTIME] \\S+ p: user \\S+ from " IP " in .+?$", NULL },
		{ "^[LOGTIME] \\S+ p: user \\S+ from " IP " in .$", NULL },
		{ "^[LOGTIME] \\S+ p: user \\S+ from " IP " in \\w+ ok", NULL },
		/* What makes no lease, or is too hard. */
		{ "^[LOGTIME] \\S+ p: user=\\S+ in", NULL },
		{ "^[LOGTIME] \\S+ p: from " IP, NULL },
		{ "^[LOGTIME] \\S+ p: user=\\S+(?:x\\d+)? " IP, NULL },
		{ "^[LOGTIME] \\S+ p: user=\\S+\\S+ " IP, NULL },
		{ "^[LOGTIME] \\S+ p: (\\S+) user=\\S+ " IP, NULL },
		{ "^[LOGTIME] \\S+ p: user=[^x]+ from " IP, NULL },
		{ "^[LOGTIME] \\S+ p: user=[", NULL },
		{ "^[LOGTIME] \\S+ p: user=[x", NULL },
		{ "^[LOGTIME] \\S+ p: user=\\", NULL },
		{ "", NULL },
	};
	static struct translated out;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *why = pop_translate(rows[i].from, &out);
		char text[TEXT_SIZE] = "";

		assert_int_equal(why == NULL, rows[i].to != NULL);
		for (size_t k = 0; k < out.count; k++)
			append(text, sizeof(text), out.names[k], " ");
		append(text, sizeof(text), out.text, "");
		if (!why)
			assert_string_equal(text, rows[i].to);
	}
}

static void make(struct pop_patterns *out, int want, struct err *err)
{
	*err = (struct err){ 0 };
	assert_int_equal(
	    pop_patterns_make(&settings, out, note, NULL, err), want);
}

static void test_patterns_are_of_a_server(void **state)
{
	struct pop_patterns p;
	struct err err;

	(void)state;
	make(&p, 0, &err);
	assert_string_equal(p.servers, "uw-imap"); /* the default */
	assert_false(p.logouts);
	read_config("$PID_pat = '^[LOGTIME] \\S+ popa3d\\[(\\d+)\\]: ';\n"
		    "$IP_pat = $PID_pat . 'Session from " IP "';\n"
		    "$OK_pat = $PID_pat . 'Authentication passed for ';\n");
	make(&p, 0, &err);
	assert_string_equal(p.servers, "popa3d");
	read_config("sub custom_match { }\n");
	make(&p, 0, &err);
	assert_string_equal(p.servers, "");
}

static void test_patterns_of_their_own(void **state)
{
	struct pop_patterns p;
	struct err err;

	(void)state;
	read_config(
	    "$pat = '^[LOGTIME] \\S+ pq\\[\\d+\\]: ok user=\\S+ \\[" IP "\\]';"
	    "$out_pat = '^[LOGTIME] \\S+ pq\\[\\d+\\]: bye user=\\S+ \\[" IP
	    "\\]';");
	make(&p, 0, &err);
	assert_string_equal(p.servers, POP_BEFORE_NAME);
	assert_true(p.logouts);
	assert_non_null(strstr(p.file, "\nlogout   ^bye user"));
	pop_patterns_free(&p);
	read_config("$out_pat = '^[LOGTIME] \\S+ other: bye';");
	make(&p, 0, &err);
	assert_false(p.logouts);
	assert_non_null(strstr(said, "the pattern of logouts is not used"));
	pop_patterns_free(&p);
	read_config("$pat = '[';");
	make(&p, -1, &err);
	assert_non_null(strstr(err.text, "is no expression"));
	read_config("$pat = get();");
	make(&p, -1, &err);
	assert_non_null(strstr(err.text, "is code, which is not run"));
}

/* --- networks ---------------------------------------------------------------
 */

static void networks_are(const char *value, const char *want)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)pop_networks_print(value, out, note, NULL);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, want);
	free(text);
}

static void test_networks(void **state)
{
	char path[] = "/tmp/test_networks.XXXXXX", value[80];
	int fd = mkstemp(path);

	(void)state;
	networks_are("127.0.0.0/8, [::1]/128\n[::ffff:127.0.0.0]/104",
	    "\"127.0.0.0/8\", \"::1/128\", \"127.0.0.0/8\", ");
	networks_are("192.0.2.7/24 hash:/etc/postfix/nets 2001:db8::/32",
	    "\"192.0.2.0/24\", \"2001:db8::/32\", ");
	assert_string_equal(said, "");
	networks_are("!192.0.2.1 192.0.2.0/33 nonsense", "");
	assert_non_null(strstr(said, "\"!192.0.2.1\" is no network"));
	assert_non_null(strstr(said, "\"192.0.2.0/33\" is no network"));
	said[0] = '\0';
	assert_true(dprintf(fd, "# 192.0.2.1\n198.51.100.0/24 # x\n") > 0);
	(void)snprintf(value, sizeof(value), "%s 192.0.2.9", path);
	networks_are(value, "\"198.51.100.0/24\", \"192.0.2.9/32\", ");
	assert_string_equal(said, "");
	assert_int_equal(unlink(path), 0);
	(void)close(fd);
	networks_are(path, "");
	assert_non_null(strstr(said, "cannot be read"));
}

/* --- what relaypassd gets ---------------------------------------------------
 */

static void test_config_is_one_that_relaypassd_reads(void **state)
{
	struct pop_patterns p = { .servers = "dovecot", .logouts = true };
	struct err err = { 0 };
	const struct conf_section *lease;
	struct conf *conf;
	char *text;

	(void)state;
	pop_set(&settings, POP_WATCHLOG, "/var/log/a \"$b\\.log");
	text = pop_config_print(&settings, &p, "\"192.0.2.0/24\", ", NULL);
	conf = conf_parse(text, strlen(text), "made", schema(), &err);
	assert_string_equal(err.text, "");
	assert_non_null(conf);
	lease = conf_at(conf, "lease", 0);
	assert_int_equal(conf_number(lease, "ttl"), 1800000);
	assert_string_equal(conf_list_at(lease, "never", 0), "192.0.2.0/24");
	assert_string_equal(conf_list_at(conf_at(conf, "source", 0), "path", 0),
	    "/var/log/a \"$b\\.log");
	assert_int_equal(conf_count(conf, "export"), 0);
	conf_free(&conf);
	free(text);
	pop_set(&settings, POP_WATCHLOG, "-");
	p.logouts = false;
	text = pop_config_print(&settings, &p, "", "berkeley-hash");
	assert_non_null(strstr(text, "kind = \"stdin\""));
	assert_non_null(strstr(text, "hold-sessions = \"no\""));
	assert_non_null(
	    strstr(text, "path = \"/etc/postfix/pop-before-smtp.db\"\n"
			 "\tvalue = \"ok\""));
	free(text);
}

/* --- its own log ------------------------------------------------------------
 */

static void note_gone(void *ctx, const char *address)
{
	note(ctx, 0, address);
}

static void test_told_counts_addresses(void **state)
{
	struct pop_told *t = pop_told_new();

	(void)state;
	assert_true(pop_told_add(t, "192.0.2.1", "al"));
	assert_false(pop_told_add(t, "192.0.2.1", "al"));
	assert_false(pop_told_add(t, "192.0.2.1", "bo"));
	assert_true(pop_told_add(t, "192.0.2.2", "bo"));
	pop_told_remove(t, "192.0.2.1", "al", note_gone, NULL);
	pop_told_remove(t, "192.0.2.9", "al", note_gone, NULL);
	assert_string_equal(said, "");
	pop_told_remove(t, "::", "bo", note_gone, NULL);
	assert_non_null(strstr(said, "0: 192.0.2.1\n"));
	assert_non_null(strstr(said, "0: 192.0.2.2\n"));
	said[0] = '\0';
	assert_true(pop_told_add(t, "192.0.2.1", "al"));
	assert_false(pop_told_add(t, "192.0.2.1", "bo"));
	pop_told_remove(t, "192.0.2.1", "", note_gone, NULL);
	assert_string_equal(said, "0: 192.0.2.1\n");
	pop_told_free(&t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_options_as_getopt_long_takes_them),
		TEST(test_options_that_print),
		TEST(test_grace_is_a_number_of_seconds),
		TEST(test_config_takes_what_is_plain),
		TEST(test_config_tells_of_code),
		TEST(test_translation),
		TEST(test_patterns_are_of_a_server),
		TEST(test_patterns_of_their_own),
		TEST(test_networks),
		TEST(test_config_is_one_that_relaypassd_reads),
		TEST(test_told_counts_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
