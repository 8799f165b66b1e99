/* SPDX-License-Identifier: ISC */
/*
 * controls - the files that a session reads at its beginning. Each is read
 * whole or not at all: -1 and *err (EXIT_AGAIN) then.
 */
#ifndef SMTP_CONTROLS_H
#define SMTP_CONTROLS_H
#include "hosts.h"
#include "options.h"
#include "plan.h"

/* Of the plugins' file; the caller's to free. */
char *spp_plan_path(const struct spp_options *o);
/* Of the list of domains: qmail's, or that of --local-domains; the same. */
char *spp_hosts_path(const struct spp_options *o);
int spp_controls_plan(
    const struct spp_options *o, struct spp_plan *plan, struct err *err);
/* *percent: NULL when there is no control/percenthack. */
int spp_controls_hosts(const struct spp_options *o, struct spp_hosts **hosts,
    struct spp_hosts **percent, struct err *err);
/* What STARTTLS needs later, if it is offered; not whether it fits together. */
int spp_controls_tls(const struct spp_options *o, struct err *err);
#endif
