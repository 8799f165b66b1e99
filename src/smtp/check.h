/* SPDX-License-Identifier: ISC */
/*
 * check - `relaypass-spp --check`: everything that a session would read, looked
 * at before there is one.
 */
#ifndef SMTP_CHECK_H
#define SMTP_CHECK_H
#include "options.h"

/* Says what runs when, and what is wrong, a line each, on standard output.
 * EXIT_YES: nothing is; else EXIT_USER. */
int spp_check(const struct spp_options *o);
#endif
