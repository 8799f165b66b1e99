/* SPDX-License-Identifier: ISC */
/*
 * relaypass-rcpt - a plugin of qmail-spp for [rcpt]: prints "O" when the client
 * has a lease and the recipient's domain is not one of ours, so that a patched
 * qmail-smtpd relays it. For our own domains it prints nothing: O would switch
 * off what else looks at recipients.
 *
 * Called by:  a patched qmail-smtpd, or relaypass-spp, which does not need it.
 * Calls:      relaypassd.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "smtp/run_ask.h"

int main(void)
{
	const char *ok = getenv("SMTPRCPTHOSTSOK");
	const char *address = getenv("TCPREMOTEIP"), *asked;
	ssize_t n;

	if (!ok || strcmp(ok, "0") != 0)
		return 0;
	if (!address)
		address = getenv("TCP6REMOTEIP");
	if (!address ||
	    run_ask(getenv("RELAYPASS_SOCKET"), address, &asked) <= 0)
		return 0;
	n = write(STDOUT_FILENO, "O\n", 2);
	return n == 2 ? 0 : 1;
}
