/* SPDX-License-Identifier: ISC */
/*
 * redis - hiredis' asynchronous API on a uv loop, for redis/link.c; see
 * redis/redis.h.
 *
 * A server that is broken, or not one at all, must not eat memory: hiredis
 * builds its replies by functions that we put in front of its own, and these
 * refuse what is more than a reply of ours can be; what it holds of a reply
 * that is not yet complete is looked at after each read.
 */
#include "redis/redis.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#ifdef RELAYPASS_REDIS_TLS
#include <hiredis/hiredis_ssl.h>
#endif
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/mem.h"
#include "base/module.h"

enum {
	/* One step of a scan, with its values, is below a tenth of it. */
	REPLY_BYTES_MAX = 16 << 20,
	REPLY_ITEMS_MAX = 1 << 17,
	/* The array of streams, a stream, its entries, an entry, its fields. */
	REPLY_DEPTH_MAX = 6,
	WHY_SIZE = 160
};

#if HIREDIS_MAJOR >= 1
typedef size_t reply_count;
#else
typedef int reply_count;
#endif

struct redis_conn {
	redisAsyncContext *ac; /* NULL: lost */
	uv_poll_t poll;
	bool reads, writes;
	bool handle_open; /* the loop still has it */
	bool closed;      /* by its owner: nobody is called any more */
	bool is_up;
	size_t waiting;      /* commands without a reply */
	size_t bytes, items; /* of the reply that is being read */
	redisReplyObjectFunctions *own, limited;
	char why[WHY_SIZE]; /* it is lost; "": hiredis knows */
	void (*up)(void *ctx);
	void (*down)(void *ctx, const char *why);
	void *ctx;
#ifdef RELAYPASS_REDIS_TLS
	redisSSLContext *tls;
#endif
};

struct waiting {
	struct redis_conn *conn;
	redis_reply_fn *fn;
	void *ctx;
};

/* The first reason is the one. */
static void say(struct redis_conn *c, const char *why)
{
	if (!*c->why)
		(void)snprintf(c->why, sizeof(c->why), "%s", why);
}

/* --- replies within limits -------------------------------------------------
 */

static struct redis_conn *conn_of(const redisReadTask *task)
{
	return task->privdata;
}

/* False: this reply is too large to be one of ours. */
static bool spend(const redisReadTask *task, size_t bytes, size_t items)
{
	struct redis_conn *c = conn_of(task);
	size_t depth = 0;

	for (const redisReadTask *up = task->parent; up; up = up->parent)
		depth++;
	if (depth == 0)
		c->bytes = c->items = 0;
	/* hiredis ends the process at a reply that nobody waits for. */
	if (depth == 0 && c->waiting == 0) {
		say(c, "a reply that nobody has asked for");
		return false;
	}
	if (depth > REPLY_DEPTH_MAX || bytes > REPLY_BYTES_MAX - c->bytes ||
	    items > REPLY_ITEMS_MAX - c->items) {
		say(c, "a reply is larger than any that is asked for");
		return false;
	}
	c->bytes += bytes;
	c->items += items;
	return true;
}

static void *limited_string(const redisReadTask *task, char *text, size_t len)
{
	return spend(task, len, 1)
		   ? conn_of(task)->own->createString(task, text, len)
		   : NULL;
}

static void *limited_array(const redisReadTask *task, reply_count count)
{
	/* A nil array has none. */
	size_t items = count > 0 ? (size_t)count : 0;

	return spend(task, 0, items + 1)
		   ? conn_of(task)->own->createArray(task, count)
		   : NULL;
}

static void *limited_integer(const redisReadTask *task, long long value)
{
	return spend(task, 0, 1)
		   ? conn_of(task)->own->createInteger(task, value)
		   : NULL;
}

static void *limited_nil(const redisReadTask *task)
{
	return spend(task, 0, 1) ? conn_of(task)->own->createNil(task) : NULL;
}

static void limit_replies(struct redis_conn *c)
{
	redisReader *reader = c->ac->c.reader;

	c->own = reader->fn;
	c->limited = *c->own;
	c->limited.createString = limited_string;
	c->limited.createArray = limited_array;
	c->limited.createInteger = limited_integer;
	c->limited.createNil = limited_nil;
	reader->fn = &c->limited;
	reader->privdata = c;
}

