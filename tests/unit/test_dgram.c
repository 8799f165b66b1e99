/* SPDX-License-Identifier: ISC */
/*
 * test_dgram - questions that are one datagram each.
 */
#include "server_world.h"

/* A directory of the fixture's, whose socket takes datagrams. */
static struct fixture *open_datagrams(const char *options)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/test-dgram-XXXXXX", all[512];
	struct fixture *f;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/s", dir);
	(void)snprintf(all, sizeof(all), "listen = \"unixgram:%s\" %s",
	    un.sun_path, options);
	f = start("ask", all);
	assert_int_equal(rmdir(f->dir), 0);
	memcpy(f->dir, dir, sizeof(dir));
	memcpy(f->path, un.sun_path, sizeof(f->path));
	return f;
}

static int asker(const struct fixture *f, bool named)
{
	static const struct sockaddr_un any = { .sun_family = AF_UNIX };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(un.sun_path, f->path, strlen(f->path));
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	if (named)
		assert_int_equal(bind(fd, (const struct sockaddr *)&any,
				     sizeof(any.sun_family)),
		    0);
	return fd;
}

static void test_dgram_answers_each_by_one(void **state)
{
	struct fixture *f = open_datagrams("");
	int one = asker(f, true), two = asker(f, true);

	(void)state;
	say(one, ASK, 16);
	say(two, "check 192.0.2.3\n", 16);
	hear_text(f, two, "none\n");
	hear_text(f, one, "allow ttl=60\n");
	say(two, "check 192.0.2.9\n", 16);
	hear_text(f, two, "tempfail unknown\n");
	assert_int_equal(f->counts.questions, 3);
	assert_int_equal(f->counts.allow, 1);
	assert_int_equal(f->counts.open, 0);
	(void)close(one);
	(void)close(two);
	stop(f);
}

/* Two in one, a half, none, or more than a request may be: no answer but an
 * error, and the next client has lost nothing. */
static void test_dgram_takes_one_whole_question(void **state)
{
	static const char *const bad[] = { ASK ASK, "check 192.0.2.1", "\n",
		ASK "check" };
	struct fixture *f = open_datagrams("");
	int fd = asker(f, true);
	char got[200], large[8192];
	ssize_t n;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		say(fd, bad[i], strlen(bad[i]));
		turn(f);
		n = recv(fd, got, sizeof(got), 0);
		assert_true(n > 6);
		assert_memory_equal(got, "error ", 6);
	}
	(void)snprintf(
	    large, sizeof(large), "%-*s\n", (int)sizeof(large) - 2, ASK);
	say(fd, large, sizeof(large));
	turn(f);
	assert_true(recv(fd, got, sizeof(got), 0) > 6);
	assert_memory_equal(got, "error ", 6);
	assert_int_equal(f->counts.bad, COUNT_OF(bad) + 1);
	assert_int_equal(f->counts.questions, 0);
	say(fd, ASK, 16);
	hear_text(f, fd, "allow ttl=60\n");
	(void)close(fd);
	stop(f);
}

static void test_dgram_survives_who_cannot_be_answered(void **state)
{
	struct fixture *f = open_datagrams("");
	int unnamed = asker(f, false), deaf = asker(f, true);
	int fd = asker(f, true);

	(void)state;
	say(unnamed, ASK, 16);
	say(deaf, ASK, 16);
	(void)close(deaf);
	say(fd, "", 0);
	turn(f);
	assert_int_equal(f->counts.dropped, 2);
	say(fd, ASK, 16);
	turn(f);
	assert_int_equal(f->counts.allow, 3);
	(void)close(unnamed);
	(void)close(fd);
	stop(f);
}

/* Answers that nobody reads take our room until their client is gone. */
static void test_dgram_forgets_who_never_reads(void **state)
{
	struct fixture *f = open_datagrams("");
	int lazy = asker(f, true), fd = asker(f, true);

	(void)state;
	for (int i = 0; i < 100000 && !f->counts.dropped; i++) {
		(void)send(lazy, ASK, 16, MSG_NOSIGNAL);
		turn(f);
	}
	assert_true(f->counts.dropped > 0);
	(void)close(lazy);
	say(fd, ASK, 16);
	hear_text(f, fd, "allow ttl=60\n");
	(void)close(fd);
	stop(f);
}

static void test_dgram_knows_who_asks(void **state)
{
	char options[64];
	struct fixture *f;
	int fd;

	(void)state;
	(void)snprintf(
	    options, sizeof(options), "allow-uid = \"%u\"", geteuid() + 1);
	f = open_datagrams(options);
	fd = asker(f, true);
	say(fd, ASK, 16);
	turn(f);
	assert_int_equal(f->counts.dropped, 1);
	assert_int_equal(f->counts.questions, 0);
	(void)close(fd);
	stop(f);
	(void)snprintf(options, sizeof(options),
	    "allow-uid = \"%u\" show-user = \"%u\"", geteuid(), geteuid());
	f = open_datagrams(options);
	fd = asker(f, true);
	say(fd, ASK, 16);
	hear_text(f, fd, "allow ttl=60 user=jo\n");
	(void)close(fd);
	stop(f);
}

static void test_dgram_is_not_for_every_kind(void **state)
{
	struct conf *conf =
	    listener_conf("postfix-policy", "listen = \"unixgram:/tmp/x\"");
	struct err err = { 0 };

	(void)state;
	assert_null(listener_new(conf_at(conf, "listener", 0), &err));
	assert_int_equal(err.code, EXIT_USER);
	assert_non_null(strstr(err.text, "write \"unix:/path\""));
	conf_free(&conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test(test_dgram_##name)
		TEST(answers_each_by_one),
		TEST(takes_one_whole_question),
		TEST(survives_who_cannot_be_answered),
		TEST(forgets_who_never_reads),
		TEST(knows_who_asks),
		TEST(is_not_for_every_kind),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
