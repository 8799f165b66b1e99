/* SPDX-License-Identifier: ISC */
/*
 * drac-add - tries libdrac: drac-add SERVER ADDRESS... adds each address, the
 * way a mail server does after a login. Prints the result and the text of each.
 * Exit: the first result that is not 0, negative ones as 100 and more.
 *
 *   cc drac-add.c -ldrac -o drac-add
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "dracauth.h"

enum { USAGE = 2, NEGATIVE = 100 };

static int add_one(const char *server, const char *text)
{
	unsigned char six[sizeof(struct in6_addr)];
	struct in_addr four;
	char *message = NULL;
	int result;

	if (inet_pton(AF_INET, text, &four) == 1) {
		result = dracauth(server, four.s_addr, &message);
	} else if (inet_pton(AF_INET6, text, six) == 1) {
		result = dracauth6(server, six, &message);
	} else {
		(void)fprintf(stderr, "drac-add: not an address: %s\n", text);
		exit(USAGE);
	}
	(void)printf("%s %d %s\n", text, result, message);
	return result;
}

int main(int argc, char **argv)
{
	int first = 0;

	if (argc < 3) {
		(void)fputs("usage: drac-add SERVER ADDRESS...\n", stderr);
		return USAGE;
	}
	for (int i = 2; i < argc; i++) {
		int result = add_one(argv[1], argv[i]);
		if (first == 0)
			first = result;
	}
	return first < 0 ? NEGATIVE - first : first;
}
