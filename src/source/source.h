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
#include "base/role.h"
#include "conf/conf.h"
#include "login/login.h"
#include "pattern/pattern.h"

typedef struct uv_loop_s uv_loop_t;

enum { SOURCE_KEY_MAX = 400, SOURCE_CURSOR_MAX = 256, SOURCE_BATCH = 64 };
enum { SOURCE_FDS_MAX = 16, SOURCE_ANSWER_MS = 200 };

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

struct source; /* each kind's own */

/* What became of one submitted login. */
enum source_outcome {
	SOURCE_NOT_STORED = 0, /* not now: the keeper is away, busy or stuck */
	SOURCE_STORED          /* committed; the judgement says what it gave */
};

/* What the keeper knows of one address. */
struct source_told {
	bool known; /* false: it cannot tell */
	bool leased;
	int64_t ttl; /* ms left */
	uint8_t user_len;
	char user[LOGIN_USER_MAX + 1];
};

/*
 * For live kinds. Neither ever blocks, and each calls back exactly once, from
 * the loop, within SOURCE_ANSWER_MS, when a token other than 0 was given: the
 * kind's stored() or told(). False: the queue is full, nothing was taken, and
 * nobody will be called. Logins without token wait for the keeper as long as
 * there is room.
 */
typedef bool source_submit_fn(
    void *ctx, uint64_t token, const struct login *login);
typedef bool source_ask_fn(void *ctx, uint64_t token, const struct addr *addr);

struct source_env {
	const char *name; /* title of the section */
	/* Live kinds: what kind->sockets() opened, in its order; borrowed. */
	const int *fds;
	size_t fd_count;
	source_submit_fn *submit;
	source_ask_fn *ask;
	/* How many logins submit() would take now. Who can let its writers wait
	 * for a moment should, before it drops. */
	size_t (*room)(void *ctx);
	/* Nothing more will ever come (stdin at its end): relaypassd stops in
	 * good order. */
	void (*ended)(void *ctx);
	void *live_ctx;
	struct patterns *patterns;
	int64_t ttl, max_skew; /* ms: how far back a start reads */
	int inotify_fd;        /* watches are placed by the opener; -1: poll */
	source_sink_fn *sink;
	void *sink_ctx;
	source_opener_fn *opener;
	void *opener_ctx;
	/* Connectors. node: this one's id, 16 hex digits. step() tells, at
	 * least once a second, whether all that is there has been read, and how
	 * many rows or entries wait (0: not known); trouble: why not, NULL:
	 * nothing is wrong. For `status`. */
	const char *node;
	void (*step)(
	    void *ctx, bool in_step, uint64_t behind, const char *trouble);
	void *step_ctx;
};

/* What a child of this source may still do after its lock-down, beyond what
 * its role may. */
struct source_needs {
	const char *group; /* to be a member of; NULL: none */
	/* Directories whose files it may read (opened by path); ends early with
	 * NULL. One that is missing is left out. */
	const char *read[4];
	bool connect; /* to other hosts, and (connectors) to unix sockets; see
		       * source_kind.connects */
	const char *account;  /* connectors: to run as; NULL: the role's */
	const char *write[4]; /* connectors: directories to write below */
};

struct source_kind {
	const char *name, *help;
	enum role role;
	const struct option *options;
	/*
	 * False: reads what lies somewhere, resumes by cursor, may wait for the
	 * keeper (sink). True: hears what is said once; never waits, goes on
	 * while the keeper is away (submit, ask), and has no cursor.
	 */
	bool live;
	bool tells_life;  /* may send LOGIN_ALIVE */
	bool hears_nodes; /* may send LOGIN_LEASE and LOGIN_REVOKE; what it told
			   * is not told to other nodes */
	bool connects;    /* needs.connect, whatever the section says */
	bool ends;        /* may say that nothing more comes, see `ended` */
	bool files;       /* asks the opener; rows "path" and "owner" */
	bool lines;       /* matches log lines: env->patterns is set; the option
			   * rows hold "servers" */
	/*
	 * Live kinds, or NULL. In the supervisor, before any child: checks what
	 * conf cannot check, and opens what the source receives by, as root.
	 * The descriptors outlive the children. Returns how many, or -1. fds
	 * NULL: only checks, opens nothing.
	 */
	int (*sockets)(const struct conf_section *conf, int *fds, size_t max,
	    struct err *err);
	/* NULL, or what `sockets` without fds is for kinds that have no
	 * sockets: refuses what open would. Not in a child. */
	int (*check)(const struct conf_section *conf, struct err *err);
	/* As in struct export_kind. */
	bool (*same)(
	    const struct conf_section *a, const struct conf_section *b);
	/* NULL: nothing. Pure. */
	void (*needs)(
	    const struct conf_section *conf, struct source_needs *out);
	/* NULL, or: runs in the child before the lock-down, for kinds that open
	 * after it: looks names up. */
	void (*prepare)(const struct conf_section *conf);
	/* Live kinds: runs before the lock-down (looks names up, reads files),
	 * with no cursors; reads no foreign byte yet. Connectors: before it,
	 * with their cursors. Others: after it. cursors: what is committed, n
	 * of them. */
	struct source *(*open)(const struct source_env *env,
	    const struct conf_section *conf,
	    const struct source_cursor *cursors, size_t n, struct err *err);
	/* Adds its handles to the loop and begins to read. */
	void (*start)(struct source *s, uv_loop_t *loop);
	/* Finishes what is read, closes its handles. */
	void (*stop)(struct source *s);
	void (*close)(struct source **s);
	/* Connectors, or NULL: see export_kind.test. */
	int (*test)(struct source *s, struct err *err);
	/* NULL, or what its matcher has counted since open. */
	void (*counts)(const struct source *s, struct matcher_counts *out);
	/* Live kinds; see source_submit_fn. judgement: an enum judgement. */
	void (*stored)(struct source *s, uint64_t token,
	    enum source_outcome outcome, uint8_t judgement);
	void (*told)(
	    struct source *s, uint64_t token, const struct source_told *told);
};

extern const struct source_kind *const source_kinds[]; /* ends with NULL */
const struct source_kind *source_kind_find(const char *name);
/* The patterns that its lines are matched with. NULL and *err. */
struct patterns *source_patterns(const struct conf *conf,
    const struct conf_section *source, struct err *err);
/* What the start of this source would refuse, as far as that can be seen
 * without opening what it receives by. 0, or -1 and *err. */
int source_check(const struct conf_section *conf, struct err *err);
#endif
