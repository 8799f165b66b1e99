/* SPDX-License-Identifier: ISC */
/*
 * header - the head of a log line. Pure functions; called by matcher.c for the
 * lines that its quick look did not already pass by, and by cmd/scan.
 * No message is ever searched for a header: that is how CVE-2001-1075 worked.
 */
#include "header.h"

#include <string.h>

enum { HOST_MAX = 255, TAG_MAX = 48 };

/* Character classes, one bit each. */
enum { TAG = 1, HOST = 2, DIGIT = 4, WORD = TAG | HOST, NUM = WORD | DIGIT };
/* One row a character would make a page of this. */
/* clang-format off */
static const unsigned char class[256] = {
	['0'] = NUM, ['1'] = NUM, ['2'] = NUM, ['3'] = NUM, ['4'] = NUM,
	['5'] = NUM, ['6'] = NUM, ['7'] = NUM, ['8'] = NUM, ['9'] = NUM,
	['A'] = WORD, ['B'] = WORD, ['C'] = WORD, ['D'] = WORD, ['E'] = WORD,
	['F'] = WORD, ['G'] = WORD, ['H'] = WORD, ['I'] = WORD, ['J'] = WORD,
	['K'] = WORD, ['L'] = WORD, ['M'] = WORD, ['N'] = WORD, ['O'] = WORD,
	['P'] = WORD, ['Q'] = WORD, ['R'] = WORD, ['S'] = WORD, ['T'] = WORD,
	['U'] = WORD, ['V'] = WORD, ['W'] = WORD, ['X'] = WORD, ['Y'] = WORD,
	['Z'] = WORD,
	['a'] = WORD, ['b'] = WORD, ['c'] = WORD, ['d'] = WORD, ['e'] = WORD,
	['f'] = WORD, ['g'] = WORD, ['h'] = WORD, ['i'] = WORD, ['j'] = WORD,
	['k'] = WORD, ['l'] = WORD, ['m'] = WORD, ['n'] = WORD, ['o'] = WORD,
	['p'] = WORD, ['q'] = WORD, ['r'] = WORD, ['s'] = WORD, ['t'] = WORD,
	['u'] = WORD, ['v'] = WORD, ['w'] = WORD, ['x'] = WORD, ['y'] = WORD,
	['z'] = WORD, ['-'] = WORD, ['.'] = WORD, ['_'] = WORD, ['/'] = WORD,
	[':'] = HOST, ['@'] = HOST,
};
/* clang-format on */

bool header_is_tag_char(char c)
{
	return class[(unsigned char)c] & TAG;
}

/*
 * The readers below take where they are and where the line ends, and return
 * where they came to, or NULL. Two plain pointers: a struct of them is copied
 * in one piece right after its halves were written, and processors stall on it.
 */
static size_t span(const char *p, const char *end, unsigned char of, size_t max)
{
	size_t left = (size_t)(end - p), n = 0;

	max = max < left ? max : left;
	while (n < max && class[(unsigned char)p[n]] & of)
		n++;
	return n;
}

static const char *skip(const char *p, const char *end, char c)
{
	return p && p < end && *p == c ? p + 1 : NULL;
}

/* 1 to 10 digits that fit. */
static const char *take_number(const char *p, const char *end, uint32_t *out)
{
	size_t n = span(p, end, DIGIT, 11);
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v * 10 + (uint64_t)(p[i] - '0');
	*out = (uint32_t)v;
	return n && n <= 10 && v <= UINT32_MAX ? p + n : NULL;
}

/* "<22>" */
static const char *take_priority(const char *p, const char *end)
{
	uint32_t value;

	p = skip(p, end, '<');
	p = p ? take_number(p, end, &value) : NULL;
	return p && value <= 191 ? skip(p, end, '>') : NULL;
}

static bool is_word_of(const char *const *words, const char *p, size_t len)
{
	for (; *words; words++)
		if (strlen(*words) == len && !memcmp(*words, p, len))
			return true;
	return false;
}

