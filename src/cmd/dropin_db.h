/* SPDX-License-Identifier: ISC */
/*
 * dropin_db - the Berkeley DB file that a predecessor wrote as root, and that
 * an export of ours goes on with, whose account is not root.
 * Called by: programs with a predecessor's name.
 */
#ifndef CMD_DROPIN_DB_H
#define CMD_DROPIN_DB_H
#include <stdbool.h>

#include "dropin.h"

/*
 * Makes sure that an export can write the file, if need be by giving it to the
 * account relaypass-out, which is told. Nothing but a Berkeley DB or an empty
 * file is given away; a missing file is left to the export. *kind_r is the
 * export's kind: of the file's type, else as btree says; NULL when this build
 * has none, which is told. 0; or d->store, told on standard error.
 */
int dropin_db(
    const struct dropin *d, const char *path, bool btree, const char **kind_r);
#endif
