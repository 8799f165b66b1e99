/* SPDX-License-Identifier: ISC */
/*
 * patterns_learn_shape - what lines of the same form have in common: for each
 * of their parts, whether it stays, is one of a few words, or becomes a class.
 * Called by patterns_learn.c.
 *
 * A class is as narrow as what was seen suggests, bounded, and never holds the
 * byte that comes behind it: so it can be possessive, and a field ends where
 * the server's own mark stands.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli.h"
#include "patterns_learn_private.h"

/* --- the form of a line --------------------------------------------------- */

char *shape_key(const struct learn_line *l)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	must(out != NULL);
	fprintf(out, "%d %.*s ", (int)l->head.place, (int)l->head.tag_len,
	    l->head.tag);
	for (size_t i = 0; i < l->parts.n; i++) {
		const struct part *p = &l->parts.at[i];

		/* No message holds a control byte, so these are signs. */
		if (p->kind == PART_TEXT)
			fprintf(out, "%.*s", (int)p->len, p->at);
		else
			fputc(p->kind, out);
	}
	must(fclose(out) == 0);
	return text;
}

bool shape_is_beside(const struct shape *a, const struct shape *b)
{
	const struct header *x = &a->lines[0]->head, *y = &b->lines[0]->head;

	return x->place == y->place && x->tag_len == y->tag_len &&
	       !memcmp(x->tag, y->tag, x->tag_len);
}

const char *shape_where(const struct learn_line *l, char *out, size_t size)
{
	if (!l->head.tag_len)
		snprintf(out, size, "the server's own file");
	else
		cli_safe(l->head.tag, l->head.tag_len, out, size);
	return out;
}

/* --- elements ------------------------------------------------------------- */

static struct element *add(struct shape *s, enum element_kind kind, size_t part)
{
	struct element *e;

	s->elements = xrealloc(s->elements, s->element_count + 1, sizeof(*e));
	e = &s->elements[s->element_count++];
	*e = (struct element){ .kind = kind, .part = part };
	return e;
}

static void append(struct element *e, const char *text, size_t len)
{
	e->text = xrealloc(e->text, e->len + len + 1, 1);
	memcpy(e->text + e->len, text, len);
	e->len += len;
	e->text[e->len] = 0;
}

