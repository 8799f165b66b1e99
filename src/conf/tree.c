/* SPDX-License-Identifier: ISC */
/*
 * tree - sections and their values: made, filled with defaults, freed, looked
 * up and compared. Reading files is conf.c's, printing print.c's.
 */
#include "tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"
#include "value.h"

static void each_of(const struct option *rows,
    void (*fn)(void *ctx, const struct option *row), void *ctx)
{
	for (; rows != NULL && rows->name != NULL; rows++)
		fn(ctx, rows);
}

void tree_each_row(const struct conf_schema *schema,
    const struct conf_kind *kind,
    void (*fn)(void *ctx, const struct option *row), void *ctx)
{
	each_of(schema->options, fn, ctx);
	if (kind != NULL)
		each_of(kind->options, fn, ctx);
}

const char *tree_label(
    const char *word, const char *title, char out[static LABEL_SIZE])
{
	snprintf(out, LABEL_SIZE, "%s%s%s", word, *title ? " " : "", title);
	return out;
}

void tree_clear_value(struct conf_value *value)
{
	for (size_t i = 0; i < value->count; i++)
		free(value->items[i]);
	free(value->items);
	free(value->text);
	value->text = NULL;
	value->items = NULL;
	value->count = 0;
}

void tree_add_item(struct conf_value *value, const char *text, size_t len)
{
	value->items =
	    xrealloc(value->items, value->count + 1, sizeof(*value->items));
	value->items[value->count++] = xstrndup(text, len);
}

static void add_default_item(void *ctx, const char *word, size_t len)
{
	struct conf_value *value = ctx;
	int64_t number;

	tree_add_item(value, word, len);
	must(value_parse(value->row, value->items[value->count - 1], &number));
}

static void count_row(void *ctx, const struct option *row)
{
	size_t *count = ctx;

	(void)row;
	(*count)++;
}

static void add_row(void *ctx, const struct option *row)
{
	struct conf_section *section = ctx;
	struct conf_value *value = &section->values[section->count++];

	value->row = row;
	if (option_is_list(row)) {
		option_each_default(row, add_default_item, value);
	} else if (row->def != NULL) {
		value->text = xstrdup(row->def);
		must(value_parse(row, row->def, &value->number));
	}
}

void tree_init_section(struct conf_section *section,
    const struct conf_schema *schema, const struct conf_kind *kind)
{
	size_t count = 0;

	*section = (struct conf_section){ .schema = schema, .kind = kind };
	tree_each_row(schema, kind, count_row, &count);
	section->values = xcalloc(count + 1, sizeof(*section->values));
	tree_each_row(schema, kind, add_row, section);
}

struct conf_value *tree_value(
    const struct conf_section *section, const char *option)
{
	for (size_t i = 0; i < section->count; i++)
		if (strcmp(section->values[i].row->name, option) == 0)
			return &section->values[i];
	return NULL;
}

void tree_free_section(struct conf_section *section)
{
	for (size_t i = 0; i < section->count; i++)
		tree_clear_value(&section->values[i]);
	mem_free_cleanup(&section->values);
}

struct conf *conf_default(const struct conf_schema *schema)
{
	struct conf *c = xcalloc(1, sizeof(*c));
	size_t rows = 0;

	while (schema[rows].section != NULL)
		rows++;
	c->schema = schema;
	c->sections = xcalloc(rows + 1, sizeof(*c->sections));
	for (size_t i = 0; i < rows; i++)
		if (schema[i].kinds == NULL)
			tree_init_section(
			    &c->sections[c->count++], &schema[i], NULL);
	return c;
}

void conf_free(struct conf **cp)
{
	struct conf *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->count; i++)
		tree_free_section(&c->sections[i]);
	free(c->sections);
	free(c);
}

size_t conf_count(const struct conf *c, const char *section)
{
	size_t count = 0;

	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->sections[i].schema->section, section) == 0)
			count++;
	return count;
}

const struct conf_section *conf_at(
    const struct conf *c, const char *section, size_t i)
{
	const struct conf_section *found = NULL;

	for (size_t at = 0; at < c->count && found == NULL; at++)
		if (strcmp(c->sections[at].schema->section, section) == 0 &&
		    i-- == 0)
			found = &c->sections[at];
	must(found != NULL);
	return found;
}

