/* SPDX-License-Identifier: ISC */
/*
 * print - a configuration as a file that reads back to the same values.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tree.h"
#include "value.h"

struct printer {
	void (*put)(void *ctx, const char *text);
	void *ctx;
	bool comments;
	const char *lead; /* "#" where only a template is printed */
};

static void put_text(const struct printer *p, const char *text)
{
	p->put(p->ctx, text);
}

static void put_quoted(const struct printer *p, const char *text)
{
	put_text(p, "\"");
	for (; *text != '\0'; text++) {
		char piece[3] = { *text, '\0', '\0' };

		if (*text == '"' || *text == '\\' || *text == '$') {
			piece[0] = '\\';
			piece[1] = *text;
		}
		put_text(p, piece);
	}
	put_text(p, "\"");
}

static void put_list(const struct printer *p, const struct conf_value *value)
{
	put_text(p, "{");
	for (size_t i = 0; i < value->count; i++) {
		if (i > 0)
			put_text(p, ", ");
		put_quoted(p, value->items[i]);
	}
	put_text(p, "}");
}

static void put_value(const struct printer *p, const struct conf_value *value)
{
	char text[VALUE_TEXT_SIZE];

	if (option_is_list(value->row))
		put_list(p, value);
	else if (value->row->type == OPTION_INT)
		put_text(p, value_print(value->row, value->number, text));
	else if (option_is_number(value->row))
		put_quoted(p, value_print(value->row, value->number, text));
	else
		put_quoted(p, value->text != NULL ? value->text : "");
}

static void put_comment(const struct printer *p, const char *help)
{
	if (!p->comments || help == NULL)
		return;
	put_text(p, p->lead);
	put_text(p, "\t# ");
	put_text(p, help);
	put_text(p, "\n");
}

/* A value that the user must give is there only in what a file gave. */
static void put_option(const struct printer *p, const struct conf_value *value)
{
	bool missing = !option_is_list(value->row) && value->text == NULL;

	if (missing && p->lead[0] == '\0')
		return;
	put_comment(p, value->row->help);
	put_text(p, p->lead);
	put_text(p, "\t");
	put_text(p, value->row->name);
	put_text(p, " = ");
	if (missing)
		put_text(p, "... (must be given)");
	else
		put_value(p, value);
	put_text(p, "\n");
}

static void put_section(
    const struct printer *p, const struct conf_section *section)
{
	const char *help =
	    section->kind != NULL ? section->kind->help : section->schema->help;

	if (p->comments && help != NULL) {
		put_text(p, "# ");
		put_text(p, help);
		put_text(p, "\n");
	}
	put_text(p, p->lead);
	put_text(p, section->schema->section);
	put_text(p, section->title[0] != '\0' ? " " : "");
	put_text(p, section->title);
	put_text(p, " {\n");
	if (section->kind != NULL) {
		put_text(p, p->lead);
		put_text(p, "\tkind = ");
		put_quoted(p, section->kind->name);
		put_text(p, "\n");
	}
	for (size_t i = 0; i < section->count; i++)
		put_option(p, &section->values[i]);
	put_text(p, p->lead);
	put_text(p, "}\n\n");
}

/* Where the file has no section of this word: each kind, as a comment. */
static void put_template(
    const struct printer *p, const struct conf_schema *schema)
{
	struct printer template = *p;

	template.lead = "#";
	for (size_t i = 0; schema->kinds[i] != NULL; i++) {
		struct conf_section section;

		tree_init_section(&section, schema, schema->kinds[i]);
		memcpy(section.title, "NAME", sizeof("NAME"));
		put_section(&template, &section);
		tree_free_section(&section);
	}
}

void conf_print(const struct conf *c, bool comments,
    void (*put)(void *ctx, const char *text), void *ctx)
{
	struct printer p = { put, ctx, comments, "" };

	for (const struct conf_schema *row = c->schema; row->section; row++) {
		for (size_t i = 0; i < c->count; i++)
			if (c->sections[i].schema == row)
				put_section(&p, &c->sections[i]);
		if (comments && row->kinds != NULL &&
		    conf_count(c, row->section) == 0)
			put_template(&p, row);
	}
}
