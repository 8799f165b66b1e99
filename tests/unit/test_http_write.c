/* SPDX-License-Identifier: ISC */
/*
 * test_http_write - the shape of the JSON that the http listener answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "listener/http_write.h"

static const struct moment now = { 1700000000000, 5000000 };

static struct lease lease_of(const char *user)
{
	struct lease l = { .bits = 128,
		.flags = LEASE_TLS,
		.sessions = 2,
		.first_login = 1699999000000,
		.last_login = 1699999900000,
		.end = { 1700000060500, 5030500 },
		.user_len = (uint8_t)strlen(user) };

	assert_true(addr_parse("192.0.2.7", 9, &l.addr));
	memcpy(l.user, user, l.user_len);
	return l;
}

static void is_text(json_t *json, const char *want)
{
	char *text = http_write_text(json);

	assert_string_equal(text, want);
	free(text);
}

#define REST                                                                   \
	"\"ttl\":31,\"first_login\":\"2023-11-14T21:56:40Z\","                 \
	"\"last_login\":\"2023-11-14T22:11:40Z\","                             \
	"\"end\":\"2023-11-14T22:14:20Z\",\"sessions\":2,\"source\":\"log\","  \
	"\"server\":\"dovecot\",\"tls\":true,\"by_hand\":false}"

static void test_leases(void **state)
{
	struct lease l = lease_of("j\"o"), odd = lease_of("\xff%");

	(void)state;
	is_text(http_write_lease(&l, "log", "dovecot", now, true),
	    "{\"address\":\"192.0.2.7\",\"user\":\"j\\\"o\"," REST);
	is_text(http_write_lease(&l, "log", "dovecot", now, false),
	    "{\"address\":\"192.0.2.7\"," REST);
	is_text(http_write_lease(&odd, "log", "dovecot", now, true),
	    "{\"address\":\"192.0.2.7\",\"user_coded\":\"%FF%25\"," REST);
	assert_true(addr_parse("2001:db8::", 10, &l.addr));
	l.bits = 64;
	is_text(http_write_lease(&l, "log", "dovecot", now, false),
	    "{\"address\":\"2001:db8::/64\"," REST);
}

static void test_answers(void **state)
{
	struct answer a = { .verdict = VERDICT_ALLOW,
		.reason = "lease",
		.ttl = 1500,
		.user_len = 2,
		.user = "jo" };

	(void)state;
	is_text(http_write_answer(&a, true),
	    "{\"verdict\":\"allow\",\"reason\":\"lease\",\"ttl\":2,"
	    "\"user\":\"jo\"}");
	is_text(http_write_answer(&a, false),
	    "{\"verdict\":\"allow\",\"reason\":\"lease\",\"ttl\":2}");
	/* Who only observes tells neither. */
	a.verdict = VERDICT_NONE;
	a.observed = true;
	is_text(http_write_answer(&a, true),
	    "{\"verdict\":\"none\",\"reason\":\"lease\",\"observed\":true}");
	a = (struct answer){ .verdict = VERDICT_TEMPFAIL, .reason = "ledger" };
	is_text(http_write_answer(&a, true),
	    "{\"verdict\":\"tempfail\",\"reason\":\"ledger\"}");
}

static void test_explanations(void **state)
{
	struct explain *e = xcalloc(1, sizeof(*e));

	(void)state;
	e->answer = (struct answer){ .reason = "no-lease" };
	e->rule = EXPLAIN_REVOKED;
	e->lease_count = e->lease_total = 1;
	e->leases[0] = (struct explain_lease){ .lease = lease_of("jo"),
		.source = "log",
		.server = "dovecot",
		.why_not = "over" };
	e->key = (struct net){ e->leases[0].lease.addr, 128 };
	e->networks[RULES_PRIVATE].found = true;
	e->networks[RULES_PRIVATE].net = (struct net){ e->key.addr, 120 };
	e->revocation_count = 1;
	e->revocation_total = 3;
	e->revocations[0] = (struct ledger_revocation){ .user_len = 2,
		.user = "jo",
		.time = 1700000000000,
		.until = 1700000060000 };
	is_text(http_write_explain(e, now),
	    "{\"verdict\":\"none\",\"reason\":\"no-lease\","
	    "\"rule\":\"revoked\",\"mode\":\"enforce\","
	    "\"key\":\"192.0.2.7\","
	    "\"networks\":{\"private\":\"192.0.2.7/24\"},"
	    "\"leases\":[{\"address\":\"192.0.2.7\",\"user\":\"jo\","
	    "\"ttl\":31,\"first_login\":\"2023-11-14T21:56:40Z\","
	    "\"last_login\":\"2023-11-14T22:11:40Z\","
	    "\"end\":\"2023-11-14T22:14:20Z\",\"sessions\":2,"
	    "\"source\":\"log\",\"server\":\"dovecot\",\"tls\":true,"
	    "\"by_hand\":false,\"answers\":false,\"why_not\":\"over\"}],"
	    "\"lease_total\":1,"
	    "\"revocations\":[{\"user\":\"jo\","
	    "\"time\":\"2023-11-14T22:13:20Z\","
	    "\"until\":\"2023-11-14T22:14:20Z\"}],"
	    "\"revocation_total\":3}");
	free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leases),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_explanations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
