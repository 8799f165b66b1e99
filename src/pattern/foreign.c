/* SPDX-License-Identifier: ISC */
/*
 * foreign - runs an expression that is not ours over the samples that are.
 */
#include "foreign.h"

#include <string.h>

#include "base/kv.h"
#include "base/mem.h"
#include "engine.h"
#include "file.h"

enum { FOREIGN_LIMIT = 100000 };

struct search {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
	unsigned group;
};

static int open_search(
    struct search *s, const char *expression, struct err *err)
{
	char why[128];
	PCRE2_SIZE at;
	int code;

	s->code = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED,
	    PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C, &code,
	    &at, NULL);
	if (!s->code) {
		pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof(why));
		return err_set(err, EXIT_USER, "is no expression: %s", why);
	}
	s->data = pcre2_match_data_create_from_pattern(s->code, NULL);
	s->context = pcre2_match_context_create(NULL);
	must(s->data && s->context);
	pcre2_set_match_limit(s->context, FOREIGN_LIMIT);
	pcre2_set_depth_limit(s->context, FOREIGN_LIMIT);
	return 0;
}

static void close_search(struct search *s)
{
	pcre2_match_context_free(s->context);
	pcre2_match_data_free(s->data);
	pcre2_code_free(s->code);
}

/* The address that a sample says a login has. */
static bool wanted(const struct pattern_sample *sample, struct addr *out)
{
	const char *words = sample->want;
	size_t left = strlen(words);
	struct kv_word w;

	while (kv_next(&words, &left, &w) > 0)
		if (w.key_len == 2 && !memcmp(w.key, "ip", 2))
			return addr_parse(w.value, w.value_len, out);
	return false;
}

static bool is_address(const struct search *s, const char *text, int groups,
    const struct addr *want)
{
	const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(s->data);
	size_t at = 2 * (size_t)s->group;
	struct addr got;

	return (int)s->group < groups && ends[at] != PCRE2_UNSET &&
	       addr_parse(text + ends[at], ends[at + 1] - ends[at], &got) &&
	       addr_equal(&got, want);
}

static int search_sample(const struct search *s,
    const struct pattern_sample *sample, struct foreign *out, struct err *err)
{
	struct addr want;
	int groups;

	if (sample->kind != LOGIN_IN || !wanted(sample, &want))
		return 0;
	groups = pcre2_match(s->code, (PCRE2_SPTR)sample->text,
	    sample->text_len, 0, 0, s->data, s->context);
	if (groups == PCRE2_ERROR_NOMATCH)
		return 0;
	if (groups < 0)
		return err_set(
		    err, EXIT_USER, "takes too long on ordinary lines");
	out->logins++;
	out->wrong += s->group && !is_address(s, sample->text, groups, &want);
	return 0;
}

int foreign_search(const struct patterns *p, size_t i, const char *expression,
    unsigned group, struct foreign *out, struct err *err)
{
	const struct pattern_file *f = patterns_file(p, i);
	struct search s = { .group = group };
	int result = open_search(&s, expression, err);

	*out = (struct foreign){ 0 };
	if (result < 0)
		return result;
	for (size_t k = 0; !result && k < f->sample_count; k++)
		result = search_sample(&s, &f->samples[k], out, err);
	close_search(&s);
	return result;
}
