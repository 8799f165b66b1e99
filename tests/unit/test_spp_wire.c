/* SPDX-License-Identifier: ISC */
/*
 * test_spp_wire - lines and bytes from one end, however they come, and none of
 * them waited for beyond the limit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "smtp/wire.h"

enum { LIMIT = 5000, SHORT = 20, MAX = 16 };

static struct spp_wire wire, other;
static int peer, other_peer;

static int begin(struct spp_wire *w)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return -1;
	spp_wire_begin(w, pair[0], pair[0], LIMIT);
	return pair[1];
}

static int make(void **state)
{
	(void)state;
	peer = begin(&wire);
	other_peer = begin(&other);
	return peer < 0 || other_peer < 0;
}

static int end(void **state)
{
	(void)state;
	spp_wire_close(&wire);
	spp_wire_close(&other);
	if (peer >= 0)
		(void)close(peer);
	return close(other_peer);
}

static void say(const char *bytes, size_t len)
{
	assert_int_equal(write(peer, bytes, len), (ssize_t)len);
}
#define SAY(text) say(text, sizeof(text) - 1)

static void line_is(const char *want)
{
	const char *line;
	size_t len;

	assert_int_equal(
	    spp_wire_line(&wire, MAX, NULL, &line, &len), SPP_WIRE_GOOD);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(line, want, len);
}

static enum spp_wire_end next(void)
{
	const char *line;
	size_t len;

	return spp_wire_line(&wire, MAX, NULL, &line, &len);
}

static void test_spp_wire_line_takes_both_ends_of_lines(void **state)
{
	(void)state;
	SAY("one\r\ntwo\n\r\n\nthree\rfour\r\r\nrest");
	line_is("one");
	line_is("two");
	line_is("");
	line_is("");
	line_is("three\rfour\r");
	(void)close(peer);
	peer = -1;
	/* What has no end is no line. */
	assert_int_equal(next(), SPP_WIRE_GONE);
}

static void test_spp_wire_line_comes_in_pieces(void **state)
{
	static const char text[] = "HELO a\r\nNOOP\n";

	(void)state;
	for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
		say(text, cut);
		if (cut > strlen("HELO a\r\n")) {
			line_is("HELO a");
			say(text + cut, sizeof(text) - 1 - cut);
		} else {
			say(text + cut, sizeof(text) - 1 - cut);
			line_is("HELO a");
		}
		line_is("NOOP");
	}
}

static void test_spp_wire_line_throws_long_ones_away(void **state)
{
	char text[SPP_WIRE_SIZE + 1];

	(void)state;
	SAY("0123456789abcdef\r\n0123456789abcdefg\r\nnext\r\n");
	line_is("0123456789abcdef");
	assert_int_equal(next(), SPP_WIRE_LONG);
	line_is("next");
	memset(text, 'x', sizeof(text));
	/* As much as a socket takes without a reader, and more than a line. */
	say(text, sizeof(text));
	SAY("\nlast\n");
	assert_int_equal(next(), SPP_WIRE_LONG);
	line_is("last");
}

static void test_spp_wire_line_waits_no_longer(void **state)
{
	(void)state;
	wire.limit = SHORT;
	SAY("half");
	assert_int_equal(next(), SPP_WIRE_LATE);
}

static void test_spp_wire_line_looks_at_another(void **state)
{
	const char *line;
	size_t len;

	(void)state;
	assert_int_equal(write(other_peer, "421 bye\r\n", 9), 9);
	assert_int_equal(
	    spp_wire_line(&wire, MAX, &other, &line, &len), SPP_WIRE_OTHER);
	/* Its own lines come first. */
	SAY("QUIT\r\n");
	assert_int_equal(
	    spp_wire_line(&wire, MAX, &other, &line, &len), SPP_WIRE_GOOD);
}

static void test_spp_wire_line_tells_whether_another_was_silent(void **state)
{
	const char *line;
	size_t len;

	(void)state;
	SAY("RSET\r\nNOOP\r\n");
	assert_int_equal(
	    spp_wire_line(&wire, MAX, &other, &line, &len), SPP_WIRE_GOOD);
	assert_true(other.quiet);
	/* This one had come before: nobody looked. */
	assert_int_equal(
	    spp_wire_line(&wire, MAX, &other, &line, &len), SPP_WIRE_GOOD);
	assert_false(other.quiet);
	SAY("QUIT\r\n");
	assert_int_equal(
	    spp_wire_line(&wire, MAX, &other, &line, &len), SPP_WIRE_GOOD);
	assert_true(other.quiet);
	/* What is said to it is answered. */
	assert_int_equal(spp_wire_puts(&other, "QUIT\r\n"), SPP_WIRE_GOOD);
	assert_int_equal(spp_wire_flush(&other), SPP_WIRE_GOOD);
	assert_false(other.quiet);
	assert_int_equal(write(other_peer, "421 bye\r\n", 9), 9);
	SAY("QUIT\r\n");
	assert_int_equal(
	    spp_wire_line(&wire, MAX, &other, &line, &len), SPP_WIRE_GOOD);
	assert_false(other.quiet);
}

static void test_spp_wire_writes_before_it_waits(void **state)
{
	char heard[64];

	(void)state;
	assert_int_equal(spp_wire_puts(&wire, "220 hello\r\n"), SPP_WIRE_GOOD);
	assert_int_equal(recv(peer, heard, sizeof(heard), MSG_DONTWAIT), -1);
	SAY("HELO x\r\n");
	line_is("HELO x");
	assert_int_equal(recv(peer, heard, sizeof(heard), MSG_DONTWAIT), 11);
	assert_memory_equal(heard, "220 hello\r\n", 11);
}

