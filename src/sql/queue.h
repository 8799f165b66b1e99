/* SPDX-License-Identifier: ISC */
/*
 * queue - statements that wait for their turn, each one allocation with its
 * text and values. Called by: session.c.
 */
#ifndef SQL_QUEUE_H
#define SQL_QUEUE_H
#include "session.h"

struct sql_statement {
	struct sql_statement *next;
	const char *text;
	struct sql_value *params;
	size_t count;
	bool odd; /* a value holds a NUL */
	sql_done_fn *fn;
	void *ctx;
	char bytes[];
};

struct sql_queue {
	struct sql_statement *first, **end;
};

/* Copies text and values. Release: free(). */
struct sql_statement *sql_statement_new(
    const char *text, const struct sql_value *params, size_t count);

void sql_queue_init(struct sql_queue *q);
void sql_queue_add(struct sql_queue *q, struct sql_statement *st);
/* NULL: empty. */
struct sql_statement *sql_queue_take(struct sql_queue *q);
void sql_queue_move(struct sql_queue *to, struct sql_queue *from);
void sql_queue_drop(struct sql_queue *q);
#endif
