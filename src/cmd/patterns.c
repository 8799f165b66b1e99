/* SPDX-License-Identifier: ISC */
/*
 * patterns - `relaypass patterns`: the servers whose logs are understood, one
 * of their files, and the test of an administrator's own file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli.h"
#include "conf/conf.h"
#include "grid.h"
#include "jsonl.h"
#include "pattern/file.h"
#include "pattern/pattern.h"

/* DESIGN section 4: what an expression may cost. */
static const double cost_limit = 50;

struct work {
	const struct verb_env *env;
	bool json;
	char *dir; /* of the configuration */
	size_t wrong;
};

static size_t expr_count(const struct pattern_file *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->block_count; i++)
		n += f->blocks[i].expr_count;
	return n;
}

/* The programs of all blocks, each once, with blanks between. */
static char *program_list(const struct pattern_file *f)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	must(out);
	for (size_t i = 0; i < f->block_count; i++)
		for (size_t k = 0; k < f->blocks[i].names.n &&
				   f->blocks[i].place == PATTERN_PROGRAM;
		     k++)
			fprintf(out, "%s%s", ftell(out) ? " " : "",
			    f->blocks[i].names.at[k]);
	must(fclose(out) == 0);
	return text;
}

static void json_server(const struct pattern_file *f)
{
	AUTO_FREE char *programs = program_list(f);
	json_t *object = json_object();

	jsonl_put(object, "server", f->name);
	jsonl_put(object, "file", f->path);
	jsonl_put(object, "programs", programs);
	jsonl_put_int(object, "expressions", (int64_t)expr_count(f));
	jsonl_put_int(object, "samples", (int64_t)f->sample_count);
	jsonl_put(object, "about", f->about ? f->about : "");
	jsonl_print(object);
}

static int list(struct work *w, const struct patterns *p)
{
	static const char *const titles[] = { "SERVER", "EXPRESSIONS",
		"SAMPLES", "ABOUT" };
	struct grid *g = w->json ? NULL : grid_new(titles, COUNT_OF(titles), 0);

	for (size_t i = 0; i < patterns_count(p); i++) {
		const struct pattern_file *f = patterns_file(p, i);
		char number[24];

		if (w->json) {
			json_server(f);
			continue;
		}
		grid_put(g, f->name);
		snprintf(number, sizeof(number), "%zu", expr_count(f));
		grid_put(g, number);
		snprintf(number, sizeof(number), "%zu", f->sample_count);
		grid_put(g, number);
		grid_put(g, f->about ? f->about : "");
	}
	if (g)
		grid_end(&g);
	return cli_done(EXIT_YES);
}

static const struct pattern_file *find(
    const struct patterns *p, const char *name)
{
	for (size_t i = 0; i < patterns_count(p); i++)
		if (!strcmp(patterns_file(p, i)->name, name))
			return patterns_file(p, i);
	return NULL;
}

/* The file itself: a site that must differ begins with a copy of it. */
static int show(const struct patterns *p, const char *name)
{
	const struct pattern_file *f = find(p, name);

	if (!f)
		return EXIT_NO;
	fwrite(f->source, 1, f->source_len, stdout);
	return cli_done(EXIT_YES);
}

static void wrong_sample(
    void *ctx, const struct pattern_file *f, int line, const char *why)
{
	struct work *w = ctx;
	char safe[900];

	w->wrong++;
	fprintf(stderr, "%s:%d: the sample %s\n", f->path, line,
	    cli_safe(why, strlen(why), safe, sizeof(safe)));
}

/* Opens the patterns of one server, or (NULL) of all; file may be NULL. */
static struct patterns *open_some(
    const struct work *w, const char *file, const char *server, bool no_jit)
{
	const struct patterns_options o = {
		.dir = w->dir, .file = file, .servers = server, .no_jit = no_jit
	};
	struct err err = { 0 };
	struct patterns *p = patterns_open(&o, &err);

	if (!p)
		cli_fail(&err);
	return p;
}

/* Samples of `from` that are logins, run through `by`: they must give nothing.
 */
static void check_clash(struct work *w, const struct pattern_file *from,
    const struct patterns *by, const char *by_name)
{
	struct matcher *m = matcher_new(by);

	for (size_t i = 0; i < from->sample_count; i++) {
		const struct pattern_sample *s = &from->samples[i];
		struct login l;

		/* A clock so late that every stamp has a reading. */
		if (matcher_line(m, s->text, s->text_len, 4102444800000, 0,
			&l) == LOGIN_NOTHING)
			continue;
		w->wrong++;
		fprintf(stderr, "%s:%d: the sample is a line of %s too\n",
		    from->path, s->line, by_name);
	}
	matcher_free(&m);
}

/* All servers' samples: by themselves, all together, without the JIT, and
 * through every other server. */
