/* SPDX-License-Identifier: ISC */
/*
 * test_import - lines, records and directories of other programs' stores: only
 * a whole address is a row, whatever else stands there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/relay-ctrl-file.h"
#include "import_world.h"

#define RULE  ":allow,RELAYCLIENT=\"\",RBLSMTPD=\"\""
#define EPOCH "1700000000"

/* --- words ----------------------------------------------------------------
 */

static void test_only_a_whole_address_is_one(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "192.0.2.7", NULL },
		{ "192.0.2.7/32", NULL },
		{ "::ffff:192.0.2.7", NULL },
		{ "2001:db8::7", NULL },
		{ "2001:db8::7/128", NULL },
		{ "IPv6:2001:db8:0:0:0:0:0:7", NULL },
		{ "192.0.2.7/128", IMPORT_NETWORK },
		{ "2001:db8::7/32", IMPORT_NO_ADDR },
		{ "192.0.2.0/24", IMPORT_NETWORK },
		{ "2001:db8::/32", IMPORT_NETWORK },
		{ "192.168", IMPORT_NETWORK },
		{ "192.168.", IMPORT_NETWORK },
		{ "10.1-3.", IMPORT_NETWORK },
		{ "0192.0.2.7", IMPORT_NETWORK },
		{ "mail.example.org", IMPORT_NO_ADDR },
		{ "=mail.example.org", IMPORT_NO_ADDR },
		{ "user@192.0.2.7", IMPORT_NO_ADDR },
		{ "192.0.2.7 ", IMPORT_NO_ADDR },
		{ "[192.0.2.7]", IMPORT_NO_ADDR },
		{ "YP_LAST_MODIFIED", IMPORT_NO_ADDR },
		{ "", IMPORT_NO_ADDR },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *why = NULL;
		struct addr a;
		bool is = import_address(
		    rows[i].text, strlen(rows[i].text), &a, &why);

		assert_int_equal(is, rows[i].want == NULL);
		if (!is)
			assert_string_equal(why, rows[i].want);
	}
}

