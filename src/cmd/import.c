/* SPDX-License-Identifier: ISC */
/*
 * import - `relaypass import`: the leases that another program's store still
 * holds, so that a site can change over without refusing anybody. Reading is in
 * import_store.c, one kind of store in each import_NAME.c.
 */
#include "import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/duration.h"
#include "base/mem.h"
#include "cli.h"
#include "conf/conf.h"
#include "jsonl.h"
#include "reasons.h"

extern const struct verb verb_import;

enum {
	REASONS_MAX = 32,
	REASON_SIZE = 32,
	EXAMPLES_MAX = 5, /* refused rows that are shown */
	OWN_MAX = 256,
	MS = 1000
};

struct import {
	const struct verb_env *env;
	const char *kind, *path, *socket, *user, *ttl, *age_from;
	bool dry_run, json;

	const struct import_kind *store; /* what the file is */
	int64_t lasts, changed;
	struct rules *rules; /* the configuration's */
	struct imported *rows;
	size_t count, size;
	bool too_many;

	struct import_counts done;
	size_t refused, shown, reasons;
	struct {
		char word[REASON_SIZE];
		size_t count;
	} reason[REASONS_MAX];
};

/* --- refused rows ----------------------------------------------------------
 */

static const struct {
	const char *word, *sentence;
} own_reasons[] = {
	{ IMPORT_NETWORK, "a network: name it in the option always" },
	{ IMPORT_NO_ADDR, "no IP address" },
	{ IMPORT_BAD, "no line of such a store" },
	{ IMPORT_DENIED, "a list of those who are refused" },
	{ IMPORT_CUT, "the last line has no end" },
	{ IMPORT_LONG, "too long" },
	{ IMPORT_FAR, "its end is further ahead than any lease's" },
	{ IMPORT_AHEAD, "its time is ahead of the database's clock" },
	{ IMPORT_NO_FILE, "no plain file that can be read" },
};

static const char *sentence_of(const char *word)
{
	const char *known = reason_sentence(word);

	for (size_t i = 0; !known && i < COUNT_OF(own_reasons); i++)
		if (strcmp(own_reasons[i].word, word) == 0)
			known = own_reasons[i].sentence;
	return known ? known : word;
}

static void refuse(void *ctx, const char *key, size_t len, const char *why)
{
	struct import *m = ctx;
	char shown[80];
	size_t i = 0;

	m->refused++;
	if (m->shown++ < EXAMPLES_MAX)
		fprintf(stderr, "relaypass: refused \"%s\": %s\n",
		    cli_safe(key, len, shown, sizeof(shown)), sentence_of(why));
	while (i < m->reasons && strcmp(m->reason[i].word, why) != 0)
		i++;
	if (i == REASONS_MAX)
		return;
	if (i == m->reasons) {
		m->reasons++;
		(void)snprintf(m->reason[i].word, REASON_SIZE, "%s", why);
	}
	m->reason[i].count++;
}

/* --- rows ------------------------------------------------------------------
 */

