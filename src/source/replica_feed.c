/* SPDX-License-Identifier: ISC */
/*
 * replica_feed - see the header.
 *
 * What is learned of a node's clock is stored before the login that it was
 * learned from: after a crash between the two the record comes again, and is
 * judged by all that was known.
 */
#include "replica_feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "cursor.h"
#include "odd.h"

/* The key of a node's cursor: this, and its id. */
#define NODE_KEY "node/"
/* The key of the cursor that says which keys there were. */
static const char keys_key[] = "keys";
enum {
	KEY_LEN = sizeof(NODE_KEY) - 1,
	HEX = 16,
	NS = 1000000,
	HASHES_SIZE = REPLICA_KEYS_MAX * REPLICA_KEY_HASH,
	ADVICE_SIZE = 160,
	TROUBLE_SIZE = 320
};
_Static_assert((int)HASHES_SIZE <= (int)SOURCE_CURSOR_MAX, "cursor");
static const char clock_ahead[] = "clock-ahead";

struct replica_feed {
	struct source_env env;
	struct replica_keys *keys;
	struct inbox *inbox;
	struct odd odd;
	char unknown[REPLICA_KEY_ID_MAX + 1]; /* the last key we have not */
	char trouble[TROUBLE_SIZE];
	uint8_t hashes[HASHES_SIZE]; /* of the keys, as they are stored */
	size_t hashes_len;
	bool new_keys, keys_stored;
	size_t count;
	struct login logins[SOURCE_BATCH];
};

static bool is_among(const uint8_t *hash, const struct source_cursor *c)
{
	for (size_t i = 0; i + REPLICA_KEY_HASH <= c->len;
	     i += REPLICA_KEY_HASH)
		if (memcmp(c->bytes + i, hash, REPLICA_KEY_HASH) == 0)
			return true;
	return false;
}

/* With which keys all was read; a source without any cursor has read nothing.
 */
static void look_for_new_keys(
    struct replica_feed *f, const struct source_cursor *cursors, size_t n)
{
	const struct source_cursor none = { 0 };
	const struct source_cursor *stored = cursor_find(cursors, n, keys_key);

	if (!stored)
		stored = &none;
	f->hashes_len = replica_keys_hash(f->keys, f->hashes);
	f->keys_stored = stored->len == f->hashes_len &&
			 memcmp(stored->bytes, f->hashes, f->hashes_len) == 0;
	for (size_t i = 0; i < f->hashes_len; i += REPLICA_KEY_HASH)
		if (n > 0 && !is_among(f->hashes + i, stored))
			f->new_keys = true;
	if (f->new_keys)
		log_info(LOG_SOURCE_GAP,
		    "source=%s reason=\"the keys file has a new key\" "
		    "next=\"reads all that the other nodes tell once more\"",
		    f->env.name);
}

/* "node/0123456789abcdef"; false: another cursor. */
static bool node_of(const struct source_cursor *c, uint64_t *node_r)
{
	char hex[REPLICA_NODE_DIGITS + 1];

	if (c->key_len != KEY_LEN + REPLICA_NODE_DIGITS ||
	    c->len != INBOX_STATE_SIZE ||
	    memcmp(c->key, NODE_KEY, KEY_LEN) != 0)
		return false;
	memcpy(hex, c->key + KEY_LEN, REPLICA_NODE_DIGITS);
	hex[REPLICA_NODE_DIGITS] = '\0';
	return replica_node(hex, node_r);
}

struct replica_feed *replica_feed_new(const struct source_env *env,
    struct replica_keys *keys, const struct source_cursor *cursors, size_t n)
{
	struct replica_feed *f = xcalloc(1, sizeof(*f));
	uint64_t node;

	f->env = *env;
	f->keys = keys;
	f->inbox = inbox_new(strtoull(env->node, NULL, HEX), env->max_skew);
	odd_init(&f->odd, env->name);
	for (size_t i = 0; i < n; i++)
		if (node_of(&cursors[i], &node))
			inbox_restore(f->inbox, node, cursors[i].bytes);
	look_for_new_keys(f, cursors, n);
	return f;
}

void replica_feed_free(struct replica_feed **fp)
{
	struct replica_feed *f = *fp;

	*fp = NULL;
	if (!f)
		return;
	odd_flush(&f->odd, UINT64_MAX);
	inbox_free(&f->inbox);
	replica_keys_free(&f->keys);
	free(f);
}

/* Of the node that it says it is of, or of what the carrier calls it. */
static void refuse(struct replica_feed *f, enum replica_fault fault,
    const char *bytes, size_t len, const char *where)
{
	struct replica_claim claim;
	char node[REPLICA_NODE_DIGITS + 1];

	if (replica_claim(bytes, len, &claim)) {
		replica_node_print(claim.node, node);
		where = node;
		if (fault == REPLICA_UNKNOWN_KEY)
			memcpy(f->unknown, claim.key, sizeof(f->unknown));
	}
	odd_count(&f->odd, replica_fault_word(fault), where, uv_hrtime() / NS);
}

