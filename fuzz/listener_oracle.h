/* SPDX-License-Identifier: ISC */
/*
 * listener_oracle - any bytes to a codec, as a server would feed it, with
 * decide() and an empty ledger behind. What must hold:
 * - an empty ledger never gives ALLOW;
 * - one reply for each whole request, and no byte of a request in it;
 * - the same questions however the bytes are cut into reads.
 */
#ifndef FUZZ_LISTENER_ORACLE_H
#define FUZZ_LISTENER_ORACLE_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tests/unit/listener_conf.h"

enum { ORACLE_SMALL = 600 };

struct oracle {
	const struct listener_kind *kind;
	const struct conf_section *section; /* for kinds that read options */
	/* False: this is no reply the kind may give to such an answer. */
	bool (*reply_fits)(
	    const struct answer *a, const char *reply, size_t len);
	struct ledger *ledger;
	struct conf *conf; /* outlives the rules */
	struct rules *rules;
};

/* What came of an input. */
struct oracle_seen {
	uint64_t digest; /* of all questions in their order */
	size_t questions;
	bool bad;
};

static char oracle_dir[] = "/tmp/fuzz-ledger-XXXXXX";

static inline void oracle_remove(void)
{
	listener_conf_remove(oracle_dir);
}

static inline void oracle_open(struct oracle *o)
{
	const struct moment now = { 1700000000000, 5000 };
	struct ledger_options lo = { .directory = mkdtemp(oracle_dir),
		.writer = true,
		.map_size = 1 << 20,
		.ipv6_prefix = 128,
		.ttl = 1800000,
		.max_skew = 300000,
		.boot_id = "fuzz" };
	struct err err = { 0 };

	o->conf = listener_conf_text("");
	o->rules = rules_new(conf_at(o->conf, "lease", 0), NULL, 0);
	o->ledger = ledger_open(&lo, now, &err);
	if (!o->ledger) {
		(void)fprintf(stderr, "%s\n", err.text);
		abort();
	}
	(void)atexit(oracle_remove);
}

/* Whether a reply is this text. */
static inline bool oracle_is(const char *reply, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(reply, text, len) == 0;
}

/* Of one listener of this kind with these options. */
static inline void oracle_listener(struct oracle *o, const char *kind,
    const char *options,
    bool (*reply_fits)(const struct answer *a, const char *reply, size_t len))
{
	static struct conf *conf; /* as long as the oracle */

	oracle_open(o);
	o->reply_fits = reply_fits;
	o->kind = listener_kind_find(kind);
	conf = listener_conf(kind, "%s", options);
	o->section = conf_at(conf, "listener", 0);
}

static inline void oracle_digest(uint64_t *digest, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		*digest = (*digest ^ p[i]) * 1099511628211U;
}

static inline void oracle_add(
    struct oracle_seen *seen, const struct question *q)
{
	uint64_t *d = &seen->digest;

	seen->questions++;
	must(strlen(q->sender) == q->sender_len);
	must(strlen(q->recipient) == q->recipient_len);
	must(strlen(q->user) == q->user_len);
	must(strlen(q->mark) < sizeof(q->mark));
	oracle_digest(d, &q->asked, sizeof(q->asked));
	oracle_digest(d, &q->addr, sizeof(q->addr));
	oracle_digest(d, &q->has_sender, 1);
	oracle_digest(d, &q->has_recipient, 1);
	oracle_digest(d, &q->has_user, 1);
	oracle_digest(d, q->sender, q->sender_len + (size_t)1);
	oracle_digest(d, q->recipient, q->recipient_len + (size_t)1);
	oracle_digest(d, q->user, q->user_len + (size_t)1);
	oracle_digest(d, q->mark, strlen(q->mark) + 1);
}