bool header_is_priority(const char *word, size_t len)
{
	static const char *const facilities[] = { "kern", "user", "mail",
		"daemon", "auth", "syslog", "lpr", "news", "uucp", "cron",
		"authpriv", "ftp", "local0", "local1", "local2", "local3",
		"local4", "local5", "local6", "local7", NULL };
	static const char *const priorities[] = { "emerg", "alert", "crit",
		"err", "error", "warning", "warn", "notice", "info", "debug",
		NULL };
	const char *dot = memchr(word, '.', len);

	if (!dot)
		return false;
	return is_word_of(facilities, word, (size_t)(dot - word)) &&
	       is_word_of(priorities, dot + 1, len - (size_t)(dot - word) - 1);
}

/* "program[pid]: " or "program: ". */
static const char *take_tag(const char *p, const char *end, struct header *out)
{
	size_t n = span(p, end, TAG, TAG_MAX + 1);

	if (!n || n > TAG_MAX)
		return NULL;
	out->tag = p;
	out->tag_len = n;
	out->pid = 0;
	p += n;
	if (p < end && *p == '[') {
		p = take_number(p + 1, end, &out->pid);
		p = skip(p, end, ']');
	}
	return skip(skip(p, end, ':'), end, ' ');
}

/* A word and the blank behind it. */
static const char *take_word(const char *p, const char *end, unsigned char of,
    size_t max, const char **word, size_t *len)
{
	*word = p;
	*len = span(p, end, of, max);
	return *len ? skip(p + *len, end, ' ') : NULL;
}

/* "HOST [FACILITY.PRIORITY ]PROGRAM[PID]: " */
static const char *take_origin(
    const char *p, const char *end, struct header *out)
{
	const char *word, *behind;
	size_t len;

	p = take_word(p, end, HOST, HOST_MAX, &out->host, &out->host_len);
	/* "imap-login: ..." is a process in Dovecot's own file, not a host. */
	if (!p || out->host[out->host_len - 1] == ':')
		return NULL;
	behind = take_tag(p, end, out);
	if (behind)
		return behind;
	p = take_word(p, end, TAG, TAG_MAX, &word, &len);
	return p && header_is_priority(word, len) ? take_tag(p, end, out)
						  : NULL;
}

/* RFC 5424 structured data: '-', or [id name="value"...] with \ escapes. */
static const char *take_data(const char *p, const char *end)
{
	bool quoted = false;

	if (p >= end || *p != '[')
		return skip(p, end, '-');
	while (p && p < end && *p == '[') {
		for (p++; p < end && (quoted || *p != ']'); p++) {
			if (*p == '"')
				quoted = !quoted;
			else if (quoted && *p == '\\' && end - p > 1)
				p++;
		}
		p = skip(p, end, ']');
	}
	return p;
}

/* Any printable word, RFC 5424's MSGID for instance, and its blank. */
static const char *skip_word(const char *p, const char *end)
{
	const char *start = p;

	while (p<end && * p> ' ' && *p < 0x7f)
		p++;
	return p > start ? skip(p, end, ' ') : NULL;
}

/* A word as of, or '-' for nothing. */
static const char *take_or_nil(const char *p, const char *end, unsigned char of,
    size_t max, const char **word, size_t *len)
{
	p = p ? take_word(p, end, of, max, word, len) : NULL;
	if (p && *len == 1 && **word == '-')
		*len = 0;
	return p;
}

