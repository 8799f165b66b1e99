/* SPDX-License-Identifier: ISC */
/*
 * tcprules - the export kind "tcprules": tcpserver's rules, those of tcp.smtp
 * and one for each leased address, compiled to the file that tcpserver -x
 * reads. Its next connection goes by them.
 *
 * A leased address gets what its rule in tcp.smtp gives it, and RELAYCLIENT. No
 * lease lifts a "deny", and none changes a RELAYCLIENT that is set.
 */
#include <cdb.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tcp_rules.h"
#include "whole.h"

enum { HOST_BITS = 128, DATA_MAX = 65536, SUFFIX_MAX = 255 };

static const struct option tcprules_options[] = { WHOLE_OPTIONS,
	WHOLE_STATIC_OPTION(
	    "The rules that hold for everybody, as tcprules reads them "
	    "(/etc/tcp.smtp). They are read again when they have changed; "
	    "while "
	    "they are wrong, the last good ones stay in force."),
	{ "relayclient", OPTION_STRING, "", 0, 0, NULL,
	    "Value of RELAYCLIENT; qmail-smtpd appends it to each recipient." },
	{ "rblsmtpd", OPTION_BOOL, "no", 0, 0, NULL,
	    "Also sets RBLSMTPD to nothing, so that rblsmtpd lets leased "
	    "addresses in." },
	OPTION_END };

struct export
{
	const char *relayclient;
	bool rblsmtpd;
	struct tcp_rules *rules;
	struct whole *whole;
	char *data; /* of DATA_MAX bytes */
};

static int read_rules(void *ctx, const char *text, size_t len, struct err *err)
{
	struct export *e = ctx;
	struct tcp_rules *rules = tcp_rules_parse(text, len, err);

	if (!rules)
		return -1;
	tcp_rules_free(&e->rules);
	e->rules = rules;
	return 0;
}

/* What a leased address has in the file; the length in e->data, 0: nothing that
 * its static rule does not give it. */
static size_t data_of(struct export *e, const char *addr, size_t len)
{
	const struct tcp_rule *rule = tcp_rules_match(e->rules, addr, len);
	size_t used;

	if (rule && tcp_rule_denies(rule))
		return 0;
	used = tcp_rule_with(
	    rule, "RELAYCLIENT", e->relayclient, e->data, DATA_MAX);
	if (used && e->rblsmtpd) {
		struct tcp_rule so_far = { .data = e->data, .data_len = used };

		used =
		    tcp_rule_with(&so_far, "RBLSMTPD", "", e->data, DATA_MAX);
	}
	return rule && used == rule->data_len ? 0 : used;
}

/* True when the key is that of a lease whose record comes instead. */
static bool is_leased(
    struct export *e, const struct roll *roll, const struct tcp_rule *rule)
{
	struct addr addr;
	char text[ADDR_TEXT_SIZE];
	const struct roll_row *row;

	if (!addr_parse(rule->key, rule->key_len, &addr))
		return false;
	row = roll_find(roll, &addr);
	if (!row || row->bits != HOST_BITS ||
	    addr_print(&addr, text) != rule->key_len ||
	    memcmp(text, rule->key, rule->key_len) != 0)
		return false;
	return data_of(e, rule->key, rule->key_len) != 0;
}

static int put_static(
    struct export *e, const struct roll *roll, struct cdb_make *make)
{
	for (size_t i = 0; i < tcp_rules_count(e->rules); i++) {
		const struct tcp_rule *rule = tcp_rules_at(e->rules, i);

		if (is_leased(e, roll, rule))
			continue;
		if (cdb_make_add(make, rule->key, (unsigned)rule->key_len,
			rule->data, (unsigned)rule->data_len) < 0)
			return -1;
	}
	return 0;
}

static int put_leased(
    struct export *e, const struct roll *roll, struct cdb_make *make)
{
	for (size_t i = 0; i < roll_count(roll); i++) {
		const struct roll_row *row = roll_at(roll, i);
		char key[ADDR_TEXT_SIZE];
		size_t key_len = addr_print(&row->addr, key), len;

		len = row->bits == HOST_BITS ? data_of(e, key, key_len) : 0;
		if (len && cdb_make_add(make, key, (unsigned)key_len, e->data,
			       (unsigned)len) < 0)
			return -1;
	}
	return 0;
}

static int write_rules(
    void *ctx, const struct roll *roll, struct target *target, struct err *err)
{
	struct export *e = ctx;
	struct cdb_make make;
	bool bad = cdb_make_start(&make, target_fd(target)) < 0;

	bad = bad || put_static(e, roll, &make) < 0 ||
	      put_leased(e, roll, &make) < 0;
	/* Also frees what it holds. */
	bad |= cdb_make_finish(&make) < 0;
	return bad ? err_errno(err, EXIT_AGAIN, errno, "cdb") : 0;
}

/* It becomes the end of addresses: nothing else may come in by it. */
static bool is_suffix(const char *text)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.@-";

	return strlen(text) <= SUFFIX_MAX && text[strspn(text, good)] == '\0';
}

static int tcprules_check(const struct conf_section *conf, struct err *err)
{
	const char *suffix = conf_string(conf, "relayclient");

	if (!is_suffix(suffix))
		return conf_wrong(conf, err,
		    "relayclient: \"%s\": expected at most %d letters, digits, "
		    ". @ -",
		    suffix, SUFFIX_MAX);
	return whole_check(conf, err);
}

static void release(struct export *e)
{
	tcp_rules_free(&e->rules);
	free(e->data);
	free(e);
}

static struct export *tcprules_open(const struct export_env *env,
    const struct conf_section *conf, struct err *err)
{
	struct export *e = xcalloc(1, sizeof(*e));
	const struct whole_kind kind = {
		.read = read_rules, .write = write_rules, .ctx = e
	};

	e->relayclient = conf_string(conf, "relayclient");
	e->rblsmtpd = conf_number(conf, "rblsmtpd") != 0;
	e->data = xmalloc(DATA_MAX);
	e->rules = tcp_rules_parse("", 0, err);
	if (tcprules_check(conf, err) == 0)
		e->whole = whole_open(env, conf, &kind, err);
	if (e->whole)
		return e;
	release(e);
	return NULL;
}

static void tcprules_start(struct export *e, uv_loop_t *loop)
{
	whole_start(e->whole, loop);
}

static void tcprules_apply(struct export *e, const struct export_slice *slice)
{
	whole_apply(e->whole, slice);
}

static void tcprules_close(struct export **ep)
{
	struct export *e = *ep;

	*ep = NULL;
	if (!e)
		return;
	whole_close(&e->whole);
	release(e);
}

const struct export_kind export_tcprules = {
	.name = "tcprules",
	.help = "Keeps tcpserver's compiled rules, with one for each leased "
		"address.",
	.role = ROLE_WRITER,
	.options = tcprules_options,
	.whole = true,
	.needs = whole_needs,
	.check = tcprules_check,
	.look = whole_look,
	.open = tcprules_open,
	.start = tcprules_start,
	.apply = tcprules_apply,
	.close = tcprules_close,
};
