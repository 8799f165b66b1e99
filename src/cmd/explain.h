/* SPDX-License-Identifier: ISC */
/*
 * explain - what `relaypass explain` has learnt of an address, and its parts:
 * explain.c (the verb), explain_told.c (the daemon's answer), explain_line.c
 * (the log line behind a lease), explain_print.c (sentences), explain_json.c.
 */
#ifndef CMD_EXPLAIN_H
#define CMD_EXPLAIN_H
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "client.h"
#include "conf/conf.h"
#include "source/source.h"

enum {
	TOLD_WORD = 48,
	TOLD_LEASES = 32,
	TOLD_REVOCATIONS = 16,
	TOLD_SESSIONS = 16,
	TOLD_NETWORKS = 8,
	TOLD_REQUIRES = 16
};

/* Where the newest login of a lease was told. */
enum origin_state {
	ORIGIN_NONE = 0,   /* not looked for */
	ORIGIN_HAND,       /* granted by hand */
	ORIGIN_NOTICE,     /* a live source: it was said once */
	ORIGIN_JOURNAL,    /* command says how to see it */
	ORIGIN_LINE,       /* file, number (0: not counted), offset, text */
	ORIGIN_MISSING,    /* in none of the files */
	ORIGIN_LIMIT,      /* not in what was read of them */
	ORIGIN_UNREADABLE, /* there is no file that can be read */
	ORIGIN_IMPORT,     /* taken over from another store */
	ORIGIN_UNKNOWN     /* the configuration has no such source */
};

struct origin {
	enum origin_state state;
	char kind[TOLD_WORD]; /* of the source */
	char file[SOURCE_KEY_MAX];
	uint64_t number; /* from 1 */
	int64_t offset;
	char *text; /* LINE: the line, raw; owned */
	size_t text_len;
	char command[200];
};

struct told_lease {
	char address[NET_TEXT_SIZE], user[LOGIN_USER_MAX + 1];
	char source[TOLD_WORD], server[TOLD_WORD], why_not[TOLD_WORD];
	int64_t ttl, first, last, end; /* seconds; ms */
	int64_t sessions;
	bool tls, by_hand, live, answers;
	struct origin origin;
};

struct told {
	char address[ADDR_TEXT_SIZE], key[NET_TEXT_SIZE];
	char verdict[TOLD_WORD], rule[TOLD_WORD], mode[TOLD_WORD];
	char require[TOLD_WORD], user[LOGIN_USER_MAX + 1];
	const char *sender, *asked_user, *listener; /* as asked; NULL: not */
	int64_t ttl;                                /* seconds */
	bool observed;
	int64_t lease_total, revocation_total;
	size_t lease_count, revocation_count, session_count, network_count,
	    require_count;
	struct told_lease leases[TOLD_LEASES];
	struct told_revocation {
		char address[NET_TEXT_SIZE], user[LOGIN_USER_MAX + 1];
		int64_t time, until;
	} revocations[TOLD_REVOCATIONS];
	struct told_session {
		char id[LOGIN_SESSION_MAX + 1], user[LOGIN_USER_MAX + 1];
		char server[TOLD_WORD];
		int64_t began, pid;
	} sessions[TOLD_SESSIONS];
	struct told_network {
		char list[TOLD_WORD], net[NET_TEXT_SIZE];
	} networks[TOLD_NETWORKS];
	struct told_require {
		char listener[TOLD_WORD], what[TOLD_WORD];
	} requires[TOLD_REQUIRES];
};

/* One line of the daemon's answer into *t. Pure. */
void told_row(struct told *t, const struct reply *r);
void told_free(struct told *t);

/* Fills the origin of every lease, by this configuration; reads at most 1 GiB
 * of logs in all for it. */
void origin_find(struct told *t, const struct conf *conf);
/* Whether a login is the one that the lease tells of last. Pure. */
bool origin_is(
    const struct told_lease *l, const struct login *login, int64_t skew);

void explain_print(const struct told *t);
void explain_json(const struct told *t);
#endif
