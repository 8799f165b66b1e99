/* SPDX-License-Identifier: ISC */
/*
 * safety - whether an expression may run over text that strangers write: its
 * cost must be linear by its form alone.
 *
 * An expression may hold plain characters, escapes (\. \[ \t \x41 \d \w),
 * classes, '.', groups (?:...) (?<name>...) (?>...), look-ahead (?=...) (?!...)
 * without repeats inside, alternatives inside groups, and the repeats ? * +
 * {n,m}, each of them possessive with a '+' behind.
 *
 * A repeat is far when it may go on more than 8 times. Then
 *   - it repeats one character or class, never a group;
 *   - it is possessive, or its class holds no byte that can follow it;
 *   - inside (?>...) nothing follows the last repeat. So (?>.*(?=TEXT)) may
 *     stand: it takes all up to the last TEXT, and reads a line from the right.
 * A group that repeats does so at most 64 times, and possessively if there are
 * repeats in it. At most 6 choices may be open to doubt: an optional part or an
 * alternative whose first byte may also begin what else could come there.
 */
#ifndef PATTERN_SAFETY_H
#define PATTERN_SAFETY_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { SAFETY_NAMES = 16 };

/* The named groups of an expression, in the order of their numbers. */
struct safety_names {
	size_t n;
	struct {
		const char *at; /* in the expression's text */
		size_t len;
	} name[SAFETY_NAMES];
};

/* Checks text, with its ^ and $. -1 and *err: what is wrong, and the text from
 * there on, for a caller that knows file and line. A number would count bytes
 * that nobody sees: the text has its pieces filled in. */
int safety_check(const char *text, struct safety_names *names, struct err *err);
#endif
