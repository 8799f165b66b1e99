/* SPDX-License-Identifier: ISC */
/*
 * doctor_private - what the checks share: doctor_checks.c (the table, servers,
 * logs), doctor_addresses.c (what addresses prove here), doctor_servers.c (how
 * Dovecot and Postfix are set up), doctor_maps_check.c (their databases),
 * doctor_links.c (databases of exports and sources).
 */
#ifndef CMD_DOCTOR_PRIVATE_H
#define CMD_DOCTOR_PRIVATE_H
#include "doctor.h"

struct telling {
	doctor_tell_fn *tell;
	void *ctx;
	const char *check;
	bool said[DOCTOR_VERDICTS];
};

/* lines: NULL for none. */
void say(struct telling *t, enum doctor_verdict verdict, const char *lines,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The log that tells most of logins: the newest login, a configured one before
 * others. NULL: there is none with logins. */
const struct doctor_log *doctor_best_log(const struct doctor_facts *f);
/* Whether a program of this label listens. */
bool doctor_runs(const struct doctor_facts *f, const char *label);

typedef void check_fn(const struct doctor_facts *f, struct telling *t);
/* doctor_addresses.c */
check_fn check_private, check_proxy, check_shared, check_ipv6, check_ttl;
/* doctor_servers.c */
check_fn check_names, check_trusted, check_backends, check_passwords,
    check_format, check_plugin, check_auth, check_smtp;
/* doctor_maps_check.c */
check_fn check_maps;
/* doctor_qmail.c */
void doctor_qmail_look(struct doctor_facts *f, const char *root);
check_fn check_qmail;
/* doctor_links.c: control is where relaypassd listens; NULL: it does not run.
 */
void doctor_links_look(struct doctor_facts *f, const struct doctor_where *where,
    const struct endpoint *control);
check_fn check_databases, check_lag;
#endif
