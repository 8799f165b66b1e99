/* SPDX-License-Identifier: ISC */
/*
 * sections - whether the sections of a file are those of the schema.
 */
#include "sections.h"

#include <string.h>

#include "mistake.h"
#include "tree.h"

/* A section of the same word and name that stands before s, or NULL. */
static const struct scan_section *earlier(const struct scan *scan,
    const struct scan_section *s, const struct conf_schema *schema)
{
	for (const struct scan_section *at = scan->sections; at != s; at++)
		if (strcmp(at->word, s->word) == 0 &&
		    (schema->kinds == NULL || strcmp(at->title, s->title) == 0))
			return at;
	return NULL;
}

int sections_no_kind(const struct conf_schema *schema, const char *label,
    const char *kind, const char *file, int line, struct err *err)
{
	char found[SHOWN_SIZE], has[300] = "";

	for (size_t i = 0; schema->kinds[i] != NULL; i++)
		listed(has, sizeof(has), schema->kinds[i]->name);
	return mistake(err, file, line,
	    "%s: there is no kind '%s' of %s; there are: %s", label,
	    shown(kind, strlen(kind), found), schema->section, has);
}

static bool is_kind(const struct conf_schema *schema, const char *name)
{
	for (size_t i = 0; schema->kinds[i] != NULL; i++)
		if (strcmp(schema->kinds[i]->name, name) == 0)
			return true;
	return false;
}

static int check_one(const struct scan *scan, const struct scan_section *s,
    const struct conf_schema *schema, const char *file, struct err *err)
{
	const struct scan_section *first = earlier(scan, s, schema);
	char label[LABEL_SIZE];

	tree_label(s->word, s->title, label);
	if (first != NULL)
		return mistake(err, file, s->line,
		    "%s: there is one already, on line %d", label, first->line);
	if (schema->kinds == NULL && s->title[0] != '\0')
		return mistake(err, file, s->line,
		    "%s: this section has no name, but '%s' stands there",
		    s->word, s->title);
	if (schema->kinds == NULL)
		return 0;
	if (schema->kinds[0] == NULL)
		return mistake(err, file, s->line,
		    "%s: this version has no kind of %s yet; remove the "
		    "section",
		    label, s->word);
	if (s->title[0] == '\0')
		return mistake(err, file, s->line,
		    "%s: a name is missing, as in: %s NAME { ... }", s->word,
		    s->word);
	if (s->kind[0] != '\0' && !is_kind(schema, s->kind))
		return sections_no_kind(
		    schema, label, s->kind, file, s->kind_line, err);
	return 0;
}

int sections_check(const struct scan *scan, const struct conf_schema *schema,
    const char *file, struct err *err)
{
	for (size_t i = 0; i < scan->count; i++) {
		const struct scan_section *s = &scan->sections[i];
		const struct conf_schema *row = schema;
		char has[300] = "";

		for (; row->section != NULL; row++) {
			if (strcmp(row->section, s->word) == 0)
				break;
			listed(has, sizeof(has), row->section);
		}
		if (row->section == NULL)
			return mistake(err, file, s->line,
			    "there is no section '%s'; there are: %s", s->word,
			    has);
		if (check_one(scan, s, row, file, err) != 0)
			return -1;
	}
	return 0;
}
