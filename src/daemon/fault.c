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
