/* SPDX-License-Identifier: ISC */
/*
 * showallowed - the program of smtp-poplock by function: the addresses that may
 * relay now, one a line.
 */
#include <stdio.h>

#include "allowed.h"
#include "base/clock.h"
#include "dropin.h"

static const char usage[] = "usage: showallowed\n";

int main(int argc, char **argv)
{
	struct allowed allowed;
	struct err err = { 0 };
	int code;

	if (dropin_help(argc, argv, usage))
		return EXIT_YES;
	if (argc != 1) {
		(void)fputs(usage, stderr);
		return EXIT_USER;
	}
	clock_init();
	client_starter = "readlog";
	code = allowed_read(&allowed, &err) < 0 ? err.code : EXIT_YES;
	if (code)
		(void)fprintf(stderr, "showallowed: %s\n", err.text);
	for (size_t i = 0; !code && i < allowed.count; i++)
		(void)puts(allowed.at[i]);
	allowed_free(&allowed);
	if (fflush(stdout) != 0)
		return EXIT_AGAIN;
	return code;
}
