/* SPDX-License-Identifier: ISC */
/* test_replica_outbox - what other nodes are told, and what is no echo. */
#include "replica_world.h"

#include "replica/outbox.h"
#include "source/source.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define TTL    (30 * MINUTE)
#define UP     INT64_C(5000000)

static const struct moment now = { NOW, UP };

/* Of a login so many ms ago. */
static struct lease lease_of(int64_t age)
{
	struct lease l;

	memset(&l, 0, sizeof(l));
	l.addr = address_of("192.0.2.7");
	l.bits = 128;
	l.flags = LEASE_TLS;
	l.first_login = NOW - 10 * MINUTE;
	l.last_login = NOW - age;
	l.end = (struct moment){ NOW - age + TTL, UP - age + TTL };
	l.user_len = 4;
	memcpy(l.user, "anna", 5);
	return l;
}

static void test_replica_outbox_tells_a_lease(void **state)
{
	struct lease l = lease_of(MINUTE);
	struct replica_record r;

	(void)state;
	assert_true(replica_lease(&l, "file", NODE_A, TTL, now, &r));
	assert_int_equal(r.kind, REPLICA_LEASE);
	assert_int_equal(r.node, NODE_A);
	assert_int_equal(r.issued, NOW);
	assert_int_equal(r.time, NOW - MINUTE);
	assert_int_equal(r.end, NOW + 29 * MINUTE);
	assert_int_equal(replica_lasts(&r), 29 * MINUTE);
	assert_true(addr_equal(&r.addr, &l.addr));
	assert_int_equal(r.tls, 1);
	assert_string_equal(r.user, "anna");
	assert_int_equal(r.user_len, 4);
	assert_string_equal(r.server, "");
	l.flags = LEASE_GRANTED;
	l.user_len = 0;
	l.user[0] = '\0';
	assert_true(replica_lease(&l, "", NODE_A, TTL, now, &r));
	assert_int_equal(r.tls, 0);
	assert_int_equal(r.user_len, 0);
}

static void test_replica_outbox_takes_the_earlier_clock(void **state)
{
	struct lease l = lease_of(MINUTE);
	struct replica_record r;

	(void)state;
	/* The wall clock was put back an hour. */
	l.last_login += 60 * MINUTE;
	l.end.wall += 60 * MINUTE;
	assert_true(replica_lease(&l, "file", NODE_A, TTL, now, &r));
	assert_int_equal(r.end, NOW + 29 * MINUTE);
	assert_int_equal(r.time, NOW);
	/* Or on, by ten minutes. */
	l = lease_of(MINUTE);
	l.last_login -= 10 * MINUTE;
	l.end.wall -= 10 * MINUTE;
	assert_true(replica_lease(&l, "file", NODE_A, TTL, now, &r));
	assert_int_equal(r.end, NOW + 19 * MINUTE);
	assert_int_equal(r.time, NOW - 11 * MINUTE);
}

static void test_replica_outbox_never_tells_more_than_a_ttl(void **state)
{
	struct lease l = lease_of(0);
	struct replica_record r;

	(void)state;
	/* The ttl was an hour until a reload. */
	l.last_login = NOW - 10 * MINUTE;
	l.end = (struct moment){ NOW + 50 * MINUTE, UP + 50 * MINUTE };
	assert_true(replica_lease(&l, "file", NODE_A, TTL, now, &r));
	assert_int_equal(r.end, NOW + TTL);
	assert_in_range(r.time, NOW - 10 * MINUTE, NOW);
}

static void test_replica_outbox_a_held_session_is_a_proof(void **state)
{
	struct lease l = lease_of(20 * MINUTE);
	struct replica_record r;

	(void)state;
	l.sessions = 1;
	l.end =
	    (struct moment){ NOW - 5 * SECOND + TTL, UP - 5 * SECOND + TTL };
	assert_true(replica_lease(&l, "file", NODE_A, TTL, now, &r));
	assert_int_equal(r.time, NOW - 5 * SECOND);
	assert_int_equal(r.end, NOW - 5 * SECOND + TTL);
	/* Another node told of a later login; the session is still ours. */
	assert_true(replica_lease(&l, "redis", NODE_A, TTL, now, &r));
	assert_int_equal(r.time, NOW - 5 * SECOND);
	/* It holds nothing: the login of the other node is the later one. */
	l = lease_of(MINUTE);
	l.sessions = 1;
	assert_false(replica_lease(&l, "redis", NODE_A, TTL, now, &r));
}

