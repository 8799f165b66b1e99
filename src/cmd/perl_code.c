/* SPDX-License-Identifier: ISC */
/*
 * perl_code - a reader of tokens that keeps the open brackets, and whether a
 * value or an operator was last: that decides what a '/' is.
 */
#include "perl_code.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"

enum { DEPTH_MAX = 64 };

/* What was last, for a '/' that comes. */
enum last {
	LAST_OPERATOR, /* it begins a regular expression */
	LAST_VALUE,    /* it divides */
	LAST_UNCLEAR
};

struct skip {
	struct perl_place *p;
	bool block, ended;
	enum last last;
	size_t depth;
	char shut[DEPTH_MAX]; /* what closes each open bracket */
};

static const char opens[] = "({[<", shuts[] = ")}]>";

/* --- places -----------------------------------------------------------------
 */

char perl_peek(const struct perl_place *p)
{
	return p->at < p->end ? *p->at : '\0';
}

static char peek_far(const struct perl_place *p, ptrdiff_t far)
{
	return far < p->end - p->at ? p->at[far] : '\0';
}

/* The byte `back` bytes before text, which is in there. */
static char before(const struct perl_place *p, const char *text, ptrdiff_t back)
{
	return text - p->begin >= back ? text[-back] : '\0';
}

void perl_next(struct perl_place *p)
{
	if (*p->at == '\n')
		p->line++;
	p->at++;
}

bool perl_begins(const struct perl_place *p, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(p->end - p->at) >= len && !memcmp(p->at, word, len);
}

bool perl_is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

void perl_skip_line(struct perl_place *p)
{
	while (p->at < p->end && *p->at != '\n')
		p->at++;
	if (p->at < p->end)
		perl_next(p);
}

/* The predecessor's own files switch sections off by a "=cut" before them. */
bool perl_skip_pod(struct perl_place *p)
{
	if ((p->at != p->begin && p->at[-1] != '\n') || perl_peek(p) != '=' ||
	    !isalpha((unsigned char)peek_far(p, 1)))
		return false;
	do
		perl_skip_line(p);
	while (p->at < p->end && !perl_begins(p, "=cut"));
	perl_skip_line(p);
	return true;
}

static bool skip_blanks(struct perl_place *p)
{
	const char *begin = p->at;

	while (isspace((unsigned char)perl_peek(p)))
		perl_next(p);
	return p->at > begin;
}

static void skip_name(struct perl_place *p)
{
	while (perl_is_word(perl_peek(p)) || perl_begins(p, "::"))
		p->at += *p->at == ':' ? 2 : 1;
}

/* --- quotes -----------------------------------------------------------------
 */

/* Behind what closes `open`; as Perl does it before it looks inside. */
static bool skip_quoted(struct perl_place *p, char open)
{
	const char *pair = strchr(opens, open);
	char shut = pair ? shuts[pair - opens] : open;
	int depth = 1;

	while (p->at < p->end) {
		char c = *p->at;

		perl_next(p);
		if (c == '\\' && p->at < p->end)
			perl_next(p);
		else if (c == shut && --depth == 0)
			return true;
		else if (pair && c == open)
			depth++;
	}
	return false;
}

/* Takes what begins a quote. With a blank before it '#' begins a comment, and
 * other signs may mean something else. '\0': nothing that is known. */
static char take_open(struct perl_place *p, bool blank)
{
	char open = perl_peek(p);

	if (!open || !strchr(blank ? "({[</|!'\"" : "({[</|!'\"#,@%^~", open))
		return '\0';
	perl_next(p);
	return open;
}

/* q{...}, s/.../.../x, behind the word. */
static bool skip_operator(struct perl_place *p, bool two)
{
	bool blank = skip_blanks(p);
	char open = take_open(p, blank);

	if (!open || !skip_quoted(p, open))
		return false;
	if (two && strchr(opens, open)) {
		(void)skip_blanks(p);
		open = take_open(p, true);
	}
	if (two && (!open || !skip_quoted(p, open)))
		return false;
	while (perl_is_word(perl_peek(p)))
		perl_next(p);
	return true;
}

/* --- words ------------------------------------------------------------------
 */

