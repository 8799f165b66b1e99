/* SPDX-License-Identifier: ISC */
/*
 * test_whoson_conf - whosond's configuration file, and what becomes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "source/peers.h"
#include "source/whoson_conf.h"

static struct whoson_conf *parse(const char *text)
{
	struct err err = { 0 };
	struct whoson_conf *c =
	    whoson_conf_parse(text, strlen(text), "whoson.conf", &err);

	if (!c)
		fail_msg("%s", err.text);
	return c;
}

static bool allows(const struct whoson_conf *c, size_t i, const char *text)
{
	struct addr a;

	assert_true(addr_parse(text, strlen(text), &a));
	return whoson_place_allows(&c->places[i], &a);
}

static const char sample[] =
    "# whoson.conf\n"
    "server tcp port=9876 allow=192.0.2.0/24\n"
    "\tdeny=192.0.2.66\t# not this one\n"
    "        allow=192.0.2.66/31\n"
    "\n"
    "# between\n"
    "\tallow=198.51.100.77/24 keepalive=1 listenq=5\r\n"
    "server udp\n"
    "\tport=9877\n"
    "\tallow=127.0.0.1/32\n"
    "server unix port=/run/whoson/sock keepalive=0\n"
    "server unixd port=/run/whoson/dgram\n"
    "server global ttl=1800 cachesize=1000 user=nobody group=nogroup "
    "chroot=/\n"
    "client tcp server=127.0.0.1 port=9876 timeout=3\n"
    "\twhatever=libwhoson-knows\n";

static void place_is(const struct whoson_conf *c, size_t i, const char *want)
{
	char text[200];

	assert_string_equal(
	    endpoint_print(&c->places[i].at, text, sizeof(text)), want);
}

static void test_whoson_conf_reads_every_type(void **state)
{
	struct whoson_conf *c = parse(sample);

	(void)state;
	assert_int_equal(c->count, 4);
	place_is(c, 0, "inet:0.0.0.0:9876");
	place_is(c, 1, "udp:0.0.0.0:9877");
	place_is(c, 2, "unix:/run/whoson/sock");
	place_is(c, 3, "unixgram:/run/whoson/dgram");
	assert_true(c->ttl == 1800000);
	assert_string_equal(
	    c->unused, "keepalive,listenq,cachesize,user,group,chroot");
	whoson_conf_free(&c);
	assert_null(c);
}

static void test_whoson_conf_lets_the_longest_network_decide(void **state)
{
	struct whoson_conf *c = parse(sample);

	(void)state;
	assert_true(allows(c, 0, "192.0.2.1"));
	assert_false(allows(c, 0, "192.0.2.66"));
	assert_true(allows(c, 0, "192.0.2.67"));
	assert_true(allows(c, 0, "198.51.100.1"));
	assert_false(allows(c, 0, "127.0.0.1"));
	assert_true(allows(c, 1, "127.0.0.1"));
	assert_false(allows(c, 1, "127.0.0.2"));
	assert_false(allows(c, 1, "192.0.2.1"));
	assert_false(allows(c, 0, "2001:db8::1"));
	whoson_conf_free(&c);
}

static void test_whoson_conf_of_no_server_is_empty(void **state)
{
	struct whoson_conf *c = parse("");

	(void)state;
	assert_int_equal(c->count, 0);
	whoson_conf_free(&c);
	c = parse("# nothing\nclient tcp port=1\n\t\n   # x\n");
	assert_int_equal(c->count, 0);
	whoson_conf_free(&c);
}

static void refuses(const char *text, const char *why)
{
	struct err err = { 0 };
	struct whoson_conf *c =
	    whoson_conf_parse(text, strlen(text), "whoson.conf", &err);

	if (c)
		fail_msg("\"%s\" was taken", text);
	assert_int_equal(err.code, EXIT_USER);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" lacks \"%s\"", err.text, why);
}

static void test_whoson_conf_tells_mistakes_by_line(void **state)
{
	(void)state;
	refuses("listen tcp\n", "whoson.conf:1: \"listen\": expected");
	refuses("\n\tport=1\n", "whoson.conf:2: \"port=1\": it belongs");
	refuses("server\n", "whoson.conf:1: \"server\"");
	refuses("server sctp port=1\n", "whoson.conf:1: \"sctp\"");
	refuses("server tcp\n\tport=1\n\tfoo=2\n",
	    "whoson.conf:3: \"foo\": unknown keyword");
	refuses("server tcp port=1\n  ttl=5\n", "whoson.conf:2: \"ttl\": not");
	refuses("server unix port=/x allow=192.0.2.1\n", "\"allow\": not");
	refuses("server global port=1\n", "\"port\": not for");
	refuses("server tcp\n\nserver udp port=1\n",
	    "whoson.conf:1: \"tcp\": a server needs");
	refuses("server udp port=1\nserver tcp\n\tallow=192.0.2.1\n",
	    "whoson.conf:2: \"tcp\": a server needs");
	refuses("server tcp port=0\n", "expected a port number");
	refuses("server tcp port=65536\n", "expected a port number");
	refuses("server tcp port=whoson\n", "expected a port number");
	refuses("server unix port=run/x\n", "expected an absolute path");
	refuses("server tcp port=1 allow=example.org\n", "a network");
	refuses("server tcp port=1 allow=192.0.2.0/33\n", "a network");
	refuses("server tcp port=1 allow=192.0.2.0/024\n", "a network");
	refuses("server tcp port=1 allow=192.0.2\n", "a network");
	refuses("server tcp port=1 allow\n", "expected keyword=value");
	refuses("server tcp port=1 allow=\n", "expected keyword=value");
	refuses("server tcp port=1 =x\n", "expected keyword=value");
	refuses("server global ttl=30m\n", "expected seconds");
	refuses("server global ttl=99999999999999999999\n", "seconds");
}

static void test_whoson_conf_has_limits(void **state)
{
	struct err err = { 0 };
	char text[1024] = "";

	(void)state;
	for (int i = 0; i <= SOURCE_FDS_MAX; i++)
		(void)snprintf(
		    text + strlen(text), 32, "server tcp port=%d\n", 1 + i);
	refuses(text, "whoson.conf:17: \"tcp\": too many servers");
	assert_null(whoson_conf_parse("server\0", 7, "whoson.conf", &err));
}

/* --- joined with a section --- */

