/* SPDX-License-Identifier: ISC */
/*
 * whoson_codec - the WHOSON protocol (E. Crosser, 1998). Pure. Called by:
 * whoson.c.
 *
 *	LOGIN 192.0.2.1 anna@example.org	+LOGIN OK
 *	QUERY 192.0.2.1				+anna@example.org
 *	QUERY 192.0.2.2				-Not Logged in
 *	LOGOUT 192.0.2.1			+LOGOUT OK
 *	LOGIN					*command parse error
 *	QUIT					+QUIT OK
 *
 * A request is one line and an empty line; so is a reply, but for that to LIST,
 * which has more lines. Lines end with CR LF, or with LF alone.
 */
#ifndef SOURCE_WHOSON_CODEC_H
#define SOURCE_WHOSON_CODEC_H
#include "base/addr.h"
#include "login/login.h"

enum {
	WHOSON_REQUEST_MAX = 1024,
	/* A sign, a user's name, the ends of two lines. */
	WHOSON_REPLY_MAX = 1 + LOGIN_USER_MAX + 4
};

enum whoson_verb {
	WHOSON_LOGIN,
	WHOSON_LOGOUT,
	WHOSON_QUERY,
	WHOSON_QUIT,
	WHOSON_LIST
};

enum whoson_found {
	WHOSON_MORE,    /* no whole request yet */
	WHOSON_REQUEST, /* one request, of *used bytes */
	WHOSON_WRONG,   /* the same, but it says nothing that we know */
	WHOSON_BROKEN   /* where the next one begins nobody can tell */
};

enum whoson_sign { WHOSON_YES = '+', WHOSON_NO = '-', WHOSON_BAD = '*' };

struct whoson_request {
	enum whoson_verb verb;
	struct addr addr; /* LOGIN, LOGOUT, QUERY */
	/* LOGIN; not NUL-terminated, into the bytes; 0: none. */
	const char *name;
	size_t name_len;
};

/* Reads the request that bytes begin with. *out is filled when one was found,
 * *used also when it was wrong. */
enum whoson_found whoson_decode(
    const char *bytes, size_t len, struct whoson_request *out, size_t *used);
/* Writes a reply of one line. Text is cut at LOGIN_USER_MAX bytes; control
 * bytes in it become '?'. Returns its length. */
size_t whoson_reply(enum whoson_sign sign, const char *text, size_t len,
    char out[static WHOSON_REPLY_MAX]);
#endif
