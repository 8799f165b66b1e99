/* SPDX-License-Identifier: ISC */
/*
 * file_chase - which file continues which. A rotation can be seen late: after
 * several others, or after a restart, when files were renamed, copied and
 * packed meanwhile. So nothing is concluded from names.
 *
 * Known files are found again by their first bytes (the inode only decides
 * between two that have the same), and read on from where we stood. Unknown
 * ones beside the path count as new, and are read whole, when they were changed
 * since the newest known file was last seen under the path's name; older ones
 * are history. All are read from the oldest to the newest. A packed file that
 * is a copy of a plain one is left alone: it may be half written.
 *
 * Without any known place (no cursor) the path is read from one ttl back, also
 * in the files beside it.
 *
 * Given up: files moved to another directory while we were not running, and a
 * copy that a slow writer changes after more than FILE_CURSOR_PLACES rotations.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "file_follow.h"
#include "file_seek.h"

enum {
	/* A file that is renamed while the directory is read may be seen by
	 * neither of its names. */
	TRIES = 6,
	SECOND = 1000
};

struct chase {
	struct source *source;
	struct follow *follow;
	const char *why;
	struct file_stream *tail; /* the current file, or NULL */
	/* Oldest first. While a look is under way: those of the looks before,
	 * then its own, the newest first. */
	struct file_stream *found[2 * SIBLINGS_MAX + 1];
	size_t count, earlier;
	bool is_new; /* the look has found what none before had */
	struct file_stream *queue, **queue_end;
};

static void tell(const struct chase *c, const struct file_stream *s)
{
	char name[SOURCE_KEY_MAX * 2];

	log_info(LOG_SOURCE_OPEN, "source=%s file=%s offset=%lld why=%s",
	    c->source->env.name,
	    log_quote(s->name, strlen(s->name), name, sizeof(name)),
	    (long long)s->place.offset, c->why);
}

static void tell_gap(
    const struct chase *c, const struct place *p, const char *why)
{
	char path[SOURCE_KEY_MAX * 2], time[CLOCK_TEXT_SIZE];
	const struct follow *f = c->follow;

	clock_print(p->mtime / 1000000, time);
	log_warn(LOG_SOURCE_GAP,
	    "source=%s path=%s why=%s read-to=%lld size-then=%lld changed=%s "
	    "missing=\"what was written behind that\"",
	    c->source->env.name,
	    log_quote(f->path, strlen(f->path), path, sizeof(path)), why,
	    (long long)p->offset, (long long)p->size, time);
}

void chase_recall(struct source *s, struct follow *f)
{
	size_t len = strlen(f->path);
	struct file_cursor c;

	for (size_t i = 0; i < s->cursor_count; i++) {
		const struct source_cursor *k = &s->cursors[i];
		if (k->key_len != len || memcmp(k->key, f->path, len) != 0)
			continue;
		if (k->len > SOURCE_CURSOR_MAX ||
		    !file_cursor_decode(k->bytes, k->len, &c)) {
			log_warn(LOG_SOURCE_GAP,
			    "source=%s why=cursor-not-sound action=\"reading "
			    "back one ttl\"",
			    s->env.name);
			return;
		}
		for (size_t j = 0; j < c.count; j++)
			follow_remember(f, &c.places[j]);
		return;
	}
}

static bool is_open(const struct follow *f, const struct stat *st)
{
	for (const struct file_stream *s = f->streams; s; s = s->next)
		if (stream_is_inode(s, st))
			return true;
	return false;
}

/* Of an earlier look: what is under a name now may have become more. */
static bool replace(struct chase *c, const struct stat *st)
{
	for (size_t i = 0; i < c->earlier; i++)
		if (c->found[i] && stream_is_inode(c->found[i], st)) {
			stream_close(&c->found[i]);
			return true;
		}
	return false;
}

static bool is_found(const struct chase *c, const struct stat *st)
{
	for (size_t i = c->earlier; i < c->count; i++)
		if (stream_is_inode(c->found[i], st))
			return true;
	return false;
}

static void take_sibling(void *ctx, struct source_file *file)
{
	struct chase *c = ctx;

	if (c->count - c->earlier == SIBLINGS_MAX ||
	    is_open(c->follow, &file->st) || is_found(c, &file->st) ||
	    (c->tail && stream_is_inode(c->tail, &file->st))) {
		(void)close(file->fd);
		return;
	}
	if (!replace(c, &file->st))
		c->is_new = true;
	c->found[c->count++] = stream_open(file);
}

