/* SPDX-License-Identifier: ISC */
/*
 * test_header - the head of a line is one of the known forms, whole, or none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "pattern/header.h"

/* A line and what its head must be. NULL texts are not there. */
struct row {
	const char *line;
	enum header_place place;
	enum stamp_kind stamp;
	const char *host, *tag;
	uint32_t pid;
	const char *msg;
};

static void assert_text(
    const char *want, const char *got, size_t len, const char *line)
{
	size_t n = want ? strlen(want) : 0;

	if (n != len || (n && memcmp(want, got, n) != 0))
		fail_msg("%s\n  want \"%s\", got \"%.*s\"", line,
		    want ? want : "", (int)len, got);
}

/* One that remembers heads says the same, whatever it read before. */
static void check_memory(const char *line, const struct header *want)
{
	static struct header_memory memory;

	for (int i = 0; i < 2; i++) {
		struct header h;

		if (header_read(&memory, line, strlen(line), &h) == HEADER_BAD)
			fail_msg("remembering refused: %s", line);
		assert_int_equal(h.place, want->place);
		assert_int_equal(h.stamp.kind, want->stamp.kind);
		assert_int_equal(h.host_len, want->host_len);
		assert_int_equal(h.tag_len, want->tag_len);
		if (h.host_len)
			assert_ptr_equal(h.host, want->host);
		if (h.tag_len)
			assert_ptr_equal(h.tag, want->tag);
		assert_int_equal(h.pid, want->pid);
		assert_ptr_equal(h.msg, want->msg);
		assert_int_equal(h.msg_len, want->msg_len);
	}
}

static void check(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct row *r = &rows[i];
		struct header h;

		if (!header_parse(r->line, strlen(r->line), &h)) {
			if (r->place != HEADER_NOTHING)
				fail_msg("refused: %s", r->line);
			continue;
		}
		if (h.place != r->place || h.stamp.kind != r->stamp)
			fail_msg("%s\n  place %d, stamp %d", r->line, h.place,
			    h.stamp.kind);
		assert_text(r->host, h.host, h.host_len, r->line);
		assert_text(r->tag, h.tag, h.tag_len, r->line);
		assert_text(r->msg, h.msg, h.msg_len, r->line);
		assert_int_equal(h.pid, r->pid);
		check_memory(r->line, &h);
	}
}

