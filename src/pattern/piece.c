/* SPDX-License-Identifier: ISC */
/*
 * piece - see the header. Called by file.c only.
 */
#include "piece.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { DEPTH_MAX = 8 /* pieces inside pieces */ };

struct piece {
	char *name, *text;
};

static const struct {
	const char *name, *text;
} ready[] = {
	{ "ip", "[0-9A-Fa-f:.]++" },
	{ "num", "[0-9]++" },
	{ "host", "[0-9A-Za-z._-]++" },
};

static const char *find(const struct pieces *p, const char *name, size_t len)
{
	for (size_t i = 0; i < p->n; i++)
		if (strlen(p->at[i].name) == len &&
		    !memcmp(p->at[i].name, name, len))
			return p->at[i].text;
	for (size_t i = 0; i < COUNT_OF(ready); i++)
		if (strlen(ready[i].name) == len &&
		    !memcmp(ready[i].name, name, len))
			return ready[i].text;
	return NULL;
}

const char *piece_define(
    struct pieces *p, const char *name, size_t len, const char *text)
{
	size_t good = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (!len || len > 40 || good < len || !*text)
		return "define: expected a name and an expression";
	if (find(p, name, len))
		return "define: that name is taken";
	p->at = xrealloc(p->at, p->n + 1, sizeof(*p->at));
	p->at[p->n].name = xstrndup(name, len);
	p->at[p->n++].text = xstrdup(text);
	return NULL;
}

static const char *fill(const struct pieces *p, const char *text, char *out,
    size_t *used, int depth)
{
	if (depth > DEPTH_MAX)
		return "a piece that holds itself";
	while (*text) {
		const char *end = *text == '%' ? strchr(text + 1, '%') : NULL;
		const char *piece = NULL, *why;

		if (end)
			piece = find(p, text + 1, (size_t)(end - text - 1));
		if (piece) {
			why = fill(p, piece, out, used, depth + 1);
			if (why)
				return why;
			text = end + 1;
			continue;
		}
		if (*used >= PIECE_EXPR_MAX)
			return "an expression longer than 4000 bytes";
		out[(*used)++] = *text++;
	}
	return NULL;
}

const char *piece_fill(const struct pieces *p, const char *text, char *out)
{
	size_t used = 0;
	const char *why = fill(p, text, out, &used, 0);

	out[used] = 0;
	return why;
}

void pieces_free(struct pieces *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->at[i].name);
		free(p->at[i].text);
	}
	free(p->at);
	*p = (struct pieces){ 0 };
}
