/* SPDX-License-Identifier: ISC */
/*
 * sense - what is wrong with a configuration whatever the machine is like,
 * beyond what conf/ can see: groups, exports, two sections at one place, and
 * databases that can be reached and are not fit.
 * For `config --check`, `relaypassd -t`, its start and its reload.
 */
#ifndef DAEMON_SENSE_H
#define DAEMON_SENSE_H
#include "conf/conf.h"

/* s: the section that is wrong. err is gone after the call. */
typedef void sense_tell_fn(
    void *ctx, const struct conf_section *s, const struct err *err);

/* Tells of each mistake; returns how many there are. */
size_t sense_check(const struct conf *conf, sense_tell_fn *tell, void *ctx);
/* The first of them as an error with the file's name and line; 0: none.
 * EXIT_USER. */
int sense_first(const struct conf *conf, const char *file, struct err *err);
#endif
