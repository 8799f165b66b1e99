/* SPDX-License-Identifier: ISC */
/*
 * allowed - the leases of the running relaypassd, as addresses.
 */
#include "allowed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* relaypassd's default, which generated configurations keep. */
#define CONTROL "unix:/run/relaypass/control"

enum { PATIENCE_MS = 10000 };

struct client *allowed_connect(const char *request, size_t len,
    client_row_fn *fn, void *ctx, struct reply *last, struct err *err)
{
	struct endpoint at;
	struct client *c;

	must(endpoint_parse(CONTROL, &at));
	c = client_open(&at, PATIENCE_MS, false, err);
	if (c && client_ask(c, request, len, fn, ctx, last, err) < 0)
		client_close(&c);
	return c;
}

const char *allowed_address(
    const struct reply *r, char out[static ALLOWED_TEXT_SIZE])
{
	const char *text = reply_value(r, "address");
	const char *slash = text ? strchr(text, '/') : NULL;
	bool host = slash && !strcmp(slash, strchr(text, ':') ? "/128" : "/32");

	(void)snprintf(out, ALLOWED_TEXT_SIZE, "%.*s",
	    host ? (int)(slash - text) : ALLOWED_TEXT_SIZE - 1,
	    text ? text : "?");
	return out;
}

static void take_row(void *ctx, const struct reply *r)
{
	struct allowed *a = ctx;
	char text[ALLOWED_TEXT_SIZE];

	if (strcmp(r->word, "lease") != 0)
		return;
	a->at = xrealloc(a->at, a->count + 1, sizeof(char *));
	a->at[a->count++] = xstrdup(allowed_address(r, text));
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int allowed_read(struct allowed *out, struct err *err)
{
	AUTO_FREE struct reply *r = xcalloc(1, sizeof(*r));
	struct client *c;
	size_t kept = 0;

	*out = (struct allowed){ 0 };
	c = allowed_connect("list", strlen("list"), take_row, out, r, err);
	if (!c)
		return -1;
	client_close(&c);
	if (out->count)
		qsort(out->at, out->count, sizeof(char *), compare);
	/* Several users may hold one address. */
	for (size_t i = 0; i < out->count; i++)
		if (kept && !strcmp(out->at[kept - 1], out->at[i]))
			free(out->at[i]);
		else
			out->at[kept++] = out->at[i];
	out->count = kept;
	return 0;
}

void allowed_free(struct allowed *a)
{
	for (size_t i = 0; i < a->count; i++)
		free(a->at[i]);
	free(a->at);
	*a = (struct allowed){ 0 };
}
