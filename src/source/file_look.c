/* SPDX-License-Identifier: ISC */
/*
 * file_look - what the configured paths name now: asks the opener, keeps the
 * list of followed paths, and has each new file put into its place
 * (file_chase). Called by: file.c's turns.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "file_follow.h"

static struct follow *find_follow(struct source *s, const char *path)
{
	struct follow *f = s->follows;

	while (f && strcmp(f->path, path) != 0)
		f = f->next;
	return f;
}

void look_free(struct source *s, struct follow *f)
{
	struct follow **link = &s->follows;

	while (*link != f)
		link = &(*link)->next;
	*link = f->next;
	s->follow_count--;
	s->next_turn = NULL;
	for (struct file_stream *i = f->streams, *next; i; i = next) {
		next = i->next;
		stream_close(&i);
	}
	if (f->arriving.fd >= 0)
		(void)close(f->arriving.fd);
	free(f);
}

/* Makes room by a path that names nothing any more. */
static bool make_room(struct source *s)
{
	for (struct follow *f = s->follows; f; f = f->next) {
		if (f->seen || f->streams)
			continue;
		look_free(s, f);
		return true;
	}
	return false;
}

static struct follow *add_follow(struct source *s, const char *path)
{
	struct follow **link = &s->follows, *f;

	if (s->follow_count >= FOLLOW_MAX && !make_room(s))
		return NULL;
	f = xcalloc(1, sizeof(*f));
	f->arriving.fd = -1;
	memcpy(f->path, path, strnlen(path, sizeof(f->path) - 1));
	chase_recall(s, f);
	while (*link)
		link = &(*link)->next;
	*link = f;
	s->follow_count++;
	return f;
}

/* A file that another of our paths named before is read there to its end. */
static bool is_read_elsewhere(
    const struct source *s, const char *path, const struct stat *st)
{
	for (const struct follow *f = s->follows; f; f = f->next)
		for (const struct file_stream *i = f->streams; i; i = i->next)
			if (stream_is_inode(i, st) &&
			    strcmp(f->path, path) != 0)
				return true;
	return false;
}

/* And when that is done, it is known here how far it was read. */
static void inherit(struct source *s, struct follow *to, const struct stat *st)
{
	for (const struct follow *f = s->follows; f; f = f->next)
		for (size_t i = 0; f != to && i < f->past_count; i++)
			if (f->past[i].dev == st->st_dev &&
			    f->past[i].ino == st->st_ino)
				follow_remember(to, &f->past[i]);
}

static void on_current(void *ctx, struct source_file *file)
{
	struct source *s = ctx;
	struct follow *f = find_follow(s, file->path);
	bool elsewhere = is_read_elsewhere(s, file->path, &file->st);
	struct file_stream *last;

	if (!f && !elsewhere)
		f = add_follow(s, file->path);
	if (!f || f->seen || elsewhere) {
		(void)close(file->fd);
		return;
	}
	f->seen = true;
	last = follow_last(f);
	if (last && stream_is_inode(last, &file->st)) {
		(void)close(file->fd);
		return;
	}
	f->arriving = *file;
	if (!f->streams)
		inherit(s, f, &file->st);
}

/* Paths that have a cursor, but no file at the start: the rest may lie beside
 * them, rotated. */
static void recall_missing(struct source *s)
{
	size_t globs = conf_list_size(s->conf, "path");
	char path[SOURCE_KEY_MAX];

	for (size_t i = 0; i < s->cursor_count; i++) {
		const struct source_cursor *c = &s->cursors[i];
		if (c->key_len == 0 || c->key_len >= sizeof(path))
			continue;
		memcpy(path, c->key, c->key_len);
		path[c->key_len] = '\0';
		for (size_t j = 0; j < globs && !find_follow(s, path); j++) {
			if (fnmatch(conf_list_at(s->conf, "path", j), path,
				FNM_PATHNAME | FNM_PERIOD) != 0)
				continue;
			struct follow *f = add_follow(s, path);
			if (f)
				chase_new_file(s, f);
		}
	}
}

/* Asks what the paths name now. Answers are only kept while they come in: the
 * opener cannot be asked the next thing before it has finished. */
void look_now(struct source *s)
{
	s->look = false;
	for (struct follow *f = s->follows; f; f = f->next)
		f->seen = false;
	if (s->env.opener(
		s->env.opener_ctx, OPEN_CURRENT, NULL, on_current, s) < 0) {
		read_give_up(s);
		return;
	}
	for (struct follow *f = s->follows; f; f = f->next)
		if (f->arriving.fd >= 0)
			chase_new_file(s, f);
		else if (s->look_beside && f->streams)
			chase_beside(s, f);
	s->look_beside = false;
	if (!s->looked)
		recall_missing(s);
	s->looked = true;
	if (s->dead)
		read_give_up(s);
}
