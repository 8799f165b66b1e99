/* SPDX-License-Identifier: ISC */
/*
 * mistakes - what is wrong with a configuration beyond what conf/ can see:
 * listeners, sources, patterns. For `config --check`, `reload`, `relaypassd
 * -t`.
 */
#ifndef CMD_MISTAKES_H
#define CMD_MISTAKES_H
#include <stddef.h>

struct conf;

/* Prints each mistake as a line "PROGRAM: FILE:LINE: ..." on stderr and returns
 * how many there are. file: what conf was read from. */
size_t mistakes_print(const struct conf *conf, const char *file);
#endif
