/* SPDX-License-Identifier: ISC */
/*
 * text_table - of sql/text.h: the statements about a table as such, which make
 * it, mend it, or ask what it is like.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "text.h"

/* Characters of the longest IPv6 address in its canonical form. */
#define ADDRESS_TYPE "varchar(39)"

/* For MariaDB with its database: an administrator's client is connected to
 * none, or to another. */
static void put_table(struct sql_text *t, const struct sql_table *table)
{
	if (table->engine == SQL_MARIADB && !strchr(table->name, '.')) {
		sql_put_name(t, table->engine, table->database, false);
		sql_put(t, ".");
	}
	sql_put_name(t, table->engine, table->name, true);
}

static void put_column(
    struct sql_text *t, const struct sql_table *table, enum sql_column column)
{
	sql_put_name(t, table->engine, table->columns[column], false);
}

/* --- the table -------------------------------------------------------------
 */

static const char *time_type(const struct sql_table *table)
{
	static const char *const native[] = { [SQL_POSTGRESQL] = "timestamptz",
		[SQL_MARIADB] = "datetime",
		[SQL_SQLITE] = "datetime" };

	if (table->epoch && table->preset == SQL_PRESET_VPOPMAIL)
		return "char(12)";
	return table->epoch ? "bigint" : native[table->engine];
}

/* DBMail's number of a row is its key, and the address unique beside it. */
static void put_dbmail(struct sql_text *t, const struct sql_table *table)
{
	static const char *const number[] = { [SQL_POSTGRESQL] =
						  "bigserial PRIMARY KEY",
		[SQL_MARIADB] = "bigint AUTO_INCREMENT PRIMARY KEY",
		[SQL_SQLITE] = "integer PRIMARY KEY" };

	sql_put_name(t, table->engine, "idnr", false);
	sql_put(t, " ");
	sql_put(t, number[table->engine]);
	sql_put(t, ", ");
}

char *sql_text_create(const struct sql_table *table)
{
	bool dbmail = table->preset == SQL_PRESET_DBMAIL;
	struct sql_text t = { 0 };

	sql_put(&t, "CREATE TABLE ");
	put_table(&t, table);
	sql_put(&t, " (");
	if (dbmail)
		put_dbmail(&t, table);
	for (int i = 0; i < SQL_COLUMNS; i++) {
		if (!*table->columns[i])
			continue;
		sql_put(&t, i ? ", " : "");
		put_column(&t, table, (enum sql_column)i);
		sql_put(&t, " ");
		if (i == SQL_ADDRESS) {
			if (dbmail && table->engine == SQL_POSTGRESQL)
				sql_put(&t, "inet");
			else
				sql_put(&t, ADDRESS_TYPE);
			sql_put(&t, dbmail ? " NOT NULL UNIQUE"
					   : " NOT NULL PRIMARY KEY");
		} else if (i == SQL_TIME || i == SQL_EXPIRY) {
			sql_put(&t, time_type(table));
			sql_put(&t, " NOT NULL");
		} else {
			sql_put(
			    &t, i == SQL_USER ? "varchar(255)" : "varchar(31)");
		}
	}
	sql_put(&t, ")");
	if (table->engine == SQL_MARIADB)
		sql_put(&t, " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 "
			    "COLLATE utf8mb4_bin");
	return t.bytes;
}

char *sql_text_widen(const struct sql_table *table)
{
	bool mariadb = table->engine == SQL_MARIADB;
	struct sql_text t = { 0 };

	sql_put(&t, "ALTER TABLE ");
	put_table(&t, table);
	sql_put(&t, mariadb ? " MODIFY " : " ALTER COLUMN ");
	put_column(&t, table, SQL_ADDRESS);
	sql_put(&t, mariadb ? " " : " TYPE ");
	sql_put(&t, ADDRESS_TYPE);
	sql_put(&t, mariadb ? " NOT NULL;" : ";");
	return t.bytes;
}

char *sql_text_make_unique(const struct sql_table *table)
{
	struct sql_text t = { 0 };

	/* SQLite cannot add a key to a table, only an index. */
	if (table->engine == SQL_SQLITE) {
		char schema[SQL_NAME_MAX + 1], part[SQL_NAME_MAX + 1];
		char index[2 * SQL_NAME_MAX + 2];

		sql_table_parts(table, schema, part);
		(void)snprintf(index, sizeof(index), "%s_%s", part,
		    table->columns[SQL_ADDRESS]);
		sql_put(&t, "CREATE UNIQUE INDEX ");
		sql_put_name(&t, table->engine, index, false);
		sql_put(&t, " ON ");
		sql_put_name(&t, table->engine, part, false);
		sql_put(&t, " (");
	} else {
		sql_put(&t, "ALTER TABLE ");
		put_table(&t, table);
		sql_put(&t, " ADD UNIQUE (");
	}
	put_column(&t, table, SQL_ADDRESS);
	sql_put(&t, ");");
	return t.bytes;
}

