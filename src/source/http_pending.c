/* SPDX-License-Identifier: ISC */
/*
 * http_pending - the places of requests that wait.
 */
#include "http_pending.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "login/rules.h"

enum {
	/* A token: how often its place was used, its place, which login. */
	USE_SHIFT = 32,
	PLACE_SHIFT = 8,
	LOGIN_MASK = 0xff,
	PLACE_MASK = 0xffffff,
	RESULT_SIZE = 95 /* a comma goes with it */
};

void http_waiting_open(struct http_waiting *w, size_t max)
{
	must(max < PLACE_MASK);
	w->places = xcalloc(max, sizeof(*w->places));
	w->max = max;
	w->next = 0;
}

void http_waiting_close(struct http_waiting *w)
{
	free(w->places);
	w->places = NULL;
}

struct http_pending *http_waiting_add(
    struct http_waiting *w, struct http_request *r)
{
	struct http_pending *p;
	size_t tried = 0;

	do {
		must(tried++ < w->max);
		w->next = (w->next + 1) % w->max;
		p = &w->places[w->next];
	} while (p->request);
	*p = (struct http_pending){ .request = r, .use = p->use + 1 };
	return p;
}

uint64_t http_waiting_token(
    const struct http_waiting *w, const struct http_pending *p)
{
	return (uint64_t)p->use << USE_SHIFT | (uint64_t)(p - w->places + 1)
						   << PLACE_SHIFT;
}

struct http_pending *http_waiting_find(
    const struct http_waiting *w, uint64_t token, size_t *login)
{
	uint64_t place = token >> PLACE_SHIFT & PLACE_MASK;
	struct http_pending *p;

	*login = token & LOGIN_MASK;
	if (place == 0 || place > w->max)
		return NULL;
	p = &w->places[place - 1];
	return p->request && p->use == token >> USE_SHIFT ? p : NULL;
}

/* The reasons are words of login/rules.def. */
static size_t print_result(const struct http_pending *p, size_t i, char *out)
{
	enum judgement judgement = p->judgements[i];
	const char *lease = judgement == JUDGE_LEASE ? "true" : "false";
	int n;

	if (p->stored[i] != SOURCE_STORED)
		n = snprintf(out, RESULT_SIZE, "{\"stored\":false}");
	else if (judgement == JUDGE_LEASE || judgement == JUDGE_NONE)
		n = snprintf(
		    out, RESULT_SIZE, "{\"stored\":true,\"lease\":%s}", lease);
	else
		n = snprintf(out, RESULT_SIZE,
		    "{\"stored\":true,\"lease\":false,\"reason\":\"%s\"}",
		    rules_reason(judgement));
	must(n > 0 && n < RESULT_SIZE);
	return (size_t)n;
}

size_t http_pending_print(
    const struct http_pending *p, char out[static HTTP_RESULTS_SIZE])
{
	size_t used = 0;

	if (p->array)
		out[used++] = '[';
	for (size_t i = 0; i < p->count; i++) {
		if (i > 0)
			out[used++] = ',';
		used += print_result(p, i, out + used);
	}
	if (p->array)
		out[used++] = ']';
	return used;
}
