/* SPDX-License-Identifier: ISC */
/*
 * opener_names - which file names log rotation makes of a log file's name.
 * Pure. Called by: opener.c.
 */
#ifndef DAEMON_OPENER_NAMES_H
#define DAEMON_OPENER_NAMES_H
#include <stdbool.h>

/* name is a rotated form of base ("mail.log"): mail.log.1, mail.log.2.gz,
 * mail.log-20261120, mail.log.old, mail-20261120.log ... */
bool names_rotated(const char *base, const char *name);
/* Both are the same but for the digits in them, of which there are some:
 * mail-20261119.log and mail-20261120.log. */
bool names_dated(const char *a, const char *b);
/* It ends as packed files do. */
bool names_packed(const char *name);
/* Which of two rotated names is the newer by its number or date alone: > 0: a
 * is. For files changed in the same tick of the clock. */
int names_newer(const char *a, const char *b);
#endif
