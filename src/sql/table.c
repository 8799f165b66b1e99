/* SPDX-License-Identifier: ISC */
/*
 * table - see the header.
 */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/secret.h"

/* As the programs that read them made their tables. */
static const struct preset {
	const char *name;
	const char *columns[SQL_COLUMNS];
	bool epoch;
} presets[SQL_PRESETS] = {
	[SQL_PRESET_RELAYPASS] = { "relaypass_leases",
	    { "address", "last_login", "username", "source", "expires" },
	    false },
	[SQL_PRESET_QPSMTPD] = { "popbsmtp", { "ip", "login_time", "", "", "" },
	    false },
	[SQL_PRESET_DOVECOT_MYSQL] = { "popbsmtp",
	    { "address", "last_seen", "", "", "" }, false },
	[SQL_PRESET_DOVECOT_POSTGRESQL] = { "auth",
	    { "host", "accessed", "", "", "" }, false },
	[SQL_PRESET_VPOPMAIL] = { "relay",
	    { "ip_addr", "timestamp", "", "", "" }, true },
	[SQL_PRESET_DBMAIL] = { "dbmail_pbsp",
	    { "ipnumber", "since", "", "", "" }, false },
};

static const char *const column_options[SQL_COLUMNS] = {
	[SQL_ADDRESS] = "address-column",
	[SQL_TIME] = "time-column",
	[SQL_USER] = "user-column",
	[SQL_SOURCE] = "source-column",
	[SQL_EXPIRY] = "expiry-column",
};

enum { FORMAT_PRESET, FORMAT_NATIVE, FORMAT_EPOCH };

