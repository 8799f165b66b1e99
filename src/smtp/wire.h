/* SPDX-License-Identifier: ISC */
/*
 * wire - bytes to and from one end, with limits of time: the client on
 * descriptors 0 and 1, the server on a pair of pipes or a connection. Those of
 * others stay as they are, blocking or not; nobody waits in read or write.
 */
#ifndef SMTP_WIRE_H
#define SMTP_WIRE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SPP_WIRE_SIZE = 65536 };

struct spp_wire {
	int in, out;   /* may be the same; -1: closed */
	int64_t limit; /* ms, to INT_MAX, that the other end may be silent */
	bool own;      /* out does not block */
	bool socket;   /* out is one: it need not block either */
	bool quiet; /* silent when last looked at, and not written to since */
	size_t from, to; /* in `read`: what has not been taken yet */
	size_t waits;    /* in `written`: what has not gone yet */
	char read[SPP_WIRE_SIZE], written[SPP_WIRE_SIZE];
};

enum spp_wire_end {
	SPP_WIRE_GONE,  /* closed, or an error; zero, as for all that fails */
	SPP_WIRE_LATE,  /* the limit is over */
	SPP_WIRE_LONG,  /* the line was, and is thrown away to its end */
	SPP_WIRE_OTHER, /* the other wire has something, or is gone */
	SPP_WIRE_GOOD
};

void spp_wire_begin(struct spp_wire *w, int in, int out, int64_t limit);
/* Both descriptors are ours alone: makes them quick. */
void spp_wire_own(struct spp_wire *w);
/* Both descriptors; what waits is lost. */
void spp_wire_close(struct spp_wire *w);
/*
 * The last words: writes what waits, tells the other end that no more comes,
 * and then reads and drops what it still says, if it begins within limit ms,
 * for as long again: whoever closes while bytes are unread takes back what he
 * said (RFC 1122, 4.2.2.13).
 */
void spp_wire_end(struct spp_wire *w, int64_t limit);
/* What was read and not yet taken is forgotten (RFC 3207, 4.2). */
void spp_wire_forget(struct spp_wire *w);
/* Kept until a flush, or until there is no more room; then written. */
enum spp_wire_end spp_wire_put(
    struct spp_wire *w, const char *bytes, size_t len);
enum spp_wire_end spp_wire_puts(struct spp_wire *w, const char *text);
/* Where the next len bytes to be put are to be written, to SPP_WIRE_SIZE;
 * spp_wire_wrote() says how many they were. NULL: there is no room to be had.
 */
char *spp_wire_room(struct spp_wire *w, size_t len);
void spp_wire_wrote(struct spp_wire *w, size_t len);
enum spp_wire_end spp_wire_flush(struct spp_wire *w);
/*
 * The next line, at most max bytes, without its end, LF or CR LF; it lives
 * until the next call. Before it waits it flushes w. other may be NULL; its
 * `quiet` tells whether it was looked at.
 */
enum spp_wire_end spp_wire_line(struct spp_wire *w, size_t max,
    struct spp_wire *other, const char **line, size_t *len);
/* Reads once, behind what there is; *bytes and *len are all that was not taken.
 * Flushes as above. LONG: there is no more room. */
enum spp_wire_end spp_wire_more(
    struct spp_wire *w, const char **bytes, size_t *len);
/* The same, unless there are bytes already: then these. */
enum spp_wire_end spp_wire_some(
    struct spp_wire *w, const char **bytes, size_t *len);
/* len of those bytes are done with. */
void spp_wire_take(struct spp_wire *w, size_t len);
#endif
