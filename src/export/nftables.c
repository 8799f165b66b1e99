/* SPDX-License-Identifier: ISC */
/*
 * nftables - the export kind "nftables": two sets of one table of the kernel's
 * firewall, of IPv4 and IPv6 addresses, each element with the time that its
 * lease has left. The kernel ends it even when relaypass is dead.
 *
 * A slice is one transaction. Both sets are written whole, in one transaction
 * that flushes them first, behind each snapshot, after a failure, and when
 * somebody else has changed the kernel's rules: packets see the sets before or
 * after it, so no leased address is missing for a moment.
 *
 * No set has intervals: of a lease of a whole network the set holds the first
 * address, and the rule masks (docs/exports.md). So a rule without the mask
 * refuses, and never allows too much.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nftables/libnftables.h>

#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "export.h"
#include "nft_generation.h"
#include "nft_text.h"
#include "roll.h"

enum { REST_OF_COST = 3, NS_PER_MS = 1000000 };

static const struct option nftables_options[] = {
	{ "table", OPTION_STRING, "relaypass", 0, 0, NULL,
	    "Table of family inet that has the sets." },
	{ "set4", OPTION_STRING, "relay4", 0, 0, NULL,
	    "Set of the leased IPv4 addresses. All of it belongs to this "
	    "export." },
	{ "set6", OPTION_STRING, "relay6", 0, 0, NULL,
	    "Set of the leased IPv6 addresses, or of the first addresses of "
	    "leased networks (ipv6-prefix). All of it belongs to this "
	    "export." },
	{ "create", OPTION_BOOL, "yes", 0, 0, NULL,
	    "Makes the table and the sets when they are missing." },
	{ "recheck", OPTION_DURATION, "2s", 1000, 3600000, NULL,
	    "How often it asks whether somebody else has changed the "
	    "kernel's rules; if so, both sets are written anew." },
	OPTION_END
};

struct export
{
	struct export_env env;
	struct nft_names names;
	bool create;
	uint64_t recheck; /* ms */
	struct nft_ctx *nft;
	int fd; /* for nft_generation_get() */
	struct nft_text text;
	struct roll *roll;          /* its ends are boot times */
	struct export_slice *slice; /* the one at hand, with such ends */
	uv_loop_t *loop;
	uv_timer_t timer;
	bool complete; /* the first snapshot is on the roll */
	bool stale;    /* the sets may hold something else */
	bool failing;  /* and the log knows */
	uint32_t generation;
};

/* --- the kernel's sets -----------------------------------------------------
 */

/* The first line that nft says, without its own "Error: ". */
static void read_error(struct export *e, struct err *err)
{
	static const char prefix[] = "Error: ";
	const char *text = nft_ctx_get_error_buffer(e->nft);

	if (!text || !*text)
		text = "nft says nothing";
	if (strncmp(text, prefix, strlen(prefix)) == 0)
		text += strlen(prefix);
	(void)err_set(err, EXIT_AGAIN, "%.*s", (int)strcspn(text, "\n"), text);
}

static int run(struct export *e, struct err *err)
{
	if (nft_run_cmd_from_buffer(e->nft, e->text.bytes) == 0)
		return 0;
	read_error(e, err);
	return -1;
}

/* One by one: what is there, even if made otherwise, stays as it is. */
static void make_sets(struct export *e)
{
	nft_text_table(&e->text, &e->names);
	(void)run(e, NULL);
	for (size_t i = 0; i < NFT_SETS; i++) {
		nft_text_set(&e->text, &e->names, i);
		(void)run(e, NULL);
	}
}

/* What the kernel has counted since `before`, of which one is our own; one that
 * changes nothing is not counted. */
static void count(struct export *e, bool whole, bool had, uint32_t before)
{
	bool others = !whole && (e->stale || before != e->generation);
	bool counted = had && nft_generation_get(e->fd, &e->generation);

	e->stale = others || !counted || e->generation - before > 1;
}

/* One transaction: a slice's changes, or (NULL) everything. */
static int bring(
    struct export *e, const struct export_slice *slice, struct err *err)
{
	uint32_t before = 0;
	bool had = nft_generation_get(e->fd, &before);

	if (!slice)
		nft_text_whole(&e->text, &e->names, e->roll, clock_now().boot);
	else if (!nft_text_changes(&e->text, &e->names, slice))
		return 0;
	if (run(e, err) < 0) {
		e->stale = true;
		return -1;
	}
	count(e, !slice, had, before);
	return 0;
}

static void tell(struct export *e, bool good, const struct err *err)
{
	bool waits = !e->create && strstr(err->text, strerror(ENOENT));

	if (!good && !e->failing)
		log_error(LOG_EXPORT_ERROR,
		    "export=%s table=%s error=\"nft: %s\" next=\"%s%s\"",
		    e->env.name, e->names.table, err->text,
		    waits ? "waits for table inet " : "tries again",
		    waits ? e->names.table : "");
	if (good && e->failing)
		log_info(LOG_EXPORT_STATE, "export=%s state=good", e->env.name);
	e->failing = !good;
}

/* What fails is tried once more, as a whole: sets may be gone, or an element
 * has ended in the middle. */
