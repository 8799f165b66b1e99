/* SPDX-License-Identifier: ISC */
/*
 * notify_codec - see notify_codec.h. Which key a notice must, may or must not
 * hold, and how its value is read and written, are one table.
 */
#include "notify_codec.h"

#include <stdio.h>
#include <string.h>

#include "base/kv.h"
#include "base/mem.h"

enum {
	PID_MAX = 4194304, /* the kernel's PID_MAX_LIMIT */
	SERVICE_MAX = 23,
	REASON_MAX = 31,
	TEXT_MAX = 95,
	VALUE_MAX = LOGIN_USER_MAX /* the longest of all, decoded */
};

#define LOWER     "abcdefghijklmnopqrstuvwxyz"
#define WORDS     LOWER "0123456789-"
#define BIT(kind) (1U << (kind))

static const struct verb {
	const char *name;
	uint8_t kind;
} verbs[] = {
	{ "login", LOGIN_IN },
	{ "alive", LOGIN_ALIVE },
	{ "logout", LOGIN_OUT },
};

/* --- values -----------------------------------------------------------------
 */

/* Letters, digits and "-" only. */
static bool is_word(const char *text, size_t len, size_t max)
{
	return len > 0 && len <= max && strspn(text, WORDS) == len;
}

bool notify_is_server(const char *text)
{
	return is_word(text, strlen(text), LOGIN_SERVER_MAX);
}

/* A name that may stand in a lease, a log line, a terminal. */
static bool is_name(const char *text, size_t len, size_t max)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < ' ' || c == 0x7f)
			return false;
	}
	return len > 0 && len <= max;
}

static bool read_ip(const char *text, size_t len, struct login *l)
{
	return addr_parse(text, len, &l->addr);
}

static bool read_user(const char *text, size_t len, struct login *l)
{
	if (!is_name(text, len, LOGIN_USER_MAX))
		return false;
	memcpy(l->user, text, len);
	l->user_len = (uint8_t)len;
	return true;
}

static bool read_server(const char *text, size_t len, struct login *l)
{
	if (!is_word(text, len, LOGIN_SERVER_MAX))
		return false;
	memcpy(l->server, text, len);
	return true;
}

static bool read_session(const char *text, size_t len, struct login *l)
{
	if (!is_name(text, len, LOGIN_SESSION_MAX))
		return false;
	memcpy(l->session, text, len);
	l->session_len = (uint8_t)len;
	return true;
}

static bool read_service(const char *text, size_t len, struct login *l)
{
	(void)l;
	return is_word(text, len, SERVICE_MAX);
}

static bool read_tls(const char *text, size_t len, struct login *l)
{
	(void)len;
	l->tls = strcmp(text, "yes") == 0;
	return l->tls || strcmp(text, "no") == 0;
}

static bool read_pid(const char *text, size_t len, struct login *l)
{
	uint32_t pid = 0;

	for (size_t i = 0; i < len && pid <= PID_MAX; i++) {
		if (text[i] < '0' || text[i] > '9' || text[0] == '0')
			return false;
		pid = pid * 10 + (uint32_t)(text[i] - '0');
	}
	l->mpid = pid;
	return pid > 0 && pid <= PID_MAX;
}

static const struct key {
	const char *name;
	const char *missing, *wrong; /* what to answer */
	unsigned must, may;          /* bits of enum login_kind */
	bool (*read)(const char *text, size_t len, struct login *l);
} keys[] = {
	{ "ip", "ip is missing", "ip is no address",
	    BIT(LOGIN_IN) | BIT(LOGIN_ALIVE), BIT(LOGIN_OUT), read_ip },
	{ "user", "user is missing", "user is too long or no name",
	    BIT(LOGIN_IN) | BIT(LOGIN_ALIVE) | BIT(LOGIN_OUT), 0, read_user },
	{ "server", "server is missing", "server is no word",
	    BIT(LOGIN_IN) | BIT(LOGIN_ALIVE) | BIT(LOGIN_OUT), 0, read_server },
	{ "session", "session is missing", "session is too long or no name",
	    BIT(LOGIN_ALIVE) | BIT(LOGIN_OUT), BIT(LOGIN_IN), read_session },
	{ "service", "", "service is no word", 0,
	    BIT(LOGIN_IN) | BIT(LOGIN_ALIVE) | BIT(LOGIN_OUT), read_service },
	{ "tls", "", "tls is neither yes nor no", 0,
	    BIT(LOGIN_IN) | BIT(LOGIN_ALIVE), read_tls },
	{ "pid", "", "pid is no process number", 0, BIT(LOGIN_IN), read_pid },
};

