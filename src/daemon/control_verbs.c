/* SPDX-License-Identifier: ISC */
/*
 * control_verbs - the lines of the control socket: their words, and what the
 * verbs do. Called by: control.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/kv.h"
#include "base/log.h"
#include "base/mem.h"
#include "control_private.h"

/* --- requests --------------------------------------------------------------
 */

const char *request_value(const struct request *r, const char *key)
{
	for (size_t i = 0; i < r->count; i++) {
		if (strcmp(r->words[i].key, key) == 0)
			return r->words[i].value;
	}
	return NULL;
}

/* Cuts a line into *r. NULL, or what is wrong with it. */
static const char *parse(const char *line, size_t len, struct request *r)
{
	struct kv_word w;
	int got = kv_next(&line, &len, &w);

	memset(r, 0, sizeof(*r));
	if (got != 1 || w.key_len || w.value_len >= sizeof(r->verb))
		return "no verb";
	memcpy(r->verb, w.value, w.value_len);
	while ((got = kv_next(&line, &len, &w)) == 1) {
		size_t used;

		if (r->count == WORDS_MAX || !w.key_len ||
		    w.key_len >= sizeof(r->words[0].key))
			return "a word that is not known";
		memcpy(r->words[r->count].key, w.key, w.key_len);
		if (request_value(r, r->words[r->count].key))
			return "a word stands twice";
		if (!kv_decode(w.value, w.value_len, r->words[r->count].value,
			VALUE_SIZE, &used))
			return "a value is badly coded or too long";
		r->count++;
	}
	return got < 0 ? "blanks or bytes that may not stand there" : NULL;
}

int request_address(
    struct client *c, const struct request *r, struct addr *addr)
{
	const char *text = request_value(r, "address");

	if (!text)
		return 0;
	if (addr_parse(text, strlen(text), addr))
		return 1;
	client_say(c, "error %s is not an IP address", text);
	return -1;
}

/* Seconds out of a value; -1 when absent, -2 when bad. */
static int64_t get_seconds(const struct request *r, const char *key)
{
	const char *text = request_value(r, key);
	char *end;
	long long n;

	if (!text)
		return -1;
	errno = 0;
	n = strtoll(text, &end, 10);
	return errno || *end || end == text || n < 1 || n > 315360000 ? -2 : n;
}

/* --- grant, revoke, mode ---------------------------------------------------
 */

struct grant {
	struct addr addr;
	const char *user;
	int64_t ttl;
	enum judgement judgement;
	struct lease lease;
};

static void do_grant(struct keeper *k, struct moment now, void *ctx)
{
	struct grant *g = ctx;

	g->judgement = apply_grant(keeper_apply(k), &g->addr, g->user,
	    strlen(g->user), g->ttl, now, &g->lease);
}

static void verb_grant(struct client *c, const struct request *r)
{
	struct keeper *k = c->control->keeper;
	struct grant g = { .user = request_value(r, "user") };
	int64_t ttl = get_seconds(r, "ttl");
	struct err err = { 0 };
	int got = request_address(c, r, &g.addr);
	struct keeper_event e = { .kind = "grant",
		.log = LOG_LEASE_GRANT,
		.lease = &g.lease,
		.reason = "by-hand" };

	if (got < 0)
		return;
	if (got == 0 || ttl == -2 ||
	    (g.user && strlen(g.user) > LOGIN_USER_MAX)) {
		client_say(c,
		    "error grant wants address=, and takes user= and ttl= "
		    "(seconds)");
		return;
	}
	if (!g.user)
		g.user = "";
	g.ttl = ttl == -1 ? rules_ttl(keeper_rules(k)) : ttl * 1000;
	if (keeper_transaction(k, do_grant, &g, &err) < 0) {
		client_say(c, "error not stored: %s", err.text);
	} else if (g.judgement != JUDGE_LEASE) {
		client_say(c, "no reason=%s", rules_reason(g.judgement));
	} else {
		keeper_tell(k, &e);
		client_say(c, "ok ttl=%lld",
		    (long long)(g.lease.end.wall - clock_now().wall + 999) /
			1000);
	}
}

struct revoke {
	struct addr addr;
	bool has_addr, now_only;
	const char *user;
	int64_t refuse_for;
	size_t count;
};

static void do_revoke(struct keeper *k, struct moment now, void *ctx)
{
	struct revoke *r = ctx;

	r->count = apply_revoke(keeper_apply(k), r->has_addr ? &r->addr : NULL,
	    r->user, r->refuse_for, r->now_only, now);
}

