/* SPDX-License-Identifier: ISC */
/*
 * odd - wrong input of a live source: counted, and told in the log at most once
 * a minute for each reason, with who sent it and how many there were.
 * Called by: inlet.c, the kinds.
 */
#ifndef SOURCE_ODD_H
#define SOURCE_ODD_H
#include <stdbool.h>
#include <stdint.h>

enum {
	ODD_REASONS = 24,
	ODD_PEER_SIZE = 64,
	ODD_LATELY_MS = 5 * 60 * 1000 /* behind that it is not of late */
};

struct odd {
	const char *source; /* the section's name, borrowed */
	uint64_t total, told;
	struct odd_reason {
		const char *what; /* compared as pointers' texts */
		uint64_t count, told;
		uint64_t told_at;         /* loop time ms; 0: never */
		char peer[ODD_PEER_SIZE]; /* the last one, quoted */
		/* With never so long a pause between two of them. */
		uint64_t lately, last_at;
	} reasons[ODD_REASONS];
};

void odd_init(struct odd *o, const char *source);
/* what: a constant word such as "not-allowed", "malformed"; no more than
 * ODD_REASONS of them. peer: text for the log, quoted here. now: monotonic ms.
 */
void odd_count(struct odd *o, const char *what, const char *peer, uint64_t now);
/* How many there were in this process. */
uint64_t odd_all(void);
/* Tells what is held back since a minute or longer; call once a minute (an
 * inlet does it for the one it was given), and at the end with UINT64_MAX. */
void odd_flush(struct odd *o, uint64_t now);
/* For `status`: of the reasons there were of late, one; the same while there
 * are. NULL: none. */
const struct odd_reason *odd_lately(const struct odd *o, uint64_t now);
/* True while anything is held back. */
static inline bool odd_is_held(const struct odd *o)
{
	return o->total != o->told;
}
#endif
