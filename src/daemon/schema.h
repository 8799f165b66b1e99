/* SPDX-License-Identifier: ISC */
/*
 * schema - every section, kind and option of relaypass.conf in one table, made
 * of options.def and the kind tables. For daemon/, cmd/ and the manual.
 */
#ifndef DAEMON_SCHEMA_H
#define DAEMON_SCHEMA_H
#include "conf/conf.h"

/* Ends with a row whose section is NULL. Built at the first call. */
const struct conf_schema *schema(void);

#define DEFAULT_CONFIG "/etc/relaypass/relaypass.conf"
#endif
