/* SPDX-License-Identifier: ISC */
/*
 * patterns_check - see the header. What an expression may hold was refused
 * already when the file was read (pattern/safety.h); this runs what was taken.
 */
#include "patterns_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* DESIGN section 4: what an expression may cost. */
static const double cost_limit = 50;
/* So late that every stamp of a sample has a reading. */
static const int64_t late = 4102444800000;

static void mistake(struct pattern_check *c, const struct pattern_file *f,
    int line, const char *text)
{
	c->mistakes++;
	c->tell(c->ctx, f, line, text);
}

/* Opens the patterns of some servers, or (NULL) of all; file may be NULL. */
static struct patterns *open_some(
    struct pattern_check *c, const char *file, const char *servers, bool no_jit)
{
	const struct patterns_options o = { .dir = c->dir,
		.file = file,
		.servers = servers,
		.no_jit = no_jit };
	struct err err = { 0 };
	struct patterns *p = patterns_open(&o, &err);

	if (!p)
		mistake(c, NULL, 0, err.text);
	return p;
}

/* --- samples -------------------------------------------------------------- */

struct sample_run {
	struct pattern_check *check;
	const char *how; /* "", or under which condition */
};

static void wrong_sample(
    void *ctx, const struct pattern_file *f, int line, const char *why)
{
	const struct sample_run *run = ctx;
	char text[900];

	snprintf(text, sizeof(text), "the sample %s%s", why, run->how);
	mistake(run->check, f, line, text);
}

static size_t run_samples(struct pattern_check *c, const struct patterns *p,
    const struct pattern_file *f, const char *how)
{
	struct sample_run run = { c, how };

	return p ? patterns_run_samples(p, f, wrong_sample, &run) : 1;
}

/* Logins and logouts of `from` that `by`, other servers, take for theirs. */
static void check_clash(struct pattern_check *c,
    const struct pattern_file *from, const struct patterns *by)
{
	struct matcher *m = matcher_new(by);

	for (size_t i = 0; i < from->sample_count; i++) {
		const struct pattern_sample *s = &from->samples[i];
		struct login l;
		char text[120];

		if (s->kind == LOGIN_NOTHING ||
		    matcher_line(m, s->text, s->text_len, late, 0, &l) ==
			LOGIN_NOTHING)
			continue;
		snprintf(text, sizeof(text),
		    "the sample is a line of %s too: which of them wrote it "
		    "cannot be told",
		    l.server);
		mistake(c, from, s->line, text);
	}
	matcher_free(&m);
}

/* "dovecot,courier": all but one; to be freed. */
static char *others(const struct patterns *all, const char *name)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	const char *comma = "";

	must(out != NULL);
	for (size_t i = 0; i < patterns_count(all); i++) {
		if (!strcmp(patterns_file(all, i)->name, name))
			continue;
		fprintf(out, "%s%s", comma, patterns_file(all, i)->name);
		comma = ",";
	}
	must(fclose(out) == 0);
	return text;
}

/* --- one file ------------------------------------------------------------- */

static void check_clashes(struct pattern_check *c, const char *path,
    const struct pattern_file *f, const struct patterns *alone,
    const struct patterns *all)
{
	AUTO_FREE char *names = others(all, f->name);
	struct patterns *rest =
	    *names ? open_some(c, path, names, false) : NULL;

	if (rest)
		check_clash(c, f, rest);
	for (size_t i = 0; rest && i < patterns_count(rest); i++)
		check_clash(c, patterns_file(rest, i), alone);
	patterns_close(&rest);
}

/* A file that nothing is tested with proves nothing. */
static void check_has_samples(
    struct pattern_check *c, const struct pattern_file *f)
{
	size_t logins = 0, none = 0;

