/* SPDX-License-Identifier: ISC */
/*
 * test_journal - the journal source with real journal files, which
 * systemd-journal-remote makes of the export format (no journald runs here; the
 * end-to-end test starts one). Then entries as lines, without files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "source/journal_entry.h"
#include "source/source.h"

#define REMOTE "/lib/systemd/systemd-journal-remote"

enum {
	LOGINS = 3000,
	LIMIT_MS = 10000,
	TTL = 30 * 60 * 1000,
	TEXT = 1 << 20,
	SECOND = 1000
};

struct world {
	char dir[64];
	struct patterns *patterns;
	struct conf *conf;
	uv_loop_t loop;
	bool looping;
	struct source *source;
	int64_t ttl;
	struct source_cursor cursor;
	bool has_cursor;
	size_t count, deaf_from; /* 0: never */
	char users[LOGINS][32];
	char *text; /* of the export format */
	size_t len;
	unsigned number;
};

/* --- the keeper --- */

static int sink(void *ctx, const struct source_cursor *cursor,
    const struct login *logins, size_t n)
{
	struct world *w = ctx;

	if (w->deaf_from && w->count + n > w->deaf_from)
		return -1;
	if (cursor) {
		w->cursor = *cursor;
		w->has_cursor = true;
	}
	for (size_t i = 0; i < n; i++) {
		must(w->count < LOGINS && logins[i].user_len < 32);
		memcpy(w->users[w->count++], logins[i].user,
		    logins[i].user_len + 1U);
	}
	return 0;
}

/* --- journal files --- */

static const char *path_of(const struct world *w, const char *name)
{
	static char paths[4][400];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", w->dir, name);
	return path;
}

static void add_bytes(struct world *w, const void *bytes, size_t len)
{
	must(w->len + len < TEXT);
	memcpy(w->text + w->len, bytes, len);
	w->len += len;
}

