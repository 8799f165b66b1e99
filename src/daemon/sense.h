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

/* s: the section that is wrong. err is gone after the call; its code is
 * EXIT_USER, or EXIT_AGAIN for what may pass and keeps nobody from starting. */
typedef void sense_tell_fn(
    void *ctx, const struct conf_section *s, const struct err *err);

/* Tells of each mistake; returns how many there are. Takes some seconds when a
 * database does not answer. */
size_t sense_check(const struct conf *conf, sense_tell_fn *tell, void *ctx);
/* The first of them as an error with the file's name and line; 0: none.
 * EXIT_USER. */
int sense_first(const struct conf *conf, const char *file, struct err *err);

/* The same in two steps, for who cannot wait: the sections by themselves, and
 * the databases they name. */
int sense_sections(const struct conf *conf, const char *file, struct err *err);
struct sense_ends; /* that are being asked */
struct sense_ends *sense_ends_begin(const struct conf *conf); /* borrowed */
/* Whether all have answered, or their time is over. */
bool sense_ends_ready(const struct sense_ends *e);
/* What they said, as sense_first() does, and frees it. */
int sense_ends_first(struct sense_ends **e, const char *file, struct err *err);
/* Nobody wants to know any more. NULL is fine. */
void sense_ends_drop(struct sense_ends **e);
#endif
