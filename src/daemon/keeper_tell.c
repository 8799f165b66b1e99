/* SPDX-License-Identifier: ISC */
/*
 * keeper_tell - what has become of logins and leases, as log lines and for
 * those who watch. Called by: the keeper, after the commit.
 */
#include <string.h>

#include "base/kv.h"
#include "base/log.h"
#include "keeper_private.h"

void keeper_tell(struct keeper *k, const struct keeper_event *e)
{
	const struct lease *l = e->lease;
	char addr[ADDR_TEXT_SIZE], user[600], line[2048];
	struct moment now = clock_now();
	const char *server =
	    e->server ? e->server : ledger_name(k->ledger, l->server);
	const char *source =
	    e->source ? e->source : ledger_name(k->ledger, l->source);
	int64_t left = l->end.wall - now.wall;
	size_t used = 0;

	(void)addr_print(&l->addr, addr);
	(void)log_quote(l->user, l->user_len, user, sizeof(user));
	log_info(e->log, "ip=%s user=%s source=%s server=%s%s%s ttl=%lld", addr,
	    user, source, server, e->reason ? " reason=" : "",
	    e->reason ? e->reason : "", left > 0 ? (long long)left / 1000 : 0);
	if (!control_is_watched(k->control))
		return;
	if (kv_put(line, sizeof(line), &used, "event kind", e->kind) &&
	    kv_put_int(line, sizeof(line), &used, "time", now.wall) &&
	    kv_put(line, sizeof(line), &used, "address", addr) &&
	    kv_put(line, sizeof(line), &used, "user", l->user) &&
	    kv_put(line, sizeof(line), &used, "source", source) &&
	    kv_put(line, sizeof(line), &used, "server", server) &&
	    (!e->reason ||
		kv_put(line, sizeof(line), &used, "reason", e->reason)) &&
	    kv_put_int(
		line, sizeof(line), &used, "ttl", left > 0 ? left / 1000 : 0)) {
		line[used - 1] = '\n';
		control_broadcast(k->control, line, used);
	}
}

static void count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* What a fact did. A refused login has no lease: its own address is told. */
void tell_applied(struct keeper *k, const char *source, const struct login *l,
    const struct applied *a)
{
	struct keeper_event e = {
		.lease = &a->lease, .source = source, .server = l->server
	};
	struct lease refused = { 0 };

	/* Each of its leases is told as ended; and a sign of life that finds
	 * nothing to hold is no login that was refused. */
	if (l->kind == LOGIN_END ||
	    (l->kind == LOGIN_ALIVE && a->judgement == JUDGE_NONE))
		return;
	if (l->kind == LOGIN_REVOKE) {
		if (a->judgement != JUDGE_LEASE)
			return;
		e.kind = "revoke";
		e.log = LOG_LEASE_REVOKE;
		e.reason = "by-node";
	} else if (l->kind != LOGIN_IN && l->kind != LOGIN_LEASE &&
		   l->kind != LOGIN_ALIVE) {
		if (a->judgement != JUDGE_LEASE)
			return;
		e.kind = "logout";
		e.log = LOG_LOGOUT;
	} else if (a->judgement == JUDGE_LEASE) {
		e.kind = a->fresh                 ? "grant"
			 : l->kind == LOGIN_ALIVE ? "hold"
						  : "renew";
		e.log = a->fresh ? LOG_LEASE_GRANT : LOG_LEASE_RENEW;
		count(
		    a->fresh ? &k->env->slot->granted : &k->env->slot->renewed);
		if (!a->fresh && !a->moved)
			return;
	} else {
		refused.addr = l->addr;
		refused.user_len = l->user_len;
		memcpy(refused.user, l->user, l->user_len);
		e.lease = &refused;
		e.kind = "refused";
		e.log = LOG_LOGIN_REFUSED;
		e.reason = rules_reason(a->judgement);
		count(&k->env->slot->denied);
	}
	keeper_tell(k, &e);
}

void tell_ended(struct keeper *k, const struct lease *lease)
{
	const struct keeper_event e = {
		.kind = "expire", .log = LOG_LEASE_EXPIRE, .lease = lease
	};

	keeper_tell(k, &e);
}
