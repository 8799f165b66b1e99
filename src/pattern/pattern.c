/* SPDX-License-Identifier: ISC */
/*
 * pattern - pattern files to sets of compiled expressions. Everything is made
 * once, before a lock-down: afterwards the process may neither open files nor
 * make memory executable. Not here: reading a line (matcher.c).
 */
#include "pattern.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "engine.h"

enum { PATH_SIZE = 4096 };

/* The blocks that the lines of one program go through. */
struct plan {
	const char *name; /* NULL: lines of servers' own files */
	const struct pattern_block **blocks;
	size_t n;
};

struct plans {
	struct plan *at;
	size_t n;
};

static bool is_listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	if (!list || !*list)
		return true;
	while (*list) {
		size_t n = strcspn(list, ", ");

		if (n == len && !memcmp(list, name, n))
			return true;
		list += n + strspn(list + n, ", ");
	}
	return false;
}

/* Takes the file over; one of the same name gives way to it. */
static void add_file(struct patterns *p, struct pattern_file *f)
{
	for (size_t i = 0; i < p->count; i++) {
		if (strcmp(p->files[i]->name, f->name) != 0)
			continue;
		pattern_file_free(&p->files[i]);
		p->files[i] = f;
		return;
	}
	p->files =
	    xrealloc(p->files, p->count + 1, sizeof(struct pattern_file *));
	p->files[p->count++] = f;
}

static int load_builtin(struct patterns *p, struct err *err)
{
	for (const struct builtin *b = pattern_builtins; b->path; b++) {
		struct pattern_file *f =
		    pattern_file_parse(b->path, b->text, b->len, err);

		if (!f)
			return -1;
		add_file(p, f);
	}
	return 0;
}

static int load_file(struct patterns *p, const char *path, struct err *err)
{
	struct pattern_file *f = pattern_file_load(path, err);

	if (!f)
		return -1;
	add_file(p, f);
	return 0;
}

static int is_pattern_name(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 8 && d->d_name[0] != '.' &&
	       !strcmp(d->d_name + n - 8, ".pattern");
}

static int load_dir(struct patterns *p, const char *dir, struct err *err)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, is_pattern_name, alphasort), result = 0;

	if (n < 0)
		return errno == ENOENT
			   ? 0
			   : err_errno(err, EXIT_USER, errno, "%s", dir);
	for (int i = 0; i < n; i++) {
		char path[PATH_SIZE];

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		free(names[i]);
		if (result < 0)
			continue;
		result = load_file(p, path, err);
	}
	free(names);
	return result;
}

/* Every word of the list must be a server we know. */
static int check_list(
    const struct patterns *p, const char *list, struct err *err)
{
	while (list && *list) {
		size_t n = strcspn(list, ", "), i = 0;

		while (i < p->count &&
		       (strlen(p->files[i]->name) != n ||
			   memcmp(p->files[i]->name, list, n) != 0))
			i++;
		if (n && i == p->count)
			return err_set(err, EXIT_USER,
			    "no patterns for a server \"%.*s\"; `relaypass "
			    "patterns list` names those there are",
			    (int)n, list);
		list += n + strspn(list + n, ", ");
	}
	return 0;
}

static void drop_unlisted(struct patterns *p, const char *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->count; i++) {
		if (is_listed(list, p->files[i]->name))
			p->files[kept++] = p->files[i];
		else
			pattern_file_free(&p->files[i]);
	}
	p->count = kept;
}

/* Calls fn for every block that stands at this place. */
static void each_block(const struct patterns *p, enum pattern_place place,
    void (*fn)(const struct pattern_block *b, void *ctx), void *ctx)
{
	for (size_t i = 0; i < p->count; i++)
		for (size_t k = 0; k < p->files[i]->block_count; k++)
			if (p->files[i]->blocks[k].place == place)
				fn(&p->files[i]->blocks[k], ctx);
}

static void add_plan(struct plans *plans, const char *name)
{
	for (size_t i = 0; i < plans->n; i++)
		if (!name || !strcmp(plans->at[i].name, name))
			return;
	plans->at = xrealloc(plans->at, plans->n + 1, sizeof(*plans->at));
	plans->at[plans->n++] = (struct plan){ .name = name };
}

static void note_guard(const struct pattern_block *b, void *ctx)
{
	struct patterns *p = ctx;

	p->guarded |= b->senders != NULL;
}

static void add_names(const struct pattern_block *b, void *ctx)
{
	if (b->place == PATTERN_FILE)
		add_plan(ctx, NULL);
	for (size_t i = 0; i < b->names.n; i++)
		add_plan(ctx, b->names.at[i]);
}

/* True when a block's name covers a program, or another name with a '*'. */
static bool covers(const char *block_name, const char *name)
{
	size_t n = strlen(block_name);

	if (!strcmp(block_name, name))
		return true;
	return block_name[n - 1] == '*' && !strncmp(block_name, name, n - 1);
}

