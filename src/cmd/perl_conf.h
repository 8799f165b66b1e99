/* SPDX-License-Identifier: ISC */
/*
 * perl_conf - a predecessor's configuration file that is a Perl program, read
 * without Perl: what it assigns in plain words is taken, and nothing is run.
 *
 * Plain is $name = EXPR; with $name{key} and our, my, local too, where EXPR is
 * a string in quotes, several of them and earlier variables joined by dots, a
 * number, or a product of numbers; and %name = (key => EXPR, ...);. Everything
 * else is code. What stands inside of blocks is never taken.
 * Called by: programs with a predecessor's name.
 */
#ifndef CMD_PERL_CONF_H
#define CMD_PERL_CONF_H
#include <stddef.h>

enum { PERL_NAME_MAX = 63 };

/* What the administrator hears of a line that perl_conf_read() returns. */
#define PERL_CONF_UNCLEAR                                                      \
	"what is code and what is text cannot be told from here on without "   \
	"Perl; write it simpler, or move it behind a line __END__"

struct perl_fact {
	int line; /* where the statement begins */
	/* "pat", "file_tail{name}"; of code also "sub NAME", "use MODULE", "if"
	 * and so on, or "". Never NULL. */
	const char *name;
	const char *value; /* NULL: it is code */
	const char *text;  /* the first line of the statement, no NUL */
	size_t text_len;
};

/* Tells fn of each statement in order; all of it is borrowed. Empty statements,
 * `use strict` and its kind, and `1;` are nothing. Any bytes may come.
 * Returns 0, or the line where code could not be told from text, such as a
 * here-document's: what is behind that was not read. */
typedef void perl_conf_fn(void *ctx, const struct perl_fact *fact);
int perl_conf_read(const char *text, size_t len, perl_conf_fn *fn, void *ctx);
#endif
