/* SPDX-License-Identifier: ISC */
/*
 * stream - see the header. The statements are PostgreSQL's.
 */
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "base/mem.h"
#include "base/role.h"
#include "text.h"

#define TEXT_OF(n)  TEXT_OF_(n)
#define TEXT_OF_(n) #n
#define READ_ROWS   TEXT_OF(SQL_STREAM_READ_ROWS)
#define TRIM_ROWS   TEXT_OF(SQL_STREAM_TRIM_ROWS)
#define REVOKED_IDS TEXT_OF(SQL_STREAM_REVOKED_IDS)
#define SILENT_S    TEXT_OF(SQL_STREAM_SILENT_S)
#define AGE         "(extract(epoch FROM clock_timestamp() - written) * 1000)::bigint"
#define WRITTEN     "(extract(epoch FROM written) * 1000000)::bigint"
#define REVOKES     "record LIKE '1 revoke %'"
/* Times of a record; 0: it has none. */
#define ENDED                                                                  \
	"coalesce(substring(record from ' end=([0-9]{1,15}) ')::bigint, 0)"
#define ISSUED                                                                 \
	"coalesce(substring(record from ' issued=([0-9]{1,15}) ')::bigint, 0)"

/* --- statements ------------------------------------------------------------
 */

/* The text with the table's name for each '@'. */
static char *fill(const char *text, const char *quoted)
{
	struct sql_text out = { 0 };
	const char *at;

	while ((at = strchr(text, '@'))) {
		char *piece = xstrndup(text, (size_t)(at - text));

		sql_put(&out, piece);
		sql_put(&out, quoted);
		free(piece);
		text = at + 1;
	}
	sql_put(&out, text);
	return out.bytes;
}

static char *quote(const char *name, bool qualified)
{
	struct sql_text out = { 0 };

	sql_put_name(&out, SQL_POSTGRESQL, name, qualified);
	return out.bytes;
}

/* What an export says. */
static void make_writes(struct sql_stream *out)
{
	out->insert = fill(
	    "WITH i AS (INSERT INTO @ (node, record) SELECT $1::text, r FROM "
	    "unnest(string_to_array($2::text, chr(10))) AS r RETURNING 1), "
	    "m AS (UPDATE @ SET record = $4::text, written = clock_timestamp() "
	    "WHERE id = $3::bigint AND record IN ($4::text, $5::text) "
	    "RETURNING 1) "
	    "SELECT (SELECT count(*) FROM i), (SELECT count(*) FROM m), "
	    "pg_notify($6::text, '')",
	    out->table);
	out->mark = fill(
	    "INSERT INTO @ (id, node, record) VALUES ($1::bigint, $2::text, "
	    "$3::text) ON CONFLICT (id) DO UPDATE SET record = "
	    "EXCLUDED.record, written = clock_timestamp()",
	    out->table);
	out->check =
	    fill("SELECT record FROM @ WHERE id = $1::bigint", out->table);
	out->touch = fill(
	    "UPDATE @ SET written = clock_timestamp() WHERE id = $1::bigint "
	    "AND record = $2::text",
	    out->table);
}

/*
 * w: the rows looked at; o: the same, judged; l: nodes that are there; m: marks
 * of the others; d: what is over. What is not old yet holds the next look back,
 * and so do own leases, which will be; revocations and the rows of others wait
 * for the next time that the table is gone through.
 */
static void make_trim(struct sql_stream *out)
{
	out->trim = fill(
	    "WITH w AS (SELECT id, node, record, abs(extract(epoch FROM now() "
	    "- written))::float8 AS age FROM @ WHERE id > $3::bigint AND id > "
	    "0 ORDER BY id LIMIT " TRIM_ROWS "), "
	    "o AS (SELECT id, node, age, " REVOKES " AS revokes, CASE WHEN "
	    "age <= $1::float8 THEN false WHEN " REVOKES " THEN " ENDED
	    " <= $5::bigint ELSE abs($4::bigint - " ISSUED
	    ") > $1::float8 * 1000 END AS over FROM w), "
	    "l AS (SELECT node FROM @ WHERE id < 0 AND (node = $2::text OR "
	    "written >= now() - interval '" SILENT_S " s')), "
	    "m AS (DELETE FROM @ WHERE id < 0 AND id <> $6::bigint AND written "
	    "< now() - interval '" SILENT_S " s'), "
	    "d AS (DELETE FROM @ WHERE id IN (SELECT id FROM o WHERE over AND "
	    "(node = $2::text OR (age > " SILENT_S " AND node NOT IN (SELECT "
	    "node FROM l)))) RETURNING 1) "
	    "SELECT max(id) FILTER (WHERE id < coalesce((SELECT min(id) FROM o "
	    "WHERE age <= $1::float8 OR (node = $2::text AND NOT revokes AND "
	    "NOT over)), id + 1)), count(*), (SELECT count(*) FROM d) FROM o",
	    out->table);
}

