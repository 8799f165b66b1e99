/* SPDX-License-Identifier: ISC */
/*
 * conf - the configuration file, read by libconfuse, checked against the option
 * tables, and told about with file and line where it is wrong.
 * Called by: daemon/, cmd/.  Not here: what the options mean.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "option.h"

/* A kind of a section with a title: `source maillog { kind = "file" ... }`. */
struct conf_kind {
	const char *name;
	const char *help;
	const struct option *options; /* ends with OPTION_END */
};
/* One section word. kinds == NULL: a plain section (`lease { ... }`), there at
 * most once and with defaults when absent. Otherwise it repeats, has a title of
 * [A-Za-z0-9_-]{1,31} that is unique, and a `kind`; options are common to all
 * of its kinds. */
struct conf_schema {
	const char *section;
	const char *help;
	const struct option *options;
	const struct conf_kind *const *kinds; /* ends with NULL */
};

struct conf;
struct conf_section;

/* Reads a file. schema ends with a row whose section is NULL. NULL and *err
 * ("relaypass.conf:12: ttl: ...") on the first mistake. */
struct conf *conf_load(
    const char *path, const struct conf_schema *schema, struct err *err);
/* The same from memory; name stands in messages. */
struct conf *conf_parse(const char *text, size_t len, const char *name,
    const struct conf_schema *schema, struct err *err);
/* All defaults. */
struct conf *conf_default(const struct conf_schema *schema);
void conf_free(struct conf **c);

/* How many sections of this word there are (plain ones: 1), and the i-th. */
size_t conf_count(const struct conf *c, const char *section);
const struct conf_section *conf_at(
    const struct conf *c, const char *section, size_t i);
const char *conf_name(const struct conf_section *s); /* title, "" for plain */
const char *conf_kind(const struct conf_section *s); /* "" for plain */
int conf_line(const struct conf_section *s);         /* where it begins */
/* True when the file sets the option itself. */
bool conf_is_set(const struct conf_section *s, const char *option);

/* Values by name, borrowed; a name that is in no table ends the program. */
const char *conf_string(const struct conf_section *s, const char *option);
/* BOOL: 0 or 1, INT, SIZE: bytes, DURATION: ms, CHOICE: index. */
int64_t conf_number(const struct conf_section *s, const char *option);
size_t conf_list_size(const struct conf_section *s, const char *option);
const char *conf_list_at(
    const struct conf_section *s, const char *option, size_t i);

/* For what only the section's owner can check: fills *err (EXIT_USER) with
 * "source maillog (line 7): " and the text. err->text may be an argument.
 * Returns -1. */
int conf_wrong(const struct conf_section *s, struct err *err,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* True when the section's tables have such a row. */
bool conf_has(const struct conf_section *s, const char *option);
/* True when both have equal values, or neither has the option. */
bool conf_same_option(const struct conf_section *a,
    const struct conf_section *b, const char *option);
/* True when both hold the same sections of this word with equal values. */
bool conf_same(const struct conf *a, const struct conf *b, const char *section);

/* Prints the whole configuration, defaults included, as a file that reads back
 * to the same values, each option behind its sentence when `comments`. */
void conf_print(const struct conf *c, bool comments,
    void (*put)(void *ctx, const char *text), void *ctx);
#endif
