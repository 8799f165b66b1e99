/* SPDX-License-Identifier: ISC */
/*
 * pop_before_told - a list of (address, user): a host has a few thousand at the
 * most, and one is looked for when a lease begins or ends.
 */
#include "pop_before_told.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct row {
	char *address, *user;
};

struct pop_told {
	struct row *rows;
	size_t count, room;
};

struct pop_told *pop_told_new(void)
{
	return xcalloc(1, sizeof(struct pop_told));
}

static void free_row(struct row *row)
{
	free(row->address);
	free(row->user);
}

void pop_told_free(struct pop_told **t)
{
	for (size_t i = 0; *t && i < (*t)->count; i++)
		free_row(&(*t)->rows[i]);
	if (*t)
		free((*t)->rows);
	free(*t);
	*t = NULL;
}

static bool has(const struct pop_told *t, const char *address)
{
	for (size_t i = 0; i < t->count; i++)
		if (!strcmp(t->rows[i].address, address))
			return true;
	return false;
}

bool pop_told_add(struct pop_told *t, const char *address, const char *user)
{
	bool fresh = true;

	for (size_t i = 0; i < t->count; i++) {
		if (strcmp(t->rows[i].address, address) != 0)
			continue;
		if (!strcmp(t->rows[i].user, user))
			return false;
		fresh = false;
	}
	if (t->count == t->room) {
		t->room = t->room ? 2 * t->room : 16;
		t->rows = xrealloc(t->rows, t->room, sizeof(struct row));
	}
	t->rows[t->count++] = (struct row){ xstrdup(address), xstrdup(user) };
	return fresh;
}

void pop_told_remove(struct pop_told *t, const char *address, const char *user,
    pop_told_fn *gone, void *ctx)
{
	bool everywhere = !strcmp(address, "::");

	/* From the end, so that the last row can take the place of one. */
	for (size_t i = t->count; i-- > 0;) {
		struct row row = t->rows[i];

		if ((!everywhere && strcmp(row.address, address) != 0) ||
		    (*user && strcmp(row.user, user) != 0))
			continue;
		t->rows[i] = t->rows[--t->count];
		if (!has(t, row.address))
			gone(ctx, row.address);
		free_row(&row);
	}
}
