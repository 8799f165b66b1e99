/* SPDX-License-Identifier: ISC */
/*
 * fuzz_redis - any reply tree to what reads entries of a stream and a
 * Sentinel's answer; ids and endpoints must print and parse to the same.
 */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "redis/entry.h"
#include "redis/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ITEMS_MAX = 256, TEXT_MAX = 64, DEPTH_MAX = 6, FAN = 5 };

struct builder {
	const uint8_t *at;
	size_t left, items, texts;
	struct redis_reply pool[ITEMS_MAX];
	char text[ITEMS_MAX][TEXT_MAX];
};

static uint8_t next(struct builder *b)
{
	if (!b->left)
		return 0;
	b->left--;
	return *b->at++;
}

static void build(struct builder *b, struct redis_reply *out, unsigned depth)
{
	uint8_t what = next(b), count = next(b);
	size_t first = b->items;

	*out = (struct redis_reply){ .type = what % (REDIS_ERROR + 1),
		.text = "" };
	if (out->type == REDIS_INTEGER)
		out->integer = count;
	if ((out->type == REDIS_TEXT || out->type == REDIS_ERROR) &&
	    b->texts < ITEMS_MAX) {
		char *text = b->text[b->texts++];

		out->len = count % TEXT_MAX;
		for (size_t i = 0; i < out->len; i++)
			text[i] = (char)next(b);
		text[out->len] = '\0';
		out->text = text;
	}
	if (out->type != REDIS_ARRAY || depth == DEPTH_MAX)
		return;
	count %= FAN;
	if (first + count > ITEMS_MAX)
		return;
	out->items = &b->pool[first];
	out->count = count;
	b->items += count;
	for (size_t i = 0; i < count; i++)
		build(b, &b->pool[first + i], depth + 1);
}

static void try_entry(const struct redis_reply *reply)
{
	char out[REDIS_ID_SIZE];
	struct redis_entry e;
	struct redis_id id;

	if (!redis_entry_read(reply, &e))
		return;
	must(redis_id_parse(out, redis_id_print(e.id, out), &id));
	must(!redis_id_before(id, e.id) && !redis_id_before(e.id, id));
	must(reply->items && reply->items[0].len == strlen(out) &&
	     memcmp(reply->items[0].text, out, strlen(out)) == 0);
	must(e.record || e.len == 0);
	(void)redis_entry_hash(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct builder b;
	const struct redis_reply *entries;
	char text[REDIS_ENDPOINT_SIZE];
	struct redis_endpoint endpoint, again;
	struct redis_reply reply;

	b.at = data;
	b.left = size;
	b.items = b.texts = 0;
	build(&b, &reply, 0);
	try_entry(&reply);
	entries = redis_entries(&reply, "k");
	for (size_t i = 0; entries && i < entries->count; i++)
		try_entry(&entries->items[i]);
	if (redis_watch_endpoint(&reply, &endpoint)) {
		must(redis_endpoint_parse(
		    redis_endpoint_print(&endpoint, text), 1, &again));
		must(strcmp(endpoint.host, again.host) == 0 &&
		     endpoint.port == again.port);
	}
	return 0;
}