static void test_spp_wire_put_gives_up_in_time(void **state)
{
	char piece[SPP_WIRE_SIZE / 2] = { 0 };
	enum spp_wire_end e = SPP_WIRE_GOOD;

	(void)state;
	wire.limit = SHORT;
	/* Nobody reads. */
	for (size_t i = 0; i < 1000 && e == SPP_WIRE_GOOD; i++)
		e = spp_wire_put(&wire, piece, sizeof(piece));
	assert_int_equal(e, SPP_WIRE_LATE);
}

static void test_spp_wire_put_never_blocks_in_a_pipe_of_others(void **state)
{
	char piece[SPP_WIRE_SIZE / 2] = { 0 };
	enum spp_wire_end e = SPP_WIRE_GOOD;
	struct spp_wire w;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	spp_wire_begin(&w, ends[0], ends[1], SHORT);
	for (size_t i = 0; i < 1000 && e == SPP_WIRE_GOOD; i++)
		e = spp_wire_put(&w, piece, sizeof(piece));
	assert_int_equal(e, SPP_WIRE_LATE);
	spp_wire_close(&w);
}

static void test_spp_wire_forgets_and_takes(void **state)
{
	const char *bytes;
	size_t len;

	(void)state;
	SAY("STARTTLS\r\nevil\r\n");
	line_is("STARTTLS");
	spp_wire_forget(&wire);
	SAY("good");
	assert_int_equal(spp_wire_some(&wire, &bytes, &len), SPP_WIRE_GOOD);
	assert_int_equal(len, 4);
	assert_memory_equal(bytes, "good", 4);
	spp_wire_take(&wire, 1);
	assert_int_equal(spp_wire_some(&wire, &bytes, &len), SPP_WIRE_GOOD);
	assert_int_equal(len, 3);
}

static void heard(const char *text)
{
	char got[SPP_WIRE_SIZE];
	ssize_t n = recv(peer, got, sizeof(got), MSG_WAITALL);

	assert_int_equal(n, (ssize_t)strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

static void test_spp_wire_room_is_written_in_order(void **state)
{
	char *room;

	(void)state;
	for (size_t len = 4; len <= SPP_WIRE_SIZE; len += SPP_WIRE_SIZE - 4) {
		assert_int_equal(spp_wire_puts(&wire, "one "), SPP_WIRE_GOOD);
		room = spp_wire_room(&wire, len);
		assert_non_null(room);
		for (size_t i = 0; i < len; i++)
			room[i] = 'x';
		spp_wire_wrote(&wire, 4);
		assert_int_equal(spp_wire_puts(&wire, " two "), SPP_WIRE_GOOD);
	}
	spp_wire_end(&wire, 0);
	heard("one xxxx two one xxxx two ");
}

static void test_spp_wire_room_needs_somebody_who_reads(void **state)
{
	(void)state;
	assert_int_equal(spp_wire_puts(&wire, "one"), SPP_WIRE_GOOD);
	(void)close(peer);
	peer = -1;
	assert_null(spp_wire_room(&wire, SPP_WIRE_SIZE));
}

/* Whoever closes while bytes are unread takes back what he said. */
static void test_spp_wire_end_hears_him_out(void **state)
{
	int kept = dup(wire.in);
	char left;

	(void)state;
	SAY("what nobody reads\r\n");
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	assert_int_equal(spp_wire_puts(&wire, "bye\r\n"), SPP_WIRE_GOOD);
	spp_wire_end(&wire, LIMIT);
	assert_int_equal(wire.in, -1);
	assert_int_equal(recv(kept, &left, 1, MSG_DONTWAIT), 0);
	(void)close(kept);
	heard("bye\r\n");
}

/* Says a byte now and then, until nobody is there (0) or all is said. */
static int drip(void)
{
	for (int i = 0; i < LIMIT; i++) {
		if (send(peer, "x", 1, MSG_NOSIGNAL) != 1)
			return 0;
		(void)poll(NULL, 0, 1);
	}
	return 1;
}

static void test_spp_wire_end_does_not_hear_out_who_goes_on(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		spp_wire_close(&wire);
		_exit(drip());
	}
	assert_true(pid > 0);
	spp_wire_end(&wire, SHORT);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_spp_wire_end_does_not_wait_for_ever(void **state)
{
	(void)state;
	SAY("and then he is silent\r\n");
	assert_int_equal(spp_wire_puts(&wire, "bye\r\n"), SPP_WIRE_GOOD);
	spp_wire_end(&wire, SHORT);
	assert_int_equal(wire.in, -1);
	heard("bye\r\n");
}

#define WIRED(test) cmocka_unit_test_setup_teardown(test, make, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WIRED(test_spp_wire_line_takes_both_ends_of_lines),
		WIRED(test_spp_wire_line_tells_whether_another_was_silent),
		WIRED(test_spp_wire_put_never_blocks_in_a_pipe_of_others),
		WIRED(test_spp_wire_line_comes_in_pieces),
		WIRED(test_spp_wire_line_throws_long_ones_away),
		WIRED(test_spp_wire_line_waits_no_longer),
		WIRED(test_spp_wire_line_looks_at_another),
		WIRED(test_spp_wire_writes_before_it_waits),
		WIRED(test_spp_wire_put_gives_up_in_time),
		WIRED(test_spp_wire_forgets_and_takes),
		WIRED(test_spp_wire_room_is_written_in_order),
		WIRED(test_spp_wire_room_needs_somebody_who_reads),
		WIRED(test_spp_wire_end_hears_him_out),
		WIRED(test_spp_wire_end_does_not_hear_out_who_goes_on),
		WIRED(test_spp_wire_end_does_not_wait_for_ever),
	};

	return cmocka_run_group_tests_name("spp_wire", tests, NULL, NULL);
}
