/* SPDX-License-Identifier: ISC */
/*
 * clock - the real clocks. Called by whoever takes the time of a moment and
 * passes it on; tests link clock_test.c in its place.
 */
#include "clock.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mem.h"

static char boot_id[CLOCK_BOOT_ID_SIZE];

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	must(clock_gettime(id, &ts) == 0);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct moment clock_now(void)
{
	return (struct moment){ .wall = read_clock(CLOCK_REALTIME),
		.boot = read_clock(CLOCK_BOOTTIME) };
}

void clock_init(void)
{
	AUTO_CLOSE int fd =
	    open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[CLOCK_BOOT_ID_SIZE] = "";

	if (fd < 0 || read(fd, text, sizeof(text) - 1) != sizeof(text) - 1)
		return;
	memcpy(boot_id, text, sizeof(boot_id));
}

void clock_boot_id(char out[static CLOCK_BOOT_ID_SIZE])
{
	/* /proc may be out of reach after a lock-down; then the id stays
	 * unknown, which callers take for another boot. */
	if (!boot_id[0])
		clock_init();
	memcpy(out, boot_id, sizeof(boot_id));
}
