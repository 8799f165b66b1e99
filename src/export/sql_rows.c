/* SPDX-License-Identifier: ISC */
/*
 * sql_rows - see the header.
 */
#include "sql_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hmac.h"
#include "base/mem.h"

enum { WHOLE_ADDRESS = 128, MS = 1000, NAMES_FIRST = 1024, BASE = 10 };

struct place {
	const struct export_change *change;
};

/* --- rows ------------------------------------------------------------------
 */

bool sql_rows_is_row(
    const struct sql_table *table, const struct export_change *change)
{
	return !change->revoked && change->lease.bits == WHOLE_ADDRESS &&
	       (!table->skip_ipv6 || addr_is_ipv4(&change->lease.addr));
}

static void print_seconds(int64_t ms, char out[static SQL_TIME_TEXT])
{
	/* Down: never later than it is. */
	int64_t s = ms / MS - (ms % MS < 0);

	(void)snprintf(out, SQL_TIME_TEXT, "%" PRId64, s);
}

/* Bytes that the sequence at p has, 0 when it is no UTF-8 (RFC 3629). */
static size_t utf8_sequence(const unsigned char *p, size_t len)
{
	static const struct {
		unsigned char first, last, low, high, more;
	} rows[] = {
		{ 0x01, 0x7f, 0, 0, 0 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 1 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 2 },
		{ 0xe1, 0xec, 0x80, 0xbf, 2 },
		{ 0xed, 0xed, 0x80, 0x9f, 2 },
		{ 0xee, 0xef, 0x80, 0xbf, 2 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 3 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 3 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 3 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (*p < rows[i].first || *p > rows[i].last)
			continue;
		if (rows[i].more >= len)
			return 0;
		if (rows[i].more && (p[1] < rows[i].low || p[1] > rows[i].high))
			return 0;
		for (size_t j = 2; j <= rows[i].more; j++)
			if (p[j] < 0x80 || p[j] > 0xbf)
				return 0;
		return 1U + rows[i].more;
	}
	return 0;
}

/* A text that databases take, of at most max characters (0: any number). */
static bool fits(const char *text, size_t len, size_t max)
{
	size_t characters = 0;

	for (size_t at = 0; at < len; characters++) {
		size_t n =
		    utf8_sequence((const unsigned char *)text + at, len - at);

		if (!n)
			return false;
		at += n;
	}
	return !max || characters <= max;
}

static void fill(const struct sql_table *table, const struct sql_look *look,
    const struct export_env *env, const struct export_slice *slice,
    const struct lease *lease, struct sql_row *row,
    struct sql_left_out *left_out)
{
	int64_t end = slice->now.wall + ledger_left(lease, slice->now);
	int64_t time = end - table->period;
	const char *source;

	if (time > slice->now.wall)
		time = slice->now.wall;
	print_seconds(time, row->time);
	print_seconds(end, row->end);
	if (*table->columns[SQL_SOURCE]) {
		source = env->source_kind(env->ctx, lease);
		if (fits(source, strlen(source), look->source_max))
			(void)snprintf(
			    row->source, sizeof(row->source), "%s", source);
	}
	if (!*table->columns[SQL_USER] || !lease->user_len)
		return;
	row->has_user = fits(lease->user, lease->user_len, look->user_max);
	if (!row->has_user) {
		left_out->names++;
		return;
	}
	row->user_len = lease->user_len;
	memcpy(row->user, lease->user, lease->user_len);
}

static int by_address(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return memcmp(&x->change->lease.addr, &y->change->lease.addr,
	    sizeof(x->change->lease.addr));
}

void sql_rows_make(const struct sql_table *table, const struct sql_look *look,
    const struct export_env *env, const struct export_slice *slice,
    struct sql_rows *out, struct sql_left_out *left_out)
{
	struct place order[EXPORT_SLICE];
	size_t n = 0;

	out->put_count = out->drop_count = 0;
	for (size_t i = 0; i < slice->count; i++) {
		const struct export_change *c = &slice->changes[i];

		if (sql_rows_is_row(table, c))
			order[n++].change = c;
		else if (c->leased && c->lease.bits != WHOLE_ADDRESS)
			left_out->networks++;
		else if (c->leased)
			left_out->ipv6++;
	}
	qsort(order, n, sizeof(*order), by_address);
	for (size_t i = 0; i < n; i++) {
		const struct lease *lease = &order[i].change->lease;
		struct sql_row *row;

		/* A slice may tell of an address twice, with the same. */
		if (i &&
		    addr_equal(&order[i - 1].change->lease.addr, &lease->addr))
			continue;
		row = order[i].change->leased ? &out->put[out->put_count++]
					      : &out->drop[out->drop_count++];
		memset(row, 0, sizeof(*row));
		(void)addr_print(&lease->addr, row->address);
		if (order[i].change->leased)
			fill(table, look, env, slice, lease, row, left_out);
	}
}

size_t sql_rows_group(size_t n)
{
	size_t group = SQL_ROWS_MAX;

	while (group > n)
		group /= SQL_ROWS_STEP;
	return group;
}

static struct sql_value value_of(const char *text, size_t len, bool null)
{
	return len || !null ? (struct sql_value){ text, len }
			    : (struct sql_value){ 0 };
}

size_t sql_rows_params(const struct sql_table *table,
    const struct sql_look *look, const struct sql_row *row, bool names,
    struct sql_value out[static SQL_COLUMNS])
{
	size_t n = 0;

	out[n++] = (struct sql_value){ row->address, strlen(row->address) };
	if (*table->columns[SQL_TIME])
		out[n++] = (struct sql_value){ row->time, strlen(row->time) };
	if (*table->columns[SQL_USER])
		out[n++] = value_of(row->user,
		    names && row->has_user ? row->user_len : 0,
		    look->user_null);
	if (*table->columns[SQL_SOURCE])
		out[n++] = value_of(row->source,
		    names ? strlen(row->source) : 0, look->source_null);
	if (*table->columns[SQL_EXPIRY])
		out[n++] = (struct sql_value){ row->end, strlen(row->end) };
	return n;
}

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
    const struct sql_written *w, const struct sql_row *row)
{
	struct addr a;

	must(addr_parse(row->address, strlen(row->address), &a));
	return key_of(w->secret, &a);
}

