/* SPDX-License-Identifier: ISC */
/*
 * patterns_learn - proposes a pattern file from log lines that are logins.
 * Pure: lines and hints in, the file's text out. Called by patterns.c.
 *
 * What it does with a line: reads its head, finds the user and the address, and
 * cuts the rest into words and what stands between them. Lines of one program
 * that have the same marks between their words make one expression: words that
 * never change stay as they are, numbers and names become bounded classes. What
 * cannot be told safely is refused in words, above all an address behind a
 * user's text that nothing closes: then a user could choose the address.
 */
#ifndef CMD_PATTERNS_LEARN_H
#define CMD_PATTERNS_LEARN_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { LEARN_LINES_MAX = 1000 /* more are counted, not looked at */ };

struct learn_hints {
	const char *server; /* NULL: by the program */
	const char *user;   /* "al,bob": each line is about one of them; NULL */
	const char *ip;     /* the same for addresses */
	const char *dir;    /* pattern-directory, for other servers; NULL */
};

struct learn;

struct learn *learn_new(const struct learn_hints *hints);
void learn_free(struct learn **l);
/*
 * One line of the input: of the log; or as in a pattern file, "sample login
 * ip=A user=U | LINE" with what this line is about, "sample none | LINE" that
 * must give nothing. Empty lines, comments and other statements of pattern
 * files are passed by. -1 and *err: what stands against the line, and where.
 */
int learn_line(struct learn *l, const char *line, size_t len, struct err *err);
/* The file, proved with the engine; to be freed. NULL and *err. */
char *learn_propose(struct learn *l, struct err *err);
/* What the postmaster should think about, i from 0; NULL: no more. */
const char *learn_note(const struct learn *l, size_t i);
#endif
