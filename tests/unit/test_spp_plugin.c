/* SPDX-License-Identifier: ISC */
/*
 * test_spp_plugin - plugins that end well, badly, late or never, and what they
 * find when they start.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "smtp/order.h"
#include "smtp/plugin.h"

enum { LONG_MS = 60000, SHORT_MS = 100, HEARD_MAX = 4096 };

static char *const env[] = { (char[]){ "PATH=/usr/bin:/bin" },
	(char[]){ "A=b c" }, NULL };

/* What a plugin wrote: each line and a '|'. */
struct heard {
	char text[HEARD_MAX];
	size_t len, lines;
	const char *last; /* ends the reading; NULL: none does */
	const char *bad;
};

static bool is(const char *line, size_t len, const char *want)
{
	return want && len == strlen(want) && memcmp(line, want, len) == 0;
}

static enum spp_line_wish hear(void *ctx, const char *line, size_t len)
{
	struct heard *h = ctx;

	h->lines++;
	for (size_t i = 0; i < len && h->len < HEARD_MAX - 2; i++)
		h->text[h->len++] = line[i];
	if (h->len < HEARD_MAX - 1)
		h->text[h->len++] = '|';
	h->text[h->len] = '\0';
	if (is(line, len, h->bad))
		return SPP_LINE_BAD;
	return is(line, len, h->last) ? SPP_LINE_LAST : SPP_LINE_MORE;
}

static enum spp_end run(const char *command, int64_t limit, struct heard *h)
{
	const struct spp_plugin p = { SPP_MAIL, true, command };
	const char *last = h->last, *bad = h->bad;

	*h = (struct heard){ .last = last, .bad = bad };
	return spp_plugin_run(&p, env, limit, hear, h);
}

static void says(const char *command, const char *want)
{
	struct heard h = { .last = NULL };

	assert_int_equal(run(command, LONG_MS, &h), SPP_ENDED);
	assert_string_equal(h.text, want);
}

static void test_plugin_gives_whole_lines(void **state)
{
	(void)state;
	says("true", "");
	says("echo N", "N|");
	says("echo A; echo; echo B", "A||B|");
	says("printf 'one\\ntw'; printf 'o\\nlast'", "one|two|last|");
	says("printf '\\n\\n'", "||");
	says("exit 7", "");
	says("echo N; exit 1", "N|");
}

static void test_plugin_finds_its_place(void **state)
{
	int other = fcntl(STDERR_FILENO, F_DUPFD, 50);

	(void)state;
	assert_true(other >= 50);
	says("echo \"$A\"; echo \"${HOME-none}\"", "b c|none|");
	says("readlink /proc/self/fd/0; cat", "/dev/null|");
	says("for i in 3 4 5 6 7 8 9 50 51 52; do "
	     "[ ! -e /proc/self/fd/$i ] || echo $i; done",
	    "");
	says("echo log >&2", "");
	/* the leader of its own group: ps's fields of /proc */
	says("read -r pid comm s ppid pgrp rest </proc/self/stat; "
	     "[ \"$pgrp\" = $$ ] && echo own",
	    "own|");
	close(other);
}

static void test_plugin_gets_the_default_signals(void **state)
{
	void (*old)(int) = signal(SIGPIPE, SIG_IGN);
	struct heard h = { .last = NULL };

	(void)state;
	assert_int_equal(run("kill -PIPE $$", LONG_MS, &h), SPP_CRASHED);
	(void)signal(SIGPIPE, old);
}

static void test_plugin_needs_no_shell(void **state)
{
	char path[] = "/tmp/test-plugin-XXXXXX";
	struct spp_plugin p = { SPP_MAIL, false, path };
	struct heard h = { .last = NULL };
	int fd = mkstemp(path);
	static const char script[] = "#!/bin/sh\necho \"$#\"";

	(void)state;
	assert_true(write(fd, script, sizeof(script) - 1) > 0);
	assert_int_equal(fchmod(fd, 0700), 0);
	close(fd);
	assert_int_equal(spp_plugin_run(&p, env, LONG_MS, hear, &h), SPP_ENDED);
	assert_string_equal(h.text, "0|");
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(
	    spp_plugin_run(&p, env, LONG_MS, hear, &h), SPP_NOT_RUN);
	assert_int_equal(errno, EACCES);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(
	    spp_plugin_run(&p, env, LONG_MS, hear, &h), SPP_NOT_RUN);
	assert_int_equal(errno, ENOENT);
	/* its arguments are no part of a path */
	p.command = "/bin/true x";
	assert_int_equal(
	    spp_plugin_run(&p, env, LONG_MS, hear, &h), SPP_NOT_RUN);
	assert_string_equal(h.text, "0|");
}

static void test_plugin_ends_badly(void **state)
{
	struct heard h = { .last = NULL };

	(void)state;
	errno = ENOENT;
	assert_int_equal(run("echo A; exit 120", LONG_MS, &h), SPP_NOT_RUN);
	assert_int_equal(errno, 0);
	assert_string_equal(h.text, "A|");
	assert_int_equal(run("kill -SEGV $$", LONG_MS, &h), SPP_CRASHED);
	/* what it had no time to finish is no line */
	assert_int_equal(run("printf A; kill -9 $$", LONG_MS, &h), SPP_CRASHED);
	assert_string_equal(h.text, "");
}

static void test_plugin_may_write_after_its_last_line(void **state)
{
	struct heard h = { .last = "N" };

	(void)state;
	assert_int_equal(
	    run("echo P; echo N; yes | head -c 3000000; echo E", LONG_MS, &h),
	    SPP_ENDED);
	assert_string_equal(h.text, "P|N|");
	/* in one piece, and in many */
	assert_int_equal(run("printf 'N\\nE\\n'", LONG_MS, &h), SPP_ENDED);
	assert_string_equal(h.text, "N|");
	assert_int_equal(
	    run("echo N; echo E; exit 120", LONG_MS, &h), SPP_NOT_RUN);
}

