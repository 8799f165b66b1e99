/* SPDX-License-Identifier: ISC */
/*
 * sections - whether the sections that scan.c found are those of the schema:
 * known words and kinds, names where they belong, nothing twice. libconfuse
 * would join two sections of one name in silence.
 */
#ifndef CONF_SECTIONS_H
#define CONF_SECTIONS_H
#include "conf.h"
#include "scan.h"

/* 0, or -1 and the first mistake. */
int sections_check(const struct scan *scan, const struct conf_schema *schema,
    const char *file, struct err *err);
/* Says that there is no such kind, and which there are. -1. */
int sections_no_kind(const struct conf_schema *schema, const char *label,
    const char *kind, const char *file, int line, struct err *err);
#endif
