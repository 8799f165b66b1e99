/* SPDX-License-Identifier: ISC */
/*
 * scan_out - see the header. Called by scan.c only. jsonl.c makes the same text
 * by way of jansson, which costs ten times as much as matching the line.
 */
#include "scan_out.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"
#include "scan_progress.h"

/* A file name and a user with every byte as \u00XX, and the rest. */
enum { ROW_MAX = 6 * (4096 + LOGIN_USER_MAX + LOGIN_SESSION_MAX) + 400 };

void scan_out_init(struct scan_out *o, bool json)
{
	o->json = json;
	o->failed = false;
	o->bar = NULL;
	o->used = 0;
	o->second = INT64_MIN;
}

void scan_out_flush(struct scan_out *o)
{
	if (o->bar && o->used)
		progress_clear(o->bar);
	for (size_t done = 0; done < o->used && !o->failed;) {
		ssize_t n =
		    write(STDOUT_FILENO, o->bytes + done, o->used - done);

		if (n > 0) {
			done += (size_t)n;
		} else if (n < 0 && errno != EINTR) {
			o->failed = true;
			o->errno_value = errno;
		}
	}
	o->used = 0;
}

static void put(struct scan_out *o, const char *text, size_t len)
{
	memcpy(o->bytes + o->used, text, len);
	o->used += len;
}

#define PUT(o, text) put(o, text, sizeof(text) - 1)

static void put_number(struct scan_out *o, uint64_t v)
{
	char digits[20];
	size_t n = sizeof(digits);

	do
		digits[--n] = (char)('0' + v % 10);
	while (v /= 10);
	put(o, digits + n, sizeof(digits) - n);
}

/* How many bytes the UTF-8 sequence at p has, 0: it is none. */
static size_t utf8_length(const unsigned char *p, size_t len)
{
	size_t n = p[0] < 0x80   ? 1
		   : p[0] < 0xc2 ? 0
		   : p[0] < 0xe0 ? 2
		   : p[0] < 0xf0 ? 3
		   : p[0] < 0xf5 ? 4
				 : 0;

	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, beyond U+10FFFF. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static bool is_utf8(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_length(p + i, len - i);
		if (!n)
			return false;
	}
	return true;
}

/* Printable ASCII that JSON takes as it is: nearly every name and session. No
 * way out of the loop, so that it is done many bytes at a time. */
static bool is_plain(const char *text, size_t len)
{
	unsigned odd = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		odd |= (unsigned)((unsigned char)(c - ' ') > '~' - ' ') |
		       (unsigned)(c == '"') | (unsigned)(c == '\\');
	}
	return !odd;
}

/* A JSON string; one that is not UTF-8 stands as the text \xHH, as in the other
 * verbs. */
static void put_string(struct scan_out *o, const char *text, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	char safe[4 * 4096 + 1];

	if (is_plain(text, len)) {
		PUT(o, "\"");
		put(o, text, len);
		PUT(o, "\"");
		return;
	}
	if (!is_utf8(text, len)) {
		text = cli_safe(text, len, safe, sizeof(safe));
		len = strlen(text);
	}
	PUT(o, "\"");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			PUT(o, "\\");
		if (c < ' ' || c == 0x7f) {
			PUT(o, "\\u00");
			put(o, &hex[c >> 4], 1);
			put(o, &hex[c & 15], 1);
		} else {
			put(o, text + i, 1);
		}
	}
	PUT(o, "\"");
}

static void set_two(char *p, int64_t v)
{
	p[0] = (char)('0' + v / 10);
	p[1] = (char)('0' + v % 10);
}

/* The date is printed once a day of the log, the time once a second. */
static void set_time(struct scan_out *o, int64_t second)
{
	int64_t of_day = second % 86400;
	char whole[CLOCK_TEXT_SIZE];

	if (second / 86400 != o->second / 86400) {
		clock_print(second * 1000, whole);
		memcpy(o->time, whole, sizeof(o->time));
	}
	o->second = second;
	set_two(o->time + 11, of_day / 3600);
	set_two(o->time + 14, of_day / 60 % 60);
	set_two(o->time + 17, of_day % 60);
}

