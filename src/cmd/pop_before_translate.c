/* SPDX-License-Identifier: ISC */
/*
 * pop_before_translate - reads the few forms that patterns of pop-before-smtp
 * are made of, from left to right. What it does not know is refused.
 */
#include "pop_before_translate.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

#define HEAD "^[LOGTIME] \\S+ "

static const char too_hard[] =
    "it holds a form that cannot be translated; write a pattern file "
    "(docs/patterns.md)";
static const char two_sides[] =
    "what strangers choose may stand on both sides of the address, so who "
    "wrote it cannot be told; write a pattern file (docs/patterns.md)";

struct translation {
	const char *at;
	struct translated *out;
	size_t used;
	bool has_ip, has_user;
	/* What strangers choose may stand before the address, and behind it. */
	bool free_before, free_behind;
	char tail[32]; /* the last plain bytes, for "user=" */
};

static bool put(struct translation *t, const char *text)
{
	size_t len = strlen(text);

	if (t->used + len >= sizeof(t->out->text))
		return false;
	memcpy(t->out->text + t->used, text, len + 1);
	t->used += len;
	return true;
}

/* --- the programs -----------------------------------------------------------
 */

static bool add_to_names(struct translated *out, size_t from, size_t to,
    const char *text, size_t len)
{
	for (size_t i = from; i < to; i++) {
		size_t used = strlen(out->names[i]);

		if (used + len >= TRANSLATE_NAME_SIZE)
			return false;
		memcpy(out->names[i] + used, text, len);
		out->names[i][used + len] = '\0';
	}
	return true;
}

static bool is_name_byte(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("._/-", c));
}

/* One byte of a name, with its backslash or without. Returns how many bytes. */
static size_t name_byte(const char *at, char *out)
{
	size_t n = at[0] == '\\' ? 2 : 1;

	*out = at[n - 1];
	if (n == 2 && isalnum((unsigned char)*out))
		return 0;
	/* A plain '.' is any byte, and no name. */
	return is_name_byte(*out) && (n == 2 || *out != '.') ? n : 0;
}

/* (?:a|b) and (?:a|b)?: every name so far with each of them. */
static bool take_name_group(struct translation *t)
{
	struct translated *out = t->out;
	char words[TRANSLATE_NAMES_MAX][TRANSLATE_NAME_SIZE] = { 0 };
	size_t count = 1, len = 0, old = out->count;

	for (t->at += 3; *t->at && *t->at != ')';) {
		char c;
		size_t n = name_byte(t->at, &c);

		if (*t->at == '|') {
			n = 1;
			len = 0;
			if (++count == TRANSLATE_NAMES_MAX)
				return false;
		} else if (n && len + 1 < TRANSLATE_NAME_SIZE) {
			words[count - 1][len++] = c;
		} else {
			return false;
		}
		t->at += n;
	}
	if (*t->at++ != ')')
		return false;
	if (*t->at == '?') {
		t->at++;
		count++; /* the empty word */
	}
	if (count > TRANSLATE_NAMES_MAX || old * count > TRANSLATE_NAMES_MAX)
		return false;
	for (size_t i = count; i-- > 0;) {
		memmove(out->names[i * old], out->names[0],
		    old * TRANSLATE_NAME_SIZE);
		if (!add_to_names(out, i * old, (i + 1) * old, words[i],
			strlen(words[i])))
			return false;
	}
	out->count = old * count;
	return true;
}

/* "x?" and "x": the optional byte was put last. */
static bool take_name_byte(struct translation *t)
{
	struct translated *out = t->out;
	size_t old = out->count, n;
	char c;

	n = name_byte(t->at, &c);
	if (!n)
		return false;
	t->at += n;
	if (*t->at != '?')
		return add_to_names(out, 0, old, &c, 1);
	t->at++;
	if (2 * old > TRANSLATE_NAMES_MAX)
		return false;
	memcpy(out->names[old], out->names[0], old * TRANSLATE_NAME_SIZE);
	out->count = 2 * old;
	return add_to_names(out, 0, old, &c, 1);
}

/* "PROGRAM\[\d+\]: " or "PROGRAM: ". */
static bool take_program(struct translation *t)
{
	static const char *const ends[] = { "\\[\\d+\\]: ", ": " };

	t->out->count = 1;
	t->out->names[0][0] = '\0';
	for (;;) {
		for (size_t i = 0; i < COUNT_OF(ends); i++)
			if (!strncmp(t->at, ends[i], strlen(ends[i]))) {
				t->at += strlen(ends[i]);
				return t->out->names[0][0] != '\0';
			}
		if (!strncmp(t->at, "(?:", 3) ? !take_name_group(t)
					      : !take_name_byte(t))
			return false;
	}
}

