/* SPDX-License-Identifier: ISC */
/*
 * patterns_check - tests pattern files beyond what reading them refuses: their
 * samples, their cost, and that servers do not take each other's lines. Called
 * by patterns.c for an administrator's file, and by patterns_learn.c for what
 * it proposes.
 */
#ifndef CMD_PATTERNS_CHECK_H
#define CMD_PATTERNS_CHECK_H
#include <stdbool.h>
#include <stddef.h>

#include "pattern/file.h"
#include "pattern/pattern.h"

struct pattern_check {
	const char *dir; /* pattern-directory; may be NULL or "" */
	/* Hears of each mistake, and of what is only worth a thought. f is NULL
	 * when the text says itself where it is; line 0: the whole file. */
	void (*tell)(void *ctx, const struct pattern_file *f, int line,
	    const char *text);
	void (*note)(void *ctx, const struct pattern_file *f, int line,
	    const char *text);
	void *ctx;
	size_t mistakes;
};

/* Reads the file as relaypassd would, together with all others, and runs its
 * samples. NULL when it cannot be read; its mistakes are counted in c. */
struct pattern_file *patterns_check_file(
    struct pattern_check *c, const char *path);
/* Measures every expression, about a second each; fn hears the results. */
void patterns_check_costs(struct pattern_check *c, const struct pattern_file *f,
    void (*fn)(const struct pattern_file *f, const struct pattern_expr *e,
	double steps));
/* All servers that are known, against their own samples and each other's.
 * Returns how many samples there are. */
size_t patterns_check_all(struct pattern_check *c, const struct patterns *all);
#endif