static void let_go(struct chase *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->found[i] != c->tail)
			stream_close(&c->found[i]);
	c->count = 0;
}

/* Takes out the places of those that a look has found again, and the oldest
 * when they are too many. */
static void close_ranks(struct chase *c)
{
	size_t kept = 0, some = c->count - c->earlier, gone = 0;

	for (size_t i = 0; i < c->earlier; i++)
		gone += c->found[i] != NULL;
	for (size_t i = 0; i < c->earlier; i++) {
		if (c->found[i] && gone + some <= SIBLINGS_MAX) {
			c->found[kept++] = c->found[i];
		} else if (c->found[i]) {
			stream_close(&c->found[i]);
			gone--;
		}
	}
	for (size_t i = 0; i < some; i++)
		c->found[kept + i] = c->found[c->earlier + i];
	c->earlier = kept;
	c->count = kept + some;
}

/* The opener tells the newest first, of each directory. */
static void sort_by_age(struct chase *c)
{
	struct file_stream **f = c->found;

	for (size_t i = c->earlier, j = c->count; i + 1 < j; i++) {
		struct file_stream *s = f[i];
		f[i] = f[--j];
		f[j] = s;
	}
	for (size_t i = 1; i < c->count; i++) {
		for (size_t j = i; j > 0; j--) {
			struct file_stream *s = f[j];
			if (f[j - 1]->place.mtime <= s->place.mtime)
				break;
			f[j] = f[j - 1];
			f[j - 1] = s;
		}
	}
}

/* The index of the best file that holds the place, or -1: the same inode before
 * a copy, plain before packed. */
static int best(const struct chase *c, const struct place *p)
{
	int found = -1, found_rank = -1;

	for (size_t i = 0; i < c->count; i++) {
		const struct file_stream *s = c->found[i];
		if (!s || !stream_is_place(s, p))
			continue;
		int rank =
		    (s->inflater ? 0 : 1) +
		    (s->place.ino == p->ino && s->place.dev == p->dev ? 2 : 0);
		if (rank > found_rank) {
			found = (int)i;
			found_rank = rank;
		}
	}
	return found;
}

static bool all_found(const struct chase *c)
{
	const struct follow *f = c->follow;

	for (size_t i = 0; i < f->past_count; i++)
		if (!f->past[i].done && best(c, &f->past[i]) < 0 &&
		    !(c->tail && stream_is_place(c->tail, &f->past[i])))
			return false;
	return true;
}

/* A file that was empty when it was opened may have been written, rotated and
 * packed before its packed form was found: only now are they known as one. */
static void look_again(const struct chase *c)
{
	for (size_t i = 0; i < c->count; i++)
		stream_look(c->found[i]);
	for (struct file_stream *s = c->follow->streams; s; s = s->next)
		stream_look(s);
}

/* Looks until a look finds nothing new; what has gone meanwhile stays found.
 * -1: the supervisor is gone. */
static int gather(struct chase *c, bool tail_is_new)
{
	for (int try = 0; try < TRIES; try++) {
		c->earlier = c->count;
		c->is_new = false;
		if (c->source->env.opener(c->source->env.opener_ctx,
			OPEN_SIBLINGS, c->follow->path, take_sibling, c) < 0)
			return -1;
		close_ranks(c);
		sort_by_age(c);
		if (try > 0 && !c->is_new && all_found(c))
			break;
	}
	if (tail_is_new && c->tail)
		c->found[c->count++] = c->tail;
	look_again(c);
	return 0;
}

static void enqueue(struct chase *c, struct file_stream *s)
{
	*c->queue_end = s;
	c->queue_end = &s->next;
	tell(c, s);
}

/* True when the file that holds the place may hold more than was read. */
static bool has_more(const struct file_stream *s, const struct place *p)
{
	bool same = s->place.dev == p->dev && s->place.ino == p->ino;

	if (s->inflater)
		return !p->done || inflate_goes_beyond(s->fd, p->offset);
	/* Who had the old file open may write on; nobody does into a copy. It
	 * can be shorter: it was made before the last lines came. */
	return s->place.size > p->offset || (same && !p->done);
}

/* Takes all files that hold the place out of what was found, and queues the
 * best of them when it holds more. The tail is queued at the end, by itself.
 * True: a stream carries the place now. */