static void test_a_time_is_nothing_but_decimal_seconds(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} rows[] = {
		{ "1700000000", INT64_C(1700000000000) },
		{ "99999999999", INT64_C(99999999999000) },
		{ "1700000000000", 0 }, /* ms */
		{ "", 0 },
		{ "ok", 0 },
		{ "-3", 0 },
		{ "1", 0 },
		{ "99999999", 0 },
		{ "+1700000000", 0 },
		{ "1700000000 ", 0 },
		{ "17000000.00", 0 },
		{ "99999999999999", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(
		    import_epoch(rows[i].text, strlen(rows[i].text)),
		    rows[i].want);
}

/* --- texts ----------------------------------------------------------------
 */

static void expect_lines(
    const char *kind, const char *text, size_t len, const char *want)
{
	static struct told told;
	const struct import_sink sink = told_sink(&told);

	import_lines(import_kind_find(kind), text, len, &sink);
	assert_string_equal(told.text, want);
}

static void expect_text(const char *kind, const char *text, const char *want)
{
	expect_lines(kind, text, strlen(text), want);
}

static void test_open_smtp(void **state)
{
	(void)state;
	expect_text("open-smtp",
	    "192.0.2.7" RULE "\t" EPOCH "\n"
	    "2001:db8::7" RULE "\t" EPOCH "\n",
	    "192.0.2.7 user= login=1700000000 end=0\n"
	    "2001:db8::7 user= login=1700000000 end=0\n");
	expect_text("open-smtp", "192.0.2.7" RULE "\n", "not-understood\n");
	expect_text(
	    "open-smtp", "192.0.2.7" RULE "\tsoon\n", "not-understood\n");
	expect_text("open-smtp", "192.0." RULE "\t" EPOCH "\n", "network\n");
	expect_text("open-smtp", RULE "\t" EPOCH "\n", "network\n");
	expect_text("open-smtp", "192.0.2.7:allow,RELAYCLIENT=\"\t" EPOCH "\n",
	    "not-understood\n");
	expect_text("open-smtp", "192.0.2.7:allow\t" EPOCH "\n", "");
	expect_text("open-smtp", "192.0.2.7:deny\t" EPOCH "\n", "");
	/* The end of a file that was cut: no address is guessed. */
	expect_text("open-smtp", "192.0.2.7" RULE "\t170000000", "cut-off\n");
}

static void test_tcprules(void **state)
{
	(void)state;
	expect_text("tcprules",
	    "# static\n\n127.:allow,RELAYCLIENT=\"\"\n"
	    "192.0.2.7:allow,RELAYCLIENT=''\n"
	    "192.0.2.8:allow,A=xqx,RELAYCLIENT=z@fixmez\t\n"
	    "192.0.2.9:allow,NORELAYCLIENT=\"\"\n"
	    "192.0.2.10:allow,A=\",RELAYCLIENT=x\"\n"
	    "192.0.2.11-20:allow,RELAYCLIENT=\"\"\n"
	    "192.0.2.12:deny\n"
	    ":allow\nno colon\n",
	    "network\n"
	    "192.0.2.7 user= login=0 end=0\n"
	    "192.0.2.8 user= login=0 end=0\n"
	    "network\nnot-understood\n");
}

static void test_relayhosts_and_pophosts(void **state)
{
	(void)state;
	expect_text("relayhosts",
	    "192.0.2.7\r\n\"2001:db8::7\"\n2001:db8::8\n192.0.2.8\tRELAY\n"
	    "# one\n\nmail.example.org\n192.168\n\"192.0.2.9\n 192.0.2.1\n",
	    "192.0.2.7 user= login=0 end=0\n"
	    "2001:db8::7 user= login=0 end=0\n"
	    "2001:db8::8 user= login=0 end=0\n"
	    "192.0.2.8 user= login=0 end=0\n"
	    "not-an-address\nnetwork\nnot-understood\nnot-understood\n");
	expect_text("relayhosts",
	    "192.0.2.7 REJECT\n192.0.2.8 550 no\n192.0.2.9 x\n",
	    "denied\ndenied\nnot-understood\n");
	expect_text("pophosts",
	    "192.0.2.7\n192.0.2.8: bob@example.org\n192.0.2.9:ann\n"
	    "192.0.2.10 eve\n\"2001:db8::7\": joe\n"
	    "192.0.2.11: REJECT\n192.0.2.12: 550 no\n"
	    "192.0.2.13: no@example.org\n"
	    "2001.0db8.0000.0000.0000.0000.0000.0008\n"
	    "2001.0db8.0000.0000.0000.0000.0000\n192.168.: bob\n"
	    "2001:db8::9: sue\n",
	    "192.0.2.7 user= login=0 end=0\n"
	    "192.0.2.8 user=bob@example.org login=0 end=0\n"
	    "192.0.2.9 user=ann login=0 end=0\n"
	    "192.0.2.10 user=eve login=0 end=0\n"
	    "2001:db8::7 user=joe login=0 end=0\n"
	    "denied\ndenied\n"
	    "192.0.2.13 user=no@example.org login=0 end=0\n"
	    "2001:db8::8 user= login=0 end=0\n"
	    "not-an-address\nnetwork\n"
	    "2001:db8::9 user=sue login=0 end=0\n");
}

static void test_bytes_that_are_no_text(void **state)
{
	static const char row[] = "192.0.2.7 ";
	char longest[8192];

	(void)state;
	expect_lines("relayhosts", "192.0.2.7\0\n", 11, "not-an-address\n");
	expect_lines("pophosts", "192.0.2.7 a\0b\n", 14, "not-understood\n");
	expect_text("pophosts", "192.0.2.7 a\rb\n", "not-understood\n");
	expect_text("pophosts", "192.0.2.7 a\x7f\n", "not-understood\n");
	expect_text("pophosts",
	    "192.0.2.7 \x1f"
	    "b\n",
	    "not-understood\n");
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\n';
	expect_lines("tcprules", longest, sizeof(longest), "too-long\n");
	memcpy(longest, row, sizeof(row) - 1);
	longest[400] = '\n';
	expect_lines("pophosts", longest, 401, "too-long\n");
	expect_lines("relayhosts", "192.0.2.1", 9, "cut-off\n");
}

/* --- records --------------------------------------------------------------
 */

static void expect_record(const char *kind, const char *key, size_t key_len,
    const char *value, size_t value_len, const char *want)
{
	static struct told told;
	const struct import_sink sink = told_sink(&told);
	struct import_row row = { 0 };
	const char *why = NULL;

	if (import_kind_find(kind)->record(
		key, key_len, value, value_len, &row, &why))
		sink.row(sink.ctx, &row);
	else if (why)
		sink.refuse(sink.ctx, key, key_len, why);
	assert_string_equal(told.text, want);
}

static void test_records_of_each_kind(void **state)
{
	static const char key[] = "192.0.2.7"; /* with its NUL */
	static const char none[] = "192.0.2.7 user= login=0 end=0\n";
	static const char begun[] = "192.0.2.7 user= login=1700000000 end=0\n";
	static const char ends[] = "192.0.2.7 user= login=0 end=1700000000\n";

	(void)state;
	expect_record("popip", key, 9, EPOCH, 10, begun);
	expect_record("popip", key, 10, EPOCH, 11, begun);
	expect_record("popip", key, 9, "", 0, none);
	expect_record("popip", key, 9, "tomorrow", 8, none);
	expect_record("popauth", key, 9, "ok", 2, none);
	expect_record("popauth", key, 9, "RELAY", 5, none);
	expect_record("popauth", key, 9, EPOCH, 10, begun);
	expect_record("popauth", key, 9, "Reject", 6, "denied\n");
	expect_record("popauth", key, 9, "550 go away", 11, "denied\n");
	expect_record("popauth", key, 9, "550", 3, "denied\n");
	expect_record("popip", key, 9, "ERROR:\"no\"", 10, "denied\n");
	expect_record("popip", key, 9, "5500", 4, none);
	expect_record("pop-before-smtp", key, 9, "REJECT", 7, "denied\n");
	expect_record("pop-before-smtp", key, 9, "Rejected", 8, none);
	expect_record("pop-before-smtp", key, 9, "-2", 2, none);
	expect_record("pop-before-smtp", key, 10, "ok", 3, none);
	expect_record("pop-before-smtp", key, 9, EPOCH, 10, none);
	expect_record("dracd", key, 9, EPOCH, 10, ends);
	expect_record("dracd", "192.0.2.7/32", 13, EPOCH, 11, ends);
	/* It never writes anything but the end, in seconds. */
	expect_record("dracd", key, 9, EPOCH "000", 13, "not-understood\n");
	expect_record("dracd", key, 9, "ok", 2, "not-understood\n");
	expect_record("dracd", key, 9, "REJECT", 6, "denied\n");
	expect_record("dracd", "192.0.2.0/24", 13, EPOCH, 11, "network\n");
	expect_record(
	    "dracd", "192.0.2\0.7", 10, EPOCH, 10, "not-an-address\n");
	expect_record("dracd", "", 0, EPOCH, 10, "not-an-address\n");
}

/* --- times ----------------------------------------------------------------
 */

enum { LASTS = 30 * IMPORT_MINUTE };

static struct imported settle(
    int64_t login, int64_t end, int64_t changed, bool by_change)
{
	struct import_row row = { .login = login, .end = end };
	struct imported out = { 0 };

	import_settle(&row, LASTS, changed, by_change, &out);
	return out;
}

static void test_no_time_is_later_than_the_files(void **state)
{
	const int64_t changed = INT64_C(1700000000000), minute = IMPORT_MINUTE;
	struct imported out;

	(void)state;
	out = settle(0, 0, changed, false);
	assert_int_equal(out.login, changed);
	assert_int_equal(out.end, changed + LASTS);
	out = settle(changed - 5 * minute, 0, changed, false);
	assert_int_equal(out.login, changed - 5 * minute);
	assert_int_equal(out.end, changed + LASTS - 5 * minute);
	/* A login that its file could not know of. */
	out = settle(changed + 500 * minute, 0, changed, false);
	assert_int_equal(out.login, changed);
	assert_int_equal(out.end, changed + LASTS);
	/* An end is as it stands; the login is what it follows from. */
	out = settle(0, changed + 10 * minute, changed, false);
	assert_int_equal(out.login, changed - 20 * minute);
	assert_int_equal(out.end, changed + 10 * minute);
	out = settle(0, changed + 60 * minute, changed, false);
	assert_int_equal(out.login, changed);
	assert_int_equal(out.end, changed + 60 * minute);
	out =
	    settle(changed - 5 * minute, changed + 60 * minute, changed, true);
	assert_int_equal(out.login, changed);
	assert_int_equal(out.end, changed + LASTS);
}

static void test_an_end_of_another_day_is_far(void **state)
{
	const int64_t now = INT64_C(1700000000000), day = IMPORT_AGE_MAX;
	const struct import_row near = { .end = now + day },
				far = { .end = now + day + 1 }, none = { 0 };

	(void)state;
	assert_false(import_is_far(&none, LASTS, now));
	assert_false(import_is_far(&near, LASTS, now));
	assert_true(import_is_far(&far, LASTS, now));
	assert_false(import_is_far(&far, 2 * day, now));
}

/* --- files ----------------------------------------------------------------
 */

static struct told told;
static struct err err;

static void test_the_kind_is_found_by_name_or_content(void **state)
{
	static const struct {
		const char *name, *text, *kind;
	} rows[] = {
		{ "open-smtp", "", "open-smtp" },
		{ "tcp.smtp.leases", ":allow\n", "tcprules" },
		{ "pophosts_user", "192.0.2.7: bob\n", "pophosts" },
		{ "x", "192.0.2.7" RULE "\t" EPOCH "\n", "open-smtp" },
		{ "x", "# x\n192.0.2.7:allow,RELAYCLIENT=\"\"\n", "tcprules" },
		{ "x", "192.0.2.7\n", "relayhosts" },
		{ "x", "192.0.2.7 REJECT\n", NULL },
		{ "x", "root:x:0:0:root:/root:/bin/sh\n", NULL },
		{ "x", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO_FREE char *path =
		    told_file(rows[i].name, rows[i].text, strlen(rows[i].text));
		struct import_store s;
		int rc = import_open(&s, path, NULL, &err);

		assert_int_equal(rc, rows[i].kind ? 0 : -1);
		if (rows[i].kind)
			assert_string_equal(s.kind->name, rows[i].kind);
		import_close(&s);
		(void)unlink(path);
	}
}

static void test_only_plain_files_are_opened(void **state)
{
	const struct import_kind *kind = import_kind_find("relayhosts");
	AUTO_FREE char *path = told_file("plain", "192.0.2.7\n", 10);
	char link[80], fifo[80];

	(void)state;
	(void)snprintf(link, sizeof(link), "%s.link", path);
	(void)snprintf(fifo, sizeof(fifo), "%s.fifo", path);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(told_read(path, kind, &told, &err), 0);
	assert_int_equal(told.rows, 1);
	assert_int_equal(told_read(link, kind, &told, &err), EXIT_USER);
	assert_non_null(strstr(err.text, "symbolic link"));
	assert_int_equal(told_read(fifo, kind, &told, &err), EXIT_USER);
	assert_int_equal(told_read("/tmp", kind, &told, &err), EXIT_USER);
	assert_int_equal(told_read("/nowhere", kind, &told, &err), EXIT_USER);
	assert_int_equal(told_read("/dev/null", kind, &told, &err), EXIT_USER);
	assert_int_equal(
	    told_read(path, import_kind_find("relay-ctrl"), &told, &err),
	    EXIT_USER);
	/* A compiled file has no lines. */
	AUTO_FREE char *cdb = told_file("tcp.smtp", "\0\n192.0.2.7\n", 12);
	assert_int_equal(told_read(cdb, kind, &told, &err), EXIT_USER);
	assert_int_equal(told.rows, 0);
	(void)unlink(cdb);
	/* No text is a database, and none is read as one. */
	assert_int_not_equal(
	    told_read(path, import_kind_find("popip"), &told, &err), 0);
	(void)unlink(link);
	(void)unlink(fifo);
	(void)unlink(path);
}

static void test_a_file_of_any_size_is_not_read(void **state)
{
	const struct import_kind *kind = import_kind_find("relayhosts");
	AUTO_FREE char *path = told_file("huge", "192.0.2.7\n", 10);

	(void)state;
	assert_int_equal(truncate(path, (off_t)IMPORT_FILE_MAX + 1), 0);
	assert_int_equal(told_read(path, kind, &told, &err), EXIT_USER);
	assert_int_equal(told.rows, 0);
	(void)unlink(path);
}

static void test_writers_are_waited_for(void **state)
{
	const struct import_kind *kind = import_kind_find("open-smtp");
	AUTO_FREE char *path =
	    told_file("open-smtp", "192.0.2.7" RULE "\t" EPOCH "\n", 54);
	char lock[80];
	int go[2];
	pid_t pid;

	(void)state;
	(void)snprintf(lock, sizeof(lock), "%s.lock", path);
	assert_int_equal(pipe(go), 0);
	/* It holds the lock a while, and writes the end of the line then. */
	pid = fork();
	if (pid == 0) {
		struct flock whole = { .l_type = F_WRLCK };
		int fd = open(lock, O_RDWR | O_CREAT, 0600);
		FILE *f = fopen(path, "w");

		(void)fcntl(fd, F_SETLK, &whole);
		must(write(go[1], "x", 1) == 1);
		(void)usleep(200 * 1000);
		(void)fprintf(f, "192.0.2.8" RULE "\t" EPOCH "\n");
		(void)fclose(f);
		_exit(0);
	}
	char byte;
	assert_int_equal(read(go[0], &byte, 1), 1);
	assert_int_equal(told_read(path, kind, &told, &err), 0);
	assert_string_equal(
	    told.text, "192.0.2.8 user= login=1700000000 end=0\n");
	(void)unlink(lock);
	(void)unlink(path);
}

/* A file's time can be any of 64 bits. */
static void test_a_files_time_is_cut_to_what_a_time_can_be(void **state)
{
	static const int64_t last = INT64_C(1) << 37; /* s */
	static const int64_t all[] = { 0, 1700000000, last, last + 1,
		INT64_C(999999999999), INT64_MAX, -1, INT64_MIN };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		int64_t want = all[i] < 0 ? 0 : all[i] > last ? last : all[i];

		assert_int_equal(lease_file_time(&(struct timespec){
				     .tv_sec = all[i], .tv_nsec = 0 }),
		    want * 1000);
	}
	assert_int_equal(lease_file_time(&(struct timespec){
			     .tv_sec = 1, .tv_nsec = 5000000 }),
	    1005);
}

static void test_what_relaypass_writes_is_no_store(void **state)
{
	const struct passwd *out = getpwnam("relaypass-out");
	AUTO_FREE char *path = told_file("popip", "192.0.2.7\n", 10);

	(void)state;
	if (!out || chown(path, out->pw_uid, out->pw_gid) < 0) {
		(void)unlink(path);
		skip();
	}
	assert_int_equal(
	    told_read(path, import_kind_find("relayhosts"), &told, &err),
	    EXIT_USER);
	assert_non_null(strstr(err.text, "relaypass writes"));
	assert_int_equal(told.rows, 0);
	(void)unlink(path);
}

/* --- relay-ctrl's directory -----------------------------------------------
 */

static void put_file(const char *dir, const char *name, const char *bytes,
    size_t len, time_t when)
{
	const struct timespec times[2] = { { .tv_sec = when },
		{ .tv_sec = when } };
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	must(f && fwrite(bytes, 1, len, f) == len && fclose(f) == 0);
	must(utimensat(AT_FDCWD, path, times, 0) == 0);
}

static bool told_has(const char *line)
{
	return strstr(told.text, line) != NULL;
}

static void test_relay_ctrl_directory(void **state)
{
	static const char user[] = "USER=bob\0DOMAIN=example.org";
	static const char control[] = "USER=b\nob";
	char dir[] = "/tmp/allow-XXXXXX", path[128];
	static const char *const names[] = { "192.0.2.7", "192.0.2.8",
		"192.0.2.9", ".1.2:3", "hello", "192.168.", "198.51.100.1" };

	(void)state;
	must(mkdtemp(dir) != NULL);
	put_file(dir, "192.0.2.7", user, sizeof(user), 1700000000);
	put_file(dir, "192.0.2.8", "", 0, 1600000000);
	put_file(dir, "192.0.2.9", control, sizeof(control), 1700000000);
	put_file(dir, ".1.2:3", "", 0, 1700000000);
	put_file(dir, "hello", "", 0, 1700000000);
	put_file(dir, "192.168.", "", 0, 1700000000);
	(void)snprintf(path, sizeof(path), "%s/198.51.100.1", dir);
	must(symlink("/etc/passwd", path) == 0);
	assert_int_equal(told_read(dir, NULL, &told, &err), 0);
	assert_true(told_has(
	    "192.0.2.7 user=bob@example.org login=1700000000 end=0\n"));
	assert_true(told_has("192.0.2.8 user= login=1600000000 end=0\n"));
	assert_true(told_has("192.0.2.9 user= login=1700000000 end=0\n"));
	assert_true(told_has("not-an-address\n"));
	assert_true(told_has("network\n"));
	assert_true(told_has("not-a-file\n"));
	assert_int_equal(told.rows, 3);
	assert_int_equal(told.refused, 3);
	/* Nothing is removed, old as it may be. */
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(dir), 0);
}

