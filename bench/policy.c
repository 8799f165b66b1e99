/* SPDX-License-Identifier: ISC */
/*
 * policy - answers a second and their latency, against a bare epoll loop of the
 * same protocol's shape in the same run (SPEED goals G12, G13, G16).
 *
 *   bench-policy [-r ROUNDS] [-s SECONDS] [-c 1,16,100] [-l 10000,1000000]
 *                [-h HIT] [-t unix,tcp] [-d RELAYPASSD] [-m] [-w]
 *
 * -d asks the real daemon; else our server, decide and ledger in one process.
 * -m asks over one connection while 10,000 logins a second arrive. One row a
 * line; medians of rounds that take turns; ratio is to the epoll loop. The one
 * who asks never sleeps, so that the price of waking it (an interrupt to
 * another core, more than the rest of an answer) is in neither figure; with -w
 * it does.
 */
#include "policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tests/unit/listener_conf.h"
#include "base/clock.h"

enum { LIST_MAX = 8, ROUNDS_MAX = 50, LOGINS = 10000, NOBODY = 65534 };

struct list {
	unsigned long at[LIST_MAX];
	size_t n;
};

struct settings {
	unsigned rounds, hit;
	double seconds;
	struct list connections, leases;
	bool over_unix, over_tcp, mixed, waits;
	const char *daemon;
};

