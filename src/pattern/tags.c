/* SPDX-License-Identifier: ISC */
/*
 * tags - which set a program's lines go to: a hash of exact names, a few that
 * end in '*', and the bits of the quick look. Filled by pattern.c, asked by
 * matcher.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine.h"

/* Not a search for a stranger's key: names are few and our own. */
static uint64_t tag_hash(const char *name, size_t len)
{
	uint64_t head = 0, tail = 0;

	if (len >= 8) {
		memcpy(&head, name, 8);
		memcpy(&tail, name + len - 8, 8);
	} else {
		for (size_t i = 0; i < len; i++)
			head = head << 8 | (unsigned char)name[i];
	}
	head = (head ^ (tail + len) * 0x9E3779B97F4A7C15) * 0xD6E8FEB86659FD93;
	return head ^ head >> 32;
}

void engine_table_init(struct tag_table *t, size_t names)
{
	t->mask = 15;
	while (t->mask < names * 4)
		t->mask = t->mask * 2 + 1;
	t->slots = xcalloc(t->mask + 1, sizeof(*t->slots));
	t->stars = xcalloc(names + 1, sizeof(*t->stars));
}

void engine_table_add(
    struct tag_table *t, const char *name, const struct set *set)
{
	size_t len = strlen(name), at;
	bool star = name[len - 1] == '*';
	struct tag tag = { name, len - star, 0, set };

	tag.hash = tag_hash(name, tag.len);
	if (!star) {
		for (at = tag.hash & t->mask; t->slots[at].set;)
			at = (at + 1) & t->mask;
		t->slots[at] = tag;
		return;
	}
	for (at = t->star_count++; at > 0 && t->stars[at - 1].len < tag.len;
	     at--)
		t->stars[at] = t->stars[at - 1];
	t->stars[at] = tag;
}

const struct set *engine_find(
    const struct tag_table *t, const char *name, size_t len)
{
	uint64_t hash = tag_hash(name, len);

	for (size_t at = hash & t->mask; t->slots[at].set;
	     at = (at + 1) & t->mask) {
		const struct tag *tag = &t->slots[at];

		if (tag->hash == hash && tag->len == len &&
		    !memcmp(tag->name, name, len))
			return tag->set;
	}
	for (size_t i = 0; i < t->star_count; i++)
		if (len >= t->stars[i].len &&
		    !memcmp(t->stars[i].name, name, t->stars[i].len))
			return t->stars[i].set;
	return NULL;
}

void engine_quick_add(struct patterns *p, const char *name, size_t len)
{
	char key[3] = { 0 };

	memcpy(key, name, len < 3 ? len : 3);
	/* A shorter name has any byte behind it. */
	for (unsigned i = 0; i < (len < 2 ? 65536 : len < 3 ? 256 : 1); i++) {
		uint32_t bit;

		if (len < 3)
			key[2] = (char)i;
		if (len < 2)
			key[1] = (char)(i >> 8);
		bit = quick_hash(key);
		p->quick[bit / 8] |= (uint8_t)(1U << bit % 8);
	}
}

/* Words that busybox writes before a program; header.c knows them in full. */
void engine_quick_add_facilities(struct patterns *p)
{
	static const char *const heads[] = { "kern", "user", "mail", "daemon",
		"auth", "syslog", "lpr", "news", "uucp", "cron", "ftp",
		"local" };

	for (size_t i = 0; i < COUNT_OF(heads); i++)
		engine_quick_add(p, heads[i], 3);
}
