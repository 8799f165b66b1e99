/* SPDX-License-Identifier: ISC */
/*
 * syslog_codec - syslog messages as they come over sockets: the frames of a
 * stream (RFC 6587), and one message (RFC 3164, RFC 5424) as a log line. Pure
 * functions; called by syslog.c.
 */
#ifndef SOURCE_SYSLOG_CODEC_H
#define SOURCE_SYSLOG_CODEC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SYSLOG_MESSAGE_MAX = 8192, /* bytes, with its <PRI>; longer: dropped */
	/* A frame: 7 digits, a blank and a message; or a message and its LF. */
	SYSLOG_FRAME_MAX = SYSLOG_MESSAGE_MAX + 8,
	SYSLOG_LINE_MAX = SYSLOG_MESSAGE_MAX + 2 /* syslog_line()'s room */
};

enum syslog_frame {
	SYSLOG_FRAME_MORE,  /* not a whole one yet; nothing used */
	SYSLOG_FRAME_NONE,  /* *used bytes are of no interest */
	SYSLOG_FRAME_WHOLE, /* *msg, *msg_len */
	SYSLOG_FRAME_LONG,  /* a message that is too long begins; its bytes are
			     * passed over, by *state */
	SYSLOG_FRAME_BAD    /* no frame can begin so */
};

/*
 * Looks at the bytes (len > 0) of a stream, from where the last call's *used
 * ended. A frame that begins with a digit is counted ("LEN MESSAGE"), one that
 * begins with '<' ends with LF; LFs between frames are passed over. *state is 0
 * at a stream's begin and otherwise left alone.
 */
enum syslog_frame syslog_cut(const char *bytes, size_t len, uint64_t *state,
    size_t *used, const char **msg, size_t *msg_len);

enum syslog_seen {
	SYSLOG_LINE,     /* *line, *line_len: one that header_parse() reads as
			  * HEADER_SYSLOG */
	SYSLOG_NO_TAG,   /* well formed, but it names no program: not ours */
	SYSLOG_TOO_LONG, /* more than SYSLOG_MESSAGE_MAX bytes */
	SYSLOG_MANY,     /* a LF or NUL inside: more than one line */
	SYSLOG_MALFORMED /* no <PRI>, or no stamp behind it */
};

/*
 * One message. A LF or NUL that ends it does not count. syslog(3) states no
 * host: such a line gets "-" in its place and lies in room, all others in msg.
 */
enum syslog_seen syslog_line(const char *msg, size_t len,
    char room[static SYSLOG_LINE_MAX], const char **line, size_t *line_len);
#endif
