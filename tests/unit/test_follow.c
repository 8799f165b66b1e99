/* SPDX-License-Identifier: ISC */
/*
 * test_follow - an export's target holds what the ledger holds, whatever was
 * trimmed, repeated, or failed on the way.
 */
#include "ledger_dir.h"

#include "export/follow.h"

enum { ADDRESSES = 40, USERS = 3, TARGET_MAX = 4096 };

/* What a target holds: "address user" a row; user only with by_user. */
static struct {
	char rows[TARGET_MAX][64];
	bool marked[TARGET_MAX]; /* named by the snapshot under way */
	size_t count;
	int64_t ends[TARGET_MAX];
} target;

static bool by_user;
static struct export_slice *slice;

static struct ledger *open_journal(void)
{
	struct ledger_options o = options(true);

	o.journal = true;
	return open_with(&o, t0);
}

static void row_name(const struct lease *l, char out[static 64])
{
	char addr[ADDR_TEXT_SIZE];

	(void)addr_print(&l->addr, addr);
	(void)snprintf(out, 64, "%s %.8s", addr, by_user ? l->user : "");
}

static size_t place_of(const char *row)
{
	size_t i = 0;

	while (i < target.count && strcmp(target.rows[i], row) != 0)
		i++;
	return i;
}

static void remove_row(size_t i)
{
	size_t last = --target.count;

	memmove(target.rows[i], target.rows[last], sizeof(target.rows[i]));
	target.marked[i] = target.marked[last];
	target.ends[i] = target.ends[last];
}

/* What a kind does with a slice. */
static void bring(const struct export_slice *s)
{
	if (s->first)
		memset(target.marked, 0, sizeof(target.marked));
	for (size_t i = 0; i < s->count; i++) {
		char row[64];
		size_t at;

		row_name(&s->changes[i].lease, row);
		at = place_of(row);
		if (!s->changes[i].leased) {
			if (at < target.count)
				remove_row(at);
			continue;
		}
		if (at == target.count) {
			assert_true(at < TARGET_MAX);
			memcpy(target.rows[target.count++], row, sizeof(row));
		}
		target.marked[at] = true;
		target.ends[at] = s->changes[i].lease.end.wall;
	}
	for (size_t i = target.count; s->snapshot && s->last && i-- > 0;)
		if (!target.marked[i])
			remove_row(i);
}

/* All that is new. */
static void follow_all(
    struct follow_journal *f, struct ledger *l, struct moment now)
{
	uint8_t cursor[FOLLOW_CURSOR_SIZE];

	for (;;) {
		int got;

		assert_int_equal(ledger_read_begin(l, &err), 0);
		got = follow_next(f, l, now, slice);
		ledger_read_end(l);
		assert_true(got >= 0);
		if (!got)
			return;
		bring(slice);
		(void)follow_done(f, cursor);
	}
}

struct expected {
	struct moment now;
	size_t count;
	char last[64];
};

static int expect_row(void *ctx, const struct lease *row)
{
	struct expected *e = ctx;
	char text[64];
	size_t at;

	if (!ledger_alive(row, e->now))
		return 0;
	row_name(row, text);
	at = place_of(text);
	if (at == target.count)
		print_error("%s is missing\n", text);
	assert_true(at < target.count);
	assert_true(target.ends[at] >= row->end.wall);
	e->count += strcmp(text, e->last) != 0;
	memcpy(e->last, text, sizeof(text));
	return 0;
}

static void assert_same(struct ledger *l, struct moment now)
{
	struct expected e = { .now = now };

	assert_int_equal(ledger_read_begin(l, &err), 0);
	assert_int_equal(ledger_each(l, NULL, expect_row, &e), 0);
	ledger_read_end(l);
	assert_int_equal(target.count, e.count);
}

static int setup_follow(void **state)
{
	memset(&target, 0, sizeof(target));
	by_user = false;
	slice = calloc(1, sizeof(*slice));
	return slice ? setup(state) : -1;
}

