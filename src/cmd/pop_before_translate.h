/* SPDX-License-Identifier: ISC */
/*
 * pop_before_translate - an expression of pop-before-smtp as an expression of a
 * pattern file. Theirs ended where they liked, so that a stranger's text could
 * be behind them or inside of them; ours describes a whole line:
 *   - each variable part leaves out the byte that is behind it,
 *   - a line must end where the expression ends, and
 *   - what strangers choose stands on one side of the address only,
 * so a line can be read in one way. It takes fewer lines than theirs, never
 * others. Pure.
 */
#ifndef CMD_POP_BEFORE_TRANSLATE_H
#define CMD_POP_BEFORE_TRANSLATE_H
#include <stddef.h>

enum { TRANSLATE_NAMES_MAX = 16, TRANSLATE_NAME_SIZE = 64 };

struct translated {
	/* Of the programs whose lines they are. */
	char names[TRANSLATE_NAMES_MAX][TRANSLATE_NAME_SIZE];
	size_t count;
	char text[4096]; /* with ^ and $, groups ip and user */
};

/* NULL, or why it cannot be done. */
const char *pop_translate(const char *expression, struct translated *out);
#endif
