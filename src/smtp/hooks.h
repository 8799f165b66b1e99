/* SPDX-License-Identifier: ISC */
/*
 * hooks - runs the plugins of a section, one after the other, and keeps what
 * they ordered: qmail-spp's rules of what lasts how long.
 *
 *   A, S, U                  the rest of the session
 *   LM, LR, LD, H            until RSET, or the message begins
 *   C                        this address
 *   N O E R D                this command
 *
 * Whatever goes wrong with a plugin, the command is refused with 451.
 */
#ifndef SMTP_HOOKS_H
#define SMTP_HOOKS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "path.h"
#include "plan.h"
#include "vars.h"

enum spp_result {
	SPP_REFUSE, /* and the client has been told */
	SPP_GO,
	SPP_GO_UNCHECKED, /* O */
	SPP_LEAVE         /* R or D: end the session now */
};

struct spp_hooks_env {
	const struct spp_plan *plan; /* NULL: no plugins */
	struct spp_vars *vars; /* NULL: nobody sees them, and no plugins */
	int64_t limit;         /* ms a plugin */
	/* A whole line for the client, with its CRLF. */
	void (*say)(void *ctx, const char *line, size_t len);
	/* One for the log, about a plugin that failed. */
	void (*log)(void *ctx, const char *what, const char *plugin);
	void *ctx;
};

struct spp_hooks;

struct spp_hooks *spp_hooks_new(const struct spp_hooks_env *env);
void spp_hooks_free(struct spp_hooks **h);
/*
 * Refuses with a stored L message if there is one, else counts, sets
 * SMTPMAILFROM or SMTPRCPTTO, and runs the section. MAIL lets the counts of
 * RCPT begin anew. address: of MAIL, RCPT and PASS, which C may change; its
 * variable follows. NULL elsewhere. Other variables (SMTPHELOHOST,
 * SMTPAUTHUSER ...) are the caller's to set.
 */
enum spp_result spp_hooks_run(
    struct spp_hooks *h, enum spp_section section, struct spp_address *address);
/* What SMTPRCPTHOSTSOK is to be, before the section RCPT is run, which sets it,
 * SMTPRCPTCOUNT (accepted so far) and SMTPRCPTCOUNTALL (this one, too). */
void spp_hooks_rcpt(struct spp_hooks *h, bool hosts_ok);
/* The server took it, too. */
void spp_hooks_rcpt_accepted(struct spp_hooks *h);
/* RSET, or the message begins. */
void spp_hooks_reset(struct spp_hooks *h);
/* Whether a plugin has set or unset RELAYCLIENT in this session. */
bool spp_hooks_relayclient_said(const struct spp_hooks *h);
/* The headers of H, each with CRLF; "" when there is none. */
const char *spp_hooks_headers(const struct spp_hooks *h, size_t *len);
#endif
