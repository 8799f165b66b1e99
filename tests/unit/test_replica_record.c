/* SPDX-License-Identifier: ISC */
/*
 * test_replica_record - records as text and back, keys that change, and all
 * that is no record though somebody signed it.
 */
#include <stdlib.h>

#include "replica_world.h"

static struct replica_keys *keys;

static int setup(void **state)
{
	(void)state;
	keys = keys_of("k1 " SECRET_1 "\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	replica_keys_free(&keys);
	return 0;
}

static void comes_back(const struct replica_record *r)
{
	char text[REPLICA_RECORD_MAX];
	struct replica_record back;
	size_t len = replica_encode(r, keys, text);

	assert_in_range(len, 1, REPLICA_RECORD_MAX - 1);
	assert_int_equal(strlen(text), len);
	memset(&back, 0xaa, sizeof(back));
	assert_int_equal(replica_decode(text, len, keys, &back), REPLICA_GOOD);
	assert_int_equal(back.kind, r->kind);
	assert_int_equal(back.node, r->node);
	assert_int_equal(back.sequence, r->sequence);
	assert_int_equal(back.issued, r->issued);
	assert_int_equal(back.time, r->time);
	assert_int_equal(back.end, r->end);
	assert_true(addr_equal(&back.addr, &r->addr));
	assert_int_equal(back.tls, r->tls);
	assert_int_equal(back.user_len, r->user_len);
	assert_memory_equal(back.user, r->user, r->user_len + 1U);
	assert_string_equal(back.server, r->server);
}

static void test_replica_record_is_this_text(void **state)
{
	static const char lease[] =
	    "1 lease address=192.0.2.7 user=anna%20b%25 tls=yes server=dovecot "
	    "node=0123456789abcdef issued=1700000000000 time=1699999999000 "
	    "end=1700001800000 key=k1 "
	    "mac=";
	static const char revoke[] =
	    "1 revoke address=any user=anna node=0123456789abcdef sequence=7 "
	    "issued=1700000000000 time=1699999999000 end=1700001800000 key=k1 "
	    "mac=";
	struct replica_record r = lease_record("192.0.2.7", "anna b%");
	char text[REPLICA_RECORD_MAX];

	(void)state;
	assert_int_equal(
	    replica_encode(&r, keys, text), sizeof(lease) - 1 + 64);
	assert_memory_equal(text, lease, sizeof(lease) - 1);
	r = revoke_record(NULL, "anna");
	assert_int_equal(
	    replica_encode(&r, keys, text), sizeof(revoke) - 1 + 64);
	assert_memory_equal(text, revoke, sizeof(revoke) - 1);
}

static void test_replica_record_comes_back_as_it_went(void **state)
{
	struct replica_record r = lease_record("192.0.2.7", "anna@example.org");

	(void)state;
	comes_back(&r);
	r.tls = 0;
	r.server[0] = '\0';
	comes_back(&r);
	r = lease_record("2001:db8::7", "");
	comes_back(&r);
	r = lease_record("192.0.2.7", " a=b%00 \x7f\xff\xc3\xa4 mac=key=");
	comes_back(&r);
	r = revoke_record("192.0.2.7", "");
	comes_back(&r);
	r = revoke_record("2001:db8::", "anna");
	r.sequence = UINT64_MAX;
	r.node = 0;
	comes_back(&r);
	r.time = 0;
	r.issued = 0;
	r.end = (INT64_C(1) << 48) - 1;
	comes_back(&r);
}

static void test_replica_record_has_room_for_the_longest(void **state)
{
	struct replica_record r =
	    lease_record("2001:db8:1111:2222:3333:4444:5555:6666", "");
	struct replica_keys *longest =
	    keys_of("abcdefghijklmnop " SECRET_1 "\n");

	(void)state;
	memset(r.user, 0xff, LOGIN_USER_MAX);
	r.user_len = LOGIN_USER_MAX;
	memset(r.server, 0xff, LOGIN_SERVER_MAX);
	r.node = UINT64_MAX;
	r.end = (INT64_C(1) << 48) - 1;
	r.issued = r.time = r.end - 1;
	comes_back(&r);
	replica_keys_free(&keys);
	keys = longest;
	comes_back(&r);
	r.kind = REPLICA_REVOKE;
	r.tls = 0;
	memset(r.server, 0, sizeof(r.server));
	r.sequence = UINT64_MAX;
	comes_back(&r);
}

static void is_unsound(const struct replica_record *r, int line)
{
	char text[REPLICA_RECORD_MAX];

	if (replica_encode(r, keys, text) != 0 || text[0] != '\0')
		fail_msg("line %d: was written", line);
}

static void test_replica_record_writes_only_what_is_sound(void **state)
{
	struct replica_record r = lease_record("::", "anna");

	(void)state;
	is_unsound(&r, __LINE__);
	r = lease_record("192.0.2.7", "an\nna");
	is_unsound(&r, __LINE__);
	r = lease_record("192.0.2.7", "anna");
	r.user_len--;
	is_unsound(&r, __LINE__);
	r = lease_record("192.0.2.7", "anna");
	r.time = r.issued + 1;
	is_unsound(&r, __LINE__);
	r = lease_record("192.0.2.7", "anna");
	r.end = r.issued;
	is_unsound(&r, __LINE__);
	r.end = INT64_C(1) << 48;
	is_unsound(&r, __LINE__);
	r = lease_record("192.0.2.7", "anna");
	r.time = -1;
	is_unsound(&r, __LINE__);
	r = lease_record("192.0.2.7", "anna");
	r.kind = (enum replica_kind)3;
	is_unsound(&r, __LINE__);
	r = revoke_record(NULL, "");
	is_unsound(&r, __LINE__);
}

/* --- signatures ----------------------------------------------------------- */

static void test_replica_record_no_byte_may_change(void **state)
{
	struct replica_record records[] = { lease_record("192.0.2.7", "anna"),
		revoke_record("2001:db8::7", "anna") };
	char text[REPLICA_RECORD_MAX];
	struct replica_record back;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(records); i++) {
		size_t len = replica_encode(&records[i], keys, text);

		for (size_t at = 0; at < len; at++)
			for (int flip = 1; flip < 256; flip++) {
				text[at] ^= (char)flip;
				if (replica_decode(text, len, keys, &back) ==
				    REPLICA_GOOD)
					fail_msg("byte %zu ^ %d", at, flip);
				text[at] ^= (char)flip;
			}
		assert_int_equal(
		    replica_decode(text, len, keys, &back), REPLICA_GOOD);
	}
}

