/* SPDX-License-Identifier: ISC */
/*
 * test_endpoint - places as text, and the sockets made of them. Unix streams
 * and TCP are tested by test_listener.c as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/endpoint.h"
#include "base/mem.h"

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char *own_group(void)
{
	const struct group *gr = getgrgid(getegid());

	return gr ? gr->gr_name : "root";
}

static void test_endpoint_reads_and_prints_places(void **state)
{
	static const struct {
		const char *text;
		enum endpoint_type type;
		const char *printed;
	} good[] = {
		{ "unix:/run/a", ENDPOINT_UNIX, "unix:/run/a" },
		{ "unixgram:/run/a", ENDPOINT_UNIXGRAM, "unixgram:/run/a" },
		{ "tcp:192.0.2.1:9876", ENDPOINT_TCP, "inet:192.0.2.1:9876" },
		{ "inet:[2001:db8::1]:25", ENDPOINT_TCP,
		    "inet:[2001:db8::1]:25" },
		{ "udp:[::1]:811", ENDPOINT_UDP, "udp:[::1]:811" },
		{ "udp:0.0.0.0:65535", ENDPOINT_UDP, "udp:0.0.0.0:65535" },
		{ "unix:/" A50 A50 "123456", ENDPOINT_UNIX,
		    "unix:/" A50 A50 "123456" },
	};
	struct endpoint e;
	char text[128];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_true(endpoint_parse(good[i].text, &e));
		assert_int_equal(e.type, good[i].type);
		assert_int_equal(endpoint_is_local(&e),
		    strncmp(good[i].text, "unix", 4) == 0);
		assert_string_equal(
		    endpoint_print(&e, text, sizeof(text)), good[i].printed);
	}
}

static void test_endpoint_refuses_other_text(void **state)
{
	static const char *const bad[] = { "", "unix:", "unix:relative",
		"unix:/", "unix:/dir/", "/run/a", "tcp:", "tcp::1",
		"tcp:192.0.2.1", "tcp:192.0.2.1:", "tcp:192.0.2.1:0",
		"tcp:192.0.2.1:01", "tcp:192.0.2.1:65536", "tcp:192.0.2.1:1x",
		"tcp:192.0.2.01:1", "tcp:2001:db8::1:25", "tcp:[192.0.2.1]:25",
		"tcp:[::ffff:192.0.2.1]:25", "udp:localhost:25",
		"udp:[fe80::1%lo]:25", "UDP:192.0.2.1:1", " udp:192.0.2.1:1",
		"udp:192.0.2.1:1 ", "udp:]:1", "udp:[]:1" };
	struct endpoint e;

	(void)state;
	assert_false(endpoint_parse("unix:/" A50 A50 "1234567", &e));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (endpoint_parse(bad[i], &e))
			fail_msg("took \"%s\"", bad[i]);
}

static void test_endpoint_knows_the_same_place(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "unix:/run/a", "unix:/run/a", true },
		{ "unix:/run/a", "unixgram:/run/a", true },
		{ "unix:/run/a", "unix:/run/b", false },
		{ "unix:/run/a", "tcp:192.0.2.1:25", false },
		{ "tcp:192.0.2.1:25", "inet:192.0.2.1:25", true },
		{ "tcp:192.0.2.1:25", "udp:192.0.2.1:25", false },
		{ "tcp:192.0.2.1:25", "tcp:192.0.2.2:25", false },
		{ "udp:[::1]:25", "udp:[::1]:26", false },
	};
	struct endpoint a, b;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_true(endpoint_parse(rows[i].a, &a));
		assert_true(endpoint_parse(rows[i].b, &b));
		assert_int_equal(endpoint_is_same(&a, &b), rows[i].same);
		assert_int_equal(endpoint_is_same(&b, &a), rows[i].same);
	}
}

static void test_endpoint_reads_modes_and_users(void **state)
{
	static const char *const bad_modes[] = { "", "rw", "0999", "01777",
		"660 ", "-1" };
	static const char *const bad_users[] = { "", "no-such-user-here", "1x",
		"4294967295", "-1", "99999999999999999999999" };
	mode_t mode;
	uid_t uid;

	(void)state;
	assert_true(endpoint_parse_mode("0660", &mode));
	assert_int_equal(mode, 0660);
	assert_true(endpoint_parse_user("root", &uid));
	assert_int_equal(uid, 0);
	assert_true(endpoint_parse_user("4294967294", &uid));
	assert_int_equal(uid, 4294967294U);
	for (size_t i = 0; i < COUNT_OF(bad_modes); i++)
		assert_false(endpoint_parse_mode(bad_modes[i], &mode));
	for (size_t i = 0; i < COUNT_OF(bad_users); i++)
		assert_false(endpoint_parse_user(bad_users[i], &uid));
}

static void test_endpoint_knows_a_peer_of_each_family(void **state)
{
	struct sockaddr_storage from = { 0 };
	struct sockaddr_in *in4 = (struct sockaddr_in *)&from;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&from;
	char text[ADDR_TEXT_SIZE];
	struct addr a;
	uint16_t port;

	(void)state;
	assert_false(endpoint_peer(&from, &a, &port));
	in4->sin_family = AF_INET;
	in4->sin_port = htons(514);
	in4->sin_addr.s_addr = htonl(0xc0000201);
	assert_true(endpoint_peer(&from, &a, &port));
	(void)addr_print(&a, text);
	assert_string_equal(text, "192.0.2.1");
	assert_int_equal(port, 514);
	in6->sin6_family = AF_INET6;
	in6->sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
	assert_true(endpoint_peer(&from, &a, &port));
	(void)addr_print(&a, text);
	assert_string_equal(text, "::1");
}

static void test_endpoint_gives_the_kernel_its_address(void **state)
{
	static const char *const texts[] = { "udp:192.0.2.1:514",
		"tcp:[2001:db8::1]:25" };
	struct sockaddr_storage at;
	const struct sockaddr_un *un = (const struct sockaddr_un *)&at;
	struct endpoint e;
	struct addr a;
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		memset(&at, 0xff, sizeof(at));
		assert_true(endpoint_parse(texts[i], &e));
		assert_int_equal(
		    endpoint_address(&e, &at), i ? sizeof(struct sockaddr_in6)
						 : sizeof(struct sockaddr_in));
		assert_true(endpoint_peer(&at, &a, &port));
		assert_memory_equal(&a, &e.addr, sizeof(a));
		assert_int_equal(port, e.port);
	}
	assert_true(endpoint_parse("unixgram:/run/a", &e));
	assert_int_equal(endpoint_address(&e, &at), sizeof(*un));
	assert_int_equal(un->sun_family, AF_UNIX);
	assert_string_equal(un->sun_path, "/run/a");
}

static int open_text(const char *text, struct err *err)
{
	const struct endpoint_owner owner = { "source t", 0620, own_group() };
	struct endpoint e;

	*err = (struct err){ 0 };
	assert_true(endpoint_parse(text, &e));
	return endpoint_open(&e, &owner, err);
}

static int option_of(int fd, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

/* A datagram socket: its mode, and that the kernel says who sends. */
static void test_endpoint_opens_unix_datagrams(void **state)
{
	char dir[] = "/tmp/test-endpoint-XXXXXX", text[128];
	struct err err;
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(text, sizeof(text), "unixgram:%s/s", dir);
	fd = open_text(text, &err);
	assert_true(fd >= 0);
	assert_int_equal(stat(strchr(text, ':') + 1, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0620);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_PASSCRED), 1);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(open_text(text, &err), -1);
	assert_int_equal(err.code, EXIT_AGAIN);
	assert_non_null(strstr(err.text, "source t: another instance"));
	(void)close(fd);
	fd = open_text(text, &err); /* nobody answers there any more */
	assert_true(fd >= 0);
	(void)close(fd);
	(void)unlink(strchr(text, ':') + 1);
	assert_int_equal(rmdir(dir), 0);
}

