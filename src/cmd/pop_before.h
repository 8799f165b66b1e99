/* SPDX-License-Identifier: ISC */
/*
 * pop_before - the parts of the program "pop-before-smtp", which takes the
 * place of the Perl program of that name: its options and its configuration
 * file in, a configuration for relaypassd out. Called by: pop-before-smtp.c.
 */
#ifndef CMD_POP_BEFORE_H
#define CMD_POP_BEFORE_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#define POP_BEFORE_NAME     "pop-before-smtp"
#define POP_BEFORE_VERSION  "1.42" /* the version that is stood in for */
#define POP_BEFORE_CONFIG   "/run/pop-before-smtp.conf"
#define POP_BEFORE_PATTERNS "/run/pop-before-smtp.patterns"

/* What is set by name, in the configuration file or by an option. */
enum pop_name {
	POP_PAT,
	POP_OUT_PAT,
	POP_LOGTIME_PAT,
	POP_PID_PAT,
	POP_IP_PAT,
	POP_OK_PAT,
	POP_FAIL_PAT,
	POP_MORE_OUT_PAT, /* $OUT_pat */
	POP_GRACE,
	POP_DBFILE,
	POP_DBVALUE,
	POP_LOGTO,
	POP_WRITE,
	POP_FLOCK,
	POP_DEBUG,
	POP_REPROCESS,
	POP_WATCHLOG, /* $file_tail{name} */
	POP_NAMES
};

struct pop_value {
	char *text; /* NULL: not set */
	int line;   /* 0: an option, or the default */
	bool code;  /* it is code, which is never run */
};

struct pop_settings {
	struct pop_value values[POP_NAMES];
	const char *config; /* the file that was named, or found; NULL: none */
	const char *daemon; /* the pid file; NULL: stay in the foreground */
	bool custom_match;  /* a function of theirs matches the lines */
	bool version, dumpconfig, list;
};

/* Hears a sentence for the administrator; line 0: not about a line. */
typedef void pop_tell_fn(void *ctx, int line, const char *text);

void pop_defaults(struct pop_settings *s);
void pop_settings_free(struct pop_settings *s);
void pop_set(struct pop_settings *s, enum pop_name name, const char *text);
const char *pop_text(const struct pop_settings *s, enum pop_name name);
/* As Perl sees it: unset, "", "0" are false. */
bool pop_true(const struct pop_settings *s, enum pop_name name);
/* Seconds, or -1: no number, or not between 1 and a year. */
int64_t pop_grace(const struct pop_settings *s);

/* Takes what a configuration file says in plain words, and tells of the rest.
 * Returns as perl_conf_read(). Pure. */
int pop_read_config(struct pop_settings *s, const char *text, size_t len,
    pop_tell_fn *fn, void *ctx);

/* Takes the options as Perl's Getopt::Long does: any unambiguous beginning of a
 * name, one dash or two, "--name=value" or "--name value", "--no" before those
 * that can be off. The strings are borrowed. -1: *err. Pure. */
int pop_options(struct pop_settings *s, int argc, char **argv, struct err *err);

/* How the lines of the log are matched. */
struct pop_patterns {
	char servers[512]; /* of relaypass' own patterns; "": all of them */
	char *file;        /* text of a pattern file, or NULL */
	bool logouts;      /* sessions hold their leases */
};
/* Finds the servers whose logins their expressions find, or makes a pattern
 * file of them. -1: *err says why neither is safe. */
int pop_patterns_make(const struct pop_settings *s, struct pop_patterns *out,
    pop_tell_fn *fn, void *ctx, struct err *err);
void pop_patterns_free(struct pop_patterns *p);

/* The networks in Postfix' mynetworks as this prints them: "$mynetworks" filled
 * in, files read, tables passed over. Appends `"192.0.2.0/24", ` and so on to
 * out. Returns how many. */
size_t pop_networks_print(
    const char *value, FILE *out, pop_tell_fn *fn, void *ctx);
/* What `postconf` says; NULL: there is none. To be freed. */
char *pop_networks_ask(void);

/* The text of relaypassd's configuration; to be freed. networks may be "". kind
 * is that of the export that writes $dbfile, NULL: nobody does. */
char *pop_config_print(const struct pop_settings *s,
    const struct pop_patterns *patterns, const char *networks,
    const char *kind);

/* A pipe that nobody reads shall not stop it, and no link lead elsewhere. */
#define POP_LOG_FLAGS                                                          \
	(O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

/* The program's own log: "Mon DD HH:MM:SS text". */
struct pop_log {
	int fd; /* -1: off */
};
void pop_log(const struct pop_log *log, int64_t wall, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --reprocess: reads the whole log by its own clock, and prints what becomes of
 * the addresses. Returns the exit code. */
int pop_reprocess(const struct pop_settings *s,
    const struct pop_patterns *patterns, const char *config,
    const struct pop_log *log);

/* Starts relaypassd and stays until it or we are ended. ready_fd gets one byte
 * when it serves; -1: nobody waits. Returns the exit code. */
int pop_run(
    const struct pop_settings *s, const struct pop_log *log, int ready_fd);
/* --list, of the relaypassd that runs. Returns the exit code. */
int pop_list(void);
#endif
