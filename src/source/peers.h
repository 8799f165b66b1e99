/* SPDX-License-Identifier: ISC */
/*
 * peers - who may speak to a live source: networks over TCP and UDP, users over
 * unix sockets. Called by: inlet.c, the kinds.
 */
#ifndef SOURCE_PEERS_H
#define SOURCE_PEERS_H
#include <sys/types.h>

#include "base/addr.h"
#include "base/endpoint.h"
#include "conf/conf.h"

/* Rows of every source that listens. `where` is its default place, or NULL when
 * it must be given. */
#define PEERS_PLACES(where, its_mode)                                          \
	{ "listen", OPTION_LIST, where, 0, 0, NULL,                            \
		"Where it listens: \"unix:/path\", \"unixgram:/path\", "       \
		"\"tcp:ADDR:PORT\" or \"udp:ADDR:PORT\", an IPv6 address in "  \
		"brackets." },                                                 \
	    { "mode", OPTION_STRING, its_mode, 0, 0, NULL,                     \
		    "Mode of its unix sockets, in octal." },                   \
	{                                                                      \
		"group", OPTION_STRING, "relaypass", 0, 0, NULL,               \
		    "Group of its unix sockets."                               \
	}
#define PEERS_CONNECTIONS                                                      \
	{                                                                      \
		"max-connections", OPTION_INT, "1000", 1, 100000, NULL,        \
		    "Connections it keeps open; the longest idle one makes "   \
		    "room."                                                    \
	}

/* All rows of a source whose callers are judged here. */
#define PEERS_OPTIONS(where, users)                                            \
	PEERS_PLACES(where, "0660"),                                           \
	    { "allow", OPTION_NETS, "", 0, 0, NULL,                            \
		    "Networks that may speak to it over TCP and UDP; it does " \
		    "not "                                                     \
		    "start without, when it listens there." },                 \
	    { "allow-uid", OPTION_LIST, users, 0, 0, NULL,                     \
		    "Users, by name or number, that may speak to it over "     \
		    "unix "                                                    \
		    "sockets; \"*\" for everybody." },                         \
	    PEERS_CONNECTIONS

/* Which endpoints a kind can serve, as bits 1 << enum endpoint_type. */
typedef unsigned peers_types;
/* One bit more: the kind judges its callers itself, and listens to the network
 * without `allow` too. Its inlet has peers_everybody(). */
#define PEERS_JUDGED (1U << 31)

struct peers;

/* By the section's `allow` and `allow-uid`. Looks users up, so call it before a
 * lock-down. NULL and *err (EXIT_USER) on an unknown user (of the defaults,
 * those that are not here are left out), or a network endpoint without `allow`.
 * An empty `allow-uid` allows nobody. */
struct peers *peers_new(const struct conf_section *conf, struct err *err);
/* The users of one list alone, read as those of `allow-uid`; no address. */
struct peers *peers_users(
    const struct conf_section *conf, const char *option, struct err *err);
/* The users of both, which stay the caller's; no address. */
struct peers *peers_either(const struct peers *a, const struct peers *b);
/* Every address, and every user whom the kernel names. */
struct peers *peers_everybody(void);
void peers_free(struct peers **p);
bool peers_allow_addr(const struct peers *p, const struct addr *a);
bool peers_allow_uid(const struct peers *p, uid_t uid);

/*
 * A source_kind's sockets() for sections with PEERS_PLACES: checks as
 * peers_new() the rows that there are, then opens every endpoint. types: what
 * the kind can serve, and PEERS_JUDGED; anything else in `listen` is refused,
 * and so is an empty `listen`. -1 and *err: nothing is left open. fds NULL:
 * only checks.
 */
int peers_sockets(const struct conf_section *conf, peers_types types, int *fds,
    size_t max, struct err *err);
#endif
