/* SPDX-License-Identifier: ISC */
/*
 * entry - entries of a stream, out of the replies of XREAD and XRANGE. The
 * server may be anybody: whatever is of another form is none. Pure.
 */
#ifndef REDIS_ENTRY_H
#define REDIS_ENTRY_H
#include "redis.h"

enum { REDIS_ID_SIZE = 42 };

/* In the order of the stream; 0-0 is before them all. */
struct redis_id {
	uint64_t ms, sequence; /* ms: the server's clock when it was added */
};

struct redis_entry {
	struct redis_id id;
	const char *record; /* its field "r"; borrowed; NULL: it has none */
	size_t len;
};

/* "1526919030474-55", and nothing else. */
bool redis_id_parse(const char *text, size_t len, struct redis_id *out);
/* Back to text; returns its length. */
size_t redis_id_print(struct redis_id id, char out[static REDIS_ID_SIZE]);
bool redis_id_before(struct redis_id a, struct redis_id b);
/* The entries of one stream in XREAD's reply; NULL: there are none. */
const struct redis_reply *redis_entries(
    const struct redis_reply *reply, const char *key);
/* One entry of these, or of XRANGE's reply. */
bool redis_entry_read(const struct redis_reply *reply, struct redis_entry *out);
/* Tells an entry from another of the same id, as a server that lost some of its
 * last ones makes them. */
uint64_t redis_entry_hash(const struct redis_entry *e);
#endif
