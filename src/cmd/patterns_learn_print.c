/* SPDX-License-Identifier: ISC */
/*
 * patterns_learn_print - a shape as an expression, and the hostile lines that
 * this expression must not take. Called by patterns_learn.c, which proves both
 * with the engine.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "patterns_learn_private.h"

/* The address that an attacker wants. */
static const char evil[] = "203.0.113.66";

/* --- the expression ------------------------------------------------------- */

/* One byte, of which those in signs need a backslash. '%' would begin a piece
 * (pattern/file.h). */
static void put_sign(FILE *out, char c, const char *signs)
{
	unsigned char b = (unsigned char)c;

	if (b < ' ' || b > '~' || c == '%')
		fprintf(out, "\\x%02x", b);
	else
		fprintf(out, strchr(signs, c) ? "\\%c" : "%c", c);
}

static void put_byte(FILE *out, char c)
{
	put_sign(out, c, "\\^$.[]|()?*+{}");
}

/* Inside of a class. */
static void put_member(FILE *out, char c)
{
	put_sign(out, c, "\\^[]-");
}

static void put_text(FILE *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put_byte(out, text[i]);
}

/* How many bytes the first and the last of sorted words have in common, so all
 * of them. */
static size_t common(char *const *words, size_t count)
{
	size_t n = 0;

	must(count > 0);
	while (words[0][n] && words[0][n] == words[count - 1][n])
		n++;
	return n;
}

/* Sorted words, so that no two alternatives begin with the same byte: then a
 * reader never goes back. "pop3" and "pop3s" are "pop3(?:s)?". */
static void put_words(FILE *out, char *const *words, size_t count, size_t from)
{
	size_t same = common(words, count), first = 0;
	const char *bar = "(?:";

	put_text(out, words[0] + from, same - from);
	if (count == 1)
		return;
	/* The shortest word comes first, and may end here. */
	first = words[0][same] == 0;
	for (size_t i = first, n; i < count; i += n) {
		for (n = 1;
		     i + n < count && words[i + n][same] == words[i][same];)
			n++;
		fputs(bar, out);
		put_words(out, words + i, n, same);
		bar = "|";
	}
	fputs(first ? ")?" : ")", out);
}

static void put_choice(FILE *out, const struct element *e)
{
	char *words[CHOICES_MAX];
	size_t count = 0;

	for (size_t i = 0; i < e->len; i += strlen(e->text + i) + 1)
		words[count++] = e->text + i;
	put_words(out, words, count, 0);
}

static void put_class(FILE *out, const struct element *e)
{
	const struct class *c = &e->class;

	if (e->is_addr) {
		fputs(e->dotted ? "[0-9.]{7,15}+" : "%ip%", out);
		return;
	}
	/* As a mechanism it proves nobody. */
	if (e->is_word)
		fputs("(?!ANONYMOUS|anonymous)", out);
	fprintf(out, "[%s%s%s", c->digits ? "0-9" : "",
	    c->letters ? "A-Za-z" : "", c->high ? "\\x80-\\xff" : "");
	for (const char *p = c->marks; *p; p++)
		put_member(out, *p);
	fprintf(out, "]{1,%u}+", c->max);
}

static void put_user(FILE *out, const struct element *e)
{
	char end = e->end < 0 ? ' ' : (char)e->end;

	for (int i = 0; i < 2; i++) {
		fputs(i ? "|ANONYMOUS" : "(?!anonymous", out);
		if (e->end >= 0)
			put_byte(out, end);
	}
	fputs(")(?<user>[^", out);
	put_member(out, end);
	fprintf(out, "]{1,%d}+)", LOGIN_USER_MAX);
}

char *shape_print(const struct shape *s)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	must(out != NULL);
	fputc('^', out);
	for (size_t i = 0; i < s->element_count; i++) {
		const struct element *e = &s->elements[i];

		switch (e->kind) {
		case ELEMENT_TEXT:
			put_text(out, e->text, e->len);
			break;
		case ELEMENT_CHOICE:
			put_choice(out, e);
			break;
		case ELEMENT_CLASS:
			put_class(out, e);
			break;
		case ELEMENT_IP:
			fputs(e->dotted ? "(?<ip>(?:[0-9]{1,3}+\\.){3}+"
					  "[0-9]{1,3}+)"
					: "(?<ip>%ip%)",
			    out);
			break;
		case ELEMENT_USER:
			put_user(out, e);
			break;
		}
	}
	fputc('$', out);
	must(fclose(out) == 0);
	return text;
}

/* --- hostile lines -------------------------------------------------------- */

static void put_none(FILE *out, const char *line, size_t len)
{
	fprintf(out, "sample none | %.*s\n", (int)len, line);
}

