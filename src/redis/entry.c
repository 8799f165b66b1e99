/* SPDX-License-Identifier: ISC */
/*
 * entry - see the header.
 */
#include "entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "words.h"

enum { DECIMAL = 10, PAIR = 2 };

/* Takes digits up to `end`; no leading zeros, no overflow. */
static bool parse_number(const char **at, const char *end, uint64_t *out)
{
	const char *c = *at;
	uint64_t n = 0;

	while (c < end && *c >= '0' && *c <= '9') {
		unsigned digit = (unsigned)(*c++ - '0');

		if (n > (UINT64_MAX - digit) / DECIMAL)
			return false;
		n = n * DECIMAL + digit;
	}
	if (c == *at || (**at == '0' && c - *at > 1))
		return false;
	*at = c;
	*out = n;
	return true;
}

bool redis_id_parse(const char *text, size_t len, struct redis_id *out)
{
	const char *at = text, *end = text + len;

	return parse_number(&at, end, &out->ms) && at < end && *at++ == '-' &&
	       parse_number(&at, end, &out->sequence) && at == end;
}

size_t redis_id_print(struct redis_id id, char out[static REDIS_ID_SIZE])
{
	return (size_t)snprintf(
	    out, REDIS_ID_SIZE, "%" PRIu64 "-%" PRIu64, id.ms, id.sequence);
}

bool redis_id_before(struct redis_id a, struct redis_id b)
{
	return a.ms < b.ms || (a.ms == b.ms && a.sequence < b.sequence);
}

static bool is_pair(const struct redis_reply *r)
{
	return r->type == REDIS_ARRAY && r->count == PAIR;
}

const struct redis_reply *redis_entries(
    const struct redis_reply *reply, const char *key)
{
	const struct redis_reply *stream;

	if (reply->type != REDIS_ARRAY || reply->count != 1)
		return NULL;
	stream = &reply->items[0];
	if (!is_pair(stream) || !redis_is_text(&stream->items[0], key) ||
	    stream->items[1].type != REDIS_ARRAY)
		return NULL;
	return &stream->items[1];
}

bool redis_entry_read(const struct redis_reply *reply, struct redis_entry *out)
{
	const struct redis_reply *fields;

	memset(out, 0, sizeof(*out));
	if (!is_pair(reply) || reply->items[0].type != REDIS_TEXT ||
	    !redis_id_parse(
		reply->items[0].text, reply->items[0].len, &out->id))
		return false;
	fields = &reply->items[1];
	/* Not ours, but it has a place in the stream. */
	if (!is_pair(fields) || !redis_is_text(&fields->items[0], "r") ||
	    fields->items[1].type != REDIS_TEXT)
		return true;
	out->record = fields->items[1].text;
	out->len = fields->items[1].len;
	return true;
}

/* FNV-1a: nobody gains anything by making two alike. */
uint64_t redis_entry_hash(const struct redis_entry *e)
{
	static const uint64_t prime = 0x100000001b3;
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < e->len; i++) {
		hash ^= (unsigned char)e->record[i];
		hash *= prime;
	}
	return hash;
}
