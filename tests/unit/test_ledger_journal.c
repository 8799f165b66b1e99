/* SPDX-License-Identifier: ISC */
/* test_ledger_journal - what changed, in order, without holes, trimmed. */
#include "ledger_dir.h"

static struct ledger *open_journal(bool on)
{
	struct ledger_options o = options(true);

	o.journal = on;
	return open_with(&o, t0);
}

/* Entries as text: "1+a 2-b 3!c" (put, delete, revoke; first letter). */
struct script {
	char text[512];
};

static int write_entry(void *ctx, const struct ledger_entry *e)
{
	static const char marks[] = "?+-!";
	struct script *s = ctx;
	size_t used = strlen(s->text);

	(void)snprintf(s->text + used, sizeof(s->text) - used, "%s%llu%c%s",
	    used ? " " : "", (unsigned long long)e->sequence, marks[e->change],
	    e->lease.user);
	return 0;
}

static const char *script(struct ledger *l, uint64_t after)
{
	static struct script s;

	memset(&s, 0, sizeof(s));
	assert_int_equal(ledger_read_begin(l, &err), 0);
	assert_int_equal(ledger_journal_each(l, after, write_entry, &s), 0);
	ledger_read_end(l);
	return s.text;
}

static void delete (struct ledger *l, const char *addr, const char *user)
{
	struct lease row = lease_of(addr, user, t0);

	begin(l, t0);
	ledger_delete(l, &row);
	commit(l);
}

static void test_ledger_journal_tells_changes_in_order(void **state)
{
	struct ledger *l = open_journal(true);

	(void)state;
	assert_int_equal(ledger_sequence(l), 0);
	put(l, "192.0.2.1", "a", later(1000));
	put(l, "192.0.2.2", "b", later(1000));
	delete (l, "192.0.2.1", "a");
	assert_string_equal(script(l, 0), "1+a 2+b 3-a");
	assert_string_equal(script(l, 2), "3-a");
	assert_string_equal(script(l, 3), "");
	assert_int_equal(ledger_sequence(l), 3);
	ledger_close(&l);
	l = open_journal(true);
	assert_int_equal(ledger_sequence(l), 3);
	put(l, "192.0.2.1", "c", later(1000));
	assert_string_equal(script(l, 0), "1+a 2+b 3-a 4+c");
	ledger_close(&l);
}

static void test_ledger_journal_tells_a_moved_end_and_no_other_change(
    void **state)
{
	struct ledger *l = open_journal(true);
	struct lease row = lease_of("192.0.2.1", "a", later(1000));

	(void)state;
	put(l, "192.0.2.1", "a", later(1000));
	row.sessions = 5;
	begin(l, t0);
	ledger_put(l, &row);
	commit(l);
	assert_string_equal(script(l, 0), "1+a");
	put(l, "192.0.2.1", "a", later(2000));
	assert_string_equal(script(l, 0), "1+a 2+a");
	delete (l, "192.0.2.9", "nobody");
	assert_int_equal(ledger_sequence(l), 2);
	ledger_close(&l);
}

static void test_ledger_journal_merges_within_a_transaction(void **state)
{
	struct ledger *l = open_journal(true);
	struct lease a = lease_of("192.0.2.1", "a", later(1000));
	struct lease b = lease_of("192.0.2.2", "b", later(1000));

	(void)state;
	begin(l, t0);
	ledger_put(l, &a);
	ledger_put(l, &b);
	for (int i = 0; i < 500; i++) {
		a.end = later(2000 + i);
		ledger_put(l, &a);
	}
	commit(l);
	assert_string_equal(script(l, 0), "1+b 2+a");
	begin(l, t0);
	a.end = later(9000);
	ledger_put(l, &a);
	ledger_delete(l, &a);
	commit(l);
	assert_string_equal(script(l, 2), "3-a");
	ledger_close(&l);
}

