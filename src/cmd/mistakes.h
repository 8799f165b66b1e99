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

/* Prints each mistake as a line on stderr and returns how many there are. */
size_t mistakes_print(const struct conf *conf);
#endif
