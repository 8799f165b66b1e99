/* SPDX-License-Identifier: ISC */
/*
 * postgresql - the module for PostgreSQL, by libpq's calls that do not wait.
 * Only the lookup of a host's name does.
 *
 * Everything a connection depends on is said in its parameters: no password
 * file, service file, certificate of a home directory or PG* variable is read.
 * Statements are not kept prepared: that would tie them to one server process,
 * which a pooler such as PgBouncer does not promise.
 */
#include <fcntl.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/module.h"
#include "rows.h"
#include "sql/sql.h"

enum {
	SETTING_SIZE = 300, /* of what is set in each session */
	NUMBER_SIZE = 24,
	STATE_LEN = 5 /* of an SQLSTATE */
};

/* A path at which nothing can be; an empty one would mean the usual. */
#define NO_FILE    "/dev/null/none"
#define SYSTEM_CA  "/etc/ssl/certs/ca-certificates.crt"
#define SOCKET_TAG "/.s.PGSQL."

/* What the place says, and what is always the same. */
enum asked { HOST, PORT, DATABASE, USER, PASSWORD, SSLMODE, CA, LOST, ASKED };
static const char *const asked[ASKED] = { [HOST] = "host",
	[PORT] = "port",
	[DATABASE] = "dbname",
	[USER] = "user",
	[PASSWORD] = "password",
	[SSLMODE] = "sslmode",
	[CA] = "sslrootcert",
	[LOST] = "tcp_user_timeout" };
static const struct {
	const char *keyword, *value;
} fixed[] = {
	{ "passfile", NO_FILE },
	{ "sslcert", NO_FILE },
	{ "sslkey", NO_FILE },
	{ "sslcrl", NO_FILE },
	/* would look for Kerberos' files and load its plugins */
	{ "gssencmode", "disable" },
	{ "client_encoding", "UTF8" },
	{ "application_name", "relaypass" },
	/* Who only listens learns within half a minute that a host is gone. */
	{ "keepalives", "1" },
	{ "keepalives_idle", "15" },
	{ "keepalives_interval", "5" },
	{ "keepalives_count", "3" },
};

enum state { NEW, CONNECTING, SETTING, IDLE, RUNNING, OVER };

struct sql_conn {
	PGconn *pg;
	PGresult *result; /* its end: status, columns and rows affected */
	struct rows rows;
	enum state state;
	enum sql_fault fault;
	int64_t timeout;
	uint64_t before;
	char *place[ASKED];        /* until connect() */
	char text[SQL_WORDS_SIZE]; /* of the fault */
};

/* --- errors --- */

/* Classes first: the first row that fits counts. */
static const struct {
	const char *state; /* the beginning of an SQLSTATE */
	enum sql_fault fault;
} faults[] = {
	{ "08", SQL_FAULT_GONE },     /* connection exception */
	{ "28", SQL_FAULT_LOGIN },    /* invalid authorization */
	{ "3D000", SQL_FAULT_LOGIN }, /* no such database */
	{ "57P04", SQL_FAULT_LOGIN }, /* the database was dropped */
	{ "57P", SQL_FAULT_GONE },    /* shutdown, start, idle too long */
	{ "53300", SQL_FAULT_GONE },  /* too many connections */
	{ "25P03", SQL_FAULT_GONE },  /* idle too long */
	{ "42P01", SQL_FAULT_NO_TABLE },
	{ "3F000", SQL_FAULT_NO_TABLE }, /* no such schema */
	{ "42703", SQL_FAULT_NO_COLUMN }, { "42501", SQL_FAULT_DENIED },
	{ "23505", SQL_FAULT_DUPLICATE },
	{ "53", SQL_FAULT_FULL }, /* disk full, out of memory */
	{ "40", SQL_FAULT_BUSY }, /* serialization, deadlock */
	{ "55P03", SQL_FAULT_BUSY }, { "55006", SQL_FAULT_BUSY },
	{ "57014", SQL_FAULT_BUSY }, /* statement_timeout */
	{ "25006", SQL_FAULT_BUSY }, /* a standby, not yet the primary */
};

