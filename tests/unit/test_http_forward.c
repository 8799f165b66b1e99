/* SPDX-License-Identifier: ISC */
/*
 * test_http_forward - another policy server behind the http source: a small one
 * in the same loop, told what to answer. Its verdict goes back to Dovecot, and
 * its absence stops nobody.
 */
#include "http_world.h"

#include <netinet/in.h>

#include "source/http_forward.h"

#define ALLOW_URL  "/policy?command=allow"
#define REPORT_URL "/policy?command=report"
#define GO_ON      "{\"status\":0,\"msg\":\"\"}"
#define TARPIT     "{\"status\":3,\"msg\":\"slow down\",\"r_attrs\":{}}"
#define OK_TARPIT  "HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n" TARPIT

enum { OTHER_CONNECTIONS = 64 };

/* The other server: reads until a request is whole, writes its answer. */
struct other {
	int fd;
	unsigned port;
	const char *answer; /* NULL: none */
	bool hang_up;       /* after the answer, without saying so */
	int clients[OTHER_CONNECTIONS];
	size_t connections, requests;
	char seen[8192]; /* the last request */
};

static void other_open(struct other *o)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	o->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	must(o->fd >= 0);
	must(bind(o->fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	must(getsockname(o->fd, (struct sockaddr *)&at, &len) == 0);
	o->port = ntohs(at.sin_port);
	must(listen(o->fd, OTHER_CONNECTIONS) == 0);
}

static void other_close(struct other *o)
{
	for (size_t i = 0; i < o->connections; i++)
		if (o->clients[i] >= 0)
			(void)close(o->clients[i]);
	(void)close(o->fd);
}

static void other_serve(struct other *o, int *client)
{
	ssize_t n = recv(
	    *client, o->seen, sizeof(o->seen) - 1, MSG_DONTWAIT | MSG_PEEK);
	const char *body, *length;

	if (n <= 0)
		return;
	o->seen[n] = '\0';
	body = strstr(o->seen, "\r\n\r\n");
	length = strstr(o->seen, "Content-Length: ");
	if (!body || !length ||
	    strlen(body + 4) < strtoul(length + 16, NULL, 10))
		return;
	must(recv(*client, o->seen, (size_t)n, 0) == n);
	o->requests++;
	if (o->answer)
		must(send(*client, o->answer, strlen(o->answer),
			 MSG_NOSIGNAL) == (ssize_t)strlen(o->answer));
	if (o->hang_up) {
		(void)close(*client);
		*client = -1;
	}
}

static void other_turn(struct other *o)
{
	int fd = accept4(o->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0) {
		must(o->connections < OTHER_CONNECTIONS);
		o->clients[o->connections++] = fd;
	}
	for (size_t i = 0; i < o->connections; i++)
		if (o->clients[i] >= 0)
			other_serve(o, &o->clients[i]);
}

static void start(struct world *w, const struct other *o, const char *more)
{
	char lines[600];

	world_secret(w, "wforce", "hunter2");
	(void)snprintf(lines, sizeof(lines),
	    "forward = \"http://127.0.0.1:%u/\"\n"
	    "forward-secret-file = \"%s/wforce\"\n%s",
	    o->port, w->dir, more);
	world_start(w, lines);
}

static int teardown(void **state)
{
	struct world *w = *state;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/wforce", w->dir);
	(void)unlink(path);
	return world_teardown(state);
}

/* The answer to one question; both servers run meanwhile. */
static const char *ask(struct world *w, struct other *o, int fd)
{
	uint64_t end = uv_hrtime() + WORLD_LIMIT_MS * 1000000ULL;
	char byte;

	world_post(fd, ALLOW_URL, KEY_HEAD, "{\"login\":\"anna\"}");
	while (recv(fd, &byte, 1, MSG_PEEK) < 0) {
		if (uv_hrtime() > end)
			fail_msg("no answer");
		other_turn(o);
		world_turn(w);
	}
	assert_int_equal(world_reply(w, fd), 200);
	assert_int_equal(w->login_count, 0);
	return strstr(w->reply, "\r\n\r\n") + 4;
}

static void test_http_forward_passes_the_answer_back(void **state)
{
	struct world *w = *state;
	struct other o = { .answer = OK_TARPIT };
	int fd;

	other_open(&o);
	start(w, &o, "");
	fd = world_connect(w);
	for (size_t i = 1; i <= 20; i++) {
		assert_string_equal(ask(w, &o, fd), TARPIT);
		assert_int_equal(o.requests, i);
	}
	/* One connection is enough, and is kept. */
	assert_int_equal(o.connections, 1);
	assert_ptr_equal(
	    strstr(o.seen, "POST /?command=allow HTTP/1.1\r\n"), o.seen);
	/* "wforce:hunter2" */
	assert_non_null(strstr(
	    o.seen, "\r\nAuthorization: Basic d2ZvcmNlOmh1bnRlcjI=\r\n"));
	assert_non_null(strstr(o.seen, "\r\n\r\n{\"login\":\"anna\"}"));
	assert_null(strstr(o.seen, WORLD_SECRET));
	(void)close(fd);
	other_close(&o);
}

static void test_http_forward_sends_another_header(void **state)
{
	struct world *w = *state;
	struct other o = { .answer = OK_TARPIT };
	int fd;

	other_open(&o);
	start(w, &o, "forward-header = \"X-API-Key\"");
	fd = world_connect(w);
	assert_string_equal(ask(w, &o, fd), TARPIT);
	assert_non_null(strstr(o.seen, "\r\nX-API-Key: hunter2\r\n"));
	assert_null(strstr(o.seen, "Authorization"));
	(void)close(fd);
	other_close(&o);
}

static void test_http_forward_lets_logins_go_on_without_it(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 401 Unauthorized\r\nContent-Length: 13\r\n\r\n"
		"{\"status\":-1}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n"
		"{\"status\":\"-1\"}"
		"",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n-1\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
		"220 mx ESMTP\r\n",
	};
	struct world *w = *state;
	struct other o = { 0 };
	int fd;

	other_open(&o);
	start(w, &o, "");
	fd = world_connect(w);
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		o.answer = answers[i];
		assert_string_equal(ask(w, &o, fd), GO_ON);
	}
	o.answer = "";
	o.hang_up = true;
	assert_string_equal(ask(w, &o, fd), GO_ON);
	/* Nobody there at all. */
	other_close(&o);
	o.connections = 0;
	assert_string_equal(ask(w, &o, fd), GO_ON);
	(void)close(fd);
}

