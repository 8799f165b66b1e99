/* SPDX-License-Identifier: ISC */
/*
 * outbox - a lease or revocation of the ledger as the record that tells it.
 */
#include "outbox.h"

#include <string.h>

#include "base/mem.h"

/* The room is below source/, whose kinds say it themselves (hears_nodes):
 * test_replica_outbox holds the two together. */
bool replica_is_echo(const char *source_kind)
{
	static const char *const kinds[] = { "redis", "sql-stream" };

	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (strcmp(source_kind, kinds[i]) == 0)
			return true;
	return false;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

bool replica_lease(const struct lease *lease, const char *source_kind,
    uint64_t node, int64_t ttl, struct moment now, struct replica_record *out)
{
	int64_t left = earlier(ledger_left(lease, now), ttl);
	int64_t end = now.wall + left;
	/* A session that is held moves the end: that is a proof, too. */
	bool held = end - ttl > lease->last_login;

	memset(out, 0, sizeof(*out));
	if (left <= 0)
		return false;
	/* Sessions are of this node only: what they hold, nobody else tells. */
	if (replica_is_echo(source_kind) && !(held && lease->sessions > 0))
		return false;
	out->kind = REPLICA_LEASE;
	out->node = node;
	out->issued = now.wall;
	out->time = held ? end - ttl : earlier(lease->last_login, now.wall);
	out->end = end;
	out->addr = lease->addr;
	out->tls = lease->flags & LEASE_TLS ? 1 : 0;
	out->user_len = lease->user_len;
	memcpy(out->user, lease->user, lease->user_len);
	return true;
}

bool replica_revocation(const struct ledger_revocation *r, uint64_t node,
    struct moment now, struct replica_record *out)
{
	uint64_t origin;

	memset(out, 0, sizeof(*out));
	if (r->until + REPLICA_LINGERS <= now.wall ||
	    !replica_node(r->origin, &origin) || origin != node)
		return false;
	out->kind = REPLICA_REVOKE;
	out->node = node;
	out->sequence = r->sequence;
	out->issued = now.wall;
	out->time = earlier(r->time, now.wall);
	out->end = r->until;
	out->addr = r->addr;
	out->user_len = r->user_len;
	memcpy(out->user, r->user, r->user_len);
	return true;
}