static void put_with(FILE *out, const struct learn_line *l, size_t part,
    const char *text, size_t len)
{
	AUTO_FREE char *line = learn_line_with(l, part, text, len);

	put_none(out, line, strlen(line));
}

static void put_other_addresses(FILE *out, const struct learn_line *l)
{
	static const char *const texts[] = { "client.example.net",
		"203.0.113.066", "203.0.113.66x", "203.0.113.66%eth0",
		"203.0.113.0/24", "3405803842" };

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		put_with(out, l, l->ip, texts[i], strlen(texts[i]));
}

/* The line of another program with the same words, as somebody's mail or a
 * failed attempt may bring into the log. */
static void put_other_program(FILE *out, const struct learn_line *l)
{
	static const char other[] = "postfix/smtpd";
	const char *tag = l->head.tag;
	size_t before = (size_t)(tag - l->text);

	if (l->head.place != HEADER_SYSLOG)
		return;
	fprintf(out, "sample none | %.*s%s%.*s\n", (int)before, l->text, other,
	    (int)(l->len - before - l->head.tag_len), tag + l->head.tag_len);
}

/* The line of a user who calls himself like the rest of a line. */
static void put_user_like_a_line(FILE *out, const struct learn_line *l)
{
	const struct part *user = &l->parts.at[l->user];
	const struct part *ip = &l->parts.at[l->ip];
	const char *end = l->text + l->len, *behind = user->at + user->len;
	char *name = NULL;
	size_t size = 0;
	FILE *text;

	if (l->user > l->ip)
		return;
	text = open_memstream(&name, &size);
	must(text != NULL);
	fprintf(text, "x%.*s%s%.*s", (int)(ip->at - behind), behind, evil,
	    (int)(end - ip->at - ip->len), ip->at + ip->len);
	must(fclose(text) == 0);
	put_with(out, l, l->user, name, size);
	free(name);
}

/* The last part that is the server's own text. */
static const struct part *last_text(const struct learn_line *l)
{
	size_t i = l->parts.n;

	while (i && l->parts.at[i - 1].kind != PART_TEXT)
		i--;
	return i ? &l->parts.at[i - 1] : &l->parts.at[0];
}

/* A line that lost its end: before the address, in it, and behind it, where
 * what is left is none any more. */
static void put_cut(
    FILE *out, const struct shape *s, const struct learn_line *l)
{
	const struct part *ip = &l->parts.at[l->ip], *last = last_text(l);
	size_t before = (size_t)(ip->at - l->text), n = ip->len;
	struct addr addr;

	put_none(out, l->text, before);
	while (n > 1 && addr_parse(ip->at, n, &addr))
		n--;
	put_none(out, l->text, before + n);
	if (s->elements[s->element_count - 1].kind == ELEMENT_TEXT)
		put_none(out, l->text, l->len - 1);
	else if (last->at > ip->at)
		put_none(
		    out, l->text, (size_t)(last->at + last->len - l->text));
}

/* A line whose end never came, and the next one behind it. */
static void put_two_lines(FILE *out, const struct learn_line *l)
{
	const struct part *user = &l->parts.at[l->user];
	size_t n = (size_t)(user->at - l->text) + (user->len + 1) / 2;

	fprintf(out, "sample none | %.*s%s\n", (int)n, l->text, l->text);
}

static void put_around(FILE *out, const struct learn_line *l)
{
	int head = (int)(l->head.msg - l->text);

	fprintf(out, "sample none | %.*sx %s\n", head, l->text, l->text + head);
	fprintf(out, "sample none | %s x\n", l->text);
}

/* The attacker's own line, where nothing else is wrong with it. */
static void put_attack(
    FILE *out, const struct shape *s, const struct learn_line *l)
{
	put_other_program(out, l);
	put_with(out, l, l->user, "", 0);
	put_with(out, l, l->user, "anonymous", 9);
	put_cut(out, s, l);
	put_two_lines(out, l);
	put_around(out, l);
}

void shape_print_hostile(const struct shape *s, FILE *out)
{
	const struct learn_line *l = s->lines[0];
	const struct part *user = &l->parts.at[l->user];
	AUTO_FREE char *name = xstrndup(user->at, user->len);
	const struct line_hints hints = { name, evil, true };
	struct learn_line attack = { .number = l->number };
	struct err err = { 0 };

	attack.text = learn_line_with(l, l->ip, evil, strlen(evil));
	attack.len = strlen(attack.text);
	/* It cannot be read when the address stands there twice now. */
	put_attack(
	    out, s, learn_line_read(&attack, &hints, &err) < 0 ? l : &attack);
	put_other_addresses(out, l);
	put_user_like_a_line(out, l);
	learn_line_free(&attack);
}