static enum sql_fault fault_of(const char *state)
{
	for (size_t i = 0; i < COUNT_OF(faults); i++) {
		if (strncmp(state, faults[i].state, strlen(faults[i].state)) ==
		    0)
			return faults[i].fault;
	}
	return SQL_FAULT_OTHER;
}

/* Appends a line of libpq's to the error. */
static void add_line(struct sql_conn *c, const char *line)
{
	if (strcspn(line, "\r\n") == 0)
		return;
	if (*c->text)
		rows_add_words(c->text, "; ");
	rows_add_words(c->text, line);
}

/* "...:  28P01: password ...": where the SQLSTATE stands, or NULL. */
static const char *find_state(const char *line, size_t len)
{
	static const char of[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (const char *p = line; p + STATE_LEN + 4 <= line + len; p++) {
		if (p[0] == ':' && p[1] == ' ' && p[2] == ' ' &&
		    strspn(p + 3, of) == STATE_LEN && p[3 + STATE_LEN] == ':')
			return p + 3;
	}
	return NULL;
}

/* Keeps libpq's error: one line an address tried, hints behind tabs. */
static int fail_by_connection(struct sql_conn *c)
{
	const char *p = PQerrorMessage(c->pg);

	c->fault = SQL_FAULT_GONE;
	c->text[0] = '\0';
	if (PQconnectionNeedsPassword(c->pg))
		c->fault = SQL_FAULT_LOGIN;
	if (strstr(p, "does not support SSL") || strstr(p, "certificate"))
		c->fault = SQL_FAULT_OTHER;
	while (*p) {
		size_t len = strcspn(p, "\r\n");
		const char *state = find_state(p, len);

		if (state) {
			c->fault = fault_of(state);
			add_line(c, state + STATE_LEN + 2);
		} else if (*p != '\t' && strncmp(p, "LOCATION:", 9) != 0)
			add_line(c, p);
		p += len;
		p += strspn(p, "\r\n");
	}
	if (c->state == CONNECTING && c->fault == SQL_FAULT_DENIED)
		c->fault = SQL_FAULT_LOGIN; /* no right to the database */
	c->state = OVER;
	return SQL_FAILED;
}

static int fail(struct sql_conn *c, enum sql_fault fault, const char *text)
{
	c->text[0] = '\0';
	add_line(c, text);
	c->fault = fault;
	return SQL_FAILED;
}

static int fail_by_result(struct sql_conn *c)
{
	const char *state = PQresultErrorField(c->result, PG_DIAG_SQLSTATE);
	const char *text =
	    PQresultErrorField(c->result, PG_DIAG_MESSAGE_PRIMARY);

	if (!state) /* libpq's own */
		return PQstatus(c->pg) == CONNECTION_BAD
			   ? fail_by_connection(c)
			   : fail(c, SQL_FAULT_OTHER,
				 PQresultErrorMessage(c->result));
	return fail(c, fault_of(state), text ? text : state);
}

/* --- connecting --- */

int OPENSSL_init_ssl(uint64_t options, const void *settings)
    __attribute__((weak)); /* libpq may have been built without */

/* Loads OpenSSL's configuration with the modules it names, and the modules of
 * the name service. */
static int postgresql_prepare(struct err *err)
{
	enum { LOAD_CONFIG = 0x40 }; /* OPENSSL_INIT_LOAD_CONFIG */
	static const struct addrinfo hint = { .ai_socktype = SOCK_STREAM };
	PQconninfoOption *options;
	struct addrinfo *found = NULL;

	(void)unsetenv("PGSERVICE"); /* before the next call reads its file */
	options = PQconndefaults();
	if (!options)
		return err_set(err, EXIT_AGAIN, "libpq: no memory");
	for (const PQconninfoOption *o = options; o->keyword; o++) {
		if (o->envvar)
			(void)unsetenv(o->envvar);
	}
	PQconninfoFree(options);
	(void)unsetenv("PGSERVICEFILE");
	(void)unsetenv("PGSYSCONFDIR");
	if (OPENSSL_init_ssl && OPENSSL_init_ssl(LOAD_CONFIG, NULL) != 1)
		return err_set(err, EXIT_USER,
		    "OpenSSL cannot be set up; see /etc/ssl/openssl.cnf");
	if (getaddrinfo("localhost", NULL, &hint, &found) == 0)
		freeaddrinfo(found);
	return 0;
}

/* "/run/postgresql/.s.PGSQL.5433" is a directory and a port. */
static void set_host(struct sql_conn *c, const struct sql_place *place)
{
	const char *tag = strstr(place->host, SOCKET_TAG);
	char port[NUMBER_SIZE] = "";

	if (place->port)
		(void)snprintf(port, sizeof(port), "%u", place->port);
	if (place->host[0] == '/' && tag) {
		c->place[HOST] =
		    xstrndup(place->host, (size_t)(tag - place->host));
		c->place[PORT] = xstrdup(tag + strlen(SOCKET_TAG));
	} else {
		c->place[HOST] = xstrdup(place->host);
		c->place[PORT] = xstrdup(port);
	}
}

static int set_tls(
    struct sql_conn *c, const struct sql_place *place, struct err *err)
{
	static const char *const modes[] = { [SQL_TLS_OFF] = "disable",
		[SQL_TLS_ON] = "require",
		[SQL_TLS_VERIFY] = "verify-full" };
	const char *ca = place->ca && *place->ca ? place->ca : SYSTEM_CA;
	const bool verify = place->tls == SQL_TLS_VERIFY;
	/* access(2) is not there after the lock-down. */
	AUTO_CLOSE int fd = verify ? open(ca, O_RDONLY | O_CLOEXEC) : -1;

	if (verify && fd < 0)
		return err_set(err, EXIT_USER,
		    "%s, by which the server's certificate is verified, cannot "
		    "be read",
		    ca);
	c->place[SSLMODE] = xstrdup(modes[place->tls]);
	c->place[CA] = xstrdup(verify ? ca : NO_FILE);
	return 0;
}

static void forget_place(struct sql_conn *c)
{
	for (size_t i = 0; i < ASKED; i++) {
		if (i == PASSWORD && c->place[i])
			explicit_bzero(c->place[i], strlen(c->place[i]));
		free(c->place[i]);
		c->place[i] = NULL;
	}
}

static void postgresql_close(struct sql_conn **cp)
{
	struct sql_conn *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	PQclear(c->result);
	PQfinish(c->pg);
	rows_free(&c->rows);
	forget_place(c);
	free(c);
}

static struct sql_conn *postgresql_open(
    const struct sql_place *place, struct err *err)
{
	struct sql_conn *c = xcalloc(1, sizeof(*c));
	char lost[NUMBER_SIZE];

	c->timeout = place->timeout;
	c->before = place->before;
	if (set_tls(c, place, err) < 0) {
		postgresql_close(&c);
		return NULL;
	}
	set_host(c, place);
	c->place[DATABASE] = xstrdup(place->database ? place->database : "");
	c->place[USER] = xstrdup(place->user ? place->user : "");
	c->place[PASSWORD] = xstrdup(place->password ? place->password : "");
	/* Half of the time for one address: another may be next. */
	(void)snprintf(
	    lost, sizeof(lost), "%lld", (long long)place->timeout / 2);
	c->place[LOST] = xstrdup(lost);
	return c;
}

static void ignore_notice(void *ctx, const PGresult *result)
{
	(void)ctx;
	(void)result;
}

/* Whether a server that asks for the password in clear text may be an
 * impostor, and libpq can be told to refuse. */
static bool refuses_clear_text(const struct sql_conn *c)
{
	enum { FIRST_VERSION = 160000 }; /* with require_auth */
	const char *host = c->place[HOST];

	return PQlibVersion() >= FIRST_VERSION && host[0] != '/' &&
	       host[0] != '\0' && strcmp(c->place[SSLMODE], "verify-full") != 0;
}

static int postgresql_connect(struct sql_conn *c)
{
	const char *keywords[ASKED + COUNT_OF(fixed) + 2];
	const char *values[ASKED + COUNT_OF(fixed) + 2];
	size_t n = 0;

	for (size_t i = 0; i < ASKED; i++, n++) {
		keywords[n] = asked[i];
		values[n] = c->place[i];
	}
	for (size_t i = 0; i < COUNT_OF(fixed); i++, n++) {
		keywords[n] = fixed[i].keyword;
		values[n] = fixed[i].value;
	}
	if (refuses_clear_text(c)) {
		keywords[n] = "require_auth";
		values[n++] = "!password";
	}
	keywords[n] = values[n] = NULL;
	c->pg = PQconnectStartParams(keywords, values, 0);
	forget_place(c);
	if (!c->pg)
		return fail(c, SQL_FAULT_OTHER, "libpq: no memory");
	(void)PQsetNoticeReceiver(c->pg, ignore_notice, NULL);
	/* With the SQLSTATE, which libpq tells in no other way. */
	(void)PQsetErrorVerbosity(c->pg, PQERRORS_VERBOSE);
	if (PQstatus(c->pg) == CONNECTION_BAD)
		return fail_by_connection(c);
	c->state = CONNECTING;
	return SQL_WRITE;
}

/* --- statements --- */

static int give_up(struct sql_conn *c, const char *text)
{
	c->state = OVER;
	return fail(c, SQL_FAULT_GONE, text);
}

/* False: there is no room for it. */
static bool copy_row(struct sql_conn *c)
{
	const int columns = PQnfields(c->result);

	for (int i = 0; i < columns; i++) {
		const char *text = PQgetisnull(c->result, 0, i)
				       ? NULL
				       : PQgetvalue(c->result, 0, i);

		if (!rows_add(
			&c->rows, text, (size_t)PQgetlength(c->result, 0, i)))
			return false;
	}
	return true;
}

/* One row, or the end of them. */
static int take_result(struct sql_conn *c)
{
	const ExecStatusType status = PQresultStatus(c->result);
	const bool is_row = status == PGRES_SINGLE_TUPLE;
	const size_t columns = (size_t)PQnfields(c->result);

	if ((is_row || status == PGRES_TUPLES_OK) && c->rows.columns != columns)
		rows_begin(&c->rows, columns);
	if (is_row && !copy_row(c))
		return give_up(c, ROWS_TOO_LARGE);
	/* COPY: never ours, and it would go on for ever. */
	if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
	    status == PGRES_COPY_BOTH)
		return give_up(c, "COPY is not supported");
	return SQL_DONE;
}

