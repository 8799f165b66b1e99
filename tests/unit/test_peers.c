/* SPDX-License-Identifier: ISC */
/*
 * test_peers - who may speak to a source, and what it refuses to listen at.
 */
#include "inlet_world.h"

static struct peers *peers_of(struct conf *conf)
{
	struct err err = { 0 };
	struct peers *p = peers_new(conf_at(conf, "source", 0), &err);

	if (!p)
		fail_msg("%s", err.text);
	return p;
}

static bool allows(const struct peers *p, const char *text)
{
	struct addr a;

	assert_true(addr_parse(text, strlen(text), &a));
	return peers_allow_addr(p, &a);
}

static void test_peers_allow_listed_networks_only(void **state)
{
	struct conf *conf = inlet_conf("listen = \"udp:127.0.0.1:811\" "
				       "allow = {\"192.0.2.0/24\", "
				       "\"2001:db8::/32\", \"198.51.100.7\"}");
	struct peers *p = peers_of(conf);

	(void)state;
	assert_true(allows(p, "192.0.2.255"));
	assert_true(allows(p, "2001:db8:1::1"));
	assert_true(allows(p, "198.51.100.7"));
	assert_false(allows(p, "198.51.100.8"));
	assert_false(allows(p, "192.0.3.0"));
	assert_false(allows(p, "127.0.0.1"));
	assert_false(allows(p, "::"));
	assert_false(allows(p, "203.0.113.66"));
	peers_free(&p);
	assert_null(p);
	conf_free(&conf);
}

static void test_peers_allow_listed_users_only(void **state)
{
	struct conf *conf = inlet_conf("allow-uid = {\"root\", \"4242\"}");
	struct peers *p = peers_of(conf);

	(void)state;
	assert_true(peers_allow_uid(p, 0));
	assert_true(peers_allow_uid(p, 4242));
	assert_false(peers_allow_uid(p, 4243));
	assert_false(peers_allow_uid(p, (uid_t)-1));
	assert_false(allows(p, "127.0.0.1"));
	peers_free(&p);
	conf_free(&conf);
	conf = inlet_conf("allow-uid = \"*\"");
	p = peers_of(conf);
	assert_true(peers_allow_uid(p, 4243));
	assert_false(peers_allow_uid(p, (uid_t)-1));
	peers_free(&p);
	conf_free(&conf);
	conf = inlet_conf("allow-uid = {}");
	p = peers_of(conf);
	assert_false(peers_allow_uid(p, 0));
	peers_free(&p);
	conf_free(&conf);
}

/* The defaults name users that not every host has. */
static void test_peers_leave_out_unknown_users_of_the_defaults(void **state)
{
	struct conf *conf = inlet_conf("%s", "");
	struct peers *p = peers_of(conf);

	(void)state;
	assert_true(peers_allow_uid(p, 0));
	assert_false(peers_allow_uid(p, 1));
	peers_free(&p);
	conf_free(&conf);
}

static void test_peers_of_one_list_are_its_users(void **state)
{
	struct conf *conf = inlet_conf("allow-uid = {\"4242\", \"root\"} "
				       "allow = {\"192.0.2.0/24\"}");
	struct err err = { 0 };
	struct peers *p =
	    peers_users(conf_at(conf, "source", 0), "allow-uid", &err);

	(void)state;
	assert_true(peers_allow_uid(p, 0));
	assert_true(peers_allow_uid(p, 4242));
	assert_false(peers_allow_uid(p, 4243));
	assert_false(allows(p, "192.0.2.1"));
	peers_free(&p);
	conf_free(&conf);
	conf = inlet_conf("allow-uid = \"no-such-user-here\"");
	assert_null(peers_users(conf_at(conf, "source", 0), "allow-uid", &err));
	assert_non_null(strstr(err.text, "allow-uid: \"no-such-user-here\""));
	conf_free(&conf);
}

static void test_peers_everybody_is_all_but_nobody(void **state)
{
	struct peers *p = peers_everybody();

	(void)state;
	assert_true(allows(p, "203.0.113.66"));
	assert_true(allows(p, "2001:db8::66"));
	assert_true(peers_allow_uid(p, 0));
	assert_true(peers_allow_uid(p, 4243));
	assert_false(peers_allow_uid(p, (uid_t)-1));
	peers_free(&p);
	assert_null(p);
}

static void test_peers_refuse_what_is_not_safe_or_not_there(void **state)
{
	static const struct {
		const char *options, *about;
	} rows[] = {
		{ "listen = \"udp:127.0.0.1:811\"", "anybody could speak" },
		{ "listen = \"tcp:[::1]:811\"", "anybody could speak" },
		{ "listen = {\"unix:/run/x\", \"udp:192.0.2.1:811\"}",
		    "udp:192.0.2.1:811" },
		{ "listen = \"/run/x\"", "listen" },
		{ "listen = \"udp:localhost:811\" allow = \"192.0.2.1\"",
		    "listen" },
		{ "allow-uid = \"no-such-user-here\"", "no-such-user-here" },
		{ "allow-uid = {\"root\", \"4294967295\"}", "4294967295" },
	};
	int fds[2];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct conf *conf = inlet_conf("%s", rows[i].options);
		const struct conf_section *s = conf_at(conf, "source", 0);
		struct err err = { 0 };
		assert_null(peers_new(s, &err));
		assert_int_equal(err.code, EXIT_USER);
		assert_non_null(strstr(err.text, "source t (line 1)"));
		assert_non_null(strstr(err.text, rows[i].about));
		assert_int_equal(peers_sockets(s, 15, fds, 2, &err), -1);
		conf_free(&conf);
	}
}

