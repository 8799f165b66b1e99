/* SPDX-License-Identifier: ISC */
/*
 * test_relay_ctrl - the source: which datagrams become logins, when it replies,
 * its keys.
 */
#include "kind_world.h"

#include "source/relay_ctrl_keys.h"

extern const struct source_kind source_relay_ctrl;

static const int udp[] = { SOCK_DGRAM, 0 };
#define ALLOW   "allow = \"127.0.0.1\" "
#define KEY     "0123456789abcdef"
#define KEY_OLD "fedcba9876543210"

static char key_path[] = "/tmp/test-relay-ctrl-XXXXXX";

static int make_keys(void **state)
{
	static const char text[] = "# peers\n127.0.0.1\t" KEY_OLD
				   "\n127.0.0.1 " KEY "\n0.0.0.0/0 0123456789"
				   "0123456789\n";
	int fd = mkstemp(key_path);

	(void)state;
	return fd >= 0 && write(fd, text, sizeof(text) - 1) > 0 ? close(fd)
								: -1;
}

static int remove_keys(void **state)
{
	(void)state;
	return unlink(key_path);
}

static struct kind_world *start(const char *options, bool keys)
{
	char text[300];

	(void)snprintf(text, sizeof(text), ALLOW "%s %s%s%s", options,
	    keys ? "key-file = \"" : "", keys ? key_path : "",
	    keys ? "\"" : "");
	return world_start(&source_relay_ctrl, udp, text);
}

static void silent(struct kind_world *w, int fd)
{
	char out[600];

	assert_int_equal(world_receive(w, fd, out, sizeof(out)), -1);
}

/* --- plain --- */

static void test_relay_ctrl_acknowledges_after_the_commit(void **state)
{
	struct kind_world *w = start("", false);
	int fd = world_client(w, 0, SOCK_DGRAM);
	char out[600];

	(void)state;
	world_send(w, fd, "192.0.2.1", 9);
	assert_int_equal(w->logins, 1);
	assert_int_equal(w->login[0].kind, LOGIN_IN);
	assert_int_equal(w->login[0].userless, 1);
	assert_int_equal(w->login[0].user_len, 0);
	assert_string_equal(w->login[0].server, "relay-ctrl");
	assert_true(w->login[0].time == WORLD_NOW);
	silent(w, fd);
	source_relay_ctrl.stored(
	    w->source, w->login_token[0], SOURCE_STORED, 0);
	assert_int_equal(world_receive(w, fd, out, sizeof(out)), 1);
	assert_int_equal(out[0], RELAY_CTRL_ACK);
	source_relay_ctrl.stored(
	    w->source, w->login_token[0], SOURCE_STORED, 0);
	silent(w, fd);
	(void)close(fd);
	world_end(w);
}

static void test_relay_ctrl_is_silent_about_what_is_not_stored(void **state)
{
	struct kind_world *w = start("", false);
	int fd = world_client(w, 0, SOCK_DGRAM);

	(void)state;
	world_send(w, fd, "192.0.2.1", 9);
	source_relay_ctrl.stored(
	    w->source, w->login_token[0], SOURCE_NOT_STORED, 0);
	silent(w, fd);
	w->full = true;
	world_send(w, fd, "192.0.2.1", 9);
	silent(w, fd);
	(void)close(fd);
	world_end(w);
}

static void test_relay_ctrl_takes_no_other_datagram(void **state)
{
	static const char *const rows[] = { "...", "192.0.2.1\n", "x", "",
		"192.0.2.01" };
	struct kind_world *w = start("", false);
	int fd = world_client(w, 0, SOCK_DGRAM);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		world_send(w, fd, rows[i], strlen(rows[i]));
	assert_int_equal(w->logins, 0);
	silent(w, fd);
	(void)close(fd);
	world_end(w);
}

static void test_relay_ctrl_hears_only_allowed_peers(void **state)
{
	struct kind_world *w =
	    world_start(&source_relay_ctrl, udp, "allow = \"192.0.2.0/24\"");
	int fd = world_client(w, 0, SOCK_DGRAM);

	(void)state;
	world_send(w, fd, "192.0.2.1", 9);
	assert_int_equal(w->logins, 0);
	(void)close(fd);
	world_end(w);
}

static void test_relay_ctrl_limits_the_rate_of_plain_logins(void **state)
{
	struct kind_world *w = start("max-rate = 3", false);
	int fd = world_client(w, 0, SOCK_DGRAM);

	(void)state;
	for (int i = 0; i < 10; i++)
		world_send(w, fd, "192.0.2.1", 9);
	/* A second may have ended in between. */
	assert_in_range(w->logins, 3, 6);
	(void)close(fd);
	world_end(w);
}

/* --- keyed --- */

static struct relay_ctrl_packet request(int64_t time, const char *user)
{
	struct relay_ctrl_packet p = { .form = RELAY_CTRL_REQUEST,
		.time = time,
		.user_len = (uint8_t)strlen(user) };

