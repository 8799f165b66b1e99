/* SPDX-License-Identifier: ISC */
/*
 * test_notice - who logged in, as the environment has it, and one notice told
 * to a daemon that answers, answers nonsense, hangs, or is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/notice.h"

/* --- the environment --------------------------------------------------------
 */

/* Sets the environment to NAME=VALUE words, and reads it. */
static enum notice_found from(
    const char *const *words, struct login *l, struct err *err)
{
	assert_int_equal(clearenv(), 0);
	for (; *words; words++) {
		AUTO_FREE char *word = xstrdup(*words);
		char *equals = strchr(word, '=');
		*equals = '\0';
		assert_int_equal(setenv(word, equals + 1, 1), 0);
	}
	err->code = 0;
	return notice_from_env(l, err);
}

static const struct {
	const char *words[8];
	enum notice_found found;
	const char *ip, *user, *server;
} rows[] = {
	{ { "IP=192.0.2.7", "USER=anna" }, NOTICE_LOGIN, "192.0.2.7", "anna",
	    "" },
	/* Dovecot's script-login */
	{ { "IP=2001:db8::7", "USER=anna@example.net", "USERDB_KEYS=UID GID",
	      "TCPREMOTEIP=192.0.2.9" },
	    NOTICE_LOGIN, "2001:db8::7", "anna@example.net", "dovecot" },
	/* tcpserver and checkpassword */
	{ { "TCPREMOTEIP=::ffff:192.0.2.7", "REMOTE_HOST=192.0.2.9",
	      "USER=anna", "LOGNAME=root" },
	    NOTICE_LOGIN, "192.0.2.7", "anna", "" },
	{ { "IP=", "TCPREMOTEIP=", "REMOTE_HOST=192.0.2.7", "LOGNAME=anna" },
	    NOTICE_LOGIN, "192.0.2.7", "anna", "" },
	/* Courier, before and after */
	{ { "TCPREMOTEIP=192.0.2.7", "USER=root", "AUTHUSER=x", "AUTHARGV0=y" },
	    NOTICE_NOTHING, NULL, NULL, NULL },
	{ { "TCPREMOTEIP=192.0.2.7", "USER=root",
	      "AUTHUSER=", "AUTHARGV0=", "AUTHENTICATED=" },
	    NOTICE_NOTHING, NULL, NULL, NULL },
	{ { "TCPREMOTEIP=192.0.2.7", "USER=root", "AUTHUSER=x", "AUTHARGV0=y",
	      "AUTHENTICATED=anna" },
	    NOTICE_LOGIN, "192.0.2.7", "anna", "courier" },
	{ { "TCPREMOTEIP=192.0.2.7", "USER=root", "AUTHUSER=x" }, NOTICE_LOGIN,
	    "192.0.2.7", "root", "" },
	{ { "TCPREMOTEIP=192.0.2.7", "USER=root", "AUTHENTICATED=anna",
	      "AUTHADDR=anna" },
	    NOTICE_LOGIN, "192.0.2.7", "anna", "courier" },
	/* webmail on this host */
	{ { "IP=127.0.0.1", "USER=anna" }, NOTICE_NOTHING, NULL, NULL, NULL },
	{ { "IP=::1", "USER=anna" }, NOTICE_NOTHING, NULL, NULL, NULL },
	/* a private one may be opened by configuration */
	{ { "IP=192.168.1.7", "USER=anna" }, NOTICE_LOGIN, "192.168.1.7",
	    "anna", "" },
	{ { "USER=anna" }, NOTICE_WRONG, NULL, NULL, NULL },
	{ { "IP=192.0.2.7" }, NOTICE_WRONG, NULL, NULL, NULL },
	{ { "IP=192.0.2.7", "USER=" }, NOTICE_WRONG, NULL, NULL, NULL },
	{ { "IP=mail.example.org", "USER=anna" }, NOTICE_WRONG, NULL, NULL,
	    NULL },
	/* The first that is set counts, even when it is no address. */
	{ { "IP=192.0.2", "TCPREMOTEIP=192.0.2.7", "USER=anna" }, NOTICE_WRONG,
	    NULL, NULL, NULL },
};

