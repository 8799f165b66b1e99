/* SPDX-License-Identifier: ISC */
/*
 * patterns_learn_doubt - could a stranger choose the address? Called by
 * patterns_learn.c for every two expressions of a program.
 *
 * Text that a stranger may have chosen (a user's name, a host's) may hold
 * anything, also what an expression wants to see behind it:
 * "x, ip=[203.0.113.66], port=[1]". Then one line may have two readings: the
 * server's, in which the address is the one that it wrote, and a wrong one, in
 * which an address inside of the stranger's text is taken. There is a wrong one
 * when some text fits both
 *
 *   the line as the server writes it, with anything in the strange places, and
 *   an expression,
 *
 * and the address does not begin at the same byte in both. Each of the two is a
 * chain of sets of bytes, some of which repeat; whether such a text exists is a
 * walk over pairs of their links. It errs on the safe side: repeats count as
 * unbounded, and a choice of words as any text of their letters.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "patterns_learn_private.h"

struct bytes {
	uint64_t bits[4];
};

struct link {
	struct bytes set;
	bool repeats, optional;
};

struct chain {
	struct link *at;
	size_t n;
	size_t ip; /* the link of the address's first byte */
};

/* --- chains --------------------------------------------------------------- */

static void add_byte(struct bytes *b, unsigned char c)
{
	b->bits[c >> 6] |= (uint64_t)1 << (c & 63);
}

static bool meet(const struct bytes *a, const struct bytes *b)
{
	return (a->bits[0] & b->bits[0]) || (a->bits[1] & b->bits[1]) ||
	       (a->bits[2] & b->bits[2]) || (a->bits[3] & b->bits[3]);
}

static const struct bytes anything = { { ~0ULL, ~0ULL, ~0ULL, ~0ULL } };

static void add_link(
    struct chain *c, struct bytes set, bool repeats, bool optional)
{
	c->at = xrealloc(c->at, c->n + 1, sizeof(*c->at));
	c->at[c->n++] = (struct link){ set, repeats, optional };
}

static void add_text(struct chain *c, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		struct bytes one = { { 0 } };

		add_byte(&one, (unsigned char)text[i]);
		add_link(c, one, false, false);
	}
}

static struct bytes bytes_of_class(const struct class *c)
{
	struct bytes set = { { 0 } };

	for (unsigned b = 1; b < 256; b++)
		if ((c->digits && b < 0x80 && isdigit((int)b)) ||
		    (c->letters && b < 0x80 && isalpha((int)b)) ||
		    (c->high && b > 0x7f) || strchr(c->marks, (int)b))
			add_byte(&set, (unsigned char)b);
	return set;
}

static struct bytes bytes_of_text(const char *text, size_t len)
{
	struct bytes set = { { 0 } };

	for (size_t i = 0; i < len; i++)
		add_byte(&set, (unsigned char)text[i]);
	return set;
}

static struct bytes bytes_of_address(void)
{
	static const char hex[] = "0123456789abcdefABCDEF:.";

	return bytes_of_text(hex, sizeof(hex) - 1);
}

static struct bytes bytes_of_user(const struct element *e)
{
	struct bytes set = anything;
	unsigned end = e->end < 0 ? ' ' : (unsigned)e->end;

	set.bits[end >> 6] &= ~((uint64_t)1 << (end & 63));
	return set;
}

/* Numbers are the server's own; what else varies may be a stranger's. */
static bool is_strange(const struct element *e)
{
	return e->kind == ELEMENT_USER ||
	       (e->kind == ELEMENT_CLASS && e->class.letters);
}

static struct bytes bytes_of(const struct element *e)
{
	switch (e->kind) {
	case ELEMENT_USER:
		return bytes_of_user(e);
	case ELEMENT_IP:
		return bytes_of_address();
	case ELEMENT_CLASS:
		return e->is_addr ? bytes_of_address()
				  : bytes_of_class(&e->class);
	case ELEMENT_TEXT:
	case ELEMENT_CHOICE:
		break;
	}
	return bytes_of_text(e->text, e->len);
}

