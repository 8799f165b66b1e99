/* SPDX-License-Identifier: ISC */
/*
 * test_spp_queue - how the queue program, which got an earlier environment,
 * comes to the one that its session has now.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "smtp/queue.h"
#include "smtp/vars.h"

enum { ROOM = 12 };

static char *const began[] = { (char[]){ "A=1" }, (char[]){ "noequals" },
	(char[]){ "B=" }, (char[]){ "A=2" }, (char[]){ "AA=3" },
	(char[]){ "C=x=y" } };

/* "A=1|B=|": the whole environment. */
static void is(const struct spp_queue_env *env, const char *want)
{
	char got[256] = "";
	size_t len = 0;

	for (char **e = env->list; *e; e++)
		len +=
		    (size_t)snprintf(got + len, sizeof(got) - len, "%s|", *e);
	assert_string_equal(got, want);
}

static struct spp_queue_env begin(char *list[ROOM])
{
	memcpy(list, began, sizeof(began));
	return (struct spp_queue_env){ list, COUNT_OF(began), ROOM };
}

static void test_queue_applies_each_change(void **state)
{
	char *list[ROOM];
	struct spp_queue_env env = begin(list);
	/* Whoever looks for the first A, or for the last, finds the new one. */
	char changes[] = "A=9\0B\0D=\0E\0C=z";

	(void)state;
	assert_true(spp_queue_apply(&env, changes, sizeof(changes)));
	is(&env, "noequals|AA=3|A=9|D=|C=z|");
	assert_string_equal(spp_queue_get(&env, "A"), "9");
	assert_string_equal(spp_queue_get(&env, "AA"), "3");
	assert_string_equal(spp_queue_get(&env, "D"), "");
	assert_null(spp_queue_get(&env, "B"));
	assert_null(spp_queue_get(&env, "noequals"));
	assert_null(spp_queue_get(&env, ""));
}

/* From the environment of any moment so far. */
static void test_queue_catches_up_from_anywhere(void **state)
{
	static const struct {
		const char *name, *value;
	} steps[] = { { "A", "2" }, { "D", "d" }, { "B", NULL }, { "D", NULL },
		{ "C", "" }, { "A", NULL }, { "B", "b" }, { "A", "1" } };
	char *const usual[] = { (char[]){ "A=1" }, (char[]){ "B=" },
		(char[]){ "C=x=y" }, NULL };
	struct spp_vars *v = spp_vars_new(usual);
	char *so_far[COUNT_OF(steps)], *changes = NULL;
	size_t lens[COUNT_OF(steps)], len;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		lens[i] = spp_vars_changes(v, &so_far[i]);
		if (steps[i].value)
			assert_true(
			    spp_vars_set(v, steps[i].name, steps[i].value));
		else
			spp_vars_unset(v, steps[i].name);
	}
	len = spp_vars_changes(v, &changes);
	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		char *list[ROOM];
		struct spp_queue_env env = { list, 3, ROOM };

		memcpy(list, usual, sizeof(usual));
		assert_true(spp_queue_apply(&env, so_far[i], lens[i]));
		assert_true(spp_queue_apply(&env, changes, len));
		is(&env, "A=1|B=b|C=|");
		free(so_far[i]);
	}
	free(changes);
	spp_vars_free(&v);
}

static void test_queue_refuses_what_is_no_change(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = { { "", 1 }, { "A=2", 3 }, { "A\0\0", 3 }, { "=b", 3 } };
	char *list[ROOM], bytes[8];
	struct spp_queue_env env;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		env = begin(list);
		memcpy(bytes, bad[i].bytes, bad[i].len);
		assert_false(spp_queue_apply(&env, bytes, bad[i].len));
	}
	env = begin(list);
	assert_true(spp_queue_apply(&env, bytes, 0));
	is(&env, "A=1|noequals|B=|A=2|AA=3|C=x=y|");
}

static void test_queue_has_an_end(void **state)
{
	char *list[ROOM],
	    more[] = "D=\0E=\0F=\0G=\0H=", other[] = "I=", again[] = "H=h";
	struct spp_queue_env env = begin(list);

	(void)state;
	assert_true(spp_queue_apply(&env, more, sizeof(more)));
	assert_int_equal(env.count + 1, ROOM);
	assert_false(spp_queue_apply(&env, other, sizeof(other)));
	assert_true(spp_queue_apply(&env, again, sizeof(again)));
	assert_string_equal(spp_queue_get(&env, "H"), "h");
}

static void make(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* Neither a script in its place, nor a link to a scanner, nor the scanner. */
static void test_queue_knows_qmails_own(void **state)
{
	static const char *const others[] = { "other", "script", "empty",
		"link", "queue", "nowhere" };
	char dir[] = "/tmp/test-spp-queue-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkdir("queue", 0700), 0);
	assert_false(spp_queue_is_qmails("program", "queue"));
	make("program", ELFMAG " and so on", 04755);
	make("other", ELFMAG " and so on", 0755);
	make("script", "#!/bin/sh\n", 04755);
	make("empty", "", 04755);
	assert_int_equal(symlink("program", "link"), 0);
	assert_true(spp_queue_is_qmails("program", "queue"));
	for (size_t i = 0; i < COUNT_OF(others); i++)
		assert_false(spp_queue_is_qmails(others[i], "queue"));
	assert_false(spp_queue_is_qmails("program", "script"));
	assert_false(spp_queue_is_qmails("program", "nowhere"));
	/* As qmail's own is installed: nobody but root may read it. */
	assert_int_equal(chmod("program", 04311), 0);
	assert_true(spp_queue_is_qmails("program", "queue"));
	if (geteuid() == 0)
		assert_int_equal(chown("queue", 1, 1), 0);
	assert_false(
	    spp_queue_is_qmails("program", geteuid() == 0 ? "queue" : "/"));
	(void)unlink("program");
	for (size_t i = 0; i < COUNT_OF(others); i++)
		(void)unlink(others[i]);
	(void)rmdir("queue");
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue_applies_each_change),
		cmocka_unit_test(test_queue_catches_up_from_anywhere),
		cmocka_unit_test(test_queue_refuses_what_is_no_change),
		cmocka_unit_test(test_queue_has_an_end),
		cmocka_unit_test(test_queue_knows_qmails_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
