/* SPDX-License-Identifier: ISC */
/*
 * matcher - one line to one login. Called by source/ and cmd/scan for every
 * line of a mail log, so half of this file is about passing by lines that are
 * none of ours. Owns what one reader needs: match data, joins, zone offsets.
 */
#include <stdlib.h>
#include <string.h>

#include "annotate.h"
#include "base/line.h"
#include "base/mem.h"
#include "engine.h"
#include "hit.h"
#include "pattern.h"

enum {
	QUICK_LEN = 80, /* the quick look reads no further */
	HOSTS = 64      /* remembered; central log servers have many */
};

/* A host of at most 15 bytes, the blank behind it, and zeros. */
struct quick_host {
	uint64_t word[2];
};

struct matcher {
	const struct patterns *patterns;
	struct runner runner;
	struct stamp_reader stamps;
	struct join *join; /* NULL until a server needs it */
	struct matcher_counts counts;
	struct quick_host hosts[HOSTS]; /* seen in whole heads, by hash */
	struct header_memory head;
	const struct set *set; /* of the program in it */
	bool annotated, believing;
	bool guarded; /* it matters who sent a line */
	bool vouched; /* the caller says who sent this one */
	uint32_t uid; /* who did: of its suffix, or the caller's word */
};

struct matcher *matcher_new(const struct patterns *p)
{
	struct matcher *m = xcalloc(1, sizeof(*m));

	m->patterns = p;
	m->guarded = p->guarded;
	runner_init(&m->runner, p);
	return m;
}

void matcher_free(struct matcher **mp)
{
	struct matcher *m = *mp;

	*mp = NULL;
	if (!m)
		return;
	runner_release(&m->runner);
	join_free(&m->join);
	free(m);
}

struct matcher_counts matcher_counts(const struct matcher *m)
{
	return m->counts;
}

void matcher_annotated(struct matcher *m, bool annotated)
{
	m->annotated = annotated;
	m->guarded = annotated || m->patterns->guarded;
}

void matcher_believe(struct matcher *m)
{
	m->believing = true;
}

static const uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;

static uint64_t load(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* Not 0 when a byte of w is 0; the lowest bit set is the first such byte's. */
static uint64_t has_zero(uint64_t w)
{
	return (w - ones) & ~w & highs;
}

/* Sixteen bytes, compared at once. */
typedef unsigned char vector __attribute__((vector_size(16)));

static bool is_any(vector v)
{
	uint64_t w[2];

	memcpy(w, &v, sizeof(w));
	return (w[0] | w[1]) != 0;
}

/* Below blank, DEL, or the two bytes of U+0080..U+009F. */
static bool has_control_slow(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c < ' ' || c == 0x7f)
			return true;
		if (c == 0xc2 && i + 1 < len &&
		    ((unsigned char)p[i + 1] & 0xe0) == 0x80)
			return true;
	}
	return false;
}

/* Nearly all lines are printable ASCII, and one comparison tells that. Only
 * lines of 16 bytes and more can be logins. */
static bool has_control(const char *p, size_t len)
{
	vector odd = { 0 }, v;
	size_t i = 0;

	if (len < sizeof(v))
		return true;
	for (; i + sizeof(v) <= len; i += sizeof(v)) {
		memcpy(&v, p + i, sizeof(v));
		odd |= (vector)(v - ' ' > '~' - ' ');
	}
	/* The last step looks at some bytes again. */
	memcpy(&v, p + len - sizeof(v), sizeof(v));
	odd |= (vector)(v - ' ' > '~' - ' ');
	return is_any(odd) && has_control_slow(p, len);
}

/* The number of the first byte that has_zero() found. */
static size_t first_zero(uint64_t found)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (size_t)__builtin_ctzll(found) / 8;
#else
	size_t n = 0;
	unsigned char b[8];

	for (memcpy(b, &found, 8); !b[n];)
		n++;
	return n;
#endif
}

/* Reads 16 bytes; returns the host's length, its blank included, or 0. */
static size_t quick_host(const char *p, struct quick_host *out)
{
	static const unsigned char keep[24] = { 255, 255, 255, 255, 255, 255,
		255, 255 };
	uint64_t low = load(p), high = load(p + 8);
	uint64_t blank = has_zero(low ^ ones * ' ');
	size_t n;

	if (blank) {
		n = first_zero(blank) + 1;
		out->word[0] = low & load((const char *)keep + 8 - n);
		out->word[1] = 0;
		return n;
	}
	blank = has_zero(high ^ ones * ' ');
	if (!blank)
		return 0;
	n = first_zero(blank) + 1;
	out->word[0] = low;
	out->word[1] = high & load((const char *)keep + 8 - n);
	return n + 8;
}

