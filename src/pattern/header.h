/* SPDX-License-Identifier: ISC */
/*
 * header - what stands before the message in a log line: stamp, host, program
 * and pid. Strict: a head that is not exactly one of the known forms is none.
 */
#ifndef PATTERN_HEADER_H
#define PATTERN_HEADER_H
#include "stamp.h"

enum header_place {
	HEADER_NOTHING,
	HEADER_SYSLOG, /* stamp, host, program[pid]: message */
	HEADER_LEAD,   /* program: stamp message (old Dovecot's own file) */
	HEADER_FILE /* stamp message, or message alone: a server's own file */
};

/* Points into the line. */
struct header {
	enum header_place place;
	struct stamp stamp; /* STAMP_NONE: the line has none */
	const char *host, *tag, *msg;
	size_t host_len, tag_len, msg_len; /* host 0: none */
	uint32_t pid;                      /* 0: none */
};

/*
 * Takes a line without LF and CR. Before a HEADER_SYSLOG message may stand
 *   [<PRI>]STAMP HOST [FACILITY.PRIORITY ]PROGRAM[PID]:   (RFC 3164, busybox)
 *   <PRI>1 STAMP HOST PROGRAM PID MSGID DATA              (RFC 5424; rsyslog
 *                                         puts two blanks before the message)
 * with any stamp of stamp_parse(). False: an empty line, or a broken <PRI>.
 */
bool header_parse(const char *line, size_t len, struct header *out);

enum { HEADER_SEEN_MAX = 96 };

/* "Nov 20 18:05:01 mx1 dovecot: ", as a line began: a busy server writes many
 * of them in a second. Zero-initialise. */
struct header_memory {
	char text[HEADER_SEEN_MAX];
	size_t host_at, tag_at, msg_at; /* 0: nothing remembered */
	struct header head;
};
enum header_seen {
	HEADER_BAD,   /* as header_parse() says false */
	HEADER_OTHER, /* read, and not remembered */
	HEADER_KEPT,  /* read, and remembered from now on */
	HEADER_SAME   /* byte for byte the one that is remembered */
};
/* header_parse() with a memory: the same results, sooner. */
enum header_seen header_read(
    struct header_memory *m, const char *line, size_t len, struct header *out);

/* True for "mail.info" and the like: busybox writes them before the program. */
bool header_is_priority(const char *word, size_t len);
/* Bytes that a program's name may have. */
bool header_is_tag_char(char c);
#endif
