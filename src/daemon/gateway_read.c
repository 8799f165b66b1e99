/* SPDX-License-Identifier: ISC */
/*
 * gateway_read - answers of an http listener that change nothing. Each has a
 * snapshot of the ledger of its own, and walks a limited piece of it: a page
 * may be short, or empty, and still have a next one.
 */
#include <stdlib.h>
#include <string.h>

#include "answer_log.h"
#include "base/log.h"
#include "gateway_private.h"
#include "listener/http_openapi.h"
#include "listener/http_write.h"

enum {
	STATUS_OK = 200,
	STATUS_NOT_FOUND = 404,
	STATUS_UNAVAILABLE = 503,
	ROWS_A_PAGE = 20000 /* looked at; some ten milliseconds */
};

static const char unreadable[] = "the ledger cannot be read; see the log";

bool gateway_begin(struct gateway *g)
{
	struct err err = { 0 };

	g->blind = !g->ledger || ledger_read_begin(g->ledger, &err) < 0;
	if (g->ledger && g->blind)
		log_error(LOG_LEDGER_ERROR, "%s", err.text);
	return !g->blind;
}

static void reply_json(struct http_request *r, unsigned status, json_t *json)
{
	char *text = http_write_text(json);

	http_reply(r, status, text, strlen(text));
	free(text);
}

/* --- leases ----------------------------------------------------------------
 */

struct page {
	struct gateway *g;
	const struct http_api_ask *ask;
	struct moment now;
	json_t *leases;
	size_t count, looked;
	bool more;
	char next[HTTP_API_AFTER_SIZE];
};

/* Rows come in order of address: whether none can come any more. */
static bool is_behind(const struct http_api_filter *f, const struct lease *row)
{
	if (f->has_address)
		return !addr_equal(&f->address, &row->addr);
	return f->has_network && !net_contains(&f->network, &row->addr) &&
	       memcmp(row->addr.bytes, f->network.addr.bytes,
		   sizeof(row->addr.bytes)) > 0;
}

static int page_row(void *ctx, const struct lease *row)
{
	struct page *p = ctx;
	const struct http_api_filter *f = &p->ask->filter;
	const char *source = ledger_name(p->g->ledger, row->source);

	if (is_behind(f, row))
		return 1;
	if (!http_api_is_new(f, row))
		return 0;
	p->looked++;
	if (ledger_alive(row, p->now) && http_api_wants(f, row, source)) {
		(void)json_array_append_new(
		    p->leases, http_write_lease(row, source,
				   ledger_name(p->g->ledger, row->server),
				   p->now, p->ask->users));
		p->count++;
	}
	if (p->count < f->limit && p->looked < ROWS_A_PAGE)
		return 0;
	p->more = true;
	http_api_after(row, p->next);
	return 1;
}

static const struct addr *page_start(const struct http_api_filter *f)
{
	if (f->has_address)
		return &f->address;
	/* Wherever that is: what is in front of the network is passed over. */
	if (f->has_after)
		return &f->after;
	return f->has_network ? &f->network.addr : NULL;
}

static void answer_list(struct gateway *g, struct http_request *r)
{
	struct page p = { .g = g, .ask = &g->ask, .now = clock_now() };
	int got;

	p.leases = json_array();
	got = ledger_each(g->ledger, page_start(&g->ask.filter), page_row, &p);
	if (got < 0) {
		json_decref(p.leases);
		gateway_refuse(r, STATUS_UNAVAILABLE, unreadable);
	} else if (g->ask.call == HTTP_API_ONE && p.count == 0) {
		json_decref(p.leases);
		gateway_refuse(r, STATUS_NOT_FOUND, "no lease");
	} else {
		reply_json(r, STATUS_OK,
		    json_pack("{s:o,s:o}", "leases", p.leases, "next",
			p.more ? json_string(p.next) : json_null()));
	}
}

/* --- questions -------------------------------------------------------------
 */

static void count_answer(struct gateway *g, const struct answer *a)
{
	_Atomic uint64_t *count =
	    a->verdict == VERDICT_ALLOW      ? &g->counts->allow
	    : a->verdict == VERDICT_TEMPFAIL ? &g->counts->tempfail
					     : &g->counts->none;

	atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

static void answer_check(struct gateway *g, struct http_request *r, bool reads)
{
	struct answer a;

	decide(reads ? g->ledger : NULL, g->rules, gateway_mode(g), &g->options,
	    &g->ask.question, clock_now(), &a);
	count_answer(g, &a);
	answer_log(g->name, &g->ask.question, &a);
	reply_json(r,
	    a.verdict == VERDICT_TEMPFAIL ? STATUS_UNAVAILABLE : STATUS_OK,
	    http_write_answer(&a, g->ask.users));
}

static void answer_explain(
    struct gateway *g, struct http_request *r, bool reads)
{
	struct moment now = clock_now();

	explain(reads ? g->ledger : NULL, g->rules, gateway_mode(g),
	    &g->options, &g->ask.question, now, g->explain);
	reply_json(r,
	    g->explain->answer.verdict == VERDICT_TEMPFAIL ? STATUS_UNAVAILABLE
							   : STATUS_OK,
	    http_write_explain(g->explain, now));
}

/* --- the rest --------------------------------------------------------------
 */

static void answer_metrics(struct gateway *g, struct http_request *r)
{
	struct prom p = { 0 };
	struct http_answer a = { .status = STATUS_OK, .type = PROM_TYPE };

	gateway_metrics(g, &p);
	a.body = p.text;
	a.len = p.len;
	http_answer(r, &a);
	free(p.text);
}

static void answer_openapi(struct http_request *r)
{
	const struct http_answer a = { .status = STATUS_OK,
		.body = http_openapi,
		.len = http_openapi_len,
		.fixed = true };

	http_answer(r, &a);
}

static void answer_health(struct http_request *r, bool reads)
{
	static const char fine[] = "{\"status\":\"ok\"}";

	if (reads)
		http_reply(r, STATUS_OK, fine, sizeof(fine) - 1);
	else
		gateway_refuse(r, STATUS_UNAVAILABLE, unreadable);
}

void gateway_read(struct gateway *g, struct http_request *r)
{
	const enum http_api_call call = g->ask.call;
	bool reads;

	if (call == HTTP_API_METRICS) {
		answer_metrics(g, r);
		return;
	}
	if (call == HTTP_API_OPENAPI) {
		answer_openapi(r);
		return;
	}
	if (call == HTTP_API_ONE) {
		uint8_t bits;
		g->ask.filter.address =
		    rules_mask(g->rules, &g->ask.filter.address, &bits);
	}
	reads = gateway_begin(g);
	if (call == HTTP_API_CHECK)
		answer_check(g, r, reads);
	else if (call == HTTP_API_EXPLAIN)
		answer_explain(g, r, reads);
	else if (call == HTTP_API_HEALTH || !reads)
		answer_health(r, reads);
	else
		answer_list(g, r);
	if (reads)
		ledger_read_end(g->ledger);
}