static void test_replica_outbox_a_short_grant_stays_short(void **state)
{
	struct lease l = lease_of(0);
	struct replica_record r;

	(void)state;
	l.flags = LEASE_GRANTED;
	l.end = (struct moment){ NOW + MINUTE, UP + MINUTE };
	assert_true(replica_lease(&l, "", NODE_A, TTL, now, &r));
	assert_int_equal(r.time, NOW);
	assert_int_equal(r.end, NOW + MINUTE);
}

static void test_replica_outbox_is_silent_about_what_is_over(void **state)
{
	struct lease l = lease_of(TTL);
	struct replica_record r;

	(void)state;
	assert_false(replica_lease(&l, "file", NODE_A, TTL, now, &r));
	l.end = (struct moment){ NOW + MINUTE, UP };
	assert_false(replica_lease(&l, "file", NODE_A, TTL, now, &r));
	l.end = (struct moment){ NOW - 1, UP + MINUTE };
	assert_false(replica_lease(&l, "file", NODE_A, TTL, now, &r));
	l.end = (struct moment){ NOW + 1, UP + 1 };
	assert_true(replica_lease(&l, "file", NODE_A, TTL, now, &r));
}

static void test_replica_outbox_is_no_echo(void **state)
{
	struct lease l = lease_of(MINUTE);
	struct replica_record r;

	(void)state;
	assert_false(replica_lease(&l, "redis", NODE_A, TTL, now, &r));
	assert_false(replica_lease(&l, "sql-stream", NODE_A, TTL, now, &r));
	for (size_t i = 0; source_kinds[i]; i++)
		if (replica_is_echo(source_kinds[i]->name) !=
		    source_kinds[i]->hears_nodes)
			fail_msg("%s: hears_nodes and replica_is_echo() differ",
			    source_kinds[i]->name);
}

static struct ledger_revocation revocation_of(const char *origin)
{
	struct ledger_revocation v;

	memset(&v, 0, sizeof(v));
	v.addr = address_of("192.0.2.7");
	v.time = NOW - MINUTE;
	v.until = NOW + 10 * MINUTE;
	v.sequence = 12;
	(void)snprintf(v.origin, sizeof(v.origin), "%s", origin);
	return v;
}

static void test_replica_outbox_tells_its_own_revocations(void **state)
{
	struct ledger_revocation v = revocation_of("0123456789abcdef");
	struct replica_record r;

	(void)state;
	assert_true(replica_revocation(&v, NODE_A, now, &r));
	assert_int_equal(r.kind, REPLICA_REVOKE);
	assert_int_equal(r.node, NODE_A);
	assert_int_equal(r.sequence, 12);
	assert_int_equal(r.issued, NOW);
	assert_int_equal(r.time, NOW - MINUTE);
	assert_int_equal(r.end, NOW + 10 * MINUTE);
	assert_true(addr_equal(&r.addr, &v.addr));
	assert_int_equal(r.user_len, 0);
	memset(&v.addr, 0, sizeof(v.addr));
	v.user_len = 4;
	memcpy(v.user, "anna", 5);
	v.time = NOW + MINUTE; /* our clock was put back since */
	assert_true(replica_revocation(&v, NODE_A, now, &r));
	assert_string_equal(r.user, "anna");
	assert_int_equal(r.time, NOW);
	assert_int_equal(replica_lasts(&r), 10 * MINUTE + 24 * 60 * MINUTE);
}

