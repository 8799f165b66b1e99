/* SPDX-License-Identifier: ISC */
/*
 * fuzz_perl_conf - any bytes as a predecessor's configuration. Nothing is told
 * that is not there: the text names the variable of a value, lines only
 * grow, and no value holds a NUL or is longer than the file. And nothing that
 * stands in a here-document, a string, a regular expression or a function is
 * a setting.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/perl_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	const char *text;
	size_t len;
	int line;
};

static void check(void *ctx, const struct perl_fact *f)
{
	struct seen *seen = ctx;
	size_t word = strcspn(f->name, "{ ");

	must(f->name && strlen(f->name) <= 2 * PERL_NAME_MAX + 3);
	must(f->line >= seen->line);
	seen->line = f->line;
	must(f->text >= seen->text &&
	     f->text + f->text_len <= seen->text + seen->len);
	must(!memchr(f->text, '\n', f->text_len));
	if (f->value)
		must(word && memmem(seen->text, seen->len, f->name, word));
}

static void check_no_value(void *ctx, const struct perl_fact *f)
{
	(void)ctx;
	must(!f->value);
}

/* The data between two texts, where it is no code. */
static void check_inside(
    const char *head, const uint8_t *data, size_t size, const char *tail)
{
	size_t before = strlen(head), after = strlen(tail);
	AUTO_FREE char *text = xmalloc(before + size + after + 1);

	memcpy(text, head, before);
	if (size)
		memcpy(text + before, data, size);
	memcpy(text + before + size, tail, after);
	(void)perl_conf_read(text, before + size + after, check_no_value, NULL);
}

static bool has(const uint8_t *data, size_t size, char c)
{
	return size && memchr(data, c, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen = { (const char *)data, size, 1 };
	int line = perl_conf_read(seen.text, size, check, &seen);

	must(!line || line >= seen.line);
	check_inside("print <<E;\n", data, size, "\nE\n");
	check_inside("sub f { if (1) { } print << 'E', ';';\n", data, size, "");
	if (has(data, size, '\\'))
		return 0;
	if (!has(data, size, '\''))
		check_inside("f('", data, size, "');");
	if (!has(data, size, '"'))
		check_inside("f(\"", data, size, "\");");
	if (!has(data, size, '/'))
		check_inside("f() if $x =~ /", data, size, "/;");
	if (!has(data, size, '{') && !has(data, size, '}'))
		check_inside("f() if m{", data, size, "}x;");
	if (!has(data, size, '!'))
		check_inside("s!", data, size, "!}! for f();");
	return 0;
}