/* --- the message ------------------------------------------------------------
 */

/* What is put now may hold a stranger's text. */
static void note_free(struct translation *t)
{
	if (t->has_ip)
		t->free_behind = true;
	else
		t->free_before = true;
}

/* The plain byte at `at`, or '\0'. *n: how many bytes it takes. */
static char plain(const char *at, size_t *n)
{
	*n = *at == '\\' ? 2 : 1;
	if (*at == '\\')
		return isalnum((unsigned char)at[1]) ? '\0' : at[1];
	return strchr(".^$|()[]{}*+?", *at) ? '\0' : *at;
}

static bool put_plain(struct translation *t, char c)
{
	char text[3] = { '\\', c, '\0' };
	size_t len = strlen(t->tail);
	bool sign = !isalnum((unsigned char)c) && c != ' ' && c != '_';

	if (c < ' ' || c > '~')
		return false;
	if (len + 1 == sizeof(t->tail))
		memmove(t->tail, t->tail + 1, len--);
	t->tail[len] = c;
	t->tail[len + 1] = '\0';
	return put(t, sign ? text : text + 1);
}

/* Whether what comes now is a user: "user=<", "User ", "for " before it. */
static bool names_user(const struct translation *t)
{
	static const char *const words[] = { "user", "login", "account", "name",
		"for", "uid" };
	size_t len = strlen(t->tail);

	while (len && strchr(" <\"'(=:[", t->tail[len - 1]))
		len--;
	if (len == strlen(t->tail))
		return false;
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		size_t n = strlen(words[i]);

		if (n <= len && !strncasecmp(t->tail + len - n, words[i], n))
			return true;
	}
	return false;
}

/* An address as they write it: digits, dots and their kind in brackets. */
static bool take_address(struct translation *t)
{
	size_t len = strspn(t->at + 1, "\\d+.*{}0123456789,[]:abcdefABCDEF");

	if (t->at[1] == '?' || t->at[1 + len] != ')' || !len || t->has_ip)
		return false;
	t->at += len + 2;
	t->has_ip = true;
	t->tail[0] = '\0';
	return put(t, "(?<ip>%ip%)");
}

/* (?:one|other), of plain bytes. */
static bool take_choice(struct translation *t)
{
	if (!put(t, "(?:"))
		return false;
	for (t->at += 3; *t->at && *t->at != ')';) {
		size_t n = 1;
		char c = *t->at == '|' ? '|' : plain(t->at, &n);

		if (!c || !(c == '|' && n == 1 ? put(t, "|") : put_plain(t, c)))
			return false;
		t->at += n;
	}
	t->tail[0] = '\0';
	if (*t->at++ != ')')
		return false;
	if (*t->at != '?')
		return put(t, ")");
	t->at++;
	return put(t, ")?+");
}

/* A class of their text, without the byte behind it: "[^ >]". */
struct part {
	char class[96];
	const char *repeat; /* "++" */
	bool digits;
};

static bool read_class(const char **at, char behind, struct part *out)
{
	size_t len;

	out->digits = !strncmp(*at, "\\d", 2);
	if (!strncmp(*at, "\\S", 2) || **at == '.') {
		(void)snprintf(out->class, sizeof(out->class), "[^%s\\%c]",
		    **at == '.' ? "" : " ", behind);
		if (behind == ' ')
			memcpy(out->class, "[^ ]", sizeof("[^ ]"));
		*at += **at == '.' ? 1 : 2;
		return true;
	}
	if (out->digits || !strncmp(*at, "\\w", 2)) {
		(void)snprintf(out->class, sizeof(out->class), "%.2s", *at);
		*at += 2;
		return true;
	}
	/* [^"]: taken as it is when nothing in it means more. */
	if ((*at)[0] != '[' || (*at)[1] != '^' || !(*at)[2])
		return false;
	len = 3 + strcspn(*at + 3, "]");
	for (size_t i = 2; i < len; i++)
		if ((*at)[i] < ' ' || (*at)[i] > '~' || (*at)[i] == '%')
			return false;
	/* It has to leave out the byte behind it by itself. */
	if ((*at)[len] != ']' || len + 4 > sizeof(out->class) ||
	    !memchr(*at + 2, behind, len - 2) ||
	    memchr(*at + 2, '[', len - 2) || memchr(*at + 2, '-', len - 2) ||
	    memchr(*at + 2, '\\', len - 2))
		return false;
	(void)snprintf(out->class, sizeof(out->class), "[^%s%.*s]",
	    (*at)[2] == ']' ? "\\" : "", (int)(len - 2), *at + 2);
	*at += len + 1;
	return true;
}

