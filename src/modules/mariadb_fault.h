/* SPDX-License-Identifier: ISC */
/*
 * mariadb_fault - what an error number of MariaDB or MySQL means to relaypass.
 * Called by: mariadb.c. Pure.
 */
#ifndef MODULES_MARIADB_FAULT_H
#define MODULES_MARIADB_FAULT_H
#include "sql/sql.h"

/* text: the error's own; connecting: while the connection was made. */
enum sql_fault mdb_fault(unsigned number, const char *text, bool connecting);
#endif
