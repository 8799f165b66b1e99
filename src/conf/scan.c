/* SPDX-License-Identifier: ISC */
/*
 * scan - looks at the shape of the text before libconfuse reads it.
 *
 *     lease           { ttl = 30m  never = {"192.0.2.80", "10.1."} }  # plain
 *     source  maillog { kind = "file"  path = '/var/log/mail.log' }
 */
#include "scan.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "mistake.h"

enum token { WORD, STRING, OPEN, CLOSE, EQUAL, COMMA, END, TOKENS };

/* What may come next; the name says what has just been read. */
enum state { TOP, SECTION, TITLE, BODY, OPTION, VALUE, ITEM, AFTER, STATES };

enum { REFUSED = 0, TO = 1 }; /* next[][] holds TO + state, or 0 */

static const unsigned char next[STATES][TOKENS] = {
	[TOP] = { [WORD] = TO + SECTION, [END] = TO + TOP },
	[SECTION] = { [WORD] = TO + TITLE,
	    [STRING] = TO + TITLE,
	    [OPEN] = TO + BODY },
	[TITLE] = { [OPEN] = TO + BODY },
	[BODY] = { [WORD] = TO + OPTION, [CLOSE] = TO + TOP },
	[OPTION] = { [EQUAL] = TO + VALUE },
	[VALUE] = { [WORD] = TO + BODY,
	    [STRING] = TO + BODY,
	    [OPEN] = TO + ITEM },
	[ITEM] = { [WORD] = TO + AFTER,
	    [STRING] = TO + AFTER,
	    [CLOSE] = TO + BODY },
	[AFTER] = { [COMMA] = TO + ITEM, [CLOSE] = TO + BODY },
};

static const char *const expected[STATES] = {
	[TOP] = "a section, as in: lease { ... }",
	[SECTION] = "'{' or the section's name",
	[TITLE] = "'{'",
	[BODY] = "an option or '}'",
	[OPTION] = "'=' (a value of several words stands in quotes)",
	[VALUE] = "a value",
	[ITEM] = "a value or '}'",
	[AFTER] = "',' or '}'",
};

/* An option of the section at hand. */
struct name {
	const char *text;
	size_t len;
	int line;
};

struct scanner {
	const char *text, *end, *at, *file;
	int line;
	enum token token;
	const char *start;              /* of the token in the text */
	char value[SCAN_VALUE_MAX + 1]; /* of a word or a string */
	size_t value_len;
	enum state state;
	char *out; /* where clean text goes on */
	size_t items, name_count;
	struct name names[SCAN_OPTIONS_MAX];
	struct scan *scan;
	struct err *err;
};

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* Bytes of a value without quotes. */
static bool is_word_byte(char c)
{
	return is_name_byte(c) || (c != '\0' && strchr(".:/@%", c) != NULL);
}

static bool is_name(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_name_byte(text[i]))
			return false;
	return len > 0 && len <= SCAN_NAME_MAX;
}

static char peek(const struct scanner *s, size_t ahead)
{
	return (size_t)(s->end - s->at) > ahead ? s->at[ahead] : '\0';
}

static void new_line(struct scanner *s)
{
	s->line++;
	s->at++;
	*s->out++ = '\n';
}

static int refuse_byte(struct scanner *s)
{
	unsigned char c = (unsigned char)*s->at;

	if (c == '\0')
		return mistake(s->err, s->file, s->line,
		    "a NUL byte; this is no text file");
	if (c <= 0x20 || c >= 0x7f)
		return mistake(s->err, s->file, s->line,
		    "byte 0x%02x may not stand here", c);
	if (c == '(' || c == ')')
		return mistake(s->err, s->file, s->line,
		    "found '%c'; there are no functions and no include() here",
		    c);
	return mistake(s->err, s->file, s->line,
	    "found '%c', which must stand in quotes", c);
}

static int skip_line_comment(struct scanner *s)
{
	while (s->at < s->end && *s->at != '\n') {
		if (*s->at == '\0')
			return refuse_byte(s);
		s->at++;
	}
	return 0;
}

static int skip_block_comment(struct scanner *s)
{
	int began = s->line;

	for (s->at += 2; s->at < s->end;) {
		if (*s->at == '*' && peek(s, 1) == '/') {
			s->at += 2;
			return 0;
		}
		if (*s->at == '\0')
			return refuse_byte(s);
		if (*s->at == '\n')
			new_line(s);
		else
			s->at++;
	}
	return mistake(
	    s->err, s->file, began, "a comment begins here and has no end");
}

