/* SPDX-License-Identifier: ISC */
/* store_expire - expiry of half of the leases while look-ups run beside it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "store.h"

enum { TIMES_MAX = 1 << 21 };
struct lookups {
	_Atomic int phase; /* 0 wait, 1 idle, 2 expiry, 3 end */
	size_t counts[3];
	float us[3][TIMES_MAX];
};

/* A process of its own, as an answerer is: a few look-ups, then a pause, so
 * that it does not take the second core away from the one that is measured. */
static void lookups_run(struct lookups *s)
{
	struct ledger *l = open_ledger(false);
	struct timespec pause = { 0, 50000 };
	struct lease row, out;
	size_t n = 0;

	while (s->phase != 3) {
		int phase = s->phase;
		double t;

		for (int i = 0; i < 8; i++, n++) {
			make_lease(pick_random(n), start, &row);
			t = seconds();
			if (ledger_read_begin(l, NULL) < 0)
				die("read", "begin");
			(void)ledger_find(l, &row.addr, NULL, 0, start, &out);
			ledger_read_end(l);
			if (phase > 0 && s->counts[phase] < TIMES_MAX)
				s->us[phase][s->counts[phase]++] =
				    (float)((seconds() - t) * 1e6);
		}
		(void)nanosleep(&pause, NULL);
	}
	ledger_close(&l);
}

static int by_float(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static double p99(float *v, size_t n)
{
	if (n == 0)
		return 0;
	qsort(v, n, sizeof *v, by_float);
	return (double)v[n * 99 / 100];
}

/* As the keeper's sweep does it: looks first, then deletes what it found. */
enum { LOOK_AT = 2000 };
struct expiry {
	struct ledger *l;
	struct addr next;
	size_t seen, found, gone;
	struct lease rows[LOOK_AT];
};

static int expire_row(void *ctx, const struct lease *row)
{
	struct expiry *e = ctx;

	e->next = row->addr;
	if (e->seen >= LOOK_AT)
		return 1;
	e->seen++;
	if (to_expire(row->addr.bytes))
		e->rows[e->found++] = *row;
	return 0;
}

static double expire_ours(size_t *gone_r)
{
	static struct expiry e;
	struct err err;
	double t;
	int more = 1;

	e.l = open_ledger(true);
	t = seconds();
	while (more && e.gone < opt.expire) {
		struct addr from = e.next;

		e.seen = e.found = 0;
		if (ledger_begin(e.l, start, &err) < 0)
			die("begin", err.text);
		more = ledger_each(e.l, &from, expire_row, &e);
		for (size_t i = 0; i < e.found; i++)
			ledger_delete(e.l, &e.rows[i]);
		if (ledger_commit(e.l, &err) < 0) {
			if (err.code != EXIT_AGAIN)
				die("commit", err.text);
			e.next = from;
			continue;
		}
		e.gone += e.found;
	}
	t = seconds() - t;
	ledger_close(&e.l);
	*gone_r = e.gone;
	return t;
}

static void copy_ledger(void)
{
	char from[PATH_SIZE + 16], to[PATH_SIZE + 16];
	char buffer[65536];
	FILE *in, *out;
	size_t n;

	(void)snprintf(from, sizeof from, "%s/data.mdb", ledger_dir);
	(void)snprintf(to, sizeof to, "%s/data.mdb", raw_dir);
	(void)mkdir(raw_dir, 0700);
	in = fopen(from, "re");
	out = fopen(to, "we");
	if (!in || !out)
		die(to, strerror(errno));
	while ((n = fread(buffer, 1, sizeof buffer, in)) > 0)
		if (fwrite(buffer, 1, n, out) != n)
			die(to, strerror(errno));
	(void)fclose(in);
	(void)fflush(out);
	(void)fdatasync(fileno(out));
	(void)fclose(out);
}

void expiry(void)
{
	struct lookups *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t ours_gone, raw_gone;
	double ours, raw, idle, busy;
	pid_t child;

	must(s != MAP_FAILED);
	copy_ledger();
	child = fork();
	must(child >= 0);
	if (child == 0) {
		lookups_run(s);
		_exit(0);
	}
	(void)sleep(1); /* it opens and warms up */
	s->phase = 1;
	(void)sleep(2);
	s->phase = 0;
	raw = raw_expire(&raw_gone);
	s->phase = 2;
	ours = expire_ours(&ours_gone);
	s->phase = 3;
	(void)waitpid(child, NULL, 0);
	idle = p99(s->us[1], s->counts[1]);
	busy = p99(s->us[2], s->counts[2]);
	printf("expire leases=%zu ledger=%.0f/s raw=%.0f/s ratio=%.2f\n",
	    ours_gone, (double)ours_gone / ours, (double)raw_gone / raw,
	    (double)ours_gone / ours * raw / (double)raw_gone);
	printf("expire-lookup p99=%.1fus idle-p99=%.1fus lookups=%zu "
	       "ratio=%.2f\n",
	    busy, idle, s->counts[2], busy / idle);
}
