/* SPDX-License-Identifier: ISC */
/*
 * piece - the named pieces of expressions: `define`d ones and those that are
 * ready-made. Private to this room.
 */
#ifndef PATTERN_PIECE_H
#define PATTERN_PIECE_H
#include <stddef.h>

enum { PIECE_EXPR_MAX = 4000 /* an expression, with its pieces filled in */ };

/* Of one file. Zero-initialise. */
struct pieces {
	struct piece *at;
	size_t n;
};

/* NULL, or what is wrong. */
const char *piece_define(
    struct pieces *p, const char *name, size_t len, const char *text);
/* Copies text with its pieces filled in; out has PIECE_EXPR_MAX + 1 bytes.
 * NULL, or what is wrong. */
const char *piece_fill(const struct pieces *p, const char *text, char *out);
void pieces_free(struct pieces *p);
#endif
