/* SPDX-License-Identifier: ISC */
/*
 * test_target - a reader finds the old file or the new one: when the disk is
 * full, when the writer is killed at any call, when it dies and another comes.
 */
#include "ledger_dir.h"

#include <errno.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/user.h>

#include "export/target.h"

enum { LARGE = 300000, FILE_LIMIT = 100000, KILLS_MAX = 200 };

static char path[128], temporary[128];

static int setup_target(void **state)
{
	int bad = setup(state);

	(void)snprintf(path, sizeof(path), "%s/list", dir);
	(void)snprintf(temporary, sizeof(temporary), "%s/.list.t.new", dir);
	return bad;
}

static void put_file(const char *where, const char *text, mode_t mode)
{
	int fd = open(where, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

static void assert_file(const char *want)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	(void)close(fd);
	assert_string_equal(text, want);
}

static mode_t mode_of(const char *where)
{
	struct stat st;

	assert_int_equal(stat(where, &st), 0);
	return st.st_mode & 07777;
}

static void write_once(const char *text, int mode)
{
	struct target *t = target_open(path, "t", mode, &err);

	assert_non_null(t);
	assert_int_equal(target_begin(t, &err), 0);
	target_put(t, text, strlen(text));
	assert_int_equal(target_commit(t, &err), 0);
	target_close(&t);
	assert_int_not_equal(access(temporary, F_OK), 0);
}

static void test_the_mode_is_the_old_one_or_as_it_is_told(void **state)
{
	(void)state;
	write_once("a\n", TARGET_MODE_KEEP);
	assert_file("a\n");
	assert_int_equal(mode_of(path), 0644);
	assert_int_equal(chmod(path, 0640), 0);
	write_once("b\n", TARGET_MODE_KEEP);
	assert_int_equal(mode_of(path), 0640);
	write_once("c\n", 0600);
	assert_file("c\n");
	assert_int_equal(mode_of(path), 0600);
}

static void test_the_group_is_the_old_one(void **state)
{
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	put_file(path, "a\n", 0640);
	assert_int_equal(chown(path, 0, 8), 0);
	write_once("b\n", TARGET_MODE_KEEP);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_gid, 8);
}