/* Constant text; what stands beside other constant text joins it. */
static void add_text(struct shape *s, const struct part *p)
{
	struct element *e =
	    s->element_count ? &s->elements[s->element_count - 1] : NULL;

	if (!e || e->kind != ELEMENT_TEXT)
		e = add(s, ELEMENT_TEXT, 0);
	append(e, p->at, p->len);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The words that were seen here, in order; false: too many for a choice. */
static bool add_choice(struct shape *s, size_t i)
{
	char *words[CHOICES_MAX];
	size_t n = 0, k = 0;
	struct element *e;

	for (; k < s->count; k++) {
		const struct part *p = field_of(s, k, i);
		size_t w = 0;

		while (w < n && (strlen(words[w]) != p->len ||
				    memcmp(words[w], p->at, p->len) != 0))
			w++;
		if (w == n && n == CHOICES_MAX)
			break;
		if (w == n)
			words[n++] = xstrndup(p->at, p->len);
	}
	qsort(words, n, sizeof(words[0]), by_bytes);
	e = k == s->count ? add(s, ELEMENT_CHOICE, i) : NULL;
	for (size_t w = 0; w < n; w++) {
		if (e)
			append(e, words[w], strlen(words[w]) + 1);
		free(words[w]);
	}
	return e != NULL;
}

static void note_mark(struct class *c, char mark)
{
	size_t n = strlen(c->marks);

	if (!strchr(c->marks, mark) && n + 1 < sizeof(c->marks))
		c->marks[n] = mark;
}

/* Widens a class to hold what was seen. */
static void take_in(struct class *c, const struct part *p)
{
	for (size_t i = 0; i < p->len; i++) {
		unsigned char b = (unsigned char)p->at[i];

		if (isdigit(b))
			c->digits = true;
		else if (isalpha(b))
			c->letters = true;
		else if (b > 0x7f)
			c->high = true;
		else
			note_mark(c, (char)b);
	}
	while (c->max < p->len * 2 && c->max < NAME_BYTES)
		c->max += WORD_BYTES;
}

static void add_class(struct shape *s, size_t i, bool derived)
{
	struct element *e = add(s, ELEMENT_CLASS, i);
	struct class *c = &e->class;

	for (size_t k = 0; k < s->count; k++)
		take_in(c, field_of(s, k, i));
	if (field_all(s, i, part_is_number)) {
		c->max = NUMBER_BYTES;
		return;
	}
	/* A name without a digit in it may have one next time. */
	c->letters = c->letters || derived || strchr(c->marks, '.');
	c->digits = true;
	c->max = c->max > WORD_BYTES ? NAME_BYTES : WORD_BYTES;
	e->is_word = !derived && field_all(s, i, part_is_wordish);
	/* Names of hosts and of users have more marks than one example shows.
	 */
	if (derived || strchr(c->marks, '.')) {
		const char *usual = derived ? "._-+@/" : ".-";

		while (*usual)
			note_mark(c, *usual++);
		c->max = NAME_BYTES;
	}
}

static void add_field(struct shape *s, size_t i)
{
	bool derived = field_is_derived(s, i);
	bool fixed = !derived && field_is_fixed(s, i);

	if (fixed && field_is_the_same(s, i))
		add_text(s, field_of(s, 0, i));
	else if (!fixed || !add_choice(s, i))
		add_class(s, i, derived);
}

static void add_part(struct shape *s, size_t i)
{
	const struct part *p = field_of(s, 0, i);

	switch (p->kind) {
	case PART_TEXT:
		add_text(s, p);
		return;
	case PART_FIELD:
		add_field(s, i);
		return;
	case PART_ADDR:
		add(s, ELEMENT_CLASS, i)->is_addr = true;
		return;
	case PART_IP:
		s->ip = s->element_count;
		add(s, ELEMENT_IP, i);
		return;
	case PART_USER:
		s->user = s->element_count;
		add(s, ELEMENT_USER, i)->end = -1;
		return;
	}
}

/* --- where a field ends --------------------------------------------------- */

static bool class_holds(const struct class *c, unsigned char b)
{
	return (c->digits && isdigit(b)) || (c->letters && isalpha(b)) ||
	       (c->high && b > 0x7f) || (b && strchr(c->marks, b));
}

/* Bytes behind a class that it holds itself belong to the field. */
static int end_class(struct element *e, struct element *next)
{
	size_t n = 0;

	while (n < next->len &&
	       class_holds(&e->class, (unsigned char)next->text[n]))
		n++;
	if (n == next->len)
		return -1;
	memmove(next->text, next->text + n, next->len - n + 1);
	next->len -= n;
	return 0;
}

static bool has_no_colon(const struct part *p)
{
	return !memchr(p->at, ':', p->len);
}

/* An IPv6 address may go on with a ':' or '.', so that its end is not known. */
static int end_address(struct shape *s, struct element *e,
    const struct element *next, struct err *err)
{
	char c = next->text[0];

	if (c != ':' && c != '.')
		return 0;
	e->dotted = field_all(s, e->part, has_no_colon);
	return e->dotted ? 0
			 : err_set(err, EXIT_NO,
			       "line %d: a '%c' right behind an IPv6 address "
			       "may belong to it; such lines cannot be told "
			       "safely",
			       s->lines[0]->number, c);
}

static int end_user(struct shape *s, struct element *e,
    const struct element *next, struct err *err)
{
	char name[EXCERPT_SIZE];

	e->end = next ? (unsigned char)next->text[0] : -1;
	for (size_t k = 0; k < s->count; k++) {
		const struct learn_line *l = s->lines[k];
		const struct part *p = &l->parts.at[l->user];
		int end = e->end < 0 ? ' ' : e->end;

		if (memchr(p->at, end, p->len))
			return err_set(err, EXIT_NO,
			    "line %d: the user \"%s\" holds the byte '%c' that "
			    "ends the name; leave such users out",
			    l->number,
			    cli_safe(p->at, p->len, name, sizeof(name)), end);
	}
	return 0;
}

static int end_element(struct shape *s, size_t i, struct err *err)
{
	struct element *e = &s->elements[i];
	struct element *next =
	    i + 1 < s->element_count ? &s->elements[i + 1] : NULL;
	char where[64];

	if (e->kind == ELEMENT_TEXT || e->kind == ELEMENT_CHOICE)
		return 0;
	if (e->kind == ELEMENT_USER && (!next || next->kind == ELEMENT_TEXT))
		return end_user(s, e, next, err);
	if (!next)
		return 0;
	if (next->kind == ELEMENT_TEXT) {
		if (e->kind == ELEMENT_IP || e->is_addr)
			return end_address(s, e, next, err);
		if (end_class(e, next) == 0)
			return 0;
	}
	return err_set(err, EXIT_NO,
	    "line %d: %s: two fields run into each other; such lines cannot be "
	    "told safely",
	    s->lines[0]->number,
	    shape_where(s->lines[0], where, sizeof(where)));
}

/* Something must stay the same, or any line could be one of these. */
static bool has_words(const struct shape *s)
{
	size_t letters = 0;

	for (size_t i = 0; i < s->element_count; i++) {
		const struct element *e = &s->elements[i];

		letters = 0;
		for (size_t k = 0; e->kind == ELEMENT_TEXT && k < e->len; k++) {
			letters = isalpha((unsigned char)e->text[k])
				      ? letters + 1
				      : 0;
			if (letters == 3)
				return true;
		}
	}
	return false;
}

int shape_make(struct shape *s, struct err *err)
{
	char where[64];

	for (size_t i = 0; i < s->lines[0]->parts.n; i++)
		add_part(s, i);
	for (size_t i = 0; i < s->element_count; i++)
		if (end_element(s, i, err) < 0)
			return -1;
	if (has_words(s))
		return 0;
	return err_set(err, EXIT_NO,
	    "line %d: %s: no word is in it that only a login has; any line "
	    "might look like this",
	    s->lines[0]->number,
	    shape_where(s->lines[0], where, sizeof(where)));
}

void shape_free(struct shape *s)
{
	for (size_t i = 0; i < s->element_count; i++)
		free(s->elements[i].text);
	free(s->elements);
	free(s->lines);
	free(s->key);
	free(s->expression);
}