static void test_replica_outbox_tells_a_revocation_past_its_end(void **state)
{
	struct replica_keys *keys = keys_of("k1 " SECRET_1 "\n");
	struct ledger_revocation v = revocation_of("0123456789abcdef");
	struct replica_record r, back;
	char text[REPLICA_RECORD_MAX];
	size_t len;

	(void)state;
	v.time = NOW - 24 * 60 * MINUTE;
	v.until = v.time + 1;
	assert_true(replica_revocation(&v, NODE_A, now, &r));
	assert_int_equal(r.end, v.until);
	assert_int_equal(replica_lasts(&r), 1);
	len = replica_encode(&r, keys, text);
	assert_int_equal(replica_decode(text, len, keys, &back), REPLICA_GOOD);
	v.until--;
	assert_false(replica_revocation(&v, NODE_A, now, &r));
	replica_keys_free(&keys);
}

static void test_replica_outbox_tells_no_others_revocation(void **state)
{
	struct ledger_revocation v = revocation_of("fedcba9876543210");
	struct replica_record r;

	(void)state;
	assert_false(replica_revocation(&v, NODE_A, now, &r));
	assert_true(replica_revocation(&v, NODE_B, now, &r));
	v = revocation_of("");
	assert_false(replica_revocation(&v, 0, now, &r));
}

static void test_replica_outbox_reads_the_id_of_a_node(void **state)
{
	static const char *const bad[] = { "", "0123456789abcde",
		"0123456789abcdef0", "0123456789ABCDEF", "0123456789abcdeg",
		" 123456789abcdef", "0x23456789abcdef" };
	uint64_t node = 0;

	(void)state;
	assert_true(replica_node("0123456789abcdef", &node));
	assert_int_equal(node, NODE_A);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_false(replica_node(bad[i], &node));
	assert_int_equal(node, NODE_A);
}

/* All that the outbox makes, a node takes. */
static void test_replica_outbox_makes_what_is_taken(void **state)
{
	struct replica_keys *keys = keys_of("k1 " SECRET_1 "\n");
	uint64_t seed = 1;
	size_t told = 0;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		struct lease l = lease_of(0);
		struct replica_record r, back;
		char text[REPLICA_RECORD_MAX];
		size_t len;

		l.last_login =
		    NOW - TTL + (int64_t)(random_of(&seed) % (2 * TTL));
		l.end.wall =
		    NOW - TTL + (int64_t)(random_of(&seed) % (4 * TTL));
		l.end.boot = UP - TTL + (int64_t)(random_of(&seed) % (4 * TTL));
		l.sessions = random_of(&seed) & 1;
		if (!replica_lease(&l, random_of(&seed) & 1 ? "redis" : "file",
			NODE_A, TTL, now, &r))
			continue;
		told++;
		assert_true(r.end <= l.end.wall && r.end <= NOW + TTL);
		assert_true(r.end - NOW <= l.end.boot - UP);
		len = replica_encode(&r, keys, text);
		assert_int_equal(
		    replica_decode(text, len, keys, &back), REPLICA_GOOD);
	}
	assert_in_range(told, 1000, 9000);
	replica_keys_free(&keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replica_outbox_tells_a_lease),
		cmocka_unit_test(test_replica_outbox_takes_the_earlier_clock),
		cmocka_unit_test(
		    test_replica_outbox_never_tells_more_than_a_ttl),
		cmocka_unit_test(test_replica_outbox_a_held_session_is_a_proof),
		cmocka_unit_test(test_replica_outbox_a_short_grant_stays_short),
		cmocka_unit_test(
		    test_replica_outbox_is_silent_about_what_is_over),
		cmocka_unit_test(test_replica_outbox_is_no_echo),
		cmocka_unit_test(test_replica_outbox_tells_its_own_revocations),
		cmocka_unit_test(
		    test_replica_outbox_tells_a_revocation_past_its_end),
		cmocka_unit_test(
		    test_replica_outbox_tells_no_others_revocation),
		cmocka_unit_test(test_replica_outbox_reads_the_id_of_a_node),
		cmocka_unit_test(test_replica_outbox_makes_what_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