/* RFC 3339 in UTC, as clock_print(). */
static void put_time(struct scan_out *o, int64_t ms)
{
	if (ms / 1000 != o->second)
		set_time(o, ms / 1000);
	put(o, o->time, sizeof(o->time));
}

static bool has_addr(const struct login *l)
{
	static const struct addr nowhere;

	return memcmp(&l->addr, &nowhere, sizeof(nowhere)) != 0;
}

static void put_addr(struct scan_out *o, const struct login *l)
{
	char text[ADDR_TEXT_SIZE];
	size_t len = addr_print(&l->addr, text);

	put(o, text, len);
}

static void put_json(struct scan_out *o, const char *file, uint64_t line,
    const struct login *l, bool lease, const char *reason)
{
	PUT(o, "{\"line\":");
	put_number(o, line);
	if (file) {
		PUT(o, ",\"file\":");
		put_string(o, file, strnlen(file, 4096));
	}
	if (l->kind == LOGIN_OUT)
		PUT(o, ",\"kind\":\"logout\",\"ip\":");
	else
		PUT(o, ",\"kind\":\"login\",\"ip\":");
	if (has_addr(l)) {
		PUT(o, "\"");
		put_addr(o, l);
		PUT(o, "\"");
	} else {
		PUT(o, "null");
	}
	PUT(o, ",\"user\":");
	put_string(o, l->user, l->user_len);
	PUT(o, ",\"server\":\"");
	put(o, l->server, strlen(l->server));
	PUT(o, "\",\"time\":\"");
	put_time(o, l->time);
	PUT(o, "\"");
	if (l->session_len) {
		PUT(o, ",\"session\":");
		put_string(o, l->session, l->session_len);
	}
	if (l->kind != LOGIN_OUT) {
		if (l->tls)
			PUT(o, ",\"tls\":true");
		else
			PUT(o, ",\"tls\":false");
		if (lease) {
			PUT(o, ",\"lease\":true");
		} else {
			PUT(o, ",\"lease\":false,\"reason\":\"");
			put(o, reason, strlen(reason));
			PUT(o, "\"");
		}
	}
	PUT(o, "}\n");
}

/* Tabs between: line, time, kind, address, user, server, lease or reason. */
static void put_text(struct scan_out *o, const char *file, uint64_t line,
    const struct login *l, bool lease, const char *reason)
{
	char safe[4 * 4096 + 1];

	if (file) {
		cli_safe(file, strlen(file), safe, sizeof(safe));
		put(o, safe, strlen(safe));
		PUT(o, ":");
	}
	put_number(o, line);
	PUT(o, "\t");
	put_time(o, l->time);
	if (l->kind == LOGIN_OUT)
		PUT(o, "\tlogout\t");
	else
		PUT(o, "\tlogin\t");
	if (has_addr(l))
		put_addr(o, l);
	else
		PUT(o, "-");
	PUT(o, "\t");
	cli_safe(l->user, l->user_len, safe, sizeof(safe));
	put(o, safe, strlen(safe));
	PUT(o, "\t");
	put(o, l->server, strlen(l->server));
	PUT(o, "\t");
	if (lease)
		PUT(o, "lease");
	else if (reason)
		put(o, reason, strlen(reason));
	PUT(o, "\n");
}

void scan_out_login(struct scan_out *o, const char *file, uint64_t line,
    const struct login *l, bool lease, const char *reason)
{
	if (SCAN_OUT_SIZE - o->used < ROW_MAX)
		scan_out_flush(o);
	if (o->json)
		put_json(o, file, line, l, lease, reason);
	else
		put_text(o, file, line, l, lease, reason);
}