static void test_notice_reads_the_environment(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct login l;
		struct addr want;
		struct err err = { 0 };
		enum notice_found found = from(rows[i].words, &l, &err);
		if (found != rows[i].found)
			fail_msg("row %zu: %d, %s", i, (int)found,
			    err.code ? err.text : "");
		assert_int_equal(
		    err.code, found == NOTICE_WRONG ? EXIT_USER : 0);
		if (found != NOTICE_LOGIN)
			continue;
		assert_true(addr_parse(rows[i].ip, strlen(rows[i].ip), &want));
		assert_true(addr_equal(&l.addr, &want));
		assert_string_equal(l.user, rows[i].user);
		assert_int_equal(l.user_len, strlen(rows[i].user));
		assert_string_equal(l.server, rows[i].server);
		assert_int_equal(l.kind, LOGIN_IN);
	}
}

static void test_notice_refuses_a_name_that_is_too_long(void **state)
{
	char user[5 + 257] = "USER=";
	const char *words[] = { "IP=192.0.2.7", user, NULL };
	struct login l;
	struct err err = { 0 };

	(void)state;
	memset(user + 5, 'u', 255);
	assert_int_equal(from(words, &l, &err), NOTICE_LOGIN);
	assert_int_equal(l.user_len, LOGIN_USER_MAX);
	user[5 + 255] = 'u';
	assert_int_equal(from(words, &l, &err), NOTICE_WRONG);
}

/* --- telling ----------------------------------------------------------------
 */

/* A daemon in a process of its own that answers each notice it hears by the
 * same bytes; NULL: by none. A binding is accepted before. */
struct server {
	char dir[64], path[96];
	pid_t pid;
};

static _Noreturn void serve(int fd, int type, const char *answer, bool binds)
{
	/* A failed test leaves nobody behind. */
	assert_int_equal(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
	for (;;) {
		struct sockaddr_un from;
		socklen_t len = sizeof(from);
		char line[NOTIFY_MAX];
		int c = type == SOCK_STREAM ? accept(fd, NULL, NULL) : fd;
		ssize_t n = recvfrom(
		    c, line, sizeof(line), 0, (struct sockaddr *)&from, &len);
		if (n > 5 && memcmp(line, "bind ", 5) == 0 && binds) {
			(void)send(c, "bound\n", 6, MSG_NOSIGNAL);
			n = recv(c, line, sizeof(line), 0);
		}
		if (n > 0 && answer && type == SOCK_STREAM)
			(void)send(c, answer, strlen(answer), MSG_NOSIGNAL);
		else if (n > 0 && answer)
			(void)sendto(c, answer, strlen(answer), 0,
			    (struct sockaddr *)&from, len);
		if (type == SOCK_STREAM && answer)
			(void)close(c);
	}
}

static void serve_with(
    struct server *s, int type, const char *answer, bool binds)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/test-notice-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	(void)snprintf(s->path, sizeof(s->path), "%s/s", s->dir);
	memcpy(un.sun_path, s->path, strlen(s->path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 5), 0);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0)
		serve(fd, type, answer, binds);
	(void)close(fd);
}

static void serve_start(struct server *s, int type, const char *answer)
{
	serve_with(s, type, answer, true);
}

/* A stream, where a binding is answered as all else. */
static void serve_start_plain(struct server *s, const char *answer)
{
	serve_with(s, SOCK_STREAM, answer, false);
}

static void serve_stop(struct server *s)
{
	assert_int_equal(kill(s->pid, SIGKILL), 0);
	assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
	assert_int_equal(unlink(s->path), 0);
	assert_int_equal(rmdir(s->dir), 0);
}

static struct login anna(void)
{
	static const char *const words[] = { "IP=192.0.2.7", "USER=anna",
		NULL };
	struct login l;
	struct err err = { 0 };

	assert_int_equal(from(words, &l, &err), NOTICE_LOGIN);
	memcpy(l.server, "other", 6);
	return l;
}

static size_t open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