static void test_a_directory_without_addresses_is_no_store(void **state)
{
	char dir[] = "/tmp/etc-XXXXXX";

	(void)state;
	must(mkdtemp(dir) != NULL);
	/* There may be no lease just now. */
	assert_int_equal(told_read(dir, NULL, &told, &err), 0);
	put_file(dir, "passwd", "", 0, 1700000000);
	assert_int_equal(told_read(dir, NULL, &told, &err), EXIT_USER);
	assert_non_null(strstr(err.text, "no relay-ctrl directory"));
	assert_int_equal(told.refused, 0);
	put_file(dir, "192.0.2.7", "", 0, 1700000000);
	assert_int_equal(told_read(dir, NULL, &told, &err), 0);
	assert_int_equal(told.rows, 1);
	assert_int_equal(told.refused, 1);
	must(chdir(dir) == 0 && unlink("passwd") == 0 &&
	     unlink("192.0.2.7") == 0 && chdir("/") == 0 && rmdir(dir) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_a_whole_address_is_one),
		cmocka_unit_test(test_a_time_is_nothing_but_decimal_seconds),
		cmocka_unit_test(test_open_smtp),
		cmocka_unit_test(test_tcprules),
		cmocka_unit_test(test_relayhosts_and_pophosts),
		cmocka_unit_test(test_bytes_that_are_no_text),
		cmocka_unit_test(test_records_of_each_kind),
		cmocka_unit_test(test_no_time_is_later_than_the_files),
		cmocka_unit_test(test_an_end_of_another_day_is_far),
		cmocka_unit_test(test_the_kind_is_found_by_name_or_content),
		cmocka_unit_test(test_only_plain_files_are_opened),
		cmocka_unit_test(test_a_file_of_any_size_is_not_read),
		cmocka_unit_test(test_writers_are_waited_for),
		cmocka_unit_test(test_relay_ctrl_directory),
		cmocka_unit_test(
		    test_a_directory_without_addresses_is_no_store),
		cmocka_unit_test(
		    test_a_files_time_is_cut_to_what_a_time_can_be),
		cmocka_unit_test(test_what_relaypass_writes_is_no_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