/* Sends what is left, takes what has come. */
static int go_on(struct sql_conn *c)
{
	int left = PQflush(c->pg);
	PGresult *next;

	if (left < 0)
		return fail_by_connection(c);
	for (;;) {
		if (PQisBusy(c->pg))
			return SQL_READ | (left ? SQL_WRITE : 0);
		next = PQgetResult(c->pg);
		if (!next)
			break;
		PQclear(c->result);
		c->result = next;
		if (take_result(c) == SQL_FAILED)
			return SQL_FAILED;
	}
	c->state = IDLE;
	if (PQresultStatus(c->result) == PGRES_FATAL_ERROR ||
	    PQresultStatus(c->result) == PGRES_BAD_RESPONSE)
		return fail_by_result(c);
	return SQL_DONE;
}

static int begin(struct sql_conn *c, bool sent, enum state state)
{
	if (!sent)
		return PQstatus(c->pg) == CONNECTION_BAD
			   ? fail_by_connection(c)
			   : fail(c, SQL_FAULT_OTHER, PQerrorMessage(c->pg));
	/* libpq would gather all rows, however many a server sends. */
	(void)PQsetSingleRowMode(c->pg);
	rows_begin(&c->rows, 0);
	c->state = state;
	return go_on(c);
}

/*
 * The server ends a statement before the caller gives it up, so that nothing
 * which waits for a lock is done behind the caller's back. The same for a
 * connection that was given up: a stopped server process would still do what
 * it finds in its socket when it goes on.
 */
