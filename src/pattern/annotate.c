/* SPDX-License-Identifier: ISC */
/*
 * annotate - the suffix that rsyslog's imuxsock writes with Annotate="on":
 *
 *   MESSAGE @[_PID=77 _UID=0 _GID=0 _COMM=log _EXE=/x/log _CMDLINE="dovecot"]
 *
 * Each of the last three may be missing: the process may have ended. In the
 * last, '"' and '\' have a '\' before them; the others stand as they are.
 */
#include "annotate.h"

#include <string.h>

/*
 * Only the three numbers are the kernel's. The message, and the program's name,
 * path and arguments are the sender's own text, and each can hold the beginning
 * of a suffix. The first one in a line may be the message's, the last one the
 * arguments', and the one that a reading from the right comes to, past the
 * arguments, the path's. So this does not choose: rsyslog's own is always
 * there, and where a line holds one, it is that; where it holds more, somebody
 * lies.
 *
 * In one case it is not there. rsyslog cuts what is longer than maxMessageSize,
 * and then its suffix is what goes; a message of the right length keeps the one
 * it brought. That size is 8 KiB if nobody changed it, and RFC 5424 wants 2 KiB
 * at least, so half of that is safe. Honest lines have some 400 bytes.
 */
static const char mark[] = " @[_PID=";

/* Behind the text, or NULL. */
static const char *take(const char *p, const char *end, const char *text)
{
	size_t n = strlen(text);

	if (!p || (size_t)(end - p) < n || memcmp(p, text, n) != 0)
		return NULL;
	return p + n;
}

/* Behind 1 to 10 digits that fit, or NULL. */
static const char *take_number(const char *p, const char *end, uint32_t *out)
{
	uint64_t v = 0;
	size_t n = 0;

	for (; p && p + n < end && p[n] >= '0' && p[n] <= '9' && n < 11; n++)
		v = v * 10 + (uint64_t)(p[n] - '0');
	*out = (uint32_t)v;
	return n && n <= 10 && v <= UINT32_MAX ? p + n : NULL;
}

/* "..." to the end, with no quote inside but such with a '\'. */
static bool is_quoted(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		p += *p == '\\';
	return p + 1 == end;
}

/* What may stand between the numbers and the bracket at the end. */
static bool is_rest(const char *p, const char *end)
{
	const char *quoted;

	if (p == end)
		return true;
	if (!take(p, end, " _COMM=") && !take(p, end, " _EXE=") &&
	    !take(p, end, " _CMDLINE="))
		return false;
	quoted = memmem(p, (size_t)(end - p), " _CMDLINE=\"", 11);
	return !quoted || is_quoted(quoted + 10, end);
}

bool annotate_cut(const char *line, size_t *len, uint32_t *uid)
{
	const size_t mark_len = sizeof(mark) - 1;
	const char *end = line + *len, *at, *p;
	uint32_t of_process, of_group, of_user;

	if (*len > ANNOTATE_MAX || *len < mark_len || end[-1] != ']')
		return false;
	at = memmem(line, *len, mark, mark_len);
	if (!at || memmem(at + 1, (size_t)(end - at) - 1, mark, mark_len))
		return false;
	end--;
	p = take_number(at + mark_len, end, &of_process);
	p = take_number(take(p, end, " _UID="), end, &of_user);
	p = take_number(take(p, end, " _GID="), end, &of_group);
	if (!p || !is_rest(p, end))
		return false;
	*len = (size_t)(at - line);
	*uid = of_user;
	return true;
}
