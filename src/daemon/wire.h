/* SPDX-License-Identifier: ISC */
/*
 * wire - messages between the supervisor and its children: typed, of a known
 * size each, over SOCK_SEQPACKET pairs; at most one descriptor rides along.
 * A message of the wrong size or type is the end of the channel.
 */
#ifndef DAEMON_WIRE_H
#define DAEMON_WIRE_H
#include <stdint.h>
#include <sys/types.h>

#include "source/source.h"

enum wire_type {
	WIRE_NONE = 0,
	WIRE_READY, /* child: locked down and serving */
	WIRE_OPEN,  /* reader: open my source's files (value: source_open) */
	WIRE_FILE,  /* supervisor: one of them, with its descriptor */
	WIRE_DONE,  /* supervisor: that was all (count) */
	/* supervisor to keeper: the channel of a source, by its name; receiver
	 * to supervisor: mine is broken, give me another; and that one */
	WIRE_CHANNEL,
	WIRE_CONFIG, /* supervisor to answerer: new text, in a memory file */
	WIRE_STALE,  /* keeper: this process (value) holds an old snapshot */
	WIRE_BLIND,  /* answerer: I cannot read the ledger, start me again */
	WIRE_CURSOR, /* keeper to reader or exporter: one committed cursor;
		      * exporter to keeper: commit this one */
	WIRE_CURSORS_END, /* path: this node's id */
	WIRE_LOGINS,  /* reader to keeper: cursor and count logins; receiver to
		       * keeper: without cursor, value is their number */
	WIRE_STORED,  /* keeper to receiver: those of this number (value) are
		       * committed, with what each gave */
	WIRE_ASK,     /* receiver to keeper: is there a lease? */
	WIRE_TOLD,    /* keeper to receiver: to the question of this number */
	WIRE_CHANGED, /* keeper to exporter: the journal has grown */
	WIRE_ENDED,   /* receiver: nothing more will come, stop in order */
	WIRE_TYPE_COUNT
};

struct wire_header {
	uint16_t type;
	uint16_t count;
	int32_t value;
};

struct wire_path { /* OPEN, FILE, CHANNEL (the source's name) */
	struct wire_header h;
	char path[SOURCE_KEY_MAX];
};

struct wire_cursor {
	struct wire_header h;
	struct source_cursor cursor;
};

struct wire_stored { /* h.count of them */
	struct wire_header h;
	uint8_t judgements[SOURCE_BATCH];
};

struct wire_ask {
	struct wire_header h;
	struct addr addr;
};

struct wire_told {
	struct wire_header h;
	struct source_told told;
};

/* Sent with its first h.count logins only. cursor.key_len 0: no cursor. */
struct wire_logins {
	struct wire_header h;
	struct source_cursor cursor;
	struct login logins[SOURCE_BATCH];
};

union wire_message {
	struct wire_header h;
	struct wire_path path;
	struct wire_cursor cursor;
	struct wire_logins logins;
	struct wire_stored stored;
	struct wire_ask ask;
	struct wire_told told;
};

/* What the name of an export's channel begins with; no source has such a one.
 */
#define EXPORT_CHANNEL "export/"
/* The same for a gateway: a stream, on which the keeper takes lines as on its
 * control socket, but grant and revoke only. */
#define GATEWAY_CHANNEL "gateway/"

/* A connected pair, close-on-exec. 0, or -1 with errno. */
int wire_pair(int fds[2]);
/* The same, but a stream for lines of text; both ends are non-blocking. */
int wire_pair_lines(int fds[2]);
/* The size that a message of this header must have; 0: no such type. */
size_t wire_size(const struct wire_header *h);
/* Sends one message and, when fd >= 0, a descriptor. Blocking descriptors wait.
 * 0; -1 with errno (EAGAIN: would block). */
int wire_send(int channel, const struct wire_header *h, int fd);
/*
 * Receives one message into *m. 1: a sound one, *fd_r (may be NULL) holds its
 * descriptor or -1; 0: the peer is gone or talks nonsense; -1: errno, EAGAIN
 * when wait is false and nothing is there.
 */
int wire_receive(int channel, union wire_message *m, int *fd_r, bool wait);
#endif