/* Printable ASCII is enough for a name; quotes are doubled by text.c. */
static bool part_is_good(const char *name, size_t len)
{
	if (len == 0 || len > SQL_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return true;
}

bool sql_name_is_good(const char *name, bool qualified)
{
	const char *dot = strchr(name, '.');

	if (!dot)
		return part_is_good(name, strlen(name));
	return qualified && !strchr(dot + 1, '.') &&
	       part_is_good(name, (size_t)(dot - name)) &&
	       part_is_good(dot + 1, strlen(dot + 1));
}

bool sql_name_same(enum sql_engine_id engine, const char *a, const char *b)
{
	return (engine == SQL_POSTGRESQL ? strcmp(a, b) : strcasecmp(a, b)) ==
	       0;
}

static int read_column(const struct conf_section *conf, enum sql_column column,
    const struct preset *preset, struct sql_table *out, struct err *err)
{
	const char *option = column_options[column];
	const char *name = conf_string(conf, option);

	if (!*name)
		name = preset->columns[column];
	else if (strcmp(name, "-") == 0)
		name = "";
	else if (!sql_name_is_good(name, false))
		return conf_wrong(conf, err,
		    "%s: \"%s\": expected a column's name of 1 to %d printable "
		    "ASCII characters without blanks and dots",
		    option, name, SQL_NAME_MAX);
	out->columns[column] = name;
	for (int i = 0; i < (int)column; i++)
		if (*name && strcmp(out->columns[i], name) == 0)
			return conf_wrong(conf, err,
			    "%s: \"%s\" is the column of %s, too", option, name,
			    column_options[i]);
	return 0;
}

static const char *name_of(const struct conf_section *conf)
{
	const char *name = conf_string(conf, "table");

	return *name ? name : presets[conf_number(conf, "preset")].name;
}

int sql_table_read(const struct conf_section *conf, int64_t ttl,
    struct sql_table *out, struct err *err)
{
	const struct preset *preset = &presets[conf_number(conf, "preset")];
	int64_t format = conf_number(conf, "time-format");

	memset(out, 0, sizeof(*out));
	out->engine = sql_place_engine(conf);
	out->preset = (enum sql_preset)conf_number(conf, "preset");
	out->database = conf_string(conf, "database");
	out->name = name_of(conf);
	out->epoch =
	    format == FORMAT_PRESET ? preset->epoch : format == FORMAT_EPOCH;
	out->period = conf_number(conf, "period");
	if (out->period == 0)
		out->period = ttl;
	if (!sql_name_is_good(out->name, true))
		return conf_wrong(conf, err,
		    "table: \"%s\": expected \"table\" or \"schema.table\", "
		    "each of 1 to %d printable ASCII characters without blanks",
		    out->name, SQL_NAME_MAX);
	for (int i = 0; i < SQL_COLUMNS; i++)
		if (read_column(conf, (enum sql_column)i, preset, out, err) < 0)
			return -1;
	if (!*out->columns[SQL_ADDRESS])
		return conf_wrong(
		    conf, err, "address-column: a table must have one");
	if (!*out->columns[SQL_TIME] && !*out->columns[SQL_EXPIRY])
		return conf_wrong(conf, err,
		    "a table must have a time-column or an expiry-column");
	return 0;
}

void sql_table_parts(const struct sql_table *table,
    char schema[static SQL_NAME_MAX + 1], char name[static SQL_NAME_MAX + 1])
{
	const char *dot = strchr(table->name, '.');
	size_t len = dot ? (size_t)(dot - table->name) : 0;

	memcpy(schema, table->name, len);
	schema[len] = '\0';
	(void)snprintf(
	    name, SQL_NAME_MAX + 1, "%s", dot ? dot + 1 : table->name);
}

/* --- the place -------------------------------------------------------------
 */

enum sql_engine_id sql_place_engine(const struct conf_section *conf)
{
	/* In the order of the option's words. */
	static const enum sql_engine_id engines[] = { SQL_POSTGRESQL,
		SQL_MARIADB, SQL_MARIADB, SQL_SQLITE };

	return engines[conf_number(conf, "engine")];
}

static int check_file(const struct conf_section *conf, struct err *err)
{
	static const char *const others[] = { "host", "user", "password-file",
		"ca" };
	const char *path = conf_string(conf, "database");

	if (*path != '/')
		return conf_wrong(conf, err,
		    "database: \"%s\": expected the absolute path of a file, "
		    "for engine = \"sqlite\"",
		    path);
	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (*conf_string(conf, others[i]))
			return conf_wrong(conf, err,
			    "%s: not for engine = \"sqlite\", which is a file",
			    others[i]);
	if (conf_number(conf, "tls") != SQL_TLS_OFF)
		return conf_wrong(conf, err,
		    "tls: not for engine = \"sqlite\", which is a file");
	return 0;
}

/* All ways to name this machine are one. */
static bool is_here(const char *host)
{
	return !*host || *host == '/' || strcasecmp(host, "localhost") == 0 ||
	       strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0;
}

static bool same_host(const char *a, const char *b)
{
	return is_here(a) ? is_here(b) : strcasecmp(a, b) == 0;
}

/* Two servers of one machine have two ports; a socket does not tell. */
static int64_t port_of(const struct conf_section *conf)
{
	static const int64_t usual[] = {
		[SQL_POSTGRESQL] = 5432, [SQL_MARIADB] = 3306, [SQL_SQLITE] = 0
	};
	int64_t port = conf_number(conf, "port");

	return port ? port : usual[sql_place_engine(conf)];
}

bool sql_table_same(const struct conf_section *a, const struct conf_section *b)
{
	enum sql_engine_id engine = sql_place_engine(a);
	const char *db = conf_string(a, "database");
	const char *other_db = conf_string(b, "database");
	char schema[SQL_NAME_MAX + 1], other_schema[SQL_NAME_MAX + 1];
	char name[SQL_NAME_MAX + 1], other_name[SQL_NAME_MAX + 1];
	struct sql_table one = { .name = name_of(a) };
	struct sql_table other = { .name = name_of(b) };

	if (engine != sql_place_engine(b) ||
	    !same_host(conf_string(a, "host"), conf_string(b, "host")) ||
	    port_of(a) != port_of(b) || !sql_name_is_good(one.name, true) ||
	    !sql_name_is_good(other.name, true))
		return false;
	sql_table_parts(&one, schema, name);
	sql_table_parts(&other, other_schema, other_name);
	if (!sql_name_same(engine, name, other_name))
		return false;
	/* A schema is a database there, whichever one is connected to. */
	if (engine == SQL_MARIADB)
		return strcmp(*schema ? schema : db,
			   *other_schema ? other_schema : other_db) == 0;
	/* Without one it may be in any. */
	return strcmp(db, other_db) == 0 &&
	       (!*schema || !*other_schema ||
		   sql_name_same(engine, schema, other_schema));
}

int sql_place_check(const struct conf_section *conf, struct err *err)
{
	const char *host = conf_string(conf, "host");

	if (sql_place_engine(conf) == SQL_SQLITE)
		return check_file(conf, err);
	if (!*conf_string(conf, "database"))
		return conf_wrong(conf, err, "database: it needs a name");
	if ((!*host || *host == '/') && conf_number(conf, "tls") != SQL_TLS_OFF)
		return conf_wrong(
		    conf, err, "tls: a unix socket has none; name a host");
	if (*conf_string(conf, "ca") &&
	    conf_number(conf, "tls") != SQL_TLS_VERIFY)
		return conf_wrong(
		    conf, err, "ca: it is used by tls = \"verify\" only");
	return 0;
}

int sql_place_read(
    const struct conf_section *conf, struct sql_place *out, struct err *err)
{
	const char *file = conf_string(conf, "password-file");
	char *password = NULL;
	size_t len = 0;
	struct err why = { 0 };

	memset(out, 0, sizeof(*out));
	if (sql_place_check(conf, err) < 0)
		return -1;
	if (*file && secret_read(file, &password, &len, &why) < 0)
		return err_set(err, EXIT_USER, "password-file: %s", why.text);
	if (password && strlen(password) != len) {
		secret_free(&password, len);
		return err_set(
		    err, EXIT_USER, "password-file: %s: it holds a NUL", file);
	}
	out->host = conf_string(conf, "host");
	out->port = (uint16_t)conf_number(conf, "port");
	out->database = conf_string(conf, "database");
	out->user = conf_string(conf, "user");
	out->password = password ? password : xstrdup("");
	out->password_file = file;
	out->tls = (enum sql_tls)conf_number(conf, "tls");
	out->ca = conf_string(conf, "ca");
	return 0;
}

void sql_place_free(struct sql_place *place)
{
	char *password = (char *)(uintptr_t)place->password;

	if (password)
		secret_free(&password, strlen(password));
	place->password = NULL;
}
