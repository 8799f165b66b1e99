/* SPDX-License-Identifier: ISC */
/*
 * trouble - what is wrong with one thing just now. The log hears each trouble
 * once, and once that it is over; `status` may ask at any time.
 */
#ifndef BASE_TROUBLE_H
#define BASE_TROUBLE_H
#include "log.h"

enum { TROUBLE_SIZE = 400, TROUBLE_WHO_SIZE = 200 };

struct trouble {
	enum log_event wrong, good;
	char who[TROUBLE_WHO_SIZE]; /* as the log names it */
	char text[TROUBLE_SIZE];    /* "": nothing is wrong */
	char told[TROUBLE_SIZE];    /* "": the log knows of nothing */
};

/*
 * Of a source or an export (what), its name, and what it reads or writes, by
 * the option's name: "source", "web", "table", "popbsmtp". Log lines have event
 * `wrong` and `good`.
 */
void trouble_init(struct trouble *t, enum log_event wrong, enum log_event good,
    const char *what, const char *name, const char *option, const char *value);
/* text is wrong; other than before: the log is told. */
void trouble_tell(struct trouble *t, const char *text);
/* The same, but the log hears of it from somebody else. */
void trouble_note(struct trouble *t, const char *text);
/* Nothing is wrong (any more). */
void trouble_over(struct trouble *t);
/* NULL: nothing is wrong. Lives as long as t, and until the next call. */
const char *trouble_text(const struct trouble *t);
#endif