/* Behind "<PRI>1 ": all that RFC 5424 puts before the message. */
static const char *take_5424(const char *p, const char *end, struct header *out)
{
	size_t n = stamp_parse(p, (size_t)(end - p), &out->stamp);
	const char *behind;

	if (n && out->stamp.kind != STAMP_OFFSET)
		return NULL;
	p = n ? p + n : skip(p, end, '-');
	p = skip(p, end, ' ');
	p = take_or_nil(p, end, HOST, HOST_MAX, &out->host, &out->host_len);
	p = take_or_nil(p, end, TAG, TAG_MAX, &out->tag, &out->tag_len);
	if (!p)
		return NULL;
	behind = take_number(p, end, &out->pid);
	if (!behind || !skip(behind, end, ' '))
		out->pid = 0; /* some other PROCID */
	p = skip_word(p, end);
	p = p ? skip_word(p, end) : NULL;
	p = p ? take_data(p, end) : NULL;
	p = skip(p, end, ' ');
	if (!p)
		return NULL;
	/* rsyslog's message keeps the blank that stood behind "program:". */
	p += p < end && *p == ' ';
	if (end - p >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
		p += 3;
	out->place = HEADER_SYSLOG;
	return p;
}

/* "dovecot: Nov 20 18:05:07 Info: ...": the program, then the stamp. */
static const char *take_lead(const char *p, const char *end, struct header *out)
{
	size_t n;

	p = take_tag(p, end, out);
	n = p ? stamp_parse(p, (size_t)(end - p), &out->stamp) : 0;
	if (!n || !skip(p + n, end, ' ')) {
		out->stamp.kind = STAMP_NONE;
		return NULL;
	}
	out->place = HEADER_LEAD;
	return p + n + 1;
}

/* Without a <PRI>, or behind it. */
static const char *take_3164(const char *p, const char *end, struct header *out)
{
	size_t n = stamp_parse(p, (size_t)(end - p), &out->stamp);
	const char *behind;

	/* A stamp that runs into other text is none: 2026-11-20T18:05:01Z,.. */
	if (!n || (p + n < end && p[n] != ' ')) {
		out->stamp.kind = STAMP_NONE;
		return NULL;
	}
	p += n + (p + n < end);
	behind = take_origin(p, end, out);
	if (behind)
		out->place = HEADER_SYSLOG;
	return behind ? behind : p;
}

bool header_parse(const char *line, size_t len, struct header *out)
{
	const char *end = line + len, *p = line, *msg;

	/* Field by field: this runs for each line that might be ours. */
	out->place = HEADER_FILE;
	out->stamp.kind = STAMP_NONE;
	out->host = out->tag = line;
	out->host_len = out->tag_len = out->pid = 0;
	if (!len)
		return false;
	if (*line == '<') {
		p = take_priority(line, end);
		if (!p)
			return false;
		msg = end - p > 2 && !memcmp(p, "1 ", 2)
			  ? take_5424(p + 2, end, out)
			  : take_3164(p, end, out);
		if (!msg)
			return false;
	} else {
		msg = take_3164(p, end, out);
		msg = msg ? msg : take_lead(p, end, out);
		msg = msg ? msg : line;
	}
	if (out->place == HEADER_FILE)
		out->host_len = out->tag_len = out->pid = 0;
	out->msg = msg;
	out->msg_len = (size_t)(end - msg);
	return true;
}

/* Only stamps of whole seconds come again; those of RFC 5424 never do. */
static enum header_seen remember(
    struct header_memory *m, const char *line, const struct header *h)
{
	size_t n = (size_t)(h->msg - line);

	if (h->place != HEADER_SYSLOG || h->stamp.kind != STAMP_YEARLESS ||
	    n > HEADER_SEEN_MAX)
		return HEADER_OTHER;
	memcpy(m->text, line, n);
	m->host_at = (size_t)(h->host - line);
	m->tag_at = (size_t)(h->tag - line);
	m->msg_at = n;
	m->head = *h;
	return HEADER_KEPT;
}

enum header_seen header_read(
    struct header_memory *m, const char *line, size_t len, struct header *out)
{
	const char *end = line + len, *msg;

	if (m->msg_at && len > m->msg_at && !memcmp(line, m->text, m->tag_at)) {
		*out = m->head;
		out->host = line + m->host_at;
		out->tag = line + m->tag_at;
		out->msg = line + m->msg_at;
		out->msg_len = len - m->msg_at;
		if (!memcmp(
			out->tag, m->text + m->tag_at, m->msg_at - m->tag_at))
			return HEADER_SAME;
		msg = take_tag(out->tag, end, out);
		if (msg) {
			out->msg = msg;
			out->msg_len = (size_t)(end - msg);
			return remember(m, line, out);
		}
	}
	return header_parse(line, len, out) ? remember(m, line, out)
					    : HEADER_BAD;
}
