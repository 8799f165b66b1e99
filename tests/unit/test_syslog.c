/* SPDX-License-Identifier: ISC */
/*
 * test_syslog - frames and messages of syslog, and the source that takes them:
 * who may send, and whose lines count.
 */
#include "feed_world.h"

#include <grp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "pattern/header.h"
#include "source/syslog_codec.h"

#define STAMP "Nov 20 18:08:57"
#define ISO   "2026-11-20T18:08:57.123456+00:00"
#define TEXT                                                                   \
	"imap-login: Login: user=<anna>, method=PLAIN, rip=192.0.2.7, "        \
	"lip=198.51.100.1, mpid=7, TLS, session=<s1>"

/* --- messages --------------------------------------------------------------
 */

static enum syslog_seen seen_as(const char *msg, size_t len, char *out)
{
	char room[SYSLOG_LINE_MAX];
	const char *line = NULL;
	size_t n = 0;
	enum syslog_seen seen = syslog_line(msg, len, room, &line, &n);
	struct header h;

	out[0] = '\0';
	if (seen != SYSLOG_LINE)
		return seen;
	assert_true(n < SYSLOG_LINE_MAX);
	memcpy(out, line, n);
	out[n] = '\0';
	assert_true(header_parse(line, n, &h));
	assert_int_equal(h.place, HEADER_SYSLOG);
	assert_true(h.tag_len > 0);
	return seen;
}

static void test_syslog_reads_every_form_of_a_head(void **state)
{
	static const struct {
		const char *msg, *line; /* NULL: as it is */
	} rows[] = {
		{ "<22>" STAMP " mx1 dovecot: " TEXT, NULL },
		{ "<22>" STAMP " mx1 dovecot[7]: " TEXT, NULL },
		{ "<22>" STAMP " 2001:db8::1 dovecot: " TEXT, NULL },
		{ "<22>" STAMP " mx1.example.org dovecot: " TEXT "\n",
		    "<22>" STAMP " mx1.example.org dovecot: " TEXT },
		{ "<22>" ISO " mx1 dovecot: " TEXT, NULL },
		{ "<22>1 " ISO " mx1 dovecot 7 - - " TEXT, NULL },
		{ "<22>1 " ISO " mx1 dovecot - - -  " TEXT, NULL },
		{ "<22>1 " ISO " - dovecot - ID47 [a@1 b=\"]\\\"\" c=\"d\"][e] "
		  "\xef\xbb\xbf" TEXT,
		    NULL },
		/* as syslog(3) and journald send it */
		{ "<22>" STAMP " dovecot: " TEXT,
		    "<22>" STAMP " - dovecot: " TEXT },
		{ "<22>" STAMP " dovecot[7]: " TEXT,
		    "<22>" STAMP " - dovecot[7]: " TEXT },
		{ "<22>" ISO " dovecot[7]: " TEXT,
		    "<22>" ISO " - dovecot[7]: " TEXT },
		{ "<22>Nov  2 18:08:57 dovecot: x y: z",
		    "<22>Nov  2 18:08:57 - dovecot: x y: z" },
		{ "<0>" STAMP " a: b", "<0>" STAMP " - a: b" },
		{ "<191>" STAMP " a: b", "<191>" STAMP " - a: b" },
	};
	char line[SYSLOG_LINE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *msg = rows[i].msg;
		const char *want = rows[i].line ? rows[i].line : msg;
		if (seen_as(msg, strlen(msg), line) != SYSLOG_LINE)
			fail_msg("refused: %s", msg);
		assert_string_equal(line, want);
	}
}

