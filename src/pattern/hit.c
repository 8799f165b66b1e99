/* SPDX-License-Identifier: ISC */
/*
 * hit - from the groups of a match to a login. Called by matcher.c. What stands
 * in a group is still only text: addresses go through the strict parser, a user
 * that does not fit is no user.
 */
#include "hit.h"

#include <string.h>

#include "base/mem.h"

/* 0: not a number that fits. */
static uint32_t to_number(struct text t)
{
	uint64_t v = 0;

	for (size_t i = 0; t.at && i < t.len; i++) {
		if (t.at[i] < '0' || t.at[i] > '9' || v > UINT32_MAX)
			return 0;
		v = v * 10 + (uint64_t)(t.at[i] - '0');
	}
	return v > UINT32_MAX ? 0 : (uint32_t)v;
}

/* Appends a field of a session's name; false: missing, or no room. */
static bool add_field(struct login *out, const char *at, size_t len)
{
	size_t used = out->session_len;

	if (!len || used + (used > 0) + len > LOGIN_SESSION_MAX)
		return false;
	if (used)
		out->session[used++] = '/';
	memcpy(out->session + used, at, len);
	out->session_len = (uint8_t)(used + len);
	return true;
}

static bool add_text(struct login *out, struct text t)
{
	return add_field(out, t.at, t.len);
}

static bool add_pid(struct login *out, const struct hit *h)
{
	struct text t = hit_text(h, GROUP_PID);
	char digits[10];
	size_t n = sizeof(digits);

	if (t.len)
		return add_text(out, t);
	for (uint32_t pid = h->header->pid; pid; pid /= 10)
		digits[--n] = (char)('0' + pid % 10);
	return add_field(out, digits + n, sizeof(digits) - n);
}

/* An address in its canonical text, so that all its spellings join. */
static bool add_addr(struct login *out, const struct hit *h)
{
	char text[ADDR_TEXT_SIZE];

	if (!hit_text(h, GROUP_IP).len)
		return false;
	return add_field(out, text, addr_print(&out->addr, text));
}

static bool add_one(
    struct login *out, const struct hit *h, enum pattern_field field)
{
	switch (field) {
	case FIELD_SESSION:
		return add_text(out, hit_text(h, GROUP_SESSION));
	case FIELD_IP:
		return add_addr(out, h);
	case FIELD_PORT:
		return add_text(out, hit_text(h, GROUP_PORT));
	case FIELD_USER:
		return add_field(out, out->user, out->user_len);
	case FIELD_PID:
		return add_pid(out, h);
	case FIELD_PROGRAM:
		return add_field(out, h->header->tag, h->header->tag_len);
	case FIELD_HOST:
		return add_field(out, h->header->host, h->header->host_len);
	case FIELD_COUNT:
		break;
	}
	return false;
}

/* All fields or none: half a name would be somebody else's. */
static void set_session(struct login *out, const struct hit *h)
{
	const struct pattern_block *b = h->alt->block;
	size_t i = 0;

	while (i < b->field_count && add_one(out, h, b->fields[i]))
		i++;
	if (i == b->field_count)
		return;
	memset(out->session, 0, sizeof(out->session));
	out->session_len = 0;
}

static bool is_tls(const struct hit *h)
{
	const struct pattern_words *w = &h->alt->block->tls;

	if (hit_text(h, GROUP_TLS).at)
		return true;
	for (size_t i = 0; i < w->n; i++) {
		size_t n = strcspn(w->at[i], "*");
		bool star = w->at[i][n] == '*';

		if ((star ? h->header->tag_len >= n
			  : h->header->tag_len == n) &&
		    !memcmp(w->at[i], h->header->tag, n))
			return true;
	}
	return false;
}

typedef unsigned char chunk __attribute__((vector_size(16), aligned(1)));

/*
 * A login has no bytes that mean nothing. volatile, because compilers turn a
 * plain memset() of this size into an instruction that takes longer to begin
 * than all of this takes.
 */
static void clear(struct login *l)
{
	static const chunk zeros;
	char *p = (char *)l, *last = p + sizeof(*l) - sizeof(chunk);

	for (; p < last; p += sizeof(chunk))
		*(volatile chunk *)p = zeros;
	*(volatile chunk *)last = zeros;
}

