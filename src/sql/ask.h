/* SPDX-License-Identifier: ISC */
/*
 * ask - one connection to a database whose statements are waited for, each for
 * a limited time, and which does not come back when it is lost. For those who
 * have nothing else to do meanwhile: tests before a start, `relaypass import`.
 */
#ifndef SQL_ASK_H
#define SQL_ASK_H
#include "sql.h"

struct sql_ask;

/* Connects, for at most timeout ms. NULL and *err: EXIT_USER when user,
 * password or database are wrong, else EXIT_AGAIN. */
struct sql_ask *sql_ask_open(const struct sql_engine *engine,
    const struct sql_place *place, int64_t timeout, struct err *err);
void sql_ask_close(struct sql_ask **a);
/* Runs one statement. Anything but SQL_FAULT_NONE: *err has the database's own
 * words, and EXIT_AGAIN or EXIT_USER as they deserve. */
enum sql_fault sql_ask_run(struct sql_ask *a, const char *statement,
    const struct sql_value *params, size_t count, struct err *err);
/* Of the last one, which is overwritten by the next. */
const struct sql_result *sql_ask_result(const struct sql_ask *a);
/* Its rows, and a text of them. */
size_t sql_ask_rows(const struct sql_ask *a);
const char *sql_ask_text(const struct sql_ask *a, size_t row, size_t column);
#endif
