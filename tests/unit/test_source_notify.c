/* SPDX-License-Identifier: ISC */
/*
 * test_source_notify - the source kind "notify" behind its real sockets: who
 * may say what, what is submitted, what is answered. The keeper is this test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <uv.h>

#include "base/clock_test.h"
#include "base/mem.h"
#include "login/rules.h"
#include "pattern/file.h"
#include "source/notify_codec.h"
#include "source/source.h"

enum { TURNS = 2000, SUBMITTED_MAX = 8, STRANGER = 54321 };

#define LOGIN    "login ip=192.0.2.7 user=anna server=dovecot session=s1\n"
#define ALIVE    "alive ip=192.0.2.7 user=anna server=dovecot session=s1\n"
#define LOGOUT   "logout ip=192.0.2.7 user=anna server=dovecot session=s1\n"
#define NO_PLACE "logout user=anna server=dovecot session=s1\n"

struct world {
	uv_loop_t loop;
	struct conf *conf;
	const struct source_kind *kind;
	struct source *source;
	int fds[2];
	char dir[64], gram[96], stream[96];
	bool busy; /* the queue to the keeper is full */
	struct login logins[SUBMITTED_MAX];
	uint64_t tokens[SUBMITTED_MAX];
	size_t count;
};

static bool submit(void *ctx, uint64_t token, const struct login *login)
{
	struct world *w = ctx;

	if (w->busy)
		return false;
	assert_true(w->count < SUBMITTED_MAX && token != 0);
	w->logins[w->count] = *login;
	w->tokens[w->count++] = token;
	return true;
}

/* --- the source -------------------------------------------------------------
 */

static struct conf *read_conf(const struct world *w, const char *options)
{
	static struct conf_kind kind;
	static const struct conf_kind *const kinds[] = { &kind, NULL };
	static const struct option none[] = { OPTION_END };
	static const struct conf_schema schema[] = {
		{ "source", "Where logins come from.", none, kinds }, { 0 }
	};
	char text[1400];
	struct err err = { 0 };
	struct conf *conf;

	kind = (struct conf_kind){ "notify", "", w->kind->options };
	(void)snprintf(text, sizeof(text),
	    "source n { kind = \"notify\" group = \"root\" listen = { "
	    "\"unixgram:%s\", \"unix:%s\" } %s }\n",
	    w->gram, w->stream, options);
	conf = conf_parse(text, strlen(text), "test", schema, &err);
	if (!conf)
		fail_msg("%s: %s", text, err.text);
	return conf;
}

static struct world *prepare(const char *options)
{
	struct world *w = xcalloc(1, sizeof(*w));

	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/test-notify-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->gram, sizeof(w->gram), "%s/gram", w->dir);
	(void)snprintf(w->stream, sizeof(w->stream), "%s/stream", w->dir);
	w->kind = source_kind_find("notify");
	assert_non_null(w->kind);
	w->conf = read_conf(w, options);
	return w;
}

static void dismantle(struct world *w)
{
	conf_free(&w->conf);
	(void)unlink(w->gram);
	(void)unlink(w->stream);
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
}

static struct world *start(const char *options)
{
	struct world *w = prepare(options);
	const struct conf_section *section = conf_at(w->conf, "source", 0);
	struct err err = { 0 };
	struct source_env env = { .name = "n",
		.fds = w->fds,
		.fd_count = 2,
		.submit = submit,
		.live_ctx = w };

	clock_test_set((struct moment){ 1700000000123, 5000 }, NULL);
	if (w->kind->sockets(section, w->fds, 2, &err) != 2)
		fail_msg("%s", err.text);
	w->source = w->kind->open(&env, section, NULL, 0, &err);
	if (!w->source)
		fail_msg("%s", err.text);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	w->kind->start(w->source, &w->loop);
	return w;
}

static void stop(struct world *w)
{
	w->kind->stop(w->source);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	w->kind->close(&w->source);
	assert_null(w->source);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	(void)close(w->fds[0]);
	(void)close(w->fds[1]);
	dismantle(w);
}

/* What the administrator is told about a mistake. */
static void refuses(const char *options, const char *why)
{
	struct world *w = prepare(options);
	struct err err = { 0 };

	if (w->kind->sockets(conf_at(w->conf, "source", 0), w->fds, 2, &err) >=
	    0)
		fail_msg("%s was taken", options);
	assert_int_equal(err.code, EXIT_USER);
	if (!strstr(err.text, why) || !strstr(err.text, "source n (line 1)"))
		fail_msg("%s: %s", options, err.text);
	dismantle(w);
}

