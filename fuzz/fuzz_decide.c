/* SPDX-License-Identifier: ISC */
/*
 * fuzz_decide - any question to an empty ledger. Oracle: only an address of an
 * `always` network is ever allowed, a question that may not be asked is always
 * answered none, and explain() says the same.
 *
 * Input: one byte of options, the address (16 bytes), then user, sender.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tests/lease_rules.h"
#include "decide/explain.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RULES = 4 };

static const char *const texts[RULES] = {
	"",
	"lease { always = {\"10.1.\", \"2001:db8:a::/48\"} }",
	"lease { private = {\"0.0.0.0/0\", \"::/0\"} ipv6-prefix = 64 }",
	"lease { mode = \"observe\" always = {\"203.0.113.0/24\"} }",
};

static char directory[] = "/tmp/relaypass-fuzz-XXXXXX";
static struct ledger *ledger;
static struct rules *rules[RULES];
static struct senders *senders;
static struct explain told;
static const struct moment now = { INT64_C(1700000000000), 600000 };

static void clean(void)
{
	DIR *d = opendir(directory);

	ledger_close(&ledger);
	senders_free(&senders);
	for (struct dirent *e; d && (e = readdir(d));)
		(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		(void)closedir(d);
	(void)rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct ledger_options o = { .directory = directory,
		.writer = true,
		.map_size = 1 << 20,
		.ipv6_prefix = 128,
		.ttl = 1800000,
		.max_skew = 300000,
		.boot_id = "fuzz" };
	static const char map[] = "@example.org jo\njo@example.com anna\n";
	struct err err = { 0 };

	(void)argc;
	(void)argv;
	must(mkdtemp(directory) != NULL);
	ledger = ledger_open(&o, now, &err);
	must(ledger != NULL);
	senders = senders_parse(map, sizeof(map) - 1, "map", &err);
	must(senders != NULL);
	(void)atexit(clean);
	for (int i = 0; i < RULES; i++)
		rules[i] = rules_from(texts[i], NULL, 0);
	return 0;
}

/* Takes up to max bytes that stand in front of a NUL. */
static size_t take(const uint8_t **data, size_t *size, char *out, size_t max)
{
	const uint8_t *end = memchr(*data, 0, *size);
	size_t len = end ? (size_t)(end - *data) : *size;
	size_t kept = len < max ? len : max;

	memcpy(out, *data, kept);
	out[kept] = '\0';
	len += end != NULL;
	*data += len;
	*size -= len;
	return kept;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct question q = { 0 };
	struct decide_options o = { .default_domain = "example.org" };
	struct answer a;
	const struct rules *r;
	enum rules_mode mode;

	if (size < 17)
		return 0;
	r = rules[data[0] & 3];
	mode = data[0] & 4 ? rules_mode(r) : MODE_ENFORCE;
	q.asked = !(data[0] & 8);
	q.has_user = (data[0] >> 4) & 1;
	q.has_sender = (data[0] >> 5) & 1;
	o.require_sender = (enum require_sender)(data[0] >> 6);
	memcpy(q.addr.bytes, data + 1, 16);
	data += 17;
	size -= 17;
	q.user_len = (uint16_t)take(&data, &size, q.user, sizeof(q.user) - 1);
	q.sender_len =
	    (uint16_t)take(&data, &size, q.sender, sizeof(q.sender) - 1);
	/* Sometimes it could not be read. */
	o.senders = q.user_len % 2 ? NULL : senders;

	must(ledger_read_begin(ledger, NULL) == 0);
	decide(ledger, r, mode, &o, &q, now, &a);
	explain(ledger, r, mode, &o, &q, now, &told);
	ledger_read_end(ledger);
	must(told.answer.verdict == a.verdict &&
	     told.answer.reason == a.reason && *explain_word(&told));
	if (a.verdict == VERDICT_ALLOW)
		must(q.asked && mode == MODE_ENFORCE &&
		     rules_always(r, &q.addr) && !strcmp(a.reason, "always"));
	if (a.verdict == VERDICT_TEMPFAIL)
		must(o.require_sender == SENDER_MAP && !o.senders &&
		     !strcmp(a.reason, "sender-map"));
	must(a.reason && a.ttl == 0 && a.user_len == 0);

	/* Without a ledger neither. */
	decide(NULL, r, mode, &o, &q, now, &a);
	if (a.verdict == VERDICT_ALLOW)
		must(rules_always(r, &q.addr));
	return 0;
}
