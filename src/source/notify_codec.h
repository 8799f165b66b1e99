/* SPDX-License-Identifier: ISC */
/*
 * notify_codec - the notify protocol as text, both ways. Pure functions.
 * Called by: notify.c (the daemon), cmd/notice.c and the Dovecot plugin.
 *
 *   login ip=192.0.2.7 user=anna server=dovecot session=xVb3 service=imap
 *   stored
 *
 * A notice is one datagram, its LF at the end may be missing, or one line on a
 * stream; at most NOTIFY_MAX bytes with the LF. An answer likewise, LF always.
 *
 *   notice  = verb 1*( " " key "=" value ) [ LF ]
 *   verb    = "login" | "alive" | "logout"
 *   value   = bytes, coded as base/kv.h says: control bytes, blank, "%", "="
 *             and bytes above 0x7e as %XX (any byte may be)
 *
 *   key      login  alive  logout  value
 *   ip       must   must   may     what addr_parse() takes
 *   user     must   must   must    1..255 bytes, none below 0x20, no 0x7f
 *   server   must   must   must    1..23 of a-z 0-9 -
 *   session  may    must   must    1..95 bytes, none below 0x20, no 0x7f
 *   service  may    may    may     1..23 of a-z 0-9 -; not used
 *   tls      may    may    no      "yes" | "no"
 *   pid      may    no     no      1..4194304: the speaker's own, when it is
 *                                  the mail process and its life holds the
 *                                  session; another one is not used
 *
 * Keys in any order, each once; another verb or key, an empty word or value, a
 * CR or a second LF: an error. The daemon takes its own clock for the time.
 *
 *   answer  = "stored" LF              committed, and there is a lease
 *           | "none " reason LF        committed, but no lease: a word of
 *                                      login/rules.def, or "unknown-session"
 *           | "not-stored " reason LF  not now: "busy"; nobody tries again
 *           | "error " text LF         wrong, or not for this speaker to say
 *
 *   reason  = 1..31 of a-z 0-9 -
 *
 *   text    = 1..95 bytes, 0x20..0x7e
 *
 * No answer at all within 200 ms, or to a sender without address: as
 * not-stored. A stream stays open for the next line but after "error".
 *
 *   bind ip=192.0.2.7
 *   bound
 *
 *   binding = "bind ip=" address LF    on a stream, once; what addr_parse()
 *                                      takes, not "::"
 *   answer  = "bound" LF
 *
 * From now on the stream is good for one notice, and of this address only: who
 * hands it down to a mail user gives away no more than that.
 */
#ifndef SOURCE_NOTIFY_CODEC_H
#define SOURCE_NOTIFY_CODEC_H
#include <stdbool.h>
#include <stddef.h>

#include "login/login.h"

enum {
	NOTIFY_MAX = 1024,
	NOTIFY_ANSWER_MAX = 128, /* with its LF */
	NOTIFY_WAIT_MS = 200     /* no client waits longer for an answer */
};
/* Where it is said unless configured otherwise: datagrams, and a stream. */
#define NOTIFY_SOCKET "/run/relaypass/notify"
#define NOTIFY_STREAM NOTIFY_SOCKET ".stream"

/* Whether this can be the name of a server. */
bool notify_is_server(const char *text);
/*
 * Reads one notice of len bytes, with or without its LF. *out: kind LOGIN_IN,
 * LOGIN_ALIVE or LOGIN_OUT, everything but `time`, which stays 0. False: *out
 * is LOGIN_NOTHING, and *why a constant text for the "error" answer.
 */
bool notify_parse(
    const char *line, size_t len, struct login *out, const char **why);
/*
 * Writes the notice of a login with its LF and a NUL: kind, addr (zero: none),
 * user, server, session, tls, mpid; service may be NULL. Returns the length
 * without the NUL, or 0 when this is no notice: something is missing, holds a
 * byte that may not be, or does not fit NOTIFY_MAX.
 */
size_t notify_print(const struct login *l, const char *service,
    char out[static NOTIFY_MAX + 1]);

/* Reads "bind ip=ADDR" of len bytes, with or without its LF. False: it is none,
 * and *out is all zero. */
bool notify_bind_parse(const char *line, size_t len, struct addr *out);
/* With its LF and a NUL; returns the length without the NUL. */
size_t notify_bind_print(
    const struct addr *addr, char out[static NOTIFY_MAX + 1]);

enum notify_word {
	NOTIFY_NOT_STORED = 0,
	NOTIFY_STORED,
	NOTIFY_BOUND,
	NOTIFY_NONE,
	NOTIFY_ERROR
};
struct notify_answer {
	enum notify_word word;
	char text[NOTIFY_ANSWER_MAX]; /* reason or text, or "" */
};
/* With its LF and a NUL; returns the length without the NUL. text: a reason,
 * or for NOTIFY_ERROR a sentence; constants of ours, so that they fit. */
size_t notify_answer_print(enum notify_word word, const char *text,
    char out[static NOTIFY_ANSWER_MAX + 1]);
/* Reads an answer, with or without LF. False: not one (*out NOT_STORED). */
bool notify_answer_parse(
    const char *line, size_t len, struct notify_answer *out);
#endif
