/* SPDX-License-Identifier: ISC */
/*
 * role - see the header.
 */
#include "role.h"

#include <stddef.h>

const char *role_name(int role)
{
	static const char *const names[ROLE_COUNT] = {
		[ROLE_READER] = "reader",
		[ROLE_RECEIVER] = "receiver",
		[ROLE_KEEPER] = "keeper",
		[ROLE_ANSWERER] = "answerer",
		[ROLE_WRITER] = "writer",
		[ROLE_CONNECTOR] = "connector",
		[ROLE_FIREWALL] = "firewall",
		[ROLE_GATEWAY] = "gateway",
	};

	return role >= 0 && role < ROLE_COUNT ? names[role] : NULL;
}
