/* SPDX-License-Identifier: ISC */
/*
 * doctor - what `relaypass doctor` finds on this machine, and what it makes of
 * it. doctor_look.c gathers the facts, doctor_checks.c judges them, doctor.c
 * prints. Nothing is ever written, and nothing is granted by what is found.
 */
#ifndef CMD_DOCTOR_H
#define CMD_DOCTOR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/err.h"
#include "conf/conf.h"
#include "doctor_maps.h"
#include "login/rules.h"

/* --- who listens ---------------------------------------------------------- */

/* What a listening program is to us. */
enum doctor_role {
	DOCTOR_UNKNOWN = 0,
	DOCTOR_MAIL,    /* POP3 or IMAP; its logins are logged */
	DOCTOR_PROXY,   /* stands before the server, which sees its address */
	DOCTOR_STARTER, /* starts the server, which then has another name */
	DOCTOR_SMTP
};

struct doctor_kind {
	const char *label; /* "Dovecot" */
	/* Names of its programs, separated by blanks; "name*" begins so, and
	 * "/part/" is anywhere in the program's path. */
	const char *programs;
	const char *server; /* name of its patterns; NULL: none */
	enum doctor_role role;
	const char *note; /* what a postmaster must know; NULL: nothing */
	/* Debian's systemd units of a mail server, separated by blanks; NULL:
	 * not known. */
	const char *units;
};
extern const struct doctor_kind doctor_kinds[];
extern const size_t doctor_kind_count;

enum {
	DOCTOR_POP3 = 1U << 0,
	DOCTOR_IMAP = 1U << 1,
	DOCTOR_SMTP_PORT = 1U << 2,
	DOCTOR_LISTENERS_MAX = 16,
	DOCTOR_NAME_SIZE = 64
};

struct doctor_listener {
	const struct doctor_kind *kind; /* NULL: a program we do not know */
	unsigned services;              /* DOCTOR_POP3 ... */
	char program[DOCTOR_NAME_SIZE]; /* as the kernel names it; "" unseen */
};

/* The kind of a program by its path ("" when it cannot be seen) and the
 * kernel's name for it. NULL: none of the table. Pure. */
const struct doctor_kind *doctor_kind_of(const char *path, const char *comm);
/*
 * Who listens at the ports of POP3, IMAP and SMTP, by /proc (or what stands in
 * its place). *hidden: there are sockets whose process may not be looked at.
 * Returns how many.
 */
size_t doctor_listeners(const char *proc,
    struct doctor_listener out[static DOCTOR_LISTENERS_MAX], bool *hidden);

/* --- what a program says -------------------------------------------------- */

enum { DOCTOR_OUTPUT_SIZE = 64 * 1024, DOCTOR_RUN_MS = 5000 };

/*
 * Runs a program of root's by its absolute path, without shell, input and
 * environment, and keeps what it prints, cut to the size. False: it is not
 * there, not root's, did not end in time or failed (then out is "").
 */
typedef bool doctor_run_fn(
    const char *const argv[], char out[static DOCTOR_OUTPUT_SIZE]);
doctor_run_fn doctor_run;

enum { DOCTOR_ABSENT = -1, DOCTOR_LATE = -2 };
/*
 * Runs one likewise, drops what it prints and keeps what it complains of.
 * Returns its exit status; DOCTOR_ABSENT: it is not there or not root's;
 * DOCTOR_LATE: it did not end in time.
 */
typedef int doctor_try_fn(
    const char *const argv[], char complaint[static DOCTOR_OUTPUT_SIZE]);
doctor_try_fn doctor_try;

/* The value of a "name = value" line, copied (cut to size). False: no such
 * line. Pure. */
bool doctor_setting(
    const char *text, const char *name, char *value, size_t size);

/* --- logs ----------------------------------------------------------------- */

enum {
	DOCTOR_PATH_SIZE = 400,
	DOCTOR_LOGS_MAX = 16,
	DOCTOR_EXAMPLE_SIZE = 4096,
	DOCTOR_HOUR_MS = 3600 * 1000
};

/* The logins of the last hour in one file. */
struct doctor_logins {
	uint64_t logins, leases; /* leases: those that would make one now */
	uint64_t judged[JUDGE_COUNT];
	uint64_t without_tls, ipv6;
	size_t addresses;        /* different ones */
	uint64_t most_logins;    /* of one address ... */
	char most_address[46];   /* ... this one */
	size_t shared_users;     /* the most users of one address ... */
	char shared_address[46]; /* ... this one */
	int64_t last;            /* newest login in what was read; 0: none */
	char servers[128];       /* names of patterns, separated by ", " */
	/* Lines like logins that gave none, by program; "" when there were
	 * none. */
	char near[DOCTOR_EXAMPLE_SIZE];
};