static int64_t real_ms(void)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Tells it; the code, and a part of the reason. */
static void tells(const char *path, int code, const char *why)
{
	struct login l = anna();
	struct err err = { 0 };
	size_t before = open_descriptors();
	int64_t begin = real_ms();
	int got = notice_tell(path, -1, &l, &err);

	if (got != code || (code && !strstr(err.text, why)))
		fail_msg("%d: %s", got, err.code ? err.text : "");
	/* Twice the limit, for a machine that is busy. */
	assert_true(real_ms() - begin < 2 * NOTIFY_WAIT_MS);
	assert_int_equal(open_descriptors(), before);
}

static const struct {
	const char *answer;
	int code;
	const char *why;
} answers[] = {
	{ "stored\n", EXIT_YES, "" },
	{ "none never\n", EXIT_NO, "no lease for 192.0.2.7: never" },
	{ "not-stored busy\n", EXIT_AGAIN, "192.0.2.7: busy" },
	{ "error not for you to say\n", EXIT_USER, "not for you to say" },
	{ "250 ok\n", EXIT_AGAIN, "does not speak" },
	{ "\x1b[1m\n", EXIT_AGAIN, "does not speak" },
};

static void test_notice_tells_and_hears(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		struct server s;
		serve_start(&s, SOCK_DGRAM, answers[i].answer);
		tells(s.path, answers[i].code, answers[i].why);
		serve_stop(&s);
		serve_start(&s, SOCK_STREAM, answers[i].answer);
		tells(s.path, answers[i].code, answers[i].why);
		serve_stop(&s);
	}
}

static void test_notice_takes_no_half_answer(void **state)
{
	static const int types[] = { SOCK_DGRAM, SOCK_STREAM };
	struct server s;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		serve_start(&s, types[i], "stored");
		tells(s.path, EXIT_AGAIN, "no answer");
		serve_stop(&s);
	}
}

static void test_notice_waits_no_longer_than_it_may(void **state)
{
	static const int types[] = { SOCK_DGRAM, SOCK_STREAM };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		struct server s;
		serve_start(&s, types[i], NULL);
		tells(s.path, EXIT_AGAIN, "no answer");
		assert_int_equal(kill(s.pid, SIGSTOP), 0);
		tells(s.path, EXIT_AGAIN, "no answer");
		/* and when its queue is full */
		for (int n = 0; n < 20; n++) {
			int fd = socket(AF_UNIX,
			    types[i] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
			struct sockaddr_un un = { .sun_family = AF_UNIX };
			memcpy(un.sun_path, s.path, strlen(s.path) + 1);
			(void)connect(fd, (struct sockaddr *)&un, sizeof(un));
			for (int k = 0; k < 2000; k++)
				if (send(fd, "x", 1, MSG_NOSIGNAL) < 0)
					break;
			(void)close(fd);
		}
		tells(s.path, EXIT_AGAIN, "no answer");
		serve_stop(&s);
	}
}

static void test_notice_says_who_is_not_there(void **state)
{
	char dir[] = "/tmp/test-notice-XXXXXX", path[200];
	struct server s;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/none", dir);
	tells(path, EXIT_AGAIN, "nobody listens");
	(void)snprintf(path, sizeof(path), "%s/%0150d", dir, 0);
	tells(path, EXIT_AGAIN, "cannot speak");
	assert_int_equal(rmdir(dir), 0);
	/* A socket that its daemon left behind. */
	serve_start(&s, SOCK_DGRAM, NULL);
	assert_int_equal(kill(s.pid, SIGKILL), 0);
	assert_int_equal(waitpid(s.pid, NULL, 0), s.pid);
	tells(s.path, EXIT_AGAIN, "nobody listens");
	assert_int_equal(unlink(s.path), 0);
	assert_int_equal(rmdir(s.dir), 0);
}

static void test_notice_tells_no_bad_name(void **state)
{
	struct login l = anna();
	struct err err = { 0 };

	(void)state;
	l.user[0] = '\n';
	assert_int_equal(
	    notice_tell("/nowhere/notify", -1, &l, &err), EXIT_USER);
	assert_non_null(strstr(err.text, "control character"));
}

