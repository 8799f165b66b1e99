/* SPDX-License-Identifier: ISC */
/*
 * lease_world - a ledger of its own, rules, a clock and processes for tests of
 * apply and decide. The time is a variable; a step of it is an assignment.
 */
#ifndef TESTS_UNIT_LEASE_WORLD_H
#define TESTS_UNIT_LEASE_WORLD_H
#include <dirent.h>
#include <unistd.h>

#include "../lease_rules.h"
#include "decide/decide.h"
#include "login/apply.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

struct world {
	char directory[64];
	struct rules *rules;
	struct ledger *ledger;
	struct apply *apply;
	struct moment now;
	int boot;            /* number */
	uint64_t proc_start; /* of the one process, pid 101; 0: gone */
	int64_t proc_began;
	unsigned proc_asked;
	bool signs;            /* of life may come */
	struct lease told[64]; /* ends told by the last walk, due or end */
	size_t told_count;
};

static inline uint64_t world_proc(void *ctx, uint32_t pid, int64_t *began)
{
	struct world *w = ctx;

	w->proc_asked++;
	*began = w->proc_began;
	return pid == 101 ? w->proc_start : 0;
}

static inline void world_told(void *ctx, const struct lease *lease)
{
	struct world *w = ctx;

	must(w->told_count < COUNT_OF(w->told));
	w->told[w->told_count++] = *lease;
}

static inline void world_open(struct world *w)
{
	struct err err = { 0 };
	struct ledger_options o = { .directory = w->directory,
		.writer = true,
		.map_size = 4 << 20,
		.journal = true,
		.ipv6_prefix = rules_ipv6_prefix(w->rules),
		.ttl = rules_ttl(w->rules),
		.max_skew = rules_max_skew(w->rules) };

	(void)snprintf(o.boot_id, sizeof(o.boot_id), "boot-%d", w->boot);
	w->ledger = ledger_open(&o, w->now, &err);
	if (!w->ledger)
		(void)fprintf(stderr, "%s\n", err.text);
	must(w->ledger != NULL);
	w->apply = apply_new(w->ledger, w->rules, world_proc, w);
	apply_expect_signs(w->apply, w->signs);
	apply_tell_ends(w->apply, world_told, w);
}

static inline void world_signs(struct world *w, bool may_come)
{
	w->signs = may_come;
	apply_expect_signs(w->apply, may_come);
}

static inline void world_close(struct world *w)
{
	apply_free(&w->apply);
	ledger_close(&w->ledger);
}

static inline void world_rules(struct world *w, const char *text)
{
	struct rules *r = rules_from(text, NULL, 0);

	if (w->apply)
		apply_set_rules(w->apply, r);
	rules_free(&w->rules);
	w->rules = r;
}

/* 14 November 2023, up for ten hours. */
static inline struct world *world_new(const char *rules)
{
	struct world *w = xcalloc(1, sizeof(*w));

	(void)snprintf(
	    w->directory, sizeof(w->directory), "/tmp/relaypass-test-XXXXXX");
	must(mkdtemp(w->directory) != NULL);
	w->now = (struct moment){ INT64_C(1700000000000), 10 * HOUR };
	world_rules(w, rules);
	world_open(w);
	return w;
}

