/* SPDX-License-Identifier: ISC */
/*
 * duration - "90s", "30m", "1h", "2d", plain seconds, or a product of plain
 * numbers such as "60 * 30" (all factors > 0).
 */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DURATION_TEXT_SIZE = 32 };

/* To milliseconds; "0" is 0. False on anything else or above 10 years. */
bool duration_parse(const char *text, int64_t *ms);
/* The shortest exact form with one unit ("30m"); returns its length. */
size_t duration_print(int64_t ms, char out[static DURATION_TEXT_SIZE]);
#endif
