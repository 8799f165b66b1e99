/* SPDX-License-Identifier: ISC */
/*
 * explain_json - what `relaypass explain --json` prints: one object.
 * Called by: explain.c.
 */
#include <string.h>

#include "base/mem.h"
#include "cli.h"
#include "explain.h"
#include "jsonl.h"

static json_t *array_in(json_t *object, const char *key)
{
	json_t *array = json_array();

	must(array && json_object_set_new(object, key, array) == 0);
	return array;
}

static json_t *object_in(json_t *array)
{
	json_t *object = json_object();

	must(object && json_array_append_new(array, object) == 0);
	return object;
}

static void put_line(json_t *object, const struct origin *o)
{
	AUTO_FREE char *text = xmalloc(4 * o->text_len + 1);

	/* JSON can hold any byte but those that are no UTF-8, and a NUL. */
	jsonl_put(object, "text",
	    cli_safe(o->text, o->text_len, text, 4 * o->text_len + 1));
	jsonl_put(object, "file", o->file);
	if (o->number)
		jsonl_put_int(object, "line", (int64_t)o->number);
	jsonl_put_int(object, "offset", o->offset);
}

static void put_origin(json_t *lease, const struct origin *o)
{
	static const char *const states[] = { [ORIGIN_NONE] = "none",
		[ORIGIN_HAND] = "by-hand",
		[ORIGIN_NOTICE] = "notice",
		[ORIGIN_JOURNAL] = "journal",
		[ORIGIN_LINE] = "line",
		[ORIGIN_MISSING] = "missing",
		[ORIGIN_LIMIT] = "limit",
		[ORIGIN_UNREADABLE] = "unreadable",
		[ORIGIN_IMPORT] = "import",
		[ORIGIN_UNKNOWN] = "unknown-source" };
	json_t *object = json_object();

	must(object && json_object_set_new(lease, "origin", object) == 0);
	jsonl_put(object, "found", states[o->state]);
	jsonl_put(object, "kind", o->kind);
	if (o->state == ORIGIN_LINE)
		put_line(object, o);
	if (o->state == ORIGIN_JOURNAL)
		jsonl_put(object, "command", o->command);
}

static void put_lease(json_t *array, const struct told_lease *l)
{
	json_t *object = object_in(array);

	jsonl_put(object, "network", l->address);
	jsonl_put(object, "user", l->user);
	jsonl_put_int(object, "ttl", l->ttl);
	jsonl_put_time(object, "first", l->first);
	jsonl_put_time(object, "last", l->last);
	jsonl_put_time(object, "end", l->end);
	jsonl_put_int(object, "sessions", l->sessions);
	jsonl_put(object, "source", l->source);
	jsonl_put(object, "server", l->server);
	jsonl_put_bool(object, "tls", l->tls);
	jsonl_put_bool(object, "by_hand", l->by_hand);
	jsonl_put_bool(object, "live", l->live);
	jsonl_put_bool(object, "answers", l->answers);
	if (*l->why_not)
		jsonl_put(object, "why_not", l->why_not);
	put_origin(object, &l->origin);
}

static void put_sessions(json_t *all, const struct told *t)
{
	json_t *array = array_in(all, "sessions");

	for (size_t i = 0; i < t->session_count; i++) {
		const struct told_session *s = &t->sessions[i];
		json_t *object = object_in(array);

		jsonl_put(object, "id", s->id);
		jsonl_put(object, "user", s->user);
		jsonl_put(object, "server", s->server);
		jsonl_put_time(object, "began", s->began);
		if (s->pid)
			jsonl_put_int(object, "pid", s->pid);
	}
}

static void put_revocations(json_t *all, const struct told *t)
{
	json_t *array = array_in(all, "revocations");

	for (size_t i = 0; i < t->revocation_count; i++) {
		const struct told_revocation *v = &t->revocations[i];
		json_t *object = object_in(array);

		if (*v->address)
			jsonl_put(object, "network", v->address);
		if (*v->user)
			jsonl_put(object, "user", v->user);
		jsonl_put_time(object, "time", v->time);
		jsonl_put_time(object, "until", v->until);
	}
}

static void put_rest(json_t *all, const struct told *t)
{
	json_t *networks = array_in(all, "networks");
	json_t *requires = array_in(all, "requires");

	for (size_t i = 0; i < t->network_count; i++) {
		json_t *object = object_in(networks);
		jsonl_put(object, "list", t->networks[i].list);
		jsonl_put(object, "network", t->networks[i].net);
	}
	for (size_t i = 0; i < t->require_count; i++) {
		json_t *object = object_in(requires);
		jsonl_put(object, "listener", t->requires[i].listener);
		jsonl_put(object, "require_sender", t->requires[i].what);
	}
}

void explain_json(const struct told *t)
{
	json_t *all = json_object();
	json_t *leases;

	jsonl_put(all, "address", t->address);
	jsonl_put(all, "key", t->key);
	jsonl_put(all, "verdict", t->verdict);
	jsonl_put(all, "rule", t->rule);
	jsonl_put(all, "mode", t->mode);
	jsonl_put_bool(all, "observed", t->observed);
	jsonl_put(all, "require_sender", t->require);
	if (strcmp(t->rule, "lease") == 0) {
		jsonl_put(all, "user", t->user);
		jsonl_put_int(all, "ttl", t->ttl);
	}
	leases = array_in(all, "leases");
	for (size_t i = 0; i < t->lease_count; i++)
		put_lease(leases, &t->leases[i]);
	put_sessions(all, t);
	put_revocations(all, t);
	put_rest(all, t);
	jsonl_print(all);
}
