/* SPDX-License-Identifier: ISC */
/*
 * rules - who may have a lease, and for how long. Pure: configuration, login
 * and time in, judgement out. `scan` and the keeper judge by the same function.
 */
#ifndef LOGIN_RULES_H
#define LOGIN_RULES_H
#include "base/clock.h"
#include "conf/conf.h"
#include "login.h"

/* Zero is no lease, as everywhere. */
enum judgement {
	JUDGE_NONE = 0,
	JUDGE_LEASE,
/* refusals; rules_reason() gives the word, RULE(id, word) in rules.def */
#define RULE(id, word) JUDGE_##id,
#include "rules.def"
#undef RULE
	JUDGE_COUNT
};

struct rules; /* the lease section, compiled */

/* Reads the `lease` section. own: this host's addresses found by itself, may be
 * NULL. Errors: none that conf did not refuse already. */
struct rules *rules_new(
    const struct conf_section *lease, const struct addr *own, size_t own_count);
void rules_free(struct rules **r);

int64_t rules_ttl(const struct rules *r);
int64_t rules_max_skew(const struct rules *r);
unsigned rules_ipv6_prefix(const struct rules *r);
enum rules_mode { MODE_ENFORCE, MODE_OBSERVE, MODE_OFF };
enum rules_mode rules_mode(const struct rules *r);
/* "enforce", "observe", "off", as the option writes it; NULL for another. */
const char *rules_mode_word(int mode);
bool rules_always(const struct rules *r, const struct addr *a);
/* The lists of networks, and the one of a list that holds the address. */
enum rules_list {
	RULES_ALWAYS,
	RULES_NEVER,
	RULES_PROXY,
	RULES_OWN,
	RULES_PRIVATE,
	RULES_LISTS
};
/* "always", "never" and so on, of an enum rules_list. */
const char *rules_list_word(size_t list);
bool rules_listed(const struct rules *r, enum rules_list list,
    const struct addr *a, struct net *net_r);
/* The address as leases hold it: IPv6 masked to the prefix. *bits_r 128-form.
 */
struct addr rules_mask(
    const struct rules *r, const struct addr *a, uint8_t *bits_r);
/* Why this address can never have a lease, or JUDGE_NONE when it can. */
enum judgement rules_address(const struct rules *r, const struct addr *a);
/* Why this user can make no lease, or JUDGE_NONE. len 0: the protocol names
 * none; who may have a lease only as a listed user or domain has none then. */
enum judgement rules_user(const struct rules *r, const char *name, size_t len);
/*
 * Judges a LOGIN_IN, LOGIN_LEASE or LOGIN_ALIVE alone (revocations and caps
 * need the ledger). JUDGE_LEASE: *end gets the end on both clocks: login time
 * (never later than now) + ttl, never later than now + ttl.
 */
enum judgement rules_judge(const struct rules *r, const struct login *l,
    struct moment now, struct moment *end);
const char *rules_reason(enum judgement j); /* "private-address", "too-old" */
/* The end that a fact of this wall time gives, on both clocks: never further
 * away than now + ttl, and now itself when the fact is too old. */
struct moment rules_end(const struct rules *r, int64_t time, struct moment now);

/* What the ledger's contents limit; a cap of 0 is none. */
struct rules_limits {
	size_t users_per_address, addresses_per_user;
	bool hold;                     /* sessions are remembered at all */
	int64_t hold_unseen, hold_max; /* ms */
	bool require_tls;
};
const struct rules_limits *rules_limits(const struct rules *r);
/* This host's own addresses (getifaddrs); count returned, at most size. */
size_t rules_own_addresses(struct addr *out, size_t size);
#endif
