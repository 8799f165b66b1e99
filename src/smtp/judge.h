/* SPDX-License-Identifier: ISC */
/*
 * judge - may this recipient be given to the server, which takes all of them?
 * The only place that says so. Pure.
 */
#ifndef SMTP_JUDGE_H
#define SMTP_JUDGE_H
#include <stdbool.h>

enum spp_verdict {
	SPP_FOREIGN, /* none of our own, and the client may not relay */
	SPP_LOCAL,   /* its domain is listed */
	SPP_RELAYED, /* wherever it goes */
	SPP_SUFFIXED /* the same, with RELAYCLIENT's value behind it */
};

struct spp_facts {
	bool relayclient; /* RELAYCLIENT is set: by tcpserver, a lease, AUTH or
			     a plugin */
	bool ok;          /* a plugin of [rcpt] said O */
	bool listed;      /* spp_hosts_have() of the client's own address */
	bool routed;      /* the address that would go on may lead elsewhere */
};

enum spp_verdict spp_judge(struct spp_facts f);
#endif