static int set_up(struct sql_conn *c)
{
	char text[SETTING_SIZE];
	int len = snprintf(text, sizeof(text),
	    "SET DateStyle = 'ISO'; SET statement_timeout = %lld",
	    (long long)(c->timeout - c->timeout / 10));

	if (c->before)
		(void)snprintf(text + len, sizeof(text) - (size_t)len,
		    "; SELECT pg_catalog.pg_terminate_backend(pid) FROM "
		    "pg_catalog.pg_stat_activity WHERE pid = %llu AND "
		    "usename = current_user AND "
		    "application_name = 'relaypass'",
		    (unsigned long long)c->before);
	if (PQsetnonblocking(c->pg, 1) < 0)
		return fail_by_connection(c);
	return begin(c, PQsendQuery(c->pg, text) == 1, SETTING);
}

static int step_connect(struct sql_conn *c)
{
	switch (PQconnectPoll(c->pg)) {
	case PGRES_POLLING_READING:
		return SQL_READ;
	case PGRES_POLLING_WRITING:
		return SQL_WRITE;
	case PGRES_POLLING_OK:
		return set_up(c);
	case PGRES_POLLING_FAILED:
	case PGRES_POLLING_ACTIVE: /* not used any more */
		break;
	}
	return fail_by_connection(c);
}

