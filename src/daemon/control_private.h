/* SPDX-License-Identifier: ISC */
/*
 * control_private - what the files of the control socket share: control.c
 * (clients), control_verbs.c (what they ask for), control_list.c (`list`),
 * control_status.c (`status`).
 */
#ifndef DAEMON_CONTROL_PRIVATE_H
#define DAEMON_CONTROL_PRIVATE_H
#include <uv.h>

#include "keeper.h"

enum {
	LINE_SIZE = 4096, /* as the ask protocol */
	WORDS_MAX = 8,
	VALUE_SIZE = 320,
	OUT_SLICE = 64 * 1024, /* `list` fills so much, then waits */
	ROW_SIZE = 1400,       /* no row of a lease is longer */
};

/* A request: its verb and values by key, decoded. */
struct request {
	char verb[16];
	size_t count;
	struct {
		char key[16], value[VALUE_SIZE];
	} words[WORDS_MAX];
};

struct client {
	struct client *next;
	struct control *control;
	uv_poll_t poll;
	uv_timer_t idle;
	int fd, handles;
	bool watching, listing;
	bool adopted; /* a gateway: may grant and revoke only, and stays */
	bool ended;   /* says nothing more, but may still listen */
	bool closing; /* to be dropped */
	size_t in_used, out_used, out_sent, out_size;
	char in[LINE_SIZE];
	char *out;
	/* a `list` under way */
	struct addr list_from, list_address;
	bool list_started, list_all, has_address;
	char list_user[LOGIN_USER_MAX + 1];
	size_t listed;
	struct import_batch *import; /* lines of one that wait; or NULL */
};

struct control {
	struct keeper *keeper;
	uv_loop_t *loop;
	uv_poll_t listening;
	uv_timer_t again; /* accepting, after it could not */
	int fd;
	size_t count, watchers;
	struct client *clients;
};

/* control.c: output. One who does not read is dropped. */
void client_put(struct client *c, const char *text, size_t len);
__attribute__((format(printf, 2, 3))) void client_say(
    struct client *c, const char *format, ...);

/* control_verbs.c */
const char *request_value(const struct request *r, const char *key);
/* Fills *addr from address=. 1: given; 0: not; -1: bad, told. */
int request_address(
    struct client *c, const struct request *r, struct addr *addr);
/* Obeys one line. */
void client_obey(struct client *c, const char *line, size_t len);

/* control_import.c: one line of a batch; and what to do with what waits when
 * the client goes. */
void client_import(struct client *c, const struct request *r);
void client_import_end(struct client *c);

/* control_list.c: begins to list; fills the output with the next rows. */
void client_list(struct client *c, const struct request *r);
void client_list_on(struct client *c);
/* Appends "lease address=... " and what else is told of a lease. Inside a read.
 */
bool client_lease_pairs(struct client *c, const struct lease *l,
    struct moment now, char *line, size_t size, size_t *used);

/* control_status.c */
void client_status(struct client *c, const struct request *r);

/* control_explain.c */
void client_explain(struct client *c, const struct request *r);
#endif
