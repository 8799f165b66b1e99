/* SPDX-License-Identifier: ISC */
/*
 * fuzz_header - the head of any line: its fields, put together again, are the
 * line; and neither remembered days nor remembered heads change a result.
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

/* "PROGRAM[PID]: " at p, the message behind it. */
static void check_tag(const struct header *h, const char *p)
{
	size_t digits;

	must(h->tag_len && h->tag == p);
	p += h->tag_len;
	if (*p == '[') {
		digits = (size_t)((const char *)memchr(
				      p, ']', (size_t)(h->msg - p)) -
				  p - 1);
		must(digits >= 1 && digits <= 10);
		must(strtoull(p + 1, NULL, 10) == h->pid);
		p += digits + 2;
	} else {
		must(!h->pid);
	}
	must(p[0] == ':' && p[1] == ' ' && p + 2 == h->msg);
}

/* RFC 5424 is told by "<PRI>1 ", and has blanks around each field. */
static void check_syslog(const struct header *h, const char *line, size_t len)
{
	const char *end = line + len, *p = line;
	struct stamp stamp;

	if (*p == '<')
		p = (const char *)memchr(p, '>', len) + 1;
	if (p > line && end - p >= 2 && p[0] == '1' && p[1] == ' ') {
		must(h->stamp.kind == STAMP_OFFSET ||
		     h->stamp.kind == STAMP_NONE);
		must(!h->tag_len ||
		     (h->tag[-1] == ' ' && h->tag[h->tag_len] == ' '));
		return;
	}
	p += stamp_parse(p, (size_t)(end - p), &stamp);
	must(stamp.kind != STAMP_NONE && stamp.kind == h->stamp.kind);
	must(*p == ' ' && h->host == p + 1 && h->host_len);
	p = h->host + h->host_len;
	must(*p++ == ' ');
	if (p != h->tag) {
		must(h->tag[-1] == ' ');
		must(header_is_priority(p, (size_t)(h->tag - 1 - p)));
	}
	check_tag(h, h->tag);
}

/* Stamp and message, or a program before both, or a message alone. */
static void check_own_file(const struct header *h, const char *line, size_t len)
{
	const char *p = h->place == HEADER_LEAD ? h->msg : line;
	struct header lead = *h;
	struct stamp stamp;

	if (h->stamp.kind == STAMP_NONE)
		return;
	if (h->place == HEADER_LEAD) {
		p = memmem(line, len, ": ", 2);
		must(p);
		p += 2;
		lead.msg = p;
		check_tag(&lead, line);
	} else if (*p == '<') {
		p = (const char *)memchr(p, '>', len) + 1;
	}
	p += stamp_parse(p, (size_t)(line + len - p), &stamp);
	must(stamp.kind == h->stamp.kind);
	must(p == line + len || *p == ' ');
	must(h->msg == p + (p < line + len));
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
	if (h.place == HEADER_SYSLOG)
		check_syslog(&h, line, len);
	else
		check_own_file(&h, line, len);
	check_time(&h, clock);
	return 0;
}
