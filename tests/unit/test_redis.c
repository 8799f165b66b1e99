/* SPDX-License-Identifier: ISC */
/*
 * test_redis - endpoints, ids and entries of a stream, marks, commands: what
 * needs no server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "redis/endpoint.h"
#include "redis/entry.h"
#include "redis/losses.h"
#include "redis/mark.h"
#include "redis/watch.h"
#include "redis/words.h"

static struct redis_reply text(const char *words)
{
	return (struct redis_reply){
		.type = REDIS_TEXT, .text = words, .len = strlen(words)
	};
}

static struct redis_reply array(const struct redis_reply *items, size_t count)
{
	return (struct redis_reply){
		.type = REDIS_ARRAY, .items = items, .count = count
	};
}

/* --- endpoints ---------------------------------------------------------------
 */

static void test_endpoint_parse_takes_names_and_addresses(void **state)
{
	static const struct {
		const char *text, *host, *printed;
		unsigned port;
	} rows[] = {
		{ "db.example.org", "db.example.org", "db.example.org:6379",
		    6379 },
		{ "192.0.2.1:1", "192.0.2.1", "192.0.2.1:1", 1 },
		{ "[2001:db8::1]", "2001:db8::1", "[2001:db8::1]:6379", 6379 },
		{ "[::1]:65535", "::1", "[::1]:65535", 65535 },
		{ "db_1:6380", "db_1", "db_1:6380", 6380 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char out[REDIS_ENDPOINT_SIZE];
		struct redis_endpoint p;

		assert_true(redis_endpoint_parse(rows[i].text, REDIS_PORT, &p));
		assert_string_equal(p.host, rows[i].host);
		assert_int_equal(p.port, rows[i].port);
		assert_string_equal(
		    redis_endpoint_print(&p, out), rows[i].printed);
	}
}

static void test_endpoint_parse_refuses_all_else(void **state)
{
	static const char *const rows[] = { "", ":6379", "::1", "2001:db8::1",
		"a:", "a:0", "a:65536", "a:01", "a:123456", "a:1x", "a:1:2",
		"[::1", "[::1]6379", "[::1]:", "[192.0.2.1]:1", "[]:1", "a b:1",
		"-a:1", ".a:1", "a/b", "unix:/run/redis.sock", "[::1%eth0]:1" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct redis_endpoint p;

		if (redis_endpoint_parse(rows[i], REDIS_PORT, &p))
			fail_msg("\"%s\" is taken", rows[i]);
	}
}

static void test_endpoint_set_takes_what_a_sentinel_says(void **state)
{
	struct redis_endpoint p;

	(void)state;
	assert_true(redis_endpoint_set("::1", 3, "6379", 4, &p));
	assert_true(redis_endpoint_set("192.0.2.1", 9, "6379", 4, &p));
	assert_false(redis_endpoint_is_name(&p));
	assert_true(redis_endpoint_set("localhost", 9, "6379", 4, &p));
	assert_true(redis_endpoint_is_name(&p));
	assert_false(redis_endpoint_set("a\0b", 3, "6379", 4, &p));
	assert_false(redis_endpoint_set("", 0, "6379", 4, &p));
	assert_false(redis_endpoint_set("a", 1, "", 0, &p));
	assert_false(redis_endpoint_set("1:2", 3, "1", 1, &p));
}

/* --- entries -------------------------------------------------------------- */

static void test_id_parse_takes_what_it_prints(void **state)
{
	static const char *const rows[] = { "0-0", "0-1", "1526919030474-55",
		"18446744073709551615-18446744073709551615" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char out[REDIS_ID_SIZE];
		struct redis_id id;

		assert_true(redis_id_parse(rows[i], strlen(rows[i]), &id));
		assert_int_equal(redis_id_print(id, out), strlen(rows[i]));
		assert_string_equal(out, rows[i]);
	}
}

static void test_id_parse_refuses_all_else(void **state)
{
	static const char *const rows[] = { "", "-", "0", "0-", "-0", "00-0",
		"0-00", "01-1", "1-1-1", "1-1 ", " 1-1", "+1-1", "1--1", "$",
		"*", "18446744073709551616-0", "0-18446744073709551616",
		"99999999999999999999-0" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct redis_id id;

		if (redis_id_parse(rows[i], strlen(rows[i]), &id))
			fail_msg("\"%s\" is taken", rows[i]);
	}
}

static void test_id_before_is_the_order_of_the_stream(void **state)
{
	static const struct redis_id ids[] = { { 0, 0 }, { 0, 1 }, { 1, 0 },
		{ 1, UINT64_MAX }, { UINT64_MAX, 0 } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ids); i++)
		for (size_t k = 0; k < COUNT_OF(ids); k++)
			assert_int_equal(
			    redis_id_before(ids[i], ids[k]), i < k);
}

