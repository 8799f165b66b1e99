/* SPDX-License-Identifier: ISC */
/*
 * perl_conf - plain assignments of a Perl file. A pure function over text.
 */
#include "perl_conf.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "perl_code.h"

enum {
	VALUE_MAX = 8192,
	VARS_MAX = 256,
	NUMBER_MAX = 1000000000,
	NUMBER_SIZE = 24
};

struct var {
	char name[PERL_NAME_MAX + 1];
	char *value;
};

struct reader {
	struct perl_place p;
	bool unclear; /* what is behind here may be text; p.line says where */
	struct perl_fact fact; /* the statement that is read */
	perl_conf_fn *fn;
	void *ctx;
	struct var vars[VARS_MAX];
	size_t var_count;
};

/* A value in the making; more than fits is no plain value. */
struct value {
	size_t len;
	char text[VALUE_MAX];
};

static bool put(struct value *v, char c)
{
	if (v->len + 1 >= sizeof(v->text) || c == '\0')
		return false;
	v->text[v->len++] = c;
	v->text[v->len] = '\0';
	return true;
}

/* --- blanks, comments, documentation ----------------------------------------
 */

static char peek(const struct reader *r)
{
	return perl_peek(&r->p);
}

static void next(struct reader *r)
{
	perl_next(&r->p);
}

static bool begins(const struct reader *r, const char *word)
{
	return perl_begins(&r->p, word);
}

static void skip_space(struct reader *r)
{
	while (r->p.at < r->p.end) {
		if (perl_skip_pod(&r->p))
			continue;
		if (*r->p.at == '#')
			perl_skip_line(&r->p);
		else if (isspace((unsigned char)*r->p.at))
			next(r);
		else
			return;
	}
}

/* --- values -----------------------------------------------------------------
 */

static bool take(struct reader *r, char c)
{
	if (peek(r) != c)
		return false;
	next(r);
	return true;
}

static bool take_name(struct reader *r, char out[static PERL_NAME_MAX + 1])
{
	size_t len = 0;

	if (isdigit((unsigned char)peek(r)))
		return false;
	while (perl_is_word(peek(r)) && len < PERL_NAME_MAX) {
		out[len++] = *r->p.at;
		next(r);
	}
	out[len] = '\0';
	return len > 0 && !perl_is_word(peek(r));
}

/* name, name{key} and name{'key'}, behind the sign. */
static bool take_variable(struct reader *r, char out[static PERL_NAME_MAX + 1])
{
	char name[PERL_NAME_MAX + 1], key[PERL_NAME_MAX + 1], quote;

	if (!take_name(r, name))
		return false;
	if (!take(r, '{')) {
		memcpy(out, name, sizeof(name));
		return true;
	}
	skip_space(r);
	quote = peek(r) == '"' ? '"' : '\'';
	bool quoted = take(r, quote);
	if (!take_name(r, key) || (quoted && !take(r, quote)))
		return false;
	skip_space(r);
	return take(r, '}') && snprintf(out, PERL_NAME_MAX + 1, "%s{%s}", name,
				   key) <= PERL_NAME_MAX;
}

/* '...' and q(...): only the mark and the backslash can be escaped. Of a pair
 * of brackets there is none inside that opens. */
static bool take_single(struct reader *r, char open, char mark, struct value *v)
{
	while (r->p.at < r->p.end && *r->p.at != mark) {
		if (*r->p.at == open)
			return false;
		if (*r->p.at == '\\' && r->p.end - r->p.at > 1 &&
		    (r->p.at[1] == mark || r->p.at[1] == '\\'))
			r->p.at++;
		if (!put(v, *r->p.at))
			return false;
		next(r);
	}
	return take(r, mark);
}

/* "...": plain only when nothing in it is filled in or made of an escape. */
static bool take_double(struct reader *r, struct value *v)
{
	static const char escapes[] = "\\\"$@";

	while (r->p.at < r->p.end && *r->p.at != '"') {
		char c = *r->p.at;

		if (c == '$' || c == '@')
			return false;
		next(r);
		if (c == '\\') {
			c = peek(r);
			if (c == '\0' || !strchr(escapes, c))
				return false;
			next(r);
		}
		if (!put(v, c))
			return false;
	}
	return take(r, '"');
}

static bool take_q(struct reader *r, struct value *v)
{
	static const char open[] = "({[</|!", shut[] = ")}]>/|!";
	const char *mark;

	r->p.at++;
	mark = peek(r) ? strchr(open, peek(r)) : NULL;
	if (!mark)
		return false;
	next(r);
	return take_single(r, *mark, shut[mark - open], v);
}

