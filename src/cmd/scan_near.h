/* SPDX-License-Identifier: ISC */
/*
 * scan_near - lines that look like logins but gave none, by program with one
 * example each, so that a postmaster sees which pattern is missing.
 */
#ifndef CMD_SCAN_NEAR_H
#define CMD_SCAN_NEAR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct near;

struct near *near_new(void);
void near_free(struct near **n);
/* Looks at a line that gave nothing. refused: a known server's pattern counts
 * such a line as one of its own. */
void near_line(struct near *n, const char *line, size_t len, bool refused);
/* Prints what was seen, most frequent first. */
void near_print(struct near *n, FILE *out);
#endif