static int skip_comment(struct scanner *s)
{
	if (*s->at == '#' || peek(s, 1) == '/')
		return skip_line_comment(s);
	return skip_block_comment(s);
}

/* Blanks, line breaks and comments. */
static int skip_blanks(struct scanner *s)
{
	while (s->at < s->end) {
		char c = *s->at;

		if (c == '\n')
			new_line(s);
		else if (c == ' ' || c == '\t' || c == '\r')
			s->at++;
		else if (c != '#' &&
			 (c != '/' || (peek(s, 1) != '/' && peek(s, 1) != '*')))
			return 0;
		else if (skip_comment(s) != 0)
			return -1;
	}
	return 0;
}

static int add_byte(struct scanner *s, char c)
{
	if (s->value_len >= SCAN_VALUE_MAX)
		return mistake(s->err, s->file, s->line,
		    "a value is longer than %d bytes", SCAN_VALUE_MAX);
	s->value[s->value_len++] = c;
	return 0;
}

static int read_word(struct scanner *s)
{
	s->token = WORD;
	while (s->at < s->end && is_word_byte(*s->at)) {
		if (*s->at == '/' && (peek(s, 1) == '/' || peek(s, 1) == '*'))
			return mistake(s->err, s->file, s->line,
			    "'/%c' begins a comment; the value must stand in "
			    "quotes",
			    peek(s, 1));
		if (add_byte(s, *s->at++) != 0)
			return -1;
	}
	return 0;
}

/* One byte behind a backslash. In '...' a backslash counts only before ' and
 * itself. */
static int read_escape(struct scanner *s, char quote)
{
	char c = peek(s, 1);

	if (c == '\\' || c == quote || (quote == '"' && c == '$')) {
		s->at += 2;
		return add_byte(s, c);
	}
	if (quote == '\'') {
		s->at++;
		return add_byte(s, '\\');
	}
	return mistake(s->err, s->file, s->line,
	    "a backslash in \"...\" may stand only before \", \\ and $; write "
	    "'\\\\' for one");
}

static int read_string(struct scanner *s)
{
	char quote = *s->at++;

	s->token = STRING;
	while (s->at < s->end && *s->at != quote && *s->at != '\n') {
		char c = *s->at;
		int rc = 0;

		if (c == '\\')
			rc = read_escape(s, quote);
		else if ((unsigned char)c < 0x20 || c == 0x7f)
			rc = mistake(s->err, s->file, s->line,
			    "control byte 0x%02x in a value", (unsigned)c);
		else if (c == '$' && quote == '"' && peek(s, 1) == '{')
			rc = mistake(s->err, s->file, s->line,
			    "\"${...}\" would be a variable of the "
			    "environment, which is not read here; write \\${ "
			    "for the text itself");
		else
			rc = add_byte(s, *s->at++);
		if (rc != 0)
			return -1;
	}
	if (s->at >= s->end || *s->at != quote)
		return mistake(s->err, s->file, s->line,
		    "a value in %c...%c does not end on its line", quote,
		    quote);
	s->at++;
	return 0;
}

static int read_token(struct scanner *s)
{
	static const char marks[] = "{}=,";
	static const enum token of_marks[] = { OPEN, CLOSE, EQUAL, COMMA };
	const char *mark;

	if (skip_blanks(s) != 0)
		return -1;
	s->start = s->at;
	s->value_len = 0;
	if (s->at >= s->end) {
		s->token = END;
		return 0;
	}
	if (*s->at == '"' || *s->at == '\'')
		return read_string(s);
	if (is_word_byte(*s->at))
		return read_word(s);
	mark = memchr(marks, *s->at, sizeof(marks) - 1);
	if (mark == NULL)
		return refuse_byte(s);
	s->token = of_marks[mark - marks];
	s->at++;
	return 0;
}

static void emit_value(struct scanner *s)
{
	*s->out++ = '"';
	for (size_t i = 0; i < s->value_len; i++) {
		char c = s->value[i];

		if (c == '"' || c == '\\' || c == '$')
			*s->out++ = '\\';
		*s->out++ = c;
	}
	*s->out++ = '"';
}

/* Names go as they are, so that libconfuse looks them up as words. */
static void emit(struct scanner *s, bool as_value)
{
	*s->out++ = ' ';
	if (as_value) {
		emit_value(s);
	} else if (s->token != END) {
		memcpy(s->out, s->start, (size_t)(s->at - s->start));
		s->out += s->at - s->start;
	}
}

