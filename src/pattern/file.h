/* SPDX-License-Identifier: ISC */
/*
 * file - a pattern file: what one server writes when somebody logs in. Data
 * only: pattern.c compiles it, sample.c runs its samples.
 *
 * The format. One statement a line: a keyword, blanks, and the value, which
 * goes to the end of the line as it stands. Empty lines and lines that begin
 * with '#' are free.
 *
 *   server NAME          first; a-z, 0-9 and '-', at most 23 bytes
 *   about TEXT           one sentence for lists
 *   note TEXT            what else a postmaster must know; may repeat
 *   define NAME PIECE    a piece of an expression, used below as %NAME%
 *
 * A block begins with where its lines stand. It goes on to the next one:
 *
 *   program NAME...      syslog lines of these programs, exactly; NAME* takes
 *                        every name that begins so
 *   lead NAME...         the server's own file: "NAME: STAMP message"
 *   file [unstamped]     the server's own file: "STAMP message"; unstamped:
 *                        lines without a stamp count as written just now
 *
 * and holds expressions. Each must match a whole message, from ^ to $:
 *
 *   login EXPRESSION     somebody authenticated
 *   logout EXPRESSION    his session ended
 *   connect EXPRESSION   an address, for a login line that names none
 *   fail EXPRESSION      forget that address
 *   start EXPRESSION     the server starts or stops: all its sessions ended
 *
 * The first that matches counts. Named groups say what is what: ip, user,
 * session, pid, mpid (the process that serves the mailbox), port, tls (there:
 * the session is encrypted), time (a stamp inside the message). Plain groups
 * do not capture. Besides, in a block:
 *
 *   session FIELD...     what names a session: fields out of session ip port
 *                        user pid program host; "session" when not said
 *   tls NAME...          those of the block's programs that speak TLS only
 *   join SECONDS         a login line without ip takes that of the newest
 *                        connect line of the same host, program and pid, if it
 *                        is not older; once
 *   near TEXT            a message that begins so and matches nothing is
 *                        counted as refused
 *   uid USER...          only lines that a process of one of these users sent,
 *                        by number or name; before the first block, for all
 *                        that say nothing themselves. A source that cannot
 *                        tell (no Annotate) gives nothing then
 *
 * Samples, anywhere behind the name of the server:
 *
 *   sample WHAT | LINE   the whole line, and what it must give: "none", or
 *                        "login", "logout", "restart" with ip=, user=,
 *                        session=, mpid=, tls=1, time= (ms) as far as it
 *                        matters; values are %XX-coded. They run in their
 *                        order, so that two lines can be joined. One with
 *                        rsyslog's suffix is read as a source of such lines
 *                        reads it; any other as if `uid` were content.
 *
 * Ready-made pieces: %ip% an address, %num% digits, %host% a host name.
 * safety.h says what an expression may hold.
 */
#ifndef PATTERN_FILE_H
#define PATTERN_FILE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "login/login.h"
#include "safety.h"

enum pattern_kind {
	PATTERN_LOGIN,
	PATTERN_LOGOUT,
	PATTERN_CONNECT,
	PATTERN_FAIL,
	PATTERN_START
};

/* Nobody's: what chown(2) takes for "leave it". */
#define PATTERN_NO_UID UINT32_MAX

enum pattern_place { PATTERN_PROGRAM, PATTERN_LEAD, PATTERN_FILE };

/* The named groups of expressions. */
enum group {
	GROUP_IP,
	GROUP_USER,
	GROUP_SESSION,
	GROUP_PID,
	GROUP_MPID,
	GROUP_PORT,
	GROUP_TLS,
	GROUP_TIME,
	GROUP_COUNT
};

/* What a session's name is made of. */
enum pattern_field {
	FIELD_SESSION,
	FIELD_IP,
	FIELD_PORT,
	FIELD_USER,
	FIELD_PID,
	FIELD_PROGRAM,
	FIELD_HOST,
	FIELD_COUNT
};

struct pattern_words {
	char **at;
	size_t n;
};

/* Who may have sent a line. */
struct pattern_users {
	struct pattern_words words; /* as they are written */
	uint32_t *uids; /* in the same order; PATTERN_NO_UID: no such user */
	int line;
};

struct pattern_expr {
	enum pattern_kind kind;
	int line;
	char *text; /* pieces filled in, with its ^ and $ */
	struct safety_names names;
};

struct pattern_block {
	char server[LOGIN_SERVER_MAX + 1]; /* of the file; zeros behind */
	enum pattern_place place;
	bool unstamped;
	struct pattern_words names, tls, near;
	size_t field_count;
	enum pattern_field fields[FIELD_COUNT];
	int64_t join; /* ms; 0: a login line names its address itself */
	struct pattern_users users;
	const struct pattern_users *senders; /* its own, the file's, or NULL */
	struct pattern_expr *exprs;
	size_t expr_count;
};

struct pattern_sample {
	enum login_kind kind;
	int line;
	char *want; /* key=value words */
	char *text; /* the log line */
	size_t text_len;
};

struct pattern_file {
	char *path;   /* for messages */
	char *source; /* the whole file as it is */
	size_t source_len;
	char *name, *about;
	struct pattern_words notes;
	struct pattern_users users; /* of blocks that name none */
	struct pattern_block *blocks;
	struct pattern_sample *samples;
	size_t block_count, sample_count;
};

/* Reads len bytes; path is for messages. NULL and *err on the first mistake. */
struct pattern_file *pattern_file_parse(
    const char *path, const char *text, size_t len, struct err *err);
/* The same from a file of at most 1 MiB. */
struct pattern_file *pattern_file_load(const char *path, struct err *err);
void pattern_file_free(struct pattern_file **f);

/* Tells of names behind `uid` that no user has here. Returns how many. */
typedef void pattern_user_fn(
    void *ctx, const struct pattern_file *f, int line, const char *name);
size_t pattern_file_unknown_users(
    const struct pattern_file *f, pattern_user_fn *fn, void *ctx);

/* Reads "WHAT | LINE". NULL, or what is wrong. (sample.c) */
const char *pattern_sample_parse(struct pattern_sample *s, const char *text);

/* The kind of a named group; GROUP_COUNT: there is none of that name. */
enum group group_find(const char *name, size_t len);

const char *pattern_kind_name(enum pattern_kind kind);
#endif
