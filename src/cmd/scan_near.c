/* SPDX-License-Identifier: ISC */
/*
 * scan_near - see the header. Called by scan.c when somebody looks on. It only
 * guesses, by words, and nothing but the report comes of it.
 *
 * Memory is bounded whatever a log holds: there are so many places for
 * programs, and when they are taken the rarest program gives its place and its
 * count to the next one ("space saving", Metwally et al. 2005). So a program
 * that writes more lines than the rest of the places cannot be pushed out by
 * names that somebody makes up; a count may be too high by what was taken over,
 * which is kept apart.
 */
#include "scan_near.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli.h"
#include "pattern/annotate.h"
#include "pattern/header.h"
#include "scan_addr.h"
#include "scan_words.h"

enum {
	PLACES = 64,
	NAME_MAX_BYTES = 48, /* as long as header.h lets a program be */
	EXAMPLE_SIZE = 300,
	SHOWN = 10
};

struct place {
	size_t name_len; /* 0: lines that name no program */
	char name[NAME_MAX_BYTES];
	uint64_t lines, taken_over;
	bool has_address; /* the example holds one */
	char example[EXAMPLE_SIZE];
};

struct places {
	size_t count;
	bool pushed; /* a program was pushed out */
	struct place at[PLACES];
};

struct near {
	struct places unknown, refused;
	bool annotated; /* a refused line ended with rsyslog's suffix */
};

struct near *near_new(void)
{
	return xcalloc(1, sizeof(struct near));
}

void near_free(struct near **n)
{
	free(*n);
	*n = NULL;
}

static struct place *rarest(struct places *p)
{
	struct place *least = &p->at[0];

	for (size_t i = 1; i < p->count; i++)
		if (p->at[i].lines < least->lines)
			least = &p->at[i];
	return least;
}

static struct place *place_of(struct places *p, const char *name, size_t len)
{
	struct place *place;

	for (size_t i = 0; i < p->count; i++)
		if (p->at[i].name_len == len &&
		    !memcmp(p->at[i].name, name, len))
			return &p->at[i];
	if (p->count < PLACES) {
		place = &p->at[p->count++];
	} else {
		place = rarest(p);
		place->taken_over = place->lines;
		place->has_address = false;
		place->example[0] = 0;
		p->pushed = true;
	}
	memcpy(place->name, name, len);
	place->name_len = len;
	return place;
}

/* A server's own file names no program; its lines often begin with "word: " or
 * "[word] ". */
static size_t own_name(const char **p, size_t len)
{
	size_t n = 0;

	if (len && **p == '[') {
		(*p)++;
		len--;
	}
	while (n < len && n <= NAME_MAX_BYTES && header_is_tag_char((*p)[n]))
		n++;
	if (n < len && n <= NAME_MAX_BYTES &&
	    ((*p)[n] == ':' || (*p)[n] == ']'))
		return n;
	return 0;
}

/* Sieve, SMTP AUTH, webmail: by the program, or the process in front. */
static bool is_other_service(
    const struct header *h, const char *name, size_t name_len)
{
	const char *blank = memchr(h->msg, ' ', h->msg_len);
	size_t first = blank ? (size_t)(blank - h->msg) : h->msg_len;

	return scan_words_other(name, name_len) ||
	       scan_words_other(h->msg, first);
}

static void add(
    struct place *p, const char *line, size_t len, const struct header *h)
{
	struct addr_place found;
	bool address =
	    !p->has_address && scan_addr_next(h->msg, h->msg_len, 0, &found);

	/* One with an address shows more. */
	if (!p->example[0] || address) {
		cli_safe(line, len, p->example, sizeof(p->example));
		p->has_address = address;
	}
	p->lines++;
}

static bool has_suffix(const struct header *h)
{
	size_t len = h->msg_len;
	uint32_t uid;

	return annotate_cut(h->msg, &len, &uid);
}

void near_line(struct near *n, const char *line, size_t len, bool refused)
{
	struct header h;
	const char *name;
	size_t name_len;

	if (len && line[len - 1] == '\r')
		len--;
	/* A head that is none may still stand before a login. */
	if (!header_parse(line, len, &h))
		h = (struct header){ .msg = line, .msg_len = len };
	if (refused && !n->annotated)
		n->annotated = has_suffix(&h);
	name = h.tag_len ? h.tag : h.msg;
	name_len = h.tag_len ? h.tag_len : own_name(&name, h.msg_len);
	if (!refused && (!scan_words_login(h.msg, h.msg_len) ||
			    is_other_service(&h, name, name_len)))
		return;
	add(place_of(refused ? &n->refused : &n->unknown, name, name_len), line,
	    len, &h);
}

/* Those with an address first: a pattern can be made of them. */
static int by_interest(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->has_address != y->has_address)
		return x->has_address ? -1 : 1;
	return x->lines < y->lines ? 1 : x->lines > y->lines ? -1 : 0;
}

static void print_place(const struct place *p, FILE *out)
{
	char name[4 * NAME_MAX_BYTES + 1], most[48] = "";

	if (p->taken_over)
		snprintf(most, sizeof(most), ", at least %llu",
		    (unsigned long long)(p->lines - p->taken_over));
	fprintf(out, "  %s: %llu%s; for example%s\n    %s\n",
	    p->name_len ? cli_safe(p->name, p->name_len, name, sizeof(name))
			: "(no program)",
	    (unsigned long long)p->lines, most,
	    p->has_address ? "" : " (no address in it)", p->example);
}

static void print_places(struct places *p, const char *title, FILE *out)
{
	if (!p->count)
		return;
	qsort(p->at, p->count, sizeof(p->at[0]), by_interest);
	fprintf(out, "%s\n", title);
	for (size_t i = 0; i < p->count && i < SHOWN; i++)
		print_place(&p->at[i], out);
	if (p->pushed)
		fputs("  and many programs more\n", out);
	else if (p->count > SHOWN)
		fprintf(out, "  and %zu programs more\n", p->count - SHOWN);
}

void near_print(struct near *n, FILE *out)
{
	print_places(&n->refused,
	    "Lines that begin as a login of a known server and are not one: "
	    "cut, hostile, or in\nanother format than that server's own:",
	    out);
	if (n->annotated)
		fputs("  (they end with what rsyslog's Annotate adds; "
		      "--annotated reads such a log)\n",
		    out);
	print_places(&n->unknown,
	    "Lines that look like logins and match no pattern, by program:",
	    out);
	if (n->unknown.count && n->unknown.at[0].has_address)
		fputs("If these are POP3 or IMAP logins, make a pattern file "
		      "of some of them:\n  relaypass patterns learn "
		      "--server NAME FILE-WITH-THESE-LINES\n",
		    out);
}
