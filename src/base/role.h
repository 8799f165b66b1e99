/* SPDX-License-Identifier: ISC */
/*
 * role - what a process of relaypassd is there for (DESIGN section 3). A column
 * of the kind tables; what each may do stands in daemon/lockdown.c.
 */
#ifndef BASE_ROLE_H
#define BASE_ROLE_H

enum role {
	ROLE_READER,
	ROLE_RECEIVER,
	ROLE_KEEPER,
	ROLE_ANSWERER,
	ROLE_WRITER,
	ROLE_CONNECTOR,
	ROLE_FIREWALL,
	ROLE_GATEWAY
};
enum { ROLE_COUNT = ROLE_GATEWAY + 1 };

/* The longest that a connector's test() waits for one answer; the whole of it
 * is given daemon/probe.h's PROBE_MS. */
enum { CONNECTOR_TEST_MS = 3000 };

/* Its word in logs and metrics. Of a number that is no role: NULL. */
const char *role_name(int role);
#endif
