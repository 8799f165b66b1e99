/* SPDX-License-Identifier: ISC */
/*
 * file_stream - see the header.
 *
 * Truncation. A copytruncate leaves inode and descriptor as they are; only the
 * content is another. So after each read, and before any line of it counts,
 * the size must still reach to what was read and the file must still begin with
 * the same bytes. Bytes read before a failed check are thrown away: they may be
 * the middle of a line of the new content. What that loses is at most what the
 * copy of a copytruncate lost anyway. Given up: a file that is truncated and
 * at once filled with the very same first 256 bytes to at least the old size.
 *
 * Holes. A writer without O_APPEND goes on at its old offset after a truncation
 * and leaves a hole of NULs. Text begins behind it: `base`.
 */
#include "file_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"

struct feed {
	struct file_stream *stream;
	int64_t chunk_at;
	line_fn *fn;
	void *ctx;
};

static ssize_t read_at(int fd, void *to, size_t size, int64_t at)
{
	ssize_t n;

	do
		n = pread(fd, to, size, at);
	while (n < 0 && errno == EINTR);
	return n;
}

static size_t leading_nuls(const char *bytes, size_t len)
{
	size_t n = 0;

	while (n < len && bytes[n] == '\0')
		n++;
	return n;
}

static void set_head(struct file_stream *s, size_t len)
{
	s->place.head_len = (uint16_t)len;
	s->place.head_hash = len > 0 ? place_hash(s->head, len) : 0;
}

/*
 * Passes over a hole at the beginning of a file from which no text came yet.
 * When all is hole so far, it stays where it is: NULs may be what a file system
 * shows of a write that is under way.
 */
static void skip_hole(struct file_stream *s)
{
	char bytes[4096];
	int64_t at = s->base;
	off_t data = lseek(s->fd, at, SEEK_DATA);
	ssize_t n;

	if (data > at)
		at = data;
	for (;;) {
		n = read_at(s->fd, bytes, sizeof(bytes), at);
		if (n <= 0)
			return;
		size_t nuls = leading_nuls(bytes, (size_t)n);
		at += (int64_t)nuls;
		if (nuls < (size_t)n)
			break;
	}
	s->base = at;
	if (s->at < at)
		s->at = at;
}

/* The head of a packed file, by a stream of its own. */
static size_t packed_head(struct file_stream *s)
{
	struct inflater *i = inflater_open(s->fd);
	size_t len = 0;
	ssize_t n = 1;

	while (i && len < PLACE_HEAD_MAX && n > 0) {
		n = inflater_read(i, s->head + len, PLACE_HEAD_MAX - len);
		if (n <= 0)
			break;
		size_t got = (size_t)n;
		if (len == 0) {
			size_t nuls = leading_nuls((char *)s->head, got);
			s->base += (int64_t)nuls;
			got -= nuls;
			memmove(s->head, s->head + nuls, got);
		}
		len += got;
	}
	inflater_close(&i);
	return len;
}

static void find_head(struct file_stream *s)
{
	ssize_t n = 0;

	if (s->inflater) {
		set_head(s, packed_head(s));
		return;
	}
	skip_hole(s);
	n = read_at(s->fd, s->head, PLACE_HEAD_MAX, s->base);
	/* A hole and nothing else is no head. */
	if (n > 0 && s->head[0] != 0)
		set_head(s, (size_t)n);
}

static int64_t in_ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

struct file_stream *stream_open(struct source_file *file)
{
	struct file_stream *s = xcalloc(1, sizeof(*s));

	s->fd = take_fd(&file->fd);
	s->inflater = inflater_open(s->fd);
	s->place.dev = file->st.st_dev;
	s->place.ino = file->st.st_ino;
	s->place.size = file->st.st_size;
	s->place.mtime = in_ns(&file->st.st_mtim);
	s->old_end = s->inflater ? INT64_MAX : file->st.st_size;
	s->old_time = s->place.mtime / 1000000;
	s->grown_at = uv_hrtime();
	memcpy(s->name, file->path, sizeof(s->name));
	s->name[sizeof(s->name) - 1] = '\0';
	line_reset(&s->split);
	find_head(s);
	s->at = s->inflater ? 0 : s->base;
	return s;
}

void stream_close(struct file_stream **s)
{
	if (!*s)
		return;
	inflater_close(&(*s)->inflater);
	(void)close((*s)->fd);
	free(*s);
	*s = NULL;
}

void stream_seek(struct file_stream *s, int64_t offset)
{
	s->place.offset = offset;
	/* A packed file is read through from its beginning to there. */
	if (!s->inflater)
		s->at = offset > s->base ? offset : s->base;
}

void stream_touch(struct file_stream *s)
{
	struct stat st;

	if (fstat(s->fd, &st) < 0)
		return;
	s->place.size = st.st_size;
	s->place.mtime = in_ns(&st.st_mtim);
}