	memcpy(p.user, user, strlen(user));
	assert_true(addr_parse("192.0.2.1", 9, &p.addr));
	return p;
}

static void send_keyed(struct kind_world *w, int fd,
    const struct relay_ctrl_packet *p, const char *key)
{
	uint8_t out[RELAY_CTRL_PACKET_MAX];

	world_send(w, fd, out, relay_ctrl_encode(p, key, strlen(key), out));
}

static void test_relay_ctrl_takes_a_signed_login_with_its_user(void **state)
{
	struct relay_ctrl_packet p = request(WORLD_NOW - 2000, "anna");
	struct kind_world *w = start("require-key = yes", true);
	int fd = world_client(w, 0, SOCK_DGRAM);
	char out[600];
	ssize_t n;

	(void)state;
	memcpy(p.domain, "example.org", 11);
	p.domain_len = 11;
	send_keyed(w, fd, &p, KEY);
	assert_int_equal(w->logins, 1);
	assert_string_equal(w->login[0].user, "anna@example.org");
	assert_int_equal(w->login[0].user_len, 16);
	assert_int_equal(w->login[0].userless, 0);
	assert_true(w->login[0].time == WORLD_NOW - 2000);
	silent(w, fd);
	source_relay_ctrl.stored(
	    w->source, w->login_token[0], SOURCE_STORED, 0);
	n = world_receive(w, fd, out, sizeof(out));
	assert_true(n > 1);
	assert_true(relay_ctrl_is_reply(
	    (uint8_t *)out, (size_t)n, &p, KEY, strlen(KEY)));
	(void)close(fd);
	world_end(w);
}

static void test_relay_ctrl_joins_user_and_domain(void **state)
{
	static const struct {
		const char *user, *domain, *want;
		bool userless;
	} rows[] = {
		{ "anna", "", "anna", false },
		{ "anna@example.net", "example.org", "anna@example.net",
		    false },
		{ "", "example.org", "", true },
		{ "", "", "", true },
	};
	struct kind_world *w = start("", true);
	int fd = world_client(w, 0, SOCK_DGRAM);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct relay_ctrl_packet p =
		    request(WORLD_NOW - (int64_t)i, rows[i].user);
		p.domain_len = (uint8_t)strlen(rows[i].domain);
		memcpy(p.domain, rows[i].domain, p.domain_len);
		send_keyed(w, fd, &p, KEY_OLD);
		assert_int_equal(w->logins, i + 1);
		assert_string_equal(w->login[i].user, rows[i].want);
		assert_int_equal(w->login[i].userless, rows[i].userless);
	}
	(void)close(fd);
	world_end(w);
}

static void test_relay_ctrl_refuses_too_long_a_user(void **state)
{
	struct relay_ctrl_packet p = request(WORLD_NOW, "");
	struct kind_world *w = start("", true);
	int fd = world_client(w, 0, SOCK_DGRAM);

	(void)state;
	memset(p.user, 'u', 200);
	memset(p.domain, 'd', 60);
	p.user_len = 200;
	p.domain_len = 55;
	send_keyed(w, fd, &p, KEY);
	assert_int_equal(w->logins, 0);
	p.domain_len = 54;
	send_keyed(w, fd, &p, KEY);
	assert_int_equal(w->logins, 1);
	assert_int_equal(w->login[0].user_len, LOGIN_USER_MAX);
	(void)close(fd);
	world_end(w);
}

static void test_relay_ctrl_refuses_a_wrong_signature_or_time(void **state)
{
	const int64_t skew = 300000;
	struct relay_ctrl_packet p = request(WORLD_NOW, "anna");
	struct kind_world *w = start("", true);
	int fd = world_client(w, 0, SOCK_DGRAM);

	(void)state;
	send_keyed(w, fd, &p, "0123456789abcdeX");
	/* The key of a wider network is not this peer's. */
	send_keyed(w, fd, &p, "01234567890123456789");
	p.form = RELAY_CTRL_RESPONSE;
	send_keyed(w, fd, &p, KEY);
	p.form = RELAY_CTRL_REQUEST;
	p.time = WORLD_NOW - skew - 1;
	send_keyed(w, fd, &p, KEY);
	p.time = WORLD_NOW + skew + 1;
	send_keyed(w, fd, &p, KEY);
	assert_int_equal(w->logins, 0);
	p.time = WORLD_NOW + skew;
	send_keyed(w, fd, &p, KEY);
	p.time = WORLD_NOW - skew;
	send_keyed(w, fd, &p, KEY);
	assert_int_equal(w->logins, 2);
	/* A login is never later than its arrival. */
	assert_true(w->login[0].time == WORLD_NOW);
	silent(w, fd);
	(void)close(fd);
	world_end(w);
}

