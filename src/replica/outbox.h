/* SPDX-License-Identifier: ISC */
/*
 * outbox - which of this node's leases and revocations the other nodes are
 * told, as records. What ended by itself, or was never theirs to keep, they are
 * not told. Pure. Called by: export/redis.c, export/sql_stream.c.
 */
#ifndef REPLICA_OUTBOX_H
#define REPLICA_OUTBOX_H
#include "ledger/ledger.h"
#include "record.h"

/* Whether a source of this kind hears other nodes: what it told is not told
 * again. */
bool replica_is_echo(const char *source_kind);
/*
 * The record of a lease, but for its server, which only the caller can name.
 * False: it is not to be told, because it is over, or another node's, held by
 * no session here. source_kind: of its last login; ttl: ms, this node's.
 */
bool replica_lease(const struct lease *lease, const char *source_kind,
    uint64_t node, int64_t ttl, struct moment now, struct replica_record *out);
/* The record of a revocation. False: it is long over, or another node's own. */
bool replica_revocation(const struct ledger_revocation *r, uint64_t node,
    struct moment now, struct replica_record *out);
#endif
