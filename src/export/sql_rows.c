/* SPDX-License-Identifier: ISC */
/*
 * sql_rows - see the header.
 */
#include "sql_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { WHOLE_ADDRESS = 128, MS = 1000 };

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
    const struct lease *lease, struct sql_lease_row *row,
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

/* For their order. */
struct ref {
	const struct export_change *change;
};

static int by_address(const void *a, const void *b)
{
	const struct ref *x = a, *y = b;

	return memcmp(&x->change->lease.addr, &y->change->lease.addr,
	    sizeof(x->change->lease.addr));
}

void sql_rows_make(const struct sql_table *table, const struct sql_look *look,
    const struct export_env *env, const struct export_slice *slice,
    struct sql_rows *out, struct sql_left_out *left_out)
{
	struct ref order[EXPORT_SLICE];
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
		struct sql_lease_row *row;

		/* A slice may tell of an address twice, with the same. */
		if (i > 0 &&
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

/* Nothing is NULL where that may be, else an empty text. */
static struct sql_value value_of(const char *text, size_t len, bool null)
{
	return len || !null ? (struct sql_value){ text, len }
			    : (struct sql_value){ 0 };
}

size_t sql_rows_params(const struct sql_table *table,
    const struct sql_look *look, const struct sql_lease_row *row, bool names,
    struct sql_value out[static SQL_COLUMNS])
{
	size_t n = 0;

	out[n++] = sql_value_of(row->address);
	if (*table->columns[SQL_TIME])
		out[n++] = sql_value_of(row->time);
	if (*table->columns[SQL_USER])
		out[n++] = value_of(row->user,
		    names && row->has_user ? row->user_len : 0,
		    look->user_null);
	if (*table->columns[SQL_SOURCE])
		out[n++] = value_of(row->source,
		    names ? strlen(row->source) : 0, look->source_null);
	if (*table->columns[SQL_EXPIRY])
		out[n++] = sql_value_of(row->end);
	return n;
}
