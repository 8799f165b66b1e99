/* SPDX-License-Identifier: ISC */
/*
 * perl_code - where Perl code ends, without Perl. It knows strings, the quote
 * operators, regular expressions and brackets; what it does not know for sure,
 * such as a here-document, it says, for text could be taken for code.
 * Pure. Called by: perl_conf.c.
 */
#ifndef CMD_PERL_CODE_H
#define CMD_PERL_CODE_H
#include <stdbool.h>

/* A place in a text of any bytes. */
struct perl_place {
	const char *begin, *at, *end;
	int line; /* of `at` */
};

/* The byte there, '\0' at the end. */
char perl_peek(const struct perl_place *p);
/* One byte on; not at the end. */
void perl_next(struct perl_place *p);
bool perl_begins(const struct perl_place *p, const char *word);
bool perl_is_word(char c);
void perl_skip_line(struct perl_place *p);
/* Over documentation, from a line such as "=head1" behind the next that begins
 * with "=cut". False: there is none here. */
bool perl_skip_pod(struct perl_place *p);
/* Over code: behind its ';', or if it has a block of its own (`block`) behind
 * that. False: it cannot be told where it ends; p->line is where the doubt is.
 */
bool perl_skip_code(struct perl_place *p, bool block);
#endif
