/* SPDX-License-Identifier: ISC */
/*
 * file_follow - the list of files of one path, and the cursor made of it.
 */
#include "file_follow.h"

#include <string.h>

struct file_stream *follow_last(const struct follow *f)
{
	struct file_stream *s = f->streams;

	while (s && s->next)
		s = s->next;
	return s;
}

void follow_unlink(struct follow *f, struct file_stream *s)
{
	struct file_stream **link = &f->streams;

	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	s->next = NULL;
}

void follow_remember(struct follow *f, const struct place *p)
{
	if (f->past_count == FOLLOW_PAST) {
		f->past_count--;
		memmove(f->past, f->past + 1, f->past_count * sizeof(*f->past));
	}
	f->past[f->past_count++] = *p;
}

/* Makes room: what is finished goes first, then what is oldest. */
static void drop_one(struct place *places, size_t *count)
{
	size_t i = 0;

	while (i < *count && !places[i].done)
		i++;
	if (i == *count)
		i = 0;
	(*count)--;
	memmove(places + i, places + i + 1, (*count - i) * sizeof(*places));
}

static void add(struct place *places, size_t *count, const struct place *p)
{
	if (*count == FILE_CURSOR_PLACES)
		drop_one(places, count);
	places[(*count)++] = *p;
}

/*
 * Files that were not begun are left out: a restart finds them again, for they
 * are newer than what is told. The last place decides what "newer" is.
 */
bool follow_cursor(const struct follow *f, struct source_cursor *out)
{
	struct file_cursor c = { 0 };

	for (size_t i = 0; i < f->past_count; i++)
		add(c.places, &c.count, &f->past[i]);
	for (const struct file_stream *s = f->streams; s; s = s->next) {
		struct place p = s->place;
		if (!s->started && p.offset == 0)
			continue;
		p.done = s->ended && s->next && s->split.held == 0 &&
			 !s->split.dropping;
		add(c.places, &c.count, &p);
	}
	if (c.count == 0)
		return false;
	memset(out, 0, sizeof(*out));
	out->key_len = (uint16_t)strlen(f->path);
	memcpy(out->key, f->path, out->key_len);
	out->len = (uint16_t)file_cursor_encode(&c, out->bytes);
	return true;
}
