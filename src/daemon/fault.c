/* SPDX-License-Identifier: ISC */
/*
 * fault - no faults in what is installed.
 */
#include "fault.h"

bool fault_cursor_apart(void)
{
	return false;
}

void fault_linger(void)
{
}

uint64_t fault_longest_wait(uint64_t ms)
{
	return ms;
}

bool fault_no_commit(void)
{
	return false;
}