static void test_replica_record_must_be_whole(void **state)
{
	struct replica_record r = lease_record("192.0.2.7", "anna"), back;
	char text[REPLICA_RECORD_MAX + 1];
	size_t len = replica_encode(&r, keys, text);

	(void)state;
	for (size_t n = 0; n < len; n++) {
		assert_int_not_equal(
		    replica_decode(text, n, keys, &back), REPLICA_GOOD);
		assert_int_not_equal(
		    replica_decode(text + n + 1, len - n - 1, keys, &back),
		    REPLICA_GOOD);
	}
	for (int c = 0; c < 256; c++) {
		text[len] = (char)c;
		assert_int_not_equal(
		    replica_decode(text, len + 1, keys, &back), REPLICA_GOOD);
	}
}

static void test_replica_record_is_untouched_by_what_is_refused(void **state)
{
	struct replica_record r = lease_record("192.0.2.7", "anna"), back;
	char text[REPLICA_RECORD_MAX];
	size_t len = replica_encode(&r, keys, text);
	struct replica_record before;

	(void)state;
	memset(&back, 0x55, sizeof(back));
	before = back;
	text[20] ^= 1;
	assert_int_equal(
	    replica_decode(text, len, keys, &back), REPLICA_FORGED);
	assert_memory_equal(&back, &before, sizeof(back));
}

