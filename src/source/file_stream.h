/* SPDX-License-Identifier: ISC */
/*
 * file_stream - one open log file, plain or packed, read forward in chunks and
 * cut into lines. It notices when the file under it was truncated or written
 * anew. Called by: file.c, file_chase.c. Uses given descriptors only.
 */
#ifndef SOURCE_FILE_STREAM_H
#define SOURCE_FILE_STREAM_H
#include "base/line.h"
#include "file_cursor.h"
#include "inflate.h"

struct file_stream {
	struct file_stream *next; /* the newer file of the same path */
	int fd;
	struct inflater *inflater; /* NULL: plain */
	struct place place;
	int64_t base; /* where text begins: behind a hole */
	int64_t at;   /* next byte to read */
	/* Lines before the first one stamped so late are passed over; ms, 0:
	 * none are. */
	int64_t skip_before;
	/* What was there when it was opened, and since when at the latest (wall
	 * ms): the time of its lines that carry none. */
	int64_t old_end, old_time;
	uint64_t grown_at; /* uv_hrtime() of the last new byte */
	bool started;      /* was read from */
	bool ended;        /* its end was met at the last read */
	uint8_t head[PLACE_HEAD_MAX];
	struct line_splitter split;
	char name[SOURCE_KEY_MAX]; /* for log lines */
};

enum stream_state {
	STREAM_MORE,  /* call again */
	STREAM_END,   /* all there is for now; all at all, when packed */
	STREAM_CUT,   /* what was read is no longer there: truncated */
	STREAM_BROKEN /* cannot be read; errno, or 0 for a damaged pack */
};

/* Takes the descriptor out of *file. At the beginning of its text. */
struct file_stream *stream_open(struct source_file *file);
void stream_close(struct file_stream **s);
/* Sets where reading goes on; behind an LF. */
void stream_seek(struct file_stream *s, int64_t offset);
/* Reads one chunk into buffer and passes its lines. */
enum stream_state stream_read(
    struct file_stream *s, char *buffer, size_t size, line_fn *fn, void *ctx);
/* Takes size and time of change as they are now. */
void stream_touch(struct file_stream *s);
/* Learns how much is there now, and more of a beginning that was short. */
void stream_look(struct file_stream *s);
/* After STREAM_CUT: to the beginning of whatever is there now. */
void stream_restart(struct file_stream *s);
/* True when the file's text begins with what the place was read from. */
bool stream_is_place(const struct file_stream *s, const struct place *p);
/* True when one begins with all that is known of the other's beginning. */
bool stream_is_copy(const struct file_stream *s, const struct file_stream *of);
/* True: the same inode, whatever it holds. */
bool stream_is_inode(const struct file_stream *s, const struct stat *st);
#endif
