/* SPDX-License-Identifier: ISC */
/*
 * print - log lines as the servers print them, with strangers' text in the
 * places where strangers' text stands, and what is true of each line. Written
 * from what the servers do, not from the expressions in patterns/: the two meet
 * in run.c only.
 */
#ifndef TESTS_PRINT_PRINT_H
#define TESTS_PRINT_PRINT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* --- random.c: the same numbers for the same seed --------------------------
 */

struct rng {
	uint64_t state;
};
struct rng rng_from(uint64_t seed, uint64_t a, uint64_t b);
uint64_t rng_next(struct rng *r);
size_t rng_below(struct rng *r, size_t n); /* 0..n-1 */
bool rng_one_in(struct rng *r, size_t n);
uint64_t rng_hash(const char *name);

/* --- text.c: bytes with a length, which never run over ---------------------
 */

enum { TEXT_ROOM = 12000 };
struct text {
	size_t len;
	char at[TEXT_ROOM];
};
void text_put(struct text *t, const char *p, size_t n);
void text_add(struct text *t, const char *word);
__attribute__((format(printf, 2, 3))) void text_print(
    struct text *t, const char *format, ...);
/* One word of a blank separated list. */
void text_add_word(struct text *t, struct rng *r, const char *words);
void text_cut(struct text *t, size_t len);
/* To stderr, printable. */
void text_show(const char *p, size_t n);

/* --- the table: servers.c, more_servers.c ----------------------------------
 */

/* What stands before a message; a row names those that its line comes in. */
enum {
	TRAD = 1, /* Nov 20 18:05:01 mx1 prog[1]: */
	PRI = 2,  /* the same behind <22> */
	ISO = 4,
	RFC5424 = 8,
	BUSY = 16, /* busybox: Nov 20 18:05:01 mx1 mail.info prog: */
	SYSLOG = TRAD | PRI | ISO | RFC5424 | BUSY,
	OWN_SHORT = 32,   /* servers' own files: Nov 20 18:05:01 */
	OWN_YEAR = 64,    /* Nov 20 2026 18:05:01 */
	OWN_CTIME = 128,  /* Fri Nov 20 18:05:01 2026 */
	OWN_ISO = 256,    /* 2026-11-20 18:05:01 */
	OWN_SLASH = 512,  /* 2026/11/20 18:05:01 */
	OWN_COMMA = 1024, /* 2026-11-20 18:05:01,123 */
	OWN_Z = 2048,     /* 2026-11-20T18:05:01Z */
	OWN_TAI = 4096,
	OWN_GLUED = 8192, /* 2026-11-20T18:05:01.123Z without blank */
	OWN_LEAD = 16384, /* prog: Nov 20 18:05:01 */
	OWN_MS = 32768,   /* Nov 20 18:05:01.123 */
	OWN = ~SYSLOG
};

enum kind {
	LOGIN,  /* somebody authenticated; ordinary names must work */
	MAYBE,  /* he did, but the line need not be believed */
	SHAPE,  /* as MAYBE, and not printed here: for line_is_genuine() */
	NOTHING /* nobody did */
};

/* What of a stranger's a server writes. */
enum typed {
	TYPED_USER,
	TYPED_AGAIN, /* the user once more, at another place */
	TYPED_HOST,
	TYPED_TEXT
};

/*
 * text: what the server prints. {a|b} is one of both, and
 *   %u user   %b user without, %d with a domain   %c user again
 *   %k the same, and it is this one that counts   %w password
 * %x any text of a stranger %a client's address       %h his reverse name %H
 * UW's "name [address]" %l this host's address    %n a number   %p a port   %s
 * a session's name %o another host of ours  %m mechanism   %t nginx's stamp %F
 * a whole good line of any server
 */
struct format {
	enum kind kind;
	const char *text;
	const char *programs; /* NULL: the server's */
	unsigned heads;       /* 0: the server's */
};

/* Of the server's programs in the server's heads; of other programs; in other
 * heads. */
#define ROW(kind, text)                                                        \
	{                                                                      \
		kind, text, NULL, 0                                            \
	}
#define ROW_OF(kind, programs, text)                                           \
	{                                                                      \
		kind, text, programs, 0                                        \
	}
