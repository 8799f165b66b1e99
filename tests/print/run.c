/* SPDX-License-Identifier: ISC */
/*
 * run - lines of each row against all patterns:
 *
 *   print_formats SERVER...            rows of these servers, and their pairs
 *   print_formats SERVER ROW LINE      one line again, and what came of it
 *
 * A grant must be the truth: somebody authenticated, from this address, as this
 * user. Of the good lines with ordinary names 99.9 % must be granted. Lines are
 * also cut (at every byte of some of them), and two are run together.
 *
 * RELAYPASS_PRINT_LINES   lines of each row (default 4000)
 * RELAYPASS_SEED          another seed; the one in use is printed
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "pattern/file.h"
#include "pattern/pattern.h"
#include "print.h"

enum {
	SWEEP = 512, /* every so many lines one is cut at every byte */
	PARTS = 8,   /* of a pair's lines, not all are logins */
	WORLDS = 64  /* with one matcher */
};

static struct {
	struct patterns *patterns;
	uint64_t seed;
	size_t count;
} run;

/* Where a line lost its end: anywhere, or right behind the stranger's text,
 * whose length he chose. */
static size_t cut_of(struct rng *r, const struct line *l)
{
	size_t end = l->user + l->user_len;

	if (!l->user_len || rng_one_in(r, 2))
		return rng_below(r, l->text.len + 1);
	end -= rng_below(r, 4);
	return end < l->text.len ? end : l->text.len;
}

static unsigned heads_of(const struct server *s, const struct format *f)
{
	return f->heads ? f->heads : s->heads;
}

/* Another line of the server in the same file. */
static void print_another(
    struct line *out, struct rng *r, const struct server *s, unsigned head)
{
	const struct format *f;
	struct scene scene = { .head = head };
	struct variants v;

	do
		f = &s->formats[rng_below(r, s->count)];
	while (f->kind == SHAPE || !(heads_of(s, f) & head));
	v = variants_of(f->text);
	line_print(out, r, s, f, &v, &scene);
	variants_free(&v);
}

/* The end of one line never came, and another was written behind it. */
static void run_together(struct test *t, const struct line *first)
{
	static struct line second;
	static struct text both;
	struct line truth = *first;
	size_t cut = first->text.len;

	print_another(&second, &t->rng, t->server, first->head);
	if (!rng_one_in(&t->rng, 3)) {
		cut = cut_of(&t->rng, first);
		cut += cut == 0;
		truth.login = truth.login && cut == first->text.len;
	}
	both.len = 0;
	text_put(&both, first->text.at, cut);
	text_put(&both, second.text.at, second.text.len);
	judge(t, both.at, both.len, GLUED, &truth, &second);
}

static void run_line(struct test *t)
{
	static struct line l;
	struct scene scene = { 0 };
	size_t way;

	t->rng =
	    rng_from(run.seed ^ rng_hash(t->server->name), t->row, t->line);
	line_print(&l, &t->rng, t->server, &t->server->formats[t->row],
	    t->variants, &scene);
	way = rng_below(&t->rng, 8);
	if (way < 6)
		judge(t, l.text.at, l.text.len, WHOLE, &l, NULL);
	else if (way < 7)
		judge(t, l.text.at, cut_of(&t->rng, &l), CUT, &l, NULL);
	else
		run_together(t, &l);
	for (size_t n = 0; t->line % SWEEP == 0 && n < l.text.len; n++)
		judge(t, l.text.at, n, CUT, &l, NULL);
}

static void add(struct counts *to, const struct counts *c)
{
	to->lines += c->lines;
	to->ordinary += c->ordinary;
	to->granted += c->granted;
	to->others += c->others;
	to->misnamed += c->misnamed;
	to->undecidable += c->undecidable;
	to->wrong += c->wrong;
	to->missed += c->missed;
}

static void tell(const char *name, const struct counts *c)
{
	(void)printf("%-20s %10zu lines, %9zu ordinary logins, %9zu granted; "
		     "%9zu others, %zu misnamed, %zu undecidable, %zu wrong\n",
	    name, c->lines, c->ordinary, c->granted, c->others, c->misnamed,
	    c->undecidable, c->wrong);
	(void)fflush(stdout);
}

static bool is_good(const struct counts *c)
{
	return !c->wrong && c->granted * 1000 >= c->ordinary * 999;
}

