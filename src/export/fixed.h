/* SPDX-License-Identifier: ISC */
/*
 * fixed - the administrator's own part of a file that an export writes: another
 * file, read again when it has changed.
 */
#ifndef EXPORT_FIXED_H
#define EXPORT_FIXED_H
#include <stddef.h>

#include "base/err.h"

enum { FIXED_MAX = 16 << 20 }; /* bytes; a larger one is refused */

struct fixed;

struct fixed *fixed_new(const char *path);
void fixed_free(struct fixed **f);
/* 1: its text is new; 0: it is as it was; -1: it cannot be read, and the text
 * is the last good one. */
int fixed_look(struct fixed *f, struct err *err);
/* Borrowed until the next fixed_look(); "" before the first good one. */
const char *fixed_text(const struct fixed *f, size_t *len_r);
#endif