#define ROW_IN(kind, heads, text)                                              \
	{                                                                      \
		kind, text, NULL, heads                                        \
	}

struct server {
	const char *name;
	const char *programs;
	unsigned heads;
	enum { PID_NEVER, PID_SOMETIMES, PID_ALWAYS } pid;
	enum { ANY, ONLY_IPV4, MAPPED, BRACKETED } addresses;
	/* How it writes what a stranger chose. */
	void (*clean)(struct text *t, enum typed f);
	const struct format *formats;
	size_t count;
};

extern const struct server servers[], more_servers[];
extern const size_t server_count, more_server_count;
const struct server *server_at(size_t i); /* NULL behind the last */
const struct server *server_find(const char *name);

/* --- stranger.c: what strangers type ---------------------------------------
 */

/* Renders good lines of all servers for an attacker. Once. */
void stranger_prepare(uint64_t seed);
/* A name that must work. */
void stranger_name(struct rng *r, struct text *out);
/* Anything; mostly made to look like lines of own. */
void stranger_text(struct rng *r, const struct server *own, struct text *out);
/* A whole good line of any server that gives the attacker's address. */
void stranger_line(struct rng *r, struct text *out);

/* --- template.c: lines from rows -------------------------------------------
 */

struct line {
	struct text text;
	unsigned head; /* one of the above */
	size_t msg;    /* where the message begins */
	bool proved;   /* the truth: somebody authenticated; */
	bool login;    /* and the line tells that it was client, as user */
	bool ordinary; /* and no text in the line is odd */
	struct addr client;
	char client_text[ADDR_TEXT_SIZE + 8];
	size_t user, user_len; /* in text, as the server printed it */
	size_t open; /* where the last field begins, if nothing closes it */
	int64_t time;
};

/* The rows with their {a|b} chosen, all of them. */
struct variants {
	char **at;
	size_t n;
};
struct variants variants_of(const char *text);
void variants_free(struct variants *v);

/* What of a line is not in its row. Zeros: random. */
struct scene {
	unsigned head;
	int64_t time; /* ms */
	const char *host;
	uint32_t pid;
	const struct addr *client;
	bool plain;               /* no odd text */
	const struct text *typed; /* this in all places; NULL: random */
	bool forged;              /* the attacker's address, and plain */
};
/* Prints a line of row f. */
void line_print(struct line *out, struct rng *r, const struct server *s,
    const struct format *f, const struct variants *v,
    const struct scene *scene);
/* True: the message is what some good row of the server prints for this user
 * and address, byte for byte, so that no reader could tell it from one. */
struct login;
bool line_is_genuine(
    const struct server *s, const char *msg, size_t len, const struct login *l);

/* --- head.c ----------------------------------------------------------------
 */

extern const int64_t print_now;
/* Puts the head before msg, escapes what syslog daemons escape, and notes in
 * out where the message, the user and the open end came to stand. */
void head_print(struct line *out, struct rng *r, unsigned heads,
    const struct server *s, const char *programs, const struct scene *scene,
    const struct text *msg);

/* --- judge.c ---------------------------------------------------------------
 */

struct matcher;

struct counts {
	size_t lines;
	size_t ordinary, granted; /* good lines with ordinary names */
	size_t others;            /* granted rightly, and need not be */
	size_t misnamed;          /* right address, somebody else's name */
	size_t undecidable;       /* cut, and now genuine in all its bytes */
	size_t wrong, missed;
};

/* What is being judged, and how it came out. */
struct test {
	const struct server *server;
	size_t row, line;
	const struct variants *variants;
	struct matcher *matcher;
	struct counts *counts;
	struct rng rng;
	bool shown; /* say what came of each line */
};

enum shape {
	WHOLE,
	CUT,  /* lost its end */
	GLUED /* something else behind it; second: that may be the truth, too */
};

void judge(struct test *t, const char *p, size_t n, enum shape shape,
    const struct line *truth, const struct line *second);

/* --- pairs.c: servers that write address and result in two lines -----------
 */

struct pair;
const struct pair *pair_find(const char *server); /* NULL: not one of these */
/* Plays t->line, which gives its hosts their names. */
void pair_play(const struct pair *p, struct test *t, uint64_t seed);
#endif