static void test_ledger_journal_keeps_many_changes_of_one_transaction(
    void **state)
{
	struct ledger *l = open_journal(true);
	struct lease row = lease_of("192.0.2.1", "a", later(1000));

	(void)state;
	begin(l, t0);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 1000; i++) {
			row.addr.bytes[14] = (uint8_t)(i >> 8);
			row.addr.bytes[15] = (uint8_t)i;
			row.end = later(1000 + round);
			ledger_put(l, &row);
		}
	commit(l);
	assert_int_equal(ledger_sequence(l), 1000);
	ledger_close(&l);
}

static void test_ledger_journal_tells_revocations(void **state)
{
	struct ledger *l = open_journal(true);
	struct ledger_revocation r;

	(void)state;
	memset(&r, 0, sizeof(r));
	r.user_len = 1;
	r.user[0] = 'e';
	r.time = t0.wall;
	r.until = t0.wall + 5;
	r.keep = later(5);
	begin(l, t0);
	ledger_revocation_put(l, &r);
	commit(l);
	assert_string_equal(script(l, 0), "1!e");
	ledger_close(&l);
}

static void test_ledger_journal_of_a_failed_transaction_is_nothing(void **state)
{
	struct ledger *l = open_journal(true);
	struct lease row = lease_of("192.0.2.1", "a", later(1000));

	(void)state;
	begin(l, t0);
	ledger_put(l, &row);
	ledger_abort(l);
	put(l, "192.0.2.2", "b", later(1000));
	assert_string_equal(script(l, 0), "1+b");
	ledger_close(&l);
}

static void test_ledger_journal_is_trimmed_from_its_beginning(void **state)
{
	struct ledger *l = open_journal(true);

	(void)state;
	put(l, "192.0.2.1", "a", later(1000));
	put(l, "192.0.2.2", "b", later(3000));
	put(l, "192.0.2.3", "c", later(2000));
	put(l, "192.0.2.4", "d", later(3000));
	begin(l, t0);
	ledger_journal_trim(l, 0, later(2500), 99); /* a has run out */
	commit(l);
	/* c too, but a hole would send every reader to a snapshot. */
	assert_string_equal(script(l, 0), "2+b 3+c 4+d");
	begin(l, t0);
	ledger_journal_trim(l, 4, t0, 1);
	commit(l);
	assert_string_equal(script(l, 0), "3+c 4+d");
	begin(l, t0);
	ledger_journal_trim(l, 4, t0, 99);
	commit(l);
	assert_string_equal(script(l, 0), "");
	ledger_close(&l);
	l = open_journal(true);
	assert_int_equal(ledger_sequence(l), 4);
	put(l, "192.0.2.5", "e", later(1000));
	assert_string_equal(script(l, 4), "5+e");
	ledger_close(&l);
}

static void test_ledger_journal_that_was_off_has_a_hole(void **state)
{
	struct ledger *l = open_journal(true);

	(void)state;
	put(l, "192.0.2.1", "a", later(1000));
	ledger_close(&l);
	l = open_journal(false);
	put(l, "192.0.2.2", "b", later(1000));
	assert_int_equal(ledger_sequence(l), 1);
	ledger_close(&l);
	l = open_journal(true);
	put(l, "192.0.2.3", "c", later(1000));
	/* A reader at 1 expects 2 and finds 3. */
	assert_string_equal(script(l, 1), "3+c");
	assert_string_equal(script(l, 0), "3+c");
	ledger_close(&l);
}

static void test_ledger_journal_off_writes_nothing(void **state)
{
	struct ledger *l = open_journal(false);

	(void)state;
	put(l, "192.0.2.1", "a", later(1000));
	assert_string_equal(script(l, 0), "");
	assert_int_equal(ledger_sequence(l), 0);
	ledger_close(&l);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ledger_journal_tells_changes_in_order),
		T(test_ledger_journal_tells_a_moved_end_and_no_other_change),
		T(test_ledger_journal_merges_within_a_transaction),
		T(test_ledger_journal_keeps_many_changes_of_one_transaction),
		T(test_ledger_journal_tells_revocations),
		T(test_ledger_journal_of_a_failed_transaction_is_nothing),
		T(test_ledger_journal_is_trimmed_from_its_beginning),
		T(test_ledger_journal_that_was_off_has_a_hole),
		T(test_ledger_journal_off_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