const char *conf_name(const struct conf_section *s)
{
	return s->title;
}

const char *conf_kind(const struct conf_section *s)
{
	return s->kind != NULL ? s->kind->name : "";
}

int conf_line(const struct conf_section *s)
{
	return s->line;
}

int conf_wrong(
    const struct conf_section *s, struct err *err, const char *format, ...)
{
	char text[sizeof(err->text)], label[LABEL_SIZE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return err_set(err, EXIT_USER, "%s (line %d): %s",
	    tree_label(s->schema->section, s->title, label), s->line, text);
}

/* An option that is not in the table is a mistake of ours. */
static const struct conf_value *wanted(
    const struct conf_section *s, const char *option)
{
	const struct conf_value *value = tree_value(s, option);

	must(value != NULL);
	return value;
}

bool conf_is_set(const struct conf_section *s, const char *option)
{
	return wanted(s, option)->set;
}

const char *conf_string(const struct conf_section *s, const char *option)
{
	const struct conf_value *value = wanted(s, option);

	must(!option_is_list(value->row) && value->text != NULL);
	return value->text;
}

int64_t conf_number(const struct conf_section *s, const char *option)
{
	const struct conf_value *value = wanted(s, option);

	must(option_is_number(value->row));
	return value->number;
}

size_t conf_list_size(const struct conf_section *s, const char *option)
{
	const struct conf_value *value = wanted(s, option);

	must(option_is_list(value->row));
	return value->count;
}

const char *conf_list_at(
    const struct conf_section *s, const char *option, size_t i)
{
	const struct conf_value *value = wanted(s, option);

	must(option_is_list(value->row) && i < value->count);
	return value->items[i];
}

/* Networks are the same when they mean the same: 10.1. is 10.1.0.0/16. */
static bool same_item(const struct option *row, const char *a, const char *b)
{
	struct net x, y;

	if (strcmp(a, b) == 0)
		return true;
	return row->type == OPTION_NETS && net_parse(a, strlen(a), &x) &&
	       net_parse(b, strlen(b), &y) && x.bits == y.bits &&
	       addr_equal(&x.addr, &y.addr);
}

static bool same_value(const struct conf_value *a, const struct conf_value *b)
{
	if (option_is_number(a->row))
		return a->number == b->number;
	if (!option_is_list(a->row))
		return a->text == b->text ||
		       (a->text != NULL && b->text != NULL &&
			   strcmp(a->text, b->text) == 0);
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!same_item(a->row, a->items[i], b->items[i]))
			return false;
	return true;
}

static bool same_section(
    const struct conf_section *a, const struct conf_section *b)
{
	if (strcmp(conf_kind(a), conf_kind(b)) != 0 || a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct conf_value *other =
		    tree_value(b, a->values[i].row->name);

		if (other == NULL || !same_value(&a->values[i], other))
			return false;
	}
	return true;
}

bool conf_has(const struct conf_section *s, const char *option)
{
	return tree_value(s, option) != NULL;
}

bool conf_same_option(const struct conf_section *a,
    const struct conf_section *b, const char *option)
{
	const struct conf_value *x = tree_value(a, option);
	const struct conf_value *y = tree_value(b, option);

	return x && y ? same_value(x, y) : !x && !y;
}

static const struct conf_section *find(
    const struct conf *c, const char *word, const char *title)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->sections[i].schema->section, word) == 0 &&
		    strcmp(c->sections[i].title, title) == 0)
			return &c->sections[i];
	return NULL;
}

/* The order of sections in a file means nothing. */
bool conf_same(const struct conf *a, const struct conf *b, const char *section)
{
	if (conf_count(a, section) != conf_count(b, section))
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct conf_section *mine = &a->sections[i], *other;

		if (strcmp(mine->schema->section, section) != 0)
			continue;
		other = find(b, section, mine->title);
		if (other == NULL || !same_section(mine, other))
			return false;
	}
	return true;
}
