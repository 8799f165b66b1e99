/* SPDX-License-Identifier: ISC */
/*
 * gen_conf_man - prints relaypass.conf.5: the frame that argv[1] names, with
 * the tables of schema() in the place of its @OPTIONS@ line. Run by the build
 * only. An option without its sentence ends the build here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/value.h"
#include "daemon/schema.h"

enum { LINE_SIZE = 1024 };

/* Text that roff takes as it is. */
static void put_text(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			(void)fputs("\\e", stdout);
		else if (*text == '"')
			(void)fputs("\\(dq", stdout);
		else if (*text == '-')
			(void)fputs("\\-", stdout);
		else
			(void)putchar(*text);
	}
}

/* A line of text: a dot or quote in front would be a macro. */
static void put_line(const char *text)
{
	(void)fputs(*text == '.' || *text == '\'' ? "\\&" : "", stdout);
	put_text(text);
	(void)putchar('\n');
}

/* Each on a line of its own, as roff wants them. */
static void put_sentences(const char *text)
{
	char line[LINE_SIZE];
	const char *end;

	while ((end = strstr(text, ". "))) {
		(void)snprintf(
		    line, sizeof(line), "%.*s.", (int)(end - text), text);
		put_line(line);
		text = end + 2;
	}
	put_line(text);
}

static void check_help(const char *name, const char *help)
{
	size_t len = help != NULL ? strlen(help) : 0;

	if (len >= 10 && help[len - 1] == '.')
		return;
	(void)fprintf(stderr,
	    "%s: its help must be a sentence that ends with a full stop\n",
	    name);
	exit(1);
}

/* A value as a file would have it. */
static void put_value(const char *text, size_t len)
{
	char copy[LINE_SIZE];
	bool bare = len > 0 && memchr(text, ' ', len) == NULL;

	(void)snprintf(copy, sizeof(copy), "%.*s", (int)len, text);
	(void)fputs(bare ? "" : "\\(dq", stdout);
	put_text(copy);
	(void)fputs(bare ? "" : "\\(dq", stdout);
}

static void put_default_word(void *ctx, const char *word, size_t len)
{
	bool *first = ctx;

	(void)fputs(*first ? " " : ", ", stdout);
	put_value(word, len);
	*first = false;
}

static void put_default(const struct option *row)
{
	bool first = true;

	if (row->def == NULL) {
		(void)fputs("must be given", stdout);
		return;
	}
	(void)fputs("default", stdout);
	if (!option_is_list(row))
		put_default_word(&first, row->def, strlen(row->def));
	else if (*row->def != '\0')
		option_each_default(row, put_default_word, &first);
	else
		(void)fputs(" empty", stdout);
}

static void put_type(const struct option *row)
{
	static const char *const words[] = {
		[OPTION_STRING] = "Text",
		[OPTION_PATH] = "Absolute path",
		[OPTION_LIST] = "List",
		[OPTION_NETS] = "List of networks",
		[OPTION_BOOL] = "Yes or no",
		[OPTION_INT] = "Number",
		[OPTION_SIZE] = "Size",
		[OPTION_DURATION] = "Duration",
		[OPTION_CHOICE] = "",
	};
	char min[VALUE_TEXT_SIZE], max[VALUE_TEXT_SIZE];
	char choices[EXPECTED_SIZE];

	put_text(words[row->type]);
	if (row->type == OPTION_CHOICE) {
		option_expects(row, choices);
		choices[0] = 'O';
		put_text(choices);
	} else if (row->min != 0 || row->max != 0) {
		(void)printf(" from %s to %s", value_print(row, row->min, min),
		    value_print(row, row->max, max));
	}
}

static void put_option(const struct option *row)
{
	check_help(row->name, row->help);
	(void)printf(".It Ic %s\n", row->name);
	put_sentences(row->help);
	(void)puts(".br");
	put_type(row);
	(void)fputs("; ", stdout);
	put_default(row);
	(void)puts(".");
}

static void put_options(const struct option *rows)
{
	(void)printf(".Bl -tag -width Ds\n");
	for (; rows->name != NULL; rows++)
		put_option(rows);
	(void)printf(".El\n");
}

static bool has_rows(const struct option *rows)
{
	return rows != NULL && rows->name != NULL;
}

static void put_kinds(const struct conf_schema *schema)
{
	if (schema->kinds[0] == NULL)
		(void)printf(
		    "This version has no kind of %s yet.\n", schema->section);
	for (size_t i = 0; schema->kinds[i] != NULL; i++) {
		const struct conf_kind *kind = schema->kinds[i];

		check_help(kind->name, kind->help);
		(void)printf(".Ss %s, kind = \\(dq%s\\(dq\n", schema->section,
		    kind->name);
		put_sentences(kind->help);
		if (has_rows(kind->options))
			put_options(kind->options);
		else
			(void)printf("It has no options of its own.\n");
	}
}

static void put_section(const struct conf_schema *schema)
{
	check_help(schema->section, schema->help);
	(void)printf(".Ss %s%s\n", schema->section,
	    schema->kinds != NULL ? " NAME" : "");
	put_line(schema->help);
	if (has_rows(schema->options)) {
		if (schema->kinds != NULL)
			(void)printf("Every kind has:\n");
		put_options(schema->options);
	}
	if (schema->kinds != NULL)
		put_kinds(schema);
}

int main(int argc, char **argv)
{
	char line[LINE_SIZE];
	FILE *frame = argc == 2 ? fopen(argv[1], "re") : NULL;

	if (frame == NULL) {
		(void)fputs("usage: gen_conf_man FRAME\n", stderr);
		return 1;
	}
	while (fgets(line, sizeof(line), frame) != NULL) {
		if (strcmp(line, "@OPTIONS@\n") != 0) {
			(void)fputs(line, stdout);
			continue;
		}
		for (const struct conf_schema *s = schema(); s->section; s++)
			put_section(s);
	}
	(void)fclose(frame);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
