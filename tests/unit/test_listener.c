/* SPDX-License-Identifier: ISC */
/*
 * test_listener - sections of listeners, and the sockets made of them.
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/netset.h"
#include "listener/listener.h"
#include "listener_conf.h"

/* A directory of this test, and the caller's own group. */
struct place {
	char dir[64], path[96], group[64];
};

static void place_make(struct place *p)
{
	const struct group *gr = getgrgid(getegid());

	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/test-listener-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	(void)snprintf(p->path, sizeof(p->path), "%s/sub/socket", p->dir);
	(void)snprintf(
	    p->group, sizeof(p->group), "%s", gr ? gr->gr_name : "root");
}

static void place_remove(struct place *p)
{
	char sub[96];

	(void)snprintf(sub, sizeof(sub), "%s/sub", p->dir);
	(void)unlink(p->path);
	(void)rmdir(sub);
	assert_int_equal(rmdir(p->dir), 0);
}

static struct conf *conf_unix(const struct place *p, const char *more)
{
	return listener_conf("ask", "listen = \"unix:%s\" group = \"%s\" %s",
	    p->path, p->group, more);
}

static void test_listener_knows_its_kinds(void **state)
{
	(void)state;
	assert_ptr_equal(listener_kind_find("ask"), listener_kinds[0]);
	assert_non_null(listener_kind_find("postfix-policy"));
	assert_null(listener_kind_find("postfix_policy"));
	for (size_t i = 0; listener_kinds[i]; i++)
		assert_in_range(
		    listener_kinds[i]->request_max, 1, LISTENER_REQUEST_MAX);
}

static void test_listener_fills_in_what_the_kind_says(void **state)
{
	struct conf *conf = listener_conf("postfix-policy", "%s", "");
	struct decide_options o;
	struct listener *l;
	struct err err = { 0 };

	(void)state;
	l = listener_new(conf_at(conf, "listener", 0), &err);
	assert_non_null(l);
	assert_string_equal(l->name, "t");
	assert_string_equal(l->at.path, "/var/spool/postfix/relaypass/policy");
	assert_string_equal(l->group, "postfix");
	assert_int_equal(l->mode, 0660);
	assert_int_equal(l->max_connections, 4096);
	assert_int_equal(l->request_timeout, 10000);
	assert_int_equal(l->idle_timeout, 1200000);
	assert_int_equal(l->uid_count, 0);
	assert_int_equal(l->show_count, 1);
	assert_int_equal(l->show_uids[0], 0);
	assert_false(l->view.defer);
	assert_int_equal(
	    listener_decide(conf_at(conf, "listener", 0), &o, &err), 0);
	assert_int_equal(o.require_sender, SENDER_ANY);
	listener_free(&l);
	assert_null(l);
	conf_free(&conf);
}

static void test_listener_tells_its_place(void **state)
{
	struct conf *conf = listener_conf("ask", "%s", "");
	struct endpoint at;

	(void)state;
	assert_true(listener_place(conf_at(conf, "listener", 0), &at));
	assert_int_equal(at.type, ENDPOINT_UNIX);
	assert_string_equal(at.path, "/run/relaypass/ask");
	conf_free(&conf);
	conf = listener_conf("ask", "listen = \"unixgram:/run/x\"");
	assert_true(listener_place(conf_at(conf, "listener", 0), &at));
	assert_int_equal(at.type, ENDPOINT_UNIXGRAM);
	assert_string_equal(at.path, "/run/x");
	conf_free(&conf);
	conf = listener_conf("ask", "listen = \"udp:127.0.0.1:10033\"");
	assert_false(listener_place(conf_at(conf, "listener", 0), &at));
	conf_free(&conf);
}