static void test_header_reads_every_known_form(void **state)
{
	static const struct row rows[] = {
		{ "Nov 20 18:05:01 mx1 dovecot: x", HEADER_SYSLOG,
		    STAMP_YEARLESS, "mx1", "dovecot", 0, "x" },
		{ "Nov  3 18:05:01 mx1 dovecot[812]: x y", HEADER_SYSLOG,
		    STAMP_YEARLESS, "mx1", "dovecot", 812, "x y" },
		{ "Nov 3 18:05:01 mx1 a: x", HEADER_SYSLOG, STAMP_YEARLESS,
		    "mx1", "a", 0, "x" },
		{ "Nov 03 18:05:01 mx1 a: x", HEADER_SYSLOG, STAMP_YEARLESS,
		    "mx1", "a", 0, "x" },
		{ "<22>Nov 20 18:05:01 mx1 dovecot: x", HEADER_SYSLOG,
		    STAMP_YEARLESS, "mx1", "dovecot", 0, "x" },
		{ "Nov 20 2026 18:05:01 mx1 a: x", HEADER_SYSLOG, STAMP_LOCAL,
		    "mx1", "a", 0, "x" },
		{ "Fri Nov 20 18:05:01 2026 mx1 a: x", HEADER_SYSLOG,
		    STAMP_LOCAL, "mx1", "a", 0, "x" },
		{ "2026-11-20T18:05:01.123456+00:00 mx1 cyrus/imap[7]: x",
		    HEADER_SYSLOG, STAMP_OFFSET, "mx1", "cyrus/imap", 7, "x" },
		{ "2026-11-20T18:05:01Z 2001:db8::1 a.b-c_d: x", HEADER_SYSLOG,
		    STAMP_OFFSET, "2001:db8::1", "a.b-c_d", 0, "x" },
		{ "2026-11-20 18:05:01 mx1 a: x", HEADER_SYSLOG, STAMP_LOCAL,
		    "mx1", "a", 0, "x" },
		{ "1795197901 mx1 a: x", HEADER_SYSLOG, STAMP_INSTANT, "mx1",
		    "a", 0, "x" },
		{ "Nov 20 18:41:15 vm mail.info dovecot: x", HEADER_SYSLOG,
		    STAMP_YEARLESS, "vm", "dovecot", 0, "x" },
		{ "<22>1 2026-11-20T18:05:01Z mx1 dovecot - - - x",
		    HEADER_SYSLOG, STAMP_OFFSET, "mx1", "dovecot", 0, "x" },
		{ "<22>1 2026-11-20T18:05:01Z mx1 dovecot 77 - -  x",
		    HEADER_SYSLOG, STAMP_OFFSET, "mx1", "dovecot", 77, "x" },
		{ "<22>1 2026-11-20T18:05:01Z - a x7 ID "
		  "[b@1 c=\"]\\\"\"][d] \xef\xbb\xbfx",
		    HEADER_SYSLOG, STAMP_OFFSET, NULL, "a", 0, "x" },
		{ "<22>1 - mx1 a - - - x", HEADER_SYSLOG, STAMP_NONE, "mx1",
		    "a", 0, "x" },
		{ "dovecot: Nov 20 18:05:07 Info: x", HEADER_LEAD,
		    STAMP_YEARLESS, NULL, "dovecot", 0, "Info: x" },
		{ "imap-login: Mar 03 10:00:13 Info: x", HEADER_LEAD,
		    STAMP_YEARLESS, NULL, "imap-login", 0, "Info: x" },
		{ "Nov 20 18:05:08 imap-login: Info: x", HEADER_FILE,
		    STAMP_YEARLESS, NULL, NULL, 0, "imap-login: Info: x" },
		{ "2026-11-20 18:05:09 pop3-login: Info: x", HEADER_FILE,
		    STAMP_LOCAL, NULL, NULL, 0, "pop3-login: Info: x" },
		{ "@400000006b008be3075bcd15 imap-login: Info: x", HEADER_FILE,
		    STAMP_INSTANT, NULL, NULL, 0, "imap-login: Info: x" },
		{ "2026/11/20 18:05:01 [info] 1#0: *1 x", HEADER_FILE,
		    STAMP_LOCAL, NULL, NULL, 0, "[info] 1#0: *1 x" },
		{ "2026-11-20T18:05:01.123Z,0051,2", HEADER_FILE, STAMP_NONE,
		    NULL, NULL, 0, "2026-11-20T18:05:01.123Z,0051,2" },
		{ "just text", HEADER_FILE, STAMP_NONE, NULL, NULL, 0,
		    "just text" },
	};

	(void)state;
	check(rows, COUNT_OF(rows));
}

/* One way to write one instant, and what kind of stamp that is. */
static const struct {
	const char *text;
	enum stamp_kind kind;
} stamps[] = {
	{ "Nov  3 18:05:01", STAMP_YEARLESS },
	{ "Nov 3 18:05:01", STAMP_YEARLESS },
	{ "Nov 03 18:05:01", STAMP_YEARLESS },
	{ "Nov 23 18:05:01", STAMP_YEARLESS },
	{ "Nov  3 2026 18:05:01", STAMP_LOCAL },
	{ "Nov 23 2026 18:05:01", STAMP_LOCAL },
	{ "Tue Nov  3 18:05:01 2026", STAMP_LOCAL },
	{ "Mon Nov 23 18:05:01 2026", STAMP_LOCAL },
	{ "2026-11-03T18:05:01", STAMP_LOCAL },
	{ "2026-11-03 18:05:01", STAMP_LOCAL },
	{ "2026-11-03 18:05:01.5", STAMP_LOCAL },
	{ "2026-11-03T18:05:01.123456", STAMP_LOCAL },
	{ "2026/11/03 18:05:01", STAMP_LOCAL },
	{ "2026-11-03T18:05:01Z", STAMP_OFFSET },
	{ "2026-11-03T18:05:01.5Z", STAMP_OFFSET },
	{ "2026-11-03T18:05:01+01:00", STAMP_OFFSET },
	{ "2026-11-03T18:05:01.123456-03:30", STAMP_OFFSET },
	{ "2026-11-03T18:05:01-1200", STAMP_OFFSET },
	{ "2026-11-03T18:05:01+14:00", STAMP_OFFSET },
	{ "@400000006b008be3075bcd15", STAMP_INSTANT },
	{ "1795197901", STAMP_INSTANT },
	{ "1795197901.25", STAMP_INSTANT },
};

