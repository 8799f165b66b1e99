/* SPDX-License-Identifier: ISC */
/*
 * state - the row of the meta table that every commit writes, the names behind
 * ids, and the number of the boot that a row's ends belong to. Called by env.c,
 * read.c and write.c. Owns the names' memory.
 * Not here: the bytes of the row (record_state.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/mem.h"
#include "ledger_private.h"

static const char format_key[] = "format";
static const char format_text[] = "relaypass ledger 1";
static const char format_start[] = "relaypass ledger ";
static const char state_key[] = "state";

/* Keys of the meta table are without their NUL. */
#define KEY(text) (text), sizeof(text) - 1

static int meta_get(
    struct ledger *l, MDB_txn *txn, const char *key, size_t len, MDB_val *out)
{
	MDB_val k = { .mv_size = len, .mv_data = (void *)(uintptr_t)key };

	return mdb_get(txn, l->dbi[TABLE_META], &k, out);
}

/* --- the state row -------------------------------------------------------- */

static const char *check_format(const MDB_val *v)
{
	if (v->mv_size == sizeof format_text - 1 &&
	    memcmp(v->mv_data, format_text, v->mv_size) == 0)
		return NULL;
	if (v->mv_size >= sizeof format_start - 1 &&
	    memcmp(v->mv_data, format_start, sizeof format_start - 1) == 0)
		return "written by another version of relaypass";
	return "not a ledger of relaypass";
}

/* NULL: what the meta table says of itself is sound. */
static const char *check_meta(struct ledger *l, MDB_txn *txn)
{
	const char *reason;
	MDB_val v;

	if (meta_get(l, txn, KEY(format_key), &v) != 0)
		return "not a ledger of relaypass";
	reason = check_format(&v);
	if (reason)
		return reason;
	if (meta_get(l, txn, KEY(state_key), &v) != 0 ||
	    !record_state_decode(v.mv_data, v.mv_size, &l->state))
		return "damaged state row";
	l->committed = l->state;
	l->state_txn = mdb_txn_id(txn);
	return NULL;
}

const char *state_load(struct ledger *l, MDB_txn *txn, bool *new_r)
{
	MDB_dbi main_table;
	MDB_stat stat;
	int rc = mdb_dbi_open(txn, NULL, 0, &main_table);

	*new_r = false;
	if (rc != 0 || mdb_stat(txn, main_table, &stat) != 0)
		return "damaged table list";
	if (stat.ms_entries == 0) {
		*new_r = true;
		return NULL;
	}
	for (int i = 0; i < TABLE_COUNT; i++) {
		rc = table_open(l, txn, (enum table)i, 0);
		if (rc == MDB_NOTFOUND)
			return "not a ledger of relaypass";
		if (rc != 0)
			return mdb_strerror(rc);
	}
	return check_meta(l, txn);
}

static uint64_t random_node(void)
{
	uint64_t node = 0;

	/* Cannot fail for so few bytes once the kernel has started. */
	must(getrandom(&node, sizeof node, 0) == (ssize_t)sizeof node);
	return node;
}

void state_create(
    struct ledger *l, const struct ledger_options *o, struct moment now)
{
	struct record_state *s = &l->state;
	int rc = 0;

	for (int i = 0; rc == 0 && i < TABLE_COUNT; i++)
		rc = table_open(l, l->write, (enum table)i, MDB_CREATE);
	if (rc != 0) {
		table_fail(l, rc);
		return;
	}
	memset(s, 0, sizeof *s);
	s->last = s->adopted = now;
	s->boots = s->valid_from = 1;
	s->node = random_node();
	s->prefix = (uint8_t)o->ipv6_prefix;
	s->ttl = o->ttl;
	s->journal = 1;
	memcpy(s->boot_id, o->boot_id, sizeof s->boot_id);
	table_put(l, TABLE_META, KEY(format_key), KEY(format_text), 0);
}

void state_store(struct ledger *l)
{
	uint8_t row[RECORD_STATE_SIZE];

	l->state.last = l->now;
	must(record_state_encode(&l->state, row) > 0);
	table_put(l, TABLE_META, KEY(state_key), row, sizeof row, 0);
}

int state_refresh(struct ledger *l, MDB_txn *txn)
{
	MDB_val v;
	int rc;

	/* The writer knows what it committed. */
	if (l->writer || l->state_txn == mdb_txn_id(txn))
		return 0;
	rc = meta_get(l, txn, KEY(state_key), &v);
	if (rc == 0 && !record_state_decode(v.mv_data, v.mv_size, &l->state))
		rc = MDB_CORRUPTED;
	if (rc == 0) {
		l->committed = l->state;
		l->state_txn = mdb_txn_id(txn);
	}
	return rc;
}

/* --- boots ---------------------------------------------------------------- */

/*
 * Rows hold the number of the boot whose clock they were written by. After a
 * reboot a million rows need no rewriting: state_end() turns an older boot's
 * ends into this boot's when they are read. If the wall clock went back behind
 * the last commit, nothing can be said of older rows; valid_from is raised
 * above them, for good: they must not come back when a later boot finds a
 * better clock.
 */
bool state_adopt(
    struct ledger *l, const struct ledger_options *o, struct moment now)
{
	struct record_state *s = &l->state;
	enum { COUNTABLE = RECORD_ADOPTIONS };
	struct record_adoption adoption = { now, l->ttl, s->last.boot };
	int rc;