static bool take_earlier(struct reader *r, struct value *v)
{
	char name[PERL_NAME_MAX + 1];

	next(r);
	if (!take_variable(r, name))
		return false;
	for (size_t i = r->var_count; i-- > 0;) {
		const char *text = r->vars[i].value;

		if (strcmp(r->vars[i].name, name) != 0)
			continue;
		while (text && *text)
			if (!put(v, *text++))
				return false;
		return text != NULL;
	}
	return false;
}

static bool take_digits(struct reader *r, int64_t *out)
{
	int64_t n = 0;

	if (!isdigit((unsigned char)peek(r)))
		return false;
	/* 010 is eight, and 1_000 a thousand; 1.5 and 0x10 are refused. */
	if (*r->p.at == '0' && r->p.end - r->p.at > 1 &&
	    perl_is_word(r->p.at[1]))
		return false;
	for (; isdigit((unsigned char)peek(r)) || peek(r) == '_'; r->p.at++) {
		if (*r->p.at != '_')
			n = n * 10 + (*r->p.at - '0');
		if (n > NUMBER_MAX)
			return false;
	}
	*out = n;
	return !perl_is_word(peek(r)) &&
	       !(peek(r) == '.' && r->p.end - r->p.at > 1 &&
		   isdigit((unsigned char)r->p.at[1]));
}

static bool take_number(struct reader *r, struct value *v)
{
	bool minus = take(r, '-');
	char text[NUMBER_SIZE];
	int64_t n, factor;

	if (!take_digits(r, &n))
		return false;
	for (skip_space(r); take(r, '*'); skip_space(r)) {
		skip_space(r);
		if (!take_digits(r, &factor) ||
		    (factor && n > NUMBER_MAX / factor))
			return false;
		n *= factor;
	}
	(void)snprintf(
	    text, sizeof(text), "%s%lld", minus ? "-" : "", (long long)n);
	for (const char *c = text; *c; c++)
		if (!put(v, *c))
			return false;
	return true;
}

static bool take_term(struct reader *r, struct value *v)
{
	char c = peek(r);

	if (c == '\'') {
		next(r);
		return take_single(r, '\0', '\'', v);
	}
	if (c == '"') {
		next(r);
		return take_double(r, v);
	}
	if (c == '$')
		return take_earlier(r, v);
	if (c == 'q' && r->p.end - r->p.at > 1 && !perl_is_word(r->p.at[1]))
		return take_q(r, v);
	return take_number(r, v);
}

static bool take_expression(struct reader *r, struct value *v)
{
	v->len = 0;
	v->text[0] = '\0';
	do {
		skip_space(r);
		if (!take_term(r, v))
			return false;
		skip_space(r);
	} while (take(r, '.'));
	return true;
}

/* --- statements -------------------------------------------------------------
 */

static void tell(struct reader *r, const char *name, const char *value)
{
	r->fact.name = name;
	r->fact.value = value;
	r->fn(r->ctx, &r->fact);
}

/* A variable that was given code has no value from there on. */
static void remember(struct reader *r, const char *name, const char *value)
{
	struct var *var = NULL;

	for (size_t i = 0; i < r->var_count; i++)
		if (strcmp(r->vars[i].name, name) == 0)
			var = &r->vars[i];
	if (!var && r->var_count < VARS_MAX) {
		var = &r->vars[r->var_count++];
		(void)snprintf(var->name, sizeof(var->name), "%s", name);
	}
	if (!var)
		return;
	free(var->value);
	var->value = value ? xstrdup(value) : NULL;
}

/* Over code. What cannot be told ends all: a text in it could look like a
 * setting. */
static void skip_code(struct reader *r, bool block)
{
	if (perl_skip_code(&r->p, block))
		return;
	r->unclear = true;
	r->p.at = r->p.end;
}

/* The whole statement once more: it is code after all. */
static void skip_again(struct reader *r, bool block)
{
	r->p.at = r->fact.text;
	r->p.line = r->fact.line;
	skip_code(r, block);
}

static bool take_end(struct reader *r)
{
	skip_space(r);
	return take(r, ';') || r->p.at == r->p.end;
}

static bool take_equals(struct reader *r)
{
	skip_space(r);
	return take(r, '=') && peek(r) != '=' && peek(r) != '~';
}