/* Their reply as ours. */
static void convert(const redisReply *r, struct redis_reply *out)
{
	struct redis_reply *items;

	*out = (struct redis_reply){ .type = REDIS_NIL, .text = "" };
	switch (r->type) {
	case REDIS_REPLY_INTEGER:
		out->type = REDIS_INTEGER;
		out->integer = r->integer;
		return;
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
	case REDIS_REPLY_ERROR:
		out->type =
		    r->type == REDIS_REPLY_ERROR ? REDIS_ERROR : REDIS_TEXT;
		out->text = r->str;
		out->len = r->len;
		return;
	case REDIS_REPLY_ARRAY:
		out->type = REDIS_ARRAY;
		out->count = r->elements;
		items = xcalloc(r->elements + 1, sizeof(*items));
		for (size_t i = 0; i < r->elements; i++)
			convert(r->element[i], &items[i]);
		out->items = items;
		return;
	default:
		return;
	}
}

static void release(struct redis_reply *r)
{
	union {
		const struct redis_reply *borrowed;
		struct redis_reply *own;
	} items = { r->items };

	for (size_t i = 0; i < r->count; i++)
		release(&items.own[i]);
	free(items.own);
}

static void on_reply(redisAsyncContext *ac, void *theirs, void *data)
{
	struct waiting *w = data;
	struct redis_reply reply;

	(void)ac;
	w->conn->waiting--;
	if (w->conn->closed) {
		free(w);
		return;
	}
	if (theirs)
		convert(theirs, &reply);
	w->fn(w->ctx, theirs ? &reply : NULL);
	if (theirs)
		release(&reply);
	free(w);
}

/* --- the loop --------------------------------------------------------------
 */

/* The last of owner and loop. */
static void forget(struct redis_conn *c)
{
	if (!c->closed || c->handle_open)
		return;
#ifdef RELAYPASS_REDIS_TLS
	if (c->tls)
		redisFreeSSLContext(c->tls);
#endif
	free(c);
}

static void on_closed(uv_handle_t *handle)
{
	struct redis_conn *c = handle->data;

	c->handle_open = false;
	forget(c);
}

/* The loop only says that something is wrong with it. */
static void say_error(struct redis_conn *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(c->ac->c.fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
	    error)
		say(c, strerror(error));
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct redis_conn *c = poll->data;

	if (status < 0) {
		/* Why it refuses us, it may have said before it closed. */
		if (c->is_up)
			redisAsyncHandleRead(c->ac);
		if (c->ac) {
			say_error(c);
			redisAsyncFree(c->ac);
		}
		return;
	}
	/* Each of them may end it. */
	if (c->ac && (events & (UV_READABLE | UV_DISCONNECT)))
		redisAsyncHandleRead(c->ac);
	if (c->ac && c->ac->c.reader->len > REPLY_BYTES_MAX) {
		say(c, "a reply is larger than any that is asked for");
		redisAsyncFree(c->ac);
	}
	if (c->ac && (events & UV_WRITABLE))
		redisAsyncHandleWrite(c->ac);
}

static void watch(struct redis_conn *c)
{
	int events =
	    (c->reads ? UV_READABLE : 0) | (c->writes ? UV_WRITABLE : 0);

	if (!c->ac)
		return;
	if (events)
		(void)uv_poll_start(&c->poll, events, on_ready);
	else
		(void)uv_poll_stop(&c->poll);
}

static void add_read(void *data)
{
	struct redis_conn *c = data;

	c->reads = true;
	watch(c);
}

static void del_read(void *data)
{
	struct redis_conn *c = data;

	c->reads = false;
	watch(c);
}

static void add_write(void *data)
{
	struct redis_conn *c = data;

	c->writes = true;
	watch(c);
}

static void del_write(void *data)
{
	struct redis_conn *c = data;

	c->writes = false;
	watch(c);
}

/* hiredis is done with it: all commands under way had their callbacks. */
static void cleanup(void *data)
{
	struct redis_conn *c = data;
	redisAsyncContext *ac = c->ac;

	if (!ac)
		return;
	if (ac->err && ac->errstr)
		say(c, ac->errstr);
	say(c, "the connection was closed");
	c->ac = NULL;
	uv_close((uv_handle_t *)&c->poll, on_closed);
	if (!c->closed)
		c->down(c->ctx, c->why);
}

static void on_connect(const redisAsyncContext *ac, int status)
{
	struct redis_conn *c = ac->data;

	if (status != REDIS_OK) {
		say(c, ac->c.errstr);
		return;
	}
	if (c->is_up || c->closed)
		return;
	c->is_up = true;
	c->up(c->ctx);
}