static void test_notice_names_sessions_apart(void **state)
{
	struct login one = anna(), two = anna();
	char name[16];

	(void)state;
	notice_name_session(&one, "/var/qmail/bin/qmail-pop3d");
	assert_int_equal(prctl(PR_GET_NAME, name), 0);
	assert_string_equal(name, "qmail-pop3d");
	assert_int_equal(one.mpid, getpid());
	assert_int_equal(one.session_len, strlen(one.session));
	while (two.session_len == 0 || strcmp(one.session, two.session) == 0)
		notice_name_session(&two, "pop3d");
	assert_int_equal(two.mpid, getpid());
}

static void test_notice_hands_a_connection_down(void **state)
{
	static const char *const bad[] = { "", "x", "-1", "3", "11x", "99999",
		"99999999999999999999" };
	struct server s;
	struct login l = anna();
	struct err err = { 0 };
	size_t before = open_descriptors();
	int fd, pipe_fds[2];
	const char *name;

	(void)state;
	serve_start(&s, SOCK_STREAM, "stored\n");
	assert_int_equal(notice_inherited(), -1);
	assert_int_equal(notice_open(s.path, &l.addr, &err), 0);
	assert_int_equal(open_descriptors(), before + 1);
	name = getenv(NOTICE_FD);
	assert_non_null(name);
	fd = name ? (int)strtol(name, NULL, 10) : -1;
	assert_true(fd >= 10);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_int_equal(notice_inherited(), fd);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_null(getenv(NOTICE_FD));
	assert_int_equal(notice_inherited(), -1);
	assert_int_equal(notice_tell("/nowhere", fd, &l, &err), EXIT_YES);
	/* It is over now: the server has closed it. */
	assert_int_equal(notice_tell("/nowhere", fd, &l, &err), EXIT_AGAIN);
	(void)close(fd);
	serve_stop(&s);
	assert_int_equal(notice_open(s.path, &l.addr, &err), -1);
	assert_null(getenv(NOTICE_FD));
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(setenv(NOTICE_FD, bad[i], 1), 0);
		assert_int_equal(notice_inherited(), -1);
		assert_null(getenv(NOTICE_FD));
	}
	/* Descriptors that are no such connection: they stay who they are. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pipe_fds), 0);
	fd = fcntl(pipe_fds[0], F_DUPFD, 10);
	char text[16];
	(void)snprintf(text, sizeof(text), "%d", fd);
	assert_int_equal(setenv(NOTICE_FD, text, 1), 0);
	assert_int_equal(notice_inherited(), -1);
	(void)close(fd);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	assert_int_equal(open_descriptors(), before);
}

/* What is not bound must not reach a mail user. */
static void test_notice_hands_no_free_connection_down(void **state)
{
	static const char *const answers_to_bind[] = { "error unknown verb\n",
		"stored\n", "bound", NULL };
	struct login l = anna();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(answers_to_bind); i++) {
		size_t before = open_descriptors();
		struct err err = { 0 };
		struct server s;

		serve_start_plain(&s, answers_to_bind[i]);
		assert_int_equal(notice_open(s.path, &l.addr, &err), -1);
		assert_int_equal(err.code, EXIT_AGAIN);
		assert_null(getenv(NOTICE_FD));
		assert_int_equal(open_descriptors(), before);
		serve_stop(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notice_reads_the_environment),
		cmocka_unit_test(test_notice_refuses_a_name_that_is_too_long),
		cmocka_unit_test(test_notice_tells_and_hears),
		cmocka_unit_test(test_notice_takes_no_half_answer),
		cmocka_unit_test(test_notice_waits_no_longer_than_it_may),
		cmocka_unit_test(test_notice_says_who_is_not_there),
		cmocka_unit_test(test_notice_tells_no_bad_name),
		cmocka_unit_test(test_notice_names_sessions_apart),
		cmocka_unit_test(test_notice_hands_a_connection_down),
		cmocka_unit_test(test_notice_hands_no_free_connection_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