struct doctor_log {
	char path[DOCTOR_PATH_SIZE];
	bool configured; /* of a source in relaypass.conf */
	const char
	    *refused; /* why relaypassd would not read it; NULL: it would */
	int error;    /* errno when it could not be opened */
	int64_t size, changed; /* bytes; ms since 1970 */
	uint64_t lines;        /* that were read of it */
	int64_t last_stamp;    /* of its last line that has one; 0: none */
	struct doctor_logins found;
};

struct patterns;
/*
 * Reads the end of a log as relaypassd's reader would, and counts. The path is
 * set; everything else is filled. owners: who may own it besides root.
 */
void doctor_log_read(struct doctor_log *log, const struct patterns *patterns,
    const struct rules *rules, const struct conf_section *owners,
    struct moment now);

/* --- exports, and sources elsewhere --------------------------------------- */

enum { DOCTOR_WORD_SIZE = 16, DOCTOR_TROUBLE_SIZE = 800 };

/* An export or a source: what its other end says, and how relaypassd says it
 * stands. */
struct doctor_link {
	const char *type, *name, *kind; /* borrowed of the configuration */
	bool tested;                    /* its kind can tell what is there */
	struct err test;                /* code 0: good */
	bool told;                      /* relaypassd has told of it */
	char state[DOCTOR_WORD_SIZE], trouble[DOCTOR_TROUBLE_SIZE];
	int64_t lag, behind; /* seconds; what waits */
};

/* As probe_section(). */
typedef int doctor_probe_fn(
    const struct conf *conf, const char *section, size_t i, struct err *err);
/* Asks relaypassd at this place how all stands, and tells each export and
 * source that it names: their values are by the names of `status`. */
struct reply;
typedef void doctor_row_fn(void *ctx, const struct reply *row);
typedef int doctor_status_fn(const struct endpoint *control, doctor_row_fn *fn,
    void *ctx, struct err *err);
doctor_status_fn doctor_status;

/* --- facts and findings --------------------------------------------------- */

struct doctor_facts {
	struct moment now;
	struct conf *conf; /* owned; the defaults when there is no file */
	bool has_config;
	char config_error[ERR_TEXT_SIZE]; /* "": good or not there */
	const char *config_path;
	struct rules *rules; /* owned */
	bool root;
	struct doctor_listener listeners[DOCTOR_LISTENERS_MAX];
	size_t listener_count;
	bool hidden;
	struct doctor_log *logs; /* owned */
	size_t log_count;
	int control_error; /* errno of connecting to relaypassd; 0: it runs */
	bool journal;      /* there is a journal on disk or in memory */
	/* Outputs of doveconf and postconf; "" when there is none. */
	char dovecot[DOCTOR_OUTPUT_SIZE], dovecot_set[DOCTOR_OUTPUT_SIZE];
	char postfix[DOCTOR_OUTPUT_SIZE];
	const char *qmail;   /* its control directory; NULL: there is none */
	int rcpthosts_error; /* errno of looking at the file in it */
	struct doctor_maps maps;
	struct doctor_link *links; /* owned */
	size_t link_count;
};

/* Where Dovecot logs logins: a path, or "syslog". False: not known. */
bool doctor_dovecot_log(const struct doctor_facts *f, char *path, size_t size);

struct doctor_where {
	const char *root; /* before every path; "" for this machine */
	const char *config;
	bool config_given;
	doctor_run_fn *run;
	doctor_try_fn *try;       /* NULL: no map is opened */
	doctor_probe_fn *probe;   /* NULL: no database is asked */
	doctor_status_fn *status; /* NULL: nor is relaypassd */
	struct moment now;
};
/* Looks; *f must be zero. 0, or -1 and *err. Release: doctor_forget(). */
int doctor_look(
    struct doctor_facts *f, const struct doctor_where *where, struct err *err);
void doctor_forget(struct doctor_facts *f);

enum doctor_verdict {
	DOCTOR_GOOD,
	DOCTOR_NOTE, /* to be known; nothing has to be done */
	DOCTOR_DO,
	DOCTOR_CANNOT, /* it could not be seen */
	DOCTOR_VERDICTS
};

/* One thing that a check says. text ends without full stop and LF; lines: for
 * relaypass.conf or another file, each with its LF, or NULL. */
typedef void doctor_tell_fn(void *ctx, const char *check,
    enum doctor_verdict verdict, const char *text, const char *lines);
/* Runs all checks. Returns EXIT_YES, EXIT_NO (something to do) or EXIT_AGAIN
 * (nothing found to do, but something could not be seen). */
int doctor_check_all(
    const struct doctor_facts *f, doctor_tell_fn *tell, void *ctx);
/* The question of a check, for people. */
const char *doctor_question(const char *check);
#endif
