/* SPDX-License-Identifier: ISC */
/*
 * listener - who asks, in one protocol. A kind is a codec of pure functions and
 * its option rows; server.c owns sockets, deadlines and limits for all of them.
 */
#ifndef LISTENER_LISTENER_H
#define LISTENER_LISTENER_H
#include <sys/types.h>

#include "base/endpoint.h"
#include "conf/conf.h"
#include "decide/decide.h"

enum decode {
	DECODE_MORE = 0, /* not a whole request yet */
	DECODE_QUESTION, /* *q is filled; *used bytes belong to it */
	DECODE_BAD       /* write encode_bad()'s text, then close */
};

/* What a codec may know of its listener and of the peer. */
struct listener_view {
	const struct conf_section *conf;
	enum rules_mode mode;
	bool defer;     /* option "tempfail": tell the MTA to try later */
	bool show_user; /* this peer may learn the user */
};

enum {
	LISTENER_REQUEST_MAX = 65536, /* no kind's request_max is above it */
	LISTENER_REPLY_MAX = 1024     /* no reply of encode() is longer */
};

struct listener_kind {
	const char *name; /* "postfix-policy" */
	const char *help;
	const struct option *options; /* beyond the common ones */
	const char *listen, *group;   /* defaults of these two options */
	bool datagrams;     /* requests stand alone: "unixgram:" may be */
	size_t request_max; /* bytes of one request; more: DECODE_BAD */
	/* in is not NUL-terminated. Never reads beyond len. */
	enum decode (*decode)(const struct listener_view *v, const char *in,
	    size_t len, struct question *q, size_t *used);
	/* Writes the whole reply; size is at least LISTENER_REPLY_MAX. */
	size_t (*encode)(const struct listener_view *v,
	    const struct question *q, const struct answer *a, char *out,
	    size_t size);
	/* Reply to a bad request, 0 bytes for none. */
	size_t (*encode_bad)(char *out, size_t size);
};

/* Ends with NULL. */
extern const struct listener_kind *const listener_kinds[];
const struct listener_kind *listener_kind_find(const char *name);
/* Options of every listener: listen, mode, group, allow-uid, allow, ... */
extern const struct option listener_options[];

/* --- one section of the configuration, compiled --------------------------- */

bool listener_is_loopback(const struct addr *a);
/* Where the section listens: `listen`, or its kind's own place. False: it is no
 * place for a listener. Pure. */
bool listener_place(const struct conf_section *conf, struct endpoint *out);

struct listener {
	const char *name; /* of the section, borrowed from conf */
	const struct listener_kind *kind;
	struct endpoint at; /* never ENDPOINT_UDP */
	mode_t mode;
	const char *group;
	uid_t *uids, *show_uids; /* allow-uid, show-user */
	size_t uid_count, show_count;
	struct netset *allow; /* NULL: loopback only */
	unsigned max_connections;
	uint64_t request_timeout, idle_timeout; /* ms */
	struct listener_view view;              /* show_user false: per peer */
	struct decide_options decide;           /* for the caller's decide() */
};

/*
 * Compiles a section; it must outlive the result. Looks user names up, so call
 * it before a lock-down. NULL and *err (EXIT_USER) on what conf cannot check: a
 * bad address, an unknown user, TCP beyond loopback without `allow`.
 */
struct listener *listener_new(const struct conf_section *conf, struct err *err);
void listener_free(struct listener **l);
/* May the user ask on this unix socket, and learn whose lease it is? uid -1 is
 * nobody that is known. */
bool listener_lets_in(const struct listener *l, uid_t uid);
bool listener_shows(const struct listener *l, uid_t uid);

/*
 * For the supervisor, as root: checks the section like listener_new(), then
 * makes the socket, non-blocking and listening, with its directory, mode and
 * group. Removes a socket nobody answers on; never anything else. -1 and *err:
 * EXIT_USER, or EXIT_AGAIN when the port is taken or another instance answers.
 */
int listener_socket_open(const struct conf_section *conf, struct err *err);
#endif
