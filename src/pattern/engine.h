/* SPDX-License-Identifier: ISC */
/*
 * engine - the compiled form of pattern files, shared by pattern.c (makes it)
 * and matcher.c (runs it). Private to this room.
 */
#ifndef PATTERN_ENGINE_H
#define PATTERN_ENGINE_H
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "file.h"
#include "header.h"
#include "pattern.h"

/* One expression inside a set. */
struct alt {
	const struct pattern_block *block;
	enum pattern_kind kind;
	uint8_t group[GROUP_COUNT]; /* capture number in the set, 0: none */
};

/*
 * The expressions of one program, in one alternation: a line costs one call of
 * PCRE2, whose mark tells which of them it was.
 */
struct set {
	pcre2_code *code;
	struct alt *alts;
	size_t alt_count;
	const struct pattern_block **blocks; /* for `near` */
	size_t block_count;
};

/* Which set a program's lines go to. */
struct tag {
	const char *name;
	size_t len;
	uint64_t hash;
	const struct set *set; /* NULL: an empty slot of the table */
};

struct tag_table {
	struct tag *slots; /* open addressing, mask + 1 of them */
	size_t mask;
	struct tag *stars; /* names that ended in '*', the longest first */
	size_t star_count;
};

enum { QUICK_BITS = 4096 };

struct patterns {
	struct pattern_file **files;
	size_t count;
	struct set *sets;
	size_t set_count;
	struct tag_table programs, leads;
	const struct set *own; /* lines of servers' own files; NULL: none */
	/* One bit for each hash of three first bytes that a program's name or
	 * a busybox facility may begin with: what is not in here is no line of
	 * ours, and most lines of a mail log are not. */
	uint8_t quick[QUICK_BITS / 8];
	uint32_t pairs; /* capture pairs of the widest set */
	bool jit;
	bool guarded; /* some block says who may send its lines */
};

static inline uint32_t quick_hash(const char *p)
{
	uint32_t v = (uint32_t)(unsigned char)p[0] |
		     (uint32_t)(unsigned char)p[1] << 8 |
		     (uint32_t)(unsigned char)p[2] << 16;

	return (v * 0x9E3779B1U) >> 20;
}

/* What one match needs; of one matcher, reused for every line. */
struct runner {
	bool jit;
	pcre2_match_data *data;
	pcre2_match_context *context; /* the match limit */
	pcre2_jit_stack *stack;
};

/* jit: use it where the sets have it. */
void runner_init(struct runner *r, const struct patterns *p);
void runner_release(struct runner *r);
/* Runs a set over a message. >= 0: the alternative that matched; -1: none;
 * -2: the match limit stopped it. */
int runner_match(
    struct runner *r, const struct set *s, const char *msg, size_t len);

/* For samples, which show lines rather than prove them: without the suffix one
 * counts as sent by whom its block wants. */
void matcher_believe(struct matcher *m);

/* For so many names. */
void engine_table_init(struct tag_table *t, size_t names);
void engine_table_add(
    struct tag_table *t, const char *name, const struct set *set);
/* Notes that a program's name may begin so. */
void engine_quick_add(struct patterns *p, const char *name, size_t len);
/* The words that busybox writes before a program; header.c has them in full. */
void engine_quick_add_facilities(struct patterns *p);
/* The set of a program's lines, or NULL. */
const struct set *engine_find(
    const struct tag_table *t, const char *name, size_t len);

/* The files that are compiled into the program; made from patterns/. */
struct builtin {
	const char *path, *text;
	size_t len;
};
extern const struct builtin pattern_builtins[]; /* ends with a NULL path */
#endif
