/* SPDX-License-Identifier: ISC */
/*
 * patterns_learn_private - the inside of `patterns learn`, shared by its files:
 * a line is cut into parts (_line, _user), lines of the same form are a shape
 * whose parts become elements (_shape, _field), which are tested for doubt
 * (_doubt) and printed (_print, _file); the engine has the last word (_proof).
 */
#ifndef CMD_PATTERNS_LEARN_PRIVATE_H
#define CMD_PATTERNS_LEARN_PRIVATE_H
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "login/login.h"
#include "pattern/header.h"
#include "patterns_learn.h"

enum {
	SHAPES_MAX = 24, /* expressions of one file */
	CHOICES_MAX = 8, /* words that may stand in one place */
	WORD_BYTES = 64, /* bounds of the classes */
	NUMBER_BYTES = 20,
	NAME_BYTES = 255,
	EXCERPT_SIZE = 100 /* of a stranger's text, in messages */
};

/* --- lines ---------------------------------------------------------------- */

enum part_kind {
	PART_TEXT,  /* marks and blanks */
	PART_FIELD, /* a word */
	PART_ADDR,  /* an address, not the client's */
	PART_IP,    /* the client's */
	PART_USER
};

/* A piece of the message. */
struct part {
	enum part_kind kind;
	const char *at;
	size_t len;
};

struct parts {
	struct part *at;
	size_t n;
};

struct learn_line {
	int number; /* in the input */
	char *text;
	size_t len;
	struct header head; /* points into text, as all below */
	struct parts parts;
	size_t ip, user; /* numbers of these parts */
	struct addr addr;
	bool annotated; /* it had rsyslog's suffix, which is cut off */
	uint32_t uid;   /* in it */
};

/* What one line is about; NULL: unknown. */
struct line_hints {
	const char *user, *ip; /* lists */
	bool exact;            /* of this line alone: a user may hold commas */
};

/* A place in the message. */
struct span {
	size_t at, len;
};

/* Bytes that words begin and end with, and those that they hold inside. */
bool learn_is_core(char c);
bool learn_is_word_char(char c);
/* How long the value is that begins at `at`: to the mark that closes what
 * opened right before it, or to where a word ends. */
size_t learn_value_length(const char *msg, size_t at, size_t len);
/* Who logged in. -1 and *err. (patterns_learn_user.c) */
int learn_find_user(const struct learn_line *l, const struct line_hints *hints,
    struct span *out, struct err *err);

/* Fills the rest of *l by its number, text and len. -1 and *err. */
int learn_line_read(
    struct learn_line *l, const struct line_hints *hints, struct err *err);
/* What learn_line_read() made, and the text. */
void learn_line_free(struct learn_line *l);
/* The whole line with some other text in the place of one part; to be freed. */
char *learn_line_with(
    const struct learn_line *l, size_t part, const char *text, size_t len);

/* --- shapes --------------------------------------------------------------- */

enum element_kind {
	ELEMENT_TEXT,
	ELEMENT_CHOICE, /* one of some words */
	ELEMENT_CLASS,
	ELEMENT_IP,
	ELEMENT_USER
};

/* The bytes of a class. */
struct class
{
	bool digits, letters, high; /* high: above ASCII */
	char marks[16];             /* others, a text */
	unsigned max;
};

struct element {
	enum element_kind kind;
	size_t part;        /* of which part, but for ELEMENT_TEXT */
	char *text;         /* ELEMENT_TEXT; ELEMENT_CHOICE: words, each with a
			     * NUL behind */
	size_t len;         /* of it */
	struct class class; /* ELEMENT_CLASS */
	bool is_word;       /* ELEMENT_CLASS: words, of a mechanism perhaps */
	bool is_addr;       /* ELEMENT_CLASS: an address */
	bool dotted; /* an address: a dotted quad, for ":" or "." follows */
	int end;     /* ELEMENT_USER: the byte that closes it, -1: the end */
};

struct shape {
	char *key; /* the same for all of its lines */
	struct learn_line **lines;
	size_t count;
	struct element *elements;
	size_t element_count;
	size_t ip, user; /* numbers of these elements */
	char *expression;
};

/* The part of one of its lines. */
const struct part *field_of(const struct shape *s, size_t line, size_t i);
bool part_is_number(const struct part *p);
/* PLAIN, CRAM-MD5, pop3: a word, not a name or a number. */
bool part_is_wordish(const struct part *p);
/* True when all lines have such a word there. */
bool field_all(
    const struct shape *s, size_t i, bool (*is)(const struct part *));
bool field_is_the_same(const struct shape *s, size_t i);
/* Is it made of the user's name in one of them? "/var/mail/al" */
bool field_is_derived(const struct shape *s, size_t i);
/* May it stand only as it was seen? It may be what says that the login
 * succeeded. */
bool field_is_fixed(const struct shape *s, size_t i);

/* Finds what its lines have in common. -1 and *err. */
int shape_make(struct shape *s, struct err *err);
void shape_free(struct shape *s);
/* The form of a line, to be freed: lines of the same form have the same key. */
char *shape_key(const struct learn_line *l);
/* Are their lines of the same program? */
bool shape_is_beside(const struct shape *a, const struct shape *b);
/* "imapd", "the server's own file": where the lines stand, for messages. */
const char *shape_where(const struct learn_line *l, char *out, size_t size);

/* Could the expression take a line of that shape with another address than the
 * one that the server wrote? */
bool shape_doubt(const struct shape *line, const struct shape *expression);
/* False: nothing but a blank closes the user's text before the address. */
bool shape_is_closed(const struct shape *s);

/* --- all of it ------------------------------------------------------------ */

enum { NOTES_MAX = 8, NOTE_SIZE = 320 };

struct learn {
	struct learn_hints hints;
	int number;    /* of the line of the input */
	size_t unread; /* lines behind LEARN_LINES_MAX */
	struct learn_line **lines;
	size_t count;
	char **hostile; /* lines of which somebody said: none */
	size_t hostile_count;
	struct shape *shapes; /* in the order of their first lines */
	size_t shape_count;
	char server[LOGIN_SERVER_MAX + 1];
	char notes[NOTES_MAX][NOTE_SIZE];
	size_t note_count;
};

void learn_add_note(struct learn *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The text of the file; to be freed. */
char *learn_print(const struct learn *l);
/* Lines that a server of another name takes already have nothing to teach. */
int learn_check_known(struct learn *l, struct err *err);
/* Does the file do what it is for, and no more? */
int learn_prove(struct learn *l, const char *text, struct err *err);

/* --- printing ------------------------------------------------------------- */

/* An expression from ^ to $; to be freed. */
char *shape_print(const struct shape *s);
/* Lines that must give nothing, made of one that is a login. */
void shape_print_hostile(const struct shape *s, FILE *out);
#endif