static struct conf *section(const char *options)
{
	static const struct option rows[] = { PEERS_OPTIONS("", WHOSON_USERS),
		OPTION_END };
	static const struct option none[] = { OPTION_END };
	static const struct conf_kind kind = { "whoson", "", rows };
	static const struct conf_kind *const kinds[] = { &kind, NULL };
	static const struct conf_schema schema[] = {
		{ "source", "", none, kinds }, { 0 }
	};
	struct err err = { 0 };
	char text[500];
	struct conf *conf;

	(void)snprintf(text, sizeof(text),
	    "\n\nsource w-1 { kind = \"whoson\" %s }\n", options);
	conf = conf_parse(text, strlen(text), "test", schema, &err);
	if (!conf)
		fail_msg("%s", err.text);
	return conf;
}

static void list_is(
    const struct conf_section *s, const char *name, const char *want)
{
	char text[1000] = "";

	for (size_t i = 0; i < conf_list_size(s, name); i++)
		(void)snprintf(
		    text + strlen(text), 100, "%s ", conf_list_at(s, name, i));
	assert_string_equal(text, want);
}

static void test_whoson_conf_joins_file_and_section(void **state)
{
	struct conf *own = section("listen = \"unix:/run/a $b\" "
				   "allow = \"203.0.113.0/24\" mode = \"0600\" "
				   "max-connections = 7");
	struct whoson_conf *file = parse(sample);
	struct err err = { 0 };
	struct conf *joined =
	    whoson_conf_join(conf_at(own, "source", 0), file, &err);
	const struct conf_section *s;

	(void)state;
	if (!joined)
		fail_msg("%s", err.text);
	s = conf_at(joined, "source", 0);
	assert_string_equal(conf_name(s), "w-1");
	assert_int_equal(conf_line(s), 3);
	list_is(s, "listen",
	    "unix:/run/a $b inet:0.0.0.0:9876 udp:0.0.0.0:9877 "
	    "unix:/run/whoson/sock unixgram:/run/whoson/dgram ");
	list_is(s, "allow",
	    "203.0.113.0/24 192.0.2.0/24 192.0.2.66/31 198.51.100.0/24 "
	    "127.0.0.1/32 ");
	list_is(s, "allow-uid", "root ");
	assert_false(conf_is_set(s, "allow-uid"));
	assert_string_equal(conf_string(s, "mode"), "0600");
	assert_string_equal(conf_string(s, "group"), "relaypass");
	assert_int_equal(conf_number(s, "max-connections"), 7);
	conf_free(&joined);
	conf_free(&own);
	whoson_conf_free(&file);
}

static void test_whoson_conf_joins_users_that_were_named(void **state)
{
	struct conf *own = section("allow-uid = {\"root\", \"12345\"}");
	struct whoson_conf *file = parse("");
	struct err err = { 0 };
	struct conf *joined =
	    whoson_conf_join(conf_at(own, "source", 0), file, &err);
	const struct conf_section *s;

	(void)state;
	assert_non_null(joined);
	s = conf_at(joined, "source", 0);
	list_is(s, "listen", "");
	list_is(s, "allow", "");
	list_is(s, "allow-uid", "root 12345 ");
	assert_true(conf_is_set(s, "allow-uid"));
	conf_free(&joined);
	conf_free(&own);
	whoson_conf_free(&file);
}

static void test_whoson_conf_reads_files(void **state)
{
	char path[] = "/tmp/test-whoson-conf-XXXXXX";
	AUTO_FREE char *big = xcalloc(WHOSON_CONF_MAX + 1, 1);
	int fd = mkstemp(path);
	struct err err = { 0 };
	struct whoson_conf *c;

	(void)state;
	assert_int_equal(
	    write(fd, sample, sizeof(sample) - 1), sizeof(sample) - 1);
	c = whoson_conf_read(path, &err);
	assert_non_null(c);
	assert_int_equal(c->count, 4);
	whoson_conf_free(&c);
	memset(big, '\n', WHOSON_CONF_MAX + 1);
	assert_int_equal(
	    pwrite(fd, big, WHOSON_CONF_MAX + 1, 0), WHOSON_CONF_MAX + 1);
	assert_null(whoson_conf_read(path, &err));
	assert_non_null(strstr(err.text, "too long"));
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
	assert_null(whoson_conf_read(path, &err));
	assert_non_null(strstr(err.text, "No such file"));
	assert_null(whoson_conf_read("/tmp", &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whoson_conf_reads_every_type),
		cmocka_unit_test(
		    test_whoson_conf_lets_the_longest_network_decide),
		cmocka_unit_test(test_whoson_conf_of_no_server_is_empty),
		cmocka_unit_test(test_whoson_conf_tells_mistakes_by_line),
		cmocka_unit_test(test_whoson_conf_has_limits),
		cmocka_unit_test(test_whoson_conf_joins_file_and_section),
		cmocka_unit_test(test_whoson_conf_joins_users_that_were_named),
		cmocka_unit_test(test_whoson_conf_reads_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
