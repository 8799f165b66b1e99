/* SPDX-License-Identifier: ISC */
/*
 * grid - aligned columns on stdout. Called by list and status; owns the cells
 * until their widths are known.
 */
#include "grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli.h"

enum {
	COLUMNS_MAX = 32,
	CELL_SIZE = 1100, /* a user name wholly escaped */
	WINDOW_ROWS = 500 /* rows that decide the widths */
};

struct grid {
	size_t columns, indent, rows, held;
	size_t width[COLUMNS_MAX];
	const char *titles[COLUMNS_MAX];
	char **cells; /* held of them wait */
	bool wide;    /* the widths are settled */
};

struct grid *grid_new(const char *const *titles, size_t columns, size_t indent)
{
	struct grid *g = xcalloc(1, sizeof(*g));

	must(columns > 0 && columns <= COLUMNS_MAX);
	g->columns = columns;
	g->indent = indent;
	g->cells = xcalloc(WINDOW_ROWS * columns, sizeof(*g->cells));
	for (size_t i = 0; i < columns; i++) {
		g->titles[i] = titles[i];
		g->width[i] = strlen(titles[i]);
	}
	return g;
}

static void print_row(const struct grid *g, char *const *cells)
{
	printf("%*s", (int)g->indent, "");
	for (size_t i = 0; i + 1 < g->columns; i++)
		printf("%-*s  ", (int)g->width[i], cells[i]);
	printf("%s\n", cells[g->columns - 1]);
}

static void print_heading(const struct grid *g)
{
	printf("%*s", (int)g->indent, "");
	for (size_t i = 0; i + 1 < g->columns; i++)
		printf("%-*s  ", (int)g->width[i], g->titles[i]);
	printf("%s\n", g->titles[g->columns - 1]);
}

static void print_held(struct grid *g)
{
	for (size_t i = 0; i < g->held && !g->wide; i++) {
		size_t len = strlen(g->cells[i]);
		size_t column = i % g->columns;
		if (len > g->width[column])
			g->width[column] = len;
	}
	if (g->held && !g->wide)
		print_heading(g);
	g->wide = g->held > 0 || g->wide;
	for (size_t i = 0; i < g->held; i += g->columns)
		print_row(g, g->cells + i);
	for (size_t i = 0; i < g->held; i++)
		free(g->cells[i]);
	g->held = 0;
}

void grid_put(struct grid *g, const char *cell)
{
	char safe[CELL_SIZE];

	cli_safe(cell, strlen(cell), safe, sizeof(safe));
	g->cells[g->held++] = xstrdup(*safe ? safe : "-");
	if (g->held % g->columns == 0)
		g->rows++;
	if (g->held == WINDOW_ROWS * g->columns)
		print_held(g);
}

size_t grid_end(struct grid **g)
{
	size_t rows = (*g)->rows;

	must((*g)->held % (*g)->columns == 0);
	print_held(*g);
	free((*g)->cells);
	free(*g);
	*g = NULL;
	return rows;
}
