/* SPDX-License-Identifier: ISC */
/*
 * options - the command line of relaypass-spp.
 */
#ifndef SMTP_OPTIONS_H
#define SMTP_OPTIONS_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "body.h"

struct spp_options {
	const char *home;          /* plugins run there */
	const char *plugins;       /* the file of plugins */
	const char *local_domains; /* NULL: qmail's control/rcpthosts */
	const char *connect;       /* NULL: `program` is the server */
	const char *relay_login;   /* XCLIENT's LOGIN of who may relay */
	bool no_relay;             /* nobody may */
	const char *relayclient;   /* of a client with a lease */
	const char *socket;        /* of relaypassd; NULL: the usual ones */
	const char *certificate;   /* NULL: no STARTTLS */
	const char *key;
	bool plain_without_tls;  /* AUTH PLAIN and LOGIN are offered at once */
	bool frozen_relayclient; /* plugins do not change it, as in the patch */
	enum spp_bare bare;
	int64_t plugin_limit; /* ms */
	int64_t limit;        /* ms that a client or server may be silent */
	bool verbose;
	bool check;   /* only look */
	bool friends; /* the server is Sendmail's or Exim's -bs */
	char **program;
	/* Of local_domains, certificate and key (or that is in the
	 * certificate's), from the root. */
	char *local_path, *certificate_path, *key_path;
};

/* Exits with EXIT_USER and a usage line when something is wrong. */
void spp_options_read(struct spp_options *o, int argc, char **argv);
void spp_options_free(struct spp_options *o);
/* A path that does not begin at the root begins at home. NULL of NULL; the
 * caller's to free. */
char *spp_in_home(const struct spp_options *o, const char *name);
#endif
