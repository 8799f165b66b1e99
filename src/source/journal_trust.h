/* SPDX-License-Identifier: ISC */
/*
 * journal_trust - which entries of which journal are believed: the options of a
 * source "journal" as libsystemd's matches. Called by: journal.c.
 */
#ifndef SOURCE_JOURNAL_TRUST_H
#define SOURCE_JOURNAL_TRUST_H
#include <systemd/sd-journal.h>

#include "conf/conf.h"

/* Before the lock-down: looks up users and this machine's id. */
void journal_trust_prepare(const struct conf_section *conf);
/* -1 and *err: nobody is named whose messages are believed, or anybody may
 * write into the directory. source: its name, for messages. */
int journal_trust_check(
    const char *source, const struct conf_section *conf, struct err *err);
/* Opens it with its matches: only entries that are believed come out. 0, or a
 * negative errno. The caller closes it. */
int journal_trust_open(const struct conf_section *conf, sd_journal **out);
#endif