static void test_plugin_is_stopped_by_a_line(void **state)
{
	struct heard h = { .bad = "N" };

	(void)state;
	assert_int_equal(run("echo P; echo N; echo E; sleep 1000", LONG_MS, &h),
	    SPP_TOO_MUCH);
	assert_string_equal(h.text, "P|N|");
	assert_int_equal(run("printf N", LONG_MS, &h), SPP_TOO_MUCH);
}

static void test_plugin_has_limits_of_output(void **state)
{
	char command[128];
	struct heard h = { .last = NULL };

	(void)state;
	(void)snprintf(command, sizeof(command), "yes 1234567 | head -c %d",
	    SPP_OUTPUT_MAX);
	assert_int_equal(run(command, LONG_MS, &h), SPP_ENDED);
	assert_int_equal(h.lines, SPP_OUTPUT_MAX / 8);
	(void)snprintf(command, sizeof(command), "yes 1234567 | head -c %d",
	    SPP_OUTPUT_MAX + 1);
	assert_int_equal(run(command, LONG_MS, &h), SPP_TOO_MUCH);
	assert_int_equal(run("yes", LONG_MS, &h), SPP_TOO_MUCH);
	(void)snprintf(command, sizeof(command), "printf %%%dd 1; echo; echo N",
	    SPP_ORDER_MAX);
	assert_int_equal(run(command, LONG_MS, &h), SPP_ENDED);
	assert_int_equal(h.lines, 2);
	(void)snprintf(command, sizeof(command), "printf %%%dd 1; echo; echo N",
	    SPP_ORDER_MAX + 1);
	assert_int_equal(run(command, LONG_MS, &h), SPP_TOO_MUCH);
	assert_int_equal(h.lines, 0);
	(void)snprintf(
	    command, sizeof(command), "printf %%%dd 1", SPP_ORDER_MAX + 1);
	assert_int_equal(run(command, LONG_MS, &h), SPP_TOO_MUCH);
	assert_int_equal(h.lines, 0);
}

static void test_plugin_is_stopped_with_its_children(void **state)
{
	struct heard h = { .lines = 0 };
	int status;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	/* long enough for a shell to say one word, wherever this runs */
	for (int64_t ms = SHORT_MS; h.lines == 0 && ms < LONG_MS; ms *= 2)
		assert_int_equal(
		    run("sleep 1000 & echo $!; sleep 1000", ms, &h),
		    SPP_TOO_SLOW);
	assert_int_equal(h.lines, 1);
	pid_t left = (pid_t)strtol(h.text, NULL, 10);
	/* The shell may have waited for it in its own last moment. */
	if (waitpid(left, &status, 0) == left) {
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
	}
	assert_int_equal(kill(left, 0), -1);
	assert_int_equal(errno, ESRCH);
	/* also behind the last line, without output, and with no time */
	h.last = "N";
	assert_int_equal(run("echo N; sleep 1000", SHORT_MS, &h), SPP_TOO_SLOW);
	assert_int_equal(
	    run("exec >&-; sleep 1000", SHORT_MS, &h), SPP_TOO_SLOW);
	assert_int_equal(run("sleep 1000", 0, &h), SPP_TOO_SLOW);
	assert_int_equal(run("sleep 1000", -1, &h), SPP_TOO_SLOW);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		continue;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static void test_plugin_is_not_its_children(void **state)
{
	struct heard h = { .last = NULL };

	(void)state;
	/* They hold the pipe, nobody waits for them, and they may go on. */
	assert_int_equal(run("sleep 1000 & echo $!", LONG_MS, &h), SPP_ENDED);
	assert_int_equal(h.lines, 1);
	pid_t left = (pid_t)strtol(h.text, NULL, 10);
	assert_int_equal(kill(left, SIGKILL), 0);
}

/* As many as before: no run leaves one behind. */
static void test_plugin_leaves_no_descriptor(void **state)
{
	struct heard h = { .last = NULL };
	int before = dup(STDERR_FILENO), after;

	(void)state;
	close(before);
	(void)run("echo N", LONG_MS, &h);
	(void)run("exit 120", LONG_MS, &h);
	(void)run("yes", LONG_MS, &h);
	(void)run("sleep 1000", 0, &h);
	after = dup(STDERR_FILENO);
	close(after);
	assert_int_equal(after, before);
	errno = 0;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_plugin_ends_have_a_text(void **state)
{
	(void)state;
	assert_string_equal(spp_end_text(SPP_CRASHED), "child crashed");
	assert_string_equal(spp_end_text(SPP_NOT_RUN), "can't execute");
	assert_non_null(spp_end_text(SPP_TOO_SLOW));
	assert_non_null(spp_end_text(SPP_TOO_MUCH));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plugin_gives_whole_lines),
		cmocka_unit_test(test_plugin_finds_its_place),
		cmocka_unit_test(test_plugin_gets_the_default_signals),
		cmocka_unit_test(test_plugin_needs_no_shell),
		cmocka_unit_test(test_plugin_ends_badly),
		cmocka_unit_test(test_plugin_may_write_after_its_last_line),
		cmocka_unit_test(test_plugin_is_stopped_by_a_line),
		cmocka_unit_test(test_plugin_has_limits_of_output),
		cmocka_unit_test(test_plugin_is_stopped_with_its_children),
		cmocka_unit_test(test_plugin_is_not_its_children),
		cmocka_unit_test(test_plugin_leaves_no_descriptor),
		cmocka_unit_test(test_plugin_ends_have_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
