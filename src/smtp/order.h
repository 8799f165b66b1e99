/* SPDX-License-Identifier: ISC */
/*
 * order - one line of a plugin's output is one order (qmail-spp's README,
 * "plugin commands"). Pure.
 */
#ifndef SMTP_ORDER_H
#define SMTP_ORDER_H
#include <stdbool.h>
#include <stddef.h>

enum spp_verb {
	SPP_NOTHING, /* unknown, or too short: ignored */
	SPP_ACCEPT,  /* A: no plugins any more in this session */
	SPP_NEXT,    /* N: the server's own checks are next */
	SPP_OK,      /* O: and those of relaying are left out */
	SPP_ERROR,   /* Emsg */
	SPP_REJECT,  /* Rmsg */
	SPP_DROP,    /* D */
	SPP_LATER_MAIL,
	SPP_LATER_RCPT,
	SPP_LATER_DATA,
	SPP_SET,     /* Sname=value */
	SPP_UNSET,   /* Uname */
	SPP_HEADER,  /* Htext */
	SPP_ADDRESS, /* Caddress */
	SPP_PRINT    /* Pmsg */
};
enum { SPP_ORDER_MAX = 4096 }; /* bytes of a line; a longer one fails */

struct spp_order {
	enum spp_verb verb;
	char text[SPP_ORDER_MAX]; /* NUL-terminated; what follows the letters */
};

/*
 * A line without its LF, at most SPP_ORDER_MAX long. Whatever it holds, the
 * text has no CR, LF or NUL: a CR at the end goes, any other such byte becomes
 * a blank. A N O D have none. A header without a name and ':', unless it begins
 * with a blank and goes on with the one before; an environment entry whose name
 * is empty or has other bytes than graphic ASCII, or without '=': SPP_NOTHING.
 */
void spp_order_read(const char *line, size_t len, struct spp_order *order);
/* Whether nothing behind it counts: A N O E R D. */
bool spp_order_ends(enum spp_verb verb);
#endif
