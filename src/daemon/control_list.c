/* SPDX-License-Identifier: ISC */
/*
 * control_list - the verb `list` of the control socket: rows in slices, as fast
 * as the client takes them.
 */
#include <stdio.h>
#include <string.h>

#include "base/kv.h"
#include "control_private.h"

enum { SLICE_ROWS = 512, SLICES = 16 };

bool client_lease_pairs(struct client *c, const struct lease *l,
    struct moment now, char *line, size_t size, size_t *used)
{
	struct ledger *ledger = keeper_ledger(c->control->keeper);
	struct net net = { l->addr, l->bits };
	int64_t left = ledger_left(l, now);
	char text[NET_TEXT_SIZE];

	(void)net_print(&net, text);
	return kv_put(line, size, used, "lease address", text) &&
	       kv_put(line, size, used, "user", l->user) &&
	       kv_put_int(line, size, used, "ttl",
		   left > 0 ? (left + 999) / 1000 : 0) &&
	       kv_put_int(line, size, used, "first", l->first_login) &&
	       kv_put_int(line, size, used, "last", l->last_login) &&
	       kv_put_int(line, size, used, "end", l->end.wall) &&
	       kv_put_int(line, size, used, "sessions", l->sessions) &&
	       kv_put(line, size, used, "source",
		   ledger_name(ledger, l->source)) &&
	       kv_put(line, size, used, "server",
		   ledger_name(ledger, l->server)) &&
	       kv_put_int(
		   line, size, used, "tls", (l->flags & LEASE_TLS) != 0) &&
	       kv_put_int(line, size, used, "by-hand",
		   (l->flags & LEASE_GRANTED) != 0) &&
	       kv_put_int(line, size, used, "live", ledger_alive(l, now));
}

static void put_row(struct client *c, const struct lease *l, struct moment now)
{
	char line[ROW_SIZE];
	size_t used = 0;

	if (client_lease_pairs(c, l, now, line, sizeof(line), &used)) {
		line[used - 1] = '\n';
		client_put(c, line, used);
		c->listed++;
	}
}

struct slice {
	struct client *c;
	struct moment now;
	size_t rows;
	struct addr last;
	bool more;
};

/* A slice ends between two addresses, so that the next can begin there. */
static int slice_row(void *ctx, const struct lease *l)
{
	struct slice *s = ctx;
	bool live = ledger_alive(l, s->now);

	/* Rows are in order of address: behind the one asked for is nothing. */
	if (s->c->has_address && !addr_equal(&l->addr, &s->c->list_address))
		return 1;
	if (s->rows >= SLICE_ROWS && !addr_equal(&s->last, &l->addr)) {
		s->c->list_from = l->addr;
		s->more = true;
		return 1;
	}
	s->rows++;
	s->last = l->addr;
	if ((live || s->c->list_all) &&
	    (!s->c->list_user[0] || strcmp(s->c->list_user, l->user) == 0))
		put_row(s->c, l, s->now);
	return 0;
}

/* Some slices, so that logins wait no longer than for these, even when no row
 * is wanted; no transaction outlives a slice. */
void client_list_on(struct client *c)
{
	struct ledger *ledger = keeper_ledger(c->control->keeper);
	struct err err = { 0 };

	for (int n = 0; n < SLICES && c->listing && c->out_used < OUT_SLICE;
	     n++) {
		struct slice s = { .c = c, .now = clock_now() };
		int got;

		if (ledger_read_begin(ledger, &err) < 0) {
			client_say(c, "error %s", err.text);
			c->listing = false;
			return;
		}
		got = ledger_each(ledger,
		    c->list_started ? &c->list_from : NULL, slice_row, &s);
		ledger_read_end(ledger);
		c->list_started = true;
		if (s.more && got == 1)
			continue;
		c->listing = false;
		if (got < 0)
			client_say(
			    c, "error the ledger cannot be read; see the log");
		else
			client_say(c, "ok count=%zu", c->listed);
	}
}

void client_list(struct client *c, const struct request *r)
{
	int got = request_address(c, r, &c->list_address);
	const char *user = request_value(r, "user");
	const char *all = request_value(r, "all");

	if (got < 0)
		return;
	c->has_address = got == 1;
	c->listing = true;
	c->list_started = c->has_address;
	c->listed = 0;
	c->list_all = all && strcmp(all, "yes") == 0;
	c->list_user[0] = '\0';
	if (user)
		(void)snprintf(c->list_user, sizeof(c->list_user), "%s", user);
	if (c->has_address) {
		uint8_t bits;
		c->list_address = c->list_from = rules_mask(
		    keeper_rules(c->control->keeper), &c->list_address, &bits);
	}
	client_list_on(c);
}