static void add(struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add(struct world *w, const char *format, ...)
{
	char line[1000];
	va_list args;

	va_start(args, format);
	must(vsnprintf(line, sizeof(line), format, args) < (int)sizeof(line));
	va_end(args);
	add_bytes(w, line, strlen(line));
}

static void add_head(struct world *w, int64_t time)
{
	add(w, "__REALTIME_TIMESTAMP=%lld\n__MONOTONIC_TIMESTAMP=%u\n",
	    (long long)time * 1000, ++w->number);
	add(w, "_BOOT_ID=00000000000000000000000000000001\n");
}

static const char *login_of(const char *user)
{
	static char text[300];

	(void)snprintf(text, sizeof(text),
	    "imap-login: Login: user=<%s>, method=PLAIN, rip=203.0.113.7, "
	    "lip=198.51.100.1, mpid=7, TLS, session=<%s>",
	    user, user);
	return text;
}

/* A login as journald stores it, with these trusted fields. */
static void add_from(
    struct world *w, int64_t time, const char *trusted, const char *user)
{
	add_head(w, time);
	add(w, "%s", trusted);
	add(w, "SYSLOG_IDENTIFIER=dovecot\nMESSAGE=%s\n\n", login_of(user));
}

#define TRUSTED "_TRANSPORT=syslog\n_UID=0\n_SYSTEMD_UNIT=dovecot.service\n"

static void add_login(struct world *w, const char *user)
{
	add_from(w, clock_now().wall - SECOND, TRUSTED, user);
}

/* Appends what was added to a journal file. */
static void flush(struct world *w, const char *name)
{
	const char *export = path_of(w, "export");
	const char *out = path_of(w, name);
	int fd = open(export, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int status;
	pid_t pid;

	must(fd >= 0 && write(fd, w->text, w->len) == (ssize_t)w->len);
	must(close(fd) == 0);
	w->len = 0;
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		(void)dup2(fd, STDERR_FILENO);
		(void)execl(REMOTE, REMOTE, "-o", out, export, (char *)NULL);
		_exit(1);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0);
	must(unlink(export) == 0);
}

static void login_in(struct world *w, const char *name, const char *user)
{
	add_login(w, user);
	flush(w, name);
}

/* --- the source --- */

static const struct source_kind *kind(void)
{
	return source_kind_find("journal");
}

static struct conf *configure(const char *directory, const char *more)
{
	static struct conf_kind row;
	static const struct conf_kind *list[2] = { &row };
	static const struct option none[] = { OPTION_END };
	static struct conf_schema schema[2];
	char text[500];
	struct err err = { 0 };
	struct conf *conf;

	row = (struct conf_kind){ kind()->name, kind()->help, kind()->options };
	schema[0] = (struct conf_schema){ "source", "Where from.", none, list };
	(void)snprintf(text, sizeof(text),
	    "source j { kind = \"journal\" directory = \"%s\" %s }", directory,
	    more);
	conf = conf_parse(text, strlen(text), "test", schema, &err);
	must(conf != NULL);
	return conf;
}

static int setup(void **state)
{
	const struct patterns_options o = { .servers = "dovecot" };
	struct world *w = xcalloc(1, sizeof(*w));
	struct err err = { 0 };

	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/relaypass-journal-XXXXXX");
	must(mkdtemp(w->dir) != NULL);
	w->patterns = patterns_open(&o, &err);
	w->conf = configure(w->dir, "units = { \"dovecot\" }");
	w->text = xmalloc(TEXT);
	w->ttl = TTL;
	*state = w;
	return 0;
}

static void reconfigure(struct world *w, const char *more)
{
	conf_free(&w->conf);
	w->conf = configure(w->dir, more);
}

static struct source *open_source(struct world *w, struct err *err)
{
	struct source_env env = { .name = "j",
		.patterns = w->patterns,
		.ttl = w->ttl,
		.max_skew = 5 * 60 * SECOND,
		.sink = sink,
		.sink_ctx = w };
	const struct conf_section *section = conf_at(w->conf, "source", 0);

	kind()->prepare(section);
	return kind()->open(&env, section, &w->cursor, w->has_cursor, err);
}

static void start(struct world *w)
{
	struct err err = { 0 };

	must(uv_loop_init(&w->loop) == 0);
	w->source = open_source(w, &err);
	if (!w->source)
		print_error("%s\n", err.text);
	must(w->source != NULL);
	kind()->start(w->source, &w->loop);
	w->looping = true;
}

static void stop(struct world *w)
{
	if (!w->looping)
		return;
	w->looping = false;
	kind()->stop(w->source);
	kind()->close(&w->source);
	(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	must(uv_loop_close(&w->loop) == 0);
}

static int teardown(void **state)
{
	struct world *w = *state;
	DIR *dir = opendir(w->dir);
	const struct dirent *e;

	stop(w);
	while ((e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.')
			must(unlink(path_of(w, e->d_name)) == 0);
	must(closedir(dir) == 0 && rmdir(w->dir) == 0);
	conf_free(&w->conf);
	patterns_close(&w->patterns);
	free(w->text);
	free(w);
	return 0;
}

static void tick(uv_timer_t *timer)
{
	(void)timer;
}

static void wait_for(struct world *w, size_t count)
{
	uint64_t limit = uv_hrtime() + LIMIT_MS * UINT64_C(1000000);
	uv_timer_t timer;

	must(uv_timer_init(&w->loop, &timer) == 0);
	(void)uv_timer_start(&timer, tick, 10, 10);
	while (w->count < count && uv_hrtime() < limit)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	(void)uv_run(&w->loop, UV_RUN_NOWAIT);
}

static void expect(struct world *w, const char *const *users, size_t n)
{
	wait_for(w, n);
	for (size_t i = 0; i < n && i < w->count; i++)
		assert_string_equal(w->users[i], users[i]);
	assert_int_equal(w->count, n);
}
#define EXPECT(w, ...)                                                         \
	expect((w), (const char *const[]){ __VA_ARGS__ },                      \
	    sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* --- who is believed --- */

static void test_journal_believes_trusted_fields_only(void **state)
{
	struct world *w = *state;
	int64_t now = clock_now().wall;

	add_from(w, now, "_TRANSPORT=syslog\n_UID=0\n", "no-unit");
	add_from(w, now,
	    "_TRANSPORT=syslog\n_UID=1000\n"
	    "_SYSTEMD_UNIT=user@1000.service\nUNIT=dovecot.service\n",
	    "user");
	add_from(w, now,
	    "_TRANSPORT=driver\n_UID=0\n_SYSTEMD_UNIT=dovecot.service\n",
	    "transport");
	add_from(w, now, "_TRANSPORT=syslog\n_SYSTEMD_UNIT=dovecot.service\n",
	    "no-uid");
	add_login(w, "a");
	flush(w, "system.journal");
	start(w);
	EXPECT(w, "a");
}

static void test_journal_matches_users_and_units_together(void **state)
{
	struct world *w = *state;
	int64_t now = clock_now().wall;

	reconfigure(w, "uids = { \"root\", \"104\" }");
	add_from(w, now, "_TRANSPORT=stdout\n_UID=104\n", "a");
	add_from(w, now, "_TRANSPORT=stdout\n_UID=1040\n", "mallory");
	add_login(w, "b");
	flush(w, "system.journal");
	start(w);
	EXPECT(w, "a", "b");
	stop(w);
	w->count = 0;
	w->has_cursor = false;
	reconfigure(w, "units = { \"dovecot.service\" } uids = { \"104\" }");
	add_from(w, now,
	    "_TRANSPORT=syslog\n_UID=104\n_SYSTEMD_UNIT=dovecot.service\n",
	    "c");
	flush(w, "system.journal");
	start(w);
	EXPECT(w, "c");
}

/* The pattern's own rule, on top of it. */
static void test_journal_gives_the_sender_to_the_pattern(void **state)
{
	static const char pattern[] =
	    "server try\n"
	    "program tryd\n"
	    "uid 104\n"
	    "login ^user (?<user>[^ ]++) (?<ip>%ip%)$\n";
	struct world *w = *state;
	struct patterns_options o = { .file = path_of(w, "try.pattern"),
		.servers = "try" };
	struct err err = { 0 };
	int fd = open(o.file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, pattern, strlen(pattern)) > 0);
	must(close(fd) == 0);
	patterns_close(&w->patterns);
	w->patterns = patterns_open(&o, &err);
	if (!w->patterns)
		print_error("%s\n", err.text);
	must(w->patterns != NULL);
	reconfigure(w, "units = { \"tryd\" }");
	for (unsigned uid = 103; uid <= 105; uid++) {
		add_head(w, clock_now().wall);
		add(w, "_TRANSPORT=syslog\n_UID=%u\n", uid);
		add(w, "_SYSTEMD_UNIT=tryd.service\nSYSLOG_IDENTIFIER=tryd\n");
		add(w, "MESSAGE=user u%u 203.0.113.7\n\n", uid);
	}
	flush(w, "system.journal");
	start(w);
	EXPECT(w, "u104");
}

static void expect_refused(struct world *w, const char *why)
{
	struct err err = { 0 };

	assert_null(open_source(w, &err));
	assert_int_equal(err.code, EXIT_USER);
	assert_non_null(strstr(err.text, why));
}

static void test_journal_refuses_to_believe_everybody(void **state)
{
	struct world *w = *state;

	reconfigure(w, "");
	expect_refused(w, "any user may log");
	reconfigure(w, "uids = { \"no-such-user\" }");
	expect_refused(w, "no-such-user");
	reconfigure(w, "units = { \"dovecot\" } uids = { \"no-such-user\" }");
	expect_refused(w, "no-such-user");
	reconfigure(w, "units = { \"dovecot\" }");
	must(chmod(w->dir, 0777) == 0);
	expect_refused(w, "may write");
	must(chmod(w->dir, 0700) == 0);
	if (geteuid() == 0) {
		must(chown(w->dir, 12345, 0) == 0);
		expect_refused(w, "somebody else");
		must(chown(w->dir, 0, 0) == 0);
	}
	conf_free(&w->conf);
	w->conf = configure("/nonexistent", "units = { \"dovecot\" }");
	expect_refused(w, "/nonexistent");
}

/* --- where it goes on --- */

static void test_journal_follows_what_is_appended(void **state)
{
	struct world *w = *state;

	login_in(w, "system.journal", "a");
	start(w);
	EXPECT(w, "a");
	login_in(w, "system.journal", "b");
	EXPECT(w, "a", "b");
	login_in(w, "system.journal", "c");
	EXPECT(w, "a", "b", "c");
}

static void test_journal_goes_on_at_its_cursor(void **state)
{
	struct world *w = *state;

	login_in(w, "system.journal", "a");
	start(w);
	EXPECT(w, "a");
	stop(w);
	login_in(w, "system.journal", "b");
	start(w);
	EXPECT(w, "a", "b");
	stop(w);
	start(w);
	login_in(w, "system.journal", "c");
	EXPECT(w, "a", "b", "c");
}

/* The keeper dies in the middle: what it has not stored comes again, once. */
static void test_journal_loses_and_doubles_nothing_with_the_keeper(void **state)
{
	enum { MANY = 500, AFTER = 200 };
	struct world *w = *state;
	char user[32];

	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(user, sizeof(user), "u%u", i);
		add_login(w, user);
	}
	flush(w, "system.journal");
	w->deaf_from = AFTER;
	start(w);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT); /* gives up */
	assert_true(w->count > 0 && w->count <= AFTER);
	stop(w);
	w->deaf_from = 0;
	start(w);
	wait_for(w, MANY);
	assert_int_equal(w->count, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(user, sizeof(user), "u%u", i);
		assert_string_equal(w->users[i], user);
	}
}

static void test_journal_begins_one_ttl_back(void **state)
{
	struct world *w = *state;
	int64_t now = clock_now().wall;

	add_from(w, now - TTL - 60 * SECOND, TRUSTED, "old");
	add_from(w, now - TTL + 60 * SECOND, TRUSTED, "a");
	flush(w, "system.journal");
	start(w);
	EXPECT(w, "a");
}

static void test_journal_skips_what_is_too_old_behind_its_cursor(void **state)
{
	struct world *w = *state;
	int64_t now = clock_now().wall;

	add_from(w, now - TTL - 90 * SECOND, TRUSTED, "known");
	flush(w, "system.journal");
	w->ttl = 2 * TTL;
	start(w);
	EXPECT(w, "known");
	stop(w);
	w->ttl = TTL;
	w->count = 0;
	add_from(w, now - TTL - 60 * SECOND, TRUSTED, "old");
	add_login(w, "a");
	flush(w, "system.journal");
	start(w);
	EXPECT(w, "a");
}

static void test_journal_begins_anew_with_a_cursor_of_nonsense(void **state)
{
	struct world *w = *state;

	login_in(w, "system.journal", "a");
	start(w);
	EXPECT(w, "a");
	stop(w);
	assert_true(w->has_cursor);
	memcpy(w->cursor.bytes, "nonsense", 8);
	w->cursor.len = 8;
	start(w);
	EXPECT(w, "a", "a");
}

/* --- files that come, go and break --- */

static void rename_file(struct world *w, const char *from, const char *to)
{
	must(rename(path_of(w, from), path_of(w, to)) == 0);
}

static void test_journal_reads_through_rotation(void **state)
{
	struct world *w = *state;

	login_in(w, "system.journal", "a");
	start(w);
	EXPECT(w, "a");
	login_in(w, "system.journal", "b");
	rename_file(w, "system.journal", "system@1.journal");
	login_in(w, "system.journal", "c");
	EXPECT(w, "a", "b", "c");
	stop(w);
	login_in(w, "system.journal", "d");
	rename_file(w, "system.journal", "system@2.journal");
	login_in(w, "system.journal", "e");
	start(w);
	EXPECT(w, "a", "b", "c", "d", "e");
}

static void test_journal_survives_vacuum(void **state)
{
	struct world *w = *state;

	login_in(w, "system.journal", "a");
	start(w);
	EXPECT(w, "a");
	rename_file(w, "system.journal", "system@1.journal");
	login_in(w, "system.journal", "b");
	EXPECT(w, "a", "b");
	must(unlink(path_of(w, "system@1.journal")) == 0);
	login_in(w, "system.journal", "c");
	EXPECT(w, "a", "b", "c");
	stop(w);
	/* The entry of its cursor is gone. */
	must(unlink(path_of(w, "system.journal")) == 0);
	login_in(w, "system@3.journal", "d");
	start(w);
	EXPECT(w, "a", "b", "c", "d");
}

static void damage(struct world *w, const char *name, off_t at, size_t len)
{
	char junk[4096];
	int fd = open(path_of(w, name), O_WRONLY | O_CLOEXEC);

	memset(junk, 0xa5, sizeof(junk));
	must(fd >= 0);
	for (; len > 0; at += (off_t)sizeof(junk)) {
		size_t n = len < sizeof(junk) ? len : sizeof(junk);
		must(pwrite(fd, junk, n, at) == (ssize_t)n);
		len -= n;
	}
	must(close(fd) == 0);
}

static void test_journal_passes_by_damaged_files(void **state)
{
	struct world *w = *state;
	int fd;

	login_in(w, "head.journal", "lost1");
	damage(w, "head.journal", 0, 512);
	login_in(w, "short.journal", "lost2");
	must(truncate(path_of(w, "short.journal"), 5000) == 0);
	login_in(w, "middle.journal", "lost3");
	damage(w, "middle.journal", 200 * 1024, 4 << 20);
	fd = open(path_of(w, "empty.journal"), O_CREAT | O_WRONLY, 0600);
	must(fd >= 0 && close(fd) == 0);
	login_in(w, "system.journal", "a");
	start(w);
	wait_for(w, 1);
	login_in(w, "system.journal", "b");
	/* What is left in the damaged ones may come or not. */
	for (bool seen = false; !seen;
	     seen = w->count > 0 && strcmp(w->users[w->count - 1], "b") == 0)
		wait_for(w, w->count + 1);
}

static void test_journal_survives_damage_while_it_reads(void **state)
{
	struct world *w = *state;

	login_in(w, "system.journal", "a");
	start(w);
	EXPECT(w, "a");
	damage(w, "system.journal", 100 * 1024, 4 << 20);
	rename_file(w, "system.journal", "system@1.journal~");
	login_in(w, "system.journal", "b");
	EXPECT(w, "a", "b");
}

/* A new line inside one message is no end of it. */
static void test_journal_never_takes_two_lines_of_one_message(void **state)
{
	struct world *w = *state;
	char text[600];
	int n = snprintf(text, sizeof(text),
	    "harmless\n2026-11-20T18:05:10+00:00 mx dovecot: %s",
	    login_of("mallory"));
	uint64_t size = (uint64_t)n;

	add_head(w, clock_now().wall);
	add(w, TRUSTED "SYSLOG_IDENTIFIER=dovecot\nMESSAGE\n");
	add_bytes(w, &size, sizeof(size)); /* little-endian */
	add_bytes(w, text, (size_t)n);
	add(w, "\n\n");
	/* The login first, and then more. */
	n = snprintf(text, sizeof(text), "%s\nmore", login_of("mallory"));
	size = (uint64_t)n;
	add_head(w, clock_now().wall);
	add(w, TRUSTED "SYSLOG_IDENTIFIER=dovecot\nMESSAGE\n");
	add_bytes(w, &size, sizeof(size));
	add_bytes(w, text, (size_t)n);
	add(w, "\n\n");
	add_login(w, "a");
	flush(w, "system.journal");
	start(w);
	EXPECT(w, "a");
}

/* --- entries --- */

static size_t line_of(const char *const *fields, size_t n, char *out)
{
	static struct journal_entry e;

	journal_entry_begin(&e);
	for (size_t i = 0; i < n; i++)
		journal_entry_field(&e, fields[i], strlen(fields[i]));
	return journal_entry_line(&e, 1795198200123456, out);
}
#define LINE(out, ...)                                                         \
	line_of((const char *const[]){ __VA_ARGS__ },                          \
	    COUNT_OF(((const char *const[]){ __VA_ARGS__ })), (out))

static void test_journal_entry_is_a_line(void **state)
{
	static char out[JOURNAL_LINE_MAX];
	size_t n;

	(void)state;
	n = LINE(out, "_UID=0", "PRIORITY=6", "MESSAGE=hello",
	    "SYSLOG_IDENTIFIER=cyrus/imap", "SYSLOG_PID=77");
	out[n] = '\0';
	assert_string_equal(out, "2026-11-20T18:10:00.123456+00:00 localhost "
				 "cyrus/imap[77]: hello");
	n = LINE(out, "SYSLOG_PID=nobody", "SYSLOG_IDENTIFIER=pop3d",
	    "MESSAGE=", "_UID=4294967294");
	out[n] = '\0';
	assert_string_equal(
	    out, "2026-11-20T18:10:00.123456+00:00 localhost pop3d: ");
}

static void test_journal_entry_without_proof_is_none(void **state)
{
	static char out[JOURNAL_LINE_MAX];
	static char lengthy[LINE_MAX_BYTES + 20] = "MESSAGE=";

	(void)state;
	memset(lengthy + 8, 'x', LINE_MAX_BYTES + 1);
#define GOOD "_UID=0", "MESSAGE=m", "SYSLOG_IDENTIFIER=a"
	assert_true(LINE(out, GOOD) > 0);
	assert_int_equal(LINE(out, "MESSAGE=m", "SYSLOG_IDENTIFIER=a"), 0);
	assert_int_equal(LINE(out, "_UID=0", "SYSLOG_IDENTIFIER=a"), 0);
	assert_int_equal(LINE(out, "_UID=0", "MESSAGE=m"), 0);
	assert_int_equal(LINE(out, GOOD, "MESSAGE=m"), 0);
	assert_int_equal(LINE(out, GOOD, "SYSLOG_IDENTIFIER=b"), 0);
	assert_int_equal(LINE(out, GOOD, "_UID=0"), 0);
	assert_int_equal(LINE(out, GOOD, "SYSLOG_PID=1", "SYSLOG_PID=2"), 0);
	assert_int_equal(
	    LINE(out, "_UID=x", "MESSAGE=m", "SYSLOG_IDENTIFIER=a"), 0);
	assert_int_equal(
	    LINE(out, "_UID=", "MESSAGE=m", "SYSLOG_IDENTIFIER=a"), 0);
	assert_int_equal(
	    LINE(out, "_UID=4294967295", "MESSAGE=m", "SYSLOG_IDENTIFIER=a"),
	    0);
	assert_int_equal(
	    LINE(out, "_UID=0", "MESSAGE=m", "SYSLOG_IDENTIFIER=a b"), 0);
	assert_int_equal(
	    LINE(out, "_UID=0", "MESSAGE=m", "SYSLOG_IDENTIFIER="), 0);
	assert_int_equal(
	    LINE(out, "_UID=0", "MESSAGE=m",
		"SYSLOG_IDENTIFIER=0123456789012345678901234567890123456789"
		"012345678"),
	    0);
	assert_int_equal(
	    LINE(out, "_UID=0", lengthy, "SYSLOG_IDENTIFIER=a"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest entries[] = {
		cmocka_unit_test(test_journal_entry_is_a_line),
		cmocka_unit_test(test_journal_entry_without_proof_is_none),
	};
	const struct CMUnitTest files[] = {
		TEST(test_journal_believes_trusted_fields_only),
		TEST(test_journal_matches_users_and_units_together),
		TEST(test_journal_gives_the_sender_to_the_pattern),
		TEST(test_journal_refuses_to_believe_everybody),
		TEST(test_journal_follows_what_is_appended),
		TEST(test_journal_goes_on_at_its_cursor),
		TEST(test_journal_loses_and_doubles_nothing_with_the_keeper),
		TEST(test_journal_begins_one_ttl_back),
		TEST(test_journal_skips_what_is_too_old_behind_its_cursor),
		TEST(test_journal_begins_anew_with_a_cursor_of_nonsense),
		TEST(test_journal_reads_through_rotation),
		TEST(test_journal_survives_vacuum),
		TEST(test_journal_passes_by_damaged_files),
		TEST(test_journal_survives_damage_while_it_reads),
		TEST(test_journal_never_takes_two_lines_of_one_message),
	};
	int bad = cmocka_run_group_tests(entries, NULL, NULL);

	if (!kind() || access(REMOTE, X_OK) != 0) {
		print_message("without libsystemd or %s: the files are not "
			      "tested\n",
		    REMOTE);
		return bad;
	}
	return bad + cmocka_run_group_tests(files, NULL, NULL);
}
