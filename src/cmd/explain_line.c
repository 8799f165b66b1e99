/* SPDX-License-Identifier: ISC */
/*
 * explain_line - the log line behind a lease: the files of its source, the
 * rotated ones too, read with the same patterns by the same opener and streams
 * as the daemon's reader. Plain files are searched by time, so a large one
 * costs little; what is read is bounded all the same, and whoever asks is told
 * when that was not enough.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/opener.h"
#include "explain.h"
#include "pattern/pattern.h"
#include "source/file_seek.h"
#include "source/file_stream.h"

enum {
	FILES_MAX = 64,
	CHUNK = 256 * 1024,
	/* A login told by several lines began before its last one. */
	BEFORE_MS = 10 * 60 * 1000
};
#define READ_MAX ((int64_t)1 << 30) /* bytes, for all leases of a run */
/* Of a file, before the place searched: bytes in which lines are counted. */
#define COUNT_MAX ((int64_t)1 << 30)

/* The files of one source, and what reads them. */
struct search {
	const struct told_lease *lease;
	struct origin *out;
	/* Kept for the leases of the same source. */
	const struct conf_section *source;
	struct opener *opener;
	struct patterns *patterns;
	struct matcher *matcher;
	int64_t now, skew;
	int64_t left;  /* bytes that may still be read */
	uint64_t line; /* number of the line that was read last */
	bool counted;  /* so that it is known */
	bool exact;    /* a line of the very time was found */
	bool past;     /* lines are younger than any that could be it */
	size_t count;
	struct source_file files[FILES_MAX];
	struct file_stream *stream;
};

/* --- lines ---------------------------------------------------------------- */

bool origin_is(
    const struct told_lease *l, const struct login *login, int64_t skew)
{
	struct net net;

	/* A stamp ahead of the arrival counts as the arrival. */
	return (login->kind == LOGIN_IN || login->kind == LOGIN_ALIVE) &&
	       strlen(l->user) == login->user_len &&
	       memcmp(l->user, login->user, login->user_len) == 0 &&
	       net_parse(l->address, strlen(l->address), &net) &&
	       net_contains(&net, &login->addr) && login->time >= l->last &&
	       login->time <= l->last + skew;
}

static void keep(struct search *s, const char *line, size_t len)
{
	struct origin *o = s->out;

	o->state = ORIGIN_LINE;
	(void)snprintf(o->file, sizeof(o->file), "%s", s->stream->name);
	o->number = s->counted ? s->line + s->stream->split.dropped : 0;
	o->offset = s->stream->place.offset - (int64_t)len - 1;
	free(o->text);
	o->text = xstrndup(line, len);
	o->text_len = len;
}

static void on_line(void *ctx, const char *line, size_t len, size_t end)
{
	struct search *s = ctx;
	struct login l;

	(void)end;
	s->line++;
	if (s->past || matcher_line(s->matcher, line, len, s->now, s->skew,
			   &l) == LOGIN_NOTHING)
		return;
	s->past = l.time > s->lease->last + s->skew + BEFORE_MS;
	if (s->exact || !origin_is(s->lease, &l, s->skew))
		return;
	s->exact = l.time == s->lease->last;
	if (s->exact || s->out->state != ORIGIN_LINE)
		keep(s, line, len);
}

/* --- one file ------------------------------------------------------------- */

static int64_t stamp(void *ctx, const char *line, size_t len)
{
	struct search *s = ctx;

	return matcher_time(s->matcher, line, len, s->now, s->skew);
}

/* How many lines end before `to`; -1 when that would cost too much. */
static int64_t count_lines(int fd, int64_t to, char *buffer)
{
	int64_t lines = 0, at = 0;

	if (to > COUNT_MAX)
		return -1;
	while (at < to) {
		size_t want = to - at < CHUNK ? (size_t)(to - at) : CHUNK;
		ssize_t n = pread(fd, buffer, want, at);
		const char *p = buffer;

		if (n <= 0)
			return -1;
		while ((p = memchr(p, '\n', (size_t)(buffer + n - p)))) {
			lines++;
			p++;
		}
		at += n;
	}
	return lines;
}

/* Sets the stream to the lines of about the time. Packed ones are read from
 * their beginning. */
static void go_near(struct search *s, char *buffer)
{
	struct file_stream *f = s->stream;
	bool stamped = false;
	int64_t at, lines = 0;

	if (!f->inflater) {
		at = file_seek(f->fd, f->base, f->place.size,
		    s->lease->last - BEFORE_MS, stamp, s, &stamped);
		if (!stamped)
			at = f->base;
		lines = count_lines(f->fd, at, buffer);
		stream_seek(f, at);
	}
	s->counted = lines >= 0;
	s->line = s->counted ? (uint64_t)lines : 0;
	s->past = false;
}

static void read_file(struct search *s, struct source_file *file, char *buffer)
{
	enum stream_state state = STREAM_MORE;

	s->stream = stream_open(file);
	go_near(s, buffer);
	while (state == STREAM_MORE && !s->exact && !s->past && s->left > 0) {
		state = stream_read(s->stream, buffer, CHUNK, on_line, s);
		s->left -= CHUNK;
	}
	stream_close(&s->stream);
}

