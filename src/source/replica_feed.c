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

#include "base/mem.h"
#include "odd.h"

/* The key of a node's cursor: this, and its id. */
#define NODE_KEY "node/"
enum { KEY_LEN = sizeof(NODE_KEY) - 1, NODE_HEX = 16, HEX = 16, NS = 1000000 };

struct replica_feed {
	struct source_env env;
	struct replica_keys *keys;
	struct inbox *inbox;
	struct odd odd;
	size_t count;
	struct login logins[SOURCE_BATCH];
};

/* "node/0123456789abcdef"; false: another cursor. */
static bool node_of(const struct source_cursor *c, uint64_t *node_r)
{
	char hex[NODE_HEX + 1];

	if (c->key_len != KEY_LEN + NODE_HEX || c->len != INBOX_STATE_SIZE ||
	    memcmp(c->key, NODE_KEY, KEY_LEN) != 0)
		return false;
	memcpy(hex, c->key + KEY_LEN, NODE_HEX);
	hex[NODE_HEX] = '\0';
	if (strspn(hex, "0123456789abcdef") != NODE_HEX)
		return false;
	*node_r = strtoull(hex, NULL, HEX);
	return true;
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

static void refuse(struct replica_feed *f, const char *why, const char *where,
    const char *node)
{
	char peer[ODD_PEER_SIZE];

	(void)snprintf(
	    peer, sizeof(peer), "%s%s%s", where, *node ? " of " : "", node);
	odd_count(&f->odd, why, peer, uv_hrtime() / NS);
}

static int store(struct replica_feed *f, uint64_t node, const uint8_t *state)
{
	struct source_cursor c = { .len = INBOX_STATE_SIZE };

	memcpy(c.bytes, state, INBOX_STATE_SIZE);
	c.key_len = (uint16_t)snprintf(
	    c.key, sizeof(c.key), NODE_KEY "%016llx", (unsigned long long)node);
	return f->env.sink(f->env.sink_ctx, &c, f->logins, 0);
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
	char node[NODE_HEX + 1];
	enum inbox_verdict verdict;

	if (fault != REPLICA_GOOD) {
		refuse(f, replica_fault_word(fault), where, "");
		return 0;
	}
	verdict = inbox_take(f->inbox, &r, age, now, &f->logins[f->count]);
	if (verdict == INBOX_OWN)
		return 0;
	/* What is refused tells of the clock, too. */
	if (learn(f, r.node) < 0)
		return -1;
	if (verdict == INBOX_AHEAD) {
		(void)snprintf(
		    node, sizeof(node), "%016llx", (unsigned long long)r.node);
		refuse(f, "clock-ahead", where, node);
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