static int sockets_of(const char *options, peers_types types, struct err *err)
{
	struct conf *conf = inlet_conf("%s", options);
	int fds[2] = { -1, -1 };
	int n;

	*err = (struct err){ 0 };
	n = peers_sockets(conf_at(conf, "source", 0), types, fds, 2, err);
	for (int i = 0; i < n; i++) {
		assert_true(fds[i] >= 0);
		(void)close(fds[i]);
	}
	conf_free(&conf);
	return n;
}

static void test_peers_open_what_the_kind_can_serve(void **state)
{
	const peers_types streams =
	    ENDPOINT_BIT(ENDPOINT_UNIX) | ENDPOINT_BIT(ENDPOINT_TCP);
	char dir[] = "/tmp/test-peers-XXXXXX", text[512], path[64];
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/a", dir);
	(void)snprintf(text, sizeof(text), "listen = \"unix:%s\"", path);
	assert_int_equal(sockets_of(text, streams, &err), 1);
	(void)unlink(path);
	(void)snprintf(text, sizeof(text), "listen = \"unixgram:%s\"", path);
	assert_int_equal(sockets_of(text, streams, &err), -1);
	assert_int_equal(err.code, EXIT_USER);
	assert_non_null(strstr(err.text, "listens at unix: tcp:"));
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(sockets_of("", streams, &err), -1);
	assert_non_null(strstr(err.text, "1 to 16 places"));
	assert_int_equal(
	    sockets_of("listen = {\"unix:/a\", \"unix:/b\", \"unix:/c\"}",
		streams, &err),
	    -1);
	(void)snprintf(
	    text, sizeof(text), "listen = \"unix:%s\" mode = \"0999\"", path);
	assert_int_equal(sockets_of(text, streams, &err), -1);
	assert_non_null(strstr(err.text, "mode"));
	assert_int_equal(rmdir(dir), 0);
}

static int checked(const char *options, peers_types types, struct err *err)
{
	struct conf *conf = inlet_conf("%s", options);
	int result;

	*err = (struct err){ 0 };
	result = peers_sockets(conf_at(conf, "source", 0), types, NULL, 0, err);
	conf_free(&conf);
	return result;
}

/* A kind that judges its callers itself needs no `allow`; all else is checked
 * as ever. */
static void test_peers_let_a_judge_listen_without_a_list(void **state)
{
	const char *place = "listen = \"udp:127.0.0.1:811\"";
	const peers_types net =
	    ENDPOINT_BIT(ENDPOINT_TCP) | ENDPOINT_BIT(ENDPOINT_UDP);
	struct err err;

	(void)state;
	assert_int_equal(checked(place, net, &err), -1);
	assert_non_null(strstr(err.text, "anybody could speak"));
	assert_int_equal(checked(place, net | PEERS_JUDGED, &err), 0);
	assert_int_equal(
	    checked("listen = \"unix:/a\"", net | PEERS_JUDGED, &err), -1);
	assert_non_null(strstr(err.text, "listens at tcp: udp:"));
	assert_int_equal(checked("listen = \"udp:127.0.0.1:811\" "
				 "allow-uid = \"no-such-user-here\"",
			     net | PEERS_JUDGED, &err),
	    -1);
	assert_non_null(strstr(err.text, "no-such-user-here"));
}

static void test_peers_check_without_opening(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(
	    checked("listen = \"unix:/no/such/place\"", 15, &err), 0);
	assert_int_equal(
	    checked("listen = \"unix:/no/such/place\" mode = \"rw\"", 15, &err),
	    -1);
	assert_non_null(strstr(err.text, "mode"));
}

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* One place of two cannot be made: the other is not left open. */
static void test_peers_close_all_when_one_fails(void **state)
{
	char dir[] = "/tmp/test-peers-XXXXXX", text[512], path[64];
	unsigned before = open_fds();
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/a", dir);
	(void)snprintf(text, sizeof(text),
	    "listen = {\"unix:%s\", \"unix:%s/no/such/b\"}", path, dir);
	assert_int_equal(sockets_of(text, 15, &err), -1);
	assert_int_equal(open_fds(), before);
	(void)unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test(test_peers_##name)
		TEST(allow_listed_networks_only),
		TEST(allow_listed_users_only),
		TEST(leave_out_unknown_users_of_the_defaults),
		TEST(of_one_list_are_its_users),
		TEST(everybody_is_all_but_nobody),
		TEST(refuse_what_is_not_safe_or_not_there),
		TEST(open_what_the_kind_can_serve),
		TEST(let_a_judge_listen_without_a_list),
		TEST(check_without_opening),
		TEST(close_all_when_one_fails),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