/* Every stamp before every way to say where a line is from. */
static void test_header_reads_every_stamp_before_every_origin(void **state)
{
	static const struct row forms[] = {
		{ "%s mx1 dovecot: x: y", HEADER_SYSLOG, 0, "mx1", "dovecot", 0,
		    "x: y" },
		{ "<22>%s mx1 dovecot: x", HEADER_SYSLOG, 0, "mx1", "dovecot",
		    0, "x" },
		{ "<0>%s mx1 perdition.pop3[12]: x", HEADER_SYSLOG, 0, "mx1",
		    "perdition.pop3", 12, "x" },
		{ "%s mx1.example.net cyrus/imaps[4294967295]:  x",
		    HEADER_SYSLOG, 0, "mx1.example.net", "cyrus/imaps",
		    4294967295, " x" },
		{ "%s 192.0.2.9 mail.info in.qpopper[1]: x", HEADER_SYSLOG, 0,
		    "192.0.2.9", "in.qpopper", 1, "x" },
		{ "<191>%s 2001:db8::1 local7.warning imapd-ssl: x",
		    HEADER_SYSLOG, 0, "2001:db8::1", "imapd-ssl", 0, "x" },
		{ "dovecot: %s Info: x", HEADER_LEAD, 0, NULL, "dovecot", 0,
		    "Info: x" },
		{ "imap-login[7]: %s x", HEADER_LEAD, 0, NULL, "imap-login", 7,
		    "x" },
		{ "%s imap-login: Info: x", HEADER_FILE, 0, NULL, NULL, 0,
		    "imap-login: Info: x" },
		{ "%s [popper] x", HEADER_FILE, 0, NULL, NULL, 0,
		    "[popper] x" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(stamps); i++)
		for (size_t k = 0; k < COUNT_OF(forms); k++) {
			const char *at = strstr(forms[k].line, "%s");
			struct row r = forms[k];
			char line[200];

			snprintf(line, sizeof(line), "%.*s%s%s",
			    (int)(at - r.line), r.line, stamps[i].text, at + 2);
			r.line = line;
			r.stamp = stamps[i].kind;
			check(&r, 1);
		}
}

/* rsyslog's is RSYSLOG_SyslogProtocol23Format: it cuts the program at '/' and
 * keeps the blank behind "program:". */
static void test_header_reads_rfc5424(void **state)
{
	static const struct row rows[] = {
#define STAMP "2026-11-20T18:05:01.561485+00:00"
		{ "<22>1 " STAMP " mx1 dovecot - - -  imap-login: x",
		    HEADER_SYSLOG, STAMP_OFFSET, "mx1", "dovecot", 0,
		    "imap-login: x" },
		{ "<22>1 " STAMP " mx1 cyrus 16125 - -  login: x",
		    HEADER_SYSLOG, STAMP_OFFSET, "mx1", "cyrus", 16125,
		    "login: x" },
		{ "<22>1 " STAMP " mx1 cyrus/imap 16125 - - login: x",
		    HEADER_SYSLOG, STAMP_OFFSET, "mx1", "cyrus/imap", 16125,
		    "login: x" },
		{ "<22>1 " STAMP " mx1 a 7 ID47 [x@1 a=\"1\"] y", HEADER_SYSLOG,
		    STAMP_OFFSET, "mx1", "a", 7, "y" },
		{ "<22>1 " STAMP " mx1 a 7 - [x@1 a=\"] b: \\\" c\"][y] z",
		    HEADER_SYSLOG, STAMP_OFFSET, "mx1", "a", 7, "z" },
		{ "<22>1 " STAMP " mx1 a 7 - [x@1 a=\"\\\\\"] z", HEADER_SYSLOG,
		    STAMP_OFFSET, "mx1", "a", 7, "z" },
		{ "<22>1 " STAMP " mx1 a 7 - [x] ", HEADER_SYSLOG, STAMP_OFFSET,
		    "mx1", "a", 7, "" },
		{ "<22>1 " STAMP " - - - - - x", HEADER_SYSLOG, STAMP_OFFSET,
		    NULL, NULL, 0, "x" },
		/* PROCID is any word; only a number is a process. */
		{ "<22>1 " STAMP " mx1 a 7x - - z", HEADER_SYSLOG, STAMP_OFFSET,
		    "mx1", "a", 0, "z" },
		{ "<22>1 " STAMP " mx1 a 4294967296 - - z", HEADER_SYSLOG,
		    STAMP_OFFSET, "mx1", "a", 0, "z" },
#undef STAMP
	};

	(void)state;
	check(rows, COUNT_OF(rows));
}

/* These may be lines of some server's own file, but never syslog's. */
static const char *const nearly[] = {
	"-Nov 20 18:05:00 mx1 dovecot: x",
	" Nov 20 18:05:00 mx1 dovecot: x",
	"Nov 20 18:05 mx1 dovecot: x",
	"Nov 20 18:05:0O mx1 dovecot: x",
	"Nov 20 24:05:00 mx1 dovecot: x",
	"Nov 20 18:60:00 mx1 dovecot: x",
	"Nov 20 18:05:61 mx1 dovecot: x",
	"Nov 00 18:05:00 mx1 dovecot: x",
	"Nov 31 18:05:00 mx1 dovecot: x",
	"Nvo 20 18:05:00 mx1 dovecot: x",
	"nov 20 18:05:00 mx1 dovecot: x",
	"Nov 20 18:05:00mx1 dovecot: x",
	"Nov 20 18:05:00  mx1 dovecot: x",
	"Nov 20 18:05:00 mx1  dovecot: x",
	"Nov 20 18:05:00 mx1 dovecot : x",
	"Nov 20 18:05:00 mx1 dovecot:x",
	"Nov 20 18:05:00 mx1 dovecot[]: x",
	"Nov 20 18:05:00 mx1 dovecot[-1]: x",
	"Nov 20 18:05:00 mx1 dovecot[99999999999]: x",
	"Nov 20 18:05:00 mx1 dovecot[1] : x",
	"Nov 20 18:05:00 mx1 mail.loud dovecot: x",
	"Nov 20 18:05:00 mx1 mail.info kern.info dovecot: x",
	"2026-11-20T18:05:00+99:00 mx1 dovecot: x",
	"2026-13-20T18:05:00Z mx1 dovecot: x",
	"2026-11-31T18:05:00Z mx1 dovecot: x",
	"2025-02-29T18:05:00Z mx1 dovecot: x",
	"1901-12-13T20:45:51Z mx1 dovecot: x",
	"@40000000ffffffffffffffff mx1 dovecot: x",
	"@4000000000000000000000000 mx1 dovecot: x",
	"@400000006b008be3075bcd1 mx1 dovecot: x",
	"123456789012 mx1 dovecot: x",
	"12345678 mx1 dovecot: x",
	"Feb 30 18:05:00 mx1 dovecot: x",
	"Feb 29 2026 18:05:00 mx1 dovecot: x",
	"Nov 20 1969 18:05:00 mx1 dovecot: x",
	"Mon Nov 20 18:05:00 2026 mx1 dovecot: x",
	"Sun Feb 29 18:05:00 2026 mx1 dovecot: x",
	"Foo Nov 20 18:05:00 2026 mx1 dovecot: x",
	"Fri Nov 20 18:05:00 mx1 dovecot: x",
	"2026-02-30T18:05:00Z mx1 dovecot: x",
	"2100-02-29T18:05:00Z mx1 dovecot: x",
	"2026-11-20T24:00:00Z mx1 dovecot: x",
	"2026-11-20T18:05:00+14:01 mx1 dovecot: x",
	"2026-11-20T18:05:00-12:01 mx1 dovecot: x",
	"2026-11-20T18:05:00+01:60 mx1 dovecot: x",
	"2026-11-20T18:05:00+01 mx1 dovecot: x",
	"2026-11-20T18:05:00. mx1 dovecot: x",
	"2026-11-20T18:05:00.1234567890Z mx1 dovecot: x",
	"2026/11-20 18:05:00 mx1 dovecot: x",
	"2026-11-20_18:05:00 mx1 dovecot: x",
	"@400000003a4fc87fFFFFFFFF mx1 dovecot: x",
	"@3fffffffffffffff00000000 mx1 dovecot: x",
	"@400000006b008be33b9aca00 mx1 dovecot: x",
	"@4000003afff4418a00000000 mx1 dovecot: x",
	"1795197901. mx1 dovecot: x",
	"mx1 dovecot: x",
};
static const char *const broken[] = { "", "<>x",
	"<192>Nov 20 18:05:01 mx1 a: x", "<22", "<22>x", "<22>1 x",
	"<22>1 Nov 20 18:05:01 mx1 a - - - x",
	"<22>1 2026-11-20T18:05:01Z mx1 a - - x",
	"<22>1 2026-11-20T18:05:01Z mx1 a - - [x x", "<22>dovecot: x",
	"<22>1 2026-11-20T18:05:01 mx1 a - - - x",
	"<22>1 2026-11-20T18:05:01Z mx1 a 7 - -x",
	"<22>1 2026-11-20T18:05:01Z mx1 a b[7] - -",
	"<22>1 2026-11-20T18:05:01Z mx1 a[7]: - - - x",
	"<22>1 2026-02-29T18:05:01Z mx1 a - - - x",
	"<22>1 2026-11-20T18:05:01+99:99 mx1 a - - - x",
	"<22>1 2026-11-20T18:05:01Z mx1 a 7 - [x y=\"] x",
	"<-1>Nov 20 18:05:01 mx1 a: x", "<22 >Nov 20 18:05:01 mx1 a: x",
	"<4294967318>Nov 20 18:05:01 mx1 a: x" };

static void test_header_refuses_what_is_nearly_one(void **state)
{
	struct header h;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(nearly); i++)
		if (header_parse(nearly[i], strlen(nearly[i]), &h) &&
		    h.place == HEADER_SYSLOG)
			fail_msg("taken: %s", nearly[i]);
	for (size_t i = 0; i < COUNT_OF(broken); i++)
		if (header_parse(broken[i], strlen(broken[i]), &h))
			fail_msg("taken: %s", broken[i]);
}

