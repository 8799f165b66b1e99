/* SPDX-License-Identifier: ISC */
/*
 * grid - aligned columns on stdout. The widths come from the first rows, so
 * that a million leases need no more memory than a few hundred.
 */
#ifndef CMD_GRID_H
#define CMD_GRID_H
#include <stddef.h>

struct grid;

/* titles has `columns` of them; a heading is printed before the first row, and
 * nothing at all when no row comes. indent blanks stand before each line. */
struct grid *grid_new(const char *const *titles, size_t columns, size_t indent);
/* The next cell, copied, made safe for terminals; "" shows as "-". */
void grid_put(struct grid *g, const char *cell);
/* Prints what waits, frees, and returns how many rows there were. */
size_t grid_end(struct grid **g);
#endif
