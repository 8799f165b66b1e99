/* SPDX-License-Identifier: ISC */
/*
 * hit - a message that one of the expressions matched, and the login in it.
 * Private to this room.
 */
#ifndef PATTERN_HIT_H
#define PATTERN_HIT_H
#include "engine.h"
#include "join.h"

struct hit {
	const struct header *header;
	const struct alt *alt;
	const PCRE2_SIZE *ends; /* PCRE2's pairs of offsets into the message */
	int64_t time;           /* of the line, ms */
};

/* The text of a group; at is NULL when it is not there. */
struct text {
	const char *at;
	size_t len;
};
static inline struct text hit_text(const struct hit *h, enum group g)
{
	size_t n = h->alt->group[g];

	if (!n || h->ends[2 * n] == PCRE2_UNSET)
		return (struct text){ NULL, 0 };
	return (struct text){ h->header->msg + h->ends[2 * n],
		h->ends[2 * n + 1] - h->ends[2 * n] };
}

/*
 * What the line says. *join is made when it is first needed. Returns
 * LOGIN_NOTHING for a line that only prepares one (connect, fail), and also,
 * with *refused set, for one that says what may not be believed.
 */
enum login_kind hit_login(
    const struct hit *h, struct join **join, struct login *out, bool *refused);
/* Of a line that is not believed: what its process said before is no longer
 * sure. */
void hit_forget(const struct hit *h, struct join *join);
#endif