char *sql_text_grant(
    const struct sql_table *table, const char *account, bool create)
{
	struct sql_text t = { 0 };

	sql_put(&t, "GRANT SELECT, INSERT, UPDATE, DELETE");
	sql_put(&t, create ? ", CREATE ON " : " ON ");
	put_table(&t, table);
	sql_put(&t, " TO ");
	sql_put(&t, account);
	sql_put(&t, ";");
	return t.bytes;
}

char *sql_text_grant_schema(const struct sql_table *table, const char *account,
    const char *schema, bool create)
{
	struct sql_text t = { 0 };

	sql_put(&t, "GRANT USAGE");
	sql_put(&t, create ? ", CREATE ON SCHEMA " : " ON SCHEMA ");
	if (strchr(table->name, '.')) {
		char part[SQL_NAME_MAX + 1], name[SQL_NAME_MAX + 1];

		sql_table_parts(table, part, name);
		sql_put_name(&t, table->engine, part, false);
	} else {
		sql_put(&t, schema);
	}
	sql_put(&t, " TO ");
	sql_put(&t, account);
	sql_put(&t, ";");
	return t.bytes;
}

const char *sql_text_account(enum sql_engine_id engine)
{
	static const char *const texts[] = {
		[SQL_POSTGRESQL] =
		    "SELECT quote_ident(current_user), quote_ident("
		    "COALESCE(current_schema()::text, 'public'))",
		[SQL_MARIADB] =
		    "SELECT CONCAT('''', REPLACE(CURRENT_USER(), '@', "
		    "'''@'''), '''')",
		[SQL_SQLITE] = NULL
	};

	return texts[engine];
}

const char *sql_text_columns(enum sql_engine_id engine)
{
	static const char *const texts[] = {
		[SQL_POSTGRESQL] =
		    "SELECT a.attname::text, t.typname::text,"
		    " CASE WHEN a.atttypmod > 4"
		    " AND t.typname IN ('varchar', 'bpchar')"
		    " THEN (a.atttypmod - 4)::text ELSE '' END,"
		    " CASE WHEN a.attnotnull THEN '' ELSE '1' END,"
		    " CASE WHEN a.atthasdef OR a.attidentity <> ''"
		    " THEN '1' ELSE '' END,"
		    " CASE WHEN EXISTS (SELECT 1 FROM pg_index i"
		    " WHERE i.indrelid = a.attrelid AND i.indisunique"
		    " AND i.indisvalid AND i.indpred IS NULL"
		    " AND i.indexprs IS NULL AND i.indnkeyatts = 1"
		    " AND i.indkey[0] = a.attnum) THEN '1' ELSE '' END"
		    " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
		    " WHERE a.attrelid = to_regclass($1::text)"
		    " AND a.attnum > 0 AND NOT a.attisdropped",
		[SQL_MARIADB] =
		    "SELECT c.column_name, c.data_type,"
		    " c.character_maximum_length, IF(c.is_nullable = 'YES',"
		    " '1', ''), IF(c.column_default IS NOT NULL OR"
		    " c.extra LIKE '%auto_increment%' OR"
		    " c.extra LIKE '%GENERATED%', '1', ''),"
		    " IF(EXISTS (SELECT 1 FROM information_schema.statistics s"
		    " WHERE s.table_schema = c.table_schema AND"
		    " s.table_name = c.table_name AND"
		    " s.column_name = c.column_name AND s.non_unique = 0 AND"
		    " s.sub_part IS NULL AND NOT EXISTS (SELECT 1 FROM"
		    " information_schema.statistics o WHERE"
		    " o.table_schema = s.table_schema AND"
		    " o.table_name = s.table_name AND"
		    " o.index_name = s.index_name AND o.seq_in_index > 1)),"
		    " '1', '')"
		    " FROM information_schema.columns c WHERE c.table_schema ="
		    " COALESCE(NULLIF(?, ''), DATABASE())"
		    " AND c.table_name = ?",
		[SQL_SQLITE] =
		    "SELECT c.name, lower(c.type), '',"
		    " CASE WHEN c.\"notnull\" THEN '' ELSE '1' END,"
		    " CASE WHEN c.dflt_value IS NOT NULL OR"
		    " (c.pk AND lower(c.type) = 'integer')"
		    " THEN '1' ELSE '' END,"
		    " CASE WHEN (c.pk AND (SELECT count(*) FROM"
		    " pragma_table_info(p.name, p.place) k WHERE k.pk) = 1) OR"
		    " EXISTS (SELECT 1 FROM pragma_index_list(p.name, p.place)"
		    " i WHERE i.\"unique\" AND NOT i.partial AND"
		    " (SELECT count(*) FROM pragma_index_info(i.name, p.place))"
		    " = 1 AND (SELECT x.name FROM"
		    " pragma_index_info(i.name, p.place) x) = c.name)"
		    " THEN '1' ELSE '' END"
		    " FROM (SELECT COALESCE(NULLIF(?, ''), 'main') AS place,"
		    " ? AS name) p, pragma_table_info(p.name, p.place) c"
	};

	return texts[engine];
}