/* --- reading ----------------------------------------------------------------
 */

static uint8_t verb_kind(const struct kv_word *w)
{
	for (size_t i = 0; i < COUNT_OF(verbs); i++)
		if (w->key_len == 0 && strlen(verbs[i].name) == w->value_len &&
		    memcmp(verbs[i].name, w->value, w->value_len) == 0)
			return verbs[i].kind;
	return LOGIN_NOTHING;
}

static size_t key_index(const struct kv_word *w)
{
	size_t i = 0;

	while (i < COUNT_OF(keys) &&
	       (strlen(keys[i].name) != w->key_len ||
		   memcmp(keys[i].name, w->key, w->key_len) != 0))
		i++;
	return i;
}

/* NULL, or what is wrong with this pair. */
static const char *take_pair(
    const struct kv_word *w, unsigned *seen, struct login *l)
{
	char value[VALUE_MAX + 1];
	size_t len, i = key_index(w);

	if (w->key_len == 0 || i == COUNT_OF(keys))
		return "unknown key";
	if (!((keys[i].must | keys[i].may) & BIT(l->kind)))
		return "a key that this notice does not have";
	if (*seen & 1U << i)
		return "a key twice";
	*seen |= 1U << i;
	if (!kv_decode(w->value, w->value_len, value, sizeof(value), &len) ||
	    !keys[i].read(value, len, l))
		return keys[i].wrong;
	return NULL;
}

static const char *read_notice(const char *line, size_t len, struct login *l)
{
	struct kv_word w;
	unsigned seen = 0;
	const char *why;
	int more;

	if (kv_next(&line, &len, &w) == 1)
		l->kind = verb_kind(&w);
	if (l->kind == LOGIN_NOTHING)
		return "unknown verb";
	while ((more = kv_next(&line, &len, &w)) == 1) {
		why = take_pair(&w, &seen, l);
		if (why)
			return why;
	}
	if (more < 0)
		return "malformed";
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (keys[i].must & BIT(l->kind) && !(seen & 1U << i))
			return keys[i].missing;
	return NULL;
}

bool notify_parse(
    const char *line, size_t len, struct login *out, const char **why)
{
	/* Padding too: it goes over a wire. */
	memset(out, 0, sizeof(*out));
	*why = "too long";
	if (len > NOTIFY_MAX)
		return false;
	if (len && line[len - 1] == '\n')
		len--;
	*why = read_notice(line, len, out);
	if (*why)
		memset(out, 0, sizeof(*out));
	return !*why;
}

#define BIND "bind ip="

bool notify_bind_parse(const char *line, size_t len, struct addr *out)
{
	static const struct addr none;
	const size_t before = sizeof(BIND) - 1;

	*out = none;
	if (len && line[len - 1] == '\n')
		len--;
	return len > before && memcmp(line, BIND, before) == 0 &&
	       addr_parse(line + before, len - before, out) &&
	       !addr_equal(out, &none);
}

/* --- writing ----------------------------------------------------------------
 */

size_t notify_bind_print(
    const struct addr *addr, char out[static NOTIFY_MAX + 1])
{
	char ip[ADDR_TEXT_SIZE];

	addr_print(addr, ip);
	return (size_t)snprintf(out, NOTIFY_MAX + 1, BIND "%s\n", ip);
}