static bool settle(struct chase *c, const struct place *p)
{
	int i = best(c, p);

	if (i < 0)
		return false;
	struct file_stream *chosen = c->found[i];
	c->found[i] = NULL;
	for (int j; (j = best(c, p)) >= 0; c->found[j] = NULL)
		if (c->found[j] != c->tail)
			stream_close(&c->found[j]);
	/* A shorter one under the path's name is another file. */
	if (chosen == c->tail && chosen->place.size < p->offset)
		return false;
	stream_seek(chosen, p->offset);
	if (chosen == c->tail)
		return true;
	if (!has_more(chosen, p)) {
		stream_close(&chosen);
		return false;
	}
	enqueue(c, chosen);
	return true;
}

/* What was known has a stream now, or is lost, or is finished. */
static void settle_past(struct chase *c, const char *why, const char *lost)
{
	struct follow *f = c->follow;
	size_t kept = 0;

	c->why = why;
	for (size_t i = 0; i < f->past_count; i++) {
		struct place p = f->past[i];
		if (!p.done && best(c, &p) < 0)
			tell_gap(c, &p, lost);
		if (settle(c, &p))
			continue;
		p.done = true;
		f->past[kept++] = p;
	}
	f->past_count = kept;
}

/* A file that was saved anew, as editors do: the same text in another inode. */
static void continue_open(struct chase *c)
{
	for (const struct file_stream *s = c->follow->streams; s; s = s->next)
		if (c->tail->place.offset == 0 &&
		    c->tail->place.size >= s->place.offset &&
		    stream_is_place(c->tail, &s->place))
			stream_seek(c->tail, s->place.offset);
}

/* mail.log.1.gz beside mail.log.1, of whose text too little is there yet. */
static bool is_packed_form(
    const struct file_stream *packed, const struct file_stream *plain)
{
	size_t len = strlen(plain->name);

	return packed->place.head_len < PLACE_HEAD_SURE &&
	       strncmp(packed->name, plain->name, len) == 0 &&
	       packed->name[len] == '.' && !strchr(packed->name + len + 1, '.');
}

static bool is_double_of(
    const struct file_stream *s, const struct file_stream *list)
{
	for (; list; list = list->next)
		if (stream_is_copy(s, list) ||
		    (s->inflater && is_packed_form(s, list)))
			return true;
	return false;
}

/* Something else of what was found, or of what is open, has this text. */
static bool is_double(const struct chase *c, size_t i)
{
	const struct file_stream *s = c->found[i];

	for (size_t j = 0; j < c->count; j++) {
		const struct file_stream *o = c->found[j];
		if (!o || j == i)
			continue;
		/* Of two plain ones the older is read. */
		if (s->inflater && !o->inflater &&
		    (is_packed_form(s, o) || stream_is_copy(s, o)))
			return true;
		if (!s->inflater == !o->inflater && j < i &&
		    stream_is_copy(s, o))
			return true;
	}
	return is_double_of(s, c->follow->streams) || is_double_of(s, c->queue);
}

static int64_t stamp(void *ctx, const char *line, size_t len)
{
	const struct source *s = ctx;

	return matcher_time(s->matcher, line, len, s->now, s->env.max_skew);
}

/* Sets a file of a path without a cursor to one ttl back. */
static void go_back(struct chase *c, struct file_stream *f)
{
	struct source *s = c->source;
	/* Stamps have seconds; whose second began before is read. */
	int64_t since = s->now - s->env.ttl - SECOND;
	bool stamped;
	int64_t start;

	if (f->place.head_len == 0)
		return;
	c->why = "one-ttl-back";
	f->skip_before = since;
	if (f->inflater)
		return;
	start =
	    file_seek(f->fd, f->base, f->place.size, since, stamp, s, &stamped);
	if (!stamped) {
		/* What appears while we run is new, all of it. */
		f->skip_before = 0;
		if (s->looked)
			start = 0;
	}
	stream_seek(f, start > f->base ? start : 0);
}

/* Queues what is not known: all that changed since `since` (ns). */
static void queue_unknown(struct chase *c, int64_t since, bool first)
{
	for (size_t i = 0; i < c->count; i++) {
		struct file_stream *s = c->found[i];
		if (!s || s == c->tail)
			continue;
		if (s->place.mtime < since || s->place.head_len == 0 ||
		    is_double(c, i))
			continue;
		c->found[i] = NULL;
		c->why = "missed-file";
		if (first)
			go_back(c, s);
		enqueue(c, s);
	}
}