static void take_row(void *ctx, const struct import_row *row)
{
	struct import *m = ctx;
	struct import_row named = *row;
	struct imported *out;
	bool is_folder = import_is_folder(m->store);
	bool by_change = m->age_from && strcmp(m->age_from, "mtime") == 0;
	char addr[ADDR_TEXT_SIZE];

	if (!by_change && import_is_far(row, m->lasts, clock_now().wall)) {
		refuse(m, addr, addr_print(&row->addr, addr), IMPORT_FAR);
		return;
	}
	if (m->count == IMPORT_ROWS_MAX) {
		m->too_many = true;
		return;
	}
	if (m->count == m->size) {
		m->size = m->size ? 2 * m->size : 1024;
		m->rows = xrealloc(m->rows, m->size, sizeof(*m->rows));
	}
	if (!named.user_len && m->user) {
		named.user_len = strlen(m->user);
		memcpy(named.user, m->user, named.user_len + 1);
	}
	out = &m->rows[m->count++];
	memset(out, 0, sizeof(*out));
	(void)snprintf(out->server, sizeof(out->server), "%s", m->store->name);
	/* Each file of a directory has a time of its own. */
	import_settle(&named, m->lasts, is_folder ? row->login : m->changed,
	    by_change && !is_folder, out);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether an export writes it, with its own account or another; it may put a
 * new file in the place of the one that is open. */
static bool is_exported(
    const struct conf *conf, const struct import_store *store)
{
	struct stat open_one, named, written;

	if (fstat(store->fd, &open_one) < 0)
		return false;
	if (stat(store->path, &named) < 0)
		named = open_one;
	for (size_t i = 0; i < conf_count(conf, "export"); i++) {
		const struct conf_section *e = conf_at(conf, "export", i);

		if (conf_has(e, "path") &&
		    stat(conf_string(e, "path"), &written) == 0 &&
		    (is_same(&written, &open_one) || is_same(&written, &named)))
			return true;
	}
	return false;
}

/* As read_store(). The rows that say nothing of an end live `lasts` from their
 * login on, which import_settle() needs before the first of them. */
static int read_table(
    struct import *m, const struct conf *conf, struct err *err)
{
	const struct import_sink sink = { take_row, refuse, m };
	const struct import_times times = { .ttl = rules_ttl(m->rules),
		.max_skew = rules_max_skew(m->rules),
		.lasts = m->lasts };

	m->store = import_kind_find(m->kind);
	m->changed = clock_now().wall;
	return import_table(conf, m->path, &times, &sink, &m->lasts, err);
}

static bool is_table(const struct import *m)
{
	const struct import_kind *kind =
	    m->kind ? import_kind_find(m->kind) : NULL;

	return kind && kind->table;
}

static int too_many(const struct import *m, struct err *err)
{
	return err_set(err, EXIT_USER, "%s: more than %d leases", m->path,
	    IMPORT_ROWS_MAX);
}

/* What the store holds, with the times that come out of it. */
static int read_store(
    struct import *m, const struct conf *conf, struct err *err)
{
	const struct import_sink sink = { take_row, refuse, m };
	const struct import_kind *kind = NULL;
	struct import_store store;
	int result;

	if (m->kind)
		kind = import_kind_find(m->kind);
	if (import_open(&store, m->path, kind, err) < 0)
		return -1;
	if (is_exported(conf, &store)) {
		import_close(&store);
		return err_set(err, EXIT_USER, IMPORT_IS_OURS, m->path);
	}
	m->store = store.kind;
	if (!m->ttl)
		m->lasts =
		    store.kind->lasts ? store.kind->lasts : rules_ttl(m->rules);
	result = import_load(&store, err);
	m->changed = store.changed;
	if (result == 0)
		result = import_read(&store, &sink, err);
	import_close(&store);
	return result;
}

/* --- what becomes of them --------------------------------------------------
 */

static void show_row(
    const struct import *m, const struct imported *in, const struct moment *end)
{
	char addr[ADDR_TEXT_SIZE], until[CLOCK_TEXT_SIZE];
	char user[LOGIN_USER_MAX + 1];
	json_t *object;

	(void)addr_print(&in->addr, addr);
	clock_print(end->wall, until);
	if (m->json) {
		object = json_object();
		jsonl_put(object, "address", addr);
		jsonl_put(object, "user", in->user);
		jsonl_put_time(object, "login", in->login);
		jsonl_put_time(object, "end", end->wall);
		jsonl_print(object);
		return;
	}
	printf("%s%s%s until %s\n", addr, in->user_len ? " " : "",
	    cli_safe(in->user, in->user_len, user, sizeof(user)), until);
}

/* By the rules alone: caps, revocations and the leases there are, only
 * relaypassd knows. */
static void judge_here(struct import *m)
{
	const struct moment now = clock_now();

	for (size_t i = 0; i < m->count; i++) {
		const struct imported *in = &m->rows[i];
		char addr[ADDR_TEXT_SIZE];
		struct moment end;
		int64_t time;
		enum judgement j = import_judge(m->rules, in, now, &end, &time);

		if (j == JUDGE_LEASE) {
			m->done.imported++;
			show_row(m, in, &end);
		} else if (j == JUDGE_OLD) {
			m->done.over++;
		} else {
			size_t len = addr_print(&in->addr, addr);
			refuse(m, addr, len, rules_reason(j));
		}
	}
}

static int send_all(struct import *m, struct err *err)
{
	const struct import_sink sink = { NULL, refuse, m };
	struct import_sender *sender;
	struct import_counts done;
	struct endpoint at;
	struct client *client;
	int result = 0;

	if (cli_control_at(m->env, m->socket, &at, err) < 0)
		return -1;
	client = client_open(&at, CLI_PATIENCE_MS, false, err);
	if (!client)
		return -1;
	sender = import_sender_new(client, &sink);
	for (size_t i = 0; result == 0 && i < m->count; i++)
		result = import_send(sender, &m->rows[i], err);
	if (import_sender_end(&sender, result == 0, &done, err) < 0)
		result = -1;
	client_close(&client);
	m->done = done;
	return result;
}

static void summarize(const struct import *m)
{
	json_t *object, *reasons;

	if (!m->json) {
		printf("%s %zu, kept %zu, over %zu, refused %zu",
		    m->dry_run ? "would import" : "imported", m->done.imported,
		    m->done.kept, m->done.over, m->refused);
		for (size_t i = 0; i < m->reasons; i++)
			printf("%s%s %zu", i ? ", " : ": ", m->reason[i].word,
			    m->reason[i].count);
		putchar('\n');
		return;
	}
	object = json_object();
	reasons = json_object();
	jsonl_put(object, "kind", m->store->name);
	jsonl_put_bool(object, "dry_run", m->dry_run);
	jsonl_put_int(object, "imported", (int64_t)m->done.imported);
	jsonl_put_int(object, "kept", (int64_t)m->done.kept);
	jsonl_put_int(object, "over", (int64_t)m->done.over);
	jsonl_put_int(object, "refused", (int64_t)m->refused);
	for (size_t i = 0; i < m->reasons; i++)
		jsonl_put_int(
		    reasons, m->reason[i].word, (int64_t)m->reason[i].count);
	json_object_set_new(object, "reasons", reasons);
	jsonl_print(object);
}

static int import(struct import *m)
{
	struct addr own[OWN_MAX];
	size_t own_count = rules_own_addresses(own, COUNT_OF(own));
	struct err err = { 0 };
	struct conf *conf = cli_conf(m->env, &err);
	int code;

	if (!conf)
		return cli_fail(&err);
	m->rules = rules_new(conf_at(conf, "lease", 0), own, own_count);
	if ((is_table(m) ? read_table : read_store)(m, conf, &err) < 0 ||
	    (m->too_many && too_many(m, &err) < 0)) {
		code = cli_fail(&err);
	} else if (!m->dry_run && send_all(m, &err) < 0) {
		/* Whole batches may be stored already. */
		if (m->done.imported)
			summarize(m);
		code = cli_fail(&err);
	} else {
		if (m->dry_run)
			judge_here(m);
		summarize(m);
		code = cli_done(m->refused ? EXIT_NO : EXIT_YES);
	}
	rules_free(&m->rules);
	conf_free(&conf);
	free(m->rows);
	return code;
}

/* --- arguments -------------------------------------------------------------
 */

static int unknown_kind(const char *word, struct err *err)
{
	static const char *const tables[] = { "dbmail_pbsp", "popbsmtp", "auth",
		"relay" };
	char list[200], shown[80];
	size_t used = 0;

	for (size_t i = 0; i < COUNT_OF(tables); i++)
		if (strcmp(word, tables[i]) == 0)
			return err_set(err, EXIT_USER,
			    "%s is a table of a database: describe it by a "
			    "source or export of the kind sql, and import sql "
			    "NAME",
			    word);
	for (const struct import_kind *const *k = import_kinds; *k; k++)
		used += (size_t)snprintf(list + used, sizeof(list) - used,
		    "%s%s", used ? ", " : "", (*k)->name);
	return err_set(err, EXIT_USER, "no kind of store \"%s\"; there are %s",
	    cli_safe(word, strlen(word), shown, sizeof(shown)), list);
}

static int check_arguments(
    struct import *m, int count, const char *const rest[2], struct err *err)
{
	if (count == 0)
		return err_set(err, EXIT_USER, "wanted is the path of a store");
	m->kind = count == 2 ? rest[0] : NULL;
	m->path = rest[count - 1];
	if (m->kind && !import_kind_find(m->kind))
		return unknown_kind(m->kind, err);
	if (m->ttl && (!duration_parse(m->ttl, &m->lasts) || m->lasts < MS))
		return err_set(err, EXIT_USER,
		    "--ttl wants a time such as 30m, 3h or 900");
	if (m->age_from && strcmp(m->age_from, "mtime") != 0 &&
	    strcmp(m->age_from, "store") != 0)
		return err_set(err, EXIT_USER, "--age-from is store or mtime");
	if (is_table(m) && m->age_from && strcmp(m->age_from, "mtime") == 0)
		return err_set(err, EXIT_USER,
		    "--age-from: a table has no time but its rows'");
	if (m->user && (!*m->user || strlen(m->user) > LOGIN_USER_MAX ||
			   !import_is_clean(m->user, strlen(m->user))))
		return err_set(err, EXIT_USER,
		    "--user wants a name of at most %d bytes, all of them "
		    "visible",
		    LOGIN_USER_MAX);
	return 0;
}

static int run(const struct verb_env *env, int argc, char **argv)
{
	struct import m = { .env = env, .json = env->json };
	const char *rest[2] = { NULL, NULL };
	const struct cli_option options[] = {
		{ "dry-run", 'n', NULL, &m.dry_run },
		{ "ttl", 't', &m.ttl, NULL },
		{ "user", 'u', &m.user, NULL },
		{ "age-from", 0, &m.age_from, NULL },
		{ "json", 0, NULL, &m.json },
		{ "socket", 's', &m.socket, NULL },
		{ 0 },
	};
	struct err err = { 0 };
	int count = cli_options(argc, argv, options, rest, 2, &err);

	if (count < 0 || check_arguments(&m, count, rest, &err) < 0)
		return cli_usage(&verb_import, &err);
	return import(&m);
}

const struct verb verb_import = {
	.name = "import",
	.usage = "import [-s SOCKET] [--json] [--dry-run] [--ttl TIME] "
		 "[--user U]\n       [--age-from store|mtime] [KIND] PATH\n"
		 "       import ... sql SECTION",
	.help = "Take over the leases of another program's store.",
	.more = "KIND is dracd, open-smtp, pop-before-smtp, popauth, pophosts, "
		"popip, relay-ctrl,\nrelayhosts or tcprules; without it, name "
		"and content of PATH tell. SECTION is a\nsource or export of "
		"the kind sql, which says where the table is.",
	.run = run,
};
