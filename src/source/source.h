/* SPDX-License-Identifier: ISC */
/*
 * source - where logins come from. A kind knows one way of reading; what it
 * reads goes to a sink, what it may not open itself it asks an opener for. It
 * never touches the ledger.
 */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H
#include <sys/stat.h>

#include "base/clock.h"
#include "conf/conf.h"
#include "login/login.h"
#include "pattern/pattern.h"

typedef struct uv_loop_s uv_loop_t;

/* The process it lives in; DESIGN section 3. */
enum role {
	ROLE_READER,
	ROLE_RECEIVER,
	ROLE_KEEPER,
	ROLE_ANSWERER,
	ROLE_WRITER,
	ROLE_CONNECTOR,
	ROLE_FIREWALL
};

enum { SOURCE_KEY_MAX = 400, SOURCE_CURSOR_MAX = 256, SOURCE_BATCH = 64 };

/* How far a source has come in one of its files; opaque to all others. */
struct source_cursor {
	uint16_t key_len, len;
	char key[SOURCE_KEY_MAX]; /* the file's path, for instance */
	uint8_t bytes[SOURCE_CURSOR_MAX];
};

/*
 * Takes n (0..SOURCE_BATCH) logins together with the cursor that stands behind
 * them: both are stored in one transaction, or neither. NULL cursor: none.
 * Blocks while the keeper is busy. -1: the keeper is gone; stop.
 */
typedef int source_sink_fn(void *ctx, const struct source_cursor *cursor,
    const struct login *logins, size_t n);

/* One file that the supervisor opened. */
struct source_file {
	int fd;                    /* owned by the receiver; read only */
	char path[SOURCE_KEY_MAX]; /* as configured or globbed */
	struct stat st;
};
enum source_open {
	OPEN_CURRENT, /* the files the source's paths name now */
	OPEN_SIBLINGS /* rotated ones beside `path`: path.1, path-DATE,
		       * path.2.gz ... newest first */
};
/*
 * Asks the supervisor; fn is called for each file and takes fd. Also places
 * inotify watches on the directories (and link targets') into the source's
 * inotify descriptor. Returns how many, or -1 when the supervisor is gone.
 */
typedef void source_file_fn(void *ctx, struct source_file *file);
typedef int source_opener_fn(void *ctx, enum source_open what, const char *path,
    source_file_fn *fn, void *fn_ctx);

struct source_env {
	const char *name; /* title of the section */
	struct patterns *patterns;
	int64_t ttl, max_skew; /* ms: how far back a start reads */
	int inotify_fd;        /* watches are placed by the opener; -1: poll */
	source_sink_fn *sink;
	void *sink_ctx;
	source_opener_fn *opener;
	void *opener_ctx;
};

struct source; /* each kind's own */

struct source_kind {
	const char *name, *help;
	enum role role;
	const struct option *options;
	/* Runs after the lock-down. cursors: what is committed, n of them. */
	struct source *(*open)(const struct source_env *env,
	    const struct conf_section *conf,
	    const struct source_cursor *cursors, size_t n, struct err *err);
	/* Adds its handles to the loop and begins to read. */
	void (*start)(struct source *s, uv_loop_t *loop);
	/* Finishes what is read, closes its handles. */
	void (*stop)(struct source *s);
	void (*close)(struct source **s);
	/* NULL, or what its matcher has counted since open. */
	void (*counts)(const struct source *s, struct matcher_counts *out);
};

extern const struct source_kind *const source_kinds[]; /* ends with NULL */
const struct source_kind *source_kind_find(const char *name);
#endif