static void assign(struct reader *r, struct value *v)
{
	char name[PERL_NAME_MAX + 1] = "";
	bool plain;

	next(r);
	if (!take_variable(r, name)) {
		skip_again(r, false);
		tell(r, "", NULL);
		return;
	}
	plain = take_equals(r) && take_expression(r, v) && take_end(r);
	if (!plain)
		skip_again(r, false);
	remember(r, name, plain ? v->text : NULL);
	tell(r, name, plain ? v->text : NULL);
}

static bool take_pair(struct reader *r, const char *hash, struct value *v)
{
	char key[PERL_NAME_MAX + 1], name[PERL_NAME_MAX + 1];
	bool quoted = take(r, '\'');

	if (!take_name(r, key) || (quoted && !take(r, '\'')))
		return false;
	skip_space(r);
	if (!take(r, '=') || !take(r, '>') || !take_expression(r, v) ||
	    snprintf(name, sizeof(name), "%s{%s}", hash, key) > PERL_NAME_MAX)
		return false;
	remember(r, name, v->text);
	tell(r, name, v->text);
	return true;
}

static void assign_hash(struct reader *r, struct value *v)
{
	char name[PERL_NAME_MAX + 1] = "";
	bool plain;

	next(r);
	plain = take_name(r, name) && take_equals(r);
	skip_space(r);
	plain = plain && take(r, '(');
	for (skip_space(r); plain && peek(r) != ')'; skip_space(r)) {
		plain = take_pair(r, name, v);
		skip_space(r);
		if (!take(r, ','))
			break;
	}
	if (plain && take(r, ')') && take_end(r))
		return;
	skip_again(r, false);
	tell(r, name, NULL);
}

/* Nothing that a value depends on. */
static bool is_pragma(const char *word, const struct reader *r)
{
	static const char *const names[] = { "strict", "vars", "warnings",
		"utf8", "lib" };

	if (strcmp(word, "use") != 0 && strcmp(word, "no") != 0)
		return false;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (begins(r, names[i]))
			return true;
	return false;
}

static bool has_block(const char *word)
{
	static const char *const words[] = { "sub", "package", "if", "unless",
		"elsif", "else", "foreach", "for", "while", "until", "BEGIN",
		"END" };

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

static void read_word(struct reader *r, struct value *v)
{
	char word[PERL_NAME_MAX + 1], what[PERL_NAME_MAX + 1];
	char name[2 * PERL_NAME_MAX + 4];

	if (!take_name(r, word)) {
		skip_again(r, false);
		tell(r, "", NULL);
		return;
	}
	skip_space(r);
	if (peek(r) == '$' && (!strcmp(word, "our") || !strcmp(word, "my") ||
				  !strcmp(word, "local"))) {
		assign(r, v);
		return;
	}
	bool silent = is_pragma(word, r);
	bool named = (!strcmp(word, "sub") || !strcmp(word, "use")) &&
		     take_name(r, what);
	(void)snprintf(name, sizeof(name), "%s%s%s", word, named ? " " : "",
	    named ? what : "");
	skip_again(r, has_block(word));
	if (!silent)
		tell(r, name, NULL);
}

static size_t line_length(const struct reader *r)
{
	const char *lf = memchr(r->p.at, '\n', (size_t)(r->p.end - r->p.at));

	return (size_t)((lf ? lf : r->p.end) - r->p.at);
}

static void read_statement(struct reader *r, struct value *v)
{
	char c = peek(r);

	r->fact.line = r->p.line;
	r->fact.text = r->p.at;
	r->fact.text_len = line_length(r);
	if (c == ';') {
		next(r);
	} else if (c == '$') {
		assign(r, v);
	} else if (c == '%') {
		assign_hash(r, v);
	} else if (begins(r, "1;")) { /* what a file ends with */
		r->p.at += 2;
	} else if (perl_is_word(c) && !isdigit((unsigned char)c)) {
		read_word(r, v);
	} else {
		skip_code(r, c == '{');
		tell(r, "", NULL);
	}
}

int perl_conf_read(const char *text, size_t len, perl_conf_fn *fn, void *ctx)
{
	AUTO_FREE struct reader *r = xcalloc(1, sizeof(*r));
	AUTO_FREE struct value *v = xcalloc(1, sizeof(*v));

	r->p.begin = r->p.at = text;
	r->p.end = text + len;
	r->p.line = 1;
	r->fn = fn;
	r->ctx = ctx;
	for (skip_space(r); r->p.at < r->p.end; skip_space(r)) {
		if (begins(r, "__END__") || begins(r, "__DATA__"))
			break;
		read_statement(r, v);
	}
	for (size_t i = 0; i < r->var_count; i++)
		free(r->vars[i].value);
	return r->unclear ? r->p.line : 0;
}
