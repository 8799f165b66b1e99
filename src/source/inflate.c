/* SPDX-License-Identifier: ISC */
/*
 * inflate - see the header. Files may consist of several gzip members or zstd
 * frames, one behind the other; what follows the last gzip member and is none
 * is left alone, as gzip itself does.
 */
#include "inflate.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

enum {
	CHUNK = 65536,
	GZIP_ONLY = 15 + 16,     /* window bits, and no bare zlib streams */
	ZSTD_WINDOW_LOG_MAX = 24 /* 16 MiB; level 19 needs 8 */
};

struct inflater {
	int fd;
	enum inflate_kind kind;
	off_t at;     /* next byte of the file */
	bool between; /* behind a whole member or frame */
	bool ended, broken;
	z_stream gzip;
	ZSTD_DCtx *zstd;
	ZSTD_inBuffer in; /* what is read but not unpacked; for both */
	unsigned char chunk[CHUNK];
};

enum inflate_kind inflate_detect(const void *head, size_t len)
{
	if (len >= 3 && memcmp(head, "\x1f\x8b\x08", 3) == 0)
		return INFLATE_GZIP;
	if (len >= 4 && memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0)
		return INFLATE_ZSTD;
	return INFLATE_PLAIN;
}

static bool start(struct inflater *i)
{
	if (i->kind == INFLATE_GZIP)
		return inflateInit2(&i->gzip, GZIP_ONLY) == Z_OK;
	i->zstd = ZSTD_createDCtx();
	return i->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(i->zstd,
			      ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX));
}

struct inflater *inflater_open(int fd)
{
	char head[4];
	ssize_t n = pread(fd, head, sizeof(head), 0);
	enum inflate_kind kind =
	    n < 0 ? INFLATE_PLAIN : inflate_detect(head, (size_t)n);

	if (kind == INFLATE_PLAIN)
		return NULL;
	struct inflater *i = xcalloc(1, sizeof(*i));
	i->fd = fd;
	i->kind = kind;
	i->in.src = i->chunk;
	must(start(i)); /* it fails for lack of memory only */
	return i;
}

void inflater_close(struct inflater **i)
{
	if (!*i)
		return;
	if ((*i)->kind == INFLATE_GZIP)
		(void)inflateEnd(&(*i)->gzip);
	(void)ZSTD_freeDCtx((*i)->zstd);
	free(*i);
	*i = NULL;
}

/* Reads more of the file behind what is left. False: no more, or an error. */
static bool refill(struct inflater *i)
{
	size_t left = i->in.size - i->in.pos;
	ssize_t n;

	memmove(i->chunk, i->chunk + i->in.pos, left);
	do
		n = pread(i->fd, i->chunk + left, CHUNK - left, i->at);
	while (n < 0 && errno == EINTR);
	i->in.pos = 0;
	i->in.size = left;
	if (n <= 0)
		return false;
	i->at += n;
	i->in.size += (size_t)n;
	return true;
}

/* Behind a gzip member: does another follow? */
static bool next_member(struct inflater *i)
{
	if (i->in.size - i->in.pos < 3)
		(void)refill(i);
	if (inflate_detect(i->chunk + i->in.pos, i->in.size - i->in.pos) !=
	    INFLATE_GZIP)
		return false;
	return inflateReset(&i->gzip) == Z_OK;
}

/* Each step unpacks what is there; false: damaged. */
static bool step_gzip(struct inflater *i, ZSTD_outBuffer *out)
{
	i->gzip.next_in = i->chunk + i->in.pos;
	i->gzip.avail_in = (uInt)(i->in.size - i->in.pos);
	i->gzip.next_out = (Bytef *)out->dst + out->pos;
	i->gzip.avail_out = (uInt)(out->size - out->pos);
	int rc = inflate(&i->gzip, Z_NO_FLUSH);
	i->in.pos = i->in.size - i->gzip.avail_in;
	out->pos = out->size - i->gzip.avail_out;
	i->between = rc == Z_STREAM_END;
	if (i->between)
		i->ended = !next_member(i);
	return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR;
}

static bool step_zstd(struct inflater *i, ZSTD_outBuffer *out)
{
	size_t rc = ZSTD_decompressStream(i->zstd, out, &i->in);

	i->between = rc == 0;
	return !ZSTD_isError(rc);
}

/* Room for out is there. False: damaged, cut, or the sound end. */
static bool step(struct inflater *i, ZSTD_outBuffer *out)
{
	bool was_between = i->between;
	size_t had = out->pos, at;

	if (i->in.pos == i->in.size)
		(void)refill(i);
	/* Even without more of the file there may be text that did not fit
	 * into the buffer of the call before. */
	at = i->in.pos;
	i->broken =
	    !(i->kind == INFLATE_GZIP ? step_gzip(i, out) : step_zstd(i, out));
	if (!i->broken && out->pos == had && i->in.pos == at) {
		i->ended = was_between;
		i->broken = !was_between;
	}
	return !i->broken && !i->ended;
}

ssize_t inflater_read(struct inflater *i, void *out, size_t size)
{
	ZSTD_outBuffer to = { .dst = out, .size = size < CHUNK ? size : CHUNK };

	while (to.pos < to.size && !i->ended && !i->broken)
		if (!step(i, &to))
			break;
	/* What was sound before the damage is given first. */
	if (to.pos > 0)
		return (ssize_t)to.pos;
	return i->broken ? -1 : 0;
}

/* The last word of a gzip file is the length of its last member, as far as 32
 * bits go. With several members it differs, which only costs time. */
static bool gzip_ends_at(int fd, int64_t offset)
{
	struct stat st;
	uint32_t length;

	return fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(length) &&
	       pread(fd, &length, sizeof(length),
		   st.st_size - (off_t)sizeof(length)) == sizeof(length) &&
	       le32toh(length) == (uint32_t)offset;
}

bool inflate_goes_beyond(int fd, int64_t offset)
{
	unsigned char head[32]; /* more than a zstd frame's header */
	ssize_t n = pread(fd, head, sizeof(head), 0);

	if (n <= 0)
		return true;
	switch (inflate_detect(head, (size_t)n)) {
	case INFLATE_GZIP:
		return !gzip_ends_at(fd, offset);
	case INFLATE_ZSTD:
		return ZSTD_getFrameContentSize(head, (size_t)n) !=
		       (unsigned long long)offset;
	case INFLATE_PLAIN:
		break;
	}
	return true;
}
