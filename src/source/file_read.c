/* SPDX-License-Identifier: ISC */
/*
 * file_read - reads the files of one path, oldest first, passes the logins and
 * the cursor behind them to the sink, and closes files that have come to rest.
 * Called by: file.c's turns.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "file_follow.h"

enum { CURSOR_BYTES = 4 * 1024 * 1024 /* told at the latest */ };

#define SEC_NS UINT64_C(1000000000)

void read_give_up(struct source *s)
{
	s->dead = true;
	(void)uv_idle_stop(&s->more);
	uv_stop(s->loop);
}

/* Sends what is batched, with the cursor behind it. */
void read_send(struct source *s, struct follow *f)
{
	struct source_cursor cursor;
	const struct source_cursor *told = &cursor;

	if (!follow_cursor(f, &cursor))
		told = NULL;
	if (s->dead || (!told && s->batched == 0))
		return;
	if (s->env.sink(s->env.sink_ctx, told, s->batch, s->batched) < 0) {
		read_give_up(s);
		return;
	}
	s->batched = 0;
	f->dirty = false;
	f->unsent = 0;
	f->sent_at = uv_hrtime();
}

/* Logins at once; a mere cursor is not worth a commit for each line. */
void read_send_due(struct source *s, struct follow *f)
{
	if (s->batched > 0 ||
	    (f->dirty && (f->unsent >= CURSOR_BYTES ||
			     uv_hrtime() - f->sent_at >= SEC_NS)))
		read_send(s, f);
}

/* False: the line is from before what is to be read. */
static bool is_young(struct source *s, const char *line, size_t len)
{
	struct file_stream *f = s->stream;

	if (f->skip_before == 0)
		return true;
	if (matcher_time(s->matcher, line, len, s->now, s->env.max_skew) <
	    f->skip_before)
		return false;
	f->skip_before = 0;
	return true;
}

static void on_line(void *ctx, const char *line, size_t len, size_t end)
{
	struct source *s = ctx;
	const struct file_stream *f = s->stream;
	struct login *login = &s->batch[s->batched];

	(void)end;
	if (s->dead || !is_young(s, line, len))
		return;
	if (matcher_line(s->matcher, line, len, s->now, s->env.max_skew,
		login) == LOGIN_NOTHING)
		return;
	/* A line without a time counts as written now. If it lay there before
	 * we came, it is as old as the file's last change at the least. */
	if (f->place.offset <= f->old_end && login->time > f->old_time &&
	    matcher_time(s->matcher, line, len, s->now, s->env.max_skew) < 0)
		login->time = f->old_time;
	if (++s->batched == SOURCE_BATCH)
		read_send(s, s->follow);
}

static void tell_error(struct source *s, const char *name, int error)
{
	char quoted[SOURCE_KEY_MAX * 2];

	log_error(LOG_SOURCE_ERROR, "source=%s file=%s error=\"%s\"",
	    s->env.name, log_quote(name, strlen(name), quoted, sizeof(quoted)),
	    error ? strerror(error) : "the packed file is damaged");
}

static void tell_dropped(struct source *s, const struct file_stream *f)
{
	char name[SOURCE_KEY_MAX * 2];

	log_warn(LOG_SOURCE_LINE, "source=%s file=%s why=too-long limit=%d",
	    s->env.name,
	    log_quote(f->name, strlen(f->name), name, sizeof(name)),
	    LINE_MAX_BYTES);
}

static void finish(struct follow *f, struct file_stream *s)
{
	s->place.done = true;
	follow_unlink(f, s);
	follow_remember(f, &s->place);
	stream_close(&s);
	f->dirty = true;
}

/* Reads one chunk of a stream; what its state means for the path. */
static enum stream_state read_chunk(
    struct source *s, struct follow *f, struct file_stream *stream)
{
	uint64_t dropped = stream->split.dropped;
	int64_t at = stream->at;
	enum stream_state state;

	s->follow = f;
	s->stream = stream;
	s->now = clock_now().wall;
	state = stream_read(stream, s->buffer, READ_SIZE, on_line, s);
	s->stream = NULL;
	if (stream->split.dropped != dropped)
		tell_dropped(s, stream);
	if (stream->at != at) {
		f->unsent += stream->at - at;
		f->dirty = true;
	}
	return state;
}

/* Reads the files of a path, the oldest first. Returns what is left of the
 * allowance; 0: there is more to read. */
int64_t read_follow(struct source *s, struct follow *f, int64_t allowed)
{
	struct file_stream *stream = f->streams, *next;

	while (stream && allowed > 0 && !s->dead) {
		int64_t at = stream->at;
		switch (read_chunk(s, f, stream)) {
		case STREAM_MORE:
			allowed -= stream->at - at;
			continue;
		case STREAM_CUT:
			read_send_due(s, f);
			chase_truncated(s, f, stream);
			return 0;
		case STREAM_BROKEN:
			tell_error(s, stream->name, errno);
			break;
		case STREAM_END:
			break;
		}
		next = stream->next;
		/* Nobody writes on into a packed file. */
		if (stream->inflater)
			finish(f, stream);
		stream = next;
	}
	return s->dead ? 1 : allowed;
}

static size_t count(const struct follow *f)
{
	size_t n = 0;

	for (const struct file_stream *s = f->streams; s; s = s->next)
		n++;
	return n;
}

/* True when nobody seems to write into this stream any more. */
static bool is_at_rest(const struct follow *f, const struct file_stream *s)
{
	const struct file_stream *last = follow_last(f);
	struct stat st;

	if (uv_hrtime() - s->grown_at <= QUIET_NS)
		return false;
	/* A deleted file keeps its blocks as long as it is open. */
	if (s == last)
		return !f->seen && fstat(s->fd, &st) == 0 && st.st_nlink == 0;
	/* Has a writer come to the new file yet? */
	return last->place.head_len > 0;
}

void read_close_quiet(struct source *s, struct follow *f)
{
	struct file_stream *stream = f->streams, *next;

	for (; stream && stream->started && stream->ended; stream = next) {
		next = stream->next;
		/* Rotations faster than writers: the oldest has to go. */
		if (is_at_rest(f, stream) || count(f) > FOLLOW_QUIET + 1)
			finish(f, stream);
	}
	read_send_due(s, f);
}
