/* SPDX-License-Identifier: ISC */
/*
 * server - a DRAC server by rpcgen and libtirpc: prints each address that is
 * added, and gives the result that DRAC_RESULT of its environment says.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "drac.h"

static outcome result;

static outcome *add(int family, const void *address)
{
	char text[INET6_ADDRSTRLEN];
	const char *wanted = getenv("DRAC_RESULT");

	printf("%s\n", inet_ntop(family, address, text, sizeof(text)));
	fflush(stdout);
	result = (outcome)(wanted ? atoi(wanted) : DONE);
	return &result;
}

outcome *drac_add_1_svc(four *argument, struct svc_req *request)
{
	struct in_addr address = { htonl(argument->address) };

	(void)request;
	return add(AF_INET, &address);
}

outcome *drac_add_2_svc(six *argument, struct svc_req *request)
{
	(void)request;
	return add(AF_INET6, argument->address);
}

outcome *drac_add_3_svc(four *argument, struct svc_req *request)
{
	return drac_add_1_svc(argument, request);
}

outcome *drac_other_3_svc(four *argument, struct svc_req *request)
{
	return drac_add_1_svc(argument, request);
}