struct text {
	char *out;
	size_t used;
	bool full;
};

static void put(struct text *t, const char *key, const char *value)
{
	if (*value)
		t->full |= !kv_put(t->out, NOTIFY_MAX, &t->used, key, value);
}

static void put_login(struct text *t, const struct login *l)
{
	static const struct addr none;
	char ip[ADDR_TEXT_SIZE] = "", pid[sizeof("4294967295")] = "";

	if (!addr_equal(&l->addr, &none))
		addr_print(&l->addr, ip);
	if (l->mpid)
		snprintf(pid, sizeof(pid), "%u", (unsigned)l->mpid);
	put(t, "ip", ip);
	put(t, "user", l->user);
	put(t, "server", l->server);
	put(t, "session", l->session);
	put(t, "tls", l->tls ? "yes" : "");
	put(t, "pid", pid);
}

size_t notify_print(
    const struct login *l, const char *service, char out[static NOTIFY_MAX + 1])
{
	struct text t = { .out = out };
	struct login check;
	const char *why;

	out[0] = '\0';
	for (size_t i = 0; i < COUNT_OF(verbs); i++)
		if (verbs[i].kind == l->kind)
			t.used = (size_t)snprintf(
			    out, NOTIFY_MAX, "%s ", verbs[i].name);
	put_login(&t, l);
	put(&t, "service", service ? service : "");
	/* What may be said is decided in one place. The last blank becomes the
	 * LF. */
	if (!t.full && notify_parse(out, t.used, &check, &why)) {
		out[t.used - 1] = '\n';
		return t.used;
	}
	out[0] = '\0';
	return 0;
}

/* --- answers ----------------------------------------------------------------
 */

static const char *const words[] = {
	[NOTIFY_NOT_STORED] = "not-stored",
	[NOTIFY_STORED] = "stored",
	[NOTIFY_BOUND] = "bound",
	[NOTIFY_NONE] = "none",
	[NOTIFY_ERROR] = "error",
};

size_t notify_answer_print(enum notify_word word, const char *text,
    char out[static NOTIFY_ANSWER_MAX + 1])
{
	int n = word == NOTIFY_STORED || word == NOTIFY_BOUND
		    ? snprintf(out, NOTIFY_ANSWER_MAX + 1, "%s\n", words[word])
		    : snprintf(out, NOTIFY_ANSWER_MAX + 1, "%s %s\n",
			  words[word], text);

	must(n > 0 && n <= NOTIFY_ANSWER_MAX);
	return (size_t)n;
}

static bool is_sentence(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return len > 0 && len <= TEXT_MAX;
}

static bool fits(enum notify_word word, const char *text, size_t len)
{
	switch (word) {
	case NOTIFY_STORED:
	case NOTIFY_BOUND:
		return len == 0;
	case NOTIFY_ERROR:
		return is_sentence(text, len);
	case NOTIFY_NONE:
	case NOTIFY_NOT_STORED:
	default:
		return is_word(text, len, REASON_MAX);
	}
}

bool notify_answer_parse(
    const char *line, size_t len, struct notify_answer *out)
{
	static const struct notify_answer none;
	char text[NOTIFY_ANSWER_MAX + 1];
	size_t first;

	*out = none;
	if (len > NOTIFY_ANSWER_MAX || memchr(line, '\0', len))
		return false;
	if (len && line[len - 1] == '\n')
		len--;
	memcpy(text, line, len);
	text[len] = '\0';
	first = strcspn(text, " ");
	const char *rest = text + first + (first < len);
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (strlen(words[i]) != first ||
		    memcmp(words[i], text, first) != 0 ||
		    (rest == text + len && first < len) ||
		    !fits((enum notify_word)i, rest, strlen(rest)))
			continue;
		out->word = (enum notify_word)i;
		memcpy(out->text, rest, strlen(rest) + 1);
		return true;
	}
	return false;
}
