/* SPDX-License-Identifier: ISC */
/* test_record - rows to bytes and back; what is not sound is refused. */
#include "ledger/record.h"
#include "ledger_dir.h"

static struct lease a_lease(void)
{
	struct lease row = lease_of("192.0.2.7", "alice@example.org",
	    (struct moment){ 1700001800123, 6800123 });

	row.flags = LEASE_TLS | LEASE_GRANTED;
	row.sessions = 3;
	row.source = 258;
	row.server = 65535;
	row.first_login = 1699990000001;
	row.last_login = 1700000000002;
	return row;
}

static size_t key_of(const struct lease *row, uint8_t *key)
{
	return record_lease_key(&row->addr, row->user, row->user_len, key);
}

static void test_record_lease_comes_back_as_it_went(void **state)
{
	struct lease row = a_lease(), back;
	uint8_t key[RECORD_LEASE_KEY_MAX], value[RECORD_LEASE_SIZE];
	size_t len = key_of(&row, key);
	uint16_t boot = 0;

	(void)state;
	memset(&back, 0, sizeof(back));
	assert_int_equal(len, 16 + row.user_len);
	assert_int_equal(
	    record_lease_encode(&row, 777, key, len, value), RECORD_LEASE_SIZE);
	assert_true(record_lease_decode(
	    key, len, value, RECORD_LEASE_SIZE, &back, &boot));
	assert_int_equal(boot, 777);
	assert_memory_equal(&row, &back, sizeof(row));
}

static void test_record_lease_takes_the_longest_and_no_user(void **state)
{
	struct lease row = a_lease(), back;
	uint8_t key[RECORD_LEASE_KEY_MAX], value[RECORD_LEASE_SIZE];
	uint16_t boot;
	size_t len;

	(void)state;
	for (int n = 0; n <= LOGIN_USER_MAX; n += LOGIN_USER_MAX) {
		row.user_len = (uint8_t)n;
		memset(row.user, 'x', sizeof(row.user));
		row.user[n] = '\0';
		len = key_of(&row, key);
		assert_int_equal(len, 16 + n);
		assert_int_equal(record_lease_encode(&row, 1, key, len, value),
		    RECORD_LEASE_SIZE);
		assert_true(record_lease_decode(
		    key, len, value, sizeof(value), &back, &boot));
		assert_int_equal(back.user_len, n);
		assert_string_equal(back.user, row.user);
	}
	assert_int_equal(
	    record_lease_key(&row.addr, row.user, LOGIN_USER_MAX + 1, key), 0);
}

static void refused_at(const struct lease *row, int line)
{
	uint8_t key[RECORD_LEASE_KEY_MAX], value[RECORD_LEASE_SIZE];
	size_t len = key_of(row, key);

	if (len > 0 && record_lease_encode(row, 1, key, len, value) > 0)
		fail_msg("line %d: taken", line);
}
#define refused(row) refused_at(row, __LINE__)

static void test_record_lease_refuses_what_is_not_sound(void **state)
{
	struct lease row;

	(void)state;
	row = a_lease();
	row.bits = 0;
	refused(&row);
	row.bits = 129;
	refused(&row);
	row.bits = 95; /* half of IPv4 and more */
	refused(&row);
	row = a_lease();
	row.bits = 120; /* host bits are set */
	refused(&row);
	row = a_lease();
	row.flags = 0x80;
	refused(&row);
	row = a_lease();
	memset(&row.addr, 0, sizeof(row.addr));
	refused(&row);
	row = a_lease();
	row.end.wall = -1;
	refused(&row);
	row.end.wall = (int64_t)1 << 48;
	refused(&row);
	row = a_lease();
	row.end.boot = (int64_t)1 << 40;
	refused(&row);
	row = a_lease();
	row.user[3] = '\n';
	refused(&row);
}

