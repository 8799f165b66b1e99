/* SPDX-License-Identifier: ISC */
/*
 * clock_test - the clock of tests: fixed by clock_test_set(), or the real one
 * with the offsets of a shared file. Linked in place of clock.c by unit tests
 * and relaypassd-testclock, never installed.
 */
#include "clock_test.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "mem.h"

_Static_assert(sizeof(struct clock_test_file) == 64, "as the tests write it");

static const struct clock_test_file *shared;
static struct moment fixed;
static int is_fixed;
static char fixed_id[CLOCK_BOOT_ID_SIZE], real_id[CLOCK_BOOT_ID_SIZE];

void clock_test_set(struct moment now, const char *boot_id)
{
	fixed = now;
	is_fixed = 1;
	if (boot_id) {
		memset(fixed_id, 0, sizeof(fixed_id));
		memcpy(
		    fixed_id, boot_id, strnlen(boot_id, sizeof(fixed_id) - 1));
	}
}

static int64_t read_clock(clockid_t id, const int64_t *offset)
{
	struct timespec ts;

	must(clock_gettime(id, &ts) == 0);
	int64_t now = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	if (!offset)
		return now;
	uint64_t raw = (uint64_t)__atomic_load_n(offset, __ATOMIC_RELAXED);
	return now + (int64_t)le64toh(raw);
}

struct moment clock_now(void)
{
	if (is_fixed)
		return fixed;
	return (struct moment){ .wall = read_clock(CLOCK_REALTIME,
				    shared ? &shared->wall : NULL),
		.boot =
		    read_clock(CLOCK_BOOTTIME, shared ? &shared->boot : NULL) };
}

static void read_real_id(void)
{
	AUTO_CLOSE int fd =
	    open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, real_id, sizeof(real_id) - 1) < 0)
		real_id[0] = '\0';
}

void clock_init(void)
{
	const char *path = getenv("RELAYPASS_TEST_CLOCK");

	if (!real_id[0])
		read_real_id();
	if (!path || shared)
		return;
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *map = MAP_FAILED;
	if (fd >= 0)
		map = mmap(NULL, sizeof(*shared), PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		/* A test that runs on the wrong time proves nothing. */
		perror(path);
		_exit(EXIT_BUG);
	}
	shared = map;
}

void clock_boot_id(char out[static CLOCK_BOOT_ID_SIZE])
{
	const char *id = real_id;

	if (!real_id[0])
		read_real_id();
	if (is_fixed && fixed_id[0])
		id = fixed_id;
	else if (shared && shared->boot_id[0])
		id = shared->boot_id;
	memcpy(out, id, CLOCK_BOOT_ID_SIZE);
	out[CLOCK_BOOT_ID_SIZE - 1] = '\0';
}
