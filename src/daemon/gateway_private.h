/* SPDX-License-Identifier: ISC */
/*
 * gateway_private - what the files of the gateway share: gateway.c (the
 * process), gateway_read.c (answers from the ledger), gateway_metrics.c,
 * gateway_change.c (what the keeper is asked to do).
 */
#ifndef DAEMON_GATEWAY_PRIVATE_H
#define DAEMON_GATEWAY_PRIVATE_H
#include "child.h"
#include "http/prom.h"
#include "http/server.h"
#include "listener/http_api.h"
#include "listener/listener.h"

enum { GATEWAY_OWN_MAX = 256 };

struct gateway_changes; /* NULL: this listener changes nothing */

struct gateway {
	const struct child_env *env;
	const char *name; /* of the listener */
	struct child_loop loop;
	uv_poll_t control;
	struct listener *listener;
	struct server_counts *counts;
	struct http_api api;
	struct http_server *server;
	struct gateway_changes *changes;
	struct ledger *ledger; /* NULL: it cannot be opened */
	bool blind;            /* the last read of it failed */
	struct rules *rules;
	struct decide_options options;
	struct explain *explain; /* too large for the stack */
	struct http_api_ask ask; /* of the request under way */
	struct addr own[GATEWAY_OWN_MAX];
	size_t own_count;
};

/* JSON: {"error":"text"}. */
void gateway_refuse(struct http_request *r, unsigned status, const char *text);
enum rules_mode gateway_mode(const struct gateway *g);

/* gateway_read.c: answers g->ask. */
void gateway_read(struct gateway *g, struct http_request *r);
/* A snapshot of the ledger, until ledger_read_end(). False: it cannot be read.
 */
bool gateway_begin(struct gateway *g);

/* gateway_metrics.c: the caller frees p->text. */
void gateway_metrics(struct gateway *g, struct prom *p);

/* gateway_change.c: fd is a connection to the keeper, which it takes; it may be
 * called again with the next one. */
struct gateway_changes *gateway_changes_new(struct gateway *g);
void gateway_changes_connect(struct gateway_changes *c, int fd);
void gateway_change(struct gateway *g, struct http_request *r,
    enum http_api_call call, const char *body, size_t len);
/* Once a second: whoever has waited too long is answered. */
void gateway_changes_second(struct gateway_changes *c);
/* Answers all that wait. Its handles are gone when the loop has run once more;
 * then it can be freed. */
void gateway_changes_stop(struct gateway_changes *c);
void gateway_changes_free(struct gateway_changes **c);
#endif
