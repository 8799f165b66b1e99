/* SPDX-License-Identifier: ISC */
/*
 * sql_known - see the header.
 */
#include "sql_known.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hmac.h"
#include "base/mem.h"

enum { NAMES_FIRST = 1024, BASE = 10 };

/* --- names -----------------------------------------------------------------
 * 64 bits for each address: an IPv4 address is its own, of an IPv6 address it
 * is a keyed hash. Two that share one leave a row in the table that its time
 * has ended.
 */

struct sql_names {
	uint64_t *keys;
	size_t count, size;
	bool sorted;
	uint8_t secret[HMAC_SIZE];
};

static uint64_t key_of(
    const uint8_t secret[static HMAC_SIZE], const struct addr *a)
{
	uint8_t hash[HMAC_SIZE];
	uint64_t key = 0;

	if (addr_is_ipv4(a)) {
		for (size_t i = 12; i < sizeof(a->bytes); i++)
			key = key << 8 | a->bytes[i];
		return key;
	}
	hmac_sha256(secret, HMAC_SIZE, a->bytes, sizeof(a->bytes), hash);
	memcpy(&key, hash, sizeof(key));
	return key;
}

struct sql_names *sql_names_new(void)
{
	struct sql_names *n = xcalloc(1, sizeof(*n));

	must(getentropy(n->secret, sizeof(n->secret)) == 0);
	return n;
}

void sql_names_free(struct sql_names **np)
{
	if (*np)
		free((*np)->keys);
	free(*np);
	*np = NULL;
}

void sql_names_clear(struct sql_names *n)
{
	free(n->keys);
	n->keys = NULL;
	n->count = n->size = 0;
	n->sorted = false;
}

void sql_names_add(struct sql_names *n, const struct addr *a)
{
	if (n->count == n->size) {
		n->size = n->size ? 2 * n->size : NAMES_FIRST;
		n->keys = xrealloc(n->keys, n->size, sizeof(*n->keys));
	}
	n->keys[n->count++] = key_of(n->secret, a);
	n->sorted = false;
}

static int by_key(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

bool sql_names_has(struct sql_names *n, const struct addr *a)
{
	uint64_t key = key_of(n->secret, a);

	if (n->count == 0)
		return false;
	if (!n->sorted)
		qsort(n->keys, n->count, sizeof(*n->keys), by_key);
	n->sorted = true;
	return bsearch(&key, n->keys, n->count, sizeof(*n->keys), by_key) !=
	       NULL;
}

/* --- times -----------------------------------------------------------------
 * A hash table of the same keys: each place that is taken is in the run that
 * begins where its key belongs. What is forgotten keeps its place until the
 * table is made anew.
 */

#define PLACE_FREE INT64_MIN
#define PLACE_GONE (INT64_MIN + 1)

struct written {
	uint64_t key;
	int64_t time; /* s, or one of the above */
};

struct sql_written {
	struct written *places;
	size_t size, taken, count; /* size: a power of two; taken: or gone */
	uint64_t factor;
	uint8_t secret[HMAC_SIZE];
};

struct sql_written *sql_written_new(void)
{
	struct sql_written *w = xcalloc(1, sizeof(*w));

	must(getentropy(w->secret, sizeof(w->secret)) == 0);
	must(getentropy(&w->factor, sizeof(w->factor)) == 0);
	w->factor |= 1;
	return w;
}

void sql_written_free(struct sql_written **wp)
{
	if (*wp)
		free((*wp)->places);
	free(*wp);
	*wp = NULL;
}

/* Its place, or the free one where it would be. */
static struct written *find(const struct sql_written *w, uint64_t key)
{
	size_t i = (size_t)((key * w->factor) >> 32) & (w->size - 1);

	while (w->places[i].time != PLACE_FREE && w->places[i].key != key)
		i = (i + 1) & (w->size - 1);
	return &w->places[i];
}

/* With what is later than `over`, and room for as many again. */
static void make_anew(struct sql_written *w, int64_t over)
{
	struct sql_written old = *w;

	w->size = NAMES_FIRST;
	while (w->size < 4 * old.count)
		w->size *= 2;
	w->places = xcalloc(w->size, sizeof(*w->places));
	for (size_t i = 0; i < w->size; i++)
		w->places[i].time = PLACE_FREE;
	w->count = 0;
	for (size_t i = 0; i < old.size; i++) {
		const struct written *p = &old.places[i];

		if (p->time <= PLACE_GONE || p->time <= over)
			continue;
		*find(w, p->key) = *p;
		w->count++;
	}
	w->taken = w->count;
	free(old.places);
}

static uint64_t key_of_row(
    const struct sql_written *w, const struct sql_lease_row *row)
{
	struct addr a;

	must(addr_parse(row->address, strlen(row->address), &a));
	return key_of(w->secret, &a);
}

static bool get(const struct sql_written *w, const struct sql_lease_row *row,
    int64_t *time_r)
{
	const struct written *p;

	if (!w->size)
		return false;
	p = find(w, key_of_row(w, row));
	*time_r = p->time;
	return p->time > PLACE_GONE;
}

static void set(
    struct sql_written *w, const struct sql_lease_row *row, const char *time)
{
	struct written *p;

	if (4 * w->taken >= 3 * w->size)
		make_anew(w, PLACE_GONE);
	p = find(w, key_of_row(w, row));
	w->taken += p->time == PLACE_FREE;
	w->count += p->time <= PLACE_GONE;
	p->key = key_of_row(w, row);
	p->time = strtoll(time, NULL, BASE);
}

static void forget(struct sql_written *w, const struct sql_lease_row *row)
{
	struct written *p = w->size ? find(w, key_of_row(w, row)) : NULL;

	if (!p || p->time <= PLACE_GONE)
		return;
	p->time = PLACE_GONE;
	w->count--;
}

static const char *time_of(
    const struct sql_table *table, const struct sql_lease_row *row)
{
	return *table->columns[SQL_TIME] ? row->time : row->end;
}

static int by_text(const void *a, const void *b)
{
	const struct sql_lease_row *x = a, *y = b;

	return strcmp(x->address, y->address);
}

void sql_written_bound(const struct sql_written *w,
    const struct sql_table *table, int64_t over, struct sql_rows *rows)
{
	int64_t time;

	for (size_t i = 0; i < rows->drop_count; i++) {
		struct sql_lease_row *row = &rows->drop[i];

		if (!get(w, row, &time))
			time = over;
		(void)snprintf(row->time, sizeof(row->time), "%" PRId64, time);
	}
	for (size_t i = 0; i < rows->put_count; i++) {
		const struct sql_lease_row *row = &rows->put[i];
		struct sql_lease_row *drop;

		if (!get(w, row, &time) ||
		    time <= strtoll(time_of(table, row), NULL, BASE))
			continue;
		drop = &rows->drop[rows->drop_count++];
		*drop = *row;
		(void)snprintf(
		    drop->time, sizeof(drop->time), "%" PRId64, time);
	}
	/* Two writers lock alike. */
	qsort(rows->drop, rows->drop_count, sizeof(rows->drop[0]), by_text);
}

void sql_written_note(struct sql_written *w, const struct sql_table *table,
    const struct sql_rows *rows)
{
	for (size_t i = 0; i < rows->drop_count; i++)
		forget(w, &rows->drop[i]);
	for (size_t i = 0; i < rows->put_count; i++)
		set(w, &rows->put[i], time_of(table, &rows->put[i]));
}

void sql_written_purge(struct sql_written *w, int64_t over)
{
	make_anew(w, over);
}

size_t sql_written_count(const struct sql_written *w)
{
	return w->count;
}