static void test_record_any_flipped_bit_is_no_lease(void **state)
{
	struct lease row = a_lease(), back;
	uint8_t key[RECORD_LEASE_KEY_MAX], value[RECORD_LEASE_SIZE];
	size_t len = key_of(&row, key), taken = 0;
	uint16_t boot;

	(void)state;
	(void)record_lease_encode(&row, 1, key, len, value);
	for (size_t bit = 0; bit < len * 8; bit++) {
		key[bit / 8] ^= (uint8_t)(1U << bit % 8);
		taken += record_lease_decode(
		    key, len, value, sizeof(value), &back, &boot);
		key[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	for (size_t bit = 0; bit < sizeof(value) * 8; bit++) {
		value[bit / 8] ^= (uint8_t)(1U << bit % 8);
		taken += record_lease_decode(
		    key, len, value, sizeof(value), &back, &boot);
		value[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_int_equal(taken, 0);
	assert_true(
	    record_lease_decode(key, len, value, sizeof(value), &back, &boot));
}

static void test_record_other_lengths_are_no_lease(void **state)
{
	struct lease row = a_lease(), back;
	uint8_t key[RECORD_LEASE_KEY_MAX + 1], value[RECORD_LEASE_SIZE + 1];
	size_t len = key_of(&row, key);
	uint16_t boot;

	(void)state;
	memset(value, 0, sizeof(value));
	(void)record_lease_encode(&row, 1, key, len, value);
	for (size_t n = 0; n <= sizeof(value); n++)
		assert_int_equal(
		    record_lease_decode(key, len, value, n, &back, &boot),
		    n == RECORD_LEASE_SIZE);
	for (size_t n = 0; n < len; n++)
		assert_false(record_lease_decode(
		    key, n, value, RECORD_LEASE_SIZE, &back, &boot));
}

static void test_record_rows_of_one_table_are_none_in_another(void **state)
{
	uint8_t value[40] = { 1, 2, 3 };

	(void)state;
	assert_int_not_equal(
	    record_check(RECORD_LEASE, "key", 3, value, sizeof(value)),
	    record_check(RECORD_SESSION, "key", 3, value, sizeof(value)));
	/* A byte that moves from the key to the value is another row. */
	assert_int_not_equal(record_check(RECORD_LEASE, "keyx", 4, value, 30),
	    record_check(RECORD_LEASE, "key", 3, value, 30));
}

static void test_record_session_comes_back_as_it_went(void **state)
{
	struct ledger_session s, back;
	uint8_t key[RECORD_SESSION_KEY_MAX], value[RECORD_SESSION_MAX];
	size_t key_len, len;
	uint16_t boot;

	(void)state;
	memset(&s, 0, sizeof(s));
	s.server = 513;
	s.source = 2;
	s.mpid = 4000000000U;
	s.mpid_start = UINT64_MAX;
	s.began = t0.wall;
	s.since = t0;
	s.last_sign = later(5);
	s.addr = address("2001:db8::7");
	s.user_len = 3;
	memcpy(s.user, "bob", 3);
	s.session_len = 5;
	memcpy(s.session, "xy=z+", 5);
	key_len = record_session_key(s.server, s.session, 5, key);
	assert_int_equal(key_len, 7);
	len = record_session_encode(&s, 9, key, key_len, value);
	assert_int_equal(len, RECORD_SESSION_MAX - LOGIN_USER_MAX + 3);
	assert_true(
	    record_session_decode(key, key_len, value, len, &back, &boot));
	assert_memory_equal(&s, &back, sizeof(s));
	assert_int_equal(boot, 9);
	assert_int_equal(record_session_key(1, "", 0, key), 0);
	assert_int_equal(record_session_key(1, "a\nb", 3, key), 0);
}

static struct ledger_revocation a_revocation(void)
{
	struct ledger_revocation r;

	memset(&r, 0, sizeof(r));
	r.addr = address("192.0.2.9");
	r.time = t0.wall;
	r.until = t0.wall + 9;
	r.keep = later(99);
	r.sequence = 4;
	memcpy(r.origin, "0123456789abcdef", 17);
	return r;
}

static void test_record_revocation_comes_back_as_it_went(void **state)
{
	struct ledger_revocation r = a_revocation(), back;
	uint8_t key[RECORD_LEASE_KEY_MAX], value[RECORD_REVOCATION_SIZE];
	size_t len = record_lease_key(&r.addr, r.user, 0, key);
	uint16_t boot;

	(void)state;
	memset(&back, 0, sizeof(back));
	assert_int_equal(record_revocation_encode(&r, 1, key, len, value),
	    RECORD_REVOCATION_SIZE);
	assert_true(record_revocation_decode(
	    key, len, value, sizeof(value), &back, &boot));
	assert_memory_equal(&r, &back, sizeof(r));
	r.origin[2] = 'G';
	assert_int_equal(record_revocation_encode(&r, 1, key, len, value), 0);
	r = a_revocation();
	memset(&r.addr, 0, sizeof(r.addr)); /* neither address nor user */
	assert_int_equal(record_revocation_encode(&r, 1, key, len, value), 0);
}

static void test_record_cursor_comes_back_as_it_went(void **state)
{
	struct ledger_cursor c, back;
	uint8_t value[RECORD_CURSOR_MAX];
	size_t len;

	(void)state;
	memset(&c, 0, sizeof(c));
	c.key_len = 8;
	memcpy(c.key, "mail.log", 8);
	c.len = LEDGER_CURSOR_MAX;
	memset(c.bytes, 0xab, sizeof(c.bytes));
	len = record_cursor_encode(&c, value);
	assert_int_equal(len, RECORD_CURSOR_MAX);
	assert_true(record_cursor_decode(c.key, c.key_len, value, len, &back));
	assert_memory_equal(&c, &back, sizeof(c));
	assert_false(
	    record_cursor_decode(c.key, c.key_len - 1, value, len, &back));
	c.key_len = 0;
	assert_int_equal(record_cursor_encode(&c, value), 0);
}

static void entry_round_trip(const struct ledger_entry *e)
{
	struct ledger_entry back;
	uint8_t key[RECORD_SEQUENCE_SIZE], value[RECORD_ENTRY_MAX];
	uint16_t boot;
	size_t len = record_entry_encode(e, 3, value);

	assert_true(len > 0);
	record_sequence_key(e->sequence, key);
	assert_true(
	    record_entry_decode(key, sizeof(key), value, len, &back, &boot));
	assert_memory_equal(e, &back, sizeof(back));
	key[7] ^= 1;
	assert_false(
	    record_entry_decode(key, sizeof(key), value, len, &back, &boot));
}

static void test_record_journal_entries_come_back_as_they_went(void **state)
{
	struct ledger_entry e;

	(void)state;
	memset(&e, 0, sizeof(e));
	e.sequence = 0x0102030405060708;
	e.change = CHANGE_PUT;
	e.lease = a_lease();
	entry_round_trip(&e);
	e.change = CHANGE_DELETE;
	entry_round_trip(&e);
	memset(&e, 0, sizeof(e));
	e.sequence = 1;
	e.change = CHANGE_REVOKE;
	e.until = 12345;
	e.lease.end = later(1);
	e.lease.user_len = 3; /* of a user, from wherever */
	memcpy(e.lease.user, "eve", 3);
	entry_round_trip(&e);
}

static void test_record_sequence_keys_sort_as_numbers(void **state)
{
	uint8_t a[RECORD_SEQUENCE_SIZE], b[RECORD_SEQUENCE_SIZE];

	(void)state;
	record_sequence_key(255, a);
	record_sequence_key(256, b);
	assert_true(memcmp(a, b, sizeof(a)) < 0);
}

static void test_record_state_comes_back_as_it_went(void **state)
{
	struct record_state s, back;
	uint8_t value[RECORD_STATE_SIZE];

	(void)state;
	memset(&s, 0, sizeof(s));
	s.last = t0;
	s.adopted = later(-1000);
	s.boots = 70000;
	s.valid_from = 69999;
	s.ttl = TTL_MS;
	s.node = 0xfedcba9876543210;
	s.sequence = 42;
	s.revocations = 43;
	s.names = 7;
	s.prefix = 64;
	s.journal = 1;
	s.mode = 2;
	memcpy(s.boot_id, "id", 2);
	assert_int_equal(record_state_encode(&s, value), sizeof(value));
	assert_true(record_state_decode(value, sizeof(value), &back));
	assert_memory_equal(&s, &back, sizeof(s));
	for (size_t bit = 0; bit < sizeof(value) * 8; bit++) {
		value[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_false(record_state_decode(value, sizeof(value), &back));
		value[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	s.valid_from = 70001;
	assert_int_equal(record_state_encode(&s, value), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record_lease_comes_back_as_it_went),
		cmocka_unit_test(
		    test_record_lease_takes_the_longest_and_no_user),
		cmocka_unit_test(test_record_lease_refuses_what_is_not_sound),
		cmocka_unit_test(test_record_any_flipped_bit_is_no_lease),
		cmocka_unit_test(test_record_other_lengths_are_no_lease),
		cmocka_unit_test(
		    test_record_rows_of_one_table_are_none_in_another),
		cmocka_unit_test(test_record_session_comes_back_as_it_went),
		cmocka_unit_test(test_record_revocation_comes_back_as_it_went),
		cmocka_unit_test(test_record_cursor_comes_back_as_it_went),
		cmocka_unit_test(
		    test_record_journal_entries_come_back_as_they_went),
		cmocka_unit_test(test_record_sequence_keys_sort_as_numbers),
		cmocka_unit_test(test_record_state_comes_back_as_it_went),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
