/* SPDX-License-Identifier: ISC */
/*
 * inlet - the sockets of one live source: accepting, credentials, reading,
 * framing by the protocol's own function, replies that may come later,
 * deadlines and limits. What the bytes mean is the protocol's. Who may speak is
 * decided here, by peers; a stranger's bytes never reach the protocol.
 */
#ifndef SOURCE_INLET_H
#define SOURCE_INLET_H
#include "odd.h"
#include "peers.h"

typedef struct uv_loop_s uv_loop_t;

/* Who speaks. uid -1 over the network. */
struct inlet_peer {
	bool local, datagram;
	uid_t uid;
	gid_t gid;
	pid_t pid;
	struct addr addr; /* network */
	uint16_t port;
	size_t endpoint; /* index of the descriptor */
};

struct inlet;

/*
 * One client: a connection, or the sender of one datagram. The number is never
 * used again, so that a late reply to a client that went cannot reach another;
 * never 0: it may serve as a token.
 */
typedef uint64_t inlet_client;

enum inlet_next {
	INLET_MORE,  /* *used bytes are done with; give me more */
	INLET_WAIT,  /* *used bytes are a request whose reply comes later, by
		      * inlet_reply(): nothing is read until then. A reply from
		      * within data() counts. */
	INLET_CLOSE, /* send what was replied, then close */
	INLET_BAD    /* not this protocol: counted as malformed, closed */
};

struct inlet_protocol {
	size_t request_max; /* of a stream; more without an end: INLET_BAD */
	/* From the first byte of a request to its last; the same again for its
	 * reply, and for the client to take it. */
	uint64_t request_ms;
	uint64_t idle_ms; /* 0: no limit */
	/* Bytes of a stream, from where the last call's *used ended. Called
	 * again for what is left, when some were used; never with none. end:
	 * the client sends no more. NULL: no streams. */
	enum inlet_next (*data)(void *ctx, inlet_client c,
	    const struct inlet_peer *peer, const uint8_t *bytes, size_t len,
	    bool end, size_t *used);
	/* One whole datagram. True: a reply comes later, within 5 s; after one
	 * reply the client is gone. NULL: no datagrams. */
	bool (*datagram)(void *ctx, inlet_client c,
	    const struct inlet_peer *peer, const uint8_t *bytes, size_t len);
	/* NULL, or whether this peer is let in only to hear that it may not
	 * speak: no more than INLET_STRANGERS of them are, the longest makes
	 * room for the next, and all of them for anybody else. */
	bool (*stranger)(void *ctx, const struct inlet_peer *peer);
	/* NULL, or: this connection is over. Never from within data(). */
	void (*gone)(void *ctx, inlet_client c);
};

enum {
	INLET_DATAGRAM_MAX = 65536,
	INLET_REPLY_MAX = 65536,
	INLET_NOTE_SIZE = 16,
	INLET_STRANGERS = 16
};

/*
 * fds stay the caller's; n of them. Takes max-connections from conf. peers and
 * odd are borrowed; odd is flushed here. Call before the lock-down (it opens a
 * spare descriptor); inlet_start() begins.
 */
struct inlet *inlet_new(const struct conf_section *conf,
    const struct peers *peers, struct odd *odd, const int *fds, size_t n,
    const struct inlet_protocol *protocol, void *ctx);
void inlet_start(struct inlet *i, uv_loop_t *loop);
/*
 * Sends a reply: from within data() or datagram(), or later. On a stream it is
 * queued (a client that does not read is closed at INLET_REPLY_MAX), and
 * reading goes on. Of a datagram it is sent at once, or lost. False: the client
 * is gone.
 */
bool inlet_reply(
    struct inlet *i, inlet_client c, const void *bytes, size_t len);
/* The same, and the connection is over. */
void inlet_end(struct inlet *i, inlet_client c, const void *bytes, size_t len);
/* INLET_NOTE_SIZE bytes of the protocol's own, aligned for a uint64_t, kept
 * with a connection; 0 at first. NULL: no such connection. */
void *inlet_note(const struct inlet *i, inlet_client c);
/* Counts wrong input of this peer; odd_count(). */
void inlet_odd(
    struct inlet *i, const char *what, const struct inlet_peer *peer);
/* Text for the log: "uid:0/pid:12", or an address. Returns out. */
const char *inlet_peer_text(
    const struct inlet_peer *peer, char *out, size_t size);
/* Connections that are open now. */
size_t inlet_open(const struct inlet *i);
/* Closes all; its handles are gone when the loop has run once more. */
void inlet_stop(struct inlet *i);
/* Stops it first, if need be, and turns the loop once for what handles are
 * left; sets *ip to NULL. NULL is fine. */
void inlet_free(struct inlet **ip);
#endif
