/* SPDX-License-Identifier: ISC */
/*
 * whoson_access - where a source "whoson" listens, and who may say what there:
 * its section, and whosond's own file when the section names one. Called by:
 * whoson.c.
 */
#ifndef SOURCE_WHOSON_ACCESS_H
#define SOURCE_WHOSON_ACCESS_H
#include "inlet.h"
#include "rate.h"
#include "whoson_conf.h"

struct whoson_access {
	struct peers *peers;       /* of all places together */
	struct netset *login_from; /* who may tell logins */
	bool udp_login;
	struct rate logins, queries; /* limit 0: none */
	/* NULL without `config`. Its places follow the section's own. */
	struct whoson_conf *file;
	struct conf *joined;
	struct netset *own_allow; /* of the section's own places */
	size_t own_places;
};

/* A source_kind's sockets(). */
int whoson_access_sockets(
    const struct conf_section *conf, int *fds, size_t max, struct err *err);
/* Reads the section and its file for these sockets. Before a lock-down. -1 and
 * *err: nothing is left to close. */
int whoson_access_open(struct whoson_access *a, const struct conf_section *conf,
    const int *fds, size_t fd_count, struct err *err);
void whoson_access_close(struct whoson_access *a);

/* Whether this peer may speak at the place where it speaks; the inlet has let
 * it in already, by the list of all places. */
bool whoson_may_speak(
    const struct whoson_access *a, const struct inlet_peer *peer);
/* NULL: it may tell one login or logout now. Otherwise the word for the log.
 * now: monotonic ms. */
const char *whoson_may_not_tell(
    struct whoson_access *a, const struct inlet_peer *peer, uint64_t now);
/* The same of one question: over UDP nothing else slows a peer down, or who
 * forges its address. */
const char *whoson_may_not_ask(
    struct whoson_access *a, const struct inlet_peer *peer, uint64_t now);
#endif
