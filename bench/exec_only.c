/* SPDX-License-Identifier: ISC */
/*
 * exec_only - the yardstick of bench/exec: a static program that does nothing
 * but become its arguments. What it costs, no wrapper can do without.
 */
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2)
		return 100;
	execvp(argv[1], argv + 1);
	return 111;
}
