/* SPDX-License-Identifier: ISC */
/*
 * mistake - how a mistake in the configuration is told: file, line, what was
 * found and what was expected. For the files of this room only.
 */
#ifndef CONF_MISTAKE_H
#define CONF_MISTAKE_H
#include <stddef.h>

#include "base/err.h"

enum { SHOWN_SIZE = 72 };

/* Fills *err with "file:line: ..." (line 0: "file: ..."). Returns -1. */
int mistake(struct err *err, const char *file, int line, const char *format,
    ...) __attribute__((format(printf, 4, 5)));
/* Text of the file in a form that is safe to print, cut to fit. Returns out. */
const char *shown(const char *text, size_t len, char out[static SHOWN_SIZE]);
/* Appends to a list of names, "a, b, c"; an end that does not fit is "...". */
void listed(char *out, size_t size, const char *name);
#endif
