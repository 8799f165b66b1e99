/* SPDX-License-Identifier: ISC */
/*
 * setup - what a section of the configuration says of a Redis server. Called
 * by: link.c, and the kinds for their check().
 */
#ifndef REDIS_SETUP_H
#define REDIS_SETUP_H
#include "conf/conf.h"
#include "endpoint.h"

enum { REDIS_KEY_MAX = 64, REDIS_ENDPOINTS_MAX = 16 };

/* The rows of both kinds. */
#define REDIS_OPTIONS                                                          \
	{ "servers", OPTION_LIST, "", 0, 0, NULL,                              \
		"Servers as \"host:port\" or \"[address]:port\" (6379); the "  \
		"first that answers and is a master is used." },               \
	    { "sentinels", OPTION_LIST, "", 0, 0, NULL,                        \
		    "In place of servers: the Sentinels (port 26379) that "    \
		    "know which one is the master." },                         \
	    { "master", OPTION_STRING, "mymaster", 0, 0, NULL,                 \
		    "Name that the Sentinels know the master by." },           \
	    { "user", OPTION_STRING, "", 0, 0, NULL,                           \
		    "User of the server's ACL; empty for the user "            \
		    "\"default\"." },                                          \
	    { "password-file", OPTION_PATH, "", 0, 0, NULL,                    \
		    "File with that user's password, readable by nobody "      \
		    "else; empty: none is asked for." },                       \
	    { "sentinel-password-file", OPTION_PATH, "", 0, 0, NULL,           \
		    "File with the password of the Sentinels; empty: none is " \
		    "asked for." },                                            \
	    { "tls", OPTION_BOOL, "no", 0, 0, NULL,                            \
		    "Speak TLS, with servers and Sentinels." },                \
	    { "ca", OPTION_PATH, "", 0, 0, NULL,                               \
		    "File with the certificate of the site's own authority, "  \
		    "which signs the servers' certificates." },                \
	    { "keys", OPTION_PATH, "/etc/relaypass/nodes.keys", 0, 0, NULL,    \
		    "File with the keys that the nodes of a site sign with, "  \
		    "readable by nobody else; the first line's signs." },      \
	    { "key", OPTION_STRING, "relaypass", 0, 0, NULL,                   \
		    "What the names of all keys begin with; the same at "      \
		    "every node of a site." },                                 \
	{                                                                      \
		"timeout", OPTION_DURATION, "1s", 100, 10000, NULL,            \
		    "A server that does not answer for so long is given up."   \
	}

struct redis_secret {
	char *text; /* NULL: none */
	size_t len;
};

struct redis_setup {
	struct redis_endpoint
	    endpoints[REDIS_ENDPOINTS_MAX]; /* servers or Sentinels */
	/* Where a Sentinel that is named was found last; "": nowhere. */
	struct redis_endpoint known[REDIS_ENDPOINTS_MAX];
	size_t count;
	bool by_sentinels;
	const char *master, *user, *ca; /* borrowed; ca NULL: no TLS */
	struct redis_secret password, sentinel_password;
	int64_t timeout; /* ms */
};

/* What only who writes the section can mend. -1 and *err (EXIT_USER). */
int redis_setup_check(const struct conf_section *conf, struct err *err);
/* All of it; reads the files with passwords. -1 and *err; *out is to be wiped
 * in any case. */
int redis_setup_read(
    const struct conf_section *conf, struct redis_setup *out, struct err *err);
/* Asks a name server where one of the endpoints is, which may take its time;
 * what was known stays known when none answers. */
void redis_setup_look_up(struct redis_setup *s, size_t at);
void redis_setup_wipe(struct redis_setup *s);
#endif