static void add_block(const struct pattern_block *b, void *ctx)
{
	struct plan *plan = ctx;
	bool ours = !plan->name;

	for (size_t i = 0; i < b->names.n && !ours; i++)
		ours = covers(b->names.at[i], plan->name);
	if (!ours)
		return;
	plan->blocks = xrealloc(plan->blocks, plan->n + 1, sizeof(void *));
	plan->blocks[plan->n++] = b;
}

/* An expression behind its ^, its groups without their names. */
static void print_expr(FILE *f, const struct pattern_expr *e)
{
	const char *at = e->text + 1;

	for (size_t i = 0; i < e->names.n; i++) {
		const char *name = e->names.name[i].at;

		fwrite(at, 1, (size_t)(name - at) - 2, f);
		at = name + e->names.name[i].len + 1;
	}
	fputs(at, f);
}

/*
 * Puts the expressions of a plan into one alternation. Its groups count from 1
 * in each of them, (?|...), so that few have to be reset for each line; names
 * would have to be the same then, and we know them anyway.
 */
static char *alternation(const struct plan *plan, size_t *alts)
{
	char *text = NULL;
	size_t size = 0, n = 0;
	FILE *f = open_memstream(&text, &size);

	must(f != NULL);
	fputs("^(?|", f);
	for (size_t i = 0; i < plan->n; i++)
		for (size_t k = 0; k < plan->blocks[i]->expr_count; k++, n++) {
			fputs(n ? "|" : "", f);
			print_expr(f, &plan->blocks[i]->exprs[k]);
			fprintf(f, "(*MARK:%zu)", n);
		}
	fputs(")", f);
	must(fclose(f) == 0);
	*alts = n;
	return text;
}

static void add_alts(struct set *s)
{
	struct alt *a = s->alts;

	for (size_t i = 0; i < s->block_count; i++) {
		const struct pattern_block *b = s->blocks[i];

		for (size_t k = 0; k < b->expr_count; k++, a++) {
			const struct safety_names *names = &b->exprs[k].names;

			a->block = b;
			a->kind = b->exprs[k].kind;
			for (size_t n = 0; n < names->n; n++)
				a->group[group_find(names->name[n].at,
				    names->name[n].len)] = (uint8_t)(n + 1);
		}
	}
}

/* Bytes, not characters: the classes are lists of bytes, and what a stranger
 * types need not be UTF-8. */
static pcre2_code *compile_text(const char *text, int *code)
{
	PCRE2_SIZE at;

	return pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
	    PCRE2_ANCHORED | PCRE2_DOLLAR_ENDONLY | PCRE2_DOTALL |
		PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C,
	    code, &at, NULL);
}

static const char *path_of(
    const struct patterns *p, const struct pattern_block *b)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct pattern_file *f = p->files[i];

		if (b >= f->blocks && b < f->blocks + f->block_count)
			return f->path;
	}
	return b->server;
}

/* What PCRE2 has against a plan: at the line of the expression that it refuses
 * by itself, or against all of them together. */
static int tell_refusal(const struct patterns *p, const struct plan *plan,
    int together, struct err *err)
{
	char why[128] = "";
	int code;

	for (size_t i = 0; i < plan->n; i++)
		for (size_t k = 0; k < plan->blocks[i]->expr_count; k++) {
			const struct pattern_expr *e =
			    &plan->blocks[i]->exprs[k];
			pcre2_code *alone = compile_text(e->text, &code);

			pcre2_code_free(alone);
			if (alone)
				continue;
			pcre2_get_error_message(
			    code, (PCRE2_UCHAR *)why, sizeof(why));
			return err_set(err, EXIT_USER, "%s:%d: %s",
			    path_of(p, plan->blocks[i]), e->line, why);
		}
	pcre2_get_error_message(together, (PCRE2_UCHAR *)why, sizeof(why));
	return err_set(err, EXIT_USER, "%s: the expressions of %s together: %s",
	    path_of(p, plan->blocks[0]), plan->name ? plan->name : "its file",
	    why);
}

static int compile(
    struct patterns *p, struct set *s, const struct plan *plan, struct err *err)
{
	AUTO_FREE char *text = alternation(plan, &s->alt_count);
	uint32_t pairs = 0;
	int code;

	s->blocks = plan->blocks;
	s->block_count = plan->n;
	s->alts = xcalloc(s->alt_count, sizeof(*s->alts));
	add_alts(s);
	s->code = compile_text(text, &code);
	if (!s->code)
		return tell_refusal(p, plan, code, err);
	if (p->jit && pcre2_jit_compile(s->code, PCRE2_JIT_COMPLETE) != 0)
		p->jit = false;
	pcre2_pattern_info(s->code, PCRE2_INFO_CAPTURECOUNT, &pairs);
	if (pairs + 1 > p->pairs)
		p->pairs = pairs + 1;
	return 0;
}