static struct quick_host *host_slot(
    struct matcher *m, const struct quick_host *h)
{
	uint64_t v = (h->word[0] ^ h->word[1] * 31) * 0x9E3779B97F4A7C15;

	return &m->hosts[v >> 58];
}

/*
 * Notes the host of a head that was read whole. Not one that the own file of a
 * server may begin its messages with: "STAMP host ..." could be such a line
 * too, and the quick look cannot tell.
 */
static void note_host(struct matcher *m, const struct header *h)
{
	char text[17] = { 0 };
	struct quick_host host = { 0 }, *slot;
	const struct set *own = m->patterns->own;

	if (h->host_len < 1 || h->host_len > 15)
		return;
	memcpy(text, h->host, h->host_len);
	text[h->host_len] = ' ';
	quick_host(text, &host);
	slot = host_slot(m, &host);
	if (!memcmp(slot, &host, sizeof(host)))
		return;
	if (own && pcre2_match(own->code, (PCRE2_SPTR)text, h->host_len + 1, 0,
		       PCRE2_PARTIAL_HARD | PCRE2_NO_JIT, m->runner.data,
		       m->runner.context) != PCRE2_ERROR_NOMATCH)
		return;
	*slot = host;
}

/* Behind "<PRI>" and RFC 5424's version; NULL: neither. */
static const char *behind_priority(const char *p)
{
	const char *end;

	if (*p != '<')
		return p;
	end = memchr(p, '>', 5);
	if (!end)
		return NULL;
	return end[1] == '1' && end[2] == ' ' ? end + 3 : end + 1;
}

/* Behind "Nov 20 18:05:01 " or "2026-11-20T18:05:01.123456+00:00 "; NULL. */
static const char *behind_stamp(const char *p)
{
	uint64_t blank = 0;
	size_t at = 16;

	if (p[3] == ' ' && p[6] == ' ' && p[9] == ':' && p[12] == ':' &&
	    p[15] == ' ')
		return p + 16;
	if (p[4] != '-' || p[10] != 'T')
		return NULL;
	for (; at < 40 && !blank; at += 8)
		blank = has_zero(load(p + at) ^ ones * ' ');
	return blank ? p + at - 7 + first_zero(blank) : NULL;
}

enum quick {
	QUICK_UNKNOWN, /* an odd head, or a host not seen before */
	QUICK_MAYBE,   /* a known host, and perhaps a program of ours */
	QUICK_SKIP
};

/*
 * The quick look: QUICK_SKIP when the line is certainly none of ours. It finds
 * the program's first three bytes behind a stamp and a host that was seen
 * before, and looks them up in a small table of bits. Everything else (a new
 * host, a short line, an odd head, a program that might be ours) goes the long
 * way, so that this can only save time. Seven of ten lines of a usual mail log
 * end here.
 */
static enum quick quick_look(struct matcher *m, const char *p, size_t len)
{
	struct quick_host host = { 0 };
	uint32_t bit;
	size_t n;

	if (len < QUICK_LEN)
		return QUICK_UNKNOWN;
	p = behind_priority(p);
	p = p ? behind_stamp(p) : NULL;
	n = p ? quick_host(p, &host) : 0;
	if (!n || memcmp(host_slot(m, &host), &host, sizeof(host)) != 0)
		return QUICK_UNKNOWN;
	bit = quick_hash(p + n);
	return m->patterns->quick[bit / 8] >> bit % 8 & 1 ? QUICK_MAYBE
							  : QUICK_SKIP;
}

static bool is_near(const struct set *s, const struct header *h)
{
	for (size_t i = 0; i < s->block_count; i++)
		for (size_t k = 0; k < s->blocks[i]->near.n; k++) {
			const char *text = s->blocks[i]->near.at[k];
			size_t n = strlen(text);

			if (h->msg_len >= n && !memcmp(h->msg, text, n))
				return true;
		}
	return false;
}

static const struct set *find_set(
    const struct patterns *p, const struct header *h)
{
	switch (h->place) {
	case HEADER_SYSLOG:
		return engine_find(&p->programs, h->tag, h->tag_len);
	case HEADER_LEAD:
		return engine_find(&p->leads, h->tag, h->tag_len);
	case HEADER_FILE:
		return p->own;
	case HEADER_NOTHING:
		break;
	}
	return NULL;
}