static int teardown_follow(void **state)
{
	free(slice);
	return teardown(state);
}

static const struct follow_wants by_address;

static struct follow_wants wants(void)
{
	return (struct follow_wants){ .by_user = by_user };
}

static void take_away(struct ledger *l, const char *addr, const char *user)
{
	struct lease row = lease_of(addr, user, t0);

	begin(l, t0);
	ledger_delete(l, &row);
	commit(l);
}

static void test_an_address_stays_while_one_of_its_users_has_a_lease(
    void **state)
{
	struct ledger *l = open_journal();
	struct follow_journal *f =
	    follow_new(by_address, NULL, 0, ledger_node(l));

	(void)state;
	put(l, "192.0.2.1", "a", later(1000));
	put(l, "192.0.2.1", "b", later(9000));
	follow_all(f, l, t0);
	assert_int_equal(target.count, 1);
	assert_int_equal(target.ends[0], later(9000).wall);
	take_away(l, "192.0.2.1", "b");
	follow_all(f, l, t0);
	assert_int_equal(target.count, 1);
	assert_int_equal(target.ends[0], later(1000).wall);
	take_away(l, "192.0.2.1", "a");
	follow_all(f, l, t0);
	assert_int_equal(target.count, 0);
	follow_free(&f);
	ledger_close(&l);
}

static void test_a_snapshot_of_many_comes_in_slices(void **state)
{
	struct ledger *l = open_journal();
	struct follow_journal *f;

	by_user = *state != NULL;
	begin(l, t0);
	for (unsigned i = 0; i < 3 * EXPORT_SLICE; i++) {
		char addr[32], user[16];
		struct lease row;

		/* All users of one address, or one of each. */
		(void)snprintf(addr, sizeof(addr), "198.51.%u.%u",
		    by_user ? 100 : i >> 8, by_user ? 1 : i & 255);
		(void)snprintf(user, sizeof(user), "u%u", i);
		row = lease_of(addr, user, later(TTL_MS));
		ledger_put(l, &row);
	}
	commit(l);
	f = follow_new(wants(), NULL, 0, ledger_node(l));
	assert_true(follow_in_snapshot(f));
	follow_all(f, l, t0);
	assert_false(follow_in_snapshot(f));
	assert_int_equal(target.count, 3 * EXPORT_SLICE);
	assert_same(l, t0);
	follow_free(&f);
	ledger_close(&l);
}

static void test_a_cursor_goes_on_behind_what_is_done(void **state)
{
	struct ledger *l = open_journal();
	struct follow_journal *f =
	    follow_new(by_address, NULL, 0, ledger_node(l));
	uint8_t cursor[FOLLOW_CURSOR_SIZE];
	uint64_t sequence = 99;

	(void)state;
	put(l, "192.0.2.1", "a", later(1000));
	assert_int_equal(ledger_read_begin(l, &err), 0);
	assert_int_equal(follow_next(f, l, t0, slice), 1);
	ledger_read_end(l);
	assert_true(slice->first && slice->last && slice->snapshot);
	assert_true(follow_done(f, cursor));
	assert_true(
	    follow_sequence(cursor, sizeof(cursor), ledger_node(l), &sequence));
	assert_int_equal(sequence, ledger_sequence(l));
	follow_free(&f);
	put(l, "192.0.2.2", "a", later(1000));
	f = follow_new(by_address, cursor, sizeof(cursor), ledger_node(l));
	assert_false(follow_in_snapshot(f));
	assert_int_equal(ledger_read_begin(l, &err), 0);
	assert_int_equal(follow_next(f, l, t0, slice), 1);
	ledger_read_end(l);
	assert_int_equal(slice->count, 1);
	assert_false(slice->snapshot);
	follow_free(&f);
	/* Another ledger's, or a cut one, is no place in this. */
	cursor[FOLLOW_CURSOR_SIZE - 1] ^= 1;
	f = follow_new(by_address, cursor, sizeof(cursor), ledger_node(l));
	assert_true(follow_in_snapshot(f));
	follow_free(&f);
	cursor[FOLLOW_CURSOR_SIZE - 1] ^= 1;
	f = follow_new(by_address, cursor, sizeof(cursor) - 1, ledger_node(l));
	assert_true(follow_in_snapshot(f));
	follow_free(&f);
	ledger_close(&l);
}