/* What repeats "+" or "*", also lazily: possessive, for the class is narrow. */
static bool read_repeat(const char **at, struct part *out)
{
	if (**at != '+' && **at != '*')
		return false;
	out->repeat = **at == '+' ? "++" : "*+";
	(*at)++;
	if (**at == '?')
		(*at)++;
	return true;
}

/* Where what stands behind a class and its repeat begins, never past the end.
 */
static const char *behind_part(const char *at)
{
	bool class = at[0] == '[' && at[1];

	at += (at[0] == '\\' && at[1]) || class ? 2 : 1;
	if (class)
		at += strcspn(at, "]");
	at += class && *at;
	at += *at == '+' || *at == '*';
	return at + (*at == '?');
}

/* The last part. One that nothing ends takes what is left of the line. */
static bool take_last(struct translation *t, const char *rest)
{
	bool any = *t->at == '.', user = !t->has_user && names_user(t);
	struct part part = { .repeat = "" };
	const char *at = t->at + (any ? 1 : 2);

	(void)read_repeat(&at, &part);
	t->at = rest;
	t->has_user |= user;
	note_free(t);
	if (user)
		return put(t, "(?<user>[^ ]{1,255}+)");
	if (*rest == '\0')
		return put(t, ".*+");
	return put(t, any ? "." : "[^ ]") && put(t, part.repeat);
}

static bool take_part(struct translation *t)
{
	const char *rest = behind_part(t->at);
	struct part part;
	size_t n;
	char behind = *rest ? plain(rest, &n) : '\0';
	bool user;

	if (!behind && strcmp(rest, "") != 0 && strcmp(rest, "$") != 0)
		return false;
	if (!behind && (*t->at == '.' || !strncmp(t->at, "\\S", 2)))
		return take_last(t, rest);
	if (!read_class(&t->at, behind, &part) || !read_repeat(&t->at, &part) ||
	    t->at != rest)
		return false;
	user = !t->has_user && !part.digits && names_user(t);
	t->has_user |= user;
	if (!part.digits)
		note_free(t);
	t->tail[0] = '\0';
	if (user)
		return put(t, "(?<user>") && put(t, part.class) &&
		       put(t, "{1,255}+)");
	/* A far repeat that gives back is refused by the safety check. */
	return put(t, part.class) &&
	       put(t, part.class[0] == '[' ? part.repeat : "+");
}

/* "(?:\S+ )?" before a bracket: a host name that may be missing. */
static bool take_host(struct translation *t)
{
	static const char form[] = "(?:\\S+ )?";

	if (strncmp(t->at, form, sizeof(form) - 1) != 0)
		return false;
	t->at += sizeof(form) - 1;
	note_free(t);
	return put(t, "(?:%host% )?+");
}

static bool take_piece(struct translation *t)
{
	static const char mapped[] = "[:f]*";
	size_t n;
	char c = plain(t->at, &n);

	if (c) {
		t->at += n;
		/* What repeats a plain byte is not known. */
		return (!*t->at || !strchr("+*?{", *t->at)) && put_plain(t, c);
	}
	/* Before an address; %ip% takes ::ffff: by itself. */
	if (!strncmp(t->at, mapped, sizeof(mapped) - 1)) {
		t->at += sizeof(mapped) - 1;
		return *t->at == '(';
	}
	if (take_host(t))
		return true;
	if (!strncmp(t->at, "(?:", 3))
		return take_choice(t);
	if (*t->at == '(')
		return take_address(t);
	return take_part(t);
}

const char *pop_translate(const char *expression, struct translated *out)
{
	struct translation t = { .out = out };

	*out = (struct translated){ 0 };
	if (strncmp(expression, HEAD, sizeof(HEAD) - 1) != 0)
		return "it does not begin with \"" HEAD
		       "\" and a program, so a stranger's text may be what it "
		       "finds";
	t.at = expression + sizeof(HEAD) - 1;
	if (!take_program(&t))
		return "it names no program whose lines they are, so a "
		       "stranger's text may be what it finds";
	if (!put(&t, "^"))
		return too_hard;
	while (*t.at && strcmp(t.at, "$") != 0)
		if (!take_piece(&t))
			return too_hard;
	if (!t.has_ip)
		return "it takes no address";
	if (!t.has_user)
		return "it shows no user, and a login without one makes no "
		       "lease; write a pattern file (docs/patterns.md)";
	if (t.free_before && t.free_behind)
		return two_sides;
	return put(&t, "$") ? NULL : too_hard;
}