static int begin_section(struct scanner *s)
{
	struct scan_section *section;

	if (s->scan->count >= SCAN_SECTIONS_MAX)
		return mistake(s->err, s->file, s->line,
		    "more than %d sections", SCAN_SECTIONS_MAX);
	section = &s->scan->sections[s->scan->count++];
	section->line = s->line;
	memcpy(section->word, s->value, s->value_len);
	s->name_count = 0;
	return 0;
}

static int begin_option(struct scanner *s)
{
	for (size_t i = 0; i < s->name_count; i++) {
		const struct name *name = &s->names[i];
		if (name->len == s->value_len &&
		    memcmp(name->text, s->value, name->len) == 0)
			return mistake(s->err, s->file, s->line,
			    "%.*s is set a second time; the first is on line "
			    "%d",
			    (int)name->len, name->text, name->line);
	}
	if (s->name_count >= SCAN_OPTIONS_MAX)
		return mistake(s->err, s->file, s->line,
		    "more than %d options in a section", SCAN_OPTIONS_MAX);
	s->names[s->name_count++] =
	    (struct name){ s->start, s->value_len, s->line };
	s->items = 0;
	return 0;
}

static int take_name(struct scanner *s, enum state next_state)
{
	char text[SHOWN_SIZE];

	if (!is_name(s->value, s->value_len))
		return mistake(s->err, s->file, s->line,
		    "found '%s', expected a name of 1 to %d letters, digits, "
		    "'-' and '_'",
		    shown(s->value, s->value_len, text), SCAN_NAME_MAX);
	if (next_state == SECTION)
		return begin_section(s);
	if (next_state == OPTION)
		return begin_option(s);
	memcpy(s->scan->sections[s->scan->count - 1].title, s->value,
	    s->value_len);
	return 0;
}

/* Which kind a section is must be known before its options are judged. */
static void note_kind(struct scanner *s)
{
	const struct name *option = &s->names[s->name_count - 1];
	struct scan_section *section = &s->scan->sections[s->scan->count - 1];

	if (option->len != strlen("kind") ||
	    memcmp(option->text, "kind", option->len) != 0 || section->kind[0])
		return;
	(void)snprintf(section->kind, sizeof(section->kind), "%.*s",
	    (int)s->value_len, s->value);
	section->kind_line = s->line;
}

/* Says what was found instead of what this state expects. */
static int refuse_token(struct scanner *s)
{
	char text[SHOWN_SIZE];

	if (s->token == END)
		return mistake(s->err, s->file, s->line,
		    "found the end of the file, expected %s; the section "
		    "begins on line %d",
		    expected[s->state],
		    s->scan->sections[s->scan->count - 1].line);
	return mistake(s->err, s->file, s->line, "found '%s', expected %s",
	    shown(s->start, (size_t)(s->at - s->start), text),
	    expected[s->state]);
}

/* Takes one token: checks it, hands it on, and moves to the next state. */
static int step(struct scanner *s)
{
	unsigned char to = next[s->state][s->token];
	enum state from = s->state;
	bool is_text = s->token == WORD || s->token == STRING;

	if (to == REFUSED)
		return refuse_token(s);
	s->state = to - TO;
	if (is_text && (from == TOP || from == SECTION || from == BODY) &&
	    take_name(s, s->state) != 0)
		return -1;
	if ((from == VALUE || from == ITEM) && is_text)
		note_kind(s);
	if (from == ITEM && is_text && ++s->items > SCAN_ITEMS_MAX)
		return mistake(s->err, s->file, s->line,
		    "more than %d values in one list", SCAN_ITEMS_MAX);
	emit(s, is_text && from != TOP && from != BODY);
	return 0;
}

int scan_text(const char *text, size_t len, const char *name, struct scan *out,
    struct err *err)
{
	AUTO_FREE struct scanner *s = xcalloc(1, sizeof(*s));
	char *start;

	*out = (struct scan){ 0 };
	if (len > SCAN_TEXT_MAX)
		return mistake(
		    err, name, 0, "larger than %d bytes", SCAN_TEXT_MAX);
	/* A token grows by a blank and two quotes, an escaped byte by one. */
	start = out->clean = xcalloc(4, len + 4);
	s->text = s->at = text;
	s->end = text + len;
	s->file = name;
	s->line = 1;
	s->out = start;
	s->scan = out;
	s->err = err;
	do {
		if (read_token(s) != 0 || step(s) != 0)
			return -1;
	} while (s->token != END);
	must((size_t)(s->out - start) < 4 * (len + 4));
	return 0;
}

void scan_free(struct scan *scan)
{
	mem_free_cleanup(&scan->clean);
	*scan = (struct scan){ 0 };
}
