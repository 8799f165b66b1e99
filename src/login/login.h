/* SPDX-License-Identifier: ISC */
/*
 * login - an observed fact: this address authenticated, or its session ended,
 * as this user, at this time, told by this server's log or notice. A value
 * without pointers: it is copied, compared and sent between processes as it is.
 */
#ifndef LOGIN_LOGIN_H
#define LOGIN_LOGIN_H
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

enum login_kind {
	LOGIN_NOTHING = 0, /* no fact */
	LOGIN_IN,          /* authenticated: needs addr and user */
	LOGIN_OUT,         /* session ended: needs session; addr may be zero */
	LOGIN_ALIVE,       /* still connected: needs addr, user and session */
	LOGIN_RESTART, /* the server started or stopped: its sessions ended */
	LOGIN_END, /* the lease ends at once: needs addr; without a user, those
		    * of this address that this source has made */
	/* Of another node; only from sources that hear nodes. */
	LOGIN_LEASE, /* as LOGIN_IN, but no session, and the lease ends by `end`
		      * at the latest; time is the last proof of presence */
	LOGIN_REVOKE /* logins of addr (all zero: any) and user (none: any) up
		      * to `end` are refused, and their leases over */
};

enum {
	LOGIN_USER_MAX = 255,   /* longer: no lease, counted */
	LOGIN_SESSION_MAX = 95, /* longer: the session cannot be held */
	LOGIN_SERVER_MAX = 23
};

struct login {
	uint8_t kind; /* enum login_kind */
	uint8_t tls;  /* 1: the session is encrypted, as the server says */
	uint8_t user_len;
	uint8_t session_len; /* 0: no session known */
	/* 1: this protocol names no user, so that none is missing. */
	uint8_t userless;
	uint32_t mpid; /* process that serves the mailbox, 0: unknown */
	int64_t time;  /* wall clock ms, the log line's own */
	int64_t end;   /* LEASE, REVOKE: wall clock ms */
	/* REVOKE: the node that said it, and its number there. */
	uint64_t origin, sequence;
	struct addr addr;
	char server[LOGIN_SERVER_MAX + 1]; /* "dovecot": the pattern's name */
	char user[LOGIN_USER_MAX + 1]; /* NUL-terminated, any bytes > 0x1f */
	char session[LOGIN_SESSION_MAX + 1];
};
#endif
