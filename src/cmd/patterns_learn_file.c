/* SPDX-License-Identifier: ISC */
/*
 * patterns_learn_file - the text of a proposed pattern file. Called by
 * patterns_learn.c, which has it proved.
 */
#include <stdlib.h>
#include <string.h>

#include "base/kv.h"
#include "base/mem.h"
#include "patterns_learn_private.h"

enum { SAMPLES_EACH = 8 /* given lines that the file holds, of a shape */ };

/* Is the shape the first one of its program? */
static bool is_first(const struct learn *l, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (shape_is_beside(&l->shapes[k], &l->shapes[i]))
			return false;
	return true;
}

/* Has one program all expressions of another? */
static bool covers(const struct learn *l, size_t a, size_t b)
{
	for (size_t i = 0; i < l->shape_count; i++) {
		bool found = !shape_is_beside(&l->shapes[i], &l->shapes[b]);

		for (size_t k = 0; k < l->shape_count && !found; k++)
			found = shape_is_beside(&l->shapes[k], &l->shapes[a]) &&
				!strcmp(l->shapes[k].expression,
				    l->shapes[i].expression);
		if (!found)
			return false;
	}
	return true;
}

/* Programs with the same expressions share a block. */
static bool share(const struct learn *l, size_t a, size_t b)
{
	return l->shapes[a].lines[0]->head.place ==
		   l->shapes[b].lines[0]->head.place &&
	       covers(l, a, b) && covers(l, b, a);
}

static bool is_printed(const struct learn *l, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (is_first(l, k) && share(l, k, i))
			return true;
	return false;
}

/* The words that such a line begins with, and a failed login hopefully not.
 * Returns how many bytes; 0: too few. */
static size_t near_length(const struct shape *s)
{
	const struct element *e = &s->elements[0];
	size_t n = e->kind == ELEMENT_TEXT ? e->len : 0;

	while (n && e->text[n - 1] == ' ')
		n--;
	return n >= 4 && e->text[0] != ' ' ? n : 0;
}

/* Unless another one of its program has printed the same. */
static void print_near(const struct learn *l, size_t i, FILE *out)
{
	const struct shape *s = &l->shapes[i];
	size_t n = near_length(s);

	for (size_t k = 0; k < i; k++)
		if (shape_is_beside(s, &l->shapes[k]) &&
		    near_length(&l->shapes[k]) == n &&
		    !memcmp(
			l->shapes[k].elements[0].text, s->elements[0].text, n))
			return;
	if (n)
		fprintf(out, "near     %.*s\n", (int)n, s->elements[0].text);
}

static void print_block(const struct learn *l, size_t i, FILE *out)
{
	static const char *const words[] = { [HEADER_SYSLOG] = "program ",
		[HEADER_LEAD] = "lead    ",
		[HEADER_FILE] = "file" };

	fprintf(out, "\n%s", words[l->shapes[i].lines[0]->head.place]);
	for (size_t k = i; k < l->shape_count; k++) {
		const struct header *h = &l->shapes[k].lines[0]->head;

		if (is_first(l, k) && share(l, i, k) && h->tag_len)
			fprintf(out, " %.*s", (int)h->tag_len, h->tag);
	}
	fputs("\n", out);
	for (size_t k = i; k < l->shape_count; k++)
		if (shape_is_beside(&l->shapes[i], &l->shapes[k]))
			fprintf(out, "login    %s\n", l->shapes[k].expression);
	for (size_t k = i; k < l->shape_count; k++)
		if (shape_is_beside(&l->shapes[i], &l->shapes[k]))
			print_near(l, k, out);
}

static void print_sample(const struct learn_line *line, FILE *out)
{
	const struct part *user = &line->parts.at[line->user];
	char addr[ADDR_TEXT_SIZE], coded[3 * LOGIN_USER_MAX + 1] = "";
	size_t used = 0;

	addr_print(&line->addr, addr);
	must(kv_encode(coded, sizeof(coded), &used, user->at, user->len));
	fprintf(
	    out, "sample login ip=%s user=%s | %s\n", addr, coded, line->text);
}

static void print_samples(const struct learn *l, FILE *out)
{
	fputs("\n# The lines given.\n", out);
	for (size_t i = 0; i < l->shape_count; i++)
		for (size_t k = 0; k < l->shapes[i].count && k < SAMPLES_EACH;
		     k++)
			print_sample(l->shapes[i].lines[k], out);
	fputs("\n# Hostile, or just not a login.\n", out);
	for (size_t i = 0; i < l->hostile_count; i++)
		fprintf(out, "sample none | %s\n", l->hostile[i]);
	for (size_t i = 0; i < l->shape_count; i++)
		shape_print_hostile(&l->shapes[i], out);
}

char *learn_print(const struct learn *l)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	must(out != NULL);
	fprintf(out,
	    "# Proposed by `relaypass patterns learn` from %zu lines. Read it "
	    "before you use\n"
	    "# it: has every sample below the right ip= and user=? Does the "
	    "server write such\n"
	    "# a line only when a POP3 or IMAP login has succeeded? Add lines "
	    "of failed logins\n"
	    "# as `sample none`, then run `relaypass patterns check` on it.\n"
	    "\n"
	    "server   %s\n"
	    "about    Logins of %s, learned from its log\n",
	    l->count, l->server, l->server);
	for (size_t i = 0; i < l->shape_count; i++)
		if (is_first(l, i) && !is_printed(l, i))
			print_block(l, i, out);
	print_samples(l, out);
	must(fclose(out) == 0);
	return text;
}