/* No program is named, or only in what a stranger may have written. */
static void test_syslog_knows_no_program_from_text(void **state)
{
	static const char *const rows[] = {
		"<22>" STAMP " su (to root) anna on pts/1",
		"<22>" STAMP " mx1 su (to root) anna on pts/1",
		"<22>" STAMP " imap-login(x): Info: " TEXT,
		"<22>" STAMP " a b dovecot: " TEXT,
		"<22>" STAMP " mx1 a b dovecot: " TEXT,
		"<22>" STAMP "  dovecot: " TEXT,
		"<22>" STAMP " ",
		"<22>" STAMP,
		"<22>1 " ISO " mx1 - - - - " TEXT,
	};
	char line[SYSLOG_LINE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (seen_as(rows[i], strlen(rows[i]), line) != SYSLOG_NO_TAG)
			fail_msg("%s: %s", rows[i], line);
}

static void test_syslog_refuses_what_is_no_message(void **state)
{
	static const char *const rows[] = {
		"",
		"<",
		"<>",
		"<22",
		"<22>",
		"<22>dovecot: " TEXT,
		"<22>mx1 dovecot: " TEXT,
		"<192>" STAMP " mx1 dovecot: " TEXT,
		"<0022>" STAMP " mx1 dovecot: " TEXT,
		"<-1>" STAMP " mx1 dovecot: " TEXT,
		" <22>" STAMP " mx1 dovecot: " TEXT,
		STAMP " mx1 dovecot: " TEXT,
		"dovecot: " STAMP " Info: " TEXT,
		"22 " STAMP " mx1 dovecot: " TEXT,
		"<22>2 " ISO " mx1 dovecot 7 - - " TEXT,
		"<22>1 " STAMP " mx1 dovecot 7 - - " TEXT,
		"<22>1 " ISO " mx1 dovecot 7 - [a b=\"c\" " TEXT,
		"<22>1 " ISO " mx1 dovecot 7 -",
	};
	char line[SYSLOG_LINE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (seen_as(rows[i], strlen(rows[i]), line) != SYSLOG_MALFORMED)
			fail_msg("%s: %s", rows[i], line);
}

static void test_syslog_takes_one_line_of_a_message(void **state)
{
	static const char two[] =
	    "<22>" STAMP " mx1 a: b\n<22>" STAMP " mx1 dovecot: " TEXT;
	static const char nul[] = "<22>" STAMP " mx1 a: b\0dovecot: " TEXT;
	char line[SYSLOG_LINE_MAX + 1],
	    *large = xmalloc(SYSLOG_MESSAGE_MAX + 2);
	size_t n = (size_t)snprintf(
	    large, SYSLOG_MESSAGE_MAX, "<22>" STAMP " mx1 dovecot: ");

	(void)state;
	assert_int_equal(seen_as(two, sizeof(two) - 1, line), SYSLOG_MANY);
	assert_int_equal(seen_as(nul, sizeof(nul) - 1, line), SYSLOG_MANY);
	assert_int_equal(seen_as("<22>" STAMP " mx1 a: b\n\n",
			     strlen("<22>" STAMP " mx1 a: b\n\n"), line),
	    SYSLOG_MANY);
	/* the NUL of syslog(3) over a stream */
	assert_int_equal(seen_as("<22>" STAMP " mx1 a: b",
			     sizeof("<22>" STAMP " mx1 a: b"), line),
	    SYSLOG_LINE);
	assert_string_equal(line, "<22>" STAMP " mx1 a: b");
	memset(large + n, 'x', SYSLOG_MESSAGE_MAX + 1 - n);
	large[SYSLOG_MESSAGE_MAX] = '\n';
	assert_int_equal(
	    seen_as(large, SYSLOG_MESSAGE_MAX + 1, line), SYSLOG_LINE);
	large[SYSLOG_MESSAGE_MAX] = 'x';
	assert_int_equal(
	    seen_as(large, SYSLOG_MESSAGE_MAX + 1, line), SYSLOG_TOO_LONG);
	free(large);
}

/* --- frames ----------------------------------------------------------------
 */

/* Cuts a stream that comes in pieces of so many bytes; writes "[message]" for
 * each frame, "!" for one that is too long, "?" for no frame. */
static void cut_all(
    const char *in, size_t len, size_t piece, char *out, size_t size)
{
	size_t from = 0, to = 0, n = 0;
	uint64_t state = 0;
	enum syslog_frame frame = SYSLOG_FRAME_MORE;

	out[0] = '\0';
	while (frame != SYSLOG_FRAME_BAD && (to < len || from < to)) {
		const char *msg;
		size_t used = 0, msg_len = 0;
		if (frame == SYSLOG_FRAME_MORE || from == to) {
			if (to == len)
				return;
			to = to + piece < len ? to + piece : len;
		}
		frame = syslog_cut(
		    in + from, to - from, &state, &used, &msg, &msg_len);
		assert_true(used <= to - from);
		assert_int_equal(used == 0,
		    frame == SYSLOG_FRAME_MORE || frame == SYSLOG_FRAME_BAD);
		from += used;
		if (frame == SYSLOG_FRAME_WHOLE)
			n += (size_t)snprintf(
			    out + n, size - n, "[%.*s]", (int)msg_len, msg);
		else if (frame == SYSLOG_FRAME_LONG)
			n += (size_t)snprintf(out + n, size - n, "!");
		else if (frame == SYSLOG_FRAME_BAD)
			n += (size_t)snprintf(out + n, size - n, "?");
	}
}

static void expect_frames(const char *in, size_t len, const char *want)
{
	char out[1000];

	for (size_t piece = 1; piece <= len; piece += piece < 40 ? 1 : 997) {
		cut_all(in, len, piece, out, sizeof(out));
		if (strcmp(out, want) != 0)
			fail_msg("pieces of %zu: \"%s\", wanted \"%s\"", piece,
			    out, want);
	}
}

static void test_syslog_cuts_both_kinds_of_frames(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "<1>a\n<2>b\n", "[<1>a][<2>b]" },
		{ "4 <1>a4 <2>b", "[<1>a][<2>b]" },
		{ "4 <1>a<2>b\n5 <3>cd<4>e\n", "[<1>a][<2>b][<3>cd][<4>e]" },
		{ "5 <1>\na", "[<1>\na]" },
		{ "4 <1>a\n\n4 <2>b\n", "[<1>a][<2>b]" },
		{ "1 x", "[x]" },
		{ "<1>a 4 <2>b\n", "[<1>a 4 <2>b]" },
		{ "<1>unfinished", "" },
		{ "9 <1>a", "" },
		{ "x", "?" },
		{ "0 ", "?" },
		{ "4<1>a", "?" },
		{ "4x", "?" },
		{ "12345678 ", "?" },
		{ "99999999", "?" },
		{ "<1>a\nb<2>c\n", "[<1>a]?" },
		{ "3 <1>a\n", "[<1>]?" },
		{ "\r\n", "?" },
		{ " <1>a\n", "?" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		expect_frames(rows[i].in, strlen(rows[i].in), rows[i].out);
	expect_frames("4 <1>\0<2>b\n", 11, "[<1>][<2>b]");
}

/* Text at a place, without a NUL; first so many 'x'. */
static void put(char *in, size_t fill, size_t at, const char *text)
{
	memset(in, 'x', fill);
	while (*text)
		in[at++] = *text++;
}

/* A frame that is too long is passed over; what follows it is not lost. */
static void test_syslog_passes_over_long_frames(void **state)
{
	size_t size = 3 * SYSLOG_MESSAGE_MAX, n;
	char *in = xmalloc(size), *out = xmalloc(size);

	(void)state;
	put(in, size, 0, "<1>");
	put(in, 0, SYSLOG_MESSAGE_MAX + 1, "\n<2>b\n");
	expect_frames(in, SYSLOG_MESSAGE_MAX + 7, "![<2>b]");
	put(in, size, 0, "<1>");
	put(in, 0, SYSLOG_MESSAGE_MAX, "\n<2>b\n");
	cut_all(in, SYSLOG_MESSAGE_MAX + 6, size, out, size);
	n = strlen(out);
	assert_int_equal(n, SYSLOG_MESSAGE_MAX + 8);
	assert_string_equal(out + n - 7, "][<2>b]");
	put(in, size, 0, "20000 <1>");
	n = 20006;
	put(in, 0, 7000, "\n4 <9>z"); /* inside it */
	put(in, 0, n, "4 <2>b");
	expect_frames(in, n + 6, "![<2>b]");
	free(in);
	free(out);
}

/* --- the source ------------------------------------------------------------
 */

enum { PATTERN_SIZE = 1 << 17 };

/* The real patterns of Dovecot, for lines of this user only. */
static void guard(struct feed_world *w, uid_t uid)
{
	struct patterns_options o = { .servers = "dovecot", .dir = w->dir };
	char path[100], *text = xcalloc(1, PATTERN_SIZE);
	struct err err = { 0 };
	FILE *file = fopen(TEST_DATA "/../../patterns/dovecot.pattern", "re");
	int before;

	assert_non_null(file);
	assert_in_range(
	    fread(text, 1, PATTERN_SIZE, file), 1, PATTERN_SIZE - 1);
	(void)fclose(file);
	before = (int)(strstr(text, "\nabout ") - text);
	(void)snprintf(path, sizeof(path), "%s/dovecot.pattern", w->dir);
	file = fopen(path, "we");
	assert_non_null(file);
	(void)fprintf(file, "%.*s\nuid %u%s", before, text, uid, text + before);
	assert_int_equal(fclose(file), 0);
	free(text);
	patterns_close(&w->patterns);
	w->patterns = patterns_open(&o, &err);
	(void)unlink(path);
	if (!w->patterns)
		fail_msg("%s", err.text);
	w->env.patterns = w->patterns;
}

static void open_source(
    struct feed_world *w, const char *listen_at, const char *options)
{
	const struct group *gr = getgrgid(getegid());
	char text[600];
	struct err err = { 0 };

	(void)snprintf(text, sizeof(text),
	    "source lines { kind = \"syslog\" group = \"%s\" "
	    "allow-uid = \"%u\" listen = {%s} %s }\n",
	    gr ? gr->gr_name : "root", geteuid(), listen_at, options);
	world_configure(w, text);
	if (world_sockets(w, &err) < 0)
		fail_msg("%s", err.text);
	world_start(w);
}

static void close_source(struct feed_world *w)
{
	world_stop(w);
	for (size_t i = 0; i < w->env.fd_count; i++)
		(void)close(w->fds[i]);
}

static int unix_client(struct feed_world *w)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const char *path = world_path(w, "other");
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(un.sun_path, path, strlen(path));
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static int inet_client(const struct feed_world *w, size_t index, int type)
{
	struct sockaddr_storage to = { 0 };
	socklen_t len = sizeof(to);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_int_equal(
	    getsockname(w->fds[index], (struct sockaddr *)&to, &len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, len), 0);
	return fd;
}

enum { MESSAGE_SIZE = WORLD_LINE_SIZE + 8 };

/* "<22>2026-... mx dovecot: ..." without LF. */
static size_t message(char out[MESSAGE_SIZE], const char *user)
{
	char line[WORLD_LINE_SIZE];
	int n = (int)world_line(line, user) - 1;

	return (size_t)snprintf(out, MESSAGE_SIZE, "<22>%.*s", n, line);
}

static void send_message(int fd, const char *user, const char *end)
{
	char out[2 * MESSAGE_SIZE];
	size_t n = message(out, user);

	n += (size_t)snprintf(out + n, sizeof(out) - n, "%s", end);
	assert_int_equal(send(fd, out, n, MSG_NOSIGNAL), n);
}

/* "LEN MESSAGE" */
static void send_counted(int fd, const char *user)
{
	char one[MESSAGE_SIZE], out[2 * MESSAGE_SIZE];
	size_t n = message(one, user);

	n = (size_t)snprintf(out, sizeof(out), "%zu %s", n, one);
	assert_int_equal(send(fd, out, n, MSG_NOSIGNAL), n);
}

static void turns(struct feed_world *w)
{
	for (int i = 0; i < 50; i++)
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
}

static const char *unix_place(struct feed_world *w)
{
	static char text[300];

	(void)snprintf(text, sizeof(text), "\"unixgram:%s/other\"", w->dir);
	return text;
}

static uint64_t odd_lines(const struct feed_world *w)
{
	struct matcher_counts n;

	w->kind->counts(w->source, &n);
	return n.odd;
}

static void test_syslog_takes_lines_over_unix_sockets(void **state)
{
	struct feed_world *w = *state;
	int gram;

	open_source(w, unix_place(w), "");
	gram = unix_client(w);
	send_message(gram, "one", "");
	send_message(gram, "two", "\n");
	send_message(gram, "bad", "\nx");
	send_message(gram, "three", "\n");
	world_wait(w, 3, false);
	EXPECT(w, "one", "two", "three");
	assert_int_equal(odd_lines(w), 1);
	(void)close(gram);
}

/* Two lines in one datagram, and one that is too long: neither gives any. */
static void test_syslog_drops_odd_datagrams_whole(void **state)
{
	static char large[SYSLOG_MESSAGE_MAX + 100];
	struct feed_world *w = *state;
	char out[2 * MESSAGE_SIZE];
	size_t n;
	int gram;

	open_source(w, unix_place(w), "");
	gram = unix_client(w);
	n = message(out, "one");
	out[n++] = '\n';
	n += message(out + n, "two");
	assert_int_equal(send(gram, out, n, 0), n);
	out[message(out, "three")] = '\0';
	assert_int_equal(send(gram, out, n, 0), n);
	memset(large, ' ', sizeof(large));
	n = message(large, "four");
	large[n] = ' ';
	assert_int_equal(send(gram, large, sizeof(large), 0), sizeof(large));
	assert_int_equal(send(gram, out + 4, n - 4, 0), n - 4); /* no <PRI> */
	assert_int_equal(send(gram, "", 0, 0), 0);
	turns(w);
	assert_int_equal(w->count, 0);
	assert_int_equal(odd_lines(w), 5);
	send_message(gram, "last", "");
	world_wait(w, 1, false);
	EXPECT(w, "last");
	(void)close(gram);
}

static void test_syslog_takes_a_user_s_lines_for_his_servers(void **state)
{
	struct feed_world *w = *state;
	int gram;

	guard(w, geteuid() + 1);
	open_source(w, unix_place(w), "");
	gram = unix_client(w);
	send_message(gram, "forged", "");
	turns(w);
	assert_int_equal(w->count, 0);
	(void)close(gram);
	close_source(w);
	guard(w, geteuid());
	open_source(w, unix_place(w), "");
	gram = unix_client(w);
	send_message(gram, "one", "");
	world_wait(w, 1, false);
	EXPECT(w, "one");
	(void)close(gram);
}

/* A sender that the kernel did not name proves nothing. */
static void test_syslog_takes_nothing_from_nobody(void **state)
{
	struct feed_world *w = *state;
	struct matcher *m = matcher_new(w->patterns);
	int64_t now = clock_now().wall;
	char line[WORLD_LINE_SIZE];
	size_t n = world_line(line, "anna") - 1;
	struct login l;

	assert_int_equal(
	    matcher_line_from(m, line, n, now, WORLD_NOW_SKEW, UINT32_MAX, &l),
	    LOGIN_NOTHING);
	assert_int_equal(
	    matcher_line_from(m, line, n, now, WORLD_NOW_SKEW, 7, &l),
	    LOGIN_IN);
	/* What one line is believed is not believed of the next. */
	matcher_free(&m);
	guard(w, 7);
	m = matcher_new(w->patterns);
	assert_int_equal(
	    matcher_line_from(m, line, n, now, WORLD_NOW_SKEW, 7, &l),
	    LOGIN_IN);
	assert_int_equal(
	    matcher_line(m, line, n, now, WORLD_NOW_SKEW, &l), LOGIN_NOTHING);
	assert_int_equal(
	    matcher_line_from(m, line, n, now, WORLD_NOW_SKEW, 8, &l),
	    LOGIN_NOTHING);
	matcher_free(&m);
}

/* A port of this host that is free now, for TCP and UDP. */
static unsigned free_port(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	(void)close(fd);
	return ntohs(in.sin_port);
}

static const char *both_inet(void)
{
	static char text[200];
	unsigned port = free_port();

	(void)snprintf(text, sizeof(text),
	    "\"udp:127.0.0.1:%u\", \"tcp:127.0.0.1:%u\"", port, port);
	return text;
}

static void test_syslog_takes_lines_of_listed_peers(void **state)
{
	struct feed_world *w = *state;
	int udp, tcp;

	open_source(w, both_inet(), "allow = \"127.0.0.0/8\"");
	udp = inet_client(w, 0, SOCK_DGRAM);
	tcp = inet_client(w, 1, SOCK_STREAM);
	send_message(udp, "one", "");
	world_wait(w, 1, false);
	send_counted(tcp, "two");
	send_counted(tcp, "three");
	world_wait(w, 3, false);
	assert_int_equal(send(tcp, "GET / HTTP/1.1\n", 15, 0), 15);
	send_counted(tcp, "four");
	turns(w);
	EXPECT(w, "one", "two", "three");
	assert_int_equal(odd_lines(w), 1);
	(void)close(udp);
	(void)close(tcp);
	close_source(w);
	open_source(w, both_inet(), "allow = \"192.0.2.0/24\"");
	udp = inet_client(w, 0, SOCK_DGRAM);
	tcp = inet_client(w, 1, SOCK_STREAM);
	send_message(udp, "forged", "");
	send_counted(tcp, "forged");
	turns(w);
	EXPECT(w, "one", "two", "three");
	assert_int_equal(odd_lines(w), 2);
	(void)close(udp);
	(void)close(tcp);
}

/* Who wrote a LF into a counted message has written no other. */
static void test_syslog_takes_messages_that_lf_ends_when_told(void **state)
{
	struct feed_world *w = *state;
	int tcp;

	open_source(w, both_inet(), "allow = \"127.0.0.0/8\"");
	tcp = inet_client(w, 1, SOCK_STREAM);
	send_counted(tcp, "one");
	send_message(tcp, "forged", "\n");
	send_counted(tcp, "two");
	world_wait(w, 1, false);
	turns(w);
	EXPECT(w, "one");
	assert_int_equal(odd_lines(w), 1);
	(void)close(tcp);
	close_source(w);
	open_source(
	    w, both_inet(), "allow = \"127.0.0.0/8\" framing = \"any\"");
	tcp = inet_client(w, 1, SOCK_STREAM);
	send_message(tcp, "two", "\n");
	send_counted(tcp, "three");
	send_message(tcp, "four", "\n");
	world_wait(w, 4, false);
	EXPECT(w, "one", "two", "three", "four");
	assert_int_equal(odd_lines(w), 0);
	(void)close(tcp);
}

/* Over the network nobody proves a user; rsyslog's word stands for it, where
 * it is asked for. */
static void test_syslog_knows_no_user_of_a_network_peer(void **state)
{
	struct feed_world *w = *state;
	char good[100], bad[100];
	int udp;

	guard(w, geteuid());
	open_source(w, both_inet(), "allow = \"127.0.0.0/8\"");
	udp = inet_client(w, 0, SOCK_DGRAM);
	send_message(udp, "forged", "");
	turns(w);
	assert_int_equal(w->count, 0);
	(void)close(udp);
	close_source(w);
	open_source(w, both_inet(), "allow = \"127.0.0.0/8\" annotated = yes");
	udp = inet_client(w, 0, SOCK_DGRAM);
	(void)snprintf(
	    good, sizeof(good), " @[_PID=7 _UID=%u _GID=0]", geteuid());
	(void)snprintf(
	    bad, sizeof(bad), " @[_PID=7 _UID=%u _GID=0]", geteuid() + 1);
	send_message(udp, "none", "");
	send_message(udp, "other", bad);
	send_message(udp, "one", good);
	world_wait(w, 1, false);
	EXPECT(w, "one");
	(void)close(udp);
}

/* Through a unix socket too: the sender is rsyslog, its suffix says who. */
static void test_syslog_reads_rsyslog_s_word_for_its_senders(void **state)
{
	struct feed_world *w = *state;
	char good[100];
	int gram;

	guard(w, geteuid() + 1);
	open_source(w, unix_place(w), "annotated = yes");
	gram = unix_client(w);
	(void)snprintf(
	    good, sizeof(good), " @[_PID=7 _UID=%u _GID=0]", geteuid() + 1);
	send_message(gram, "none", "");
	send_message(gram, "one", good);
	world_wait(w, 1, false);
	EXPECT(w, "one");
	(void)close(gram);
}

static void test_syslog_refuses_unsafe_sections(void **state)
{
	static const char *const rows[] = {
		"listen = \"udp:127.0.0.1:10514\"",
		"listen = \"tcp:127.0.0.1:10514\"",
		"listen = {}",
		"annotated = yes allow-uid = \"*\" listen = \"unixgram:/x\"",
		"listen = \"unix:/x\"",
	};
	struct feed_world *w = *state;
	char text[300];

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct err err = { 0 };
		(void)snprintf(text, sizeof(text),
		    "source lines { kind = \"syslog\" %s }\n", rows[i]);
		world_configure(w, text);
		assert_int_equal(world_sockets(w, &err), -1);
		assert_int_equal(err.code, EXIT_USER);
		assert_non_null(strstr(err.text, "source lines"));
	}
	assert_true(source_kind_find("syslog")->live);
}

static void test_syslog_counts_what_the_queue_does_not_take(void **state)
{
	struct feed_world *w = *state;
	int gram;

	w->room = 1;
	open_source(w, unix_place(w), "");
	gram = unix_client(w);
	send_message(gram, "one", "");
	send_message(gram, "two", "");
	world_wait(w, 1, false);
	turns(w);
	EXPECT(w, "one");
	assert_int_equal(w->refused, 1);
	(void)close(gram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test(test_syslog_##name)
#define LIVE(name)                                                             \
	cmocka_unit_test_setup_teardown(                                       \
	    test_syslog_##name, world_setup, world_teardown)
		TEST(reads_every_form_of_a_head),
		TEST(knows_no_program_from_text),
		TEST(refuses_what_is_no_message),
		TEST(takes_one_line_of_a_message),
		TEST(cuts_both_kinds_of_frames),
		TEST(passes_over_long_frames),
		LIVE(takes_lines_over_unix_sockets),
		LIVE(drops_odd_datagrams_whole),
		LIVE(takes_a_user_s_lines_for_his_servers),
		LIVE(takes_nothing_from_nobody),
		LIVE(takes_lines_of_listed_peers),
		LIVE(takes_messages_that_lf_ends_when_told),
		LIVE(knows_no_user_of_a_network_peer),
		LIVE(reads_rsyslog_s_word_for_its_senders),
		LIVE(refuses_unsafe_sections),
		LIVE(counts_what_the_queue_does_not_take),
#undef LIVE
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
