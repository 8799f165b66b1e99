/* SPDX-License-Identifier: ISC */
/* store_data - the leases of bench-store, and the ledger's side of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "store.h"

struct bench_options opt = { 1000000, 5, 500000, "/var/tmp" };
const struct moment start = { 1700000000000, 1000000000 };
char ledger_dir[PATH_SIZE], raw_dir[PATH_SIZE], sqlite_file[PATH_SIZE];

double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, by_value);
	return v[n / 2];
}

_Noreturn void die(const char *what, const char *why)
{
	(void)fprintf(stderr, "store: %s: %s\n", what, why);
	exit(EXIT_AGAIN);
}

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

void make_lease(size_t i, struct moment now, struct lease *row)
{
	uint64_t h = mix(i);

	memset(row, 0, offsetof(struct lease, user));
	if (h % 4 == 0) { /* a quarter is IPv6 */
		uint64_t g = mix(h);

		row->addr.bytes[0] = 0x20;
		memcpy(row->addr.bytes + 1, &h, 7);
		memcpy(row->addr.bytes + 8, &g, 8);
	} else {
		row->addr.bytes[10] = row->addr.bytes[11] = 0xff;
		memcpy(row->addr.bytes + 12, (char *)&h + 2, 4);
	}
	row->bits = 128;
	row->source = 1;
	row->server = 2;
	row->sessions = 1;
	row->first_login = start.wall;
	row->last_login = now.wall;
	row->end = (struct moment){ now.wall + TTL, now.boot + TTL };
	row->user_len = (uint8_t)snprintf(row->user, sizeof row->user,
	    "user%llu@example.org", (unsigned long long)(i % 250000));
}

/* --- the ledger ----------------------------------------------------------- */

struct ledger *open_ledger(bool writer)
{
	struct ledger_options o = {
		.directory = ledger_dir,
		.writer = writer,
		.map_size = 64 << 20,
		.ipv6_prefix = 128,
		.ttl = TTL,
		.boot_id = "bench",
	};
	struct err err;
	struct ledger *l = ledger_open(&o, start, &err);

	if (!l)
		die(ledger_dir, err.text);
	return l;
}

uint64_t salt;

size_t pick_next(size_t n)
{
	return n;
}

size_t pick_random(size_t n)
{
	return mix(n ^ salt << 40) % opt.leases;
}

void ledger_batch(
    struct ledger *l, size_t from, size_t n, struct moment now, pick_fn *pick)
{
	struct lease row, old;
	struct err err = { 0 };

	do {
		if (ledger_begin(l, now, &err) < 0)
			die("begin", err.text);
		for (size_t i = from; i < from + n; i++) {
			make_lease(pick(i), now, &row);
			if (ledger_get(l, &row.addr, row.user, row.user_len,
				&old) == LEDGER_FOUND)
				row.first_login = old.first_login;
			ledger_put(l, &row);
		}
		err.code = 0;
		if (ledger_commit(l, &err) < 0 && err.code != EXIT_AGAIN)
			die("commit", err.text);
	} while (err.code == EXIT_AGAIN);
}
