/* SPDX-License-Identifier: ISC */
/*
 * store - speed and size of the ledger's own code, against SQLite and against
 * bare LMDB on the same data in the same run (SPEED.md G20, G22, G23, G25).
 * Rounds are interleaved; each line gives medians and their ratio.
 *
 *   bench-store [--leases N] [--rounds N] [--expire N] [--dir DIR]
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store.h"

/* --- rows of the table ---------------------------------------------------- */

static uint64_t disk_bytes(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

/* The logins of half a ttl before the start: ends differ, and rise. */
static struct moment arrival(size_t i)
{
	int64_t ago = TTL / 2 - (int64_t)(i * (TTL / 2) / opt.leases);

	return (struct moment){ start.wall - ago, start.boot - ago };
}

/* Random arrival, batches of 1,000: what the keeper commits under load. */
static void fill(struct ledger *l)
{
	const size_t batch = 1000;
	char data[PATH_SIZE + 16];
	double t = seconds(), ours, theirs;
	uint64_t our_bytes, their_bytes;

	for (size_t i = 0; i < opt.leases; i += batch)
		ledger_batch(l, i, batch, arrival(i), pick_next);
	ours = seconds() - t;
	t = seconds();
	for (size_t i = 0; i < opt.leases; i += batch)
		sql_batch(i, batch, arrival(i), pick_next);
	theirs = seconds() - t;
	printf("fill leases=%zu ledger=%.0f/s sqlite=%.0f/s ratio=%.2f\n",
	    opt.leases, (double)opt.leases / ours, (double)opt.leases / theirs,
	    theirs / ours);
	sql_checkpoint();
	(void)snprintf(data, sizeof data, "%s/data.mdb", ledger_dir);
	our_bytes = disk_bytes(data);
	their_bytes = disk_bytes(sqlite_file);
	printf("disk leases=%zu ledger=%.1fB sqlite=%.1fB ratio=%.2f\n",
	    opt.leases, (double)our_bytes / (double)opt.leases,
	    (double)their_bytes / (double)opt.leases,
	    (double)our_bytes / (double)their_bytes);
	(void)fflush(stdout);
}

static void writes(struct ledger *l, size_t batch)
{
	double ours[ROUNDS_MAX], theirs[ROUNDS_MAX], ratio[ROUNDS_MAX];
	size_t batches = batch < 1000 ? 200 : 40;

	for (size_t round = 0; round <= opt.rounds; round++) {
		const int64_t later = (int64_t)round * 1000;
		struct moment now = { start.wall + later, start.boot + later };
		double a, b, t = seconds();
		size_t r = round > 0 ? round - 1 : 0; /* the first warms up */

		salt = round + batch;
		for (size_t i = 0; i < batches; i++)
			ledger_batch(l, i * batch, batch, now, pick_random);
		a = seconds() - t;
		t = seconds();
		for (size_t i = 0; i < batches; i++)
			sql_batch(i * batch, batch, now, pick_random);
		b = seconds() - t;
		ours[r] = (double)(batches * batch) / a;
		theirs[r] = (double)(batches * batch) / b;
		ratio[r] = b / a;
	}
	printf("write batch=%zu ledger=%.0f/s sqlite=%.0f/s ratio=%.2f\n",
	    batch, median(ours, opt.rounds), median(theirs, opt.rounds),
	    median(ratio, opt.rounds));
	(void)fflush(stdout);
}

static struct addr *pick_addresses(size_t n)
{
	struct addr *out = xcalloc(n, sizeof *out);
	struct lease row;

	for (size_t i = 0; i < n; i++) {
		make_lease(pick_random(i), start, &row);
		out[i] = row.addr;
	}
	return out;
}

static double find_ours(struct ledger *l, size_t n, size_t per_snapshot)
{
	struct addr *asked = pick_addresses(n);
	struct lease out;
	size_t found = 0;
	double t = seconds();

	for (size_t i = 0; i < n; i++) {
		if (i % per_snapshot == 0 && ledger_read_begin(l, NULL) < 0)
			die("read", "begin");
		found += ledger_find(l, &asked[i], NULL, 0, start, &out) ==
			 LEDGER_FOUND;
		if (i % per_snapshot == per_snapshot - 1)
			ledger_read_end(l);
	}
	t = seconds() - t;
	must(found == n);
	free(asked);
	return (double)n / t;
}

static double find_theirs(size_t n)
{
	struct addr *asked = pick_addresses(n);
	double t = seconds();

	sql_find_all(asked, n);
	t = seconds() - t;
	free(asked);
	return (double)n / t;
}

static void finds(struct ledger *l)
{
	double one[ROUNDS_MAX], many[ROUNDS_MAX], theirs[ROUNDS_MAX];
	const size_t n = 200000;

	for (size_t round = 0; round <= opt.rounds; round++) {
		size_t r = round > 0 ? round - 1 : 0;

		salt = round;
		one[r] = find_ours(l, n, 1);
		many[r] = find_ours(l, n, 100);
		theirs[r] = find_theirs(n);
	}
	printf("find renewed-per=1 ledger=%.0f/s", median(one, opt.rounds));
	printf(" renewed-per-100=%.0f/s sqlite=%.0f/s ratio=%.2f\n",
	    median(many, opt.rounds), median(theirs, opt.rounds),
	    median(one, opt.rounds) / median(theirs, opt.rounds));
	(void)fflush(stdout);
}

/* --- against bare LMDB ---------------------------------------------------- */

static int count_row(void *ctx, const struct lease *row)
{
	(void)row;
	++*(size_t *)ctx;
	return 0;
}

/* Opens and closes the ledger several times: it is closed before and after. */
static void starts(void)
{
	double raw[ROUNDS_MAX], first[ROUNDS_MAX], scan[ROUNDS_MAX];
	struct lease row, out;

	for (size_t round = 0; round <= opt.rounds; round++) {
		size_t r = round > 0 ? round - 1 : 0, rows = 0;
		struct ledger *l;
		double t;

		raw[r] = raw_scan();
		make_lease(round, start, &row);
		t = seconds();
		l = open_ledger(true);
		must(ledger_read_begin(l, NULL) == 0);
		must(ledger_find(l, &row.addr, NULL, 0, start, &out) ==
		     LEDGER_FOUND);
		first[r] = seconds() - t;
		t = seconds();
		must(ledger_each(l, NULL, count_row, &rows) == 0);
		scan[r] = seconds() - t;
		must(rows == opt.leases);
		ledger_read_end(l);
		ledger_close(&l);
	}
	printf("start leases=%zu first-answer=%.3fms raw-scan=%.1fms "
	       "ratio=%.3f\n",
	    opt.leases, median(first, opt.rounds) * 1e3,
	    median(raw, opt.rounds) * 1e3,
	    median(first, opt.rounds) / median(raw, opt.rounds));
	printf("scan ledger=%.1fns raw=%.1fns ratio=%.2f\n",
	    median(scan, opt.rounds) * 1e9 / (double)opt.leases,
	    median(raw, opt.rounds) * 1e9 / (double)opt.leases,
	    median(scan, opt.rounds) / median(raw, opt.rounds));
	(void)fflush(stdout);
}

/* --- main ----------------------------------------------------------------- */

static void read_options(int argc, char **argv)
{
	static const struct option longs[] = { { "leases", 1, NULL, 'l' },
		{ "rounds", 1, NULL, 'r' }, { "expire", 1, NULL, 'e' },
		{ "dir", 1, NULL, 'd' }, { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		if (c == 'l')
			opt.leases = strtoul(optarg, NULL, 10) / 1000 * 1000;
		else if (c == 'r')
			opt.rounds = strtoul(optarg, NULL, 10);
		else if (c == 'e')
			opt.expire = strtoul(optarg, NULL, 10);
		else if (c == 'd')
			opt.dir = optarg;
		else
			exit(EXIT_USER);
	}
	if (opt.leases < 1000 || opt.rounds < 1 || opt.rounds > ROUNDS_MAX)
		die("options", "leases >= 1000, rounds 1 to 31");
	if (opt.expire > opt.leases / 2)
		opt.expire = opt.leases / 2;
}

static void remove_file(const char *dir, const char *name)
{
	char path[PATH_SIZE + 32];

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	(void)unlink(path);
}

static void clean(const char *work)
{
	static const char *const names[] = { "data.mdb", "lock.mdb",
		"ledger.lock" };

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		remove_file(ledger_dir, names[i]);
		remove_file(raw_dir, names[i]);
	}
	(void)rmdir(ledger_dir);
	(void)rmdir(raw_dir);
	remove_file(work, "sqlite");
	remove_file(work, "sqlite-wal");
	remove_file(work, "sqlite-shm");
	(void)rmdir(work);
}

int main(int argc, char **argv)
{
	char work[PATH_SIZE / 2];
	struct ledger *l;

	read_options(argc, argv);
	(void)snprintf(work, sizeof work, "%s/relaypass-bench-XXXXXX", opt.dir);
	if (!mkdtemp(work))
		die(work, strerror(errno));
	(void)snprintf(ledger_dir, sizeof ledger_dir, "%s/ledger", work);
	(void)snprintf(raw_dir, sizeof raw_dir, "%s/raw", work);
	(void)snprintf(sqlite_file, sizeof sqlite_file, "%s/sqlite", work);
	l = open_ledger(true);
	sql_open();
	fill(l);
	writes(l, 100);
	writes(l, 1000);
	finds(l);
	ledger_close(&l);
	sql_close();
	starts();
	expiry();
	clean(work);
	return 0;
}
