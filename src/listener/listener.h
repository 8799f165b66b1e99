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
	DECODE_LAST,     /* the same, and it is the peer's last: then close */
	DECODE_BAD       /* write encode_bad()'s text, then close */
};

/* What a codec may know of its listener and of the peer. */
struct listener_view {
	const struct conf_section *conf;
	enum rules_mode mode;
	bool defer;     /* option "tempfail": tell the MTA to try later */
	bool show_user; /* this peer may learn the user */
	bool datagram;  /* all of a request is there, and no more */
	bool spoofable; /* UDP: the answer may go to who has not asked */
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
	bool udp;           /* and "udp:": no answer is much of a flood */
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
	/* UDP: tells who asked too much to come over TCP. NULL: nothing is
	 * said. */
	size_t (*encode_over)(const struct question *q, char *out, size_t size);
	/* Looks at the section beyond what its rows say. False: *option is
	 * wrong, and *want what was expected. NULL: nothing is. */
	bool (*fits)(const struct conf_section *conf, const char **option,
	    const char **want);
	/* A process of its own answers (daemon/gateway.c), not the answerers:
	 * all of the codec's functions are NULL. */
	bool gateway;
	/* Gateways: whether that process may change leases. */
	bool (*changes)(const struct conf_section *conf);
	/* Looks at the files that the section names. NULL: at none. -1 and
	 * *err (EXIT_USER). */
	int (*check)(const struct conf_section *conf, struct err *err);
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
	struct endpoint at;
	mode_t mode;
	const char *group;
	uid_t *uids, *show_uids; /* allow-uid, show-user */
	size_t uid_count, show_count;
	struct netset *allow; /* NULL: loopback only */
	unsigned max_connections;
	unsigned max_rate; /* UDP: of one network, a second; 0: no limit */
	uint64_t request_timeout, idle_timeout; /* ms */
	struct listener_view view;              /* show_user false: per peer */
};

/*
 * Compiles a section; it must outlive the result. Looks user names up, so call
 * it before a lock-down. NULL and *err (EXIT_USER) on what conf cannot check: a
 * bad address, an unknown user, TCP beyond loopback without `allow`.
 */
struct listener *listener_new(const struct conf_section *conf, struct err *err);
void listener_free(struct listener **l);
/* All of a section that conf cannot check, its files too: for who must not go
 * on with a bad one. -1 and *err (EXIT_USER). */
int listener_check(const struct conf_section *conf, struct err *err);
/* May the user ask on this unix socket, and learn whose lease it is? uid -1 is
 * nobody that is known. */
bool listener_lets_in(const struct listener *l, uid_t uid);
bool listener_shows(const struct listener *l, uid_t uid);
/* May the address ask over the network? */
bool listener_lets_net(const struct listener *l, const struct addr *a);

/* --- require.c: what decide() has to know of the section ------------------ */

/*
 * Reads require-sender and its map; call it before a lock-down. -1 and *err
 * when that cannot be done: *out then is one that decide() cannot tell with.
 * Release with listener_decide_free(); borrows strings of the section.
 */
int listener_decide(const struct conf_section *conf, struct decide_options *out,
    struct err *err);
void listener_decide_free(struct decide_options *options);
/* Whether it reads a file that may change without the section. */
bool listener_has_map(const struct conf_section *conf);

/*
 * For the supervisor, as root: checks the section with listener_check(), then
 * makes the socket, non-blocking and listening, with its directory, mode and
 * group. Removes a socket nobody answers on; never anything else. -1 and *err:
 * EXIT_USER, or EXIT_AGAIN when the port is taken or another instance answers.
 */
int listener_socket_open(const struct conf_section *conf, struct err *err);
#endif