static bool update(struct export *e, const struct export_slice *slice)
{
	struct err err = { 0 };
	int bad = bring(e, slice, &err);

	if (bad) {
		if (e->create)
			make_sets(e);
		bad = bring(e, NULL, &err);
	}
	tell(e, !bad, &err);
	return !bad;
}

/* --- slices ----------------------------------------------------------------
 */

/* The roll keeps one end; boot time is the one that nobody sets back. */
static void take(struct export *e, const struct export_slice *slice)
{
	*e->slice = *slice;
	for (size_t i = 0; i < slice->count; i++) {
		struct export_change *c = &e->slice->changes[i];

		if (c->leased)
			c->lease.end.wall = nft_boot_end(&c->lease, slice->now);
	}
	(void)roll_apply(e->roll, e->slice);
}

static void nftables_apply(struct export *e, const struct export_slice *slice)
{
	bool good = true;

	take(e, slice);
	if (slice->snapshot && slice->last) {
		e->complete = true;
		good = update(e, NULL);
	} else if (e->complete) {
		good = update(e, e->slice);
	}
	e->env.done(e->env.ctx, good);
}

static bool is_as_we_left_it(struct export *e)
{
	uint32_t now;

	return !e->stale && nft_generation_get(e->fd, &now) &&
	       now == e->generation;
}

/* Rests three times as long as large sets take, however often others change
 * the rules: slices wait meanwhile. */
static void on_timer(uv_timer_t *timer)
{
	struct export *e = timer->data;
	uint64_t began = uv_hrtime(), rest;

	if (e->complete && !is_as_we_left_it(e))
		(void)update(e, NULL);
	rest = REST_OF_COST * ((uv_hrtime() - began) / NS_PER_MS);
	uv_update_time(e->loop);
	(void)uv_timer_start(
	    timer, on_timer, rest > e->recheck ? rest : e->recheck, 0);
}

/* --- the kind --------------------------------------------------------------
 */

static void release(struct export *e)
{
	if (e->nft)
		nft_ctx_free(e->nft);
	if (e->fd >= 0)
		(void)close(e->fd);
	roll_free(&e->roll);
	free(e->text.bytes);
	free(e->slice);
	free(e);
}

static int nftables_check(const struct conf_section *conf, struct err *err)
{
	static const char *const options[] = { "table", "set4", "set6" };

	for (size_t i = 0; i < COUNT_OF(options); i++) {
		const char *name = conf_string(conf, options[i]);

		if (!nft_name_good(name))
			return conf_wrong(conf, err,
			    "%s: \"%s\": expected a letter or _, then letters, "
			    "digits and _",
			    options[i], name);
	}
	if (strcmp(conf_string(conf, "set4"), conf_string(conf, "set6")) == 0)
		return conf_wrong(conf, err,
		    "set6: \"%s\": set4 has that name, too; expected two sets",
		    conf_string(conf, "set6"));
	return 0;
}

/* Both sockets are opened here, before the lock-down. */
static int open_kernel(struct export *e, struct err *err)
{
	e->nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!e->nft || nft_ctx_buffer_error(e->nft) ||
	    nft_ctx_buffer_output(e->nft))
		return err_set(err, EXIT_AGAIN,
		    "export %s: libnftables does not start", e->env.name);
	e->fd = nft_generation_open(err);
	return e->fd < 0 ? -1 : 0;
}

static struct export *nftables_open(const struct export_env *env,
    const struct conf_section *conf, struct err *err)
{
	struct export *e = xcalloc(1, sizeof(*e));

	e->env = *env;
	e->fd = -1;
	e->create = conf_number(conf, "create") != 0;
	e->recheck = (uint64_t)conf_number(conf, "recheck");
	e->roll = roll_new(false);
	e->slice = xcalloc(1, sizeof(*e->slice));
	e->names.table = conf_string(conf, "table");
	e->names.sets[0] = conf_string(conf, "set4");
	e->names.sets[1] = conf_string(conf, "set6");
	if (nftables_check(conf, err) == 0 && open_kernel(e, err) == 0)
		return e;
	release(e);
	return NULL;
}

static void nftables_start(struct export *e, uv_loop_t *loop)
{
	e->loop = loop;
	must(uv_timer_init(loop, &e->timer) == 0);
	e->timer.data = e;
	(void)uv_timer_start(&e->timer, on_timer, e->recheck, 0);
}

static void on_closed(uv_handle_t *handle)
{
	release(handle->data);
}

/* The elements stay: each ends by itself. */
static void nftables_close(struct export **ep)
{
	struct export *e = *ep;
	uv_loop_t *loop;

	*ep = NULL;
	if (!e)
		return;
	loop = e->loop;
	if (!loop) {
		release(e);
		return;
	}
	uv_close((uv_handle_t *)&e->timer, on_closed);
	(void)uv_run(loop, UV_RUN_NOWAIT);
}

const struct export_kind export_nftables = {
	.name = "nftables",
	.help = "Keeps two sets of the kernel's firewall.",
	.role = ROLE_FIREWALL,
	.options = nftables_options,
	.whole = true,
	.check = nftables_check,
	.open = nftables_open,
	.start = nftables_start,
	.apply = nftables_apply,
	.close = nftables_close,
};