static inline void world_free(struct world *w)
{
	DIR *d = opendir(w->directory);

	world_close(w);
	rules_free(&w->rules);
	for (struct dirent *e; d && (e = readdir(d));)
		(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		(void)closedir(d);
	(void)rmdir(w->directory);
	free(w);
}

static inline void world_begin(struct world *w)
{
	struct err err = { 0 };

	must(ledger_begin(w->ledger, w->now, &err) == 0);
}

static inline void world_commit(struct world *w)
{
	struct err err = { 0 };

	must(ledger_commit(w->ledger, &err) == 0);
}

static inline void world_pass(struct world *w, int64_t ms)
{
	w->now.wall += ms;
	w->now.boot += ms;
}

/* The machine starts again, with its wall clock at this time. */
static inline void world_reboot(struct world *w, int64_t wall)
{
	world_close(w);
	w->now = (struct moment){ wall, 20 * SECOND };
	w->boot++;
	world_open(w);
}

static inline struct login login_of(
    const struct world *w, const char *addr, const char *user)
{
	struct login l = { .kind = LOGIN_IN,
		.tls = 1,
		.time = w->now.wall,
		.addr = address(addr),
		.server = "dovecot" };

	l.user_len = (uint8_t)strlen(user);
	memcpy(l.user, user, l.user_len);
	return l;
}

enum { WORLD_SOURCE = 3 };

static inline struct applied world_apply_from(
    struct world *w, const struct login *l, uint16_t source)
{
	struct applied done;

	world_begin(w);
	apply_login(w->apply, l, source, w->now, &done);
	world_commit(w);
	return done;
}

static inline struct applied world_apply(struct world *w, const struct login *l)
{
	return world_apply_from(w, l, WORLD_SOURCE);
}

/* A login `age` ms ago; below zero: stamped ahead. */
static inline struct applied world_login(
    struct world *w, const char *addr, const char *user, int64_t age)
{
	struct login l = login_of(w, addr, user);

	l.time -= age;
	return world_apply(w, &l);
}

static inline struct applied world_session(struct world *w,
    enum login_kind kind, const char *addr, const char *user,
    const char *session, uint32_t mpid)
{
	struct login l = login_of(w, addr, user);

	l.kind = (uint8_t)kind;
	l.mpid = mpid;
	l.session_len = (uint8_t)strlen(session);
	memcpy(l.session, session, l.session_len);
	return world_apply(w, &l);
}

static inline struct applied world_logout(
    struct world *w, const char *session, int64_t age)
{
	struct login l = { .kind = LOGIN_OUT,
		.time = w->now.wall - age,
		.server = "dovecot" };

	l.session_len = (uint8_t)strlen(session);
	memcpy(l.session, session, l.session_len);
	return world_apply(w, &l);
}

/* The live lease of this address and user; ms left, or 0. */
static inline int64_t world_left(
    struct world *w, const char *addr, const char *user, struct lease *out)
{
	struct addr a = address(addr);
	struct lease lease = { 0 };
	enum ledger_found found;
	int64_t left;

	must(ledger_read_begin(w->ledger, NULL) == 0);
	found = ledger_find(w->ledger, &a, user, strlen(user), w->now, &lease);
	ledger_read_end(w->ledger);
	must(found != LEDGER_ERROR);
	if (out)
		*out = lease;
	if (found != LEDGER_FOUND)
		return 0;
	left = lease.end.wall - w->now.wall;
	return left < lease.end.boot - w->now.boot
		   ? left
		   : lease.end.boot - w->now.boot;
}

/* One round of the walk; how many ends it told. */
static inline size_t world_walk(struct world *w)
{
	bool whole = false;

	w->told_count = 0;
	while (!whole) {
		world_begin(w);
		whole = apply_walk(w->apply, w->now, 10, world_told, w);
		world_commit(w);
	}
	return w->told_count;
}

static inline size_t world_due(struct world *w)
{
	size_t ended;

	w->told_count = 0;
	world_begin(w);
	ended = apply_due(w->apply, w->now, 100, world_told, w);
	world_commit(w);
	must(ended == w->told_count);
	return ended;
}

static inline size_t world_hold(struct world *w)
{
	size_t moved;

	world_begin(w);
	moved = apply_hold(w->apply, w->now, 1000);
	world_commit(w);
	return moved;
}

static inline size_t world_revoke(struct world *w, const char *addr,
    const char *user, int64_t refuse_for, bool now_only)
{
	struct addr a = { 0 };
	size_t count;

	if (addr)
		a = address(addr);
	world_begin(w);
	count = apply_revoke(
	    w->apply, addr ? &a : NULL, user, refuse_for, now_only, w->now);
	world_commit(w);
	return count;
}

static inline enum judgement world_grant(
    struct world *w, const char *addr, const char *user, int64_t ttl)
{
	struct addr a = address(addr);
	struct lease lease;
	enum judgement j;

	world_begin(w);
	j = apply_grant(w->apply, &a, user, strlen(user), ttl, w->now, &lease);
	world_commit(w);
	return j;
}
#endif