static void test_who_cannot_keep_the_group_says_so_once(void **state)
{
	int status = -1;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	put_file(path, "a\n", 0640);
	assert_int_equal(chown(dir, 12345, 12345), 0);
	pid = fork();
	if (pid == 0) {
		struct target *t;
		bool first, second;

		if (setresgid(12345, 12345, 12345) ||
		    setresuid(12345, 12345, 12345))
			_exit(9);
		t = target_open(path, "t", TARGET_MODE_KEEP, &err);
		if (!t || target_begin(t, &err) || target_commit(t, &err))
			_exit(8);
		first = target_lost_group(t);
		second = target_lost_group(t);
		_exit(first && !second ? 0 : 7);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_a_full_disk_leaves_the_old_file(void **state)
{
	struct rlimit old, less;
	struct target *t;
	char *large = calloc(1, LARGE);

	(void)state;
	put_file(path, "old\n", 0644);
	t = target_open(path, "t", TARGET_MODE_KEEP, &err);
	assert_non_null(t);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	less = old;
	less.rlim_cur = FILE_LIMIT;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
	assert_int_equal(target_begin(t, &err), 0);
	target_put(t, large, LARGE);
	target_put(t, "behind", 6);
	assert_int_equal(target_commit(t, &err), -1);
	assert_int_equal(err.code, EXIT_AGAIN);
	assert_non_null(strstr(err.text, strerror(EFBIG)));
	assert_file("old\n");
	assert_int_not_equal(access(temporary, F_OK), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	/* And goes on when there is room. */
	assert_int_equal(target_begin(t, &err), 0);
	target_put(t, "new\n", 4);
	assert_int_equal(target_commit(t, &err), 0);
	assert_file("new\n");
	target_close(&t);
	free(large);
}

static void test_an_aborted_one_leaves_nothing(void **state)
{
	struct target *t;

	(void)state;
	put_file(path, "old\n", 0644);
	put_file(temporary, "of one that died", 0600);
	t = target_open(path, "t", TARGET_MODE_KEEP, &err);
	assert_non_null(t);
	assert_int_not_equal(access(temporary, F_OK), 0);
	assert_int_equal(target_begin(t, &err), 0);
	target_put(t, "x", 1);
	target_abort(t);
	target_abort(t);
	/* In the way: made by somebody meanwhile. */
	put_file(temporary, "odd", 0600);
	assert_int_equal(target_begin(t, &err), 0);
	target_close(&t);
	assert_file("old\n");
	assert_int_not_equal(access(temporary, F_OK), 0);
}

static void test_what_could_be_anybodys_is_refused(void **state)
{
	struct target *t;
	char link[128];

	(void)state;
	assert_int_equal(chmod(dir, 0777), 0);
	assert_null(target_open(path, "t", TARGET_MODE_KEEP, &err));
	assert_int_equal(err.code, EXIT_USER);
	assert_int_equal(chmod(dir, 0755), 0);
	(void)snprintf(link, sizeof(link), "%s/other", dir);
	assert_int_equal(symlink(link, path), 0);
	assert_null(target_open(path, "t", TARGET_MODE_KEEP, &err));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_null(target_open(path, "t", TARGET_MODE_KEEP, &err));
	assert_int_equal(rmdir(path), 0);
	(void)snprintf(link, sizeof(link), "%s/none/list", dir);
	assert_null(target_open(link, "t", TARGET_MODE_KEEP, &err));
	(void)snprintf(link, sizeof(link), "0755 %s/none ", dir);
	assert_non_null(strstr(err.text, "is missing; run: install -d -o"));
	assert_non_null(strstr(err.text, link));
	t = target_open(path, "t", TARGET_MODE_KEEP, &err);
	assert_non_null(t);
	target_close(&t);
	target_close(&t);
}

static void test_parents_of_paths(void **state)
{
	char out[8];

	(void)state;
	target_parent("/a/b", out, sizeof(out));
	assert_string_equal(out, "/a");
	target_parent("/b", out, sizeof(out));
	assert_string_equal(out, "/");
	target_parent("/long/longer/x", out, sizeof(out));
	assert_string_equal(out, "/long/l");
}

/* Writes the file anew; killed by its parent before its n-th system call. */
static void write_traced(void)
{
	struct target *t;

	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	(void)raise(SIGSTOP);
	t = target_open(path, "t", TARGET_MODE_KEEP, &err);
	if (t && target_begin(t, &err) == 0) {
		target_put(t, "new\n", 4);
		(void)target_commit(t, &err);
	}
	_exit(0);
}

/* True: it was killed; false: it came to its end first. */
static bool kill_before_call(unsigned n)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		write_traced();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (unsigned i = 0; WIFSTOPPED(status); i++) {
		if (i == n) {
			assert_int_equal(kill(pid, SIGKILL), 0);
			assert_int_equal(waitpid(pid, &status, 0), pid);
			return true;
		}
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	return false;
}

static void test_killed_at_any_call_it_leaves_the_old_or_the_new(void **state)
{
	bool seen_old = false, seen_new = false, killed = true;

	(void)state;
	if (getenv("ASAN_OPTIONS")) /* may not be traced there */
		skip();
	for (unsigned n = 0; killed; n++) {
		char text[8] = "";
		int fd;

		assert_true(n < KILLS_MAX);
		put_file(path, "old\n", 0644);
		killed = kill_before_call(n);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(read(fd, text, sizeof(text)), 4);
		(void)close(fd);
		seen_old |= strcmp(text, "old\n") == 0;
		seen_new |= strcmp(text, "new\n") == 0;
		assert_true(!strcmp(text, "old\n") || !strcmp(text, "new\n"));
		/* The next one goes on as if nothing had been. */
		write_once("next\n", TARGET_MODE_KEEP);
		assert_file("next\n");
	}
	assert_true(seen_old && seen_new);
}

/* Who only changes a file needs no right in its directory: /etc/mail must not
 * be given away on our advice. */
static void test_a_missing_directory_of_others_stays_theirs(void **state)
{
	char missing[128];

	(void)state;
	(void)snprintf(missing, sizeof(missing), "%s/none", dir);
	assert_int_equal(target_directory(missing, &err), -1);
	assert_non_null(strstr(err.text, "install -d -o relaypass-out"));
	assert_int_equal(target_directory_of_others(missing, &err), -1);
	assert_int_equal(err.code, EXIT_USER);
	assert_non_null(strstr(err.text, "run: install -d /"));
	assert_null(strstr(err.text, "relaypass-out"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_target, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_the_mode_is_the_old_one_or_as_it_is_told),
		TEST(test_the_group_is_the_old_one),
		TEST(test_who_cannot_keep_the_group_says_so_once),
		TEST(test_a_full_disk_leaves_the_old_file),
		TEST(test_an_aborted_one_leaves_nothing),
		TEST(test_what_could_be_anybodys_is_refused),
		TEST(test_parents_of_paths),
		TEST(test_a_missing_directory_of_others_stays_theirs),
		TEST(test_killed_at_any_call_it_leaves_the_old_or_the_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