/* --- revocations ---------------------------------------------------------- */

static void refuse(
    struct ledger *l, const char *addr, const char *user, struct moment until)
{
	struct ledger_revocation r = { .addr = address(addr),
		.user_len = (uint8_t)strlen(user),
		.time = t0.wall,
		.until = until.wall,
		.keep = until };

	memcpy(r.user, user, r.user_len);
	begin(l, t0);
	ledger_revocation_put(l, &r);
	commit(l);
}

/* How many slices bring what is new; counts what they hold. */
static size_t count_all(struct follow_journal *f, struct ledger *l,
    size_t *leases_r, size_t *revocations_r)
{
	uint8_t cursor[FOLLOW_CURSOR_SIZE];
	size_t slices = 0;

	*leases_r = *revocations_r = 0;
	for (;; slices++) {
		int got;

		assert_int_equal(ledger_read_begin(l, &err), 0);
		got = follow_next(f, l, t0, slice);
		ledger_read_end(l);
		assert_true(got >= 0);
		if (!got)
			return slices;
		for (size_t i = 0; i < slice->count; i++) {
			*leases_r += slice->changes[i].leased;
			*revocations_r += slice->changes[i].revoked;
			/* The leases come first. */
			assert_false(slice->snapshot &&
				     slice->changes[i].leased &&
				     *revocations_r);
		}
		(void)follow_done(f, cursor);
	}
}

static void test_revocations_come_for_who_wants_them(void **state)
{
	const struct follow_wants all = { true, true };
	struct ledger *l = open_journal();
	struct follow_journal *f, *none;
	size_t leases, revocations;

	(void)state;
	by_user = true;
	for (unsigned i = 0; i < EXPORT_SLICE + 2; i++) {
		char user[16];

		(void)snprintf(user, sizeof(user), "u%u", i);
		put(l, "192.0.2.1", user, later(TTL_MS));
		refuse(l, i % 2 ? "192.0.2.2" : "::", user, later(TTL_MS));
	}
	refuse(l, "192.0.2.3", "over", t0);
	f = follow_new(all, NULL, 0, ledger_node(l));
	none = follow_new(wants(), NULL, 0, ledger_node(l));
	assert_int_equal(count_all(f, l, &leases, &revocations), 3);
	assert_int_equal(leases, EXPORT_SLICE + 2);
	assert_int_equal(revocations, EXPORT_SLICE + 2);
	(void)count_all(none, l, &leases, &revocations);
	assert_int_equal(revocations, 0);
	/* The journal, too. */
	refuse(l, "192.0.2.4", "", later(TTL_MS));
	(void)count_all(f, l, &leases, &revocations);
	assert_int_equal(revocations, 1);
	(void)count_all(none, l, &leases, &revocations);
	assert_int_equal(revocations, 0);
	follow_free(&f);
	follow_free(&none);
	ledger_close(&l);
}

