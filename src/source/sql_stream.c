/* SPDX-License-Identifier: ISC */
/*
 * sql_stream - the source kind "sql-stream": leases of other nodes, from the
 * table that they write (sql/stream.h). One read at a time: what lies behind
 * the highest id, then what has appeared in the gaps before it, until nothing
 * is left; again when PostgreSQL notifies, and once a second.
 *
 * The table holds all that is still good, so that reading it from its beginning
 * is what a new node needs. So it is when the table is not the one that was
 * read: each read looks, in its own snapshot, whether the last row is still
 * what it was. That sees a table made anew, and an old dump put in its place,
 * whatever ids have been given since.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cursor.h"
#include "replica_feed.h"
#include "sql/stream.h"
#include "sql_reader.h"
#include "stream_ids.h"

enum {
	SECOND_MS = 1000,
	SOON_MS = 20,      /* between reads, so that rows come together */
	STORE_TICKS = 5,   /* of a cursor without logins */
	TIME_TICKS = 5,    /* between looks at the database's clock */
	KEPT_MS = 3000000, /* rows live longer, whatever the ttl */
	/* Beginnings within that time; then one a second, not told. */
	ANEW_MAX = 3,
	ANEW_MS = 10 * 1000,
	AGAIN_MS = 60 * 1000,
	NS = 1000000,
	US = 1000,
	NUMBER_SIZE = 24
};
static const char cursor_key[] = "table";

/* As it is stored: in this machine's order, for its own ledger. */
struct position {
	int64_t whole;         /* all rows up to this id were read */
	int64_t seen, seen_at; /* the last one, and when it was written, us */
};
_Static_assert(sizeof(struct position) <= SOURCE_CURSOR_MAX, "cursor");

struct source {
	struct source_env env;
	const struct conf_section *conf;
	struct replica_feed *feed;
	struct sql_stream text;
	struct sql_reader reader;

	/* Behind this id revocations are to be read before all else; -1: they
	 * have been. */
	int64_t revoked;
	struct stream_ids ids;
	struct position at, stored;
	bool reading, wanted; /* a read is under way; another is to follow */
	bool in_step, asking_time;
	int64_t asked;   /* monotonic ms */
	unsigned anew;   /* beginnings, */
	int64_t anew_at; /* and the last one; as above */
	bool again;      /* all is to be read once more */
	int64_t again_at;
	int64_t behind;
	unsigned ticks;
	char first[STREAM_GAPS_TEXT], last[STREAM_GAPS_TEXT];
};

static const struct option sql_stream_options[] = { SQL_STREAM_OPTIONS,
	OPTION_END };

static int64_t monotonic(void)
{
	return (int64_t)(uv_hrtime() / NS);
}

/* --- how far it is ---------------------------------------------------------
 */

static void gone(struct source *s)
{
	s->reader.stopped = true;
}

/* With what waits in the feed. */
static void store(struct source *s)
{
	struct source_cursor c;

	s->at.whole = stream_ids_whole(&s->ids);
	cursor_write(&c, cursor_key, &s->at, sizeof(s->at));
	if (replica_feed_send(s->feed, &c) < 0)
		gone(s);
	s->stored = s->at;
}

static void begin(struct source *s)
{
	stream_ids_begin(&s->ids, 0);
	s->at = (struct position){ 0 };
	s->revoked = 0;
}

static void begin_anew(struct source *s, const char *why)
{
	int64_t age = clock_now().wall - s->at.seen_at / US;

	if (monotonic() - s->anew_at > ANEW_MS)
		s->anew = 0;
	/* Rows that are old enough are removed: then there is nothing behind
	 * it, or all that is there is news. */
	if (age < KEPT_MS && s->anew <= ANEW_MAX)
		log_warn(LOG_SOURCE_GAP,
		    "source=%s table=%s id=%" PRId64
		    " reason=\"%s\" next=\"reads it from its beginning\"",
		    s->env.name, conf_string(s->conf, "table"), s->at.seen,
		    why);
	begin(s);
	s->anew++;
	s->anew_at = monotonic();
}

/* What cannot come from trouble alone is not answered by haste. */
static bool is_hasty(const struct source *s)
{
	return s->anew > ANEW_MAX && monotonic() - s->anew_at < SECOND_MS;
}

