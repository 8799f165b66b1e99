/* SPDX-License-Identifier: ISC */
/*
 * import - the stores of other programs that leased relaying, read for
 * `relaypass import`. A kind is one file import_NAME.c with `const struct
 * import_kind import_NAME` and one line in login/imports.def.
 *
 * What stands in a store is a stranger's word: a kind's function is pure, takes
 * any bytes, and gives a row for nothing but one whole address. Times are
 * bounded by the file's own (import_settle), and judged by the daemon.
 */
#ifndef CMD_IMPORT_H
#define CMD_IMPORT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "login/import.h"

enum {
	IMPORT_MINUTE = 60 * 1000,
	IMPORT_FILE_MAX = 64 << 20, /* bytes; some 500,000 rows */
	IMPORT_ROWS_MAX = 1000000
};

/* What one row of a store says; times are wall ms, 0: nothing. */
struct import_row {
	struct addr addr;
	size_t user_len;
	char user[LOGIN_USER_MAX + 1];
	int64_t login, end;
};

/* Why a row is none: words for the summary. A function that gives no row and no
 * word has met something that grants nothing, such as a comment. */
#define IMPORT_NETWORK "network"
#define IMPORT_NO_ADDR "not-an-address"
#define IMPORT_BAD     "not-understood"
#define IMPORT_DENIED  "denied"
#define IMPORT_CUT     "cut-off"
#define IMPORT_LONG    "too-long"
#define IMPORT_NO_FILE "not-a-file"
#define IMPORT_FAR     "end-too-far-ahead"
#define IMPORT_AHEAD   "time-ahead"

typedef bool import_line_fn(
    const char *line, size_t len, struct import_row *out, const char **why_r);
typedef bool import_record_fn(const char *key, size_t key_len,
    const char *value, size_t value_len, struct import_row *out,
    const char **why_r);

struct import_kind {
	const char *name;
	const char *of; /* whose store it is, for help */
	/* Names of such files begin so; a list that ends with NULL. */
	const char *const *files;
	/* How long its program lets a lease live when nobody says otherwise;
	 * ms, 0: the configuration's ttl. */
	int64_t lasts;
	const char *lock; /* behind the path: a file that its writers lock;
			   * NULL: the store itself */
	/* One of these: lines of a text, records of a Berkeley DB file, a table
	 * of a database; none: a directory with a file for each address. */
	import_line_fn *line;
	import_record_fn *record;
	bool table;
};

extern const struct import_kind *const import_kinds[]; /* ends with NULL */
const struct import_kind *import_kind_find(const char *name);

static inline bool import_is_folder(const struct import_kind *kind)
{
	return !kind->line && !kind->record && !kind->table;
}

/* --- parsing, pure -------------------------------------------------------- */

/* One whole address: as addr_parse() takes it, Sendmail's "IPv6:2001:db8:0:…",
 * or with the /32 or /128 of one host. False: *why_r. */
bool import_address(
    const char *text, size_t len, struct addr *out, const char **why_r);
/* Decimal seconds since 1970 that can be a time of this trade, in ms; 0: none
 * ("ok", a count of sessions, a flag). */
int64_t import_epoch(const char *text, size_t len);
/* "REJECT", "550 no": a list that is not of those who may relay. */
bool import_denies(const char *value, size_t len);
/* No control characters: a user's name is a line's word wherever it goes. */
bool import_is_clean(const char *text, size_t len);
/* A record's key and value may end with a NUL that is not theirs. */
size_t import_without_nul(const char *text, size_t len);
/* A line of tcprules that sets RELAYCLIENT for one address. */
import_line_fn import_rule;
/* A line of Exim's lsearch: an address, perhaps in quotes, with a user or a
 * word such as RELAY behind it. */
import_line_fn import_lsearch;
/* A record whose value says nothing of times; and one whose value is the time
 * of the login, or says nothing. */
import_record_fn import_timeless, import_timed;

/* --- reading -------------------------------------------------------------- */

struct import_sink {
	void (*row)(void *ctx, const struct import_row *row);
	/* key: the stranger's bytes. */
	void (*refuse)(void *ctx, const char *key, size_t len, const char *why);
	void *ctx;
};

struct import_store {
	const char *path;
	int fd;
	const struct import_kind *kind;
	int64_t changed; /* wall ms: no login in it is later */
	char *bytes;     /* a file's, when it is loaded */
	size_t len;
};

/* What an export of relaypass writes says nothing of logins, and would make
 * leases of its own leases for ever. %s: path. */
#define IMPORT_IS_OURS                                                         \
	"%s: relaypass writes this file itself; import a copy of what was "    \
	"there before (cp -p)"
/* Opens a plain file or directory, never through a link at its end nor one that
 * relaypass writes, and finds its kind (NULL: by its name and content). -1 and
 * *err. */
int import_open(struct import_store *s, const char *path,
    const struct import_kind *kind, struct err *err);
void import_close(struct import_store *s);
/* Copies a file while its writers are locked out; nothing to do for others. -1
 * and *err: EXIT_AGAIN when they do not let us. */
int import_load(struct import_store *s, struct err *err);
/* Tells every row of what is loaded. -1 and *err: it is damaged, and what was
 * told does not count. */
int import_read(const struct import_store *s, const struct import_sink *sink,
    struct err *err);
/* The text of a store as rows; pure. */
void import_lines(const struct import_kind *kind, const char *text, size_t len,
    const struct import_sink *sink);
/* import_folder.c, import_db.c: the same for the other forms. */
int import_folder(const struct import_store *s, const struct import_sink *sink,
    struct err *err);
int import_records(const struct import_store *s, const struct import_sink *sink,
    struct err *err);
/* import_sql.c: every row of the table that the source or export `name` of the
 * kind sql is about. *lasts_r: ms that a login lasts. */
struct import_times {
	int64_t ttl, max_skew; /* ms */
	int64_t lasts;         /* 0: what the section says, else ttl */
};
struct conf;
int import_table(const struct conf *conf, const char *name,
    const struct import_times *times, const struct import_sink *sink,
    int64_t *lasts_r, struct err *err);
/* Whether the bytes begin as a Berkeley DB file does. */
bool import_is_db(const char *bytes, size_t len);

/* --- times ---------------------------------------------------------------- */

/* Fills login and end: lasts in ms; changed as in the store. by_change: what
 * the row itself says of times does not count. */
void import_settle(const struct import_row *row, int64_t lasts, int64_t changed,
    bool by_change, struct imported *out);

/* An end that no program gives, by a wrong unit or a wrong hand: further from
 * now than a day and than `lasts`. */
bool import_is_far(const struct import_row *row, int64_t lasts, int64_t now);

/* --- telling relaypassd --------------------------------------------------- */

struct client;
struct import_counts {
	size_t imported, kept, over;
};
struct import_sender;
/* Told in batches; refuse is called with the address as text and the reason. */
struct import_sender *import_sender_new(
    struct client *client, const struct import_sink *sink);
/* -1 and *err: relaypassd does not take it; then nothing more may be sent. */
int import_send(
    struct import_sender *s, const struct imported *in, struct err *err);
/* The rest, if `whole`, and what has become of all. */
int import_sender_end(struct import_sender **s, bool whole,
    struct import_counts *out, struct err *err);
#endif