static void test_entry_read_finds_the_record(void **state)
{
	struct redis_reply fields[] = { text("r"), text("1 lease") };
	struct redis_reply items[] = { text("7-1"), array(fields, 2) };
	struct redis_reply entry = array(items, 2);
	struct redis_entry e;
	uint64_t print;

	(void)state;
	assert_true(redis_entry_read(&entry, &e));
	assert_int_equal(e.id.ms, 7);
	assert_int_equal(e.id.sequence, 1);
	assert_int_equal(e.len, 7);
	assert_memory_equal(e.record, "1 lease", 7);
	print = redis_entry_hash(&e);
	fields[1] = text("1 leasf");
	assert_true(redis_entry_read(&entry, &e));
	assert_true(redis_entry_hash(&e) != print);
}

static void test_entry_read_keeps_the_place_of_foreign_ones(void **state)
{
	struct redis_reply fields[] = { text("r"), text("a"), text("r"),
		text("b") };
	struct redis_reply items[] = { text("7-1"), array(fields, 4) };
	struct redis_reply entry = array(items, 2);
	struct redis_entry e;

	(void)state;
	assert_true(redis_entry_read(&entry, &e));
	assert_null(e.record);
	items[1] = array(fields, 0);
	assert_true(redis_entry_read(&entry, &e));
	assert_null(e.record);
	/* A deleted one, as some servers show it. */
	items[1] = (struct redis_reply){ .type = REDIS_NIL };
	assert_true(redis_entry_read(&entry, &e));
	assert_null(e.record);
	fields[0] = text("R");
	items[1] = array(fields, 2);
	assert_true(redis_entry_read(&entry, &e));
	assert_null(e.record);
	fields[0] = text("r");
	fields[1] = (struct redis_reply){ .type = REDIS_INTEGER };
	assert_true(redis_entry_read(&entry, &e));
	assert_null(e.record);
}

static void test_entry_read_refuses_what_is_none(void **state)
{
	struct redis_reply items[] = { text("x"), array(NULL, 0) };
	struct redis_reply entry = array(items, 2);
	struct redis_entry e;

	(void)state;
	assert_false(redis_entry_read(&entry, &e));
	items[0] = text("1-1");
	entry.count = 1;
	assert_false(redis_entry_read(&entry, &e));
	entry = text("1-1");
	assert_false(redis_entry_read(&entry, &e));
	entry = (struct redis_reply){ .type = REDIS_NIL };
	assert_false(redis_entry_read(&entry, &e));
}

static void test_entries_are_of_the_stream_that_was_asked(void **state)
{
	struct redis_reply pair[] = { text("k:changes"), array(NULL, 0) };
	struct redis_reply streams[] = { array(pair, 2), array(pair, 2) };
	struct redis_reply reply = array(streams, 1);

	(void)state;
	assert_ptr_equal(
	    redis_entries(&reply, "k:changes"), &streams[0].items[1]);
	assert_null(redis_entries(&reply, "k:change"));
	pair[1] = text("x");
	assert_null(redis_entries(&reply, "k:changes"));
	reply = array(streams, 2);
	assert_null(redis_entries(&reply, "k:changes"));
	reply = (struct redis_reply){ .type = REDIS_NIL };
	assert_null(redis_entries(&reply, "k:changes"));
}

/* --- marks ---------------------------------------------------------------- */

static enum redis_marked compare(const struct redis_mark *m, const char *words)
{
	struct redis_reply reply = text(words);

	return redis_mark_compare(m, &reply);
}