/* Whether it is the table that was read; else it is read anew. */
static bool is_same_table(struct source *s, const struct sql_result *r)
{
	bool empty = !sql_result_value(r, 0, STREAM_TOP).text;
	bool removed = !sql_result_value(r, 0, STREAM_SEEN).text;

	s->behind = sql_result_number(r, 0, STREAM_TOP) - s->ids.high;
	if (s->at.seen == 0)
		return true;
	if (!removed && sql_result_number(r, 0, STREAM_SEEN) == s->at.seen_at)
		return true;
	begin_anew(s, removed ? "the last row is gone"
			      : "another row has the id of the last one");
	return empty;
}

/* --- reading ---------------------------------------------------------------
 */

static void read_next(struct source *s);

/* least: rows that the answer has, whatever is in the table. */
static bool is_good(struct source *s, const struct sql_result *r, size_t least)
{
	if (sql_reader_is_good(&s->reader, r) && r->rows >= least)
		return true;
	if (r->fault == SQL_FAULT_NONE && r->rows < least)
		trouble_tell(&s->reader.table, "an answer without a row");
	s->reading = s->in_step = false;
	return false;
}

static void take(struct source *s, int64_t id, struct sql_value record,
    int64_t age, struct moment now)
{
	char where[NUMBER_SIZE];

	(void)snprintf(where, sizeof(where), "id:%" PRId64, id);
	/* A clock that was put back; the age is at least nothing. */
	if (age < 0)
		age = 0;
	if (record.text && replica_feed_take(s->feed, record.text, record.len,
			       age, where, now) < 0)
		gone(s);
}

/* Nothing is left for now. */
static void rest(struct source *s)
{
	s->reading = false;
	s->in_step = true;
	s->behind = 0;
	sql_reader_rests(&s->reader);
	if (replica_feed_waits(s->feed) || replica_feed_has_new_keys(s->feed))
		store(s);
	if (!s->again && replica_feed_whole(s->feed) < 0)
		gone(s);
	if (s->wanted)
		read_next(s);
}

static void on_late(void *ctx, const struct sql_result *r)
{
	struct source *s = ctx;
	struct moment now = clock_now();

	if (!is_good(s, r, 0))
		return;
	for (size_t i = 0; i < r->rows; i++) {
		int64_t id = sql_result_number(r, i, LATE_ID);

		take(s, id, sql_result_value(r, i, LATE_RECORD),
		    sql_result_number(r, i, LATE_AGE), now);
		stream_ids_late(&s->ids, id);
	}
	if (r->rows < SQL_STREAM_READ_ROWS)
		stream_ids_asked(&s->ids, s->asked);
	rest(s);
}

static void ask_late(struct source *s)
{
	struct sql_value params[2];

	stream_ids_print(&s->ids, s->first, s->last);
	params[0] = (struct sql_value){ s->first, strlen(s->first) };
	params[1] = (struct sql_value){ s->last, strlen(s->last) };
	s->asked = monotonic();
	sql_session_run(s->reader.session, s->text.late, params,
	    COUNT_OF(params), on_late, s);
}

static size_t take_rows(struct source *s, const struct sql_result *r)
{
	struct moment now = clock_now();
	int64_t mono = monotonic();
	size_t n = 0;

	for (size_t i = 0; i < r->rows && !s->reader.stopped; i++) {
		int64_t id = sql_result_number(r, i, STREAM_ID);
		int64_t age = sql_result_number(r, i, STREAM_AGE);

		if (id == 0)
			continue;
		n++;
		take(s, id, sql_result_value(r, i, STREAM_RECORD), age, now);
		stream_ids_next(&s->ids, id, age, mono);
		s->at.seen = id;
		s->at.seen_at = sql_result_number(r, i, STREAM_WRITTEN);
	}
	return n;
}

