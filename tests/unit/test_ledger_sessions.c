/* SPDX-License-Identifier: ISC */
/* test_ledger_sessions - rows of open sessions; their end at a reboot. */
#include "ledger_dir.h"

static struct ledger_session session_of(uint16_t server, const char *id)
{
	struct ledger_session s;

	memset(&s, 0, sizeof(s));
	s.server = server;
	s.source = 1;
	s.mpid = 4711;
	s.began = t0.wall;
	s.since = s.last_sign = t0;
	s.addr = address("192.0.2.7");
	s.user_len = 5;
	memcpy(s.user, "alice", 5);
	s.session_len = (uint8_t)strlen(id);
	memcpy(s.session, id, strlen(id));
	return s;
}

static void put_session(struct ledger *l, uint16_t server, const char *id)
{
	struct ledger_session s = session_of(server, id);

	begin(l, t0);
	ledger_session_put(l, &s);
	commit(l);
}

static enum ledger_found get(struct ledger *l, uint16_t server, const char *id,
    struct ledger_session *out)
{
	enum ledger_found found;

	assert_int_equal(ledger_read_begin(l, &err), 0);
	found = ledger_session_get(l, server, id, strlen(id), out);
	ledger_read_end(l);
	return found;
}

static int count(void *ctx, const struct ledger_session *s)
{
	(void)s;
	++*(int *)ctx;
	return 0;
}

static int sessions(struct ledger *l)
{
	int n = 0;

	assert_int_equal(ledger_read_begin(l, &err), 0);
	assert_int_equal(ledger_session_each(l, count, &n), 0);
	ledger_read_end(l);
	return n;
}

static void test_ledger_sessions_are_apart_by_server(void **state)
{
	struct ledger *l = open_writer();
	struct ledger_session want = session_of(2, "abc"), got;

	(void)state;
	put_session(l, 1, "abc");
	put_session(l, 2, "abc");
	assert_int_equal(sessions(l), 2);
	memset(&got, 0, sizeof(got));
	assert_int_equal(get(l, 2, "abc", &got), LEDGER_FOUND);
	assert_memory_equal(&want, &got, sizeof(want));
	assert_int_equal(get(l, 3, "abc", &got), LEDGER_MISSING);
	assert_int_equal(get(l, 2, "ab", &got), LEDGER_MISSING);
	assert_int_equal(get(l, 2, "", &got), LEDGER_MISSING);
	begin(l, t0);
	ledger_session_delete(l, &want);
	commit(l);
	assert_int_equal(get(l, 2, "abc", &got), LEDGER_MISSING);
	assert_int_equal(get(l, 1, "abc", &got), LEDGER_FOUND);
	ledger_close(&l);
}

static int remove_it(void *ctx, const struct ledger_session *s)
{
	ledger_session_delete(ctx, s);
	return 0;
}

static void test_ledger_sessions_may_go_while_walked(void **state)
{
	struct ledger *l = open_writer();
	char id[16];

	(void)state;
	for (int i = 0; i < 300; i++) {
		(void)snprintf(id, sizeof(id), "s%d", i);
		put_session(l, 1, id);
	}
	begin(l, t0);
	assert_int_equal(ledger_session_each(l, remove_it, l), 0);
	commit(l);
	assert_int_equal(sessions(l), 0);
	ledger_close(&l);
}

static void test_ledger_sessions_survive_a_restart_not_a_reboot(void **state)
{
	struct ledger_options o = options(true);
	struct ledger *l = open_writer();
	struct ledger_session got;

	(void)state;
	put_session(l, 1, "abc");
	ledger_close(&l);
	l = open_writer();
	assert_int_equal(get(l, 1, "abc", &got), LEDGER_FOUND);
	ledger_close(&l);
	memcpy(o.boot_id, "boot-2", 7);
	l = open_with(&o, later(1000));
	assert_int_equal(sessions(l), 0);
	ledger_close(&l);
}

static void test_ledger_sessions_unsound_are_not_stored(void **state)
{
	struct ledger *l = open_writer();
	struct ledger_session s = session_of(1, "a\tb");

	(void)state;
	begin(l, t0);
	ledger_session_put(l, &s);
	s = session_of(1, "ab");
	memset(&s.addr, 0, sizeof(s.addr));
	ledger_session_put(l, &s);
	commit(l);
	assert_int_equal(sessions(l), 0);
	ledger_close(&l);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ledger_sessions_are_apart_by_server),
		T(test_ledger_sessions_may_go_while_walked),
		T(test_ledger_sessions_survive_a_restart_not_a_reboot),
		T(test_ledger_sessions_unsound_are_not_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
