/* SPDX-License-Identifier: ISC */
/*
 * match - how fast lines become logins, in process, against reading the file
 * and finding its line ends, which is the limit (SPEED.md, G1 G6 G7 G8).
 *
 *   bench-match [--rounds 7] FILE...
 *
 * For each file, interleaved rounds of: limit (read and memchr), all patterns,
 * the patterns of one server, all without the JIT. Prints one line a row, with
 * the median and its ratio to the limit; every mode must find the same logins.
 */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/line.h"
#include "base/mem.h"
#include "pattern/pattern.h"

enum { CHUNK = 256 * 1024, ROUNDS_MAX = 31, MODES = 4 };

/* The end of what bench-gen-maillog writes, and a wide skew. */
static const int64_t bench_now = 1795197900000, bench_skew = 86400000;

struct mode {
	const char *name, *servers;
	bool match, no_jit;
	struct patterns *patterns;
	double seconds[ROUNDS_MAX];
	uint64_t lines, logins, sum;
};

static struct mode modes[MODES] = {
	{ .name = "limit" },
	{ .name = "all", .match = true },
	{ .name = "one-server", .servers = "dovecot", .match = true },
	{ .name = "no-jit", .match = true, .no_jit = true },
};

struct run {
	struct mode *mode;
	struct matcher *matcher;
};

static void take_line(void *ctx, const char *line, size_t len, size_t end)
{
	struct run *r = ctx;
	uint64_t half[2];
	struct login l;

	(void)end;
	r->mode->lines++;
	if (matcher_line(r->matcher, line, len, bench_now, bench_skew, &l) !=
	    LOGIN_IN)
		return;
	r->mode->logins++;
	memcpy(half, l.addr.bytes, sizeof(half));
	r->mode->sum = (r->mode->sum * 31 + half[0]) * 31 + half[1];
}

/* The limit: what every reader of lines must do. */
static void find_lines(struct mode *m, const char *chunk, size_t len)
{
	for (size_t at = 0; at < len;) {
		const char *lf = memchr(chunk + at, '\n', len - at);

		if (!lf)
			return;
		m->lines++;
		at = (size_t)(lf - chunk) + 1;
	}
}

static double run_mode(struct mode *m, int fd)
{
	static char chunk[CHUNK];
	static struct line_splitter splitter;
	struct run r = { .mode = m };
	uint64_t began;
	ssize_t n;

	m->lines = m->logins = m->sum = 0;
	line_reset(&splitter);
	if (m->match)
		r.matcher = matcher_new(m->patterns);
	lseek(fd, 0, SEEK_SET);
	began = uv_hrtime();
	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		if (m->match)
			line_feed(&splitter, chunk, (size_t)n, take_line, &r);
		else
			find_lines(m, chunk, (size_t)n);
	}
	began = uv_hrtime() - began;
	matcher_free(&r.matcher);
	return (double)began / 1e9;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_size);
	return v[n / 2];
}

static int bench_file(const char *path, int rounds)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	const char *name = strrchr(path, '/');
	double limit = 0, all = 0, best_limit = 0;

	if (size <= 0) {
		fprintf(stderr, "bench-match: cannot read %s\n", path);
		return 111;
	}
	for (int round = -1; round < rounds; round++) /* one to warm up */
		for (int i = 0; i < MODES; i++) {
			double s = run_mode(&modes[i], fd);

			if (round >= 0)
				modes[i].seconds[round] = s;
		}
	for (int i = 0; i < MODES; i++) {
		struct mode *m = &modes[i];
		double s = median(m->seconds, rounds);

		/* Sorted by now: the quickest round is the least disturbed. */
		best_limit = i ? best_limit : m->seconds[0];
		limit = i ? limit : s;
		all = i == 1 ? s : all;
		printf("match file=%s mode=%s mb_s=%.0f mlines_s=%.2f "
		       "of_limit=%.3f best_of_limit=%.3f of_all=%.2f "
		       "logins=%" PRIu64 " sum=%016" PRIx64 "\n",
		    name ? name + 1 : path, m->name, (double)size / s / 1e6,
		    (double)m->lines / s / 1e6, limit / s,
		    best_limit / m->seconds[0], i ? all / s : 0, m->logins,
		    m->sum);
		fflush(stdout);
	}
	if (modes[1].sum != modes[3].sum) {
		fprintf(stderr, "bench-match: the modes disagree\n");
		return 101;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "rounds", 1, 0, 'r' },
		{ 0 } };
	int rounds = 7, result = 0;
	struct err err = { 0 };

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c != 'r')
			return 100;
		rounds = (int)strtol(optarg, NULL, 10);
		if (rounds < 1 || rounds > ROUNDS_MAX)
			return 100;
	}
	for (int i = 1; i < MODES; i++) {
		struct patterns_options o = { .servers = modes[i].servers,
			.no_jit = modes[i].no_jit };

		modes[i].patterns = patterns_open(&o, &err);
		if (!modes[i].patterns) {
			fprintf(stderr, "bench-match: %s\n", err.text);
			return err.code;
		}
	}
	for (int i = optind; i < argc && !result; i++)
		result = bench_file(argv[i], rounds);
	for (int i = 1; i < MODES; i++)
		patterns_close(&modes[i].patterns);
	return result;
}
