/* SPDX-License-Identifier: ISC */
/*
 * tcp_rules - the rules that tcprules(1) compiles and tcpserver -x obeys:
 *
 *     192.0.2.7:allow,RELAYCLIENT="",DATABYTES="400"
 *     10.1-4.:deny                         four keys
 *     :allow                               everybody else
 *
 * Data of a rule is, as in the compiled file, 'D' when it denies, and for each
 * variable '+' and NAME=value; a NUL ends each. Of two rules with one key the
 * first is in force. An address is looked up whole, then by ever shorter
 * prefixes that end in a dot (tcpserver 0.88; a colon in those that know IPv6),
 * then as "".
 */
#ifndef EXPORT_TCP_RULES_H
#define EXPORT_TCP_RULES_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct tcp_rules;

struct tcp_rule {
	char *key, *data; /* no NUL behind them */
	size_t key_len, data_len;
};

/* NULL and *err ("line 7: ...") when there is a line that tcprules refuses, or
 * too many rules. */
struct tcp_rules *tcp_rules_parse(
    const char *text, size_t len, struct err *err);
void tcp_rules_free(struct tcp_rules **r);
size_t tcp_rules_count(const struct tcp_rules *r);
/* In the order of the file. */
const struct tcp_rule *tcp_rules_at(const struct tcp_rules *r, size_t i);
/* What is in force for an address; NULL: nothing. */
const struct tcp_rule *tcp_rules_match(
    const struct tcp_rules *r, const char *addr, size_t len);

bool tcp_rule_denies(const struct tcp_rule *rule);
/*
 * The rule's data (NULL: none) with one more variable, unless it sets that
 * already. Returns the length, 0 when out of `size` bytes is too small.
 */
size_t tcp_rule_with(const struct tcp_rule *rule, const char *name,
    const char *value, char *out, size_t size);
#endif