static void test_replica_record_keys_change_without_a_gap(void **state)
{
	static const char *const steps[] = {
		"k1 " SECRET_1 "\n",
		"k1 " SECRET_1 "\nk2 " SECRET_2 "\n",
		"k2 " SECRET_2 "\nk1 " SECRET_1 "\n",
		"k2 " SECRET_2 "\n",
	};
	struct replica_record r = lease_record("192.0.2.7", "anna"), back;
	char text[REPLICA_RECORD_MAX];

	(void)state;
	/* Each node is at most one step from each other. */
	for (size_t from = 0; from < COUNT_OF(steps); from++)
		for (size_t to = 0; to < COUNT_OF(steps); to++) {
			struct replica_keys *a = keys_of(steps[from]);
			struct replica_keys *b = keys_of(steps[to]);
			size_t len = replica_encode(&r, a, text);
			enum replica_fault fault =
			    replica_decode(text, len, b, &back);

			if (labs((long)from - (long)to) <= 1)
				assert_int_equal(fault, REPLICA_GOOD);
			else if (fault != REPLICA_GOOD)
				assert_int_equal(fault, REPLICA_UNKNOWN_KEY);
			replica_keys_free(&a);
			replica_keys_free(&b);
		}
}

static void test_replica_record_another_secret_is_forged(void **state)
{
	struct replica_keys *theirs = keys_of("k1 " SECRET_2 "\n");
	struct replica_record r = lease_record("192.0.2.7", "anna"), back;
	char text[REPLICA_RECORD_MAX];
	size_t len = replica_encode(&r, theirs, text);

	(void)state;
	assert_int_equal(
	    replica_decode(text, len, keys, &back), REPLICA_FORGED);
	replica_keys_free(&theirs);
}

/* --- signed, and yet no record -------------------------------------------- */

#define TIMES "issued=1700000000000 time=1699999999000 end=1700001800000 "
#define HEAD  "1 lease address=192.0.2.7 user=anna tls=yes server=dovecot "
#define NODE  "node=0123456789abcdef "

static enum replica_fault decode_signed(const char *body, size_t body_len)
{
	char text[2 * REPLICA_RECORD_MAX];
	struct replica_record back;
	size_t len = sign(body, body_len, SECRET_1, text, sizeof(text));

	return replica_decode(text, len, keys, &back);
}