static void on_read(void *ctx, const struct sql_result *r)
{
	struct source *s = ctx;
	size_t n;

	if (!is_good(s, r, 1))
		return;
	if (!is_same_table(s, r)) {
		s->reading = s->in_step = false;
		if (is_hasty(s))
			trouble_note(&s->reader.table,
			    "the last row is another at each look");
		read_next(s);
		return;
	}
	n = take_rows(s, r);
	s->behind -= (int64_t)n;
	if (s->reader.stopped)
		return;
	if (n == SQL_STREAM_READ_ROWS) {
		store(s);
		s->in_step = s->reading = false;
		read_next(s);
	} else if (s->ids.count) {
		ask_late(s);
	} else {
		rest(s);
	}
}

/* --- revocations first -----------------------------------------------------
 * Who joins, or was away, reads leases that were revoked later: not even for a
 * moment may they be believed.
 */

static void on_revoked(void *ctx, const struct sql_result *r)
{
	struct source *s = ctx;
	struct moment now = clock_now();
	int64_t top, low;

	if (!is_good(s, r, 1))
		return;
	for (size_t i = 0; i < r->rows && !s->reader.stopped; i++) {
		int64_t id = sql_result_number(r, i, REVOKED_ID);

		if (id != 0)
			take(s, id, sql_result_value(r, i, REVOKED_RECORD),
			    sql_result_number(r, i, REVOKED_AGE), now);
	}
	top = sql_result_number(r, 0, REVOKED_TOP);
	low = sql_result_number(r, 0, REVOKED_LOW);
	s->behind = top - s->ids.high;
	s->revoked = low + SQL_STREAM_REVOKED_IDS - 1;
	if (low == 0 || s->revoked >= top)
		s->revoked = -1;
	s->reading = false;
	if (replica_feed_send(s->feed, NULL) < 0)
		gone(s);
	read_next(s);
}

static void read_revoked(struct source *s)
{
	char behind[NUMBER_SIZE];
	struct sql_value param;

	param.len =
	    (size_t)snprintf(behind, sizeof(behind), "%" PRId64, s->revoked);
	param.text = behind;
	sql_session_run(
	    s->reader.session, s->text.revoked, &param, 1, on_revoked, s);
}

static void read_next(struct source *s)
{
	char behind[NUMBER_SIZE], seen[NUMBER_SIZE];
	struct sql_value params[2];

	if (s->reading || s->reader.stopped || is_hasty(s) ||
	    !sql_session_is_connected(s->reader.session))
		return;
	s->reading = true;
	if (s->revoked >= 0) {
		read_revoked(s);
		return;
	}
	s->wanted = false;
	params[0] =
	    (struct sql_value){ behind, (size_t)snprintf(behind, sizeof(behind),
					    "%" PRId64, s->ids.high) };
	params[1] = (struct sql_value){ seen,
		(size_t)snprintf(seen, sizeof(seen), "%" PRId64, s->at.seen) };
	sql_session_run(s->reader.session, s->text.read, params,
	    COUNT_OF(params), on_read, s);
}

/* --- when ------------------------------------------------------------------
 */

static void on_listen(void *ctx, const struct sql_result *r)
{
	struct source *s = ctx;

	if (is_good(s, r, 0))
		read_next(s);
}

/* What is wrong, the next statement will tell: two nodes may make it at once.
 */
static void on_created(void *ctx, const struct sql_result *r)
{
	(void)ctx;
	(void)r;
}

static void on_connected(void *ctx)
{
	struct source *s = ctx;

	s->reading = false;
	s->ticks = 0;
	s->revoked = s->ids.high;
	if (conf_number(s->conf, "create-table"))
		sql_session_run(
		    s->reader.session, s->text.create, NULL, 0, on_created, s);
	sql_session_run(
	    s->reader.session, s->text.listen, NULL, 0, on_listen, s);
}

static void on_notified(void *ctx)
{
	struct source *s = ctx;

	s->wanted = true;
	read_next(s);
}

static void on_time(void *ctx, const struct sql_result *r)
{
	struct source *s = ctx;

	s->asking_time = false;
	if (r->fault == SQL_FAULT_NONE && r->rows == 1)
		sql_reader_time(&s->reader, sql_result_number(r, 0, 0));
}

static void ask_time(struct source *s)
{
	if (s->asking_time)
		return;
	s->asking_time = true;
	sql_reader_ask_time(&s->reader, on_time);
}