/* What a source asks. */
static void make_reads(struct sql_stream *out)
{
	out->read = fill(
	    "SELECT h.top, h.seen, r.id, r.record, r.age, r.at FROM (SELECT "
	    "(SELECT max(id) FROM @ WHERE id > 0) AS top, (SELECT " WRITTEN
	    " FROM @ WHERE id = $2::bigint) AS seen) AS h LEFT JOIN LATERAL "
	    "(SELECT id, record, " AGE " AS age, " WRITTEN " AS at FROM @ "
	    "WHERE id > $1::bigint ORDER BY id LIMIT " READ_ROWS
	    ") AS r ON true ORDER BY r.id",
	    out->table);
	out->revoked = fill(
	    "SELECT h.top, h.low, r.id, r.record, r.age FROM (SELECT (SELECT "
	    "max(id) FROM @ WHERE id > 0) AS top, (SELECT min(id) FROM @ WHERE "
	    "id > $1::bigint) AS low) AS h LEFT JOIN LATERAL (SELECT id, "
	    "record, " AGE
	    " AS age FROM @ WHERE id >= h.low AND id < h.low + " REVOKED_IDS
	    " AND " REVOKES ") AS "
	    "r ON true ORDER BY r.id",
	    out->table);
	out->late = fill("SELECT t.id, t.record, " AGE " FROM unnest("
			 "$1::bigint[], $2::bigint[]) AS g(a, b) JOIN @ AS t "
			 "ON t.id BETWEEN g.a AND g.b ORDER BY t.id "
			 "LIMIT " READ_ROWS,
	    out->table);
}

void sql_stream_make(const char *table, struct sql_stream *out)
{
	const char *dot = strrchr(table, '.');
	char *channel;

	memset(out, 0, sizeof(*out));
	out->channel = xstrdup(dot ? dot + 1 : table);
	out->table = quote(table, true);
	out->schema = dot ? xstrndup(table, (size_t)(dot - table)) : NULL;
	out->create = fill("CREATE TABLE IF NOT EXISTS @ (id bigserial PRIMARY "
			   "KEY, node text NOT NULL, record text NOT NULL, "
			   "written timestamptz NOT NULL DEFAULT "
			   "clock_timestamp())",
	    out->table);
	make_writes(out);
	make_trim(out);
	make_reads(out);
	channel = quote(out->channel, false);
	out->listen = fill("LISTEN @", channel);
	free(channel);
}

void sql_stream_free(struct sql_stream *s)
{
	char **const all[] = { &s->table, &s->schema, &s->channel, &s->create,
		&s->insert, &s->mark, &s->check, &s->touch, &s->trim, &s->read,
		&s->revoked, &s->late, &s->listen };

	for (size_t i = 0; i < COUNT_OF(all); i++) {
		free(*all[i]);
		*all[i] = NULL;
	}
}

/* --- what it must be like --------------------------------------------------
 */

int sql_stream_check(const struct conf_section *conf, struct err *err)
{
	const char *table = conf_string(conf, "table");

	if (sql_place_engine(conf) != SQL_POSTGRESQL)
		return conf_wrong(conf, err,
		    "engine: only PostgreSQL carries leases between nodes; "
		    "expected engine = \"postgresql\"");
	if (!sql_name_is_good(table, true))
		return conf_wrong(conf, err,
		    "table: \"%s\": expected a name, or schema.name", table);
	return sql_place_check(conf, err);
}

static const struct {
	const char *name, *types, *want;
} columns[] = {
	{ "id", "bigint integer", "bigint" },
	{ "node", "text varchar bpchar", "text" },
	{ "record", "text", "text" },
	{ "written", "timestamptz", "timestamptz" },
};

/* Whether a word is among words with blanks between. */
static bool is_among(const char *word, const char *words)
{
	size_t len = strlen(word);

	for (const char *at = words; len && (at = strstr(at, word)); at += len)
		if ((at == words || at[-1] == ' ') &&
		    (at[len] == '\0' || at[len] == ' '))
			return true;
	return false;
}

/* -1: a column is missing or of another type; 0: good; 1: there is no table. */
static int look_at_columns(
    struct sql_ask *a, const struct sql_stream *s, struct err *err)
{
	static const char text[] =
	    "SELECT a.attname, regexp_replace(t.typname, '^int8$', 'bigint') "
	    "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE "
	    "a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT "
	    "a.attisdropped";
	const struct sql_value table = sql_value_of(s->table);

	if (sql_ask_run(a, text, &table, 1, err) != SQL_FAULT_NONE)
		return -1;
	if (sql_ask_rows(a) == 0)
		return 1;
	for (size_t i = 0; i < COUNT_OF(columns); i++) {
		size_t row = 0;

		while (row < sql_ask_rows(a) &&
		       strcmp(sql_ask_text(a, row, 0), columns[i].name) != 0)
			row++;
		if (row == sql_ask_rows(a))
			return err_set(err, EXIT_USER,
			    "the table %s has no column %s; run: ALTER TABLE "
			    "%s ADD "
			    "COLUMN %s %s;",
			    s->table, columns[i].name, s->table,
			    columns[i].name, columns[i].want);
		if (!is_among(sql_ask_text(a, row, 1), columns[i].types))
			return err_set(err, EXIT_USER,
			    "the column %s of %s is of the type %s; run: ALTER "
			    "TABLE %s ALTER COLUMN %s TYPE %s;",
			    columns[i].name, s->table, sql_ask_text(a, row, 1),
			    s->table, columns[i].name, columns[i].want);
	}
	return 0;
}

