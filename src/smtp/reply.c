/* SPDX-License-Identifier: ISC */
/*
 * reply - cuts replies of servers, and prints them for clients. Of EHLO's list
 * it keeps what it knows, and prints that in one order.
 */
#include "reply.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

enum { CODE_LEN = 3, GREETING_MAX = 500, GOOD = 250, DEL = 0x7f };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* --- lines -----------------------------------------------------------------
 */

/* One line of a reply. */
struct reply_line {
	int code;
	bool last;
	const char *text; /* behind the code and what follows it */
	size_t len;
};

/* The code, as far as it is there, and what may follow it. */
static bool may_begin(const char *p, size_t len)
{
	for (size_t i = 0; i < len && i < CODE_LEN; i++)
		if (!is_digit(p[i]) || (i == 0 && (p[0] < '2' || p[0] > '5')))
			return false;
	return len <= CODE_LEN ||
	       (p[CODE_LEN] && strchr(" -\r\n", p[CODE_LEN]) != NULL);
}

/* The line at p, which ends with an LF; *at goes behind it. */
static bool read_line(const char **at, const char *end, struct reply_line *out)
{
	const char *p = *at;
	const char *lf = memchr(p, '\n', (size_t)(end - p));

	if (!lf)
		return false;
	*at = lf + 1;
	if (lf > p && lf[-1] == '\r')
		lf--;
	if (lf - p < CODE_LEN || !may_begin(p, (size_t)(lf - p)) ||
	    (lf - p > CODE_LEN && p[CODE_LEN] == '\r'))
		return false;
	out->code = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	out->last = lf - p == CODE_LEN || p[CODE_LEN] != '-';
	out->text = lf - p == CODE_LEN ? lf : p + CODE_LEN + 1;
	out->len = (size_t)(lf - out->text);
	return true;
}

enum spp_reply_state spp_reply_read(
    const char *bytes, size_t len, int *code, size_t *used)
{
	const char *at = bytes;
	const char *end = bytes + (len < SPP_REPLY_MAX ? len : SPP_REPLY_MAX);
	struct reply_line line = { 0 };
	int first = 0;

	while (memchr(at, '\n', (size_t)(end - at))) {
		if (!read_line(&at, end, &line) ||
		    (first && line.code != first))
			return SPP_REPLY_WRONG;
		first = line.code;
		if (!line.last)
			continue;
		*code = line.code;
		*used = (size_t)(at - bytes);
		return SPP_REPLY_WHOLE;
	}
	if (len >= SPP_REPLY_MAX || !may_begin(at, (size_t)(end - at)))
		return SPP_REPLY_WRONG;
	return SPP_REPLY_MORE;
}

/* --- printing --------------------------------------------------------------
 */

struct printer {
	char *out;
	size_t len, size;
};

/* "250 " CR LF, for which there is always room. */
enum { SHORTEST = CODE_LEN + 3 };

static char clean(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == DEL ? '?' : c;
}

/* Left out when there would be no room for a last line behind it; a last one is
 * cut. */
static void put_line(struct printer *p, const struct reply_line *l)
{
	size_t room = p->size - p->len, len = l->len;
	char *out = p->out + p->len;

	if (room < SHORTEST ||
	    (!l->last && room - SHORTEST < SHORTEST + l->len))
		return;
	if (len > room - SHORTEST)
		len = room - SHORTEST;
	for (int i = CODE_LEN, code = l->code; i-- > 0; code /= 10)
		out[i] = (char)('0' + code % 10);
	out[CODE_LEN] = l->last ? ' ' : '-';
	for (size_t i = 0; i < len; i++)
		out[CODE_LEN + 1 + i] = clean(l->text[i]);
	out[CODE_LEN + 1 + len] = '\r';
	out[CODE_LEN + 2 + len] = '\n';
	p->len += SHORTEST + len;
}

size_t spp_reply_print(const char *reply, size_t len, char *out, size_t size)
{
	struct printer p = { out, 0, size };
	const char *at = reply, *end = reply + len;
	struct reply_line line;

	while (at < end && read_line(&at, end, &line)) {
		put_line(&p, &line);
		if (line.last)
			break;
	}
	return p.len;
}

/* --- EHLO ------------------------------------------------------------------
 */

/* What clients may see; those that are not only the server's come apart. */
enum keyword { SIZE, EIGHTBITMIME, SMTPUTF8, STATUSCODES, DSN, HELP, KEYWORDS };
static const char *const keywords[KEYWORDS] = { "SIZE", "8BITMIME", "SMTPUTF8",
	"ENHANCEDSTATUSCODES", "DSN", "HELP" };

enum mechanism { PLAIN, LOGIN, CRAM_MD5, MECHANISMS };
static const char *const mechanisms[MECHANISMS] = { "PLAIN", "LOGIN",
	"CRAM-MD5" };

enum { SIZE_DIGITS = 20 };

