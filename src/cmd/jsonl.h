/* SPDX-License-Identifier: ISC */
/*
 * jsonl - one JSON object a line, in ASCII, for scripts.
 */
#ifndef CMD_JSONL_H
#define CMD_JSONL_H
#include <stdint.h>

#include <jansson.h>

/* A string of any bytes: what is not UTF-8 stands as the text \xHH. */
void jsonl_put(json_t *object, const char *key, const char *text);
void jsonl_put_int(json_t *object, const char *key, int64_t value);
void jsonl_put_bool(json_t *object, const char *key, int truth);
/* ms since 1970 as RFC 3339. */
void jsonl_put_time(json_t *object, const char *key, int64_t ms);
/* Prints the object and a LF, and lets go of it. */
void jsonl_print(json_t *object);
#endif