/* 0: it is none, else how many texts it has. */
static int quote_operator(const char *word, size_t len)
{
	static const char *const words[] = { "q", "qq", "qw", "qx", "qr", "m",
		"s", "tr", "y" };
	enum { FIRST_OF_TWO = 6 };

	for (int i = 0; i < (int)COUNT_OF(words); i++)
		if (strlen(words[i]) == len && !memcmp(words[i], word, len))
			return i < FIRST_OF_TWO ? 1 : 2;
	return 0;
}

/* Behind these stands a value, so that a '/' is no division. */
static bool wants_value(const char *word, size_t len)
{
	static const char *const words[] = { "split", "grep", "map", "join",
		"if", "unless", "elsif", "while", "until", "and", "or", "not",
		"xor", "return", "push", "unshift", "x", "lt", "gt", "le", "ge",
		"eq", "ne", "cmp" };

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strlen(words[i]) == len && !memcmp(words[i], word, len))
			return true;
	return false;
}

/* "word =>" and "{word}": text, whatever the word is. */
static bool is_key(const struct perl_place *p, const char *word)
{
	struct perl_place look = *p;

	if (perl_peek(p) == '}' && before(p, word, 1) == '{')
		return true;
	(void)skip_blanks(&look);
	return perl_begins(&look, "=>");
}

/* Behind "sub": a name, and a prototype, whose signs are no variables. */
static void skip_prototype(struct perl_place *p)
{
	struct perl_place look;

	(void)skip_blanks(p);
	skip_name(p);
	look = *p;
	(void)skip_blanks(&look);
	if (perl_peek(&look) != '(')
		return;
	perl_next(&look);
	while (perl_peek(&look) && strchr("$@%&*;\\[]+_ ", *look.at))
		perl_next(&look);
	if (perl_peek(&look) != ')')
		return;
	perl_next(&look);
	*p = look;
}

/* The text after "format NAME =" ends where nothing here looks for it. */
static bool is_format(const struct perl_place *p)
{
	struct perl_place look = *p;

	(void)skip_blanks(&look);
	skip_name(&look);
	(void)skip_blanks(&look);
	return perl_peek(&look) == '=';
}

static bool skip_special_word(struct skip *s, const char *word, size_t len)
{
	struct perl_place *p = s->p;
	int texts = quote_operator(word, len);
	bool test =
	    len == 1 && before(p, word, 1) == '-' && before(p, word, 2) != '-';

	/* -s $file */
	if (test && perl_peek(p) && strchr(" \t$('\"_", *p->at)) {
		s->last = LAST_OPERATOR;
		return true;
	}
	if (texts) {
		s->last = LAST_VALUE;
		return !test && skip_operator(p, texts == 2);
	}
	if (len == 3 && !memcmp(word, "sub", len))
		skip_prototype(p);
	if (len == 6 && !memcmp(word, "format", len))
		return !is_format(p);
	if ((len == 7 && !memcmp(word, "__END__", len)) ||
	    (len == 8 && !memcmp(word, "__DATA__", len))) {
		p->at = p->end;
		return s->depth == 0;
	}
	return true;
}

static bool skip_word(struct skip *s)
{
	struct perl_place *p = s->p;
	const char *word = p->at;
	char one = before(p, word, 1), two = before(p, word, 2);
	size_t len;

	while (perl_is_word(perl_peek(p)))
		p->at++;
	len = (size_t)(p->at - word);
	s->last = isdigit((unsigned char)*word) ? LAST_VALUE
		  : wants_value(word, len)      ? LAST_OPERATOR
						: LAST_UNCLEAR;
	if (one == '>' && two == '-') { /* a method */
		s->last = LAST_VALUE;
		return true;
	}
	if ((one == ':' && two == ':') || is_key(p, word))
		return true;
	return skip_special_word(s, word, len);
}

/* --- signs ------------------------------------------------------------------
 */

/* $name, $$name, $#name, $::name, $/ and its kind; of ${...} the sign. */
static void skip_scalar(struct skip *s)
{
	struct perl_place *p = s->p;
	char c;

	s->last = LAST_VALUE;
	perl_next(p);
	while (perl_peek(p) == '$') {
		perl_next(p);
		c = perl_peek(p);
		if (!perl_is_word(c) && (!c || !strchr("${:", c)))
			return; /* $$ */
	}
	c = perl_peek(p);
	if (perl_is_word(c) || perl_begins(p, "::")) {
		skip_name(p);
	} else if (c && c != '{' && !isspace((unsigned char)c)) {
		perl_next(p);
		if (c == '#' || c == '^')
			skip_name(p);
	}
}

