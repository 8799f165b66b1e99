/* SPDX-License-Identifier: ISC */
/*
 * fuzz_header - the head of any line: what is found lies inside the line and in
 * its order, and the time is the same whether days are remembered or not.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pattern/header.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	setenv("TZ", "Europe/Berlin", 1);
	return 0;
}

static void check_inside(
    const char *at, size_t n, const char *from, const char *to)
{
	if (n)
		must(at >= from && at + n <= to);
}

static void check_places(const struct header *h, const char *line, size_t len)
{
	must(h->msg >= line && h->msg + h->msg_len == line + len);
	check_inside(h->host, h->host_len, line, h->msg);
	check_inside(h->tag, h->tag_len, line, h->msg);
	for (size_t i = 0; i < h->tag_len; i++)
		must(header_is_tag_char(h->tag[i]));
	must(h->place != HEADER_NOTHING);
	if (h->place == HEADER_FILE)
		must(!h->host_len && !h->tag_len && !h->pid);
	if (h->place == HEADER_LEAD)
		must(h->tag_len && h->stamp.kind != STAMP_NONE);
	if (h->stamp.kind == STAMP_NONE && h->place == HEADER_FILE)
		must(h->msg == line);
}

/* A clock out of the input, and a stamp read twice. */
static void check_time(const struct header *h, uint32_t clock)
{
	static struct stamp_reader old;
	struct stamp_reader fresh = { 0 };
	int64_t now = (int64_t)clock * 1000;
	int64_t t = stamp_read(&fresh, &h->stamp, now, 300000);

	must(stamp_read(&old, &h->stamp, now, 300000) == t);
	must(t >= -1 && t < 253402300800000 + 86400000);
	if (h->stamp.kind == STAMP_YEARLESS && t >= 0)
		must(t <= now + 300000);
}

/* A reader that remembers heads says what one that does not says. */
static void check_memory(const char *line, size_t len, const struct header *h)
{
	static struct header_memory memory;
	struct header again;
	enum header_seen seen = header_read(&memory, line, len, &again);

	must((seen != HEADER_BAD) == (h != NULL));
	if (!h)
		return;
	must(again.place == h->place && again.stamp.kind == h->stamp.kind);
	must(again.host_len == h->host_len && again.tag_len == h->tag_len);
	must(again.msg == h->msg && again.msg_len == h->msg_len);
	must(again.pid == h->pid);
	must(!h->host_len || again.host == h->host);
	must(!h->tag_len || again.tag == h->tag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct header h;
	uint32_t clock;
	size_t len = size < 4 ? 0 : size - 4;
	AUTO_FREE char *line = xmalloc(len);

	if (size < 4)
		return 0;
	memcpy(&clock, data, 4);
	memcpy(line, data + 4, len);
	if (!header_parse(line, len, &h)) {
		check_memory(line, len, NULL);
		return 0;
	}
	check_memory(line, len, &h);
	check_places(&h, line, len);
	check_time(&h, clock);
	return 0;
}
