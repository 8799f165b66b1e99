/* SPDX-License-Identifier: ISC */
/*
 * session_private - what the files of a session share.
 */
#ifndef SMTP_SESSION_PRIVATE_H
#define SMTP_SESSION_PRIVATE_H
#include <netinet/in.h>

#include "command.h"
#include "hooks.h"
#include "reply.h"
#include "run_ask.h"
#include "server.h"
#include "session.h"
#include "wire.h"

enum {
	SPP_SAID_MAX = 65536,
	SPP_OUT_MAX = 2 * SPP_REPLY_MAX /* of a reply as clients get it */
};

struct spp_session {
	const struct spp_session_env *env;
	const struct spp_options *options;
	struct spp_vars *vars;
	struct spp_hooks *hooks;
	struct spp_extensions extensions;
	char *frozen; /* RELAYCLIENT at the beginning; NULL: it was not set */
	bool failed;  /* to begin */
	bool queue_told;    /* the queue program hears of the variables, */
	bool watched;       /* or they do, or plugins see them */
	bool told;          /* why relaypassd was not asked */
	bool granted;       /* RELAYCLIENT stands for a lease */
	bool due;           /* relaypassd may have changed its mind since */
	struct run_way way; /* to it */
	bool mail;          /* the server has a sender, and */
	size_t recipients;
	bool authenticated, tls;
	pid_t tls_pid;  /* of relaypass-spp-tls; 0: none */
	bool logged_in; /* the server behind XCLIENT knows that it may relay */
	int queue_fd;   /* for the queue program, what plugins set; -1: none */
	/* HELO, MAIL and each RCPT that the server took, with their NULs. */
	size_t hello_len, said_len;
	char address[INET6_ADDRSTRLEN];
	/* What is large, and mostly never touched, comes last: so the small
	 * ones stand on one page, and cost one fault. */
	struct spp_wire client;
	struct spp_server server;
	char said[SPP_SAID_MAX]; /* for --connect only */
};

/* A reply: plugins have set more variables than there is room for. */
extern const char spp_no_room[];

/* What follows a command. */
enum spp_next { SPP_END, SPP_ON };

/* One reply of ours; the text without CRLF. */
enum spp_next spp_say(struct spp_session *s, const char *text);
/* The server's last one. */
enum spp_next spp_say_reply(struct spp_session *s);
/* The server is gone, or talks nonsense: 421. */
enum spp_next spp_say_gone(struct spp_session *s);
/* Says the line to the server, and its answer to the client. */
enum spp_next spp_pass_on(struct spp_session *s, const char *line);
/* What is said when there is no line of the client's. */
enum spp_next spp_no_line(struct spp_session *s, enum spp_wire_end end);
/* Runs the plugins of a section. */
enum spp_result spp_hook(struct spp_session *s, enum spp_section section,
    struct spp_address *address);
/* The same. True: the command is over, and *next follows. */
bool spp_hook_stops(struct spp_session *s, enum spp_section section,
    struct spp_address *address, enum spp_result *r, enum spp_next *next);
/* To stderr: "relaypass-spp[PID]: ADDRESS: what: about"; tcpserver's lines have
 * the same PID. */
void spp_log(const struct spp_session *s, const char *what, const char *about);
/* NULL: the client may not relay; else what is put behind its recipients. */
const char *spp_relayclient(const struct spp_session *s);
/* A mail begins: relaypassd is to be asked again; now, if plugins see
 * RELAYCLIENT, or it counts for every recipient; else when it counts. */
void spp_lease_is_due(struct spp_session *s);
/* Asks relaypassd if that is due, unless tcpserver or a plugin has decided. */
void spp_ask_lease(struct spp_session *s);

/* What is said again when a server behind XCLIENT must learn that the client
 * may relay, behind what it was `from`. Lines for which there is no room are
 * left out. */
void spp_remember(struct spp_session *s, size_t from, const char *line);
/* Tells a server behind XCLIENT that this client may relay. SPP_END: it does
 * not take it, and the client has been told. */
enum spp_next spp_log_in(struct spp_session *s);
/* What plugins have changed so far, before the queue program starts. False: it
 * cannot be told. */
bool spp_queue_tell(struct spp_session *s);
bool spp_has_plugins(const struct spp_session *s);
/* Who sees the variables: sets queue_told and watched. */
void spp_find_watchers(struct spp_session *s);
/* The server, the plugins of [connection], and the greeting. */
enum spp_next spp_begin(struct spp_session *s);

typedef enum spp_next spp_handler(
    struct spp_session *s, const struct spp_line *line);
spp_handler spp_do_helo, spp_do_mail, spp_do_rcpt, spp_do_data, spp_do_auth,
    spp_do_starttls;
#endif