static void test_listener_refuses_sections_it_cannot_serve(void **state)
{
	static const struct {
		const char *text, *about;
	} rows[] = {
		{ "listen = \"udp:127.0.0.1:10040\"", "listen" },
		{ "listen = \"inet:0.0.0.0:10040\"", "allow" },
		{ "listen = \"inet:[2001:db8::1]:10040\"", "allow" },
		{ "mode = \"0999\"", "mode" },
		{ "mode = \"rw\"", "mode" },
		{ "mode = \"01777\"", "mode" },
		{ "allow-uid = {\"no-such-user-here\"}", "allow-uid" },
		{ "show-user = {\"4294967295\"}", "show-user" },
		{ "show-user = {\"1x\"}", "show-user" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct conf *conf = listener_conf("ask", "%s", rows[i].text);
		struct err err = { 0 };
		assert_null(listener_new(conf_at(conf, "listener", 0), &err));
		assert_int_equal(err.code, EXIT_USER);
		assert_non_null(strstr(err.text, rows[i].about));
		assert_int_equal(
		    listener_socket_open(conf_at(conf, "listener", 0), &err),
		    -1);
		conf_free(&conf);
	}
}

static void test_listener_takes_users_and_networks(void **state)
{
	struct conf *conf = listener_conf("ask", "%s",
	    "allow-uid = {\"root\", \"1234\"} show-user = {} "
	    "listen = \"inet:0.0.0.0:10040\" allow = {\"192.0.2.0/24\"} "
	    "tempfail = yes require-sender = \"domain\"");
	struct decide_options o;
	struct listener *l;
	struct err err = { 0 };
	struct addr a;

	(void)state;
	l = listener_new(conf_at(conf, "listener", 0), &err);
	assert_non_null(l);
	assert_int_equal(l->uid_count, 2);
	assert_int_equal(l->uids[0], 0);
	assert_int_equal(l->uids[1], 1234);
	assert_int_equal(l->show_count, 0);
	assert_true(l->view.defer);
	assert_int_equal(
	    listener_decide(conf_at(conf, "listener", 0), &o, &err), 0);
	assert_int_equal(o.require_sender, SENDER_DOMAIN);
	assert_true(addr_parse("192.0.2.9", 9, &a));
	assert_true(netset_find(l->allow, &a) >= 0);
	assert_true(addr_parse("127.0.0.1", 9, &a));
	assert_true(netset_find(l->allow, &a) < 0);
	listener_free(&l);
	conf_free(&conf);
}

static void test_listener_makes_directory_socket_and_mode(void **state)
{
	struct place p;
	struct conf *conf;
	struct err err = { 0 };
	struct stat st;
	char sub[96];
	mode_t before = umask(0);
	int fd;

	(void)state;
	place_make(&p);
	conf = conf_unix(&p, "mode = \"0640\"");
	fd = listener_socket_open(conf_at(conf, "listener", 0), &err);
	assert_true(fd >= 0);
	assert_int_equal(umask(before), 0);
	assert_int_equal(lstat(p.path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0640);
	(void)snprintf(sub, sizeof(sub), "%s/sub", p.dir);
	assert_int_equal(stat(sub, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	(void)close(fd);
	conf_free(&conf);
	place_remove(&p);
}

static void test_listener_removes_only_sockets_nobody_answers(void **state)
{
	struct place p;
	struct conf *conf;
	const struct conf_section *s;
	struct err err = { 0 };
	int fd, other;

	(void)state;
	place_make(&p);
	conf = conf_unix(&p, "");
	s = conf_at(conf, "listener", 0);
	fd = listener_socket_open(s, &err);
	assert_true(fd >= 0);
	assert_int_equal(listener_socket_open(s, &err), -1);
	assert_int_equal(err.code, EXIT_AGAIN);
	assert_non_null(strstr(err.text, "another instance"));
	assert_non_null(strstr(err.text, p.path));
	(void)close(fd);
	fd = listener_socket_open(s, &err); /* stale now */
	assert_true(fd >= 0);
	(void)close(fd);
	(void)unlink(p.path);
	other = open(p.path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(other >= 0);
	(void)close(other);
	assert_int_equal(listener_socket_open(s, &err), -1);
	assert_int_equal(err.code, EXIT_USER);
	assert_int_equal(access(p.path, F_OK), 0);
	(void)unlink(p.path);
	assert_int_equal(symlink("/dev/null", p.path), 0);
	assert_int_equal(listener_socket_open(s, &err), -1);
	assert_int_equal(err.code, EXIT_USER);
	conf_free(&conf);
	place_remove(&p);
}

static void test_listener_says_which_group_is_missing(void **state)
{
	struct place p;
	struct conf *conf;
	struct err err = { 0 };
	int fd;

	(void)state;
	place_make(&p);
	(void)snprintf(p.group, sizeof(p.group), "no-such-group-here");
	conf = conf_unix(&p, "");
	fd = listener_socket_open(conf_at(conf, "listener", 0), &err);
	if (geteuid() == 0) {
		assert_int_equal(fd, -1);
		assert_int_equal(err.code, EXIT_USER);
		assert_non_null(strstr(err.text, p.group));
	} else {
		assert_true(fd >= 0);
		(void)close(fd);
	}
	conf_free(&conf);
	place_remove(&p);
}

static void test_listener_says_that_a_port_is_taken(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct conf *conf;
	struct err err = { 0 };
	int fd;

	(void)state;
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(taken, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(taken, 1), 0);
	assert_int_equal(getsockname(taken, (struct sockaddr *)&in, &len), 0);
	conf = listener_conf("ask", "listen = \"inet:127.0.0.1:%u\"",
	    (unsigned)ntohs(in.sin_port));
	fd = listener_socket_open(conf_at(conf, "listener", 0), &err);
	assert_int_equal(fd, -1);
	assert_int_equal(err.code, EXIT_AGAIN);
	assert_non_null(strstr(err.text, "taken"));
	(void)close(taken);
	fd = listener_socket_open(conf_at(conf, "listener", 0), &err);
	assert_true(fd >= 0);
	(void)close(fd);
	conf_free(&conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listener_knows_its_kinds),
		cmocka_unit_test(test_listener_fills_in_what_the_kind_says),
		cmocka_unit_test(test_listener_tells_its_place),
		cmocka_unit_test(
		    test_listener_refuses_sections_it_cannot_serve),
		cmocka_unit_test(test_listener_takes_users_and_networks),
		cmocka_unit_test(test_listener_makes_directory_socket_and_mode),
		cmocka_unit_test(
		    test_listener_removes_only_sockets_nobody_answers),
		cmocka_unit_test(test_listener_says_which_group_is_missing),
		cmocka_unit_test(test_listener_says_that_a_port_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