/* The instant of a matched line, or -1. */
static int64_t line_time(
    struct matcher *m, const struct hit *h, int64_t now, int64_t skew)
{
	struct text inside = hit_text(h, GROUP_TIME);
	struct stamp stamp = h->header->stamp;

	if (inside.at &&
	    stamp_parse(inside.at, inside.len, &stamp) != inside.len)
		return -1;
	if (stamp.kind == STAMP_NONE)
		return h->alt->block->unstamped ? now : -1;
	return stamp_read(&m->stamps, &stamp, now, skew);
}

/* What most lines do not need: apart, for it would take their registers. */
#define RARE static __attribute__((noinline))

/* The length without the suffix, if there must be one; notes who sent it. */
RARE size_t take_suffix(struct matcher *m, const char *line, size_t len)
{
	if (m->vouched)
		return len;
	m->uid = PATTERN_NO_UID;
	if (m->annotated && !has_control_slow(line, len))
		(void)annotate_cut(line, &len, &m->uid);
	return len;
}

/* May whoever sent the line write lines of this block? */
RARE bool is_sender(const struct matcher *m, const struct pattern_block *b)
{
	const struct pattern_users *u = b->senders;
	size_t i = 0;

	if (!m->annotated && !m->vouched)
		return !u || m->believing;
	if (!u || m->uid == PATTERN_NO_UID)
		return m->uid != PATTERN_NO_UID;
	while (i < u->words.n && u->uids[i] != m->uid)
		i++;
	return i < u->words.n;
}

static void count(struct matcher *m, enum login_kind kind)
{
	m->counts.logins += kind == LOGIN_IN || kind == LOGIN_ALIVE;
	m->counts.logouts += kind == LOGIN_OUT;
}

enum login_kind matcher_line(struct matcher *m, const char *line, size_t len,
    int64_t now_wall, int64_t skew, struct login *out)
{
	struct header head;
	struct hit hit = { .header = &head };
	enum login_kind kind = LOGIN_NOTHING;
	const struct set *set;
	enum quick quick;
	enum header_seen seen;
	bool refused = true;
	int n;

	m->counts.lines++;
	if (len && line[len - 1] == '\r')
		len--;
	if (m->guarded)
		len = take_suffix(m, line, len);
	quick = quick_look(m, line, len);
	if (quick == QUICK_SKIP || len > LINE_MAX_BYTES)
		return LOGIN_NOTHING;
	seen = header_read(&m->head, line, len, &head);
	if (seen == HEADER_BAD) {
		m->counts.odd++;
		return LOGIN_NOTHING;
	}
	if (quick == QUICK_UNKNOWN && head.place == HEADER_SYSLOG)
		note_host(m, &head);
	set = seen == HEADER_SAME ? m->set : find_set(m->patterns, &head);
	if (seen == HEADER_KEPT)
		m->set = set;
	n = set ? runner_match(&m->runner, set, head.msg, head.msg_len) : -1;
	if (n < 0) {
		m->counts.refused += n < -1 || (set && is_near(set, &head));
		m->counts.odd += head.stamp.kind == STAMP_NONE;
		return LOGIN_NOTHING;
	}
	hit.alt = &set->alts[n];
	hit.ends = pcre2_get_ovector_pointer(m->runner.data);
	hit.time = line_time(m, &hit, now_wall, skew);
	if (hit.time >= 0 && (!m->guarded || is_sender(m, hit.alt->block))) {
		if (has_control(line, len))
			hit_forget(&hit, m->join);
		else
			kind = hit_login(&hit, &m->join, out, &refused);
	}
	m->counts.refused += refused;
	count(m, kind);
	return kind;
}

enum login_kind matcher_line_from(struct matcher *m, const char *line,
    size_t len, int64_t now_wall, int64_t skew, uint32_t uid, struct login *out)
{
	bool guarded = m->guarded;
	enum login_kind kind;

	m->vouched = m->guarded = true;
	m->uid = uid;
	kind = matcher_line(m, line, len, now_wall, skew, out);
	m->vouched = false;
	m->guarded = guarded;
	return kind;
}

int64_t matcher_time(struct matcher *m, const char *line, size_t len,
    int64_t now_wall, int64_t skew)
{
	struct header head;

	if (!header_parse(line, len, &head))
		return -1;
	return stamp_read(&m->stamps, &head.stamp, now_wall, skew);
}
