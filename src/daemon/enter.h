/* SPDX-License-Identifier: ISC */
/*
 * enter - the account and the lock-down of the process of one source or export,
 * as its kind needs them. Called by: exporter.c, child_source.c, probe.c.
 */
#ifndef DAEMON_ENTER_H
#define DAEMON_ENTER_H
#include "base/err.h"
#include "conf/conf.h"

/* -1 and *err: fatal. */
int enter_export(const struct conf_section *conf, struct err *err);
int enter_source(const struct conf_section *conf, struct err *err);
#endif
