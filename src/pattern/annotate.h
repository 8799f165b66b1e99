/* SPDX-License-Identifier: ISC */
/*
 * annotate - who sent a line, in the words that rsyslog adds to it with
 * Annotate="on". Called by matcher.c for sources that say they have them.
 */
#ifndef PATTERN_ANNOTATE_H
#define PATTERN_ANNOTATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer lines, suffix and all, are not believed; see annotate.c. */
enum { ANNOTATE_MAX = 1024 };

/*
 * Finds the suffix that ends a line (or its message), and tells whose process
 * sent it. *len becomes the length of what stands before. False, and nothing
 * changed: none, one that is cut off, or more than one that could be it.
 */
bool annotate_cut(const char *line, size_t *len, uint32_t *uid);
#endif