static const char *const no_records[] = {
	/* order, and words twice, missing, unknown or empty */
	"1 lease user=anna address=192.0.2.7 tls=yes "
	"server=dovecot " NODE TIMES "key=k1",
	HEAD NODE NODE TIMES "key=k1",
	HEAD TIMES "key=k1",
	HEAD NODE TIMES "more=1 key=k1",
	HEAD NODE TIMES "key=k1 key=k1",
	HEAD "key=k1 " NODE TIMES "key=k1",
	HEAD NODE TIMES "mac=0 key=k1",
	"key=k1 " HEAD NODE TIMES "key=k1",
	HEAD NODE TIMES "sequence=1 key=k1",
	"1 lease address= user=anna tls=yes server= " NODE TIMES "key=k1",
	" key=k1",
	"1 key=k1",
	"1 lease key=k1",
	/* blanks */
	HEAD NODE TIMES " key=k1",
	" " HEAD NODE TIMES "key=k1",
	"1  lease address=192.0.2.7 user=anna tls=yes "
	"server=dovecot " NODE TIMES "key=k1",
	/* version and kind */
	"2 lease address=192.0.2.7 user=anna tls=yes "
	"server=dovecot " NODE TIMES "key=k1",
	"01 lease address=192.0.2.7 user=anna tls=yes "
	"server=dovecot " NODE TIMES "key=k1",
	"1 leases address=192.0.2.7 user=anna tls=yes "
	"server=dovecot " NODE TIMES "key=k1",
	"lease address=192.0.2.7 user=anna tls=yes server=dovecot " NODE TIMES
	"key=k1",
	/* addresses */
	"1 lease address=any user=anna tls=yes server= " NODE TIMES "key=k1",
	"1 lease address=:: user=anna tls=yes server= " NODE TIMES "key=k1",
	"1 lease address=192.0.2.07 user=anna tls=yes server= " NODE TIMES
	"key=k1",
	"1 lease address=::ffff:192.0.2.7 user=anna tls=yes "
	"server= " NODE TIMES "key=k1",
	"1 lease address=2001:DB8::7 user=anna tls=yes server= " NODE TIMES
	"key=k1",
	"1 lease address=192.0.2.0/24 user=anna tls=yes server= " NODE TIMES
	"key=k1",
	/* coding */
	"1 lease address=192.0.2.7 user=%61nna tls=yes server= " NODE TIMES
	"key=k1",
	"1 lease address=192.0.2.7 user=anna%c3 tls=yes server= " NODE TIMES
	"key=k1",
	"1 lease address=192.0.2.7 user=anna%0A tls=yes server= " NODE TIMES
	"key=k1",
	"1 lease address=192.0.2.7 user=anna%01 tls=yes server= " NODE TIMES
	"key=k1",
	"1 lease address=192.0.2.7 user=anna%00 tls=yes server= " NODE TIMES
	"key=k1",
	"1 lease address=192.0.2.7 user=an=na tls=yes server= " NODE TIMES
	"key=k1",
	"1 lease address=192.0.2.7 user=anna tls=1 server= " NODE TIMES
	"key=k1",
	"1 lease address=192.0.2.7 user=anna tls=yess server= " NODE TIMES
	"key=k1",
	"1 lease address=192.0.2.7 user=anna tls=yes "
	"server=abcdefghijklmnopqrstuvwxyz " NODE TIMES "key=k1",
	/* numbers */
	HEAD "node=0123456789ABCDEF " TIMES "key=k1",
	HEAD "node=123456789abcdef " TIMES "key=k1",
	HEAD "node=00123456789abcdef " TIMES "key=k1",
	HEAD NODE "issued=01700000000000 time=1699999999000 "
		  "end=1700001800000 key=k1",
	HEAD NODE "issued=+1700000000000 time=1699999999000 "
		  "end=1700001800000 key=k1",
	HEAD NODE "issued=1700000000000 time=-1 end=1700001800000 "
		  "key=k1",
	HEAD NODE "issued=1700000000000 time= end=1700001800000 key=k1",
	HEAD NODE "issued=1700000000000 time=1699999999000 "
		  "end=281474976710656 key=k1",
	HEAD NODE "issued=1700000000000 time=1699999999000 "
		  "end=18446744073709551616 key=k1",
	/* times out of order */
	HEAD NODE "issued=1700000000000 time=1700000000001 "
		  "end=1700001800000 key=k1",
	HEAD NODE "issued=1700000000000 time=1699999999000 "
		  "end=1700000000000 key=k1",
	/* revocations of nobody, and with a lease's words */
	"1 revoke address=any user= " NODE "sequence=7 " TIMES "key=k1",
	"1 revoke address=any user=anna " NODE TIMES "key=k1",
	"1 revoke address=any user=anna tls=no server= " NODE
	"sequence=7 " TIMES "key=k1",
	"1 revoke address=any user=anna " NODE "sequence=07 " TIMES "key=k1",
	"1 revoke address=any user=anna " NODE
	"sequence=18446744073709551616 " TIMES "key=k1",
};

static void test_replica_record_has_one_text_only(void **state)
{
	(void)state;
	assert_int_equal(decode_signed(HEAD NODE TIMES "key=k1",
			     strlen(HEAD NODE TIMES "key=k1")),
	    REPLICA_GOOD);
	for (size_t i = 0; i < COUNT_OF(no_records); i++) {
		enum replica_fault fault =
		    decode_signed(no_records[i], strlen(no_records[i]));

		if (fault != REPLICA_MALFORMED)
			fail_msg("%s: \"%s\"", replica_fault_word(fault),
			    no_records[i]);
	}
}

static void test_replica_record_holds_no_control_byte(void **state)
{
	char body[] = HEAD NODE TIMES "key=k1";
	size_t len = strlen(body);

	(void)state;
	for (size_t at = 0; at < len - strlen(" key=k1"); at++) {
		static const char odd[] = { '\0', '\n', '\r', '\t', '\x7f' };
		char was = body[at];

		for (size_t i = 0; i < sizeof(odd); i++) {
			body[at] = odd[i];
			assert_int_equal(
			    decode_signed(body, len), REPLICA_MALFORMED);
		}
		body[at] = was;
	}
}

