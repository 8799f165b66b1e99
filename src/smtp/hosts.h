/* SPDX-License-Identifier: ISC */
/*
 * hosts - the domains that mail is taken for from everybody: qmail's
 * control/rcpthosts and morercpthosts.cdb (qmail-smtpd(8), qmail-newmrh(8)).
 */
#ifndef SMTP_HOSTS_H
#define SMTP_HOSTS_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { SPP_HOSTS_MAX = 1 << 26 }; /* bytes of a list: two million domains */

struct spp_hosts;

/*
 * list: a domain a line, ".example.org" for all below it. more: NULL, or the
 * cdb, which need not be there. -1 and *err (EXIT_AGAIN): the list cannot be
 * read, or the cdb is there and cannot.
 */
int spp_hosts_open(const char *list, const char *more, struct spp_hosts **out,
    struct err *err);
void spp_hosts_close(struct spp_hosts **h);
/* domain: any case. The name itself, then with each '.' in it what begins
 * there. NULL (no '@' in the address): true, as it is a name of this machine.
 */
bool spp_hosts_have(const struct spp_hosts *h, const char *domain);
#endif