static int store_cursor(
    struct replica_feed *f, const char *key, const uint8_t *bytes, size_t len)
{
	struct source_cursor c;

	cursor_write(&c, key, bytes, len);
	return f->env.sink(f->env.sink_ctx, &c, f->logins, 0);
}

static int store(struct replica_feed *f, uint64_t node, const uint8_t *state)
{
	char key[KEY_LEN + REPLICA_NODE_DIGITS + 1] = NODE_KEY;

	replica_node_print(node, key + KEY_LEN);
	return store_cursor(f, key, state, INBOX_STATE_SIZE);
}

/* All of them, when our own clock was set. */
static int store_again(struct replica_feed *f)
{
	uint8_t state[INBOX_STATE_SIZE];
	uint64_t node;

	while (inbox_restated(f->inbox, &node, state))
		if (store(f, node, state) < 0)
			return -1;
	return 0;
}

static int learn(struct replica_feed *f, uint64_t node)
{
	uint8_t state[INBOX_STATE_SIZE];

	if (inbox_state(f->inbox, node, state) && store(f, node, state) < 0)
		return -1;
	return store_again(f);
}

int replica_feed_take(struct replica_feed *f, const char *bytes, size_t len,
    int64_t age, const char *where, struct moment now)
{
	struct replica_record r;
	enum replica_fault fault = replica_decode(bytes, len, f->keys, &r);
	char node[REPLICA_NODE_DIGITS + 1];
	enum inbox_verdict verdict;

	if (fault != REPLICA_GOOD) {
		refuse(f, fault, bytes, len, where);
		return 0;
	}
	verdict = inbox_take(f->inbox, &r, age, now, &f->logins[f->count]);
	if (verdict == INBOX_OWN)
		return 0;
	/* What is refused tells of the clock, too. */
	if (learn(f, r.node) < 0)
		return -1;
	if (verdict == INBOX_AHEAD) {
		replica_node_print(r.node, node);
		odd_count(&f->odd, clock_ahead, node, uv_hrtime() / NS);
		return 0;
	}
	if (verdict != INBOX_TAKE || ++f->count < SOURCE_BATCH)
		return 0;
	return replica_feed_send(f, NULL);
}

int replica_feed_send(
    struct replica_feed *f, const struct source_cursor *cursor)
{
	size_t n = f->count;

	f->count = 0;
	if (!n && !cursor)
		return 0;
	return f->env.sink(f->env.sink_ctx, cursor, f->logins, n);
}

bool replica_feed_waits(const struct replica_feed *f)
{
	return f->count > 0;
}

bool replica_feed_again(struct replica_feed *f, struct moment now)
{
	bool again = inbox_again(f->inbox, now);

	/* When the keeper is gone, whatever is sent next tells. */
	(void)store_again(f);
	return again;
}

void replica_feed_tick(struct replica_feed *f, uint64_t now)
{
	odd_flush(&f->odd, now);
}

bool replica_feed_has_new_keys(const struct replica_feed *f)
{
	return f->new_keys;
}

int replica_feed_whole(struct replica_feed *f)
{
	f->new_keys = false;
	if (f->keys_stored)
		return 0;
	f->keys_stored = true;
	return store_cursor(f, keys_key, f->hashes, f->hashes_len);
}

/* What an administrator can do about it. */
static void advise(const struct replica_feed *f, const char *reason,
    char out[static ADVICE_SIZE])
{
	if (strcmp(reason, replica_fault_word(REPLICA_UNKNOWN_KEY)) == 0 &&
	    *f->unknown)
		(void)snprintf(out, ADVICE_SIZE,
		    "key %s is not in this machine's keys file; give all nodes "
		    "the same one, then relaypass reload",
		    f->unknown);
	else if (strcmp(reason, replica_fault_word(REPLICA_FORGED)) == 0)
		(void)snprintf(out, ADVICE_SIZE,
		    "its key is another than ours of that id; give all nodes "
		    "the same keys file, or find who else writes there");
	else if (strcmp(reason, clock_ahead) == 0)
		(void)snprintf(out, ADVICE_SIZE,
		    "its clock is ahead of this machine's by more than "
		    "max-skew; set the wrong one of the two");
	else
		(void)snprintf(out, ADVICE_SIZE,
		    "not a record; find who else writes there");
}

const char *replica_feed_trouble(struct replica_feed *f, uint64_t now)
{
	const struct odd_reason *r = odd_lately(&f->odd, now);
	char advice[ADVICE_SIZE];

	if (!r)
		return NULL;
	advise(f, r->what, advice);
	(void)snprintf(f->trouble, sizeof(f->trouble),
	    "%llu %s of other nodes refused, the last of %s: %s",
	    (unsigned long long)r->lately,
	    r->lately == 1 ? "record" : "records", r->peer, advice);
	return f->trouble;
}
