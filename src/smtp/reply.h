/* SPDX-License-Identifier: ISC */
/*
 * reply - what a server answers (RFC 5321, 4.2), and its EHLO list as clients
 * may see it. Pure.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H
#include <stdbool.h>
#include <stddef.h>

enum { SPP_REPLY_MAX = 16384 }; /* bytes of all its lines */

enum spp_reply_state {
	SPP_REPLY_WRONG, /* no SMTP; not to be believed */
	SPP_REPLY_MORE,  /* not whole yet */
	SPP_REPLY_WHOLE
};

/* The first reply in bytes. *code 200 to 599 and *used, its length, when it is
 * whole. Lines end with CRLF, or LF as some servers do. */
enum spp_reply_state spp_reply_read(
    const char *bytes, size_t len, int *code, size_t *used);
/* Copies it so that each line has the code, no byte but printable ones, tab and
 * those above 0x7f, and CRLF at its end. Returns the length, at most size. */
size_t spp_reply_print(const char *reply, size_t len, char *out, size_t size);

struct spp_offer {
	bool starttls;        /* we have a certificate, and it is not yet on */
	bool plain_and_login; /* may be offered now */
};
/* What the server said to EHLO. */
struct spp_extensions {
	bool xclient, auth;
	char xclient_words[256]; /* "ADDR PORT ..." */
};
/*
 * The reply to EHLO as the client gets it: PIPELINING (always ours), SIZE,
 * 8BITMIME, SMTPUTF8, ENHANCEDSTATUSCODES, DSN, HELP as the server has them;
 * AUTH with the mechanisms whose user can be read (PLAIN LOGIN CRAM-MD5) and
 * that may be offered; STARTTLS. All else, CHUNKING too, is left out. Returns
 * the length, at most size.
 */
size_t spp_reply_offer(const char *reply, size_t len, struct spp_offer offer,
    struct spp_extensions *ext, char *out, size_t size);
#endif
