/* SPDX-License-Identifier: ISC */
/*
 * notify-line - one line of relaypass' notify protocol, as the plugin says it:
 *   login ip=192.0.2.7 user=anna%20b server=dovecot session=x%3D service=imap
 * A word and key=value pairs with one blank between; in values control bytes,
 * blank, '%', '=' and bytes above 0x7e stand as %XX. This is src/base/kv.h's
 * coding once more, because the plugin links nothing of relaypass; the unit
 * test test_dovecot_line compares the two. Plain C, nothing of Dovecot.
 */
#ifndef NOTIFY_LINE_H
#define NOTIFY_LINE_H
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { NOTIFY_LINE_MAX = 1024 }; /* with its LF; the protocol's */

struct notify_line {
	size_t used;
	bool full; /* something did not fit: not to be sent */
	char text[NOTIFY_LINE_MAX];
};

static inline void notify_put_raw(
    struct notify_line *line, const char *text, size_t len)
{
	if (len > sizeof(line->text) - line->used) {
		line->full = true;
		return;
	}
	memcpy(line->text + line->used, text, len);
	line->used += len;
}

static inline void notify_put_byte(struct notify_line *line, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char coded[3] = { '%', digits[c >> 4], digits[c & 15] };
	const char plain = (char)c;

	if (c > ' ' && c <= '~' && c != '%' && c != '=')
		notify_put_raw(line, &plain, 1);
	else
		notify_put_raw(line, coded, sizeof(coded));
}

static inline void notify_begin(struct notify_line *line, const char *verb)
{
	line->used = 0;
	line->full = false;
	notify_put_raw(line, verb, strlen(verb));
}

/* Nothing is put when there is no value. */
static inline void notify_put(
    struct notify_line *line, const char *key, const char *value)
{
	if (value == NULL || *value == '\0')
		return;
	notify_put_raw(line, " ", 1);
	notify_put_raw(line, key, strlen(key));
	notify_put_raw(line, "=", 1);
	for (; *value != '\0'; value++)
		notify_put_byte(line, (unsigned char)*value);
}

/* False: the line is too long and must not be sent. */
static inline bool notify_end(struct notify_line *line)
{
	notify_put_raw(line, "\n", 1);
	return !line->full;
}

#endif
