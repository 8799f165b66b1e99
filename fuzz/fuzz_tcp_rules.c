/* SPDX-License-Identifier: ISC */
/*
 * fuzz_tcp_rules - any text as tcp.smtp, and its first byte as the last one of
 * an address. What is in force for the address is a rule of that text that is
 * closest to it, and a lease never changes a rule that denies or a RELAYCLIENT
 * that is set, nor loses what the rule sets.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "export/tcp_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ADDRESS_SIZE = 32, OUT_SIZE = 65536 };

static bool is_prefix(const struct tcp_rule *rule, const char *addr, size_t len)
{
	char end = rule->key_len ? rule->key[rule->key_len - 1] : '.';

	return rule->key_len <= len &&
	       memcmp(rule->key, addr, rule->key_len) == 0 &&
	       (rule->key_len == len || end == '.' || end == ':');
}

/* The first of the longest, by looking at them all. */
static const struct tcp_rule *look(
    const struct tcp_rules *r, const char *addr, size_t len)
{
	const struct tcp_rule *best = NULL;

	for (size_t i = 0; i < tcp_rules_count(r); i++) {
		const struct tcp_rule *rule = tcp_rules_at(r, i);

		if (is_prefix(rule, addr, len) &&
		    (!best || rule->key_len > best->key_len))
			best = rule;
	}
	return best;
}

static void check_grant(const struct tcp_rule *rule)
{
	static char out[OUT_SIZE];
	size_t had = rule ? rule->data_len : 0, len;

	if (had > OUT_SIZE / 2)
		return;
	len = tcp_rule_with(rule, "RELAYCLIENT", "", out, sizeof(out));
	must(len >= had && (had == 0 || memcmp(out, rule->data, had) == 0));
	must(
	    len == had || memcmp(out + had, "+RELAYCLIENT=\0", len - had) == 0);
	must(len == 0 || out[len - 1] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	char addr[ADDRESS_SIZE];
	const struct tcp_rule *rule;
	struct tcp_rules *r;
	struct err err = { 0 };
	size_t len;

	if (size == 0)
		return 0;
	len = (size_t)snprintf(addr, sizeof(addr),
	    data[0] & 1 ? "10.1.2.%u" : "2001:db8::%x", data[0]);
	r = tcp_rules_parse(text + 1, size - 1, &err);
	if (!r) {
		must(err.code == EXIT_USER && err.text[0]);
		return 0;
	}
	rule = tcp_rules_match(r, addr, len);
	must(rule == look(r, addr, len));
	for (size_t i = 0; i < tcp_rules_count(r); i++) {
		const struct tcp_rule *one = tcp_rules_at(r, i);

		must(
		    one->data_len == 0 || one->data[one->data_len - 1] == '\0');
	}
	check_grant(rule);
	tcp_rules_free(&r);
	return 0;
}
