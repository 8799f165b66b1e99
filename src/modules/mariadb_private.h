/* SPDX-License-Identifier: ISC */
/*
 * mariadb_private - one connection, for mariadb.c (calls and stages),
 * mariadb_place.c (how it is made) and mariadb_data.c (what goes and comes).
 */
#ifndef MODULES_MARIADB_PRIVATE_H
#define MODULES_MARIADB_PRIVATE_H
#include <mysql.h>

#include "rows.h"
#include "sql/sql.h"

enum { KEPT_MAX = 32 }; /* prepared statements */

/* What is under way. The first four make a connection. */
enum stage {
	IDLE = 0,
	CONNECT,
	SET,  /* what a session is like */
	STAT, /* since when the server runs */
	KILL, /* the connection before */
	QUERY,
	FETCH, /* row by row */
	PREPARE,
	EXECUTE,
	KEEP
};

struct statement {
	char *text;
	MYSQL_STMT *stmt;
};

struct sql_conn {
	MYSQL *my;
	enum stage stage;
	char *host, *socket, *database, *user, *password, *ca;
	uint16_t port;
	enum sql_tls tls;
	int64_t timeout;
	uint64_t before, number;
	/* What the calls under way answer. */
	MYSQL *connected;
	const char *stat;
	MYSQL_RES *result;
	MYSQL_ROW row;
	int failed;
	char *statement; /* that runs, with its parameters */
	MYSQL_STMT *stmt;
	MYSQL_BIND *binds;
	unsigned long *lens;
	char *bytes;
	size_t params;
	struct statement kept[KEPT_MAX];
	size_t kept_count, oldest;
	struct rows rows;
	int64_t affected;
	enum sql_fault fault;
	char text[SQL_WORDS_SIZE]; /* of the fault */
};

/* As in struct sql_engine. */
int mdb_prepare(struct err *err);
struct sql_conn *mdb_open(const struct sql_place *place, struct err *err);

/* What the connection is like, before it is made. */
void mdb_set_options(struct sql_conn *c);
/*
 * The first statement of a session. What does not fit is refused, never cut: a
 * cut address would be another one. The server ends a statement before the
 * caller gives it up, so that nothing which waits for a lock is done behind the
 * caller's back; MySQL cannot, but for locks.
 */
void mdb_settings(const struct sql_conn *c, char *text, size_t size);
/* Sets c->number by c->stat. It holds when the server process began, too (by
 * our clock): after a restart others have the same numbers. */
void mdb_note_number(struct sql_conn *c);
/* Whether `before` is a connection of the same server process. */
bool mdb_is_to_kill(const struct sql_conn *c);

/* Of the statement that runs; they last until it is done. */
void mdb_copy_params(
    struct sql_conn *c, const struct sql_value *params, size_t count);
void mdb_forget_params(struct sql_conn *c);
enum mdb_copied { MDB_COPIED, MDB_TOO_LARGE, MDB_BROKEN };
/* To c->rows: c->row of c->result, and all of c->stmt, whose result is here.
 * MDB_BROKEN: by mysql_stmt_error(). */
enum mdb_copied mdb_copy_row(struct sql_conn *c);
enum mdb_copied mdb_copy_kept(struct sql_conn *c);
/* The library gathers what a prepared statement gives: already too much? */
bool mdb_is_too_large(const struct sql_conn *c);
/* Wipes the password. */
void mdb_place_free(struct sql_conn *c);
#endif