static void test_replica_record_has_an_end(void **state)
{
	char body[2 * REPLICA_RECORD_MAX] = "1 lease address=192.0.2.7 user=";
	size_t head = strlen(body),
	       tail = sizeof(" tls=yes server= " NODE TIMES "key=k1") - 1;

	(void)state;
	/* One letter less than too long, and much more. */
	for (size_t letters = LOGIN_USER_MAX; letters < 1800; letters++) {
		enum replica_fault fault;

		memset(body + head, 'x', letters);
		memcpy(body + head + letters,
		    " tls=yes server= " NODE TIMES "key=k1", tail);
		fault = decode_signed(body, head + letters + tail);
		assert_int_equal(fault, letters == LOGIN_USER_MAX
					    ? REPLICA_GOOD
					    : REPLICA_MALFORMED);
	}
}

static void test_replica_record_names_its_key(void **state)
{
	static const char *const unknown[] = { HEAD NODE TIMES "key=k2",
		HEAD NODE TIMES "key=k", HEAD NODE TIMES "key=k11" };
	/* No key has such an id. */
	static const char *const none[] = { HEAD NODE TIMES "key=",
		HEAD NODE TIMES "key=K1", HEAD NODE TIMES "key=%6b1",
		HEAD NODE TIMES "key=seventeen-letters", HEAD NODE TIMES "k1",
		HEAD NODE TIMES "key=k1 ", "key=k1" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(unknown); i++)
		assert_int_equal(decode_signed(unknown[i], strlen(unknown[i])),
		    REPLICA_UNKNOWN_KEY);
	for (size_t i = 0; i < COUNT_OF(none); i++)
		assert_int_equal(
		    decode_signed(none[i], strlen(none[i])), REPLICA_MALFORMED);
}

static void test_replica_record_claims_are_for_the_log(void **state)
{
	const struct replica_record r = lease_record("192.0.2.7", "anna");
	static const char foreign[] =
	    "1 lease address=192.0.2.7 user=anna tls=yes server=dovecot "
	    "node=0123456789abcdef issued=2 time=1 end=3 key=";
	static const char *const ids[] = { "Q1", "k=1", "k%31", "",
		"seventeen-letters" };
	struct replica_claim claim = { 0 };
	char bytes[REPLICA_RECORD_MAX], body[sizeof(foreign) + 32];
	size_t len = replica_encode(&r, keys, bytes);

	(void)state;
	/* Whoever signed it. */
	bytes[len - 1] ^= 1;
	assert_true(replica_claim(bytes, len, &claim));
	assert_true(claim.node == NODE_A);
	assert_string_equal(claim.key, replica_keys_first(keys)->id);
	len = (size_t)snprintf(body, sizeof(body), "%sk9-x", foreign);
	len = sign(body, len, SECRET_2, bytes, sizeof(bytes));
	assert_true(replica_claim(bytes, len, &claim));
	assert_string_equal(claim.key, "k9-x");
	/* Only what has the form of a record. */
	assert_false(replica_claim(bytes, len - 1, &claim));
	assert_false(replica_claim(bytes + 1, len - 1, &claim));
	assert_false(replica_claim("", 0, &claim));
	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		len = (size_t)snprintf(
		    body, sizeof(body), "%s%s", foreign, ids[i]);
		len = sign(body, len, SECRET_2, bytes, sizeof(bytes));
		assert_false(replica_claim(bytes, len, &claim));
	}
}

static void test_replica_record_faults_have_words(void **state)
{
	(void)state;
	for (int f = 0; f < REPLICA_FAULTS; f++) {
		const char *word = replica_fault_word((enum replica_fault)f);

		assert_non_null(word);
		assert_string_not_equal(word, "unknown");
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_replica_record_is_this_text),
		TEST(test_replica_record_comes_back_as_it_went),
		TEST(test_replica_record_has_room_for_the_longest),
		TEST(test_replica_record_writes_only_what_is_sound),
		TEST(test_replica_record_no_byte_may_change),
		TEST(test_replica_record_must_be_whole),
		TEST(test_replica_record_is_untouched_by_what_is_refused),
		TEST(test_replica_record_keys_change_without_a_gap),
		TEST(test_replica_record_another_secret_is_forged),
		TEST(test_replica_record_claims_are_for_the_log),
		TEST(test_replica_record_has_one_text_only),
		TEST(test_replica_record_holds_no_control_byte),
		TEST(test_replica_record_has_an_end),
		TEST(test_replica_record_names_its_key),
		TEST(test_replica_record_faults_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