static void test_http_forward_refuses_without_it_when_told_to(void **state)
{
	struct world *w = *state;
	struct other o = { .answer = "HTTP/1.1 500 X\r\nContent-Length: 0\r\n"
				     "\r\n" };
	int fd;

	other_open(&o);
	start(w, &o, "forward-fail = refuse");
	fd = world_connect(w);
	assert_non_null(strstr(ask(w, &o, fd), "\"status\":-1"));
	o.answer = OK_TARPIT;
	assert_string_equal(ask(w, &o, fd), TARPIT);
	(void)close(fd);
	other_close(&o);
}

static void test_http_forward_waits_no_longer_than_told(void **state)
{
	struct world *w = *state;
	struct other o = { 0 };
	uint64_t before;
	int fd;

	other_open(&o);
	start(w, &o, "forward-timeout = 1s");
	fd = world_connect(w);
	before = uv_hrtime();
	assert_string_equal(ask(w, &o, fd), GO_ON);
	assert_true(uv_hrtime() - before >= 990 * 1000000ULL);
	assert_true(uv_hrtime() - before < 5000 * 1000000ULL);
	/* The next has a connection of its own: a late answer is nobody's. */
	o.answer = OK_TARPIT;
	assert_string_equal(ask(w, &o, fd), TARPIT);
	assert_int_equal(o.connections, 2);
	(void)close(fd);
	other_close(&o);
}

/* The other side may close a kept connection whenever it likes. */
static void test_http_forward_tries_a_kept_connection_once_more(void **state)
{
	struct world *w = *state;
	struct other o = { .answer = OK_TARPIT };
	int fd;

	other_open(&o);
	start(w, &o, "");
	fd = world_connect(w);
	assert_string_equal(ask(w, &o, fd), TARPIT);
	/* It has the request, and closes without a word. */
	world_post(fd, ALLOW_URL, KEY_HEAD, "{}");
	o.answer = NULL;
	o.hang_up = true;
	while (o.requests < 2) {
		other_turn(&o);
		world_turn(w);
	}
	o.answer = OK_TARPIT;
	o.hang_up = false;
	while (o.requests < 3) {
		other_turn(&o);
		world_turn(w);
	}
	assert_int_equal(world_reply(w, fd), 200);
	assert_non_null(strstr(w->reply, TARPIT));
	assert_int_equal(o.connections, 2);
	(void)close(fd);
	other_close(&o);
}

