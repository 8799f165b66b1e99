/* SPDX-License-Identifier: ISC */
/*
 * patterns - `relaypass patterns`: the servers whose logs are understood, one
 * of their files, the test of an administrator's own file, and the proposal of
 * one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/line.h"
#include "base/mem.h"
#include "cli.h"
#include "conf/conf.h"
#include "grid.h"
#include "jsonl.h"
#include "patterns_check.h"
#include "patterns_learn.h"

struct work {
	const struct verb_env *env;
	bool json;
	char *dir; /* of the configuration */
	struct learn_hints hints;
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
	static const char *const titles[] = { "SERVER", "FROM", "SAMPLES",
		"ABOUT" };
	struct grid *g = w->json ? NULL : grid_new(titles, COUNT_OF(titles), 0);

	for (size_t i = 0; i < patterns_count(p); i++) {
		const struct pattern_file *f = patterns_file(p, i);
		char number[24];

		if (w->json) {
			json_server(f);
			continue;
		}
		grid_put(g, f->name);
		grid_put(g, *f->path == '/' ? f->path : "built in");
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

	if (!f) {
		char shown[80];
		fprintf(stderr,
		    "relaypass: no such server: \"%s\"; `relaypass patterns "
		    "list` names those there are\n",
		    cli_safe(name, strlen(name), shown, sizeof(shown)));
		return EXIT_USER;
	}
	fwrite(f->source, 1, f->source_len, stdout);
	return cli_done(EXIT_YES);
}

/* "FILE:LINE: TEXT", every byte of a stranger escaped. */
static void say(
    const struct pattern_file *f, int line, const char *what, const char *text)
{
	char path[400], safe[1000];

	if (f)
		fprintf(stderr, "%s:",
		    cli_safe(f->path, strlen(f->path), path, sizeof(path)));
	if (f && line)
		fprintf(stderr, "%d:", line);
	fprintf(stderr, "%s%s%s\n", f ? " " : "", what,
	    cli_safe(text, strlen(text), safe, sizeof(safe)));
}

static void say_mistake(
    void *ctx, const struct pattern_file *f, int line, const char *text)
{
	(void)ctx;
	say(f, line, "", text);
}

static void say_note(
    void *ctx, const struct pattern_file *f, int line, const char *text)
{
	(void)ctx;
	say(f, line, "note: ", text);
}

/* All servers' samples: by themselves, without the JIT, and through every other
 * server. */
static int test_all(struct work *w, const struct patterns *all)
{
	struct pattern_check c = {
		.dir = w->dir, .tell = say_mistake, .note = say_note
	};
	size_t samples = patterns_check_all(&c, all);

	printf("%zu servers, %zu samples, %zu mistakes%s\n",
	    patterns_count(all), samples, c.mistakes,
	    patterns_have_jit(all) ? "" : " (no JIT here)");
	return cli_done(c.mistakes ? EXIT_NO : EXIT_YES);
}

static void print_cost(
    const struct pattern_file *f, const struct pattern_expr *e, double steps)
{
	printf("%s:%d: %s, at most %.2f steps a byte\n", f->path, e->line,
	    pattern_kind_name(e->kind), steps);
	fflush(stdout);
}

/* A file is read, and refused, as the daemon would; then its samples and costs,
 * and whether it and another server take each other's lines. */
static int check(struct work *w, const char *path)
{
	struct pattern_check c = {
		.dir = w->dir, .tell = say_mistake, .note = say_note
	};
	struct pattern_file *f = patterns_check_file(&c, path);

	if (!f)
		return EXIT_USER;
	patterns_check_costs(&c, f, print_cost);
	printf("%s: %zu expressions, %zu samples, %zu mistakes\n", path,
	    expr_count(f), f->sample_count, c.mistakes);
	pattern_file_free(&f);
	return cli_done(c.mistakes ? EXIT_USER : EXIT_YES);
}

/* --- learn ---------------------------------------------------------------- */

struct learning {
	struct learn *learn;
	struct err *err;
};

static void take_line(void *ctx, const char *line, size_t len, size_t end)
{
	struct learning *l = ctx;

	(void)end;
	if (!l->err->code)
		learn_line(l->learn, line, len, l->err);
}

