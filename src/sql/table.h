/* SPDX-License-Identifier: ISC */
/*
 * table - which table of a database holds leases, and what its columns are
 * called: the option rows that the export and the source "sql" share, and the
 * presets. Pure, but for the file of the password.
 */
#ifndef SQL_TABLE_H
#define SQL_TABLE_H
#include "conf/conf.h"
#include "sql.h"

enum sql_column {
	SQL_ADDRESS = 0,
	SQL_TIME,   /* of the last login; see table's period */
	SQL_USER,   /* its name; NULL where there is none */
	SQL_SOURCE, /* kind of the source that told of it */
	SQL_EXPIRY, /* the lease's end */
	SQL_COLUMNS
};

enum sql_preset {
	SQL_PRESET_RELAYPASS,
	SQL_PRESET_QPSMTPD,
	SQL_PRESET_DOVECOT_MYSQL,
	SQL_PRESET_DOVECOT_POSTGRESQL,
	SQL_PRESET_VPOPMAIL,
	SQL_PRESET_DBMAIL,
	SQL_PRESETS
};

enum { SQL_NAME_MAX = 63 }; /* bytes of an identifier: PostgreSQL's limit */

struct sql_table {
	enum sql_engine_id engine;
	enum sql_preset preset;
	const char *database;             /* sqlite: the file */
	const char *name;                 /* "table" or "schema.table" */
	const char *columns[SQL_COLUMNS]; /* "": the table has none */
	/* Times are seconds since 1970, in a number or text; else the
	 * database's own type, DATETIME or the like. */
	bool epoch;
	/* PostgreSQL: the address is of the type inet, times are seconds in a
	 * text. Set by who has looked (look.h). */
	bool inet, text_times;
	bool skip_ipv6; /* its addresses are left out */
	bool create;    /* make it when it is missing */
	bool shared;    /* others write to it, too: theirs is not lessened */
	/* ms: readers take a row for valid until its time plus this. */
	int64_t period;
};

#define SQL_PRESET_WORDS                                                       \
	"relaypass|qpsmtpd|dovecot-mysql|dovecot-postgresql|vpopmail|dbmail"

/* The rows of both kinds "sql"; `engine` to `timeout` alone are those of
 * "sql-stream", too. */
#define SQL_PLACE_OPTIONS                                                      \
	{ "engine", OPTION_CHOICE, NULL, 0, 0,                                 \
		"postgresql|mariadb|mysql|sqlite",                             \
		"The database; mysql is the same as mariadb." },               \
	    { "database", OPTION_STRING, NULL, 0, 0, NULL,                     \
		    "Its name; sqlite: the absolute path of its file." },      \
	    { "host", OPTION_STRING, "", 0, 0, NULL,                           \
		    "Host name or address of the server, or the directory "    \
		    "(PostgreSQL) or path of its unix socket; empty: the "     \
		    "usual "                                                   \
		    "socket." },                                               \
	    { "port", OPTION_INT, "0", 0, 65535, NULL,                         \
		    "TCP port of the server; 0 is the usual one." },           \
	    { "user", OPTION_STRING, "", 0, 0, NULL,                           \
		    "Account in the database; empty: that of the process." },  \
	    { "password-file", OPTION_PATH, "", 0, 0, NULL,                    \
		    "File that holds the password and nothing else, and that " \
		    "nobody else may read." },                                 \
	    { "tls", OPTION_CHOICE, "off", 0, 0, "off|on|verify",              \
		    "Encrypt the connection; verify also demands a "           \
		    "certificate "                                             \
		    "for the host's name, by an authority of ca." },           \
	    { "ca", OPTION_PATH, "", 0, 0, NULL,                               \
		    "File with the certificates of authorities; empty: the "   \
		    "system's." },                                             \
	{                                                                      \
		"timeout", OPTION_DURATION, "5s", 1000, 60000, NULL,           \
		    "How long a connection or a statement may take before it " \
		    "is given up."                                             \
	}
#define SQL_TABLE_OPTIONS                                                      \
	{                                                                      \
		"preset", OPTION_CHOICE, "relaypass", 0, 0, SQL_PRESET_WORDS,  \
		"Names of the table and its columns as one of these has them." \
	},                                                                     \
	    { "table", OPTION_STRING, "", 0, 0, NULL,                          \
		    "Name of the table, or schema.table; empty: the "          \
		    "preset's." },                                             \
	    { "address-column", OPTION_STRING, "", 0, 0, NULL,                 \
		    "Column of the address; empty: the preset's." },           \
	    { "time-column", OPTION_STRING, "", 0, 0, NULL,                    \
		    "Column of the login's time; empty: the preset's; \"-\": " \
		    "there is none." },                                        \
	    { "user-column", OPTION_STRING, "", 0, 0, NULL,                    \
		    "Column of the user; empty: the preset's; \"-\": there "   \
		    "is "                                                      \
		    "none." },                                                 \
	    { "source-column", OPTION_STRING, "", 0, 0, NULL,                  \
		    "Column of the kind of source; empty: the preset's; "      \
		    "\"-\": "                                                  \
		    "there is none." },                                        \
	    { "expiry-column", OPTION_STRING, "", 0, 0, NULL,                  \
		    "Column of the lease's end; empty: the preset's; \"-\": "  \
		    "there is none." },                                        \
	    { "time-format", OPTION_CHOICE, "preset", 0, 0,                    \
		    "preset|native|epoch",                                     \
		    "Times are the database's own type, or seconds since "     \
		    "1970." },                                                 \
	{                                                                      \
		"period", OPTION_DURATION, "0", 0, 31536000000, NULL,          \
		    "For how long after its time a row counts for those who "  \
		    "read the table; 0: as long as a lease lasts."             \
	}
#define SQL_OPTIONS SQL_PLACE_OPTIONS, SQL_TABLE_OPTIONS

/*
 * Reads the options of SQL_OPTIONS; ttl: ms, of leases. Strings are borrowed
 * from conf. skip_ipv6, create and shared are the caller's. -1 and *err
 * (EXIT_USER): which option is wrong, and what was expected.
 */
int sql_table_read(const struct conf_section *conf, int64_t ttl,
    struct sql_table *out, struct err *err);
/* Whether two sections with SQL_OPTIONS name one table of one database. Under
 * another name (a view, another name of the host) it is not seen. Pure. */
bool sql_table_same(const struct conf_section *a, const struct conf_section *b);
/* The parts of its name; schema "": none. */
void sql_table_parts(const struct sql_table *table,
    char schema[static SQL_NAME_MAX + 1], char name[static SQL_NAME_MAX + 1]);
/* Whether this can be a table's name, or a column's. */
bool sql_name_is_good(const char *name, bool qualified);
/* Whether the database takes two names of one sort for the same. */
bool sql_name_same(enum sql_engine_id engine, const char *a, const char *b);

/* Options of SQL_PLACE_OPTIONS that contradict each other. -1 and *err
 * (EXIT_USER). Pure. */
int sql_place_check(const struct conf_section *conf, struct err *err);
enum sql_engine_id sql_place_engine(const struct conf_section *conf);
/*
 * Fills *out, borrowed from conf but for the password, which it reads (before
 * the lock-down). Release: sql_place_free(). -1 and *err (EXIT_USER).
 */
int sql_place_read(
    const struct conf_section *conf, struct sql_place *out, struct err *err);
void sql_place_free(struct sql_place *place);
#endif
