/* SPDX-License-Identifier: ISC */
/*
 * inlet_private - the inner side of inlet.h: its sockets (inlet.c), its
 * connections (inlet_stream.c) and its datagrams (inlet_letter.c).
 */
#ifndef SOURCE_INLET_PRIVATE_H
#define SOURCE_INLET_PRIVATE_H
#include <netinet/in.h>
#include <uv.h>

#include "inlet.h"

enum {
	INLET_READ = 65536, /* one read; whoever sends more gets another turn */
	/* Unfinished requests and replies of all connections together. */
	INLET_HELD_MAX = 32 << 20,
	INLET_LETTERS = 4096,   /* datagrams whose replies come later */
	INLET_LETTER_MS = 5000, /* and are forgotten after this */
	/* A client's number: a count, never used again, then these two. */
	INLET_SLOT_BITS = 17,
	INLET_SLOT_MASK = (1 << INLET_SLOT_BITS) - 1,
	INLET_LETTER_BIT = 1 << INLET_SLOT_BITS
};

/* One descriptor that was given. */
struct inlet_port {
	uv_poll_t poll;
	struct inlet *inlet;
	int fd;
	size_t index;
	bool stream, local;
	bool watched, paused;
};

/* A connection. */
struct inlet_stream {
	uv_poll_t poll;
	struct inlet *inlet;
	struct inlet_stream *before, *after;
	inlet_client id;
	uint64_t since; /* loop time: idle, or busy with one thing, since */
	uint64_t note[INLET_NOTE_SIZE / sizeof(uint64_t)]; /* the protocol's */
	int fd;
	int events; /* that are watched */
	struct inlet_peer peer;
	bool stranger; /* counted in the inlet's list of those */
	bool busy;
	bool inside;    /* the protocol is looking at its bytes */
	bool waiting;   /* for the protocol's reply */
	bool replied;   /* from the inside */
	bool spoke;     /* something was sent */
	bool ended;     /* the client sends no more */
	bool closing;   /* when out is empty */
	bool lingering; /* what comes is thrown away until the client closes */
	const char *doomed; /* to be closed when the protocol returns; why */
	/* NULL mostly: an idle client costs no buffer. */
	uint8_t *in, *out;
	size_t in_len, in_size, out_len, out_size, out_sent;
};

/* The longest unchanged first. */
struct inlet_list {
	struct inlet_stream *first, *last;
};

/* A datagram that may be replied to. */
struct inlet_letter {
	inlet_client id; /* 0: none */
	size_t port;
	uint64_t since;
	struct sockaddr_storage from;
	socklen_t from_len;
	bool addressed; /* `to` says where it came to: UDP */
	union {
		struct in_pktinfo four;
		struct in6_pktinfo six;
	} to;
};

struct inlet {
	uv_loop_t *loop;
	const char *name;
	const struct peers *peers;
	struct odd *odd;
	const struct inlet_protocol *protocol;
	void *ctx;
	uv_timer_t timer; /* runs while there is anything to sweep */
	bool timing, started, stopped;
	size_t handles; /* that libuv still holds */
	int spare;      /* given up to accept and close when out of fds */
	uint64_t serial;
	size_t port_count;
	struct inlet_port *ports;
	/* Connections, and which places are free. */
	size_t max, open, held;
	struct inlet_stream **streams;
	uint32_t *free_streams;
	struct inlet_list idle, busy;
	struct inlet_stream *strangers[INLET_STRANGERS]; /* longest first */
	size_t stranger_count;
	/* Made when the first datagram comes. */
	struct inlet_letter *letters;
	uint32_t *free_letters;
	size_t letters_out;
	uint8_t in[INLET_READ];
};

void inlet_need_timer(struct inlet *i);
/* The protocol may have counted something: it is told within a minute. */
void inlet_tell_odd(struct inlet *i);
void inlet_on_closed(uv_handle_t *handle);

/* Takes over fd; there must be a free place. */
void inlet_stream_start(
    struct inlet *i, int fd, const struct inlet_peer *peer, bool stranger);
/* reason NULL: in order; otherwise it is counted. */
void inlet_stream_close(struct inlet_stream *c, const char *reason);
bool inlet_stream_reply(
    struct inlet_stream *c, const void *bytes, size_t len, bool last);
void inlet_stream_sweep(struct inlet *i, uint64_t now);

/* Takes some of the datagrams that wait. -1: errno is no passing one. */
int inlet_letter_take(struct inlet_port *p);
bool inlet_letter_reply(
    struct inlet *i, struct inlet_letter *l, const void *bytes, size_t len);
void inlet_letter_sweep(struct inlet *i, uint64_t now);
#endif
