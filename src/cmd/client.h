/* SPDX-License-Identifier: ISC */
/*
 * client - the asking end of the ask and control protocols: one line out, lines
 * back, and a limit to every wait.
 * Called by: the verbs.  Not here: what the words mean.
 */
#ifndef CMD_CLIENT_H
#define CMD_CLIENT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/err.h"

enum {
	CLIENT_LINE_MAX = 4096, /* with its LF, each way; the protocol's */
	REPLY_PAIRS_MAX = 32,
	REPLY_KEY_MAX = 31,
	REPLY_VALUE_MAX = 1023 /* decoded */
};

struct client;

/* The program that is to be started when nobody answers. NULL, as it is at
 * first: relaypassd, and the caller has the options -c and -s. */
extern const char *client_starter;

/* Connects. No wait for the peer is longer than patience ms; when `whole`, all
 * of them together are not. NULL and *err: who is not there, or which group may
 * connect. */
struct client *client_open(
    const struct endpoint *at, int64_t patience, bool whole, struct err *err);
void client_close(struct client **c);
/* From now on any line may take its time. */
void client_wait_forever(struct client *c);

/* Sends len bytes and a LF. */
int client_send(
    struct client *c, const char *line, size_t len, struct err *err);
/* The next line, without its LF but with a NUL; borrowed until the next call.
 * 1: a line; 0: the peer has closed; -1 and *err. */
int client_receive(
    struct client *c, char **line_r, size_t *len_r, struct err *err);

/* One line of a reply, cut and decoded. */
struct reply {
	char word[REPLY_KEY_MAX + 1];  /* the first: "ok", "lease" ... */
	char topic[REPLY_KEY_MAX + 1]; /* a second word without '=', or "" */
	size_t count;
	struct reply_pair {
		char key[REPLY_KEY_MAX + 1];
		char value[REPLY_VALUE_MAX + 1];
	} pairs[REPLY_PAIRS_MAX];
};
/* Pure. False: not a line of the protocol. */
bool reply_parse(const char *line, size_t len, struct reply *out);
/* NULL when it is not there. */
const char *reply_value(const struct reply *r, const char *key);
/* 0 when it is not there or no number. */
int64_t reply_number(const struct reply *r, const char *key);

/*
 * Sends a control request and reads its lines to the last. Each line before
 * goes to fn (NULL: dropped); *last is the one that begins with "ok" or "no".
 * -1 and *err: no answer, or "error TEXT".
 */
typedef void client_row_fn(void *ctx, const struct reply *row);
int client_ask(struct client *c, const char *line, size_t len,
    client_row_fn *fn, void *ctx, struct reply *last, struct err *err);
#endif
