/* SPDX-License-Identifier: ISC */
/*
 * value - one value of an option: checked by its row, printed, and what its
 * row expects in words. Also for the program that makes the manual.
 */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "option.h"

enum { VALUE_TEXT_SIZE = 64, EXPECTED_SIZE = 160 };

bool option_is_list(const struct option *row);
bool option_is_number(const struct option *row);
/* Checks one value (of a list: one item). *number is set for the types that
 * conf_number() reads. */
bool value_parse(const struct option *row, const char *text, int64_t *number);
/* A number as a file would hold it; value_parse() reads it back. Returns out.
 */
const char *value_print(
    const struct option *row, int64_t number, char out[static VALUE_TEXT_SIZE]);
/* What the row takes, in words: "a whole number from 32 to 128". */
const char *option_expects(
    const struct option *row, char out[static EXPECTED_SIZE]);
/* Calls fn for each blank-separated word of a list's default. */
void option_each_default(const struct option *row,
    void (*fn)(void *ctx, const char *word, size_t len), void *ctx);
#endif
