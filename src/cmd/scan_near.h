/* SPDX-License-Identifier: ISC */
/*
 * scan_near - lines that look like logins but matched nothing, by program, so
 * that a postmaster sees which pattern is missing.
 */
#ifndef CMD_SCAN_NEAR_H
#define CMD_SCAN_NEAR_H
#include <stddef.h>

struct near;

struct near *near_new(void);
/* Looks at a line that gave nothing. */
void near_line(struct near *n, const char *line, size_t len);
/* Prints what was seen to stderr, most frequent first, and frees. */
void near_end(struct near **n);
#endif