/*
 * A stamp inside: the end of the line never came (a full disk, a crash), and
 * the next one was written behind it. That one may be a stranger's failure.
 */
static bool is_two_lines(struct text t)
{
	struct stamp stamp;

	/* A head holds a ':', and hardly any name does. */
	if (!t.at || !memchr(t.at, ':', t.len))
		return false;
	for (size_t i = 0; i < t.len; i++) {
		size_t n = stamp_parse(t.at + i, t.len - i, &stamp);

		if (n && i + n < t.len && t.at[i + n] == ' ')
			return true;
	}
	return false;
}

/* False: it names a user that cannot be one. */
static bool set_user(struct login *out, const struct hit *h)
{
	struct text t = hit_text(h, GROUP_USER);

	if (t.len > LOGIN_USER_MAX || is_two_lines(t))
		return false;
	if (t.at)
		memcpy(out->user, t.at, t.len);
	out->user_len = (uint8_t)t.len;
	return true;
}

/* False: it names an address that is none. */
static bool set_addr(struct login *out, const struct hit *h)
{
	struct text t = hit_text(h, GROUP_IP);

	return !t.at || addr_parse(t.at, t.len, &out->addr);
}

static bool fill(struct login *out, const struct hit *h, enum login_kind kind)
{
	const struct pattern_block *b = h->alt->block;

	clear(out);
	if (!set_addr(out, h) || !set_user(out, h))
		return false;
	out->kind = (uint8_t)kind;
	out->tls = is_tls(h);
	out->mpid = to_number(hit_text(h, GROUP_MPID));
	out->time = h->time;
	memcpy(out->server, b->server, sizeof(out->server));
	set_session(out, h);
	return true;
}

static struct join *joins(struct join **join)
{
	if (!*join)
		*join = join_new();
	return *join;
}

static enum login_kind login(
    const struct hit *h, struct join **join, struct login *out, bool *refused)
{
	int64_t limit = h->alt->block->join;
	bool named = hit_text(h, GROUP_IP).at != NULL;

	if (!fill(out, h, LOGIN_IN) || !out->user_len) {
		*refused = true;
		return LOGIN_NOTHING;
	}
	/* A connection that is used, or was not needed, is gone. */
	if (limit && named)
		join_drop(joins(join), h->header);
	if (named)
		return LOGIN_IN;
	if (!limit ||
	    !join_take(joins(join), h->header, h->time, limit, &out->addr)) {
		*refused = true;
		return LOGIN_NOTHING;
	}
	return LOGIN_IN;
}

static void connect(const struct hit *h, struct join **join)
{
	struct text t = hit_text(h, GROUP_IP);
	struct addr addr;

	if (!h->alt->block->join)
		return;
	/* A name in place of an address: whoever was there before, is gone. */
	if (t.at && addr_parse(t.at, t.len, &addr))
		join_put(joins(join), h->header, &addr, h->time);
	else
		join_drop(joins(join), h->header);
}

void hit_forget(const struct hit *h, struct join *join)
{
	if (join && h->alt->block->join)
		join_drop(join, h->header);
}

enum login_kind hit_login(
    const struct hit *h, struct join **join, struct login *out, bool *refused)
{
	*refused = false;
	switch (h->alt->kind) {
	case PATTERN_LOGIN:
		return login(h, join, out, refused);
	case PATTERN_CONNECT:
		connect(h, join);
		return LOGIN_NOTHING;
	case PATTERN_FAIL:
		if (h->alt->block->join)
			join_drop(joins(join), h->header);
		return LOGIN_NOTHING;
	case PATTERN_LOGOUT:
		if (h->alt->block->join)
			join_drop(joins(join), h->header);
		*refused = !fill(out, h, LOGIN_OUT);
		return *refused ? LOGIN_NOTHING : LOGIN_OUT;
	case PATTERN_START:
		*refused = !fill(out, h, LOGIN_RESTART);
		return *refused ? LOGIN_NOTHING : LOGIN_RESTART;
	}
	return LOGIN_NOTHING;
}