/* All that is known of the server's list. */
struct list {
	bool has[KEYWORDS], may[MECHANISMS];
	char size[sizeof("SIZE ") + SIZE_DIGITS]; /* the line */
};

/* The next word; its length is 0 when there is none. */
static size_t next_word(
    const char **at, const char *end, const char *separators)
{
	size_t len = 0;

	while (*at < end && strchr(separators, **at) && **at)
		++*at;
	while (*at + len < end && (*at)[len] && !strchr(separators, (*at)[len]))
		len++;
	return len;
}

static bool is_word(const char *p, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(p, word, len) == 0;
}

/* Without a number, or with none that is one: there is a limit, but nobody
 * knows it. */
static void learn_size(struct list *l, const char *p, const char *end)
{
	static const char word[] = "SIZE";
	const size_t word_len = sizeof(word) - 1;
	size_t len = next_word(&p, end, " \t");
	bool good = len > 0 && len <= SIZE_DIGITS;

	for (size_t i = 0; good && i < len; i++)
		good = is_digit(p[i]);
	memcpy(l->size, word, sizeof(word));
	if (!good)
		return;
	l->size[word_len] = ' ';
	memcpy(l->size + word_len + 1, p, len);
	l->size[word_len + 1 + len] = '\0';
}

static void learn_mechanisms(struct list *l, struct spp_offer offer,
    struct spp_extensions *ext, const char *p, const char *end)
{
	size_t len;

	for (; (len = next_word(&p, end, " \t=")) > 0; p += len)
		for (size_t i = 0; i < MECHANISMS; i++)
			if (is_word(p, len, mechanisms[i]) &&
			    (i == CRAM_MD5 || offer.plain_and_login))
				ext->auth = l->may[i] = true;
}

/* Words of letters, one blank between two. */
static void learn_xclient(
    struct spp_extensions *ext, const char *p, const char *end)
{
	size_t len, n = 0;

	ext->xclient = true;
	for (; (len = next_word(&p, end, " \t")) > 0; p += len) {
		if (n + len + 2 > sizeof(ext->xclient_words))
			break;
		if (n > 0)
			ext->xclient_words[n++] = ' ';
		for (size_t i = 0; i < len; i++)
			ext->xclient_words[n++] = clean(p[i]);
	}
	ext->xclient_words[n] = '\0';
}

static void learn(struct list *l, struct spp_offer offer,
    struct spp_extensions *ext, const struct reply_line *line)
{
	const char *p = line->text, *end = p + line->len;
	/* "AUTH=" is what old clients understand. */
	size_t len = next_word(&p, end, " \t=");
	const char *rest = p + len;

	for (size_t i = 0; i < KEYWORDS; i++)
		l->has[i] |= is_word(p, len, keywords[i]);
	if (is_word(p, len, "SIZE"))
		learn_size(l, rest, end);
	else if (is_word(p, len, "AUTH"))
		learn_mechanisms(l, offer, ext, rest, end);
	else if (is_word(p, len, "XCLIENT"))
		learn_xclient(ext, rest, end);
}

static void put_text(struct printer *p, bool last, const char *text)
{
	put_line(p, &(struct reply_line){ GOOD, last, text, strlen(text) });
}

static void put_list(
    struct printer *p, const struct list *l, struct spp_offer offer)
{
	char auth[sizeof("AUTH PLAIN LOGIN CRAM-MD5")] = "AUTH";
	size_t n = strlen(auth), none = n;

	for (size_t i = 0; i < MECHANISMS; i++)
		if (l->may[i]) {
			auth[n++] = ' ';
			memcpy(
			    auth + n, mechanisms[i], strlen(mechanisms[i]) + 1);
			n += strlen(mechanisms[i]);
		}
	for (size_t i = 0; i < KEYWORDS; i++)
		if (l->has[i])
			put_text(p, false, i == SIZE ? l->size : keywords[i]);
	if (n > none)
		put_text(p, false, auth);
	if (offer.starttls)
		put_text(p, false, "STARTTLS");
	put_text(p, true, "PIPELINING");
}

size_t spp_reply_offer(const char *reply, size_t len, struct spp_offer offer,
    struct spp_extensions *ext, char *out, size_t size)
{
	struct printer p = { out, 0, size };
	const char *at = reply, *end = reply + len;
	struct list list = { 0 };
	struct reply_line line;

	*ext = (struct spp_extensions){ 0 };
	if (!read_line(&at, end, &line) || line.code != GOOD)
		return spp_reply_print(reply, len, out, size);
	if (line.len > GREETING_MAX)
		line.len = GREETING_MAX;
	bool more = !line.last;
	line.last = false;
	put_line(&p, &line);
	while (more && read_line(&at, end, &line) && line.code == GOOD) {
		learn(&list, offer, ext, &line);
		more = !line.last;
	}
	put_list(&p, &list, offer);
	return p.len;
}
