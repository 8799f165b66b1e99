/* SPDX-License-Identifier: ISC */
/*
 * tree - what a configuration is made of inside this room: filled by conf.c,
 * looked at by access.c and print.c.
 */
#ifndef CONF_TREE_H
#define CONF_TREE_H
#include "conf.h"
#include "scan.h"

/* One value of a section, by its row. */
struct conf_value {
	const struct option *row;
	bool set;       /* by the file */
	int64_t number; /* types that are numbers */
	char *text;     /* as written, types that are no lists */
	char **items;   /* lists */
	size_t count;
};

struct conf_section {
	const struct conf_schema *schema;
	const struct conf_kind *kind; /* NULL for plain ones */
	char title[SCAN_NAME_MAX + 1];
	int line;
	size_t count;
	struct conf_value *values; /* one a row, common ones first */
};

struct conf {
	const struct conf_schema *schema;
	size_t count;
	struct conf_section *sections; /* by schema row, then as in the file */
};

/* Calls fn for each row that a section of this kind (NULL: plain) has. */
void tree_each_row(const struct conf_schema *schema,
    const struct conf_kind *kind,
    void (*fn)(void *ctx, const struct option *row), void *ctx);
/* "listener postfix", "lease". Returns out. */
enum { LABEL_SIZE = 2 * SCAN_NAME_MAX + 2 };
const char *tree_label(
    const char *word, const char *title, char out[static LABEL_SIZE]);
/* A section of this row with every value at its default; NULL text where there
 * is none. The caller counts it in. */
void tree_init_section(struct conf_section *section,
    const struct conf_schema *schema, const struct conf_kind *kind);
void tree_free_section(struct conf_section *section);
struct conf_value *tree_value(
    const struct conf_section *section, const char *option);
void tree_add_item(struct conf_value *value, const char *text, size_t len);
void tree_clear_value(struct conf_value *value);
#endif
