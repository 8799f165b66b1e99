/* SPDX-License-Identifier: ISC */
/*
 * scan - looks at the shape of the text before libconfuse reads it. libconfuse
 * passes over stray bytes and open braces in silence, lets the later of two
 * settings win, expands ${VAR}, runs functions and miscounts lines behind
 * comments. So the text is checked here, wholly, and handed on in a form that
 * leaves libconfuse nothing to guess: no comments, every value in quotes, line
 * breaks where they were.
 */
#ifndef CONF_SCAN_H
#define CONF_SCAN_H
#include <stddef.h>

#include "base/err.h"

enum {
	SCAN_TEXT_MAX = 1 << 20, /* bytes of a file */
	SCAN_SECTIONS_MAX = 256,
	SCAN_OPTIONS_MAX = 128, /* in one section */
	SCAN_ITEMS_MAX = 4096,  /* in one list */
	SCAN_VALUE_MAX = 4096,  /* bytes of one value */
	SCAN_NAME_MAX = 31      /* of a section, a title, an option */
};

struct scan_section {
	int line; /* where its first word stands */
	char word[SCAN_NAME_MAX + 1];
	char title[SCAN_NAME_MAX + 1]; /* "" for none */
	/* The value of its option "kind", cut to the size; "" for none. */
	char kind[2 * (SCAN_NAME_MAX + 1)];
	int kind_line;
};

struct scan {
	char *clean; /* NUL-terminated, for libconfuse */
	size_t count;
	struct scan_section sections[SCAN_SECTIONS_MAX];
};

/* 0, or -1 and the first mistake. Release with scan_free() in both cases. */
int scan_text(const char *text, size_t len, const char *name, struct scan *out,
    struct err *err);
void scan_free(struct scan *scan);
#endif
