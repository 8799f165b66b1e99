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

enum { LINE_SIZE = 1024, WIDTH = 78 /* of a line, in bytes */ };

/* What roff takes as the byte; NULL: the byte itself. */
static const char *escaped(char c)
{
	return c == '\\' ? "\\e" : c == '"' ? "\\(dq" : c == '-' ? "\\-" : NULL;
}

/* Text that roff takes as it is. */
static void put_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const char *escape = escaped(text[i]);

		if (escape)
			(void)fputs(escape, stdout);
		else
			(void)putchar(text[i]);
	}
}

/* How much of the text fits on a line: to its end, or to a blank. */
static size_t fitting(const char *text)
{
	size_t width = 0, blank = 0, i = 0;

	for (; text[i] != '\0'; i++) {
		const char *escape = escaped(text[i]);

		if (text[i] == ' ' && i > 0)
			blank = i;
		width += escape ? strlen(escape) : 1;
		if (width > WIDTH && blank > 0)
			return blank;
	}
	return i;
}

/* Lines of text: a dot or quote in front would be a macro. */
static void put_line(const char *text)
{
	while (*text != '\0') {
		size_t len = fitting(text);

		(void)fputs(*text == '.' || *text == '\'' ? "\\&" : "", stdout);
		put_text(text, len);
		(void)putchar('\n');
		text += len + (text[len] == ' ');
	}
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
static void put_value(FILE *out, const char *text, size_t len)
{
	bool bare = len > 0 && memchr(text, ' ', len) == NULL;
	const char *quote = bare ? "" : "\"";

	(void)fprintf(out, "%s%.*s%s", quote, (int)len, text, quote);
}

struct words {
	FILE *out;
	bool some;
};

static void put_default_word(void *ctx, const char *word, size_t len)
{
	struct words *w = ctx;

	(void)fputs(w->some ? ", " : " ", w->out);
	put_value(w->out, word, len);
	w->some = true;
}

static void put_default(FILE *out, const struct option *row)
{
	struct words words = { .out = out };

	if (row->def == NULL) {
		(void)fputs("must be given", out);
		return;
	}
	(void)fputs("default", out);
	if (!option_is_list(row))
		put_default_word(&words, row->def, strlen(row->def));
	else if (*row->def != '\0')
		option_each_default(row, put_default_word, &words);
	else
		(void)fputs(" empty", out);
}

static void put_type(FILE *out, const struct option *row)
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

	(void)fputs(words[row->type], out);
	if (row->type == OPTION_CHOICE) {
		option_expects(row, choices);
		choices[0] = 'O';
		(void)fputs(choices, out);
	} else if (row->min != 0 || row->max != 0) {
		(void)fprintf(out, " from %s to %s",
		    value_print(row, row->min, min),
		    value_print(row, row->max, max));
	}
}

static void put_option(const struct option *row)
{
	char line[LINE_SIZE] = "";
	FILE *out = fmemopen(line, sizeof(line) - 1, "w");

	must(out);
	check_help(row->name, row->help);
	(void)printf(".It Ic %s\n", row->name);
	put_sentences(row->help);
	(void)puts(".br");
	put_type(out, row);
	(void)fputs("; ", out);
	put_default(out, row);
	(void)fputs(".", out);
	must(fclose(out) == 0);
	put_line(line);
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
