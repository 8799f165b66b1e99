/* SPDX-License-Identifier: ISC */
/*
 * fault - the faults named by RELAYPASS_TEST_FAULT; test programs only.
 */
#include "fault.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_on(const char *name)
{
	const char *fault = getenv("RELAYPASS_TEST_FAULT");

	return fault && strcmp(fault, name) == 0;
}

bool fault_cursor_apart(void)
{
	return is_on("cursor-apart");
}

bool fault_no_commit(void)
{
	return is_on("no-commit");
}

void fault_linger(void)
{
	const struct timespec ten_ms = { .tv_nsec = 10 * 1000 * 1000 };

	(void)nanosleep(&ten_ms, NULL);
}

uint64_t fault_longest_wait(uint64_t ms)
{
	const char *most = getenv("RELAYPASS_TEST_WAIT");

	return most ? strtoull(most, NULL, 10) : ms;
}