/* Every cut of a good line is read without looking behind its end. */
static void test_header_reads_no_byte_behind_the_line(void **state)
{
	static const char *const lines[] = {
		"<22>1 2026-11-20T18:05:01.5+00:00 mx1 a 7 - [b c=\"\\\"\"] x",
		"Nov 20 18:41:15 vm mail.info dovecot[12]: x",
		"@400000006b008be3075bcd15 dovecot: x",
		"dovecot: Nov 20 18:05:07 Info: x",
		"Fri Nov  6 18:05:01 2026 mx1 a: x",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++)
		for (size_t len = 0; len <= strlen(lines[i]); len++) {
			/* Its own memory, so that a sanitizer sees it. */
			AUTO_FREE char *copy = xmalloc(len + 1);
			struct header h;

			copy = xrealloc(copy, len ? len : 1, 1);
			memcpy(copy, lines[i], len);
			if (header_parse(copy, len, &h))
				assert_true(h.msg + h.msg_len == copy + len);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_reads_every_known_form),
		cmocka_unit_test(
		    test_header_reads_every_stamp_before_every_origin),
		cmocka_unit_test(test_header_reads_rfc5424),
		cmocka_unit_test(test_header_refuses_what_is_nearly_one),
		cmocka_unit_test(test_header_reads_no_byte_behind_the_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
