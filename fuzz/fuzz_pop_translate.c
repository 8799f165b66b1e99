/* SPDX-License-Identifier: ISC */
/*
 * fuzz_pop_translate - any text as an expression of pop-before-smtp. What comes
 * out is a whole line's: from ^ to $, with one address and one user, and of a
 * program; and what strangers choose stands on one side of the address only. It
 * may still be refused by the pattern file's own checks, never crash them.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/pop_before_translate.h"
#include "pattern/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How much at `at` can hold nothing that a stranger chooses: plain bytes,
 * digits, and choices of plain bytes. 0: it can. */
static size_t bound(const char *at)
{
	static const char *const forms[] = { "\\d+", "(?:%host%", "(?:", "|",
		")?+", ")" };

	for (size_t i = 0; i < COUNT_OF(forms); i++)
		if (!strncmp(at, forms[i], strlen(forms[i])))
			return i == 1 ? 0 : strlen(forms[i]);
	if (at[0] == '\\')
		return at[1] && !isalnum((unsigned char)at[1]) ? 2 : 0;
	return isalnum((unsigned char)*at) || *at == ' ' || *at == '_';
}

static bool is_bound(const char *at, const char *end)
{
	while (at < end) {
		size_t n = bound(at);

		if (!n)
			return false;
		at += n;
	}
	return true;
}

static void check_sides(const char *text)
{
	static const char ip[] = "(?<ip>%ip%)";
	const char *address = strstr(text, ip);

	must(address);
	must(is_bound(text + 1, address) ||
	     is_bound(address + sizeof(ip) - 1, text + strlen(text) - 1));
}

static void check(const struct translated *t)
{
	AUTO_FREE char *file = NULL;
	struct pattern_file *parsed;
	struct err err = { 0 };
	int len;

	must(t->text[0] == '^' && t->text[strlen(t->text) - 1] == '$');
	must(t->count > 0);
	check_sides(t->text);
	len = asprintf(&file, "server x\nabout x\nprogram %s\nlogin %s\n",
	    t->names[0], t->text);
	must(len > 0);
	parsed = pattern_file_parse("x", file, (size_t)len, &err);
	must(parsed || err.code == EXIT_USER);
	/* One address, one user: the file's reader wants both, and no group
	 * twice. */
	must(!parsed || parsed->blocks[0].exprs[0].names.n == 2);
	pattern_file_free(&parsed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char head[] = "^[LOGTIME] \\S+ ";
	AUTO_FREE char *text = xcalloc(1, sizeof(head) + size);
	AUTO_FREE struct translated *t = xcalloc(1, sizeof(*t));

	memcpy(text, head, sizeof(head));
	if (size)
		memcpy(text + sizeof(head) - 1, data, size);
	if (!pop_translate(text, t))
		check(t);
	return 0;
}