/* All lines, also a last one without LF: it was put there by hand. */
static int read_lines(struct learn *learn, const char *path, struct err *err)
{
	AUTO_CLOSE int own =
	    strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	int fd = strcmp(path, "-") ? own : STDIN_FILENO;
	struct learning l = { learn, err };
	static struct line_splitter splitter;
	char chunk[65536];
	ssize_t n = fd < 0 ? -1 : 1;

	line_reset(&splitter);
	while (n > 0 && !err->code) {
		n = read(fd, chunk, sizeof(chunk));
		if (n > 0)
			line_feed(&splitter, chunk, (size_t)n, take_line, &l);
	}
	if (n < 0)
		return err_errno(err, EXIT_USER, errno, "%s", path);
	if (splitter.held && !err->code)
		learn_line(learn, splitter.part, splitter.held, err);
	if (splitter.dropped && !err->code)
		err_set(err, EXIT_NO, "a line is longer than %d bytes",
		    LINE_MAX_BYTES);
	return err->code ? -1 : 0;
}

/* The notes go to the terminal, the file to where it is wanted. */
static int learn(struct work *w, const char *path)
{
	struct learn *l;
	struct err err = { 0 };
	char *text = NULL;

	w->hints.dir = w->dir;
	l = learn_new(&w->hints);
	if (!strcmp(path, "-") && isatty(STDIN_FILENO))
		fputs("Paste lines of logins that succeeded, then press "
		      "Ctrl-D:\n",
		    stderr);
	if (read_lines(l, path, &err) == 0)
		text = learn_propose(l, &err);
	if (text) {
		fputs(text, stdout);
		for (size_t i = 0; learn_note(l, i); i++)
			say_note(NULL, NULL, 0, learn_note(l, i));
	}
	free(text);
	learn_free(&l);
	return err.code ? cli_fail(&err) : cli_done(EXIT_YES);
}

/* --- the verb ------------------------------------------------------------- */

extern const struct verb verb_patterns;

static int with_all(struct work *w, const char **words)
{
	const char *what = words[0];
	struct patterns *p;
	struct err err = { 0 };
	int code;

	p = patterns_open(&(struct patterns_options){ .dir = w->dir }, &err);
	if (!p)
		return cli_fail(&err);
	code = !strcmp(what, "show")   ? show(p, words[1])
	       : !strcmp(what, "test") ? test_all(w, p)
				       : list(w, p);
	patterns_close(&p);
	return code;
}

static int dispatch(struct work *w, const char **words, int n)
{
	const char *what = words[0];
	struct err err = { 0 };

	if (!strcmp(what, "check") && n == 2)
		return check(w, words[1]);
	if (!strcmp(what, "learn") && n <= 2)
		return learn(w, n == 2 ? words[1] : "-");
	if ((n == 1 && (!strcmp(what, "list") || !strcmp(what, "test"))) ||
	    (n == 2 && !strcmp(what, "show")))
		return with_all(w, words);
	err_set(&err, EXIT_USER,
	    "expected list, show NAME, check FILE, learn [FILE] or test");
	return cli_usage(&verb_patterns, &err);
}

static bool has_hints(const struct learn_hints *h)
{
	return h->server || h->user || h->ip;
}

static int run(const struct verb_env *env, int argc, char **argv)
{
	struct work w = { .env = env, .json = env->json };
	const struct cli_option options[] = {
		{ "json", 0, NULL, &w.json },
		{ "server", 's', &w.hints.server, NULL },
		{ "user", 'u', &w.hints.user, NULL },
		{ "ip", 'i', &w.hints.ip, NULL },
		{ 0 },
	};
	const char *words[2] = { "list", NULL };
	struct err err = { 0 };
	int n = cli_options(argc, argv, options, words, 2, &err), code;
	struct conf *conf;

	if (n >= 0 && has_hints(&w.hints) && strcmp(words[0], "learn") != 0)
		n = err_set(&err, EXIT_USER,
		    "--server, --user and --ip belong to learn");
	if (n < 0)
		return cli_usage(&verb_patterns, &err);
	conf = cli_conf(env, &err);
	if (!conf)
		return cli_fail(&err);
	w.dir = xstrdup(
	    conf_string(conf_at(conf, "relaypass", 0), "pattern-directory"));
	conf_free(&conf);
	code = dispatch(&w, words, n ? n : 1);
	free(w.dir);
	return code;
}

const struct verb verb_patterns = {
	.name = "patterns",
	.usage = "patterns [list | show NAME | check FILE | learn [--server "
		 "NAME] [--user NAMES] [--ip ADDRESSES] [FILE] | test] "
		 "[--json]",
	.help = "The servers whose logs are understood, and their patterns.",
	.run = run,
};
