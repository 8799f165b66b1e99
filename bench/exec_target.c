/* SPDX-License-Identifier: ISC */
/*
 * exec_target - stands for the SMTP server in bench/exec: a small dynamic
 * program that looks at RELAYCLIENT. Exit 0: set, 1: not set.
 */
#include <stdlib.h>

int main(void)
{
	return getenv("RELAYCLIENT") ? 0 : 1;
}