static void test_a_target_that_lost_all_gets_all(void **state)
{
	const struct follow_wants all = { true, true };
	struct ledger *l = open_journal();
	struct follow_journal *f = follow_new(all, NULL, 0, ledger_node(l));
	uint8_t cursor[FOLLOW_CURSOR_SIZE];
	size_t leases, revocations;

	(void)state;
	put(l, "192.0.2.1", "a", later(TTL_MS));
	refuse(l, "192.0.2.2", "", later(TTL_MS));
	(void)count_all(f, l, &leases, &revocations);
	follow_restart(f);
	(void)count_all(f, l, &leases, &revocations);
	assert_int_equal(leases, 1);
	assert_int_equal(revocations, 1);
	/* Said while a slice is under way: its cursor is no place any more. */
	put(l, "192.0.2.3", "a", later(TTL_MS));
	assert_int_equal(ledger_read_begin(l, &err), 0);
	assert_int_equal(follow_next(f, l, t0, slice), 1);
	assert_int_equal(follow_behind(f, l), 1);
	ledger_read_end(l);
	follow_restart(f);
	assert_false(follow_done(f, cursor));
	(void)count_all(f, l, &leases, &revocations);
	assert_int_equal(leases, 2);
	assert_false(follow_in_snapshot(f));
	follow_free(&f);
	ledger_close(&l);
}

/* One thing that happens: a login, an end, a trimmed journal, a target that
 * fails, or one that is brought up to date. */
static void happen(struct ledger *l, struct follow_journal *f, uint32_t random,
    struct moment now)
{
	char addr[32], user[8];

	(void)snprintf(
	    addr, sizeof(addr), "203.0.113.%u", (random >> 8) % ADDRESSES);
	(void)snprintf(user, sizeof(user), "u%u", (random >> 16) % USERS);
	switch (random >> 29) {
	case 0:
	case 1:
		put(l, addr, user,
		    (struct moment){ now.wall + (random >> 20) % 999,
			now.boot + (random >> 20) % 999 });
		break;
	case 2:
		take_away(l, addr, user);
		break;
	case 3:
		assert_int_equal(ledger_read_begin(l, &err), 0);
		(void)follow_next(f, l, now, slice);
		ledger_read_end(l);
		follow_again(f);
		break;
	case 4:
		begin(l, now);
		ledger_journal_trim(l, ledger_sequence(l), now, 20);
		commit(l);
		break;
	default:
		follow_all(f, l, now);
		break;
	}
}

/* What has run out is no lease to anybody; the keeper deletes it, and the
 * journal tells. A third of them are there at the end. */
static void settle(struct ledger *l)
{
	for (unsigned i = 0; i < ADDRESSES * USERS; i++) {
		char addr[32], user[8];

		(void)snprintf(
		    addr, sizeof(addr), "203.0.113.%u", i % ADDRESSES);
		(void)snprintf(user, sizeof(user), "u%u", i / ADDRESSES);
		if (i % 3)
			take_away(l, addr, user);
		else
			put(l, addr, user, later(TTL_MS));
	}
}

static void test_the_target_follows_whatever_happens(void **state)
{
	struct ledger *l = open_journal();
	struct follow_journal *f;
	uint32_t random = 7;

	by_user = *state != NULL;
	f = follow_new(wants(), NULL, 0, ledger_node(l));
	for (int step = 0; step < 3000; step++) {
		random = random * 1664525U + 1013904223U;
		happen(l, f, random, later(step));
	}
	settle(l);
	follow_all(f, l, later(3000));
	assert_true(target.count > 0);
	assert_same(l, later(3000));
	follow_free(&f);
	ledger_close(&l);
}

int main(void)
{
	static int users;
#define TEST(name, state)                                                      \
	{                                                                      \
#name, name, setup_follow, teardown_follow, state              \
	}
	const struct CMUnitTest tests[] = {
		TEST(test_an_address_stays_while_one_of_its_users_has_a_lease,
		    NULL),
		TEST(test_a_snapshot_of_many_comes_in_slices, NULL),
		TEST(test_a_snapshot_of_many_comes_in_slices, &users),
		TEST(test_a_cursor_goes_on_behind_what_is_done, NULL),
		TEST(test_revocations_come_for_who_wants_them, NULL),
		TEST(test_a_target_that_lost_all_gets_all, NULL),
		TEST(test_the_target_follows_whatever_happens, NULL),
		TEST(test_the_target_follows_whatever_happens, &users),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