static void verb_revoke(struct client *c, const struct request *req)
{
	struct keeper *k = c->control->keeper;
	struct revoke r = { .user = request_value(req, "user") };
	const char *now_only = request_value(req, "now-only");
	int64_t seconds = get_seconds(req, "for");
	struct lease lease = { 0 };
	struct keeper_event e = { .kind = "revoke",
		.log = LOG_LEASE_REVOKE,
		.lease = &lease,
		.reason = "by-hand" };
	struct err err = { 0 };
	int got = request_address(c, req, &r.addr);

	if (got < 0)
		return;
	r.has_addr = got == 1;
	r.now_only = now_only && strcmp(now_only, "yes") == 0;
	if ((!r.has_addr && !r.user) || seconds == -2 ||
	    (r.user && strlen(r.user) > LOGIN_USER_MAX)) {
		client_say(c,
		    "error revoke wants address= or user=, and takes for= "
		    "(seconds) and now-only=yes");
		return;
	}
	r.refuse_for =
	    seconds == -1 ? rules_ttl(keeper_rules(k)) : seconds * 1000;
	if (keeper_transaction(k, do_revoke, &r, &err) < 0) {
		client_say(c, "error not stored: %s", err.text);
		return;
	}
	lease.addr = r.addr;
	if (r.user) {
		lease.user_len = (uint8_t)strlen(r.user);
		memcpy(lease.user, r.user, lease.user_len);
	}
	keeper_tell(k, &e);
	client_say(c, "ok count=%zu", r.count);
}

static void do_mode(struct keeper *k, struct moment now, void *ctx)
{
	(void)now;
	ledger_mode_set(keeper_ledger(k), *(int *)ctx);
}

/* The number of a mode word as ledger_mode_set() takes it; -1: none. */
static int mode_number(const char *word)
{
	if (strcmp(word, "config") == 0)
		return 0;
	for (int i = 0; rules_mode_word(i); i++) {
		if (strcmp(word, rules_mode_word(i)) == 0)
			return i + 1;
	}
	return -1;
}

static void verb_mode(struct client *c, const struct request *r)
{
	struct keeper *k = c->control->keeper;
	const char *word = request_value(r, "set");
	struct err err = { 0 };
	int set = word ? mode_number(word) : 0;

	if (set < 0) {
		client_say(c, "error mode is enforce, observe, off or config");
		return;
	}
	if (word && keeper_transaction(k, do_mode, &set, &err) < 0) {
		client_say(c, "error not stored: %s", err.text);
		return;
	}
	if (word) {
		atomic_store(&keeper_env(k)->mode->set, set);
		log_info(LOG_MODE, "mode=%s set=%s",
		    rules_mode_word(keeper_mode(k)), word);
	}
	set = ledger_mode(keeper_ledger(k));
	client_say(c, "ok mode=%s config=%s set=%s",
	    rules_mode_word(keeper_mode(k)),
	    rules_mode_word(rules_mode(keeper_rules(k))),
	    set ? rules_mode_word(set - 1) : "none");
}

/* --- all -------------------------------------------------------------------
 */

static void verb_watch(struct client *c, const struct request *r)
{
	(void)r;
	if (!c->watching)
		c->control->watchers++;
	c->watching = true;
	client_say(c, "ok");
}

static const struct {
	const char *name;
	void (*run)(struct client *c, const struct request *r);
} control_verbs[] = {
	{ "list", client_list },
	{ "explain", client_explain },
	{ "grant", verb_grant },
	{ "import", client_import },
	{ "revoke", verb_revoke },
	{ "mode", verb_mode },
	{ "status", client_status },
	{ "watch", verb_watch },
};

/* A gateway may have been taken over. */
static bool may_ask(const struct client *c, const char *verb)
{
	return !c->adopted || strcmp(verb, "grant") == 0 ||
	       strcmp(verb, "revoke") == 0;
}

void client_obey(struct client *c, const char *line, size_t len)
{
	AUTO_FREE struct request *r = xmalloc(sizeof(*r));
	const char *wrong = parse(line, len, r);

	if (wrong) {
		client_say(c, "error %s", wrong);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(control_verbs); i++) {
		if (strcmp(control_verbs[i].name, r->verb) == 0 &&
		    may_ask(c, r->verb)) {
			keeper_settle(c->control->keeper);
			control_verbs[i].run(c, r);
			return;
		}
	}
	client_say(c, "error the verb is not known");
}
