/* SPDX-License-Identifier: ISC */
/*
 * keeper_channel - the keeper's ends of the sources' channels: tells a reader
 * how far its source had come, takes the logins they send, acknowledges those
 * of receivers and answers their questions. Not here: what becomes of the
 * logins (keeper.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "keeper_private.h"

/* Ms before and after 1970: what no sum with it can overflow. */
#define TIME_MAX (INT64_C(1) << 52)

enum { MESSAGES_A_TURN = 256 };

/* A source's channel. */
struct channel {
	struct channel *next;
	struct keeper *keeper;
	uv_poll_t poll;
	int fd;
	uint16_t source; /* id of the name */
	bool live;       /* waits for acknowledgements, may ask */
	bool nodes;      /* hears other nodes */
	bool export;     /* is told when the journal has grown */
	bool over;
	char name[BOARD_NAME];
};

void pending_clear(struct keeper *k)
{
	enum { KEEP = 1024 };

	for (size_t i = 0; i < k->pending_count; i++)
		free(k->pending[i].logins);
	k->pending_count = k->pending_logins = k->pending_waits = 0;
	k->brought = 0;
	k->applied_count = 0;
	if (k->applied_size > KEEP) { /* a storm is over: give it back */
		free(k->applied);
		k->applied = NULL;
		k->applied_size = 0;
	}
}

static void channel_closed(uv_handle_t *handle)
{
	struct channel *c = handle->data;

	(void)close(c->fd);
	free(c);
}

static void channel_drop(struct channel *c)
{
	struct channel **at = &c->keeper->channels;

	if (c->over)
		return;
	c->over = true;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	for (size_t i = 0; i < c->keeper->pending_count; i++) {
		if (c->keeper->pending[i].channel == c)
			c->keeper->pending[i].channel = NULL;
	}
	(void)uv_poll_stop(&c->poll);
	uv_close((uv_handle_t *)&c->poll, channel_closed);
}

static void pend(
    struct keeper *k, struct channel *c, const struct wire_logins *w)
{
	struct pending *p;

	if (k->pending_count == k->pending_size) {
		k->pending_size = k->pending_size ? 2 * k->pending_size : 16;
		k->pending =
		    xrealloc(k->pending, k->pending_size, sizeof(*k->pending));
	}
	p = &k->pending[k->pending_count++];
	p->channel = c->live ? c : NULL;
	p->number = w->h.value;
	p->source = c->source;
	memcpy(p->name, c->name, sizeof(p->name));
	p->count = w->h.count;
	p->cursor = w->cursor;
	p->logins = NULL;
	if (p->count) {
		p->logins = xmalloc(p->count * sizeof(*p->logins));
		memcpy(p->logins, w->logins, p->count * sizeof(*p->logins));
	}
	k->pending_logins += p->count + 1u;
	k->pending_waits += p->channel != NULL;
}