static int test_all(struct work *w, const struct patterns *all)
{
	struct patterns *slow = open_some(w, NULL, NULL, true);
	size_t samples = 0;

	if (!slow)
		return EXIT_USER;
	for (size_t i = 0; i < patterns_count(all); i++) {
		const struct pattern_file *f = patterns_file(all, i);
		struct patterns *alone = open_some(w, NULL, f->name, false);

		samples += f->sample_count;
		patterns_run_samples(all, f, wrong_sample, w);
		patterns_run_samples(slow, f, wrong_sample, w);
		for (size_t k = 0; alone && k < patterns_count(all); k++)
			if (k != i)
				check_clash(
				    w, patterns_file(all, k), alone, f->name);
		patterns_close(&alone);
	}
	patterns_close(&slow);
	printf("%zu servers, %zu samples, %zu wrong%s\n", patterns_count(all),
	    samples, w->wrong, patterns_have_jit(all) ? "" : " (no JIT here)");
	return cli_done(w->wrong ? EXIT_NO : EXIT_YES);
}

static void check_costs(struct work *w, const struct pattern_file *f)
{
	for (size_t i = 0; i < f->block_count; i++)
		for (size_t k = 0; k < f->blocks[i].expr_count; k++) {
			const struct pattern_expr *e = &f->blocks[i].exprs[k];
			double cost = pattern_cost(f, e);

			printf("%s:%d: %s, at most %.1f steps a byte\n",
			    f->path, e->line, pattern_kind_name(e->kind), cost);
			if (cost <= cost_limit)
				continue;
			w->wrong++;
			fprintf(stderr, "%s:%d: more than %.0f steps a byte\n",
			    f->path, e->line, cost_limit);
		}
}

/* A file is read, and refused, as the daemon would; then its samples and costs,
 * and whether it and another server take each other's lines. */
static int check(struct work *w, const char *path)
{
	struct err err = { 0 };
	struct pattern_file *f = pattern_file_load(path, &err);
	struct patterns *alone, *all, *slow;

	if (!f)
		return cli_fail(&err);
	alone = open_some(w, path, f->name, false);
	slow = open_some(w, path, f->name, true);
	all = open_some(w, path, NULL, false);
	if (!alone || !slow || !all) {
		w->wrong++;
	} else {
		check_costs(w, f);
		patterns_run_samples(alone, f, wrong_sample, w);
		patterns_run_samples(slow, f, wrong_sample, w);
		for (size_t i = 0; i < patterns_count(all); i++) {
			const struct pattern_file *other =
			    patterns_file(all, i);
			struct patterns *by;

			if (!strcmp(other->name, f->name))
				continue;
			check_clash(w, other, alone, f->name);
			by = open_some(w, NULL, other->name, false);
			if (by)
				check_clash(w, f, by, other->name);
			patterns_close(&by);
		}
		printf("%s: %zu expressions, %zu samples, %zu mistakes\n", path,
		    expr_count(f), f->sample_count, w->wrong);
	}
	patterns_close(&alone);
	patterns_close(&slow);
	patterns_close(&all);
	pattern_file_free(&f);
	return cli_done(w->wrong ? EXIT_USER : EXIT_YES);
}

extern const struct verb verb_patterns;

static int dispatch(struct work *w, const char **words, int n)
{
	const char *what = n ? words[0] : "list";
	struct err err = { 0 };
	struct patterns *p;
	int code;

	if (!strcmp(what, "check") && n == 2)
		return check(w, words[1]);
	if (!((n < 2 && (!strcmp(what, "list") || !strcmp(what, "test"))) ||
		(n == 2 && !strcmp(what, "show")))) {
		err_set(&err, EXIT_USER,
		    "expected list, show NAME, check FILE or test");
		return cli_usage(&verb_patterns, &err);
	}
	p = open_some(w, NULL, NULL, false);
	if (!p)
		return EXIT_USER;
	code = !strcmp(what, "show")   ? show(p, words[1])
	       : !strcmp(what, "test") ? test_all(w, p)
				       : list(w, p);
	patterns_close(&p);
	if (code == EXIT_NO && !strcmp(what, "show"))
		fprintf(stderr, "relaypass: no such server; see relaypass "
				"patterns list\n");
	return code;
}

static int run(const struct verb_env *env, int argc, char **argv)
{
	struct work w = { .env = env, .json = env->json };
	const struct cli_option options[] = {
		{ "json", 0, NULL, &w.json },
		{ 0 },
	};
	const char *words[2];
	struct err err = { 0 };
	int n = cli_options(argc, argv, options, words, 2, &err), code;
	struct conf *conf = n < 0 ? NULL : cli_conf(env, &err);

	if (n < 0)
		return cli_usage(&verb_patterns, &err);
	if (!conf)
		return cli_fail(&err);
	w.dir = xstrdup(
	    conf_string(conf_at(conf, "relaypass", 0), "pattern-directory"));
	conf_free(&conf);
	code = dispatch(&w, words, n);
	free(w.dir);
	return code;
}

const struct verb verb_patterns = {
	.name = "patterns",
	.usage = "patterns [list | show NAME | check FILE | test] [--json]",
	.help = "The servers whose logs are understood, and their patterns.",
	.run = run,
};
