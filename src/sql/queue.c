/* SPDX-License-Identifier: ISC */
/*
 * queue - see the header.
 */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void sql_queue_init(struct sql_queue *q)
{
	q->first = NULL;
	q->end = &q->first;
}

void sql_queue_add(struct sql_queue *q, struct sql_statement *st)
{
	*q->end = st;
	q->end = &st->next;
}

struct sql_statement *sql_queue_take(struct sql_queue *q)
{
	struct sql_statement *st = q->first;

	if (st) {
		q->first = st->next;
		if (!q->first)
			q->end = &q->first;
		st->next = NULL;
	}
	return st;
}

void sql_queue_move(struct sql_queue *to, struct sql_queue *from)
{
	struct sql_statement *st;

	while ((st = sql_queue_take(from)) != NULL)
		sql_queue_add(to, st);
}

void sql_queue_drop(struct sql_queue *q)
{
	struct sql_statement *st;

	while ((st = sql_queue_take(q)) != NULL)
		free(st);
}

/* The struct, the values, the texts. */
struct sql_statement *sql_statement_new(
    const char *text, const struct sql_value *params, size_t count)
{
	size_t values = count * sizeof(*params), len = strlen(text) + 1;
	size_t size = sizeof(struct sql_statement) + values + len;
	struct sql_statement *st;
	char *p;

	for (size_t i = 0; i < count; i++)
		size += params[i].text ? params[i].len + 1 : 0;
	st = xcalloc(1, size);
	st->params = (struct sql_value *)(void *)st->bytes;
	st->count = count;
	p = st->bytes + values;
	memcpy(p, text, len);
	st->text = p;
	p += len;
	for (size_t i = 0; i < count; i++) {
		if (!params[i].text)
			continue;
		st->odd |= memchr(params[i].text, '\0', params[i].len) != NULL;
		memcpy(p, params[i].text, params[i].len);
		st->params[i].text = p;
		st->params[i].len = params[i].len;
		p += params[i].len + 1;
	}
	return st;
}