static unsigned port_of(int fd)
{
	struct sockaddr_in in = { 0 };
	socklen_t len = sizeof(in);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	return ntohs(in.sin_port);
}

/* Bound by nobody else at the same time, as it could be with SO_REUSEADDR. */
static void test_endpoint_opens_udp_alone(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[64];
	struct err err;
	int fd;

	(void)state;
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(other, (struct sockaddr *)&in, sizeof(in)), 0);
	(void)snprintf(text, sizeof(text), "udp:127.0.0.1:%u", port_of(other));
	assert_int_equal(open_text(text, &err), -1);
	assert_int_equal(err.code, EXIT_AGAIN);
	assert_non_null(strstr(err.text, text));
	(void)close(other);
	fd = open_text(text, &err);
	assert_true(fd >= 0);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEADDR), 0);
	assert_int_equal(option_of(fd, IPPROTO_IP, IP_PKTINFO), 1);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	(void)close(fd);
}

static void test_endpoint_tells_which_option_names_no_group(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(endpoint_check_group(own_group(), "group", &err), 0);
	if (geteuid() != 0)
		skip(); /* others keep their own */
	assert_int_equal(
	    endpoint_check_group("no-such", "control-group", &err), -1);
	assert_int_equal(err.code, EXIT_USER);
	assert_non_null(strstr(err.text, "set `control-group`"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test(test_endpoint_##name)
		TEST(reads_and_prints_places),
		TEST(refuses_other_text),
		TEST(knows_the_same_place),
		TEST(reads_modes_and_users),
		TEST(knows_a_peer_of_each_family),
		TEST(gives_the_kernel_its_address),
		TEST(opens_unix_datagrams),
		TEST(opens_udp_alone),
		TEST(tells_which_option_names_no_group),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