/* As the names of patterns are; "": none is told. */
static bool server_is_sound(const char server[static LOGIN_SERVER_MAX + 1])
{
	size_t len = strnlen(server, LOGIN_SERVER_MAX + 1);

	return len <= LOGIN_SERVER_MAX &&
	       strspn(server, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static bool is_of_node(const struct login *l)
{
	return l->kind == LOGIN_LEASE || l->kind == LOGIN_REVOKE;
}

/* What this node says, it is not told: its exports would sign it. */
static bool is_own(const struct channel *c, const struct login *l)
{
	char origin[LEDGER_NODE_SIZE];

	(void)snprintf(
	    origin, sizeof(origin), "%016llx", (unsigned long long)l->origin);
	return l->kind == LOGIN_REVOKE &&
	       strcmp(origin, ledger_node(c->keeper->ledger)) == 0;
}

/* A reader is a stranger too: it reads what strangers write. */
static bool sound(const struct channel *c, const struct wire_logins *w)
{
	if (w->h.type != WIRE_LOGINS ||
	    w->cursor.key_len > sizeof(w->cursor.key) ||
	    w->cursor.len > sizeof(w->cursor.bytes))
		return false;
	for (size_t i = 0; i < w->h.count; i++) {
		const struct login *l = &w->logins[i];
		if (l->session_len > LOGIN_SESSION_MAX ||
		    !server_is_sound(l->server) || l->user[l->user_len] ||
		    l->session[l->session_len] || l->time < -TIME_MAX ||
		    l->time > TIME_MAX || l->end < -TIME_MAX ||
		    l->end > TIME_MAX || is_of_node(l) != c->nodes ||
		    is_own(c, l))
			return false;
	}
	return true;
}

/* Sends to a receiver, which reads at once what we send, or is no good. */
static bool reply(const struct channel *c, const struct wire_header *h)
{
	return wire_send(c->fd, h, -1) == 0;
}

void channel_acknowledge(const struct pending *p, const struct applied *done)
{
	struct wire_stored m = { .h = { .type = WIRE_STORED,
				     .count = p->count,
				     .value = p->number } };

	if (!p->channel)
		return;
	for (size_t i = 0; i < p->count; i++)
		m.judgements[i] = (uint8_t)done[i].judgement;
	/* Who has gone may have left more to be read: the end of that ends the
	 * channel. */
	if (!reply(p->channel, &m.h) && errno != EPIPE && errno != ECONNRESET)
		channel_drop(p->channel);
}

static bool answer(struct channel *c, const struct wire_ask *ask)
{
	struct wire_told m = { .h = {
				   .type = WIRE_TOLD, .value = ask->h.value } };

	keeper_look(c->keeper, &ask->addr, &m.told);
	return reply(c, &m.h) || errno == EPIPE || errno == ECONNRESET;
}

/* How far an export has come. */
static bool take_cursor(struct channel *c, const struct source_cursor *cursor)
{
	struct wire_logins w = { .h = { .type = WIRE_LOGINS },
		.cursor = *cursor };

	if (!sound(c, &w))
		return false;
	pend(c->keeper, c, &w);
	return true;
}

/* Takes one message. False: the channel is over. */
static bool take(struct channel *c, const union wire_message *m)
{
	if (c->export)
		return m->h.type == WIRE_CURSOR &&
		       take_cursor(c, &m->cursor.cursor);

	if (m->h.type == WIRE_ASK && c->live)
		return answer(c, &m->ask);
	if (!sound(c, &m->logins) || (c->live && m->logins.cursor.key_len))
		return false;
	pend(c->keeper, c, &m->logins);
	return true;
}

/* Takes all that a channel holds. */
static void drain(struct channel *c)
{
	struct keeper *k = c->keeper;

	while (wire_receive(c->fd, k->message, NULL, false) == 1 &&
	       take(c, k->message))
		;
}

/* The reader of this name before has died. What it had sent comes first: the
 * next one goes on behind it, and must not read it once more. */
static void end_former(struct keeper *k, const char *name)
{
	for (struct channel *c = k->channels, *next; c; c = next) {
		next = c->next;
		if (strcmp(c->name, name) != 0)
			continue;
		/* If it still lives, it says no more. */
		(void)shutdown(c->fd, SHUT_RD);
		drain(c);
		channel_drop(c);
	}
}

void channels_changed(struct keeper *k)
{
	const struct wire_header h = { .type = WIRE_CHANGED };

	/* Who has not read the last one yet need not be told again. */
	for (const struct channel *c = k->channels; c; c = c->next) {
		if (c->export)
			(void)wire_send(c->fd, &h, -1);
	}
}

void channels_drain(struct keeper *k)
{
	while (k->channels) {
		drain(k->channels);
		channel_drop(k->channels);
	}
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
	struct channel *c = poll->data;
	struct keeper *k = c->keeper;
	int got = status < 0 ? 0 : 1;

	(void)events;
	/* Each in its turn: the others wait, and so does the supervisor. */
	for (int i = 0; got == 1 && i < MESSAGES_A_TURN &&
			k->pending_logins < COMMIT_LOGINS;
	     i++) {
		got = wire_receive(c->fd, k->message, NULL, false);
		if (got == 1 && !take(c, k->message))
			got = 0;
	}
	if (k->pending_count)
		keeper_schedule(k);
	if (got == 0)
		channel_drop(c);
}

void channels_listen(struct keeper *k, bool listen)
{
	for (struct channel *c = k->channels; c; c = c->next) {
		if (listen)
			(void)uv_poll_start(
			    &c->poll, UV_READABLE | UV_DISCONNECT, on_channel);
		else
			(void)uv_poll_stop(&c->poll);
	}
}

static int send_cursor(void *ctx, const struct ledger_cursor *l)
{
	const struct channel *c = ctx;
	size_t name = strlen(c->name) + 1;
	struct wire_cursor w = { .h = { .type = WIRE_CURSOR } };

	if (l->key_len <= name || l->key_len - name > sizeof(w.cursor.key))
		return 0;
	w.cursor.key_len = (uint16_t)(l->key_len - name);
	w.cursor.len = l->len;
	memcpy(w.cursor.key, l->key + name, w.cursor.key_len);
	memcpy(w.cursor.bytes, l->bytes, l->len);
	return wire_send(c->fd, &w.h, -1);
}

/* Tells a reader how far its source had come. */
static int send_cursors(struct keeper *k, struct channel *c)
{
	struct wire_path end = { .h = { .type = WIRE_CURSORS_END } };
	struct err err = { 0 };
	int bad;

	if (ledger_read_begin(k->ledger, &err) < 0) {
		log_error(LOG_LEDGER_ERROR, "%s", err.text);
		return -1;
	}
	bad = ledger_cursor_each(
	    k->ledger, c->name, strlen(c->name) + 1, send_cursor, c);
	ledger_read_end(k->ledger);
	(void)snprintf(
	    end.path, sizeof(end.path), "%s", ledger_node(k->ledger));
	return bad ? -1 : wire_send(c->fd, &end.h, -1);
}

struct intern_ctx {
	const char *name;
	uint16_t id;
};

static void intern(struct keeper *k, struct moment now, void *ctx)
{
	struct intern_ctx *i = ctx;

	(void)now;
	i->id = ledger_intern(k->ledger, i->name);
}

void channel_add(struct keeper *k, const char *name, int fd)
{
	/* Less than the shortest child-timeout: we do not beat meanwhile. */
	const struct timeval limit = { .tv_usec = 400000 };
	struct channel *c = xcalloc(1, sizeof(*c));
	struct intern_ctx in = { .name = c->name };
	const struct source_kind *kind;
	struct err err = { 0 };

	c->keeper = k;
	c->fd = fd;
	(void)snprintf(c->name, sizeof(c->name), "%s", name);
	end_former(k, c->name);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (keeper_transaction(k, intern, &in, &err) < 0 ||
	    send_cursors(k, c) < 0) {
		/* The reader sees the end, and is started again later. */
		log_error(LOG_SOURCE_ERROR, "source=%s error=\"%s\"", c->name,
		    err.text[0] ? err.text : "its process has gone");
		(void)close(fd);
		free(c);
		return;
	}
	c->source = in.id;
	kind = keeper_kind(k, c->name);
	c->live = kind && kind->live;
	c->nodes = kind && kind->hears_nodes;
	c->export =
	    strncmp(c->name, EXPORT_CHANNEL, strlen(EXPORT_CHANNEL)) == 0;
	must(uv_poll_init(&k->loop.loop, &c->poll, fd) == 0);
	c->poll.data = c;
	c->next = k->channels;
	k->channels = c;
	must(uv_poll_start(&c->poll, UV_READABLE | UV_DISCONNECT, on_channel) ==
	     0);
}