static int postgresql_step(struct sql_conn *c, int ready)
{
	if (c->state == CONNECTING)
		return step_connect(c);
	if (c->state == OVER)
		return SQL_FAILED;
	/* What has come is read in any case: it may be why nothing can be
	 * sent. */
	if ((ready & SQL_READ) && !PQconsumeInput(c->pg))
		return fail_by_connection(c);
	return go_on(c);
}

static int postgresql_run(struct sql_conn *c, const char *statement,
    const struct sql_value *params, size_t count)
{
	AUTO_FREE const char **values = xcalloc(count + 1, sizeof(*values));

	PQclear(c->result);
	c->result = NULL;
	if (c->state == OVER)
		return SQL_FAILED;
	for (size_t i = 0; i < count; i++)
		values[i] = params[i].text;
	return begin(c,
	    PQsendQueryParams(
		c->pg, statement, (int)count, NULL, values, NULL, NULL, 0) == 1,
	    RUNNING);
}

static int postgresql_fd(const struct sql_conn *c)
{
	return PQsocket(c->pg);
}

static size_t postgresql_rows(const struct sql_conn *c)
{
	return rows_count(&c->rows);
}

static size_t postgresql_columns(const struct sql_conn *c)
{
	return c->rows.columns;
}

static struct sql_value postgresql_value(
    const struct sql_conn *c, size_t row, size_t column)
{
	return rows_value(&c->rows, row, column);
}

static int64_t postgresql_affected(const struct sql_conn *c)
{
	return strtoll(PQcmdTuples(c->result), NULL, 10);
}

static enum sql_fault postgresql_fault(
    const struct sql_conn *c, const char **text_r)
{
	*text_r = c->text;
	return c->fault;
}

static bool postgresql_notified(struct sql_conn *c, bool *gone_r)
{
	bool any = false;
	PGnotify *n;

	*gone_r = PQconsumeInput(c->pg) == 0;
	while ((n = PQnotifies(c->pg)) != NULL) {
		any = true;
		PQfreemem(n);
	}
	if (*gone_r)
		(void)fail_by_connection(c);
	return any;
}

static uint64_t postgresql_number(const struct sql_conn *c)
{
	return (uint64_t)PQbackendPID(c->pg);
}

static const struct sql_engine engine = { .id = SQL_POSTGRESQL,
	.prepare = postgresql_prepare,
	.open = postgresql_open,
	.connect = postgresql_connect,
	.run = postgresql_run,
	.step = postgresql_step,
	.fd = postgresql_fd,
	.rows = postgresql_rows,
	.columns = postgresql_columns,
	.value = postgresql_value,
	.affected = postgresql_affected,
	.fault = postgresql_fault,
	.notified = postgresql_notified,
	.number = postgresql_number,
	.close = postgresql_close };

extern const struct module relaypass_module;
__attribute__((visibility("default")))
const struct module relaypass_module = { RELAYPASS_VERSION, &engine };
