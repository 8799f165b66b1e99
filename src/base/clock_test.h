/* SPDX-License-Identifier: ISC */
/*
 * clock_test - what clock_test.c offers beyond clock.h: a unit test sets the
 * time, a test daemon takes offsets from a file (docs/testing.md).
 */
#ifndef BASE_CLOCK_TEST_H
#define BASE_CLOCK_TEST_H
#include "clock.h"

/* The file that RELAYPASS_TEST_CLOCK names: 64 bytes, mapped shared, so that
 * the test moves the clock by writing into it. */
struct clock_test_file {
	int64_t wall;                     /* LE, added to the wall clock, ms */
	int64_t boot;                     /* LE, added to the boot clock, ms */
	char boot_id[CLOCK_BOOT_ID_SIZE]; /* "": the real one */
	char padding[11];
};

/* Fixes the time until the next call; boot_id NULL keeps the one before. */
void clock_test_set(struct moment now, const char *boot_id);
#endif