static int attach(struct redis_conn *c, uv_loop_t *loop, struct err *err)
{
	redisAsyncContext *ac = c->ac;
	int rc = uv_poll_init(loop, &c->poll, ac->c.fd);

	if (rc < 0)
		return err_set(err, EXIT_AGAIN, "%s", uv_strerror(rc));
	c->poll.data = c;
	c->handle_open = true;
	ac->data = c;
	ac->ev.data = c;
	ac->ev.addRead = add_read;
	ac->ev.delRead = del_read;
	ac->ev.addWrite = add_write;
	ac->ev.delWrite = del_write;
	ac->ev.cleanup = cleanup;
	return redisAsyncSetConnectCallback(ac, on_connect) == REDIS_OK
		   ? 0
		   : err_set(err, EXIT_BUG, "hiredis takes no callback");
}

/* --- what the module gives -------------------------------------------------
 */

#ifdef RELAYPASS_REDIS_TLS
static int start_tls(
    struct redis_conn *c, const char *host, const char *ca, struct err *err)
{
	redisSSLContextError why = REDIS_SSL_CTX_NONE;

	/* Any name is good that this CA has signed (hiredis looks no further),
	 * so it has to be the site's own. */
	c->tls = redisCreateSSLContext(ca, NULL, NULL, NULL, host, &why);
	if (!c->tls)
		return err_set(err, EXIT_USER, "TLS: %s: %s", ca,
		    redisSSLContextGetError(why));
	if (redisInitiateSSLWithContext(&c->ac->c, c->tls) != REDIS_OK)
		return err_set(err, EXIT_AGAIN, "TLS: %s", c->ac->c.errstr);
	return 0;
}
#endif

/* What glibc loads to look a name up must be there before the lock-down. */
static int prepare(struct err *err)
{
	struct addrinfo *found = NULL;

	(void)err;
	if (getaddrinfo("localhost", NULL, NULL, &found) == 0)
		freeaddrinfo(found);
#ifdef RELAYPASS_REDIS_TLS
	if (redisInitOpenSSL() != REDIS_OK)
		return err_set(err, EXIT_BUG, "OpenSSL cannot be set up");
#endif
	return 0;
}

static void close_conn(struct redis_conn **cp)
{
	struct redis_conn *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	c->closed = true;
	if (c->ac)
		redisAsyncFree(c->ac);
	else
		forget(c);
}

static struct redis_conn *connect_conn(uv_loop_t *loop, const char *host,
    uint16_t port, const char *ca, void (*up)(void *ctx),
    void (*down)(void *ctx, const char *why), void *ctx, struct err *err)
{
	struct redis_conn *c = xcalloc(1, sizeof(*c));

	c->up = up;
	c->down = down;
	c->ctx = ctx;
	c->ac = redisAsyncConnect(host, port);
	must(c->ac != NULL);
	if (c->ac->err) {
		(void)err_set(err, EXIT_AGAIN, "%s", c->ac->errstr);
		redisAsyncFree(c->ac);
		free(c);
		return NULL;
	}
	limit_replies(c);
	if (attach(c, loop, err) < 0)
		goto failed;
#ifdef RELAYPASS_REDIS_TLS
	if (ca && start_tls(c, host, ca, err) < 0)
		goto failed;
#else
	(void)ca;
#endif
	return c;
failed:
	if (!c->handle_open)
		redisAsyncFree(c->ac);
	c->ac = c->handle_open ? c->ac : NULL;
	close_conn(&c);
	return NULL;
}

static void command(struct redis_conn *c, size_t argc, const char *const *argv,
    const size_t *lens, redis_reply_fn *fn, void *ctx)
{
	struct waiting *w;
	union {
		const char *const *ours;
		const char **theirs;
	} words = { argv };

	w = xmalloc(sizeof(*w));
	*w = (struct waiting){ .conn = c, .fn = fn, .ctx = ctx };
	c->waiting++;
	if (c->ac && redisAsyncCommandArgv(c->ac, on_reply, w, (int)argc,
			 words.theirs, lens) == REDIS_OK)
		return;
	c->waiting--;
	free(w);
	fn(ctx, NULL);
}

static const struct redis_api api = {
#ifdef RELAYPASS_REDIS_TLS
	.has_tls = true,
#else
	.why_no_tls = "hiredis " RELAYPASS_HIREDIS
		      " has no TLS; it needs 1.0 or newer with hiredis_ssl",
#endif
	.prepare = prepare,
	.connect = connect_conn,
	.command = command,
	.close = close_conn,
};

__attribute__((
    visibility("default"))) extern const struct module relaypass_module;
const struct module relaypass_module = { RELAYPASS_VERSION, &api };
