/* SPDX-License-Identifier: ISC */
/*
 * clock - the one place that reads the time. Everybody else gets it as an
 * argument. A test build reads offsets from a file that the test maps and
 * writes (docs/testing.md), so that nobody sleeps to wait for time.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
#include <stddef.h>
#include <stdint.h>

struct moment {
	int64_t wall; /* ms since 1970, CLOCK_REALTIME */
	int64_t boot; /* ms since boot with suspend, CLOCK_BOOTTIME */
};

enum { CLOCK_BOOT_ID_SIZE = 37, CLOCK_TEXT_SIZE = 40 };

struct moment clock_now(void);
/* The kernel's boot id as text, "" when it is unknown. */
void clock_boot_id(char out[static CLOCK_BOOT_ID_SIZE]);
/* Must run before a lock-down: opens what a test build maps. */
void clock_init(void);
/* Prints ms since 1970 in RFC 3339, UTC, seconds. Returns its length. */
size_t clock_print(int64_t wall_ms, char out[static CLOCK_TEXT_SIZE]);
#endif
