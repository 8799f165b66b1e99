/* SPDX-License-Identifier: ISC */
/*
 * test_pattern_safety - which expressions may run over strangers' text. Those
 * that are taken are also shown to be linear, on growing bait.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pattern/engine.h"
#include "pattern/safety.h"

static bool is_safe(const char *text, struct err *err)
{
	struct safety_names names;

	err->text[0] = 0;
	return safety_check(text, &names, err) == 0;
}

static const char *const safe[] = {
	"^$",
	"^abc$",
	"^a\\.b\\[c\\]\\x41\\t\\$$",
	"^[^<>]++x$",
	"^[^<>]+<$",
	"^[a-z]{1,255}+[a-z]$",
	"^\\d{1,10}:\\w+ $",
	"^(?:imap|pop3)-login: x$",
	"^(?<user>[^ ]++) (?<ip>[0-9.]{7,15}+)$",
	"^(?>.*(?= \\[)) \\[x\\]$",
	"^(?>.*(?=[ab]|cd))x$",
	"^(?<user>(?>.*(?=>, method=)))>, method=x$",
	"^(?:, [a-z]{1,16}+=[0-9]++){0,16}+$",
	"^a?b?c?d?e?f?g?$",
	"^(?!anonymous )(?=[ab])[^ ]++$",
	"^.*+$",
	"^(?:a|b){0,64}c$",
};

static void test_safety_takes_what_is_linear(void **state)
{
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(safe); i++)
		if (!is_safe(safe[i], &err))
			fail_msg("%s: %s", safe[i], err.text);
}

static const char *const unsafe[] = {
	"",
	"^",
	"$",
	"abc",
	"^abc",
	"abc$",
	"^abc\\$",
	"^a|b$",         /* would be ^a or b$ */
	"^.*x$",         /* may go on past x */
	"^[^>]*[^<]*x$", /* the second may begin in the first */
	"^[a-z]+[a-z]x$",
	"^[a-z]+1?[a-y]x$",
	"^(?:[a-z]+)+1$", /* nested */
	"^(?:[a-z]++)*1$",
	"^(?:a*)*b$",
	"^(?:a|b)*c$", /* a group without limit */
	"^(?:a|b)++c$",
	"^(?:a|b){0,65}c$",
	"^(?:[a-z]++,){0,16}[a-z]$", /* repeats inside, gives back */
	"^(?>.*(?=a*))x$",           /* a repeat in look-ahead */
	"^(?>.*x)y$",
	"^(?:.*(?=x))x$", /* not atomic */
	"^a*?b$",         /* lazy */
	"^(a)$",          /* captures without a name */
	"^(?i)a$",
	"^(?i:a)$",
	"^(?<=a)b$",
	"^(?<!a)b$",
	"^(?P<user>a)$",
	"^(?'user'a)$",
	"^(?<user>a)\\1$",
	"^(?<user>a)\\k<user>$",
	"^(?R)$",
	"^(?1)$",
	"^(?&user)$",
	"^(?C1)a$",
	"^(?|a|b)$",
	"^(?(?=a)a|b)$",
	"^(*FAIL)$",
	"^(?#x)$",
	"^a\\Kb$",
	"^\\Ga$",
	"^\\Qa\\E$",
	"^a\\b$",
	"^\\pLa$",
	"^\\Xa$",
	"^\\s+$",
	"^[[:alpha:]]$",
	"^[a$",
	"^[]$",
	"^[]]$",
	"^[z-a]$",
	"^[\\d-z]$",
	"^a{$",
	"^a{,3}$",
	"^a{3,2}$",
	"^a{0}$",
	"^a{1001}$",
	"^a}$",
	"^a]$",
	"^a^b$",
	"^a$b$",
	"^**$",
	"^+a$",
	"^(?:a$",
	"^a)$",
	"^(?=a)*b$",
	"^(?=a*b)c$", /* a repeat in look-ahead */
	"^(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)$",
	"^a?a?a?a?a?a?a?a$",
	"^\x01$",
	"^(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:a)))))))))))))$",
	"^(?<User>a)$",
	"^(?<>a)$",
	"^(?<user>a$",
};

static void test_safety_refuses_all_else(void **state)
{
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(unsafe); i++) {
		if (is_safe(unsafe[i], &err))
			fail_msg("taken: %s", unsafe[i]);
		assert_true(err.text[0]);
	}
}