/* @name, %name and &name, whose name may be that of an operator. */
static bool skip_sigil(struct skip *s)
{
	struct perl_place *p = s->p;
	char c = *p->at;

	if (c != '@' && (s->last == LAST_VALUE || before(p, p->at, 1) == c ||
			    (c != '%' && c != '&')))
		return false;
	if (!perl_is_word(peek_far(p, 1)) && peek_far(p, 1) != ':')
		return false;
	perl_next(p);
	skip_name(p);
	s->last = LAST_VALUE;
	return true;
}

/* A '<' with another behind it, where no shift is sure, begins a here-document.
 */
static bool is_here_document(const struct perl_place *p)
{
	struct perl_place look = *p;

	if (!perl_begins(p, "<<"))
		return false;
	look.at += 2;
	(void)skip_blanks(&look);
	return !perl_peek(&look) ||
	       (!isdigit((unsigned char)*look.at) && !strchr("$(=>", *look.at));
}

static bool skip_slash(struct skip *s)
{
	struct perl_place *p = s->p;

	if (s->last == LAST_UNCLEAR)
		return false;
	perl_next(p);
	if (s->last == LAST_VALUE) { /* or "//" */
		s->last = LAST_OPERATOR;
		p->at += perl_peek(p) == '/';
		return true;
	}
	if (!skip_quoted(p, '/'))
		return false;
	skip_name(p); /* its letters */
	s->last = LAST_VALUE;
	return true;
}

static bool skip_string(struct skip *s)
{
	struct perl_place *p = s->p;
	char mark = *p->at;

	/* main'name is an old way to write main::name. */
	if (mark == '\'' && perl_is_word(before(p, p->at, 1)))
		return false;
	perl_next(p);
	s->last = LAST_VALUE;
	return skip_quoted(p, mark);
}

static bool skip_bracket(struct skip *s, char c)
{
	const char *open = strchr(opens, c);

	if (open) {
		if (s->depth == DEPTH_MAX)
			return false;
		s->shut[s->depth++] = shuts[open - opens];
		s->last = LAST_OPERATOR;
	} else if (s->depth) {
		if (s->shut[--s->depth] != c)
			return false;
		s->last = c == '}' ? LAST_UNCLEAR : LAST_VALUE;
		s->ended = c == '}' && s->block && s->depth == 0;
	} else {
		return false;
	}
	return true;
}

static bool skip_sign(struct skip *s)
{
	char c = *s->p->at, prior = before(s->p, s->p->at, 1);

	perl_next(s->p);
	if (strchr("(){}[]", c))
		return skip_bracket(s, c);
	if (c == ';' && s->depth == 0)
		s->ended = true;
	s->last = (strchr("+-", c) && prior == c) || (c == '>' && prior != '=')
		      ? LAST_UNCLEAR
		      : LAST_OPERATOR;
	return true;
}

static bool skip_token(struct skip *s)
{
	struct perl_place *p = s->p;
	char c = *p->at;

	if (perl_skip_pod(p) || skip_blanks(p))
		return true;
	if (c == '#') {
		perl_skip_line(p);
		return true;
	}
	if (iscntrl((unsigned char)c) || is_here_document(p))
		return false;
	if (c == '$') {
		skip_scalar(s);
		return true;
	}
	if (c == '\'' || c == '"' || c == '`')
		return skip_string(s);
	if (c == '/')
		return skip_slash(s);
	if (perl_is_word(c))
		return skip_word(s);
	return skip_sigil(s) || skip_sign(s);
}

bool perl_skip_code(struct perl_place *p, bool block)
{
	struct skip s = { .p = p, .block = block };
	const int first = p->line;

	while (p->at < p->end && !s.ended) {
		const int line = p->line;

		if (!skip_token(&s)) {
			p->line = line;
			return false;
		}
	}
	if (s.depth)
		p->line = first;
	return s.depth == 0;
}
