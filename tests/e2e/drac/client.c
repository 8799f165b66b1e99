/* SPDX-License-Identifier: ISC */
/*
 * client - a DRAC client by rpcgen and libtirpc: client HOST udp|tcp ADDRESS...
 * adds each over one handle a version, and prints its result, or why there is
 * none. "null" instead of an address calls procedure 0, "next" a version that
 * no server has, "sys" sends credentials from then on.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drac.h"

static CLIENT *handle(char **argv, rpcvers_t version, int sys)
{
	static CLIENT *handles[4];
	CLIENT *c = handles[version];

	if (!c) {
		c = clnt_create(argv[1], DRAC_PEER, version, argv[2]);
		if (!c) {
			clnt_pcreateerror(argv[1]);
			exit(1);
		}
		handles[version] = c;
	}
	if (sys) {
		auth_destroy(c->cl_auth);
		c->cl_auth = authunix_create_default();
	}
	return c;
}

static void show(CLIENT *c, const char *what, const outcome *result)
{
	if (result)
		printf("%s %d\n", what, (int)*result);
	else
		printf("%s %s\n", what, clnt_sperror(c, "failed"));
	fflush(stdout);
}

static void null(CLIENT *c)
{
	struct timeval limit = { 5, 0 };
	enum clnt_stat s = clnt_call(c, NULLPROC, (xdrproc_t)xdr_void, NULL,
	    (xdrproc_t)xdr_void, NULL, limit);

	printf("null %s\n", s == RPC_SUCCESS ? "0" : clnt_sperrno(s));
}

int main(int argc, char **argv)
{
	int sys = 0;

	for (int i = 3; i < argc; i++) {
		struct in_addr address;
		four four = { 0 };
		six six;

		if (strcmp(argv[i], "sys") == 0) {
			sys = 1;
		} else if (strcmp(argv[i], "null") == 0) {
			null(handle(argv, VERSION_FOUR, sys));
		} else if (strcmp(argv[i], "next") == 0) {
			CLIENT *c = handle(argv, VERSION_FOUR, sys);
			rpcvers_t next = VERSION_NEXT;
			clnt_control(c, CLSET_VERS, (char *)&next);
			show(c, "next", drac_other_3(&four, c));
			next = VERSION_FOUR;
			clnt_control(c, CLSET_VERS, (char *)&next);
			show(c, "other", drac_other_3(&four, c));
		} else if (inet_pton(AF_INET, argv[i], &address) == 1) {
			CLIENT *c = handle(argv, VERSION_FOUR, sys);
			four.address = ntohl(address.s_addr);
			show(c, argv[i], drac_add_1(&four, c));
		} else if (inet_pton(AF_INET6, argv[i], six.address) == 1) {
			CLIENT *c = handle(argv, VERSION_SIX, sys);
			show(c, argv[i], drac_add_2(&six, c));
		}
	}
	return 0;
}