/* The first of the rights that is missing. */
static int look_at_rights(
    struct sql_ask *a, const struct sql_stream *s, bool writes, struct err *err)
{
	static const char text[] =
	    "SELECT quote_ident(current_user), r.w FROM (VALUES (1, 'SELECT'), "
	    "(2, 'INSERT'), (3, 'UPDATE'), (4, 'DELETE')) AS r(n, w) WHERE "
	    "r.n <= $2::int AND NOT has_table_privilege($1::text, r.w) "
	    "ORDER BY r.n";
	static const char sequence[] =
	    "SELECT quote_ident(current_user), q FROM "
	    "pg_get_serial_sequence($1::text, "
	    "'id') AS q WHERE NOT coalesce(has_sequence_privilege(q, "
	    "'USAGE'), false)";
	const struct sql_value params[] = { sql_value_of(s->table),
		sql_value_of(writes ? "4" : "1") };

	if (sql_ask_run(a, text, params, COUNT_OF(params), err) !=
	    SQL_FAULT_NONE)
		return -1;
	if (sql_ask_rows(a) > 0)
		return err_set(err, EXIT_USER,
		    "a right is missing; run: GRANT %s ON %s TO %s;",
		    writes ? "SELECT, INSERT, UPDATE, DELETE" : "SELECT",
		    s->table, sql_ask_text(a, 0, 0));
	if (!writes)
		return 0;
	if (sql_ask_run(a, sequence, params, 1, err) != SQL_FAULT_NONE)
		return -1;
	if (sql_ask_rows(a) == 0)
		return 0;
	if (!*sql_ask_text(a, 0, 1))
		return err_set(err, EXIT_USER,
		    "the column id of %s has no sequence; make the table "
		    "by: %s;",
		    s->table, s->create);
	return err_set(err, EXIT_USER,
	    "a right is missing; run: GRANT USAGE ON SEQUENCE %s TO %s;",
	    sql_ask_text(a, 0, 1), sql_ask_text(a, 0, 0));
}

/* ON CONFLICT and the order of reading want it. */
static int look_at_key(
    struct sql_ask *a, const struct sql_stream *s, struct err *err)
{
	static const char text[] =
	    "SELECT 1 FROM pg_index i JOIN pg_attribute k ON k.attrelid = "
	    "i.indrelid AND k.attnum = i.indkey[0] WHERE i.indrelid = "
	    "to_regclass($1) AND i.indisunique AND i.indnkeyatts = 1 AND "
	    "i.indpred IS NULL AND k.attname = 'id'";
	const struct sql_value table = sql_value_of(s->table);

	if (sql_ask_run(a, text, &table, 1, err) != SQL_FAULT_NONE)
		return -1;
	if (sql_ask_rows(a) > 0)
		return 0;
	return err_set(err, EXIT_USER,
	    "the column id of %s is not unique; run: ALTER TABLE %s ADD "
	    "PRIMARY "
	    "KEY (id);",
	    s->table, s->table);
}

/* It may be made there. */
static int look_at_schema(
    struct sql_ask *a, const struct sql_stream *s, struct err *err)
{
	static const char text[] =
	    "SELECT quote_ident(current_user), quote_ident(n) FROM "
	    "coalesce($1::text, current_schema()::text) AS n WHERE NOT "
	    "has_schema_privilege(n, 'CREATE')";
	const struct sql_value schema = sql_value_of(s->schema);

	if (sql_ask_run(a, text, &schema, 1, err) != SQL_FAULT_NONE)
		return -1;
	if (sql_ask_rows(a) == 0)
		return 0;
	return err_set(err, EXIT_USER,
	    "there is no table %s, and it cannot be made; run: GRANT CREATE ON "
	    "SCHEMA %s TO %s;",
	    s->table, sql_ask_text(a, 0, 1), sql_ask_text(a, 0, 0));
}

static int look(struct sql_ask *a, const struct sql_stream *s, bool writes,
    bool create, struct err *err)
{
	int found = look_at_columns(a, s, err);

	if (found < 0)
		return -1;
	if (found == 1 && create)
		return look_at_schema(a, s, err);
	if (found == 1)
		return err_set(err, EXIT_USER,
		    "there is no table %s; set create-table = yes, or run: "
		    "%s;",
		    s->table, s->create);
	if (look_at_rights(a, s, writes, err) < 0)
		return -1;
	return look_at_key(a, s, err);
}

int sql_stream_test(const struct sql_stream *s, const struct sql_engine *engine,
    const struct sql_place *place, bool writes, bool create, struct err *err)
{
	struct sql_ask *a = sql_ask_open(engine, place, CONNECTOR_TEST_MS, err);
	int result = a ? look(a, s, writes, create, err) : -1;

	sql_ask_close(&a);
	return result;
}
