/* SPDX-License-Identifier: ISC */
/*
 * scan_near - see the header. Called by scan.c when somebody looks on. It only
 * guesses, by words, and nothing but the report comes of it.
 */
#include "scan_near.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli.h"
#include "pattern/header.h"

enum { PROGRAMS = 64, NAME_SIZE = 49, EXAMPLE_SIZE = 300, SHOWN = 12 };

struct program {
	char name[NAME_SIZE];
	uint64_t lines;
	char example[EXAMPLE_SIZE];
};

struct near {
	size_t count;
	uint64_t others; /* lines of programs that found no room */
	struct program programs[PROGRAMS];
};

struct near *near_new(void)
{
	return xcalloc(1, sizeof(struct near));
}

/* Words in lower case; one that begins with '!' rules a line out. */
static bool looks_like_login(const char *text, size_t len)
{
	static const char *const good[] = { "login:", "login,", "login ",
		"logged in", "authenticated", "authentication passed",
		"authentication succ", "log on successful", "login succ" };
	static const char *const wrong[] = { "fail", "abort", "invalid",
		"denied", "disconnect", "badlogin", "reject", "error",
		"unknown", "too many", "refused", "not ", "no auth", "sasl",
		"logout", "timeout", "closed" };
	char lower[1024];
	bool found = false;

	len = len < sizeof(lower) - 1 ? len : sizeof(lower) - 1;
	for (size_t i = 0; i < len; i++)
		lower[i] =
		    (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32
			   : text[i]                        ? text[i]
							    : ' ');
	lower[len] = 0;
	for (size_t i = 0; i < COUNT_OF(good) && !found; i++)
		found = strstr(lower, good[i]) != NULL;
	for (size_t i = 0; i < COUNT_OF(wrong) && found; i++)
		found = strstr(lower, wrong[i]) == NULL;
	return found && strpbrk(lower, "0123456789");
}

static struct program *program_of(struct near *n, const char *name, size_t len)
{
	for (size_t i = 0; i < n->count; i++)
		if (strlen(n->programs[i].name) == len &&
		    !memcmp(n->programs[i].name, name, len))
			return &n->programs[i];
	if (n->count == PROGRAMS)
		return NULL;
	memcpy(n->programs[n->count].name, name, len);
	return &n->programs[n->count++];
}

void near_line(struct near *n, const char *line, size_t len)
{
	struct header h;
	struct program *p;

	if (!header_parse(line, len, &h) || !looks_like_login(h.msg, h.msg_len))
		return;
	p = program_of(n, h.tag, h.tag_len < NAME_SIZE ? h.tag_len : 0);
	if (!p) {
		n->others++;
		return;
	}
	if (!p->lines++)
		cli_safe(line, len, p->example, sizeof(p->example));
}

static int more_lines(const void *a, const void *b)
{
	const struct program *x = a, *y = b;

	return x->lines < y->lines ? 1 : x->lines > y->lines ? -1 : 0;
}

void near_end(struct near **np)
{
	struct near *n = *np;

	*np = NULL;
	if (!n)
		return;
	qsort(n->programs, n->count, sizeof(n->programs[0]), more_lines);
	if (n->count)
		fputs("lines that look like logins but match no pattern:\n",
		    stderr);
	for (size_t i = 0; i < n->count && i < SHOWN; i++)
		fprintf(stderr, "  %s: %llu, the first:\n    %s\n",
		    n->programs[i].name[0] ? n->programs[i].name
					   : "(no program)",
		    (unsigned long long)n->programs[i].lines,
		    n->programs[i].example);
	if (n->count > SHOWN || n->others)
		fputs("  and more programs\n", stderr);
	free(n);
}