/* What is compared: first the yardstick, then one target a ledger. */
struct field {
	char dir[64];
	char dirs[LIST_MAX][80];
	struct target targets[LIST_MAX + 1];
	size_t n;
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const struct result *r, size_t n, size_t offset)
{
	double v[ROUNDS_MAX];

	for (size_t i = 0; i < n; i++)
		memcpy(&v[i], (const char *)&r[i] + offset, sizeof(v[i]));
	qsort(v, n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static struct result medians(const struct result *r, size_t n)
{
	return (struct result){ median(r, n, offsetof(struct result, rate)),
		median(r, n, offsetof(struct result, p50)),
		median(r, n, offsetof(struct result, p99)),
		median(r, n, offsetof(struct result, cpu)) };
}

/* --- rows ------------------------------------------------------------------
 */

/* One load on every target, in turns. */
static void compare(
    const struct settings *s, const struct field *f, struct load load)
{
	static struct result results[LIST_MAX + 1][ROUNDS_MAX];
	struct result bare;

	load.hit = s->hit;
	load.seconds = s->seconds;
	load.waits = s->waits;
	for (unsigned round = 0; round < s->rounds; round++) {
		for (size_t i = 0; i < f->n; i++) {
			uint64_t leases = f->targets[i].leases;
			load.leases = leases ? leases : 10000;
			results[i][round] = client_run(&f->targets[i], &load);
		}
	}
	bare = medians(results[0], s->rounds);
	for (size_t i = 1; i < f->n; i++) {
		struct result r = medians(results[i], s->rounds);
		printf(
		    "policy server=%s client=%s transport=%s connections=%u "
		    "leases=%llu rate=%.0f p50us=%.1f p99us=%.1f "
		    "echo_rate=%.0f echo_p50us=%.1f echo_p99us=%.1f "
		    "cpu_us=%.2f echo_cpu_us=%.2f cpu_ratio=%.3f ratio=%.3f\n",
		    s->daemon ? "daemon" : "process",
		    s->waits ? "waits" : "polls", load.tcp ? "tcp" : "unix",
		    load.connections, (unsigned long long)f->targets[i].leases,
		    r.rate, r.p50, r.p99, bare.rate, bare.p50, bare.p99, r.cpu,
		    bare.cpu, bare.cpu / r.cpu, r.rate / bare.rate);
		(void)fflush(stdout);
	}
}

static void compare_all(const struct settings *s, const struct field *f)
{
	for (size_t i = 0; i < s->connections.n; i++) {
		struct load load = { .connections =
					 (unsigned)s->connections.at[i] };
		if (s->over_unix)
			compare(s, f, load);
		load.tcp = true;
		if (s->over_tcp)
			compare(s, f, load);
	}
}

/* The last target alone, while logins arrive, against the idle yardstick. */
static void compare_mixed(const struct settings *s, const struct field *f)
{
	const struct target *t = &f->targets[f->n - 1];
	struct result bare[ROUNDS_MAX], idle[ROUNDS_MAX], busy[ROUNDS_MAX];
	struct result b, i, m;
	struct load load = { .connections = 1,
		.hit = s->hit,
		.leases = t->leases,
		.seconds = s->seconds,
		.waits = s->waits };

	for (unsigned round = 0; round < s->rounds; round++) {
		struct target logins = { 0 };
		bare[round] = client_run(&f->targets[0], &load);
		idle[round] = client_run(t, &load);
		target_logins(
		    &logins, f->dirs[f->n - 2], LOGINS, s->daemon != NULL);
		(void)usleep(300000); /* past the start of the writer */
		busy[round] = client_run(t, &load);
		target_stop(&logins);
	}
	b = medians(bare, s->rounds);
	i = medians(idle, s->rounds);
	m = medians(busy, s->rounds);
	printf(
	    "policy-mixed server=%s client=%s transport=unix connections=1 "
	    "leases=%llu "
	    "logins=%d p50us=%.1f p99us=%.1f idle_p50us=%.1f idle_p99us=%.1f "
	    "echo_p50us=%.1f echo_p99us=%.1f ratio=%.2f\n",
	    s->daemon ? "daemon" : "process", s->waits ? "waits" : "polls",
	    (unsigned long long)t->leases, LOGINS, m.p50, m.p99, i.p50, i.p99,
	    b.p50, b.p99, m.p99 / b.p99);
}

/* --- set-up ----------------------------------------------------------------
 */

static void make_dir(char *path)
{
	if (mkdtemp(path) == NULL)
		policy_fail(path);
	if (geteuid() == 0 && chown(path, NOBODY, NOBODY) < 0)
		policy_fail(path);
}

static void start(const struct settings *s, struct field *f)
{
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/bench-policy-XXXXXX");
	make_dir(f->dir);
	/* The daemon keeps its uid when it is not root, and needs no users. */
	if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
		policy_fail("setuid");
	target_echo(&f->targets[f->n++], f->dir);
	for (size_t i = 0; i < s->leases.n; i++) {
		struct target *t = &f->targets[f->n++];
		(void)snprintf(
		    f->dirs[i], sizeof(f->dirs[i]), "%s/XXXXXX", f->dir);
		make_dir(f->dirs[i]);
		policy_fill(f->dirs[i], s->leases.at[i]);
		if (s->daemon)
			target_daemon(
			    t, f->dirs[i], s->leases.at[i], s->daemon);
		else
			target_answer(t, f->dirs[i], s->leases.at[i]);
	}
	policy_pin(CORE_CLIENT);
}

static void stop(struct field *f)
{
	while (f->n)
		target_stop(&f->targets[--f->n]);
	listener_conf_remove(f->dir);
}

static bool read_list(const char *text, struct list *out)
{
	char *end;

	for (out->n = 0; out->n < LIST_MAX; text = end + 1) {
		out->at[out->n++] = strtoul(text, &end, 10);
		if (end == text || out->at[out->n - 1] == 0)
			return false;
		if (!*end)
			return true;
		if (*end != ',')
			return false;
	}
	return false;
}

static bool read_options(struct settings *s, int argc, char **argv)
{
	bool good = true;
	int c;

	while (good && (c = getopt(argc, argv, "r:s:c:l:h:t:d:mw")) != -1) {
		if (c == 'r')
			s->rounds = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 's')
			s->seconds = strtod(optarg, NULL);
		else if (c == 'c')
			good = read_list(optarg, &s->connections);
		else if (c == 'l')
			good = read_list(optarg, &s->leases);
		else if (c == 'h')
			s->hit = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 't')
			s->over_unix = strstr(optarg, "unix") != NULL,
			s->over_tcp = strstr(optarg, "tcp") != NULL;
		else if (c == 'd')
			s->daemon = optarg;
		else if (c == 'm')
			s->mixed = true;
		else if (c == 'w')
			s->waits = true;
		else
			good = false;
	}
	return good && optind == argc && s->rounds >= 1 &&
	       s->rounds <= ROUNDS_MAX && s->seconds > 0;
}

int main(int argc, char **argv)
{
	struct settings s = { .rounds = 5,
		.hit = 50,
		.seconds = 1,
		.connections = { { 1, 16, 100 }, 3 },
		.leases = { { 10000, 1000000 }, 2 },
		.over_unix = true,
		.over_tcp = true };
	struct field f = { .n = 0 };

	if (!read_options(&s, argc, argv)) {
		(void)fprintf(stderr,
		    "usage: bench-policy [-r ROUNDS] [-s SECONDS] "
		    "[-c CONNECTIONS,...] [-l LEASES,...] [-h HIT] "
		    "[-t unix,tcp] [-d RELAYPASSD] [-m] [-w]\n");
		return 100;
	}
	clock_init();
	start(&s, &f);
	if (s.mixed)
		compare_mixed(&s, &f);
	else
		compare_all(&s, &f);
	stop(&f);
	return 0;
}