/* Encodes one answer and has it checked. */
static inline void oracle_reply(const struct oracle *o,
    const struct listener_view *v, const struct question *q,
    const struct answer *a)
{
	char out[LISTENER_REPLY_MAX];
	size_t n = o->kind->encode(v, q, a, out, sizeof(out));

	must(n > 0 && n <= sizeof(out));
	must(o->reply_fits(a, out, n));
}

static inline void oracle_question(
    const struct oracle *o, const struct question *q)
{
	const struct moment now = { 1700000000000, 5000 };
	const struct decide_options options = { .default_domain = "" };
	const struct listener_view views[] = { { .conf = o->section,
						   .defer = false },
		{ .conf = o->section, .defer = true, .show_user = true } };
	struct answer a, made = { .verdict = VERDICT_ALLOW,
		.reason = "lease",
		.ttl = 1000,
		.user_len = 4,
		.user = "\n=%\xff" };

	must(ledger_read_begin(o->ledger, NULL) == 0);
	decide(o->ledger, o->rules, MODE_ENFORCE, &options, q, now, &a);
	ledger_read_end(o->ledger);
	must(a.verdict == VERDICT_NONE);
	for (size_t i = 0; i < COUNT_OF(views); i++) {
		oracle_reply(o, &views[i], q, &a);
		made.verdict = q->asked ? VERDICT_ALLOW : VERDICT_NONE;
		oracle_reply(o, &views[i], q, &made);
		made.verdict = VERDICT_TEMPFAIL;
		oracle_reply(o, &views[i], q, &made);
	}
}

/* Decodes what can be of len bytes that end where their memory ends. Returns
 * how many are used up. */
static inline size_t oracle_feed(const struct oracle *o, const uint8_t *data,
    size_t len, struct oracle_seen *seen, bool first_time)
{
	const struct listener_view view = { .conf = o->section };
	char *copy = xmalloc(len ? len : 1);
	size_t done = 0;

	memcpy(copy, data, len);
	while (done < len && !seen->bad) {
		struct question q;
		size_t used = 0;
		enum decode d;
		memset(&q, 0x5a, sizeof(q));
		d = o->kind->decode(&view, copy + done, len - done, &q, &used);
		if (d == DECODE_MORE && len - done < o->kind->request_max)
			break;
		if (d != DECODE_QUESTION && d != DECODE_LAST) {
			seen->bad = true;
			break;
		}
		must(used > 0 && used <= len - done);
		must(used <= o->kind->request_max);
		oracle_add(seen, &q);
		if (first_time)
			oracle_question(o, &q);
		done += used;
		if (d == DECODE_LAST) {
			seen->bad = true; /* nothing behind it is read */
			break;
		}
	}
	free(copy);
	return done;
}

/* Feeds the input in reads of the sizes that step gives. */
static inline struct oracle_seen oracle_cut(const struct oracle *o,
    const uint8_t *data, size_t size, size_t first, size_t step)
{
	struct oracle_seen seen = { .digest = 14695981039346656037U };
	size_t done = 0;

	for (size_t end = first; !seen.bad; end += step) {
		if (end > size)
			end = size;
		done += oracle_feed(o, data + done, end - done, &seen, false);
		if (end == size)
			break;
	}
	return seen;
}

static inline void oracle_run(
    const struct oracle *o, const uint8_t *data, size_t size)
{
	struct oracle_seen whole = { .digest = 14695981039346656037U };
	/* Any cut of a small input, some of a large one. */
	size_t stride = size <= ORACLE_SMALL ? 1 : size / 16 + 1;

	(void)oracle_feed(o, data, size, &whole, true);
	for (size_t cut = 1; cut < size; cut += stride) {
		struct oracle_seen s = oracle_cut(o, data, size, cut, size);
		must(s.digest == whole.digest && s.bad == whole.bad);
	}
	if (size && size <= ORACLE_SMALL) {
		struct oracle_seen s = oracle_cut(o, data, size, 1, 1);
		must(s.digest == whole.digest && s.bad == whole.bad);
		must(s.questions == whole.questions);
	}
}
#endif