/* All lines of a row, or one. */
static bool run_row(
    const struct server *s, size_t row, const size_t *only, struct counts *sum)
{
	struct variants v = variants_of(s->formats[row].text);
	struct counts c = { 0 };
	struct test t = { .server = s, .row = row, .variants = &v };
	char name[64];

	t.shown = only != NULL;
	t.counts = &c;
	t.matcher = matcher_new(run.patterns);
	for (t.line = only ? *only : 0; t.line < (only ? *only + 1 : run.count);
	     t.line++)
		run_line(&t);
	matcher_free(&t.matcher);
	variants_free(&v);
	(void)snprintf(name, sizeof(name), "%s %zu", s->name, row);
	tell(name, &c);
	add(sum, &c);
	if (s->formats[row].kind == LOGIN && !only && !c.ordinary)
		(void)printf("%s: no ordinary login among so few\n", name);
	return is_good(&c);
}

static bool run_pairs(const char *name, const size_t *only, struct counts *sum)
{
	const struct pair *p = pair_find(name);
	struct counts c = { 0 };
	struct test t = {
		.server = server_find(name), .counts = &c, .shown = only != NULL
	};
	char label[64];

	if (!p)
		return true;
	t.row = t.server->count;
	for (t.line = only ? *only : 0;
	     only ? t.line == *only : c.lines < run.count * PARTS; t.line++) {
		/* Its memory of connections is bounded. */
		if (!t.matcher || t.line % WORLDS == 0) {
			matcher_free(&t.matcher);
			t.matcher = matcher_new(run.patterns);
		}
		pair_play(p, &t, run.seed);
	}
	matcher_free(&t.matcher);
	(void)snprintf(label, sizeof(label), "%s pairs", name);
	tell(label, &c);
	add(sum, &c);
	return is_good(&c);
}

static bool has_pattern(const char *name)
{
	for (size_t i = 0; i < patterns_count(run.patterns); i++)
		if (!strcmp(patterns_file(run.patterns, i)->name, name))
			return true;
	return !strcmp(name, "others");
}

static bool run_server(const char *name, struct counts *sum)
{
	const struct server *s = server_find(name);
	bool good = true;

	if (!s || !has_pattern(name)) {
		(void)fprintf(stderr, "%s: there is no such %s\n", name,
		    s ? "pattern" : "server");
		return false;
	}
	for (size_t row = 0; row < s->count; row++)
		if (s->formats[row].kind != SHAPE)
			good &= run_row(s, row, NULL, sum);
	return run_pairs(name, NULL, sum) && good;
}

static void prepare(void)
{
	const char *seed = getenv("RELAYPASS_SEED");
	const char *lines = getenv("RELAYPASS_PRINT_LINES");
	struct patterns_options o = { 0 };
	struct err err = { 0 };

	setenv("TZ", "UTC", 1);
	tzset();
	run.seed = seed ? strtoull(seed, NULL, 0) : 20261120;
	run.count = lines ? strtoul(lines, NULL, 10) : 4000;
	run.patterns = patterns_open(&o, &err);
	if (!run.patterns) {
		(void)fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	stranger_prepare(run.seed);
	(void)printf("RELAYPASS_SEED=%" PRIu64 " RELAYPASS_PRINT_LINES=%zu\n",
	    run.seed, run.count);
}

/* print_formats SERVER ROW LINE */
static bool run_again(char **argv)
{
	const struct server *s = server_find(argv[1]);
	size_t row = strtoul(argv[2], NULL, 10);
	size_t line = strtoul(argv[3], NULL, 10);
	struct counts sum = { 0 };

	if (s && row == s->count)
		return run_pairs(s->name, &line, &sum);
	return s && row < s->count && run_row(s, row, &line, &sum);
}

int main(int argc, char **argv)
{
	struct counts sum = { 0 };
	bool good = argc > 1;

	prepare();
	if (argc == 4 && argv[2][0] >= '0' && argv[2][0] <= '9') {
		good = run_again(argv);
	} else {
		for (int i = 1; i < argc; i++)
			good &= run_server(argv[i], &sum);
		tell("all", &sum);
		(void)printf("%.1f s\n", (double)clock() / CLOCKS_PER_SEC);
	}
	patterns_close(&run.patterns);
	return good ? 0 : 1;
}
