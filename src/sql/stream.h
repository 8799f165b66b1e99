/* SPDX-License-Identifier: ISC */
/*
 * stream - the table by which nodes tell each other their leases (kinds
 * "sql-stream", PostgreSQL only): its option rows, its statements, and what it
 * must be like.
 *
 *	id      from a sequence, so that a reader knows how far it is. Not the
 *	        order of commits: see source/stream_ids.h
 *	node    who wrote it, for the administrator
 *	record  replica/record.h
 *	written by the database's clock
 *
 * Rows with an id below zero are marks, one for each export that writes: it
 * changes its own with every batch, in one transaction, and so sees when the
 * table was emptied, or an older one put in its place.
 *
 * Each node removes its own rows, and those of nodes that are gone: whose marks
 * nobody has touched for SQL_STREAM_SILENT_S; the marks go with them, so that
 * such a node tells all again if it was only slow. A row is removed when it is
 * old by the database's clock, and over by the clock of the node that removes
 * it and the words of the record: whichever of the two is wrong, nothing that
 * is still good goes.
 */
#ifndef SQL_STREAM_H
#define SQL_STREAM_H
#include "table.h"

#define SQL_STREAM_OPTIONS                                                     \
	SQL_PLACE_OPTIONS,                                                     \
	    { "table", OPTION_STRING, "relaypass_stream", 0, 0, NULL,          \
		    "Name of the table between the nodes, or schema.table." }, \
	    { "create-table", OPTION_BOOL, "no", 0, 0, NULL,                   \
		    "Make the table when it is not there." },                  \
	{                                                                      \
		"keys", OPTION_PATH, "/etc/relaypass/nodes.keys", 0, 0, NULL,  \
		    "File with the keys that the nodes of a site sign with; "  \
		    "nobody else may read it."                                 \
	}

/* Of one statement; defines, for they stand in texts. */
#define SQL_STREAM_READ_ROWS   512
#define SQL_STREAM_TRIM_ROWS   10000
#define SQL_STREAM_REVOKED_IDS 200000
#define SQL_STREAM_SILENT_S    604800

/* All to be freed, by sql_stream_free(). */
struct sql_stream {
	char *table;   /* quoted */
	char *schema;  /* not quoted; NULL: the usual one */
	char *channel; /* of NOTIFY, not quoted */
	char *create;
	/* $1 node, $2 records with LF between, $3 id of the mark, $4 its new
	 * value, $5 its old one, $6 channel. Gives: rows written, marks found
	 * (0 or 1). */
	char *insert;
	/* $1 id of the mark, $2 node, $3 its value. */
	char *mark;
	/* $1 id of the mark. Gives its value, or no row. */
	char *check;
	/* $1 id of the mark, $2 its value: while it has that, it is not old. */
	char *touch;
	/*
	 * Looks at SQL_STREAM_TRIM_ROWS rows and deletes what is over. $1 how
	 * long leases are kept, seconds; $2 node; $3 rows behind this id; $4
	 * the node's wall clock, ms; $5 revocations that ended before that, ms;
	 * $6 id of the mark. See enum sql_stream_column.
	 */
	char *trim;
	char *listen;
	/*
	 * $1 rows behind this id, $2 an id. Gives SQL_STREAM_READ_ROWS rows at
	 * most, one at least; see enum sql_stream_column.
	 */
	char *read;
	/*
	 * $1 rows behind this id. The revocations among the next
	 * SQL_STREAM_REVOKED_IDS ids; one row at least, see below.
	 */
	char *revoked;
	/* $1, $2 arrays: first and last ids. Gives id, record and age of what
	 * lies between. */
	char *late;
};

enum sql_stream_column {
	STREAM_TOP = 0, /* the highest id; NULL: the table is empty */
	STREAM_SEEN,    /* when row $2 was written; NULL: it is gone */
	STREAM_ID,      /* NULL: there is no row */
	STREAM_RECORD,
	STREAM_AGE,      /* ms */
	STREAM_WRITTEN,  /* us since 1970 */
	REVOKED_TOP = 0, /* as above */
	REVOKED_LOW,     /* the first id that there is behind $1, or NULL */
	REVOKED_ID,      /* NULL: there is no row */
	REVOKED_RECORD,
	REVOKED_AGE,
	LATE_ID = 0,
	LATE_RECORD,
	LATE_AGE,
	INSERTED_ROWS = 0,
	INSERTED_MARKS,
	TRIMMED_TO = 0, /* up to this id no row will be over soon; or NULL */
	TRIMMED_LOOKED, /* rows looked at */
	TRIMMED_ROWS    /* and deleted */
};

/* table: a good name (sql_name_is_good()). */
void sql_stream_make(const char *table, struct sql_stream *out);
void sql_stream_free(struct sql_stream *s);
/* Options that both kinds check alike. -1 and *err (EXIT_USER). */
int sql_stream_check(const struct conf_section *conf, struct err *err);
/*
 * Looks at the table, as the test of a connector. writes: with the rights of an
 * export. create: a missing table is no mistake. -1 and *err: EXIT_USER with
 * the statement that mends it, or EXIT_AGAIN.
 */
int sql_stream_test(const struct sql_stream *s, const struct sql_engine *engine,
    const struct sql_place *place, bool writes, bool create, struct err *err);
#endif