	if (o->boot_id[0] != '\0' && strcmp(o->boot_id, s->boot_id) == 0)
		return false;
	s->boots++;
	if (now.wall < s->last.wall)
		s->valid_from = s->boots;
	if (s->boots - s->valid_from > COUNTABLE)
		s->valid_from = s->boots - COUNTABLE;
	s->adopted = now;
	s->adoptions[s->boots % RECORD_ADOPTIONS] = adoption;
	memcpy(s->boot_id, o->boot_id, sizeof s->boot_id);
	/* The processes that held these sessions died with the old boot. */
	l->changes++;
	rc = mdb_drop(l->write, l->dbi[TABLE_SESSION], 0);
	if (rc != 0)
		table_fail(l, rc);
	return true;
}

bool state_end(const struct ledger *l, uint16_t boot, struct moment *end)
{
	const struct record_state *s = &l->state;
	uint16_t age = (uint16_t)(s->boots - boot);

	if (age > s->boots - s->valid_from)
		return false;
	/* Boot by boot, as if each had rewritten the row. */
	for (uint32_t b = s->boots - age + 1; age > 0; b++, age--) {
		const struct record_adoption *a =
		    &s->adoptions[b % RECORD_ADOPTIONS];

		/* The clock of its boot has seen it end. The wall clock may
		 * not have: it was put back since. */
		if (end->boot <= a->before)
			return false;
		if (end->wall > a->at.wall + a->ttl)
			end->wall = a->at.wall + a->ttl;
		end->boot = a->at.boot + (end->wall - a->at.wall);
		if (end->boot < 0)
			end->boot = 0;
	}
	return true;
}

/* --- names ---------------------------------------------------------------- */

enum { NAME_MAX_BYTES = 255, NAME_KEY_SIZE = 5, NAMES_MAX = UINT16_MAX };

static uint32_t hash_name(const char *name)
{
	uint32_t h = 2166136261U; /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619U;
	return h;
}

static void name_key(uint16_t id, char out[static NAME_KEY_SIZE])
{
	out[0] = 'i';
	out[1] = 'd';
	out[2] = ':';
	out[3] = (char)(id >> 8);
	out[4] = (char)id;
}

static void names_add(struct names *n, const char *text, size_t len)
{
	if (n->count == n->room) {
		n->room = n->room ? n->room * 2 : 16;
		n->text = xrealloc(n->text, n->room, sizeof *n->text);
		n->hash = xrealloc(n->hash, n->room, sizeof *n->hash);
	}
	n->text[n->count] = xstrndup(text, len);
	n->hash[n->count] = hash_name(n->text[n->count]);
	n->count++;
}

void names_load(struct ledger *l, MDB_txn *txn)
{
	char key[NAME_KEY_SIZE];
	MDB_val v;

	while (l->names.count < l->state.names) {
		name_key((uint16_t)(l->names.count + 1), key);
		if (meta_get(l, txn, key, sizeof key, &v) != 0 ||
		    v.mv_size > NAME_MAX_BYTES)
			v = (MDB_val){ .mv_size = 0, .mv_data = key };
		names_add(&l->names, v.mv_data, v.mv_size);
	}
}

void names_free(struct ledger *l)
{
	for (size_t i = 0; i < l->names.count; i++)
		free(l->names.text[i]);
	free(l->names.text);
	free(l->names.hash);
	memset(&l->names, 0, sizeof l->names);
}

/*
 * A name that a failed transaction brought stays in memory under its id, in the
 * hope that the repetition brings it again; only state.names counts. Another
 * name may then take the id: no committed row has it yet.
 */
static void names_set(struct names *n, size_t i, const char *name)
{
	if (i == n->count) {
		names_add(n, name, strlen(name));
	} else if (strcmp(n->text[i], name) != 0) {
		free(n->text[i]);
		n->text[i] = xstrdup(name);
		n->hash[i] = hash_name(name);
	}
}

uint16_t ledger_intern(struct ledger *l, const char *name)
{
	struct names *n = &l->names;
	uint32_t hash = hash_name(name);
	size_t len = strlen(name), i;
	char key[NAME_KEY_SIZE];

	for (i = 0; i < l->state.names; i++)
		if (n->hash[i] == hash && strcmp(n->text[i], name) == 0)
			return (uint16_t)(i + 1);
	if (len < 1 || len > NAME_MAX_BYTES || i == NAMES_MAX)
		return 0;
	name_key((uint16_t)(i + 1), key);
	table_put(l, TABLE_META, key, sizeof key, name, len, 0);
	if (l->failed)
		return 0;
	names_set(n, i, name);
	l->state.names++;
	return (uint16_t)(i + 1);
}

const char *ledger_name(struct ledger *l, uint16_t id)
{
	bool begun = false;

	if (id == 0)
		return "";
	if (id > l->names.count && !l->writer) {
		if (!l->reading)
			begun = ledger_read_begin(l, NULL) == 0;
		if (l->reading)
			names_load(l, l->read);
		if (begun)
			ledger_read_end(l);
	}
	return id <= l->names.count ? l->names.text[id - 1] : "";
}

/* --- small values of the state -------------------------------------------- */

int ledger_mode(struct ledger *l)
{
	return l->state.mode;
}

void ledger_mode_set(struct ledger *l, int mode)
{
	must(l->write != NULL && mode >= 0 && mode <= UINT8_MAX);
	l->state.mode = (uint8_t)mode;
	l->changes++;
}

const char *ledger_node(struct ledger *l)
{
	(void)snprintf(l->node, sizeof l->node, "%016llx",
	    (unsigned long long)l->state.node);
	return l->node;
}

uint64_t ledger_sequence(struct ledger *l)
{
	return l->state.sequence;
}