/* From where on it is wrong: a piece that is filled in moves every byte. */
static void test_safety_shows_the_place(void **state)
{
	static const struct {
		const char *text, *place;
	} cases[] = {
		{ "^abc\\yd$", ", at \"\\yd$\"" },
		{ "^ab+*c$", ", at \"*c$\"" },
		{ "^a[z-a]b$", ", at \"[z-a]b$\"" },
		{ "^a(b)$", ", at \"(b)$\"" },
		{ "^ab(?:c(?:de)$", ", at \"(?:c(?:de)$\"" },
		{ "^a)b$", ", at \")b$\"" },
		{ "^a[^ ]+b$", ", at \"[^ ]+b$\"" },
		{ "^ab(?:c|d){0,65}e$", ", at \"(?:c|d){0,65}e$\"" },
		{ "^x.*0123456789012345678901234567890123456789$",
		    ", at \".*012345678901234567890123456789...\"" },
		{ "^a*?\x01$", ", at \"a*?...\"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct err err;
		size_t len, end = strlen(cases[i].place);

		assert_false(is_safe(cases[i].text, &err));
		len = strlen(err.text);
		if (len < end ||
		    strcmp(err.text + len - end, cases[i].place) != 0)
			fail_msg("%s: %s", cases[i].text, err.text);
	}
}

static void test_safety_names_groups_in_order(void **state)
{
	struct safety_names names;

	(void)state;
	assert_int_equal(safety_check("^(?:(?<ip>a)|b)(?<user>(?>c(?<tls>d)))$",
			     &names, NULL),
	    0);
	assert_int_equal(names.n, 3);
	assert_memory_equal(names.name[0].at, "ip", 2);
	assert_memory_equal(names.name[1].at, "user", 4);
	assert_int_equal(names.name[2].len, 3);
}

/* --- expressions made at random
 * ---------------------------------------------*/

struct maker {
	unsigned seed;
	char text[400];
	size_t used;
	int depth;
};

static unsigned pick(struct maker *m, unsigned n)
{
	return (unsigned)rand_r(&m->seed) % n;
}

static void put(struct maker *m, const char *text)
{
	size_t n = strlen(text);

	if (m->used + n + 40 < sizeof(m->text)) {
		memcpy(m->text + m->used, text, n + 1);
		m->used += n;
	}
}

static void make_sequence(struct maker *m);

static void make_item(struct maker *m)
{
	static const char *const atoms[] = { "a", "b", "ab", ".", "[ab]",
		"[^a]", "[^b]", "c", "(?>.*(?=b))", "(?>.*(?=ab))", "(?!b)" };
	static const char *const groups[] = { "(?:", "(?>" };
	static const char *const repeats[] = { "*", "+", "?", "*+", "++", "?+",
		"{0,20}", "{1,9}+", "{0,3}" };

	if (m->depth < 3 && !pick(m, 4)) {
		m->depth++;
		put(m, groups[pick(m, 2)]);
		make_sequence(m);
		if (pick(m, 2)) {
			put(m, "|");
			make_sequence(m);
		}
		put(m, ")");
		m->depth--;
	} else {
		put(m, atoms[pick(m, COUNT_OF(atoms))]);
	}
	if (!pick(m, 2))
		put(m, repeats[pick(m, COUNT_OF(repeats))]);
}

static void make_sequence(struct maker *m)
{
	for (unsigned n = 1 + pick(m, 4); n; n--)
		make_item(m);
}

struct steps {
	uint64_t count;
};

static int count_step(pcre2_callout_block *block, void *ctx)
{
	struct steps *s = ctx;

	(void)block;
	return ++s->count > 2000000 ? PCRE2_ERROR_CALLOUT : 0;
}

/* The steps of one match against len bytes of bait. */
static uint64_t cost(pcre2_code *code, const char *piece, size_t len)
{
	struct steps steps = { 0 };
	pcre2_match_context *c = pcre2_match_context_create(NULL);
	pcre2_match_data *d = pcre2_match_data_create(40, NULL);
	AUTO_FREE char *bait = xmalloc(len);

	for (size_t i = 0; i < len; i++)
		bait[i] = piece[i % strlen(piece)];
	pcre2_set_callout(c, count_step, &steps);
	pcre2_match(code, (PCRE2_SPTR)bait, len, 0, 0, d, c);
	pcre2_match_data_free(d);
	pcre2_match_context_free(c);
	return steps.count;
}

/* Whatever the check lets through costs no more than some steps a byte, also
 * when the bait is made for it. */
static void test_safety_lets_nothing_through_that_is_not_linear(void **state)
{
	static const char *const baits[] = { "a", "b", "ab", "aab", "abb", "c",
		"aaaaaaab", "bbbbbbba" };
	struct maker m = { .seed = 3 };
	int taken = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct err err;
		PCRE2_SIZE at;
		pcre2_code *code;
		int why;

		m.used = 0;
		put(&m, "^");
		make_sequence(&m);
		put(&m, "$");
		if (!is_safe(m.text, &err))
			continue;
		taken++;
		code = pcre2_compile((PCRE2_SPTR)m.text, PCRE2_ZERO_TERMINATED,
		    PCRE2_ANCHORED | PCRE2_AUTO_CALLOUT, &why, &at, NULL);
		if (!code)
			fail_msg("PCRE2 refuses %s", m.text);
		for (size_t k = 0; k < COUNT_OF(baits); k++) {
			uint64_t n = cost(code, baits[k], 2000);

			if (n > (uint64_t)2000 * 50)
				fail_msg("%s costs %llu steps for 2000 bytes "
					 "of %s",
				    m.text, (unsigned long long)n, baits[k]);
		}
		pcre2_code_free(code);
	}
	assert_true(taken > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_safety_takes_what_is_linear),
		cmocka_unit_test(test_safety_refuses_all_else),
		cmocka_unit_test(test_safety_shows_the_place),
		cmocka_unit_test(test_safety_names_groups_in_order),
		cmocka_unit_test(
		    test_safety_lets_nothing_through_that_is_not_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