/* --- speakers ---------------------------------------------------------------
 */

static int speaker(const struct world *w, int type, bool named)
{
	static const struct sockaddr_un any = { .sun_family = AF_UNIX };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const char *path = type == SOCK_DGRAM ? w->gram : w->stream;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(un.sun_path, path, strlen(path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	if (named && type == SOCK_DGRAM)
		assert_int_equal(bind(fd, (const struct sockaddr *)&any,
				     sizeof(any.sun_family)),
		    0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(
	    send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void turn(struct world *w)
{
	(void)uv_run(&w->loop, UV_RUN_NOWAIT);
}

static void hear(struct world *w, int fd, const char *want)
{
	char got[200] = "";
	ssize_t n = -1;

	for (int i = 0; i < TURNS && n < 0; i++) {
		turn(w);
		n = recv(fd, got, sizeof(got) - 1, 0);
	}
	if (n < 0)
		fail_msg("no answer, wanted \"%s\"", want);
	got[n] = '\0';
	assert_string_equal(got, want);
}

static void hear_nothing(struct world *w, int fd)
{
	char got[200];

	for (int i = 0; i < 20; i++) {
		turn(w);
		assert_true(recv(fd, got, sizeof(got), 0) <= 0);
	}
}

/* A line, what is answered to it, and that nothing came of it. */
static void told_off(struct world *w, const char *line, const char *want)
{
	int fd = speaker(w, SOCK_DGRAM, true);
	size_t before = w->count;

	say(fd, line);
	hear(w, fd, want);
	assert_int_equal(w->count, before);
	(void)close(fd);
}

static struct login submitted(struct world *w, size_t i)
{
	for (int n = 0; n < TURNS && w->count <= i; n++)
		turn(w);
	assert_int_equal(w->count, i + 1);
	return w->logins[i];
}

/* Options with our own uid for each "@". */
static const char *own(const char *options)
{
	static char text[2][400];
	static int next;
	char *out = text[next++ % 2];
	size_t used = 0;

	for (; *options; options++) {
		must(used + sizeof("4294967295") < sizeof(text[0]));
		if (*options == '@')
			used += (size_t)snprintf(out + used,
			    sizeof(text[0]) - used, "%u", (unsigned)geteuid());
		else
			out[used++] = *options;
	}
	out[used] = '\0';
	return out;
}

/* --- tests ------------------------------------------------------------------
 */

static void test_notify_submits_and_answers_after_the_commit(void **state)
{
	struct world *w = start(own("allow-uid = \"@\""));
	int gram = speaker(w, SOCK_DGRAM, true);
	int stream = speaker(w, SOCK_STREAM, true);
	struct login l;

	(void)state;
	say(gram, LOGIN);
	l = submitted(w, 0);
	assert_int_equal(l.kind, LOGIN_IN);
	assert_string_equal(l.user, "anna");
	assert_string_equal(l.server, "dovecot");
	assert_int_equal(l.time, 1700000000123);
	hear_nothing(w, gram);
	w->kind->stored(w->source, w->tokens[0], SOURCE_STORED, JUDGE_LEASE);
	hear(w, gram, "stored\n");

	/* Two lines at once: one after the other. */
	say(stream, ALIVE LOGOUT);
	l = submitted(w, 1);
	assert_int_equal(l.kind, LOGIN_ALIVE);
	hear_nothing(w, stream);
	w->kind->stored(w->source, w->tokens[1], SOURCE_STORED, JUDGE_NONE);
	hear(w, stream, "none unknown-session\n");
	l = submitted(w, 2);
	assert_int_equal(l.kind, LOGIN_OUT);
	w->kind->stored(w->source, w->tokens[2], SOURCE_NOT_STORED, 0);
	hear(w, stream, "not-stored busy\n");

	say(gram, LOGIN);
	(void)submitted(w, 3);
	w->kind->stored(w->source, w->tokens[3], SOURCE_STORED, JUDGE_PRIVATE);
	hear(w, gram, "none private-address\n");
	(void)close(gram);
	(void)close(stream);
	stop(w);
}

static void test_notify_goes_on_when_speakers_go(void **state)
{
	struct world *w = start(own("allow-uid = \"@\""));
	int nameless = speaker(w, SOCK_DGRAM, false);
	int stream = speaker(w, SOCK_STREAM, true);

	(void)state;
	say(nameless, LOGIN);
	(void)submitted(w, 0);
	say(stream, LOGIN);
	(void)submitted(w, 1);
	(void)close(stream);
	turn(w);
	w->kind->stored(w->source, w->tokens[0], SOURCE_STORED, JUDGE_LEASE);
	w->kind->stored(w->source, w->tokens[1], SOURCE_STORED, JUDGE_LEASE);
	hear_nothing(w, nameless);
	(void)close(nameless);
	stop(w);
}

static void test_notify_says_so_when_the_queue_is_full(void **state)
{
	struct world *w = start(own("allow-uid = \"@\""));
	int stream = speaker(w, SOCK_STREAM, true);

	(void)state;
	w->busy = true;
	told_off(w, LOGIN, "not-stored busy\n");
	say(stream, LOGIN);
	hear(w, stream, "not-stored busy\n");
	w->busy = false;
	say(stream, LOGIN);
	(void)submitted(w, 0);
	(void)close(stream);
	stop(w);
}

static void test_notify_refuses_what_is_no_notice(void **state)
{
	static const char *const halves[] = { "login ip=192.0.2.7 user=anna "
					      "server=dovecot",
		"x" };
	struct world *w = start(own("allow-uid = \"@\""));
	int fd;

	(void)state;
	told_off(w, LOGIN LOGIN, "error malformed\n");
	told_off(w, "login\n", "error ip is missing\n");
	told_off(w, "", "error unknown verb\n");
	told_off(w, "login ip=192.0.2.7 user=anna server=sendmail\n",
	    "error unknown server\n");
	fd = speaker(w, SOCK_STREAM, true);
	say(fd, "login ip=192.0.2.7 user=anna\n" LOGIN);
	hear(w, fd, "error server is missing\n");
	hear(w, fd, "");
	(void)close(fd);
	/* A line that has no end is none, whole as it may look. */
	for (size_t i = 0; i < COUNT_OF(halves); i++) {
		fd = speaker(w, SOCK_STREAM, true);
		say(fd, halves[i]);
		assert_int_equal(shutdown(fd, SHUT_WR), 0);
		hear(w, fd, "");
		(void)close(fd);
	}
	assert_int_equal(w->count, 0);
	stop(w);
}

static void test_notify_hears_no_stranger(void **state)
{
	struct world *w = start(own("allow-uid = \"54321\""));
	int gram = speaker(w, SOCK_DGRAM, true);
	int stream = speaker(w, SOCK_STREAM, true);

	(void)state;
	assert_int_not_equal(geteuid(), STRANGER);
	say(gram, LOGIN);
	hear_nothing(w, gram);
	hear(w, stream, "");
	assert_int_equal(w->count, 0);
	(void)close(gram);
	(void)close(stream);
	stop(w);
	w = start("allow-uid = {}");
	gram = speaker(w, SOCK_DGRAM, true);
	say(gram, LOGIN);
	hear_nothing(w, gram);
	(void)close(gram);
	stop(w);
}

static void holds_only(const char *options)
{
	struct world *w = start(options);
	int fd = speaker(w, SOCK_STREAM, true);

	told_off(w, LOGIN, "error not for you to say\n");
	say(fd, ALIVE);
	assert_int_equal(submitted(w, 0).kind, LOGIN_ALIVE);
	w->kind->stored(w->source, w->tokens[0], SOURCE_STORED, JUDGE_LEASE);
	hear(w, fd, "stored\n");
	say(fd, NO_PLACE);
	assert_int_equal(submitted(w, 1).kind, LOGIN_OUT);
	w->kind->stored(w->source, w->tokens[1], SOURCE_STORED, JUDGE_LEASE);
	hear(w, fd, "stored\n");
	say(fd, LOGIN);
	hear(w, fd, "error not for you to say\n");
	hear(w, fd, "");
	assert_int_equal(w->count, 2);
	(void)close(fd);
	stop(w);
}

static void test_notify_lets_a_holder_make_no_lease(void **state)
{
	struct world *w;

	(void)state;
	holds_only("allow-uid = \"54321\" hold-uid = \"*\"");
	holds_only(own("allow-uid = \"54321\" hold-uid = {\"54322\", \"@\"}"));
	/* Whoever may say all may say it here too. */
	w = start(own("allow-uid = \"@\" hold-uid = \"*\""));
	int fd = speaker(w, SOCK_DGRAM, true);
	say(fd, LOGIN);
	assert_int_equal(submitted(w, 0).kind, LOGIN_IN);
	(void)close(fd);
	stop(w);
	/* Others hold, we do not. */
	w = start("allow-uid = \"54321\" hold-uid = \"54322\"");
	fd = speaker(w, SOCK_DGRAM, true);
	say(fd, ALIVE);
	hear_nothing(w, fd);
	(void)close(fd);
	/* and take no place from who may. */
	fd = speaker(w, SOCK_STREAM, true);
	hear(w, fd, "");
	(void)close(fd);
	stop(w);
}

static const char *const of_others[] = {
	"login ip=203.0.113.66 user=anna server=dovecot\n",
	"alive ip=203.0.113.66 user=anna server=dovecot session=s1\n",
	"logout ip=203.0.113.66 user=anna server=dovecot session=s1\n",
	NO_PLACE,
};

static int bound_speaker(struct world *w, const char *more)
{
	int fd = speaker(w, SOCK_STREAM, true);

	say(fd, "bind ip=192.0.2.7\n");
	hear(w, fd, "bound\n");
	say(fd, more);
	return fd;
}

static void test_notify_binds_a_stream_to_one_address(void **state)
{
	struct world *w = start(own("allow-uid = \"@\""));
	int fd, free_fd = speaker(w, SOCK_STREAM, true);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(of_others); i++) {
		fd = bound_speaker(w, of_others[i]);
		hear(w, fd, "error bound to another address\n");
		hear(w, fd, "");
		(void)close(fd);
	}
	/* No way out of it. */
	fd = bound_speaker(w, "bind ip=203.0.113.66\n");
	hear(w, fd, "error bound already\n");
	hear(w, fd, "");
	(void)close(fd);
	fd = bound_speaker(w, "bind ip=::\n");
	hear(w, fd, "error unknown verb\n");
	(void)close(fd);
	told_off(w, "bind ip=192.0.2.7\n", "error unknown verb\n");
	assert_int_equal(w->count, 0);
	/* Others are not bound by it. */
	say(free_fd, of_others[0]);
	assert_int_equal(submitted(w, 0).kind, LOGIN_IN);
	(void)close(free_fd);
	stop(w);
}

static void test_notify_hears_one_notice_of_a_bound_stream(void **state)
{
	struct world *w = start(own("allow-uid = \"@\""));
	int fd = bound_speaker(w, LOGIN LOGIN);

	(void)state;
	assert_int_equal(submitted(w, 0).kind, LOGIN_IN);
	w->kind->stored(w->source, w->tokens[0], SOURCE_STORED, JUDGE_LEASE);
	hear(w, fd, "stored\n");
	hear(w, fd, "");
	assert_int_equal(w->count, 1);
	(void)close(fd);
	w->busy = true;
	fd = bound_speaker(w, LOGIN LOGIN);
	hear(w, fd, "not-stored busy\n");
	hear(w, fd, "");
	(void)close(fd);
	stop(w);
	/* Who may say no login has nothing to give away. */
	w = start(own("allow-uid = \"54321\" hold-uid = \"@\""));
	fd = speaker(w, SOCK_STREAM, true);
	say(fd, "bind ip=192.0.2.7\n");
	hear(w, fd, "error not for you to say\n");
	(void)close(fd);
	stop(w);
}

static void test_notify_confines_users_to_networks(void **state)
{
	static const char elsewhere[] = "login ip=198.51.100.7 user=anna "
					"server=dovecot";
	struct world *w =
	    start(own("allow-uid = \"@\" networks = {\"54321=192.0.2.0/24\","
		      " \"*=198.51.100.0/24\"}"));
	int fd = speaker(w, SOCK_DGRAM, true);

	(void)state;
	told_off(w, LOGIN, "error not for this address\n");
	told_off(w, ALIVE, "error not for this address\n");
	told_off(w, NO_PLACE, "error not for this address\n");
	say(fd, elsewhere);
	(void)submitted(w, 0);
	(void)close(fd);
	stop(w);

	w = start(own("allow-uid = \"@\" networks = {\"@=192.0.2.0/25\","
		      " \"@=192.0.2.128/25\", \"54321=198.51.100.0/24\"}"));
	fd = speaker(w, SOCK_DGRAM, true);
	told_off(w, elsewhere, "error not for this address\n");
	say(fd, LOGIN);
	(void)submitted(w, 0);
	(void)close(fd);
	stop(w);
	/* Somebody else's networks are no limit of ours. */
	w = start(
	    own("allow-uid = \"@\" networks = \"54321=198.51.100.0/24\""));
	fd = speaker(w, SOCK_DGRAM, true);
	say(fd, LOGIN);
	(void)submitted(w, 0);
	(void)close(fd);
	stop(w);
}

static void test_notify_believes_only_the_speakers_own_process(void **state)
{
	struct world *w = start(own("allow-uid = \"@\""));
	int fd = speaker(w, SOCK_STREAM, true);
	char line[200];

	(void)state;
	(void)snprintf(line, sizeof(line), "%.*s pid=%d\n",
	    (int)strlen(LOGIN) - 1, LOGIN, (int)getpid());
	say(fd, line);
	assert_int_equal(submitted(w, 0).mpid, getpid());
	w->kind->stored(w->source, w->tokens[0], SOURCE_STORED, JUDGE_LEASE);
	hear(w, fd, "stored\n");
	(void)snprintf(
	    line, sizeof(line), "%.*s pid=1\n", (int)strlen(LOGIN) - 1, LOGIN);
	say(fd, line);
	assert_int_equal(submitted(w, 1).mpid, 0);
	(void)close(fd);
	stop(w);
}

static void test_notify_tells_mistakes_of_the_configuration(void **state)
{
	(void)state;
	refuses("allow-uid = \"no-such-user-here\"", "no such user");
	refuses("hold-uid = \"no-such-user-here\"", "no such user");
	refuses("networks = \"192.0.2.0/24\"", "no such user");
	refuses(
	    "networks = \"no-such-user-here=192.0.2.0/24\"", "no such user");
	refuses("networks = \"root=\"", "expected a network");
	refuses("networks = \"root\"", "expected a network");
	refuses("networks = \"root=192.0.2.1/24\"", "expected a network");
	refuses("servers = {\"dovecot\", \"Not One\"}", "expected at most");
	refuses("mode = \"rw\"", "octal");
}

/* The kernel names no user behind an address. */
static void test_notify_listens_at_unix_sockets_only(void **state)
{
	struct world *w = prepare("");
	struct err err = { 0 };

	(void)state;
	conf_free(&w->conf);
	(void)snprintf(w->gram, sizeof(w->gram), "/x\", \"tcp:192.0.2.1:99");
	w->conf = read_conf(w, "");
	assert_int_equal(
	    w->kind->sockets(conf_at(w->conf, "source", 0), NULL, 0, &err), -1);
	assert_non_null(strstr(err.text, "listens at unix: unixgram:"));
	dismantle(w);
}

static bool names_server(const struct conf_section *s, const char *name)
{
	for (size_t i = 0; i < conf_list_size(s, "servers"); i++)
		if (strcmp(conf_list_at(s, "servers", i), name) == 0)
			return true;
	return false;
}

/* A session may be told by a log line and held by a notice. */
static void test_notify_knows_the_servers_of_the_patterns(void **state)
{
	struct world *w = prepare("");
	const struct conf_section *s = conf_at(w->conf, "source", 0);
	struct patterns_options none = { 0 };
	struct err err = { 0 };
	struct patterns *p = patterns_open(&none, &err);

	(void)state;
	assert_non_null(p);
	for (size_t i = 0; i < conf_list_size(s, "servers"); i++)
		assert_true(notify_is_server(conf_list_at(s, "servers", i)));
	assert_true(patterns_count(p) > 0);
	for (size_t i = 0; i < patterns_count(p); i++)
		if (!names_server(s, patterns_file(p, i)->name))
			fail_msg("%s is missing", patterns_file(p, i)->name);
	patterns_close(&p);
	dismantle(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_notify_submits_and_answers_after_the_commit),
		cmocka_unit_test(test_notify_goes_on_when_speakers_go),
		cmocka_unit_test(test_notify_says_so_when_the_queue_is_full),
		cmocka_unit_test(test_notify_refuses_what_is_no_notice),
		cmocka_unit_test(test_notify_hears_no_stranger),
		cmocka_unit_test(test_notify_lets_a_holder_make_no_lease),
		cmocka_unit_test(test_notify_binds_a_stream_to_one_address),
		cmocka_unit_test(
		    test_notify_hears_one_notice_of_a_bound_stream),
		cmocka_unit_test(test_notify_confines_users_to_networks),
		cmocka_unit_test(
		    test_notify_believes_only_the_speakers_own_process),
		cmocka_unit_test(
		    test_notify_tells_mistakes_of_the_configuration),
		cmocka_unit_test(test_notify_listens_at_unix_sockets_only),
		cmocka_unit_test(test_notify_knows_the_servers_of_the_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