/* A place is told as long as its file is read, and then stands for "newer than
 * this": it must not be later than any file behind it. */
static void order_times(struct file_stream *s)
{
	if (!s->next)
		return;
	order_times(s->next);
	if (s->place.mtime > s->next->place.mtime)
		s->place.mtime = s->next->place.mtime;
}

/* Puts the queue before the stream `before`, or at the end (NULL). */
static void link_queue(struct chase *c, const struct file_stream *before)
{
	struct file_stream **link = &c->follow->streams;

	if (!c->queue)
		return;
	order_times(c->queue);
	while (*link && *link != before)
		link = &(*link)->next;
	*c->queue_end = *link;
	*link = c->queue;
	c->follow->dirty = true;
}

static void chase_init(struct chase *c, struct source *s, struct follow *f)
{
	memset(c, 0, sizeof(*c));
	c->source = s;
	c->follow = f;
	c->queue_end = &c->queue;
	s->now = clock_now().wall;
}

/* The path names a file that is open already, as when a rotation is undone. */
static bool came_back(struct follow *f)
{
	struct file_stream *s = f->streams;

	while (s && !stream_is_inode(s, &f->arriving.st))
		s = s->next;
	if (!s)
		return false;
	(void)close(take_fd(&f->arriving.fd));
	follow_unlink(f, s);
	*(f->streams ? &follow_last(f)->next : &f->streams) = s;
	return true;
}

/* Files changed since then (ns) may be new to us. After a restart that is the
 * oldest file not read to its end: what lies behind it was perhaps not begun.
 */
static int64_t known_until(const struct follow *f)
{
	const struct file_stream *last = follow_last(f);
	int64_t oldest = INT64_MAX;

	if (last)
		return last->place.mtime;
	for (size_t i = 0; i < f->past_count; i++)
		if (!f->past[i].done && f->past[i].mtime < oldest)
			oldest = f->past[i].mtime;
	if (oldest == INT64_MAX && f->past_count > 0)
		oldest = f->past[f->past_count - 1].mtime;
	return oldest;
}

void chase_new_file(struct source *s, struct follow *f)
{
	bool first = !f->streams && f->past_count == 0;
	int64_t since = known_until(f);
	struct chase c;

	if (f->arriving.fd >= 0 && came_back(f))
		return;
	chase_init(&c, s, f);
	if (first)
		since = (s->now - s->env.ttl - SECOND) * 1000000;
	if (f->arriving.fd >= 0)
		c.tail = stream_open(&f->arriving);
	if (gather(&c, true) < 0)
		s->dead = true;
	settle_past(&c, "cursor", "file-not-found");
	queue_unknown(&c, since, first);
	if (c.tail) {
		continue_open(&c);
		c.why = c.tail->place.offset > 0 ? "cursor" : "new-file";
		if (first)
			go_back(&c, c.tail);
		enqueue(&c, c.tail);
	}
	link_queue(&c, NULL);
	let_go(&c);
}

void chase_beside(struct source *s, struct follow *f)
{
	struct file_stream *last = follow_last(f);
	int64_t since = last->place.mtime;
	struct chase c;

	chase_init(&c, s, f);
	c.tail = last;
	/* What changes from now on is for the next time. */
	stream_touch(last);
	if (gather(&c, false) < 0)
		s->dead = true;
	settle_past(&c, "cursor", "file-not-found");
	queue_unknown(&c, since, false);
	link_queue(&c, last);
	let_go(&c);
}

void chase_truncated(
    struct source *s, struct follow *f, struct file_stream *cut)
{
	struct place lost = cut->place;
	int64_t since = cut->place.mtime;
	struct chase c;

	chase_init(&c, s, f);
	c.tail = cut;
	/* Copies made from now on are newer than this. */
	stream_restart(cut);
	f->dirty = true;
	if (lost.head_len > 0)
		follow_remember(f, &lost);
	if (gather(&c, false) < 0)
		s->dead = true;
	settle_past(&c, "copy", "truncated");
	queue_unknown(&c, since, false);
	link_queue(&c, cut);
	c.why = "truncated";
	tell(&c, cut);
	let_go(&c);
}