/* A set that goes through the same blocks, or NULL. */
static const struct set *find_set(
    const struct patterns *p, const struct plan *plan)
{
	for (size_t i = 0; i < p->set_count; i++) {
		const struct set *s = &p->sets[i];

		if (s->block_count == plan->n &&
		    !memcmp(s->blocks, plan->blocks, plan->n * sizeof(void *)))
			return s;
	}
	return NULL;
}

/* The set of a plan, new or shared; it takes over the plan's list of blocks.
 * NULL: one without expressions, or an error. */
static const struct set *set_of(
    struct patterns *p, struct plan *plan, struct err *err)
{
	const struct set *s = find_set(p, plan);
	size_t exprs = 0;

	for (size_t i = 0; i < plan->n; i++)
		exprs += plan->blocks[i]->expr_count;
	if (!s && exprs) {
		/* Counted even when it fails: patterns_close() releases it. */
		struct set *fresh = &p->sets[p->set_count++];

		s = compile(p, fresh, plan, err) < 0 ? NULL : fresh;
	} else {
		free(plan->blocks);
	}
	plan->blocks = NULL;
	return s;
}

static int fill_table(struct patterns *p, struct tag_table *t,
    struct plans *plans, struct err *err)
{
	engine_table_init(t, plans->n);
	for (size_t i = 0; i < plans->n; i++) {
		const char *name = plans->at[i].name;
		const struct set *s = set_of(p, &plans->at[i], err);

		if (err->code)
			return -1;
		if (!s)
			continue;
		if (!name) {
			p->own = s;
			continue;
		}
		engine_table_add(t, name, s);
		if (t == &p->programs)
			engine_quick_add(p, name, strcspn(name, "*"));
	}
	return 0;
}

static int build(struct patterns *p, struct err *err)
{
	struct tag_table none = { 0 };
	struct tag_table *tables[] = { &p->programs, &p->leads, &none };
	struct plans plans[3] = { 0 };
	size_t total = 0;
	int result = 0;

	for (int place = 0; place < 3; place++) {
		struct plans *of = &plans[place];

		each_block(p, (enum pattern_place)place, note_guard, p);
		each_block(p, (enum pattern_place)place, add_names, of);
		for (size_t i = 0; i < of->n; i++)
			each_block(p, (enum pattern_place)place, add_block,
			    &of->at[i]);
		total += of->n;
	}
	p->sets = xcalloc(total, sizeof(*p->sets));
	engine_quick_add_facilities(p);
	for (int place = 0; place < 3; place++) {
		if (!result)
			result =
			    fill_table(p, tables[place], &plans[place], err);
		for (size_t i = 0; i < plans[place].n; i++)
			free(plans[place].at[i].blocks);
		free(plans[place].at);
	}
	free(none.slots);
	free(none.stars);
	return result;
}

struct patterns *patterns_open(
    const struct patterns_options *o, struct err *err)
{
	struct patterns *p = xcalloc(1, sizeof(*p));
	struct err own = { 0 };
	uint32_t has_jit = 0;

	/* Reads the zone file now: later there may be no files. */
	tzset();
	pcre2_config(PCRE2_CONFIG_JIT, &has_jit);
	p->jit = has_jit && !o->no_jit;
	if (load_builtin(p, &own) < 0 ||
	    (o->dir && *o->dir && load_dir(p, o->dir, &own) < 0) ||
	    (o->file && load_file(p, o->file, &own) < 0) ||
	    check_list(p, o->servers, &own) < 0) {
		patterns_close(&p);
	} else {
		drop_unlisted(p, o->servers);
		if (build(p, &own) < 0)
			patterns_close(&p);
	}
	if (!p && err)
		*err = own;
	return p;
}

void patterns_close(struct patterns **pp)
{
	struct patterns *p = *pp;

	*pp = NULL;
	if (!p)
		return;
	for (size_t i = 0; i < p->set_count; i++) {
		pcre2_code_free(p->sets[i].code);
		free(p->sets[i].alts);
		free(p->sets[i].blocks);
	}
	for (size_t i = 0; i < p->count; i++)
		pattern_file_free(&p->files[i]);
	free(p->programs.slots);
	free(p->programs.stars);
	free(p->leads.slots);
	free(p->leads.stars);
	free(p->sets);
	free(p->files);
	free(p);
}

bool patterns_have_jit(const struct patterns *p)
{
	return p->jit;
}

size_t patterns_count(const struct patterns *p)
{
	return p->count;
}

const struct pattern_file *patterns_file(const struct patterns *p, size_t i)
{
	return p->files[i];
}