/* Our own clock was wrong when some rows were passed over. */
static void look_again(struct source *s)
{
	int64_t now = monotonic();

	if (replica_feed_again(s->feed, clock_now()))
		s->again = true;
	if (!s->again || s->reading ||
	    (s->again_at && now - s->again_at < AGAIN_MS))
		return;
	s->again = false;
	s->again_at = now;
	log_warn(LOG_SOURCE_GAP,
	    "source=%s table=%s reason=\"our own clock was set\" next=\"reads "
	    "it "
	    "from its beginning\"",
	    s->env.name, conf_string(s->conf, "table"));
	begin(s);
}

static void on_second(void *ctx)
{
	struct source *s = ctx;
	uint64_t now = (uint64_t)monotonic();

	replica_feed_tick(s->feed, now);
	look_again(s);
	if (!sql_session_is_connected(s->reader.session))
		s->in_step = false;
	else if (s->ticks % TIME_TICKS == 0)
		ask_time(s);
	s->at.whole = stream_ids_whole(&s->ids);
	if (++s->ticks % STORE_TICKS == 0 && !s->reading &&
	    memcmp(&s->at, &s->stored, sizeof(s->at)) != 0)
		store(s);
	if (s->reader.stopped)
		return;
	sql_reader_step(&s->reader, s->in_step,
	    s->behind > 0 ? (uint64_t)s->behind : 0,
	    replica_feed_trouble(s->feed, now));
	read_next(s);
}

/* --- the kind --------------------------------------------------------------
 */

static void release(void *ctx)
{
	struct source *s = ctx;

	replica_feed_free(&s->feed);
	sql_stream_free(&s->text);
	free(s);
}

static void restore(
    struct source *s, const struct source_cursor *cursors, size_t n)
{
	(void)cursor_read(cursors, n, cursor_key, &s->at, sizeof(s->at));
	s->stored = s->at;
	stream_ids_begin(&s->ids, s->at.whole);
}

static struct source *sql_stream_open(const struct source_env *env,
    const struct conf_section *conf, const struct source_cursor *cursors,
    size_t n, struct err *err)
{
	struct source *s = xcalloc(1, sizeof(*s));
	const struct sql_reader_env reader = { .source = &s->env,
		.conf = conf,
		.table = conf_string(conf, "table"),
		.engine = SQL_POSTGRESQL,
		.listens = true,
		.soon = SOON_MS,
		.connected = on_connected,
		.second = on_second,
		.notified = on_notified,
		.release = release,
		.ctx = s };
	struct replica_keys *keys;

	s->env = *env;
	s->conf = conf;
	sql_stream_make(reader.table, &s->text);
	restore(s, cursors, n);
	if (sql_stream_check(conf, err) < 0 ||
	    !(keys = replica_keys_read(conf_string(conf, "keys"), err)))
		goto fail;
	s->feed = replica_feed_new(env, keys, cursors, n);
	if (replica_feed_has_new_keys(s->feed))
		begin(s);
	if (sql_reader_open(&s->reader, &reader, err) == 0)
		return s;
	sql_place_free(&s->reader.place);
fail:
	release(s);
	return NULL;
}

static void sql_stream_start(struct source *s, uv_loop_t *loop)
{
	sql_reader_start(&s->reader, loop);
}

static void sql_stream_stop(struct source *s)
{
	if (!s->reader.stopped && s->reader.loop)
		store(s);
	sql_reader_stop(&s->reader);
}

static void sql_stream_close(struct source **sp)
{
	struct source *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	sql_stream_stop(s);
	sql_reader_close(&s->reader);
}

static int sql_stream_try(struct source *s, struct err *err)
{
	return sql_stream_test(&s->text, s->reader.engine, &s->reader.place,
	    false, conf_number(s->conf, "create-table") != 0, err);
}

const struct source_kind source_sql_stream = {
	.name = "sql-stream",
	.help = "Leases of other nodes, from a table of PostgreSQL.",
	.role = ROLE_CONNECTOR,
	.connects = true,
	.hears_nodes = true,
	.options = sql_stream_options,
	.check = sql_stream_check,
	.open = sql_stream_open,
	.start = sql_stream_start,
	.stop = sql_stream_stop,
	.close = sql_stream_close,
	.test = sql_stream_try,
};
