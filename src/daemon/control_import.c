/* SPDX-License-Identifier: ISC */
/*
 * control_import - the control socket's verb `import`: leases out of another
 * program's store, many to a transaction. Called by: control_verbs.c.
 *   > import store=dracd address=192.0.2.7 login=MS end=MS more=yes
 *   > import store=dracd address=10.0.0.1 user=anna login=MS end=MS
 *   < refused address=10.0.0.1 reason=private-address
 *   < ok imported=1 kept=0 over=0
 * Lines with more=yes wait for one without, which has the answer for all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "control_private.h"

/* A transaction with so many takes some ms. */
enum { BATCH_MAX = 1000 };

#define SOURCE "import"

struct import_batch {
	size_t count, imported, kept, over;
	struct {
		struct imported in;
		struct applied done;
	} rows[BATCH_MAX];
};

void client_import_end(struct client *c)
{
	free(c->import);
	c->import = NULL;
}

/* Milliseconds since 1970; false: absent or bad. */
static bool get_time(const struct request *r, const char *key, int64_t *out)
{
	enum { BITS = 47 };
	const char *text = request_value(r, key);
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return !errno && !*end && *out < INT64_C(1) << BITS;
}

static bool copy(char *out, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len >= size)
		return false;
	memcpy(out, text, len + 1);
	return true;
}

/* The kinds of stores there are. Each name stays in the ledger for good, which
 * has room for some thousands; open_smtp stands for "open-smtp". */
static bool is_store(const char *text)
{
	static const char *const names[] = {
#define IMPORT(name) #name,
#include "login/imports.def"
#undef IMPORT
	};

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		size_t at = 0;

		while (names[i][at] &&
		       text[at] == (names[i][at] == '_' ? '-' : names[i][at]))
			at++;
		if (!names[i][at] && !text[at])
			return true;
	}
	return false;
}

/* False: told. */
static bool read_row(
    struct client *c, const struct request *r, struct imported *out)
{
	const char *user = request_value(r, "user");
	const char *store = request_value(r, "store");
	int got = request_address(c, r, &out->addr);

	user = user ? user : "";
	if (got < 0)
		return false;
	if (got == 1 && store && is_store(store) &&
	    copy(out->server, sizeof(out->server), store) &&
	    copy(out->user, sizeof(out->user), user) &&
	    get_time(r, "login", &out->login) &&
	    get_time(r, "end", &out->end)) {
		out->user_len = strlen(user);
		return true;
	}
	client_say(c,
	    "error import wants store=, address=, login= and end= (ms), and "
	    "takes user= and more=yes");
	return false;
}

static void do_import(struct keeper *k, struct moment now, void *ctx)
{
	struct import_batch *b = ctx;
	uint16_t source = ledger_intern(keeper_ledger(k), SOURCE);

	for (size_t i = 0; i < b->count; i++)
		apply_import(keeper_apply(k), &b->rows[i].in, source, now,
		    &b->rows[i].done);
}

static void tell_refused(
    struct client *c, const struct imported *in, const char *reason)
{
	char text[ADDR_TEXT_SIZE];
	struct lease lease = { .addr = in->addr,
		.user_len = (uint8_t)in->user_len };
	const struct keeper_event e = { .kind = "refused",
		.log = LOG_LOGIN_REFUSED,
		.lease = &lease,
		.source = SOURCE,
		.server = in->server,
		.reason = reason };

	memcpy(lease.user, in->user, in->user_len);
	(void)addr_print(&in->addr, text);
	client_say(c, "refused address=%s reason=%s", text, reason);
	keeper_tell(c->control->keeper, &e);
}

static void tell_row(struct client *c, struct import_batch *b, size_t i)
{
	const struct applied *done = &b->rows[i].done;
	const struct keeper_event e = { .kind = done->fresh ? "grant" : "renew",
		.log = done->fresh ? LOG_LEASE_GRANT : LOG_LEASE_RENEW,
		.lease = &done->lease,
		.source = SOURCE,
		.reason = "imported" };

	if (done->judgement == JUDGE_OLD) {
		b->over++;
	} else if (done->judgement != JUDGE_LEASE) {
		tell_refused(c, &b->rows[i].in, rules_reason(done->judgement));
	} else if (!done->fresh && !done->moved) {
		b->kept++;
	} else {
		b->imported++;
		keeper_tell(c->control->keeper, &e);
	}
}

void client_import(struct client *c, const struct request *r)
{
	struct import_batch *b = c->import;
	const char *more = request_value(r, "more");
	struct err err = { 0 };

	if (!b)
		c->import = b = xcalloc(1, sizeof(*b));
	if (b->count == BATCH_MAX)
		client_say(c, "error more than %d in one batch", BATCH_MAX);
	if (b->count == BATCH_MAX || !read_row(c, r, &b->rows[b->count].in)) {
		/* What follows would be taken for a batch of its own. */
		client_import_end(c);
		c->closing = true;
		return;
	}
	b->count++;
	if (more && strcmp(more, "yes") == 0)
		return;
	if (keeper_transaction(c->control->keeper, do_import, b, &err) < 0) {
		client_say(c, "error not stored: %s", err.text);
	} else {
		for (size_t i = 0; i < b->count; i++)
			tell_row(c, b, i);
		client_say(c, "ok imported=%zu kept=%zu over=%zu", b->imported,
		    b->kept, b->over);
	}
	client_import_end(c);
}