void stream_restart(struct file_stream *s)
{
	stream_touch(s);
	s->base = s->at = s->place.offset = 0;
	set_head(s, 0);
	/* What was held is the beginning of a line that has no end. */
	line_reset(&s->split);
	s->skip_before = 0;
	s->old_end = 0;
	s->ended = false;
}

/* Checks what the essay above says, and learns more of a short head. */
static bool is_intact(struct file_stream *s, int64_t end, struct stat *st)
{
	uint8_t head[PLACE_HEAD_MAX];

	if (fstat(s->fd, st) < 0 || st->st_size < end)
		return false;
	ssize_t n = read_at(s->fd, head, sizeof(head), s->base);
	if (n < s->place.head_len ||
	    memcmp(head, s->head, s->place.head_len) != 0)
		return false;
	if (n > s->place.head_len && head[0] != 0) {
		memcpy(s->head, head, (size_t)n);
		set_head(s, (size_t)n);
	}
	s->place.size = st->st_size;
	return true;
}

void stream_look(struct file_stream *s)
{
	struct stat st;

	if (s->inflater)
		return;
	if (s->place.head_len == 0)
		find_head(s);
	/* One that was truncated is for stream_read() to find out. */
	(void)is_intact(s, 0, &st);
}

static void on_line(void *ctx, const char *line, size_t len, size_t end)
{
	const struct feed *f = ctx;
	size_t nuls = leading_nuls(line, len);

	/* First the place, then the line: who takes it may send both away. */
	f->stream->place.offset = f->chunk_at + (int64_t)end;
	f->fn(f->ctx, line + nuls, len - nuls, end);
}

/* Passes len bytes that stand in the file at s->at. */
static void feed(struct file_stream *s, const char *bytes, size_t len,
    line_fn *fn, void *ctx)
{
	struct feed f = { s, s->at, fn, ctx };

	line_feed(&s->split, bytes, len, on_line, &f);
	s->at += (int64_t)len;
	s->grown_at = uv_hrtime();
	/* Behind a dropped line there was no call. */
	if (s->split.held == 0 && !s->split.dropping)
		s->place.offset = s->at;
}

static enum stream_state read_packed(
    struct file_stream *s, char *buffer, size_t size, line_fn *fn, void *ctx)
{
	ssize_t n = inflater_read(s->inflater, buffer, size);
	size_t skip = 0;

	if (n <= 0) {
		errno = 0;
		s->ended = true;
		return n == 0 ? STREAM_END : STREAM_BROKEN;
	}
	/* Not yet where the cursor stands? */
	int64_t from = s->place.offset > s->base ? s->place.offset : s->base;
	if (!s->started && s->at < from) {
		int64_t gap = from - s->at;
		skip = gap < n ? (size_t)gap : (size_t)n;
		s->at += (int64_t)skip;
	}
	if (skip == (size_t)n)
		return STREAM_MORE;
	s->started = true;
	feed(s, buffer + skip, (size_t)n - skip, fn, ctx);
	return STREAM_MORE;
}

enum stream_state stream_read(
    struct file_stream *s, char *buffer, size_t size, line_fn *fn, void *ctx)
{
	struct stat st;

	if (s->inflater)
		return read_packed(s, buffer, size, fn, ctx);
	s->started = true;
	if (s->place.head_len == 0)
		find_head(s);
	/* Nothing but a hole is read as nothing. */
	ssize_t n = 0;
	if (s->place.head_len > 0)
		n = read_at(s->fd, buffer, size, s->at);
	if (n < 0)
		return STREAM_BROKEN;
	if (!is_intact(s, s->at + n, &st))
		return STREAM_CUT;
	if (n > 0)
		feed(s, buffer, (size_t)n, fn, ctx);
	s->ended = n == 0 || s->at >= st.st_size;
	return s->ended ? STREAM_END : STREAM_MORE;
}

bool stream_is_inode(const struct file_stream *s, const struct stat *st)
{
	return s->place.dev == st->st_dev && s->place.ino == st->st_ino;
}

bool stream_is_place(const struct file_stream *s, const struct place *p)
{
	bool same = s->place.dev == p->dev && s->place.ino == p->ino;

	if (p->head_len == 0)
		return same;
	/* The same inode, and shorter: it was truncated since. */
	if (same && !s->inflater && s->place.size < p->offset)
		return false;
	if (s->place.head_len < p->head_len ||
	    place_hash(s->head, p->head_len) != p->head_hash)
		return false;
	/* A short file is known when it is all the same. */
	return same || p->head_len >= PLACE_HEAD_SURE ||
	       p->head_len == s->place.head_len;
}

bool stream_is_copy(const struct file_stream *s, const struct file_stream *of)
{
	size_t len = s->place.head_len < of->place.head_len
			 ? s->place.head_len
			 : of->place.head_len;

	return len >= PLACE_HEAD_SURE && memcmp(s->head, of->head, len) == 0;
}