/* --- the files of a source ------------------------------------------------ */

static int64_t changed(const struct source_file *f)
{
	return (int64_t)f->st.st_mtim.tv_sec * 1000 +
	       f->st.st_mtim.tv_nsec / 1000000;
}

/* One that was last written before the login cannot hold it. */
static void on_file(void *ctx, struct source_file *file)
{
	struct search *s = ctx;

	if (s->count == FILES_MAX || changed(file) + s->skew < s->lease->last) {
		(void)close(file->fd);
		return;
	}
	s->files[s->count++] = *file;
}

static int older_first(const void *left, const void *right)
{
	int64_t a = changed(left), b = changed(right);

	return (a > b) - (a < b);
}

static void open_files(struct search *s)
{
	size_t current;

	s->count = 0;
	(void)opener_run(s->opener, OPEN_CURRENT, NULL, on_file, s);
	current = s->count;
	for (size_t i = 0; i < current; i++)
		(void)opener_run(
		    s->opener, OPEN_SIBLINGS, s->files[i].path, on_file, s);
	/* Of those that were written since, the oldest has it most likely. */
	if (s->count)
		qsort(s->files, s->count, sizeof(*s->files), older_first);
}

static void leave_source(struct search *s)
{
	matcher_free(&s->matcher);
	patterns_close(&s->patterns);
	opener_free(&s->opener);
	s->source = NULL;
}

/* False: its patterns cannot be read. */
static bool enter_source(struct search *s, const struct conf *conf,
    const struct conf_section *source)
{
	if (s->source == source)
		return true;
	leave_source(s);
	s->patterns = source_patterns(conf, source, NULL);
	if (!s->patterns)
		return false;
	s->matcher = matcher_new(s->patterns);
	matcher_annotated(s->matcher, conf_number(source, "annotated") != 0);
	s->opener = opener_for(source, -1);
	s->source = source;
	return true;
}

static void find_line(struct search *s, const struct conf *conf,
    const struct conf_section *source)
{
	AUTO_FREE char *buffer = xmalloc(CHUNK);

	s->exact = false;
	s->out->state = ORIGIN_UNREADABLE;
	if (!enter_source(s, conf, source))
		return;
	open_files(s);
	if (s->count)
		s->out->state = ORIGIN_MISSING;
	for (size_t i = 0; i < s->count; i++) {
		if (!s->exact && s->left > 0)
			read_file(s, &s->files[i], buffer);
		else
			(void)close(s->files[i].fd);
	}
	if (s->out->state == ORIGIN_MISSING && s->left <= 0)
		s->out->state = ORIGIN_LIMIT;
}

/* --- leases --------------------------------------------------------------- */

static const struct conf_section *find_source(
    const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf_count(conf, "source"); i++) {
		const struct conf_section *s = conf_at(conf, "source", i);
		if (strcmp(conf_name(s), name) == 0)
			return s;
	}
	return NULL;
}

/* The journal has an index by time, and its own program to ask it. */
static void say_command(struct origin *o, const struct told_lease *l,
    const struct conf_section *source)
{
	const char *dir = conf_string(source, "directory");
	char address[NET_TEXT_SIZE];
	long long second = l->last / 1000;

	(void)snprintf(address, sizeof(address), "%s", l->address);
	address[strcspn(address, "/")] = '\0';
	o->state = ORIGIN_JOURNAL;
	(void)snprintf(o->command, sizeof(o->command),
	    "journalctl%s%s --since=@%lld --until=@%lld --grep=%s",
	    *dir ? " --directory=" : "", dir, second, second + 1, address);
}

static void find_one(
    struct search *s, const struct conf *conf, struct told_lease *l)
{
	const struct conf_section *source = find_source(conf, l->source);
	struct origin *o = &l->origin;

	s->lease = l;
	s->out = o;
	o->state = ORIGIN_UNKNOWN;
	if (!source && strcmp(l->source, "import") == 0)
		o->state = ORIGIN_IMPORT;
	else if (!source && l->by_hand)
		o->state = ORIGIN_HAND;
	if (!source)
		return;
	(void)snprintf(o->kind, sizeof(o->kind), "%s", conf_kind(source));
	if (strcmp(o->kind, "file") == 0)
		find_line(s, conf, source);
	else if (strcmp(o->kind, "journal") == 0)
		say_command(o, l, source);
	else
		o->state = ORIGIN_NOTICE;
}

void origin_find(struct told *t, const struct conf *conf)
{
	AUTO_FREE struct search *s = xcalloc(1, sizeof(*s));

	/* The opener tells what it must not read, but not what is missing. */
	log_set_level(LOG_LEVEL_WARN);
	s->now = clock_now().wall;
	s->skew = conf_number(conf_at(conf, "lease", 0), "max-skew");
	s->left = READ_MAX;
	for (size_t i = 0; i < t->lease_count; i++)
		find_one(s, conf, &t->leases[i]);
	leave_source(s);
}
