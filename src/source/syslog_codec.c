/* SPDX-License-Identifier: ISC */
/*
 * syslog_codec - strict where it decides what is a line, for a line is a login
 * or none. Nothing is repaired: what is not clear is dropped.
 */
#include "syslog_codec.h"

#include <string.h>

#include "pattern/header.h"

enum {
	COUNT_DIGITS = 7,  /* of an octet count; ten million are a mistake */
	PRIORITY_MAX = 191 /* 23 facilities of 8 and 7 */
};

/* *state: this many bytes are passed over, or all up to the next LF. */
static const uint64_t up_to_lf = UINT64_MAX;

/* --- frames ----------------------------------------------------------------
 */

static enum syslog_frame pass_over(
    const char *bytes, size_t len, uint64_t *state, size_t *used)
{
	const char *lf;

	if (*state == up_to_lf) {
		lf = memchr(bytes, '\n', len);
		*used = lf ? (size_t)(lf - bytes) + 1 : len;
		*state = lf ? 0 : up_to_lf;
	} else {
		*used = *state < len ? (size_t)*state : len;
		*state -= *used;
	}
	return SYSLOG_FRAME_NONE;
}

/* "LEN MESSAGE" */
static enum syslog_frame cut_counted(const char *bytes, size_t len,
    uint64_t *state, size_t *used, const char **msg, size_t *msg_len)
{
	size_t count = 0, n = 0;

	while (
	    n < len && n <= COUNT_DIGITS && bytes[n] >= '0' && bytes[n] <= '9')
		count = count * 10 + (size_t)(bytes[n++] - '0');
	if (n > COUNT_DIGITS)
		return SYSLOG_FRAME_BAD;
	if (n == len)
		return SYSLOG_FRAME_MORE;
	if (bytes[n++] != ' ')
		return SYSLOG_FRAME_BAD;
	if (count > SYSLOG_MESSAGE_MAX) {
		*used = n;
		*state = count;
		return SYSLOG_FRAME_LONG;
	}
	if (len - n < count)
		return SYSLOG_FRAME_MORE;
	*msg = bytes + n;
	*msg_len = count;
	*used = n + count;
	return SYSLOG_FRAME_WHOLE;
}

/* "MESSAGE LF" */
static enum syslog_frame cut_ended(const char *bytes, size_t len,
    uint64_t *state, size_t *used, const char **msg, size_t *msg_len)
{
	const char *lf = memchr(bytes, '\n',
	    len <= SYSLOG_MESSAGE_MAX ? len : SYSLOG_MESSAGE_MAX + 1);

	if (lf) {
		*msg = bytes;
		*msg_len = (size_t)(lf - bytes);
		*used = *msg_len + 1;
		return SYSLOG_FRAME_WHOLE;
	}
	if (len <= SYSLOG_MESSAGE_MAX)
		return SYSLOG_FRAME_MORE;
	*used = SYSLOG_MESSAGE_MAX + 1;
	*state = up_to_lf;
	return SYSLOG_FRAME_LONG;
}

enum syslog_frame syslog_cut(const char *bytes, size_t len, uint64_t *state,
    size_t *used, const char **msg, size_t *msg_len)
{
	*used = 0;
	if (*state)
		return pass_over(bytes, len, state, used);
	if (*bytes == '<')
		return cut_ended(bytes, len, state, used, msg, msg_len);
	if (*bytes >= '1' && *bytes <= '9')
		return cut_counted(bytes, len, state, used, msg, msg_len);
	*used = *bytes == '\n';
	return *used ? SYSLOG_FRAME_NONE : SYSLOG_FRAME_BAD;
}

/* --- a message -------------------------------------------------------------
 */

/* The length of "<PRI>", or 0. */
static size_t priority_len(const char *msg, size_t len)
{
	size_t n = 1;
	unsigned v = 0;

	if (len < 3 || msg[0] != '<')
		return 0;
	while (n < len && n < 4 && msg[n] >= '0' && msg[n] <= '9')
		v = v * 10 + (unsigned)(msg[n++] - '0');
	return n > 1 && n < len && msg[n] == '>' && v <= PRIORITY_MAX ? n + 1
								      : 0;
}

/*
 * "<PRI>STAMP PROGRAM[PID]: ...", as syslog(3) and the journal send it: with a
 * "-" where a host would stand, if then the program is what follows it. The
 * same text behind a true host is never read so: a host is no "PROGRAM:".
 */
static bool add_host(const char *msg, size_t len, size_t stamp_end,
    char room[static SYSLOG_LINE_MAX], size_t *line_len)
{
	size_t at = stamp_end + 1;
	struct header h;

	if (at >= len || msg[stamp_end] != ' ')
		return false;
	memcpy(room, msg, at);
	room[at] = '-';
	room[at + 1] = ' ';
	memcpy(room + at + 2, msg + at, len - at);
	*line_len = len + 2;
	return header_parse(room, *line_len, &h) && h.place == HEADER_SYSLOG &&
	       h.tag == room + at + 2;
}

static enum syslog_seen read_message(const char *msg, size_t len,
    char room[static SYSLOG_LINE_MAX], const char **line, size_t *line_len)
{
	size_t begin = priority_len(msg, len), n;
	struct header h;
	struct stamp stamp;

	if (!begin || !header_parse(msg, len, &h))
		return SYSLOG_MALFORMED;
	*line = msg;
	*line_len = len;
	if (h.place == HEADER_SYSLOG)
		return h.tag_len ? SYSLOG_LINE : SYSLOG_NO_TAG;
	n = stamp_parse(msg + begin, len - begin, &stamp);
	if (!n)
		return SYSLOG_MALFORMED;
	*line = room;
	return add_host(msg, len, begin + n, room, line_len) ? SYSLOG_LINE
							     : SYSLOG_NO_TAG;
}

enum syslog_seen syslog_line(const char *msg, size_t len,
    char room[static SYSLOG_LINE_MAX], const char **line, size_t *line_len)
{
	if (len && (msg[len - 1] == '\n' || msg[len - 1] == '\0'))
		len--;
	if (len > SYSLOG_MESSAGE_MAX)
		return SYSLOG_TOO_LONG;
	if (memchr(msg, '\n', len) || memchr(msg, '\0', len))
		return SYSLOG_MANY;
	return read_message(msg, len, room, line, line_len);
}
