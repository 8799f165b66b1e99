/* SPDX-License-Identifier: ISC */
/*
 * ledger_dir - a directory of its own for each test of the ledger, a fixed
 * moment, and rows to put into it. Nobody sleeps: time is an argument.
 */
#ifndef TESTS_UNIT_LEDGER_DIR_H
#define TESTS_UNIT_LEDGER_DIR_H
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ledger/ledger.h"

enum { PAGE = 4096 };

#define MINUTE_MS INT64_C(60000)
#define TTL_MS    (30 * MINUTE_MS)

static char dir[64];
static struct err err;
static const struct moment t0 = { 1700000000000, 5000000 };

__attribute__((unused)) static struct moment later(int64_t ms)
{
	return (struct moment){ t0.wall + ms, t0.boot + ms };
}

static inline void empty_directory(int fd)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, e->d_name, 0) == 0)
			continue;
		empty_directory(openat(fd, e->d_name, O_RDONLY | O_CLOEXEC));
		(void)unlinkat(fd, e->d_name, AT_REMOVEDIR);
	}
	if (d)
		(void)closedir(d);
}

static inline void remove_tree(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		empty_directory(fd);
	(void)rmdir(path);
}

/* A path in it, good until the next call. */
__attribute__((unused)) static const char *in_dir(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

__attribute__((unused)) static int setup(void **state)
{
	(void)state;
	/* In memory where there is room: some tests commit 10,000 times. */
	(void)snprintf(dir, sizeof(dir), "%s/relaypass-ledger-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	memset(&err, 0, sizeof(err));
	return mkdtemp(dir) ? 0 : -1;
}

__attribute__((unused)) static int teardown(void **state)
{
	(void)state;
	remove_tree(dir);
	return 0;
}

static inline struct ledger_options options(bool writer)
{
	struct ledger_options o = { .directory = dir,
		.writer = writer,
		.map_size = 1 << 20,
		.ipv6_prefix = 128,
		.ttl = TTL_MS,
		.max_skew = 5 * MINUTE_MS,
		.boot_id = "boot-1" };

	return o;
}

static inline struct ledger *open_with(
    const struct ledger_options *o, struct moment now)
{
	struct ledger *l;

	memset(&err, 0, sizeof(err));
	l = ledger_open(o, now, &err);
	if (!l)
		print_error("%s\n", err.text);
	assert_non_null(l);
	return l;
}

static inline struct ledger *open_writer(void)
{
	struct ledger_options o = options(true);

	return open_with(&o, t0);
}

static inline struct addr address(const char *text)
{
	struct addr a;

	assert_true(addr_parse(text, strlen(text), &a));
	return a;
}

static inline struct lease lease_of(
    const char *addr, const char *user, struct moment end)
{
	struct lease row;

	memset(&row, 0, sizeof(row));
	row.addr = address(addr);
	row.bits = 128;
	row.first_login = row.last_login = t0.wall;
	row.end = end;
	row.user_len = (uint8_t)strlen(user);
	memcpy(row.user, user, strlen(user));
	return row;
}

static inline void begin(struct ledger *l, struct moment now)
{
	if (ledger_begin(l, now, &err) < 0)
		fail_msg("begin: %s", err.text);
}

static inline void commit(struct ledger *l)
{
	if (ledger_commit(l, &err) < 0)
		fail_msg("commit: %s", err.text);
}

static inline void put(
    struct ledger *l, const char *addr, const char *user, struct moment end)
{
	struct lease row = lease_of(addr, user, end);

	begin(l, t0);
	ledger_put(l, &row);
	commit(l);
}

static inline enum ledger_found find_user(struct ledger *l, const char *addr,
    const char *user, struct moment now, struct lease *out)
{
	struct addr a = address(addr);
	enum ledger_found found;

	assert_int_equal(ledger_read_begin(l, &err), 0);
	found = ledger_find(l, &a, user, user ? strlen(user) : 0, now, out);
	ledger_read_end(l);
	return found;
}

static inline enum ledger_found find(
    struct ledger *l, const char *addr, struct moment now, struct lease *out)
{
	return find_user(l, addr, NULL, now, out);
}

static inline bool is_live(
    struct ledger *l, const char *addr, struct moment now)
{
	struct lease row;
	enum ledger_found found = find(l, addr, now, &row);

	assert_int_not_equal(found, LEDGER_ERROR);
	return found == LEDGER_FOUND;
}

/* With one lease. */
__attribute__((unused)) static void make_ledger(void)
{
	struct ledger *l = open_writer();

	put(l, "192.0.2.7", "alice", later(TTL_MS));
	ledger_close(&l);
}

/* How many ledgers were set aside. */
__attribute__((unused)) static int asides(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += strncmp(e->d_name, "ledger.aside-", 13) == 0;
	(void)closedir(d);
	return n;
}

/* cmocka catches these, and would go on with the next test in the child. */
static inline void die_by_signals(void)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL,
		SIGFPE };

	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		(void)signal(numbers[i], SIG_DFL);
}

/* Runs fn in a process of its own: a process may hold one ledger only. */
__attribute__((unused)) static int in_child(int (*fn)(void))
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		die_by_signals();
		_exit(fn());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}
#endif
