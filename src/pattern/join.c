/* SPDX-License-Identifier: ISC */
/*
 * join - a small table of open connections, for servers that write address and
 * result in two lines. Called by matcher.c only.
 */
#include "join.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* 16384 connections at once; a host or program name that is longer than its
 * field is never joined. */
enum { ROWS = 2048, WAYS = 8, HOST_SIZE = 64, TAG_SIZE = 32 };

struct entry {
	bool used;
	uint8_t host_len, tag_len;
	uint32_t pid;
	int64_t time;
	struct addr addr;
	char host[HOST_SIZE], tag[TAG_SIZE];
};

struct join {
	struct entry rows[ROWS][WAYS];
};

struct join *join_new(void)
{
	return xcalloc(1, sizeof(struct join));
}

void join_free(struct join **j)
{
	free(*j);
	*j = NULL;
}

static bool is_joinable(const struct header *h)
{
	return h->pid && h->host_len <= HOST_SIZE && h->tag_len <= TAG_SIZE;
}

static struct entry *row_of(struct join *j, const struct header *h)
{
	uint32_t v = h->pid;

	for (size_t i = 0; i < h->host_len; i++)
		v = (v ^ (unsigned char)h->host[i]) * 16777619U;
	return j->rows[(v ^ v >> 16) % ROWS];
}

static struct entry *find(struct join *j, const struct header *h)
{
	struct entry *row = row_of(j, h);

	for (size_t i = 0; i < WAYS; i++) {
		struct entry *e = &row[i];

		if (e->used && e->pid == h->pid && e->host_len == h->host_len &&
		    e->tag_len == h->tag_len &&
		    !memcmp(e->host, h->host, h->host_len) &&
		    !memcmp(e->tag, h->tag, h->tag_len))
			return e;
	}
	return NULL;
}

void join_put(struct join *j, const struct header *h, const struct addr *addr,
    int64_t time)
{
	struct entry *e, *row;

	if (!is_joinable(h))
		return;
	e = find(j, h);
	row = row_of(j, h);
	for (size_t i = 0; !e && i < WAYS; i++)
		if (!row[i].used)
			e = &row[i];
	if (!e) {
		e = row;
		for (size_t i = 1; i < WAYS; i++)
			if (row[i].time < e->time)
				e = &row[i];
	}
	*e = (struct entry){ .used = true,
		.host_len = (uint8_t)h->host_len,
		.tag_len = (uint8_t)h->tag_len,
		.pid = h->pid,
		.time = time,
		.addr = *addr };
	memcpy(e->host, h->host, h->host_len);
	memcpy(e->tag, h->tag, h->tag_len);
}

void join_drop(struct join *j, const struct header *h)
{
	struct entry *e = is_joinable(h) ? find(j, h) : NULL;

	if (e)
		e->used = false;
}

bool join_take(struct join *j, const struct header *h, int64_t time,
    int64_t limit, struct addr *out)
{
	struct entry *e = is_joinable(h) ? find(j, h) : NULL;

	if (!e)
		return false;
	e->used = false;
	*out = e->addr;
	return e->time <= time && time - e->time <= limit;
}
