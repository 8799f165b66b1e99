/* SPDX-License-Identifier: ISC */
/*
 * safety - reads an expression into a small tree and checks its form. Called by
 * file.c for every expression, ours and the administrator's. It knows less of
 * the language than PCRE2 on purpose: what it does not know is refused.
 */
#include "safety.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
	FAR = 8,
	GROUP_MAX = 64,
	DOUBTS_MAX = 6,
	DEPTH_MAX = 12,
	NODES_MAX = 1000,
	WITHOUT_END = 65535,
	SHOWN = 32 /* bytes of the place of a mistake */
};

struct bytes {
	uint64_t bits[4];
};

enum node_type { NODE_BYTE, NODE_PLAIN, NODE_ATOMIC, NODE_AHEAD, NODE_NOT };

/* One item of a sequence, with its repeat. */
struct node {
	enum node_type type;
	bool possessive;
	unsigned min, max;
	const char *at;      /* where it begins */
	struct bytes set;    /* NODE_BYTE */
	struct branch *alts; /* the others */
	struct node *next;
};

struct branch {
	struct node *first;
	struct branch *next;
};

struct parser {
	const char *at, *end;
	const char *item; /* where the one that is read begins */
	struct node *nodes;
	struct branch *branches;
	size_t node_count, branch_count;
	unsigned depth, doubts;
	struct safety_names *names;
	struct err *err;
};

/* At a place in the expression, whose last byte is its $. */
static int bad_at(struct parser *p, const char *place, const char *what)
{
	int shown = 0;

	while (shown < SHOWN && place + shown <= p->end &&
	       (unsigned char)place[shown] >= ' ')
		shown++;
	return err_set(p->err, EXIT_USER, "%s, at \"%.*s%s\"", what, shown,
	    place, place + shown <= p->end ? "..." : "");
}

static int bad(struct parser *p, const char *what)
{
	return bad_at(p, p->item, what);
}

static void add_byte(struct bytes *b, unsigned c)
{
	b->bits[c >> 6 & 3] |= (uint64_t)1 << (c & 63);
}

static void add_range(struct bytes *b, unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to; c++)
		add_byte(b, c);
}

static void add_all(struct bytes *b, const struct bytes *other)
{
	for (int i = 0; i < 4; i++)
		b->bits[i] |= other->bits[i];
}