static bool get(
    const struct sql_written *w, const struct sql_row *row, int64_t *time_r)
{
	const struct written *p;

	if (!w->size)
		return false;
	p = find(w, key_of_row(w, row));
	*time_r = p->time;
	return p->time > PLACE_GONE;
}

static void set(
    struct sql_written *w, const struct sql_row *row, const char *time)
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

static void forget(struct sql_written *w, const struct sql_row *row)
{
	struct written *p = w->size ? find(w, key_of_row(w, row)) : NULL;

	if (!p || p->time <= PLACE_GONE)
		return;
	p->time = PLACE_GONE;
	w->count--;
}

static const char *time_of(
    const struct sql_table *table, const struct sql_row *row)
{
	return *table->columns[SQL_TIME] ? row->time : row->end;
}

static int by_text(const void *a, const void *b)
{
	const struct sql_row *x = a, *y = b;

	return strcmp(x->address, y->address);
}

void sql_written_bound(const struct sql_written *w,
    const struct sql_table *table, int64_t over, struct sql_rows *rows)
{
	int64_t time;

	for (size_t i = 0; i < rows->drop_count; i++) {
		struct sql_row *row = &rows->drop[i];

		if (!get(w, row, &time))
			time = over;
		(void)snprintf(row->time, sizeof(row->time), "%" PRId64, time);
	}
	for (size_t i = 0; i < rows->put_count; i++) {
		const struct sql_row *row = &rows->put[i];
		struct sql_row *drop;

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
