/* SPDX-License-Identifier: ISC */
/*
 * test_wire - messages between processes: sound ones arrive whole with their
 * descriptor; all others end the channel, and leave no descriptor open.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/wire.h"

static int pair[2];
static union wire_message *message;

static int setup(void **state)
{
	(void)state;
	message = xcalloc(1, sizeof(*message));
	return wire_pair(pair);
}

static int teardown(void **state)
{
	(void)state;
	free(message);
	(void)close(pair[0]);
	(void)close(pair[1]);
	return 0;
}

static size_t open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

/* Sends bytes as they are, with count descriptors. */
static void send_raw(
    const void *bytes, size_t len, const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control = { 0 };
	struct iovec io = { .iov_base = (void *)(uintptr_t)bytes,
		.iov_len = len };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1 };

	if (count > 0) {
		struct cmsghdr *c = &control.align;
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	assert_int_equal(sendmsg(pair[0], &msg, 0), len);
}

static void test_wire_carries_each_type(void **state)
{
	union wire_message *m = xcalloc(1, sizeof(*m));
	int fd;

	(void)state;
	for (int type = WIRE_NONE + 1; type < WIRE_TYPE_COUNT; type++) {
		m->h.type = (uint16_t)type;
		m->h.count = type == WIRE_LOGINS ? 3 : 7;
		m->h.value = -type;
		assert_int_equal(wire_send(pair[0], &m->h, -1), 0);
		assert_int_equal(wire_receive(pair[1], message, &fd, false), 1);
		assert_int_equal(fd, -1);
		assert_memory_equal(message, m, wire_size(&m->h));
	}
	free(m);
}

static void test_wire_carries_only_the_logins_there_are(void **state)
{
	struct wire_logins *w = xcalloc(1, sizeof(*w));
	size_t before = 0;

	(void)state;
	w->h.type = WIRE_LOGINS;
	for (int n = 0; n <= SOURCE_BATCH; n++) {
		size_t size;
		w->h.count = (uint16_t)n;
		if (n > 0)
			memset(&w->logins[n - 1], n, sizeof(w->logins[0]));
		size = wire_size(&w->h);
		assert_true(size > before);
		before = size;
		assert_int_equal(wire_send(pair[0], &w->h, -1), 0);
		assert_int_equal(
		    wire_receive(pair[1], message, NULL, false), 1);
		assert_memory_equal(message, w, size);
	}
	assert_int_equal(before, sizeof(*w));
	w->h.count = SOURCE_BATCH + 1;
	assert_int_equal(wire_size(&w->h), 0);
	free(w);
}

static void test_wire_passes_a_descriptor(void **state)
{
	const struct wire_path m = { .h = { .type = WIRE_FILE },
		.path = "/var/log/mail.log" };
	struct stat a, b;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fd = -1;

	(void)state;
	assert_int_equal(wire_send(pair[0], &m.h, null), 0);
	assert_int_equal(wire_receive(pair[1], message, &fd, true), 1);
	assert_true(fd >= 0 && fd != null);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstat(null, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	(void)close(fd);
	(void)close(null);
}

static void test_wire_refuses_a_descriptor_nobody_wants(void **state)
{
	const struct wire_header h = { .type = WIRE_READY };
	size_t before = open_files();

	(void)state;
	assert_int_equal(wire_send(pair[0], &h, STDIN_FILENO), 0);
	assert_int_equal(wire_receive(pair[1], message, NULL, false), 0);
	assert_int_equal(open_files(), before);
}

static void test_wire_keeps_none_of_several_descriptors(void **state)
{
	const struct wire_header h = { .type = WIRE_READY };
	const int fds[8] = { 0, 1, 2, 0, 1, 2, 0, 1 };
	size_t before = open_files();

	(void)state;
	for (size_t n = 2; n <= COUNT_OF(fds); n++) {
		int fd = 99;
		send_raw(&h, sizeof(h), fds, n);
		assert_int_equal(wire_receive(pair[1], message, &fd, false), 0);
		assert_int_equal(fd, -1);
		send_raw(&h, sizeof(h), fds, n);
		assert_int_equal(
		    wire_receive(pair[1], message, NULL, false), 0);
		assert_int_equal(open_files(), before);
	}
	/* With a message that is nonsense besides, too. */
	send_raw("x", 1, fds, 1);
	assert_int_equal(wire_receive(pair[1], message, NULL, false), 0);
	assert_int_equal(open_files(), before);
}

static void test_wire_refuses_wrong_sizes(void **state)
{
	char *bytes = xcalloc(1, sizeof(union wire_message) + 64);
	struct wire_header h = { 0 };

	(void)state;
	for (int type = WIRE_NONE; type < WIRE_TYPE_COUNT + 3; type++) {
		size_t right;
		h.type = (uint16_t)type;
		h.count = type == WIRE_LOGINS ? 2 : 0;
		right = wire_size(&h);
		memcpy(bytes, &h, sizeof(h));
		for (size_t len = 1; len < right + 9; len++) {
			if (len == right)
				continue;
			/* The ends and some in between. */
			if (len > 20 && len + 9 < right && len % 97)
				continue;
			send_raw(bytes, len, NULL, 0);
			assert_int_equal(
			    wire_receive(pair[1], message, NULL, false), 0);
		}
	}
	/* More than any message: the kernel cuts it. */
	h.type = WIRE_LOGINS;
	h.count = SOURCE_BATCH;
	memcpy(bytes, &h, sizeof(h));
	send_raw(bytes, sizeof(union wire_message) + 64, NULL, 0);
	assert_int_equal(wire_receive(pair[1], message, NULL, false), 0);
	free(bytes);
}

static void test_wire_tells_nothing_yet_from_the_end(void **state)
{
	int fd = 7;

	(void)state;
	assert_int_equal(wire_receive(pair[1], message, &fd, false), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(fd, -1);
	(void)shutdown(pair[0], SHUT_RDWR);
	assert_int_equal(wire_receive(pair[1], message, &fd, false), 0);
	assert_int_equal(wire_receive(pair[1], message, &fd, true), 0);
}

static void test_wire_send_does_not_wait_when_told_so(void **state)
{
	const struct wire_path m = { .h = { .type = WIRE_FILE } };
	int sent = 0;

	(void)state;
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	while (wire_send(pair[0], &m.h, -1) == 0)
		sent++;
	assert_int_equal(errno, EAGAIN);
	assert_true(sent > 100);
	for (; sent > 0; sent--)
		assert_int_equal(
		    wire_receive(pair[1], message, NULL, false), 1);
	(void)close(pair[1]);
	pair[1] = -1;
	assert_int_equal(wire_send(pair[0], &m.h, -1), -1);
	assert_int_equal(errno, EPIPE);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_wire_carries_each_type),
		CASE(test_wire_carries_only_the_logins_there_are),
		CASE(test_wire_passes_a_descriptor),
		CASE(test_wire_refuses_a_descriptor_nobody_wants),
		CASE(test_wire_keeps_none_of_several_descriptors),
		CASE(test_wire_refuses_wrong_sizes),
		CASE(test_wire_tells_nothing_yet_from_the_end),
		CASE(test_wire_send_does_not_wait_when_told_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