static void test_mark_tells_what_was_lost(void **state)
{
	const struct redis_reply nil = { .type = REDIS_NIL };
	char first[REDIS_MARK_SIZE];
	struct redis_mark m;

	(void)state;
	redis_mark_init(&m);
	memcpy(first, m.now, sizeof(first));
	assert_int_equal(compare(&m, first), REDIS_MARK_NOW);
	assert_int_equal(redis_mark_compare(&m, &nil), REDIS_MARK_LOST);

	/* Under way: either may be found. */
	redis_mark_next(&m);
	assert_int_equal(compare(&m, m.now), REDIS_MARK_NOW);
	assert_int_equal(compare(&m, first), REDIS_MARK_BEFORE);

	/* Confirmed: that it was lost is seen. */
	redis_mark_good(&m);
	assert_int_equal(compare(&m, first), REDIS_MARK_LOST);

	redis_mark_next(&m);
	redis_mark_bad(&m);
	assert_int_equal(compare(&m, m.before), REDIS_MARK_NOW);
}

static void test_mark_after_a_loss_is_like_none_before(void **state)
{
	char confirmed[REDIS_MARK_SIZE], asked[REDIS_MARK_SIZE];
	struct redis_mark m;

	(void)state;
	redis_mark_init(&m);
	memcpy(confirmed, m.now, sizeof(confirmed));
	redis_mark_next(&m);
	memcpy(asked, m.now, sizeof(asked));
	redis_mark_anew(&m);
	assert_int_equal(compare(&m, m.now), REDIS_MARK_NOW);
	assert_int_equal(compare(&m, confirmed), REDIS_MARK_LOST);
	assert_int_equal(compare(&m, asked), REDIS_MARK_LOST);
}

static void test_mark_of_another_run_is_told_from_ours(void **state)
{
	struct redis_mark a, b;

	(void)state;
	redis_mark_init(&a);
	redis_mark_init(&b);
	assert_int_equal(compare(&a, b.now), REDIS_MARK_OTHER);
	assert_int_equal(compare(&a, ""), REDIS_MARK_OTHER);
}

/* --- losses --------------------------------------------------------------- */

/* At this time of the loop each begins. */
enum { NOW = 1000, MS_PER_S = 1000 };

static void test_losses_are_told_each_but_not_all_the_time(void **state)
{
	struct redis_losses l = { 0 };

	(void)state;
	assert_false(redis_losses_tell(&l, NOW));
	redis_losses_add(&l, false, NOW);
	assert_true(redis_losses_tell(&l, NOW));
	assert_false(redis_losses_tell(&l, NOW + 1));
	/* The next waits a little, and is not forgotten. */
	redis_losses_add(&l, false, NOW + 1);
	assert_false(redis_losses_tell(&l, NOW + 1));
	assert_true(redis_losses_tell(&l, NOW + 2 * MS_PER_S));
	assert_false(redis_losses_has_rival(&l, NOW + 2 * MS_PER_S));
}

static void test_losses_are_a_rival_by_two_marks_of_others(void **state)
{
	struct redis_losses l = { 0 };

	(void)state;
	/* One: an old dump. Another much later: one more. */
	redis_losses_add(&l, true, NOW);
	assert_false(redis_losses_has_rival(&l, NOW));
	redis_losses_add(&l, true, NOW + 11 * MS_PER_S);
	assert_false(redis_losses_has_rival(&l, NOW + 11 * MS_PER_S));
	redis_losses_add(&l, true, NOW + 12 * MS_PER_S);
	assert_true(redis_losses_has_rival(&l, NOW + 12 * MS_PER_S));
	/* It has gone. */
	assert_true(redis_losses_has_rival(&l, NOW + 22 * MS_PER_S));
	assert_false(redis_losses_has_rival(&l, NOW + 23 * MS_PER_S));
}

static void test_losses_by_a_rival_are_told_more_and_more_seldom(void **state)
{
	enum { HOUR = 3600 };
	struct redis_losses l = { 0 };
	unsigned told = 0, last = 0;

	(void)state;
	for (unsigned s = 1; s < HOUR; s++) {
		redis_losses_add(&l, true, s * MS_PER_S);
		if (!redis_losses_tell(&l, s * MS_PER_S))
			continue;
		told++;
		last = s;
	}
	assert_in_range(told, HOUR / 64, HOUR / 64 + 10);
	assert_in_range(last, HOUR - 65, HOUR);
}