char *sql_text_table(const struct sql_table *table)
{
	struct sql_text t = { 0 };

	put_table(&t, table);
	return t.bytes;
}

void sql_table_params(
    const struct sql_table *table, struct sql_table_params *out)
{
	if (table->engine == SQL_POSTGRESQL) {
		AUTO_FREE char *name = sql_text_table(table);

		(void)snprintf(out->name, sizeof(out->name), "%s", name);
		out->values[0] = sql_value_of(out->name);
		out->count = 1;
		return;
	}
	sql_table_parts(table, out->schema, out->name);
	out->values[0] = sql_value_of(out->schema);
	out->values[1] = sql_value_of(out->name);
	out->count = 2;
}

const char *sql_text_identity(enum sql_engine_id engine)
{
	static const char *const texts[] = {
		/* TRUNCATE gives a table another file. */
		[SQL_POSTGRESQL] = "SELECT r.oid::oid::text || '/' ||"
				   " coalesce(pg_relation_filenode(r.oid), 0)"
				   " FROM (SELECT to_regclass($1::text) AS oid)"
				   " r WHERE r.oid IS NOT NULL",
		[SQL_MARIADB] = "SELECT COALESCE(create_time, 0)"
				" FROM information_schema.tables"
				" WHERE table_schema ="
				" COALESCE(NULLIF(?, ''), DATABASE())"
				" AND table_name = ?",
		[SQL_SQLITE] = "SELECT (SELECT schema_version FROM"
			       " pragma_schema_version) || '/' || rootpage"
			       " FROM sqlite_master WHERE ? IN ('', 'main')"
			       " AND type = 'table'"
			       " AND name = ? COLLATE NOCASE"
	};

	return texts[engine];
}

/* --- rights ----------------------------------------------------------------
 */

const char *const sql_right_words[SQL_RIGHTS] = {
	[SQL_SELECT] = "SELECT",
	[SQL_INSERT] = "INSERT",
	[SQL_UPDATE] = "UPDATE",
	[SQL_DELETE] = "DELETE",
};

char *sql_text_right(const struct sql_table *table, enum sql_right right)
{
	enum sql_column column =
	    *table->columns[SQL_TIME] ? SQL_TIME : SQL_EXPIRY;
	struct sql_text t = { 0 };

	switch (right) {
	case SQL_INSERT:
		sql_put(&t, "INSERT INTO ");
		put_table(&t, table);
		sql_put(&t, " (");
		sql_put_columns(&t, table);
		sql_put(&t, ") ");
		__attribute__((fallthrough));
	case SQL_RIGHTS:
	case SQL_SELECT:
		sql_put(&t, "SELECT ");
		sql_put_columns(&t, table);
		sql_put(&t, " FROM ");
		put_table(&t, table);
		break;
	case SQL_UPDATE:
		sql_put(&t, "UPDATE ");
		put_table(&t, table);
		sql_put(&t, " SET ");
		put_column(&t, table, column);
		sql_put(&t, " = ");
		put_column(&t, table, column);
		break;
	case SQL_DELETE:
		sql_put(&t, "DELETE FROM ");
		put_table(&t, table);
		break;
	}
	sql_put(&t, " WHERE 1 = 0");
	return t.bytes;
}

char *sql_text_create_right(const struct sql_table *table)
{
	const char *type = " " ADDRESS_TYPE;
	struct sql_text t = { 0 };

	/* It finds the column twice before it looks at the file. */
	if (table->engine == SQL_SQLITE)
		return NULL;
	sql_put(&t, "CREATE TABLE ");
	put_table(&t, table);
	sql_put(&t, " (");
	put_column(&t, table, SQL_ADDRESS);
	sql_put(&t, type);
	sql_put(&t, ", ");
	put_column(&t, table, SQL_ADDRESS);
	sql_put(&t, type);
	sql_put(&t, ")");
	return t.bytes;
}
