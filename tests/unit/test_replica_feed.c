/* SPDX-License-Identifier: ISC */
/*
 * test_replica_feed - records of other nodes on their way to the sink.
 */
#include "replica_world.h"

#include <uv.h>

#include "source/odd.h"
#include "source/replica_feed.h"

#define TTL INT64_C(1800000)

static struct {
	size_t calls, logins, cursors;
	struct source_cursor last;
	struct login login;
	int result;
} sunk;

static int sink(void *ctx, const struct source_cursor *cursor,
    const struct login *logins, size_t n)
{
	(void)ctx;
	assert_true(n <= SOURCE_BATCH);
	sunk.calls++;
	sunk.logins += n;
	if (n)
		sunk.login = logins[n - 1];
	if (cursor) {
		sunk.cursors++;
		sunk.last = *cursor;
	}
	return sunk.result;
}

static const struct source_env env = { .name = "nodes",
	.max_skew = 300000,
	.node = "fedcba9876543210",
	.sink = sink };
static struct replica_feed *feed;
static struct replica_keys *signer;

static int setup(void **state)
{
	(void)state;
	memset(&sunk, 0, sizeof(sunk));
	signer = keys_of("k1 " SECRET_1 "\n");
	feed = replica_feed_new(&env, keys_of("k1 " SECRET_1 "\n"), NULL, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	replica_feed_free(&feed);
	replica_keys_free(&signer);
	return 0;
}

static const struct moment now = { NOW, 1000000 };

static int take_at(
    const struct replica_record *r, int64_t age, struct moment when)
{
	char bytes[REPLICA_RECORD_MAX];
	size_t len = replica_encode(r, signer, bytes);

	return replica_feed_take(feed, bytes, len, age, "id:1", when);
}

static int take(const struct replica_record *r, int64_t age)
{
	return take_at(r, age, now);
}

static void test_a_record_becomes_a_login_with_the_cursor(void **state)
{
	const struct replica_record r = lease_record("192.0.2.7", "anna");
	const struct source_cursor c = { .key_len = 5, .key = "table" };

	(void)state;
	assert_int_equal(take(&r, 10), 0);
	assert_true(replica_feed_waits(feed));
	assert_int_equal(sunk.logins, 0);
	assert_int_equal(replica_feed_send(feed, &c), 0);
	assert_int_equal(sunk.logins, 1);
	assert_int_equal(sunk.login.kind, LOGIN_LEASE);
	assert_string_equal(sunk.login.user, "anna");
	assert_memory_equal(sunk.last.key, "table", 5);
	assert_false(replica_feed_waits(feed));
	/* A cursor alone is sent, too; nothing is not. */
	assert_int_equal(replica_feed_send(feed, &c), 0);
	assert_int_equal(replica_feed_send(feed, NULL), 0);
	assert_int_equal(sunk.cursors, 2);
}

static void test_a_full_batch_goes_by_itself(void **state)
{
	const struct replica_record r = lease_record("192.0.2.7", "anna");

	(void)state;
	for (int i = 0; i < SOURCE_BATCH + 3; i++)
		assert_int_equal(take(&r, 10), 0);
	assert_int_equal(sunk.logins, SOURCE_BATCH);
	assert_int_equal(replica_feed_send(feed, NULL), 0);
	assert_int_equal(sunk.logins, SOURCE_BATCH + 3);
}

static void test_what_is_not_signed_or_ours_is_nothing(void **state)
{
	struct replica_record r = lease_record("192.0.2.7", "anna");
	char bytes[REPLICA_RECORD_MAX];
	size_t len = replica_encode(&r, signer, bytes);

	(void)state;
	bytes[len - 1] ^= 1;
	assert_int_equal(
	    replica_feed_take(feed, bytes, len, 10, "id:1", now), 0);
	assert_int_equal(replica_feed_take(feed, "", 0, 10, "id:2", now), 0);
	r.node = NODE_B; /* our own */
	assert_int_equal(take(&r, 10), 0);
	r = lease_record("192.0.2.7", "anna");
	r.issued = NOW + 600000;
	r.end = r.issued + TTL;
	assert_int_equal(take(&r, 10), 0);
	assert_false(replica_feed_waits(feed));
	assert_int_equal(sunk.logins, 0);
}

/* --- what was refused ------------------------------------------------------
 */

static uint64_t monotonic(void)
{
	return uv_hrtime() / 1000000;
}

static void sign_with(const char *keys)
{
	replica_keys_free(&signer);
	signer = keys_of(keys);
}

static void assert_trouble(const char *words)
{
	const char *text = replica_feed_trouble(feed, monotonic());

	assert_non_null(text);
	if (!strstr(text, words))
		(void)fprintf(stderr, "%s\n", text);
	assert_non_null(strstr(text, words));
	/* The board's room (board.h). */
	assert_true(strlen(text) < 200);
}

static void test_an_unknown_key_is_named_with_its_node(void **state)
{
	const struct replica_record r = lease_record("192.0.2.7", "anna");

	(void)state;
	assert_null(replica_feed_trouble(feed, monotonic()));
	sign_with("key-of-16-digits " SECRET_2 "\n");
	for (int i = 0; i < 12; i++)
		assert_int_equal(take(&r, 10), 0);
	assert_trouble("12 records of other nodes refused");
	assert_trouble("0123456789abcdef");
	assert_trouble("key key-of-16-digits is not in this machine's keys "
		       "file");
	/* It is over some minutes after the last one. */
	assert_non_null(
	    replica_feed_trouble(feed, monotonic() + ODD_LATELY_MS - 1000));
	assert_null(
	    replica_feed_trouble(feed, monotonic() + ODD_LATELY_MS + 1000));
}

static void test_a_forged_record_is_told(void **state)
{
	const struct replica_record r = lease_record("192.0.2.7", "anna");

	(void)state;
	sign_with("k1 " SECRET_2 "\n");
	assert_int_equal(take(&r, 10), 0);
	assert_trouble("1 record of other nodes refused");
	assert_trouble("0123456789abcdef: its key is another than ours");
}

static void test_what_is_no_record_is_named_by_its_place(void **state)
{
	(void)state;
	assert_int_equal(
	    replica_feed_take(feed, "nonsense", 8, 10, "id:7", now), 0);
	assert_trouble("the last of id:7: not a record");
}

static void test_a_clock_ahead_is_told(void **state)
{
	struct replica_record r = lease_record("192.0.2.7", "anna");

	(void)state;
	r.issued = NOW + 600000;
	r.end = r.issued + TTL;
	assert_int_equal(take(&r, 10), 0);
	assert_trouble("0123456789abcdef: its clock is ahead");
}

/* --- other keys ------------------------------------------------------------
 */

static void feed_with(const char *keys, const struct source_cursor *cursor)
{
	replica_feed_free(&feed);
	feed = replica_feed_new(&env, keys_of(keys), cursor, cursor ? 1 : 0);
}

static void test_a_new_key_makes_all_read_once_more(void **state)
{
	struct source_cursor keys;

	(void)state;
	/* Who has read nothing yet reads all anyway. */
	assert_false(replica_feed_has_new_keys(feed));
	assert_int_equal(replica_feed_whole(feed), 0);
	assert_int_equal(sunk.cursors, 1);
	keys = sunk.last;
	assert_int_equal(replica_feed_whole(feed), 0);
	assert_int_equal(sunk.cursors, 1);

	feed_with("k1 " SECRET_1 "\n", &keys);
	assert_false(replica_feed_has_new_keys(feed));
	assert_int_equal(replica_feed_whole(feed), 0);
	assert_int_equal(sunk.cursors, 1);

	feed_with("k1 " SECRET_1 "\nk2 " SECRET_2 "\n", &keys);
	assert_true(replica_feed_has_new_keys(feed));
	assert_int_equal(replica_feed_whole(feed), 0);
	assert_false(replica_feed_has_new_keys(feed));
	assert_int_equal(sunk.cursors, 2);
	keys = sunk.last;

	/* Another order, or one less: nothing was missed. */
	feed_with("k2 " SECRET_2 "\nk1 " SECRET_1 "\n", &keys);
	assert_false(replica_feed_has_new_keys(feed));
	feed_with("k2 " SECRET_2 "\n", &keys);
	assert_false(replica_feed_has_new_keys(feed));
	assert_int_equal(replica_feed_whole(feed), 0);
	keys = sunk.last;
	/* The same id is not the same key. */
	feed_with("k2 " SECRET_1 "\n", &keys);
	assert_true(replica_feed_has_new_keys(feed));
}

static void test_what_is_known_of_a_clock_is_stored_first(void **state)
{
	struct replica_record r = lease_record("192.0.2.7", "anna");
	struct source_cursor known;
	int64_t end;

	(void)state;
	/* Four minutes ahead of us. */
	r.issued = NOW + 240000;
	r.time = r.issued - 1000;
	r.end = r.issued + TTL;
	assert_int_equal(take(&r, 0), 0);
	assert_int_equal(sunk.cursors, 1);
	assert_int_equal(sunk.logins, 0);
	known = sunk.last;
	assert_memory_equal(known.key, "node/0123456789abcdef", 21);
	assert_int_equal(replica_feed_send(feed, NULL), 0);
	end = sunk.login.end;
	assert_true(end <= NOW + TTL);

	/* After a restart a record that is shown again ends no later. */
	replica_feed_free(&feed);
	feed = replica_feed_new(&env, keys_of("k1 " SECRET_1 "\n"), &known, 1);
	r.issued -= 120000;
	r.time = r.issued - 1000;
	r.end = r.issued + TTL;
	assert_int_equal(take(&r, -1), 0);
	assert_int_equal(replica_feed_send(feed, NULL), 0);
	assert_true(sunk.login.end <= NOW + TTL - 120000);
}

static void test_what_our_clock_hid_is_asked_for_again(void **state)
{
	struct replica_record r = lease_record("192.0.2.7", "anna");
	struct moment mended = now;

	(void)state;
	r.issued = NOW + 600000;
	r.end = r.issued + TTL;
	assert_int_equal(take(&r, 10), 0);
	assert_false(replica_feed_again(feed, now));
	mended.wall += 600000;
	assert_true(replica_feed_again(feed, mended));
	assert_false(replica_feed_again(feed, mended));
}

/* The node says nothing in between, and is not believed to be behind. */
static void test_a_state_is_stored_again_when_our_clock_is_set(void **state)
{
	struct replica_record r = lease_record("192.0.2.7", "anna");
	struct moment mended = now;
	struct source_cursor known;

	(void)state;
	/* We are an hour behind, and are not any more. */
	r.issued = NOW + 2 * TTL;
	r.time = r.issued - 1000;
	r.end = r.issued + TTL;
	assert_int_equal(take(&r, 10), 0);
	assert_int_equal(sunk.cursors, 1);
	mended.wall += 2 * TTL;
	assert_true(replica_feed_again(feed, mended));
	assert_int_equal(sunk.cursors, 2);
	assert_memory_equal(sunk.last.key, "node/0123456789abcdef", 21);
	known = sunk.last;
	assert_false(replica_feed_again(feed, mended));
	assert_int_equal(sunk.cursors, 2);

	replica_feed_free(&feed);
	feed = replica_feed_new(&env, keys_of("k1 " SECRET_1 "\n"), &known, 1);
	assert_int_equal(take_at(&r, 10, mended), 0);
	assert_int_equal(replica_feed_send(feed, NULL), 0);
	assert_int_equal(sunk.logins, 1);
	assert_int_equal(sunk.login.end, r.end - 10);
}

static void test_a_keeper_that_is_gone_is_told(void **state)
{
	const struct replica_record r = lease_record("192.0.2.7", "anna");

	(void)state;
	assert_int_equal(take(&r, 10), 0);
	sunk.result = -1;
	assert_int_equal(replica_feed_send(feed, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_a_record_becomes_a_login_with_the_cursor, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_full_batch_goes_by_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_what_is_not_signed_or_ours_is_nothing, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_an_unknown_key_is_named_with_its_node, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_forged_record_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_what_is_no_record_is_named_by_its_place, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_clock_ahead_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_new_key_makes_all_read_once_more, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_what_is_known_of_a_clock_is_stored_first, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_what_our_clock_hid_is_asked_for_again, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_state_is_stored_again_when_our_clock_is_set, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_keeper_that_is_gone_is_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