/* --- words ---------------------------------------------------------------- */

static void test_name_record_has_room_for_the_longest(void **state)
{
	char key[REDIS_KEY_MAX + 1], user[LOGIN_USER_MAX + 1];
	char out[REDIS_NAME_SIZE];
	struct addr addr;

	(void)state;
	memset(key, 'k', REDIS_KEY_MAX);
	key[REDIS_KEY_MAX] = '\0';
	memset(user, 0xff, LOGIN_USER_MAX);
	assert_true(addr_parse("192.0.2.7", 9, &addr));
	assert_string_equal(redis_name_record("k", "lease", "0123456789abcdef",
				&addr, "ab", 2, out),
	    "k:lease:0123456789abcdef:00000000000000000000ffffc00002076162");
	(void)redis_name_record(key, "revoke", "0123456789abcdef", &addr, user,
	    LOGIN_USER_MAX, out);
	assert_int_equal(strlen(out), REDIS_KEY_MAX + strlen(":revoke:") + 16 +
					  1 + 2 * (16 + LOGIN_USER_MAX));
}

static bool is_lease(const char *name, size_t len)
{
	return redis_name_is_record("k", "lease", name, len);
}

static void test_name_is_record_takes_what_name_record_makes(void **state)
{
	char out[REDIS_NAME_SIZE], user[LOGIN_USER_MAX];
	struct addr addr;

	(void)state;
	memset(user, 0xff, sizeof(user));
	assert_true(addr_parse("192.0.2.7", 9, &addr));
	for (size_t i = 0; i <= LOGIN_USER_MAX; i++) {
		(void)redis_name_record(
		    "k", "lease", "0123456789abcdef", &addr, user, i, out);
		assert_true(is_lease(out, strlen(out)));
		assert_false(
		    redis_name_is_record("k", "revoke", out, strlen(out)));
		assert_false(is_lease(out, strlen(out) - 1));
	}
	/* A longer one than any. */
	memcpy(out + strlen(out), "ff", sizeof("ff"));
	assert_false(is_lease(out, strlen(out)));
}

static void test_name_is_record_refuses_all_else(void **state)
{
	static const char good[] =
	    "k:lease:0123456789abcdef:00000000000000000000ffffc00002076162";
	static const char nul[] = "k:lease:x\0AAAA";
	static const char wrong[] = { '\0', 'g', 'A', ':', ' ', '\n', '\xff' };

	(void)state;
	assert_true(is_lease(good, strlen(good)));
	assert_false(is_lease(nul, sizeof(nul) - 1));
	for (size_t len = 0; len < strlen("k:lease:") + 16 + 1 + 32; len++)
		assert_false(is_lease(good, len));
	for (size_t at = 0; at < strlen(good); at++) {
		for (size_t i = 0; i < sizeof(wrong); i++) {
			char bad[sizeof(good)];

			memcpy(bad, good, sizeof(bad));
			if (bad[at] == wrong[i])
				continue;
			bad[at] = wrong[i];
			if (is_lease(bad, strlen(good)))
				fail_msg("byte %zu may be %d", at, wrong[i]);
		}
	}
}

static void test_is_error_compares_the_first_word(void **state)
{
	struct redis_reply reply = text("READONLY You can't write");

	(void)state;
	assert_false(redis_is_error(&reply, "READONLY"));
	reply.type = REDIS_ERROR;
	assert_true(redis_is_error(&reply, "READONLY"));
	assert_false(redis_is_error(&reply, "READ"));
	reply = text("ERR");
	reply.type = REDIS_ERROR;
	assert_true(redis_is_error(&reply, "ERR"));
	assert_false(redis_is_error(&reply, "ERROR"));
}

static bool is_wrong_set_up(const char *words)
{
	struct redis_reply reply = text(words);

	reply.type = REDIS_ERROR;
	return redis_is_wrong_set_up(&reply);
}