static bool meets(const struct bytes *a, const struct bytes *b)
{
	return (a->bits[0] & b->bits[0]) || (a->bits[1] & b->bits[1]) ||
	       (a->bits[2] & b->bits[2]) || (a->bits[3] & b->bits[3]);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind a backslash. *single gets the byte, or -1 for a class. */
static int parse_escape(struct parser *p, struct bytes *out, int *single)
{
	char c = p->at < p->end ? *p->at++ : 0;

	*single = -1;
	if (c == 'd' || c == 'w') {
		add_range(out, '0', '9');
		if (c == 'w') {
			add_range(out, 'A', 'Z');
			add_range(out, 'a', 'z');
			add_byte(out, '_');
		}
		return 0;
	}
	if (c == 't') {
		*single = '\t';
	} else if (c == 'x' && p->end - p->at >= 2 && hex(p->at[0]) >= 0 &&
		   hex(p->at[1]) >= 0) {
		*single = hex(p->at[0]) * 16 + hex(p->at[1]);
		p->at += 2;
	} else if (c > ' ' && c < 0x7f && !isalnum(c)) {
		*single = (unsigned char)c;
	} else {
		return bad(p, "an escape that is not in use here");
	}
	add_byte(out, (unsigned)*single);
	return 0;
}

/* One byte of a class, or an escape; *single as above. */
static int parse_member(struct parser *p, struct bytes *out, int *single)
{
	unsigned char c = (unsigned char)*p->at++;

	if (c == '\\')
		return parse_escape(p, out, single);
	if (c == '[')
		return bad(p, "write \\[ inside a class");
	*single = c;
	add_byte(out, c);
	return 0;
}

static int parse_class(struct parser *p, struct bytes *out)
{
	bool not = p->at < p->end && *p->at == '^', empty = true;

	p->at += not ;
	while (p->at < p->end && *p->at != ']') {
		int from = -1, to = -1;

		if (parse_member(p, out, &from) < 0)
			return -1;
		empty = false;
		if (p->end - p->at < 2 || p->at[0] != '-' || p->at[1] == ']')
			continue;
		p->at++;
		if (parse_member(p, out, &to) < 0)
			return -1;
		if (from < 0 || to < from)
			return bad(p, "a range that is none");
		add_range(out, (unsigned)from, (unsigned)to);
	}
	if (empty || p->at >= p->end)
		return bad(p, "a class without a byte or without its end");
	p->at++;
	for (int i = 0; not &&i < 4; i++)
		out->bits[i] = ~out->bits[i];
	return 0;
}

static int parse_group_name(struct parser *p)
{
	struct safety_names *names = p->names;
	const char *end = memchr(p->at, '>', (size_t)(p->end - p->at));

	if (!end || end == p->at || names->n == SAFETY_NAMES)
		return bad(p, "a group without a name, or too many groups");
	for (const char *c = p->at; c < end; c++)
		if (*c < 'a' || *c > 'z')
			return bad(p, "names of groups are of a-z");
	names->name[names->n].at = p->at;
	names->name[names->n++].len = (size_t)(end - p->at);
	p->at = end + 1;
	return 0;
}

static int parse_alternatives(struct parser *p, struct branch **out);

/* Behind "(". */
static int parse_group(struct parser *p, struct node *n)
{
	static const struct {
		const char *head;
		enum node_type type;
	} heads[] = { { "?:", NODE_PLAIN }, { "?>", NODE_ATOMIC },
		{ "?=", NODE_AHEAD }, { "?!", NODE_NOT },
		{ "?<", NODE_PLAIN } };
	size_t i = 0;

	while (i < COUNT_OF(heads) &&
	       (p->end - p->at < 3 || memcmp(p->at, heads[i].head, 2) != 0))
		i++;
	if (i == COUNT_OF(heads) || ++p->depth > DEPTH_MAX)
		return bad(p, "expected (?: (?> (?= (?! or (?<name>, not too "
			      "deep");
	p->at += 2;
	n->type = heads[i].type;
	/* (?<= and (?<! end here: their sign is no name. */
	if (heads[i].head[1] == '<' && parse_group_name(p) < 0)
		return -1;
	if (parse_alternatives(p, &n->alts) < 0)
		return -1;
	if (p->at >= p->end || *p->at++ != ')')
		return bad_at(p, n->at, "a group without its end");
	p->depth--;
	return 0;
}

static int parse_atom(struct parser *p, struct node *n)
{
	char c = *p->at++;
	int single;

	n->type = NODE_BYTE;
	switch (c) {
	case '(':
		return parse_group(p, n);
	case '[':
		return parse_class(p, &n->set);
	case '\\':
		return parse_escape(p, &n->set, &single);
	case '.':
		add_range(&n->set, 0, 255);
		return 0;
	case '^':
	case '$':
	case '*':
	case '+':
	case '?':
	case '{':
	case '}':
	case ']':
		return bad(p, "a sign that needs a backslash here");
	default:
		if ((unsigned char)c < ' ')
			return bad(p, "a control byte");
		add_byte(&n->set, (unsigned char)c);
		return 0;
	}
}

static int parse_count(struct parser *p, unsigned *out)
{
	unsigned v = 0, digits = 0;

	while (p->at < p->end && *p->at >= '0' && *p->at <= '9' && digits < 5) {
		v = v * 10 + (unsigned)(*p->at++ - '0');
		digits++;
	}
	if (!digits || v > 1000)
		return bad(p, "expected a count of at most 1000");
	*out = v;
	return 0;
}

/* Behind "{". */
static int parse_counts(struct parser *p, struct node *n)
{
	if (parse_count(p, &n->min) < 0)
		return -1;
	n->max = n->min;
	if (p->at < p->end && *p->at == ',') {
		p->at++;
		if (p->at < p->end && *p->at == '}')
			n->max = WITHOUT_END;
		else if (parse_count(p, &n->max) < 0)
			return -1;
	}
	if (p->at >= p->end || *p->at++ != '}' || n->max < n->min || !n->max)
		return bad(p, "expected {n}, {n,} or {n,m}");
	return 0;
}

static int parse_repeat(struct parser *p, struct node *n)
{
	char c = p->at < p->end ? *p->at : 0;

	n->min = n->max = 1;
	if (c != '?' && c != '*' && c != '+' && c != '{')
		return 0;
	if (n->type == NODE_AHEAD || n->type == NODE_NOT)
		return bad(p, "look-ahead does not repeat");
	p->at++;
	if (c == '{' && parse_counts(p, n) < 0)
		return -1;
	if (c != '{') {
		n->min = c == '+';
		n->max = c == '?' ? 1 : WITHOUT_END;
	}
	if (p->at < p->end && *p->at == '?')
		return bad(p, "lazy repeats are not in use here");
	n->possessive = p->at < p->end && *p->at == '+';
	p->at += n->possessive;
	return 0;
}

static int parse_sequence(struct parser *p, struct node **out)
{
	*out = NULL;
	while (p->at < p->end && *p->at != '|' && *p->at != ')') {
		struct node *n;

		if (p->node_count == NODES_MAX)
			return bad(p, "too long");
		n = &p->nodes[p->node_count++];
		n->at = p->item = p->at;
		if (parse_atom(p, n) < 0 || parse_repeat(p, n) < 0)
			return -1;
		*out = n;
		out = &n->next;
	}
	return 0;
}

static int parse_alternatives(struct parser *p, struct branch **out)
{
	for (;;) {
		struct branch *b;

		if (p->branch_count == NODES_MAX)
			return bad(p, "too long");
		b = &p->branches[p->branch_count++];
		if (parse_sequence(p, &b->first) < 0)
			return -1;
		*out = b;
		out = &b->next;
		if (p->at >= p->end || *p->at != '|')
			return 0;
		p->at++;
	}
}

/* Adds the bytes a sequence can begin with; true: it can also be empty. */
static bool add_first(const struct node *n, struct bytes *out)
{
	for (; n; n = n->next) {
		bool empty = n->min == 0;

		if (n->type == NODE_AHEAD || n->type == NODE_NOT)
			continue;
		if (n->type == NODE_BYTE)
			add_all(out, &n->set);
		for (struct branch *b = n->alts; b; b = b->next)
			empty |= add_first(b->first, out);
		if (!empty)
			return false;
	}
	return true;
}

static bool has_repeat(const struct branch *b)
{
	for (; b; b = b->next)
		for (const struct node *n = b->first; n; n = n->next)
			if (n->max > 1 || n->min != n->max ||
			    has_repeat(n->alts))
				return true;
	return false;
}

static int check_branches(
    struct parser *p, const struct branch *b, const struct bytes *follow);

static int check_byte(
    struct parser *p, const struct node *n, const struct bytes *rest)
{
	if (n->possessive || n->max == n->min || !meets(&n->set, rest))
		return 0;
	if (n->max > FAR)
		return bad_at(p, n->at,
		    "a far repeat whose class "
		    "holds what may follow it: write it possessive, or take "
		    "that byte out of the class");
	p->doubts += n->max - n->min;
	return 0;
}

/* Choices between the alternatives of a group; *first gets what they begin
 * with. */
static unsigned group_doubts(const struct node *n, struct bytes *first)
{
	unsigned doubts = 0;

	for (const struct branch *b = n->alts; b; b = b->next) {
		struct bytes own = { 0 };
		bool empty = add_first(b->first, &own);

		doubts += meets(&own, first) || (empty && n->alts->next);
		add_all(first, &own);
	}
	return doubts;
}

static const char *group_mistake(const struct node *n)
{
	if ((n->type == NODE_AHEAD || n->type == NODE_NOT) &&
	    has_repeat(n->alts))
		return "a repeat inside look-ahead";
	if (n->max > GROUP_MAX)
		return "a group that repeats more than 64 times";
	if (n->max > 1 && !n->possessive && has_repeat(n->alts))
		return "a group with repeats in it repeats: write it "
		       "possessive";
	return NULL;
}

static int check_group(
    struct parser *p, const struct node *n, const struct bytes *rest)
{
	struct bytes first = { 0 }, follow = { 0 };
	const char *mistake = group_mistake(n);
	unsigned before = p->doubts;

	if (mistake)
		return bad_at(p, n->at, mistake);
	p->doubts += group_doubts(n, &first);
	/* Nobody goes back into an atomic group from behind it. */
	if (n->type == NODE_PLAIN)
		follow = *rest;
	if (n->max > 1)
		add_all(&follow, &first);
	if (check_branches(p, n->alts, &follow) < 0)
		return -1;
	/* Every round brings the choices inside again. */
	p->doubts = before + (p->doubts - before) * n->max;
	if (!n->possessive && n->max != n->min && meets(&first, rest))
		p->doubts += n->max - n->min;
	return 0;
}

static int check_sequence(
    struct parser *p, const struct node *n, const struct bytes *follow)
{
	for (; n; n = n->next) {
		struct bytes rest = { 0 };

		if (add_first(n->next, &rest))
			add_all(&rest, follow);
		if ((n->type == NODE_BYTE ? check_byte(p, n, &rest)
					  : check_group(p, n, &rest)) < 0)
			return -1;
	}
	return 0;
}

static int check_branches(
    struct parser *p, const struct branch *b, const struct bytes *follow)
{
	for (; b; b = b->next)
		if (check_sequence(p, b->first, follow) < 0)
			return -1;
	return 0;
}

static int check(struct parser *p)
{
	struct branch *top = NULL;
	struct bytes none = { 0 };

	if (parse_alternatives(p, &top) < 0)
		return -1;
	if (p->at < p->end)
		return bad_at(p, p->at, "a group that ends twice");
	if (top->next)
		return err_set(p->err, EXIT_USER,
		    "alternatives stand inside a group: (?:a|b)");
	if (check_sequence(p, top->first, &none) < 0)
		return -1;
	if (p->doubts > DOUBTS_MAX)
		return err_set(p->err, EXIT_USER,
		    "%u choices are open to doubt, 6 are allowed", p->doubts);
	return 0;
}

int safety_check(const char *text, struct safety_names *names, struct err *err)
{
	size_t len = strlen(text);
	struct parser p = { .at = text + 1,
		.item = text + 1,
		.end = text + len - 1,
		.names = names,
		.err = err };
	int result;

	names->n = 0;
	if (len < 2 || text[0] != '^' || text[len - 1] != '$')
		return err_set(
		    err, EXIT_USER, "expected an expression from ^ to $");
	p.nodes = xcalloc(NODES_MAX, sizeof(*p.nodes));
	p.branches = xcalloc(NODES_MAX, sizeof(*p.branches));
	result = check(&p);
	free(p.nodes);
	free(p.branches);
	return result;
}
