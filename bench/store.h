/* SPDX-License-Identifier: ISC */
/* store - what the parts of bench-store share: the data, and each store. */
#ifndef BENCH_STORE_H
#define BENCH_STORE_H
#include <stddef.h>
#include <stdint.h>

#include "ledger/ledger.h"

enum { ROUNDS_MAX = 31, TTL = 30 * 60 * 1000, PATH_SIZE = 512 };

struct bench_options {
	size_t leases, rounds, expire;
	const char *dir;
};
extern struct bench_options opt;
extern const struct moment start;
extern char ledger_dir[PATH_SIZE], raw_dir[PATH_SIZE], sqlite_file[PATH_SIZE];

/* --- store_data.c --------------------------------------------------------- */

double seconds(void);
double median(double *v, size_t n);
_Noreturn void die(const char *what, const char *why);
/* Lease i has the same address and user in every store. */
void make_lease(size_t i, struct moment now, struct lease *row);
typedef size_t pick_fn(size_t n); /* the n-th lease to write */
size_t pick_next(size_t n);
size_t pick_random(size_t n);
extern uint64_t salt; /* another order each round */
struct ledger *open_ledger(bool writer);
void ledger_batch(
    struct ledger *l, size_t from, size_t n, struct moment now, pick_fn *pick);

/* --- store_sqlite.c ------------------------------------------------------- */

void sql_open(void);
void sql_close(void);
void sql_checkpoint(void);
void sql_batch(size_t from, size_t n, struct moment now, pick_fn *pick);
/* Looks all of them up; must() find them. */
void sql_find_all(const struct addr *asked, size_t n);

/* --- store_raw.c, store_expire.c ------------------------------------------ */

/* Seconds that a bare cursor needs for all rows. */
double raw_scan(void);
/* Deletes half of the rows of raw_dir, in key order, synced. */
double raw_expire(size_t *gone_r);
bool to_expire(const uint8_t *address);
/* The ledger's expiry against that, with look-ups running beside it. */
void expiry(void);
#endif