static void test_wrong_set_up_is_what_auth_says(void **state)
{
	static const char *const mine[] = {
		"WRONGPASS invalid username-password pair or user is disabled.",
		"NOAUTH Authentication required.",
		"NOPERM this user has no permissions to run the 'role' command",
		"DENIED Redis is running in protected mode because ...",
		"ERR AUTH <password> called without any password configured",
		"ERR wrong number of arguments for 'auth' command",
		"ERR unknown command 'SENTINEL', with args beginning with:",
	};
	static const char *const theirs[] = { "",
		"ERR max number of clients reached", "ERR", "ERR syntax error",
		"LOADING Redis is loading the dataset in memory",
		"MASTERDOWN Link with MASTER is down", "WRONGPASSED",
		"BUSY wrong number" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(mine); i++)
		assert_true(is_wrong_set_up(mine[i]));
	for (size_t i = 0; i < COUNT_OF(theirs); i++)
		assert_false(is_wrong_set_up(theirs[i]));
}

static void test_refusal_says_what_mends_it(void **state)
{
	static const struct {
		const char *words;
		bool by_sentinel;
		const char *has;
	} rows[] = {
		{ "NOPERM no role", false,
		    "run on every server of the site: redis-cli ACL SETUSER "
		    "jo +role, then ACL SAVE" },
		{ "WRONGPASS x", false,
		    "WRONGPASS x; see user, password-file; or is this a "
		    "Sentinel's port?" },
		{ "WRONGPASS x", true,
		    "WRONGPASS x; see sentinel-password-file" },
		{ "ERR unknown command 'ROLE'", false,
		    "ERR unknown command 'ROLE'; is this a Sentinel's port?" },
		{ "ERR unknown command 'SENTINEL'", true,
		    "ERR unknown command 'SENTINEL'; is this a Redis server "
		    "and no Sentinel?" },
		{ "LOADING x", true, "LOADING x" },
		{ "LOADING x", false, "LOADING x" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct redis_reply reply = text(rows[i].words);
		char out[240];

		reply.type = REDIS_ERROR;
		assert_string_equal(redis_refusal(&reply, rows[i].by_sentinel,
					"jo", out, sizeof(out)),
		    rows[i].has);
	}
}

/* --- Sentinels ------------------------------------------------------------ */

static struct fake {
	char asked[64]; /* the ports, in order, one digit each */
	size_t count;
	bool refuses;
	void (*up)(void *ctx), (*down)(void *ctx, const char *why);
	void *ctx;
	redis_reply_fn *fn;
	void *fn_ctx;
	unsigned moved;
} fake;

static struct redis_conn *fake_connect(uv_loop_t *loop, const char *host,
    uint16_t port, const char *ca, void (*up)(void *ctx),
    void (*down)(void *ctx, const char *why), void *ctx, struct err *err)
{
	(void)loop;
	(void)ca;
	(void)err;
	assert_string_equal(host, "192.0.2.1");
	assert_true(fake.count < sizeof(fake.asked) - 1);
	fake.asked[fake.count++] = (char)('0' + port);
	fake.up = up;
	fake.down = down;
	fake.ctx = ctx;
	return fake.refuses ? NULL : (struct redis_conn *)&fake;
}

static void fake_command(struct redis_conn *c, size_t argc,
    const char *const *argv, const size_t *lens, redis_reply_fn *fn, void *ctx)
{
	(void)c;
	(void)argc;
	(void)argv;
	(void)lens;
	fake.fn = fn;
	fake.fn_ctx = ctx;
}

static void fake_close(struct redis_conn **c)
{
	*c = NULL;
}

static void on_moved(void *ctx)
{
	(void)ctx;
	fake.moved++;
}

static const struct redis_api fake_api = {
	.connect = fake_connect, .command = fake_command, .close = fake_close
};

/* Three Sentinels by name, at ports 1 to 3. */
static void make_setup(struct redis_setup *out)
{
	memset(out, 0, sizeof(*out));
	memset(&fake, 0, sizeof(fake));
	out->count = 3;
	out->master = "mymaster";
	out->timeout = 1000;
	for (uint16_t i = 0; i < 3; i++) {
		assert_true(redis_endpoint_parse(
		    "sentinel.example.org", i + 1, &out->endpoints[i]));
		assert_true(
		    redis_endpoint_parse("192.0.2.1", i + 1, &out->known[i]));
	}
}

static void test_watch_asks_the_next_sentinel_and_then_pauses(void **state)
{
	struct redis_setup setup;
	struct redis_endpoint master;
	struct redis_watch *w;

	(void)state;
	make_setup(&setup);
	/* A name server is never asked: what is not known is passed over. */
	memset(&setup.known[2], 0, sizeof(setup.known[2]));
	assert_true(redis_endpoint_parse("192.0.2.9", 1, &master));
	w = redis_watch_new(&fake_api, &setup, on_moved, NULL);
	fake.refuses = true;
	for (int i = 0; i < 3; i++)
		redis_watch_ask(w, NULL, 1, &master);
	assert_string_equal(fake.asked, "21");
	for (int i = 0; i < 60; i++)
		redis_watch_ask(w, NULL, 1, &master);
	assert_in_range(fake.count, 4, 10);
	/* Another connection begins with the one that named its master. */
	redis_watch_stop(w);
	fake.count = 0;
	redis_watch_ask(w, NULL, 0, &master);
	assert_int_equal(fake.asked[0], '1');
	redis_watch_free(&w);
}

static void test_watch_stays_with_a_sentinel_that_answers(void **state)
{
	struct redis_reply words[] = { text("192.0.2.9"), text("1") };
	struct redis_reply same = array(words, 2), none = { 0 };
	struct redis_setup setup;
	struct redis_endpoint master;
	struct redis_watch *w;

	(void)state;
	make_setup(&setup);
	assert_true(redis_endpoint_parse("192.0.2.9", 1, &master));
	w = redis_watch_new(&fake_api, &setup, on_moved, NULL);
	redis_watch_ask(w, NULL, 0, &master);
	fake.down(fake.ctx, "refused");
	redis_watch_ask(w, NULL, 0, &master);
	fake.up(fake.ctx);
	for (int i = 0; i < 20; i++) {
		fake.fn(fake.fn_ctx, &same);
		redis_watch_ask(w, NULL, 0, &master);
	}
	assert_string_equal(fake.asked, "12");
	assert_int_equal(fake.moved, 0);
	/* One that knows nothing is left, too. */
	fake.fn(fake.fn_ctx, &none);
	redis_watch_ask(w, NULL, 0, &master);
	assert_string_equal(fake.asked, "123");
	fake.up(fake.ctx);
	words[1] = text("2");
	fake.fn(fake.fn_ctx, &same);
	assert_int_equal(fake.moved, 1);
	redis_watch_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endpoint_parse_takes_names_and_addresses),
		cmocka_unit_test(test_endpoint_parse_refuses_all_else),
		cmocka_unit_test(test_endpoint_set_takes_what_a_sentinel_says),
		cmocka_unit_test(test_id_parse_takes_what_it_prints),
		cmocka_unit_test(test_id_parse_refuses_all_else),
		cmocka_unit_test(test_id_before_is_the_order_of_the_stream),
		cmocka_unit_test(test_entry_read_finds_the_record),
		cmocka_unit_test(
		    test_entry_read_keeps_the_place_of_foreign_ones),
		cmocka_unit_test(test_entry_read_refuses_what_is_none),
		cmocka_unit_test(test_entries_are_of_the_stream_that_was_asked),
		cmocka_unit_test(test_mark_tells_what_was_lost),
		cmocka_unit_test(test_mark_after_a_loss_is_like_none_before),
		cmocka_unit_test(test_mark_of_another_run_is_told_from_ours),
		cmocka_unit_test(
		    test_losses_are_told_each_but_not_all_the_time),
		cmocka_unit_test(
		    test_losses_are_a_rival_by_two_marks_of_others),
		cmocka_unit_test(
		    test_losses_by_a_rival_are_told_more_and_more_seldom),
		cmocka_unit_test(test_name_record_has_room_for_the_longest),
		cmocka_unit_test(
		    test_name_is_record_takes_what_name_record_makes),
		cmocka_unit_test(test_name_is_record_refuses_all_else),
		cmocka_unit_test(test_is_error_compares_the_first_word),
		cmocka_unit_test(test_wrong_set_up_is_what_auth_says),
		cmocka_unit_test(test_refusal_says_what_mends_it),
		cmocka_unit_test(
		    test_watch_asks_the_next_sentinel_and_then_pauses),
		cmocka_unit_test(test_watch_stays_with_a_sentinel_that_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