/* An element as the expression takes it, or (real) as a line may hold it. */
static void add_element(struct chain *c, const struct element *e, bool real)
{
	if (e->kind == ELEMENT_TEXT) {
		add_text(c, e->text, e->len);
	} else if (e->kind == ELEMENT_IP) {
		c->ip = c->n;
		add_link(c, bytes_of(e), false, false);
		add_link(c, bytes_of(e), true, true);
	} else if (real && is_strange(e)) {
		add_link(c, anything, true, true);
	} else {
		add_link(c, bytes_of(e), true, false);
	}
}

static struct chain chain_of(const struct shape *s, bool real)
{
	struct chain c = { 0 };

	for (size_t i = 0; i < s->element_count; i++)
		add_element(&c, &s->elements[i], real);
	return c;
}

/* --- the walk ------------------------------------------------------------- */

/* Places in both chains, and whether the address began at different bytes. */
struct walk {
	const struct chain *a, *b;
	bool *seen;
	size_t *todo, count;
};

static size_t state_of(const struct walk *w, size_t i, size_t k, bool apart)
{
	return (i * (w->b->n + 1) + k) * 2 + apart;
}

static void visit(struct walk *w, size_t i, size_t k, bool apart)
{
	size_t state = state_of(w, i, k, apart);

	if (w->seen[state])
		return;
	w->seen[state] = true;
	w->todo[w->count++] = state;
}

/* Takes one byte in both chains, or leaves out what may be left out. */
static void step(struct walk *w, size_t i, size_t k, bool apart)
{
	const struct link *a = i < w->a->n ? &w->a->at[i] : NULL;
	const struct link *b = k < w->b->n ? &w->b->at[k] : NULL;

	if (a && a->optional)
		visit(w, i + 1, k, apart);
	if (b && b->optional)
		visit(w, i, k + 1, apart);
	if (!a || !b || !meet(&a->set, &b->set))
		return;
	apart = apart || (i == w->a->ip) != (k == w->b->ip);
	for (int stay_a = 0; stay_a <= a->repeats; stay_a++)
		for (int stay_b = 0; stay_b <= b->repeats; stay_b++)
			visit(w, i + !stay_a, k + !stay_b, apart);
}

static bool can_be_apart(const struct chain *a, const struct chain *b)
{
	size_t size = (a->n + 1) * (b->n + 1) * 2;
	struct walk w = { .a = a, .b = b };
	bool found;

	w.seen = xcalloc(size, sizeof(*w.seen));
	w.todo = xcalloc(size, sizeof(*w.todo));
	visit(&w, 0, 0, false);
	while (w.count) {
		size_t state = w.todo[--w.count];
		size_t pair = state / 2;

		step(&w, pair / (b->n + 1), pair % (b->n + 1), state % 2);
	}
	found = w.seen[size - 1];
	free(w.seen);
	free(w.todo);
	return found;
}

bool shape_doubt(const struct shape *line, const struct shape *expression)
{
	struct chain real = chain_of(line, true);
	struct chain taken = chain_of(expression, false);
	bool found = can_be_apart(&taken, &real);

	free(real.at);
	free(taken.at);
	return found;
}

/* --- the closing mark ----------------------------------------------------- */

/* What stands right before the address. */
static const struct element *mark_of(const struct shape *s)
{
	const struct element *e = s->ip ? &s->elements[s->ip - 1] : NULL;

	return e && e->kind == ELEMENT_TEXT ? e : NULL;
}

static bool has_strange_text_before(const struct shape *s)
{
	for (size_t i = 0; i < s->ip; i++)
		if (is_strange(&s->elements[i]))
			return true;
	return false;
}

bool shape_is_closed(const struct shape *s)
{
	const struct element *mark = mark_of(s);
	struct bytes address = bytes_of_address();

	if (!has_strange_text_before(s))
		return true;
	for (size_t i = 0; mark && i < mark->len; i++) {
		struct bytes one = bytes_of_text(mark->text + i, 1);

		if (mark->text[i] != ' ' && !meet(&one, &address))
			return true;
	}
	return false;
}
