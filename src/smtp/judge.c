/* SPDX-License-Identifier: ISC */
/*
 * judge - who may send to whom, for session_mail.c.
 */
#include "judge.h"

enum spp_verdict spp_judge(struct spp_facts f)
{
	/* Also behind O: qmail-smtpd appends whatever the plugins said. */
	if (f.relayclient)
		return SPP_SUFFIXED;
	if (f.ok)
		return SPP_RELAYED;
	return f.listed && !f.routed ? SPP_LOCAL : SPP_FOREIGN;
}