	for (size_t i = 0; i < f->sample_count; i++) {
		logins += f->samples[i].kind == LOGIN_IN;
		none += f->samples[i].kind == LOGIN_NOTHING;
	}
	if (!logins)
		mistake(c, f, 0,
		    "no `sample login`: give it a line of the log with its ip= "
		    "and user=, or nothing shows that it works");
	if (!none)
		c->note(c->ctx, f, 0,
		    "no `sample none`: lines that must give nothing, such as a "
		    "login that failed, show that it takes no more than it "
		    "should");
}

static void note_replaced(struct pattern_check *c, const struct pattern_file *f)
{
	struct err err = { 0 };
	struct patterns *known =
	    patterns_open(&(struct patterns_options){ 0 }, &err);
	char text[120];

	for (size_t i = 0; known && i < patterns_count(known); i++) {
		if (strcmp(patterns_file(known, i)->name, f->name) != 0)
			continue;
		snprintf(text, sizeof(text),
		    "takes the place of the patterns of %s that relaypass "
		    "brings along",
		    f->name);
		c->note(c->ctx, f, 0, text);
	}
	patterns_close(&known);
}

static void note_user(
    void *ctx, const struct pattern_file *f, int line, const char *name)
{
	struct pattern_check *c = ctx;
	char text[200];

	snprintf(text, sizeof(text),
	    "uid: this host has no user \"%s\"; lines are taken of no process "
	    "under that name",
	    name);
	c->note(c->ctx, f, line, text);
}

static void check_loaded(
    struct pattern_check *c, const char *path, const struct pattern_file *f)
{
	struct patterns *alone = open_some(c, path, f->name, false), *all,
			*slow;

	if (!alone)
		return;
	all = open_some(c, path, NULL, false);
	slow = open_some(c, path, f->name, true);
	check_has_samples(c, f);
	/* Each thing is told once. */
	if (!run_samples(c, alone, f, "") &&
	    !run_samples(c, slow, f, " (without PCRE2's JIT)") && all)
		run_samples(c, all, f, " (together with all other servers)");
	if (all)
		check_clashes(c, path, f, alone, all);
	note_replaced(c, f);
	pattern_file_unknown_users(f, note_user, c);
	patterns_close(&slow);
	patterns_close(&all);
	patterns_close(&alone);
}

struct pattern_file *patterns_check_file(
    struct pattern_check *c, const char *path)
{
	struct err err = { 0 };
	struct pattern_file *f = pattern_file_load(path, &err);

	if (!f)
		mistake(c, NULL, 0, err.text);
	else
		check_loaded(c, path, f);
	return f;
}

void patterns_check_costs(struct pattern_check *c, const struct pattern_file *f,
    void (*fn)(const struct pattern_file *f, const struct pattern_expr *e,
	double steps))
{
	for (size_t i = 0; i < f->block_count; i++)
		for (size_t k = 0; k < f->blocks[i].expr_count; k++) {
			const struct pattern_expr *e = &f->blocks[i].exprs[k];
			double cost = pattern_cost(f, e);
			char text[120];

			fn(f, e, cost);
			if (cost <= cost_limit)
				continue;
			snprintf(text, sizeof(text),
			    "costs %.0f steps a byte, %.0f are allowed: leave "
			    "out alternatives and optional parts",
			    cost, cost_limit);
			mistake(c, f, e->line, text);
		}
}

/* --- all files ------------------------------------------------------------ */

size_t patterns_check_all(struct pattern_check *c, const struct patterns *all)
{
	struct patterns *slow = open_some(c, NULL, NULL, true);
	size_t samples = 0;

	for (size_t i = 0; i < patterns_count(all); i++) {
		const struct pattern_file *f = patterns_file(all, i);
		AUTO_FREE char *names = others(all, f->name);
		struct patterns *rest =
		    *names ? open_some(c, NULL, names, false) : NULL;

		samples += f->sample_count;
		if (!run_samples(c, all, f, ""))
			run_samples(c, slow, f, " (without PCRE2's JIT)");
		if (rest)
			check_clash(c, f, rest);
		patterns_close(&rest);
	}
	patterns_close(&slow);
	return samples;
}
