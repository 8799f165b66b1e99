/* SPDX-License-Identifier: ISC */
/*
 * http_write - answers of the http listener as JSON.
 */
#include "http_write.h"

#include "base/kv.h"
#include "base/mem.h"

enum { CODED = 3, SECOND_MS = 1000, NET_BITS = 128 };

static void put(json_t *object, const char *key, json_t *value)
{
	must(json_object_set_new(object, key, value) == 0);
}

static void put_text(json_t *object, const char *key, const char *text)
{
	put(object, key, json_string(text ? text : ""));
}

static void put_user(json_t *object, const char *user, size_t len)
{
	char coded[CODED * LOGIN_USER_MAX + 1];
	size_t used = 0;
	json_t *text = json_stringn(user, len);

	if (text) {
		put(object, "user", text);
		return;
	}
	if (kv_encode(coded, sizeof(coded), &used, user, len))
		put(object, "user_coded", json_string(coded));
}

static void put_time(json_t *object, const char *key, int64_t wall)
{
	char text[CLOCK_TEXT_SIZE];

	(void)clock_print(wall, text);
	put(object, key, json_string(text));
}

static void put_net(json_t *object, const char *key, const struct net *net)
{
	char text[NET_TEXT_SIZE];

	/* A network of one address is that address. */
	if (net->bits == NET_BITS)
		(void)addr_print(&net->addr, text);
	else
		(void)net_print(net, text);
	put(object, key, json_string(text));
}

/* Seconds up to the end, rounded up. */
static json_int_t seconds(int64_t ms)
{
	return ms > 0 ? (ms + SECOND_MS - 1) / SECOND_MS : 0;
}

json_t *http_write_lease(const struct lease *row, const char *source,
    const char *server, struct moment now, bool users)
{
	const struct net net = { row->addr, row->bits };
	json_t *o = json_object();

	put_net(o, "address", &net);
	if (users)
		put_user(o, row->user, row->user_len);
	put(o, "ttl", json_integer(seconds(ledger_left(row, now))));
	put_time(o, "first_login", row->first_login);
	put_time(o, "last_login", row->last_login);
	put_time(o, "end", row->end.wall);
	put(o, "sessions", json_integer(row->sessions));
	put_text(o, "source", source);
	put_text(o, "server", server);
	put(o, "tls", json_boolean(row->flags & LEASE_TLS));
	put(o, "by_hand", json_boolean(row->flags & LEASE_GRANTED));
	return o;
}

json_t *http_write_answer(const struct answer *a, bool users)
{
	json_t *o = json_object();

	put(o, "verdict", json_string(verdict_word(a->verdict)));
	put_text(o, "reason", a->reason);
	if (a->observed)
		put(o, "observed", json_true());
	/* A network of `always` has no end. */
	if (a->verdict == VERDICT_ALLOW && a->ttl > 0)
		put(o, "ttl", json_integer(seconds(a->ttl)));
	if (users && a->verdict == VERDICT_ALLOW && a->user_len)
		put_user(o, a->user, a->user_len);
	return o;
}

/* --- explain ---------------------------------------------------------------
 */

static json_t *explain_leases(const struct explain *e, struct moment now)
{
	json_t *list = json_array();

	for (size_t i = 0; i < e->lease_count; i++) {
		const struct explain_lease *l = &e->leases[i];
		json_t *o = http_write_lease(
		    &l->lease, l->source, l->server, now, true);

		put(o, "answers", json_boolean(l->answers));
		if (l->why_not)
			put_text(o, "why_not", l->why_not);
		must(json_array_append_new(list, o) == 0);
	}
	return list;
}

static json_t *explain_revocations(const struct explain *e)
{
	static const struct addr any;
	json_t *list = json_array();

	for (size_t i = 0; i < e->revocation_count; i++) {
		const struct ledger_revocation *r = &e->revocations[i];
		const struct net net = { r->addr, e->key.bits };
		json_t *o = json_object();

		if (!addr_equal(&r->addr, &any))
			put_net(o, "address", &net);
		if (r->user_len)
			put_user(o, r->user, r->user_len);
		put_time(o, "time", r->time);
		put_time(o, "until", r->until);
		must(json_array_append_new(list, o) == 0);
	}
	return list;
}

static json_t *explain_networks(const struct explain *e)
{
	json_t *o = json_object();

	for (size_t i = 0; i < RULES_LISTS; i++)
		if (e->networks[i].found)
			put_net(o, rules_list_word(i), &e->networks[i].net);
	return o;
}

json_t *http_write_explain(const struct explain *e, struct moment now)
{
	json_t *o = http_write_answer(&e->answer, true);

	put(o, "rule", json_string(explain_word(e)));
	put(o, "mode", json_string(rules_mode_word(e->mode)));
	put_net(o, "key", &e->key);
	put(o, "networks", explain_networks(e));
	put(o, "leases", explain_leases(e, now));
	put(o, "lease_total", json_integer((json_int_t)e->lease_total));
	put(o, "revocations", explain_revocations(e));
	put(o, "revocation_total",
	    json_integer((json_int_t)e->revocation_total));
	return o;
}

char *http_write_text(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);

	must(text != NULL);
	json_decref(json);
	return text;
}
