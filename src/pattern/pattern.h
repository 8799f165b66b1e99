/* SPDX-License-Identifier: ISC */
/*
 * pattern - log lines to logins, by the expressions of patterns/ files.
 * Called by: source/, cmd/scan, cmd/patterns.  Calls: PCRE2, base/, login.h.
 * Not here: who may have a lease (login/).
 */
#ifndef PATTERN_PATTERN_H
#define PATTERN_PATTERN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "login/login.h"

struct patterns; /* compiled, read only */
struct pattern_file;
struct matcher; /* one reader's working memory: match data, joins, caches */

struct patterns_options {
	const char *dir;  /* more *.pattern files; NULL: built-in ones only */
	const char *file; /* one more; NULL: none */
	const char *servers; /* "dovecot,courier"; NULL or "": all */
	bool no_jit;         /* for bench and tests */
};

/* Compiles. NULL and *err: file, line, what was expected. */
struct patterns *patterns_open(
    const struct patterns_options *o, struct err *err);
void patterns_close(struct patterns **p);
bool patterns_have_jit(const struct patterns *p);
size_t patterns_count(const struct patterns *p); /* servers */
/* The i-th server's file: programs, expressions, samples (file.h). */
const struct pattern_file *patterns_file(const struct patterns *p, size_t i);

/*
 * Runs the samples of a file through p. Returns how many give something else
 * than they say; fn (may be NULL) hears of each, with its line in the file.
 */
typedef void patterns_sample_fn(
    void *ctx, const struct pattern_file *f, int line, const char *why);
size_t patterns_run_samples(const struct patterns *p,
    const struct pattern_file *f, patterns_sample_fn *fn, void *ctx);

/*
 * The dearest message that is made of the file's samples, each piece of them
 * repeated up to 8 KiB: steps a byte, of one expression (file.h). 50 is the
 * limit. Takes about a second.
 */
struct pattern_expr;
double pattern_cost(const struct pattern_file *f, const struct pattern_expr *e);

struct matcher *matcher_new(const struct patterns *p);
void matcher_free(struct matcher **m);
/*
 * Its lines come from rsyslog with Annotate="on" (annotate.h) or not, which is
 * how it begins. If so, a line without the suffix gives nothing, and the
 * message that is matched is what stands before it. If not, blocks that say
 * `uid` give nothing.
 */
void matcher_annotated(struct matcher *m, bool annotated);

/*
 * Reads one line (without LF). now.wall chooses year and zone of stamps that
 * lack them and is the time of a line without any stamp; skew is how far ahead
 * a stamp may be. LOGIN_NOTHING: no fact in this line. *out is whole otherwise.
 */
enum login_kind matcher_line(struct matcher *m, const char *line, size_t len,
    int64_t now_wall, int64_t skew, struct login *out);

/*
 * The same for a line whose sender the kernel named (SCM_CREDENTIALS): blocks
 * that say `uid` take it from those users only, others from any known one. uid
 * (uint32_t)-1 is nobody: no fact. A suffix is not looked for.
 */
enum login_kind matcher_line_from(struct matcher *m, const char *line,
    size_t len, int64_t now_wall, int64_t skew, uint32_t uid,
    struct login *out);

/* The stamp of a line, whatever program wrote it: ms, or -1. For seeking. */
int64_t matcher_time(struct matcher *m, const char *line, size_t len,
    int64_t now_wall, int64_t skew);

struct matcher_counts {
	uint64_t lines, logins, logouts;
	uint64_t odd;     /* header not understood */
	uint64_t refused; /* right program and wording, but hostile or cut */
};
struct matcher_counts matcher_counts(const struct matcher *m);
#endif
