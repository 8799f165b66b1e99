/* SPDX-License-Identifier: ISC */
/*
 * runner - runs a set of expressions over one message, by the JIT where there
 * is one. Called by matcher.c and sample.c. Its memory is used again and again:
 * making it for each line would cost more than matching.
 */
#include <string.h>

#include "base/mem.h"
#include "engine.h"

enum {
	/* PCRE2 counts backtracking points; the safe forms need a few for each
	 * byte, and lines have at most 8 KiB. */
	MATCH_LIMIT = 400000,
	HEAP_LIMIT_KIB = 8192, /* the interpreter's; the JIT has its stack */
	JIT_STACK_MIN = 32 * 1024,
	JIT_STACK_MAX = 256 * 1024
};

void runner_init(struct runner *r, const struct patterns *p)
{
	r->jit = p->jit;
	r->context = pcre2_match_context_create(NULL);
	r->data = pcre2_match_data_create(p->pairs ? p->pairs : 1, NULL);
	r->stack =
	    p->jit ? pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, NULL)
		   : NULL;
	must(r->context && r->data);
	pcre2_set_match_limit(r->context, MATCH_LIMIT);
	pcre2_set_depth_limit(r->context, MATCH_LIMIT);
	pcre2_set_heap_limit(r->context, HEAP_LIMIT_KIB);
	if (r->stack)
		pcre2_jit_stack_assign(r->context, NULL, r->stack);
}

void runner_release(struct runner *r)
{
	pcre2_match_data_free(r->data);
	pcre2_match_context_free(r->context);
	pcre2_jit_stack_free(r->stack);
}

int runner_match(
    struct runner *r, const struct set *s, const char *msg, size_t len)
{
	PCRE2_SPTR subject = (PCRE2_SPTR)msg;
	PCRE2_SPTR mark;
	int rc, n = 0;

	rc = r->jit ? pcre2_jit_match(
			  s->code, subject, len, 0, 0, r->data, r->context)
		    : pcre2_match(
			  s->code, subject, len, 0, 0, r->data, r->context);
	if (rc < 0)
		return rc == PCRE2_ERROR_NOMATCH ? -1 : -2;
	for (mark = pcre2_get_mark(r->data); *mark; mark++)
		n = n * 10 + (*mark - '0');
	return n;
}