/* Reports go there, too, failures among them; nobody waits for it. */
static void test_http_forward_sends_reports_along(void **state)
{
	static const char report[] =
	    "{\"login\":\"anna\",\"protocol\":\"imap\",\"remote\":"
	    "\"192.0.2.7\",\"success\":false,\"policy_reject\":false}";
	struct world *w = *state;
	struct other o = { 0 };
	int fd;

	other_open(&o);
	start(w, &o, "");
	fd = world_connect(w);
	world_post(fd, REPORT_URL, KEY_HEAD, report);
	assert_int_equal(world_reply(w, fd), 200);
	while (o.requests < 1) {
		other_turn(&o);
		world_turn(w);
	}
	assert_ptr_equal(strstr(o.seen, "POST /?command=report "), o.seen);
	assert_non_null(strstr(o.seen, report));
	assert_int_equal(w->login_count, 0);
	(void)close(fd);
	other_close(&o);
}

static void test_http_forward_asks_for_many_at_once(void **state)
{
	enum { MANY = 60 };
	struct world *w = *state;
	struct other o = { 0 };
	int fds[MANY];

	other_open(&o);
	start(w, &o, "forward-timeout = 10s");
	for (size_t i = 0; i < MANY; i++) {
		fds[i] = world_connect(w);
		world_post(fds[i], ALLOW_URL, KEY_HEAD, "{}");
	}
	while (o.requests < 32) {
		other_turn(&o);
		world_turn(w);
	}
	/* The rest waits for those. */
	for (int i = 0; i < 10; i++) {
		other_turn(&o);
		world_turn(w);
	}
	assert_int_equal(o.requests, 32);
	assert_int_equal(o.connections, 32);
	o.answer = OK_TARPIT;
	for (size_t i = 0; i < 32; i++)
		must(send(o.clients[i], OK_TARPIT, strlen(OK_TARPIT),
			 MSG_NOSIGNAL) > 0);
	while (o.requests < MANY) {
		other_turn(&o);
		world_turn(w);
	}
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(world_reply(w, fds[i]), 200);
		assert_non_null(strstr(w->reply, TARPIT));
		(void)close(fds[i]);
	}
	assert_int_equal(o.connections, 32);
	other_close(&o);
}

static void test_http_forward_answers_who_waits_when_it_stops(void **state)
{
	struct world *w = *state;
	struct other o = { 0 };
	int fd;

	other_open(&o);
	start(w, &o, "");
	fd = world_connect(w);
	world_post(fd, ALLOW_URL, KEY_HEAD, "{}");
	while (o.requests < 1) {
		other_turn(&o);
		world_turn(w);
	}
	world_stop(w);
	assert_int_equal(world_reply(w, fd), 200);
	assert_non_null(strstr(w->reply, GO_ON));
	(void)close(fd);
	other_close(&o);
}

static void test_http_forward_refuses_bad_places(void **state)
{
	static const char *const places[] = { "https://127.0.0.1:8084/",
		"http://localhost:8084/", "http://127.0.0.1/",
		"http://127.0.0.1:8084", "http://127.0.0.1:0/",
		"http://127.0.0.1:99999/", "http://u:p@127.0.0.1:8084/",
		"http://127.0.0.1:8084/a b", "http://127.0.0.1:8084/?x",
		"http://127.0.0.1:8084/\r\nX: y", "127.0.0.1:8084" };
	struct world *w = *state;
	const struct option rows[] = { FORWARD_OPTIONS, OPTION_END };
	const struct conf_kind kind = { "http", "A source.", rows };
	const struct conf_kind *const kinds[] = { &kind, NULL };
	static const struct option none[] = { OPTION_END };
	const struct conf_schema schema[] = {
		{ "source", "Where logins come from.", none, kinds }, { 0 }
	};

	for (size_t i = 0; i < COUNT_OF(places); i++) {
		struct err err = { 0 };
		int n = snprintf(w->text, sizeof(w->text),
		    "source web { kind = \"http\" forward = '%s' }", places[i]);

		conf_free(&w->conf);
		w->conf = conf_parse(w->text, (size_t)n, "test", schema, &err);
		if (!w->conf)
			continue;
		assert_null(forward_new(
		    conf_at(w->conf, "source", 0), NULL, NULL, &err));
		if (err.code != EXIT_USER)
			fail_msg("%s", places[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_http_forward_passes_the_answer_back),
		TEST(test_http_forward_sends_another_header),
		TEST(test_http_forward_lets_logins_go_on_without_it),
		TEST(test_http_forward_refuses_without_it_when_told_to),
		TEST(test_http_forward_waits_no_longer_than_told),
		TEST(test_http_forward_tries_a_kept_connection_once_more),
		TEST(test_http_forward_sends_reports_along),
		TEST(test_http_forward_asks_for_many_at_once),
		TEST(test_http_forward_answers_who_waits_when_it_stops),
		TEST(test_http_forward_refuses_bad_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
