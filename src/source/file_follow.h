/* SPDX-License-Identifier: ISC */
/*
 * file_follow - inside of the file source: the source, the paths it follows,
 * and which files of each path are read in which order. file.c has the events
 * and the reading, file_chase.c finds out which file continues which.
 */
#ifndef SOURCE_FILE_FOLLOW_H
#define SOURCE_FILE_FOLLOW_H
#include <uv.h>

#include "file_stream.h"

enum {
	FOLLOW_MAX = 256,  /* paths of one source; the opener's limit too */
	FOLLOW_PAST = 16,  /* finished files remembered */
	FOLLOW_QUIET = 8,  /* older files kept open for slow writers */
	SIBLINGS_MAX = 64, /* the opener's limit too */
	READ_SIZE = 256 * 1024
};

/* One path, and its files from the oldest unread one to the current one. */
struct follow {
	struct follow *next;
	struct file_stream *streams; /* oldest first */
	/* Places with no open stream: finished ones, and what a cursor named;
	 * oldest first. */
	struct place past[FOLLOW_PAST];
	size_t past_count;
	struct source_file arriving; /* fd -1: none; a file not known yet */
	bool seen;        /* the path named a file at the last look */
	bool dirty;       /* moved on since the sink heard of it */
	int64_t unsent;   /* bytes read since then */
	uint64_t sent_at; /* uv_hrtime() */
	char path[SOURCE_KEY_MAX];
};

struct source {
	struct source_env env;
	const struct conf_section *conf;
	struct matcher *matcher;
	struct source_cursor *cursors; /* as committed, until a path uses one */
	size_t cursor_count;
	struct follow *follows;
	size_t follow_count;
	struct follow *next_turn; /* who reads first */
	int64_t poll;             /* ms */

	/* What is being read, and the logins of it not yet sent. */
	struct follow *follow;
	struct file_stream *stream;
	int64_t now;
	size_t batched;
	struct login batch[SOURCE_BATCH];

	uv_loop_t *loop;
	uv_poll_t events;
	uv_timer_t tick, soon, quiet;
	uv_idle_t more;
	int handles; /* open ones */
	unsigned ticks, looks;
	bool started, watching, stopped, unwanted;
	bool look;        /* ask the opener what the paths name */
	bool look_beside; /* and what lies beside them */
	bool looked;      /* at least once */
	bool dead;        /* the keeper or the supervisor is gone */
	char *buffer;     /* READ_SIZE */
};

/* An older file is kept so long without a new byte: longer than a writer takes
 * to follow a signal or its own check. */
#define QUIET_NS UINT64_C(10000000000)

struct file_stream *follow_last(const struct follow *f);
/* Takes a stream out of the list; the caller owns it then. */
void follow_unlink(struct follow *f, struct file_stream *s);
void follow_remember(struct follow *f, const struct place *p);
/* The cursor bytes of where it stands. False: nothing to tell yet. */
bool follow_cursor(const struct follow *f, struct source_cursor *out);

/* The keeper or the supervisor is gone: nothing more can be done here. */
void read_give_up(struct source *s);
/* Reads the files of a path, the oldest first. Returns what is left of the
 * allowance; 0 or less: there is more to read. */
int64_t read_follow(struct source *s, struct follow *f, int64_t allowed);
/* Sends what is batched, with the cursor behind it. */
void read_send(struct source *s, struct follow *f);
/* The same when there are logins, or when the cursor alone is due. */
void read_send_due(struct source *s, struct follow *f);
/* Closes older files that nobody writes into any more. */
void read_close_quiet(struct source *s, struct follow *f);

/* Asks what the paths name now, and queues what is new. */
void look_now(struct source *s);
void look_free(struct source *s, struct follow *f);

/* The path has no place yet and may have a cursor: takes that. */
void chase_recall(struct source *s, struct follow *f);
/* The path names another file (f->arriving) than the newest we have, or none
 * although a cursor stands in one: finds out what lies between, and queues it
 * all. */
void chase_new_file(struct source *s, struct follow *f);
/* Queues what appeared beside the path unseen: of two copytruncates at once the
 * second leaves no trace in the file itself. */
void chase_beside(struct source *s, struct follow *f);
/* The file under a stream was truncated: finds the rest of the old content in a
 * copy, queues it before, and begins the stream anew. */
void chase_truncated(
    struct source *s, struct follow *f, struct file_stream *cut);
#endif