static void test_relay_ctrl_takes_a_signed_packet_once(void **state)
{
	struct relay_ctrl_packet p = request(WORLD_NOW, "anna");
	struct kind_world *w = start("", true);
	int fd = world_client(w, 0, SOCK_DGRAM);

	(void)state;
	for (int i = 0; i < 3; i++)
		send_keyed(w, fd, &p, KEY);
	assert_int_equal(w->logins, 1);
	p.time++;
	send_keyed(w, fd, &p, KEY);
	assert_int_equal(w->logins, 2);
	(void)close(fd);
	world_end(w);
}

static void test_relay_ctrl_with_a_key_must_sign(void **state)
{
	struct kind_world *w = start("", true);
	int fd = world_client(w, 0, SOCK_DGRAM);

	(void)state;
	world_send(w, fd, "192.0.2.1", 9);
	assert_int_equal(w->logins, 0);
	(void)close(fd);
	world_end(w);
}

static void test_relay_ctrl_without_keys_takes_nothing_signed(void **state)
{
	struct relay_ctrl_packet p = request(WORLD_NOW, "anna");
	struct kind_world *w = start("", false);
	int fd = world_client(w, 0, SOCK_DGRAM);

	(void)state;
	send_keyed(w, fd, &p, "");
	send_keyed(w, fd, &p, KEY);
	assert_int_equal(w->logins, 0);
	(void)close(fd);
	world_end(w);
}

/* --- configuration --- */

static void refuses(const char *options, const char *why)
{
	struct conf *conf = world_conf(&source_relay_ctrl, options);
	struct err err = { 0 };
	int fds[SOURCE_FDS_MAX];

	assert_int_equal(source_relay_ctrl.sockets(conf_at(conf, "source", 0),
			     fds, SOURCE_FDS_MAX, &err),
	    -1);
	assert_int_equal(err.code, EXIT_USER);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" lacks \"%s\"", err.text, why);
	conf_free(&conf);
}

static void test_relay_ctrl_refuses_a_wrong_section(void **state)
{
	(void)state;
	refuses("", "allow");
	refuses(ALLOW "require-key = yes", "key-file");
	refuses(ALLOW "key-file = \"/nowhere/keys\"", "/nowhere/keys");
	refuses(ALLOW "listen = \"tcp:127.0.0.1:811\"", "udp:");
	refuses(ALLOW "listen = \"unixgram:/tmp/x\"", "udp:");
}

static void key_file(const char *text, const char *why)
{
	struct err err = { 0 };
	struct relay_ctrl_keys *k =
	    relay_ctrl_keys_parse(text, strlen(text), "keys", &err);

	if (k && why)
		fail_msg("\"%s\" was taken", text);
	if (!k && !why)
		fail_msg("%s", err.text);
	if (why && !strstr(err.text, why))
		fail_msg("\"%s\" lacks \"%s\"", err.text, why);
	if (why)
		assert_null(strstr(err.text, "hunter2"));
	relay_ctrl_keys_free(&k);
}

static void test_relay_ctrl_keys_tell_their_mistakes_by_line(void **state)
{
	(void)state;
	key_file("192.0.2.1 0123456789abcdef", NULL);
	key_file("\n# x\n  192.0.2.0/24\t0123456789abcdef \r\n\n", NULL);
	key_file("2001:db8::/32 0123456789abcdef", NULL);
	key_file("", "keys:1: there is no key");
	key_file("# nothing\n", "there is no key");
	key_file("\n192.0.2.1\n", "keys:2:");
	key_file("192.0.2.1 hunter2", "keys:1: the secret must have 16");
	key_file("192.0.2.1 hunter2hunter2hunter2 x", "keys:1: something");
	key_file("\n\nexample.org hunter2hunter2hunter2", "keys:3: expected");
	key_file("192.0.2.1/24 hunter2hunter2hunter2", "keys:1: expected");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relay_ctrl_acknowledges_after_the_commit),
		cmocka_unit_test(
		    test_relay_ctrl_is_silent_about_what_is_not_stored),
		cmocka_unit_test(test_relay_ctrl_takes_no_other_datagram),
		cmocka_unit_test(test_relay_ctrl_hears_only_allowed_peers),
		cmocka_unit_test(
		    test_relay_ctrl_limits_the_rate_of_plain_logins),
		cmocka_unit_test(
		    test_relay_ctrl_takes_a_signed_login_with_its_user),
		cmocka_unit_test(test_relay_ctrl_joins_user_and_domain),
		cmocka_unit_test(test_relay_ctrl_refuses_too_long_a_user),
		cmocka_unit_test(
		    test_relay_ctrl_refuses_a_wrong_signature_or_time),
		cmocka_unit_test(test_relay_ctrl_takes_a_signed_packet_once),
		cmocka_unit_test(test_relay_ctrl_with_a_key_must_sign),
		cmocka_unit_test(
		    test_relay_ctrl_without_keys_takes_nothing_signed),
		cmocka_unit_test(test_relay_ctrl_refuses_a_wrong_section),
		cmocka_unit_test(
		    test_relay_ctrl_keys_tell_their_mistakes_by_line),
	};

	return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
