/* SPDX-License-Identifier: ISC */
/*
 * notice - the telling end of the notify protocol (source/notify_codec.h): a
 * login as the environment has it, told to relaypassd, with one short wait.
 * Called by: grant --from-env, login, relay-ctrl-allow.
 * Not here: what becomes of a login that could not be told.
 */
#ifndef CMD_NOTICE_H
#define CMD_NOTICE_H
#include <sys/types.h>

#include "base/err.h"
#include "source/notify_codec.h"

enum notice_found {
	NOTICE_WRONG = -1,  /* *err: no address, no user, or not such */
	NOTICE_NOTHING = 0, /* nobody logged in, or from this host itself */
	NOTICE_LOGIN = 1
};

/*
 * Reads who logged in, and from where, into *out (a LOGIN_IN; server only when
 * the environment gives it away, else ""):
 *   address  IP, else TCPREMOTEIP, else REMOTE_HOST; empty is as unset
 *   user     AUTHENTICATED, else USER, else LOGNAME
 * With AUTHUSER and AUTHARGV0 it is Courier before it has asked anybody:
 * without AUTHENTICATED nobody has logged in.
 */
enum notice_found notice_from_env(struct login *out, struct err *err);

/* The address alone. NOTICE_NOTHING: of this host itself; *out is set. */
enum notice_found notice_client(struct addr *out, struct err *err);

/*
 * For a program that becomes `program`, the mail session: its life is the
 * session's. The daemon looks at the process, which has that name from now on,
 * and nobody need tell the end.
 */
void notice_name_session(struct login *l, const char *program);

/*
 * Sends len bytes, a line, to the socket `path` and waits for a line, or size
 * bytes: NOTIFY_WAIT_MS for all together, and no descriptor is left behind.
 * Returns how many bytes came, with the LF; -1 and *err: EXIT_AGAIN, nobody is
 * there or answers in time; EXIT_USER, no permission.
 */
ssize_t notice_line(const char *path, const char *line, size_t len, char *out,
    size_t size, struct err *err);
/*
 * Tells *l over the connection fd, or (fd -1) at the socket `path`. EXIT_YES
 * when there is a lease, EXIT_NO when the rules gave none, EXIT_USER when it
 * may not be said, else EXIT_AGAIN; *err has the reason of all but the first.
 */
int notice_tell(
    const char *path, int fd, const struct login *l, struct err *err);

/*
 * For a chain that begins as root and ends as a mail user: the first program
 * opens the connection, and who speaks over it is root, whoever writes into it.
 * notice_open() connects to the stream socket `path`, binds the connection to
 * the client (a mail user can take it from the next program, and would lease
 * any address else), and leaves the descriptor and NOTICE_FD in the environment
 * to the programs behind. -1 and *err: nothing is open; NOTIFY_WAIT_MS at the
 * most.
 */
#define NOTICE_FD "RELAYPASS_NOTIFY_FD"
int notice_open(const char *path, const struct addr *client, struct err *err);
/* Takes that connection, close-on-exec now, and unsets NOTICE_FD. -1: none. */
int notice_inherited(void);
#endif
