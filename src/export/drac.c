/* SPDX-License-Identifier: ISC */
/*
 * drac - the export kind "drac": adds each leased address at another machine's
 * DRAC server, by ONC RPC over UDP, as patched POP servers did. DRAC knows no
 * "delete" and no user: what it was told ends by its own clock, so an address
 * is added again whenever its lease moves.
 *
 * What was told by DRAC is not told by DRAC: two machines that add each other's
 * leases would keep them for ever.
 *
 * Some calls are under way at a time, each repeated when no answer comes. One
 * that stays without an answer, or is denied, fails the whole slice: it comes
 * again later, as the leases are then.
 *
 * A server may know only IPv4, and an address may be one that it cannot store.
 * Neither may hold up the other addresses: those are told in any case. What the
 * server could not store comes again a few times, for it may have been the
 * server, and is then passed over, unless it stores nothing at all.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "export.h"
#include "source/drac_portmap.h"

enum {
	WINDOW = 32,
	VERSIONS = 2,
	WHOLE_ADDRESS = 128,
	/* Of a slice with addresses that are not stored: some seconds. */
	SLICE_TRIES = 6,
	TELL_MS = 60 * 1000
};

static const struct option drac_options[] = {
	{ "server", OPTION_STRING, NULL, 0, 0, NULL,
	    "Host that runs the DRAC server: an address, or a name that is "
	    "looked up at each start." },
	{ "port", OPTION_INT, "0", 0, 65535, NULL,
	    "UDP port of the server; 0 asks its rpcbind." },
	{ "timeout", OPTION_DURATION, "1s", 1000, 30000, NULL,
	    "How long one call waits for its answer." },
	{ "tries", OPTION_INT, "5", 1, 100, NULL,
	    "How often a call without an answer is made." },
	OPTION_END
};

struct call {
	bool under_way;
	bool finds; /* asks rpcbind for the port of a version */
	uint32_t xid, version;
	const struct addr *addr;
	int64_t tries;
	uint64_t until; /* loop time, ms */
};

struct export
{
	struct export_env env;
	const struct conf_section *conf;
	uv_loop_t *loop;
	uv_poll_t answers;
	uv_timer_t timer;
	int handles;
	int fd;
	struct sockaddr_storage server; /* its port changes with the call */
	socklen_t server_len;
	uint16_t ports[VERSIONS + 1]; /* by version; 0: not known */
	uint32_t xid;
	int64_t timeout, tries;
	struct call calls[WINDOW];
	size_t under_way;
	const struct export_slice *slice; /* NULL: nothing to do */
	size_t next;
	bool failing; /* and the log knows */
	/* Of this slice, and how often it came. */
	size_t stored, not_stored;
	int slice_tries;
	/* Passed over and not yet told of; when that was told last, loop ms. */
	uint64_t passed_over, told_at;
};

/* --- talking ---------------------------------------------------------------
 */

static void set_port(struct export *e, uint16_t port)
{
	if (e->server.ss_family == AF_INET)
		((struct sockaddr_in *)&e->server)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)&e->server)->sin6_port = htons(port);
}

/* Lost ones are made again; so are those that the kernel does not take. */
static void send_call(struct export *e, struct call *c)
{
	bool six = e->server.ss_family == AF_INET6;
	union {
		uint8_t find[PORTMAP_CALL_MAX], ask[DRAC_ASK_MAX];
	} bytes;
	size_t len =
	    c->finds ? portmap_find_encode(bytes.find, c->xid, c->version, six)
		     : drac_ask_encode(bytes.ask, c->xid, c->version, c->addr);

	set_port(e, c->finds ? PORTMAP_PORT : e->ports[c->version]);
	(void)sendto(e->fd, &bytes, len, MSG_DONTWAIT,
	    (const struct sockaddr *)&e->server, e->server_len);
	c->tries++;
	c->until = uv_now(e->loop) + (uint64_t)e->timeout;
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct export *e)
{
	uint64_t next = UINT64_MAX, now = uv_now(e->loop);

	for (size_t i = 0; i < WINDOW; i++) {
		if (e->calls[i].under_way && e->calls[i].until < next)
			next = e->calls[i].until;
	}
	if (e->under_way == 0)
		(void)uv_timer_stop(&e->timer);
	else
		(void)uv_timer_start(
		    &e->timer, on_timer, next > now ? next - now : 0, 0);
}

/* --- a slice ---------------------------------------------------------------
 */

static void finish(struct export *e, bool good)
{
	for (size_t i = 0; i < WINDOW; i++)
		e->calls[i].under_way = false;
	e->under_way = 0;
	e->slice = NULL;
	(void)uv_timer_stop(&e->timer);
	if (good && e->failing) {
		e->failing = false;
		log_info(LOG_EXPORT_STATE, "export=%s state=good", e->env.name);
	}
	e->env.done(e->env.ctx, good);
}

static void fail(struct export *e, const char *why)
{
	if (!e->failing)
		log_error(LOG_EXPORT_ERROR,
		    "export=%s server=%s error=\"%s\" next=\"tries again\"",
		    e->env.name, conf_string(e->conf, "server"), why);
	e->failing = true;
	/* It may have come back at another port. */
	if (conf_number(e->conf, "port") == 0)
		memset(e->ports, 0, sizeof(e->ports));
	finish(e, false);
}

static void begin_call(
    struct export *e, bool finds, uint32_t version, const struct addr *addr)
{
	struct call *c = e->calls;

	while (c->under_way)
		c++;
	*c = (struct call){ .under_way = true,
		.finds = finds,
		.xid = ++e->xid,
		.version = version,
		.addr = addr };
	e->under_way++;
	send_call(e, c);
}

/* DRAC has no networks: who leases those needs another way. */
static bool is_to_be_told(const struct export *e, const struct export_change *c)
{
	return c->leased && c->lease.bits == WHOLE_ADDRESS &&
	       strcmp(e->env.source_kind(e->env.ctx, &c->lease), "drac") != 0;
}

/* Once a minute, however many there are. */
static void pass_over(
    struct export *e, size_t n, const char *what, const char *why)
{
	uint64_t now = uv_now(e->loop);

	e->passed_over += n;
	if (e->told_at && now - e->told_at < TELL_MS)
		return;
	e->told_at = now ? now : 1;
	log_warn(LOG_EXPORT_ERROR,
	    "export=%s server=%s passed-over=%" PRIu64
	    " of=\"%s\" error=\"%s\" next=\"goes on without\"",
	    e->env.name, conf_string(e->conf, "server"), e->passed_over, what,
	    why);
	e->passed_over = 0;
}

/* Every address has had its answer. */
static void conclude(struct export *e)
{
	static const char why[] = "it could not store an address";

	if (e->not_stored) {
		if (!e->stored || ++e->slice_tries < SLICE_TRIES) {
			fail(e, why);
			return;
		}
		pass_over(e, e->not_stored, "addresses", why);
	}
	e->slice_tries = 0;
	finish(e, true);
}

/* Makes as many calls as may be under way. */
static void work(struct export *e)
{
	for (; e->under_way < WINDOW && e->next < e->slice->count; e->next++) {
		const struct export_change *c = &e->slice->changes[e->next];
		uint32_t version = addr_is_ipv4(&c->lease.addr)
				       ? DRAC_VERSION_4
				       : DRAC_VERSION_6;

		if (!is_to_be_told(e, c))
			continue;
		if (!e->ports[version]) {
			/* Nothing else until that is known. */
			if (e->under_way == 0)
				begin_call(e, true, version, NULL);
			break;
		}
		begin_call(e, false, version, &c->lease.addr);
	}
	if (e->under_way == 0)
		conclude(e);
	else
		set_timer(e);
}

static void drac_apply(struct export *e, const struct export_slice *slice)
{
	e->slice = slice;
	e->next = 0;
	e->stored = e->not_stored = 0;
	uv_update_time(e->loop);
	work(e);
}

/* What an answer says of its call; NULL: the slice goes on. rpcbind names the
 * port of another version where it has not this one, so that none is none of
 * the program. */
static const char *read_port(
    struct export *e, const struct call *c, const uint8_t *bytes, size_t len)
{
	uint16_t port = 0;

	if (portmap_found_decode(bytes, len, c->xid,
		e->server.ss_family == AF_INET6, &port) != RPC_REPLY_SERVED ||
	    !port)
		return "its rpcbind knows of no DRAC server";
	e->ports[c->version] = port;
	return NULL;
}

static const char *read_result(
    struct export *e, const struct call *c, const uint8_t *bytes, size_t len)
{
	enum drac_result result = DRAC_UNKNOWN_ERROR;
	enum rpc_reply reply = drac_answer_decode(bytes, len, c->xid, &result);

	/* Version 1 is what every DRAC server has. */
	if (reply == RPC_REPLY_UNFIT && c->version == DRAC_VERSION_6) {
		pass_over(e, 1, "IPv6 addresses",
		    "it does not serve version 2 of DRAC");
		return NULL;
	}
	if (reply != RPC_REPLY_SERVED)
		return "it does not serve DRAC";
	if (result == DRAC_DENIED)
		return "it does not let this host add addresses; see its "
		       "dracd.allow";
	*(result == DRAC_SUCCESS ? &e->stored : &e->not_stored) += 1;
	return NULL;
}

static void take_answer(struct export *e, const uint8_t *bytes, size_t len)
{
	const uint8_t *body;
	size_t body_len;

	for (size_t i = 0; i < WINDOW; i++) {
		struct call *c = &e->calls[i];
		const char *wrong;

		if (!c->under_way || rpc_reply_decode(bytes, len, c->xid, &body,
					 &body_len) == RPC_REPLY_OTHER)
			continue;
		wrong = c->finds ? read_port(e, c, bytes, len)
				 : read_result(e, c, bytes, len);
		if (wrong) {
			fail(e, wrong);
			return;
		}
		c->under_way = false;
		e->under_way--;
		work(e);
		return;
	}
}

/* The port is that of either service; the number of the call tells the rest. */
static bool is_from_server(
    const struct export *e, const struct sockaddr_storage *from)
{
	const struct sockaddr_in *a = (const void *)from;
	const struct sockaddr_in6 *b = (const void *)from;

	if (from->ss_family != e->server.ss_family)
		return false;
	if (from->ss_family == AF_INET)
		return a->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)&e->server)
			   ->sin_addr.s_addr;
	return memcmp(&b->sin6_addr,
		   &((const struct sockaddr_in6 *)&e->server)->sin6_addr,
		   sizeof(b->sin6_addr)) == 0;
}

static void on_answers(uv_poll_t *poll, int status, int events)
{
	struct export *e = poll->data;
	uint8_t bytes[PORTMAP_REPLY_MAX];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t n;

	(void)status;
	(void)events;
	/* As many as one window: the loop has its other work. */
	for (size_t i = 0; i < WINDOW; i++) {
		from_len = sizeof(from);
		n = recvfrom(e->fd, bytes, sizeof(bytes), MSG_DONTWAIT,
		    (struct sockaddr *)&from, &from_len);
		if (n < 0)
			return;
		if (e->slice && is_from_server(e, &from))
			take_answer(e, bytes, (size_t)n);
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct export *e = timer->data;
	uint64_t now = uv_now(e->loop);

	for (size_t i = 0; i < WINDOW; i++) {
		struct call *c = &e->calls[i];

		if (!c->under_way || c->until > now)
			continue;
		if (c->tries >= e->tries) {
			fail(e, c->finds ? "its rpcbind does not answer"
					 : "it does not answer");
			return;
		}
		send_call(e, c);
	}
	set_timer(e);
}

/* --- the kind --------------------------------------------------------------
 */

static int look_up(struct export *e, struct err *err)
{
	const struct addrinfo want = { .ai_socktype = SOCK_DGRAM };
	const char *name = conf_string(e->conf, "server");
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(name, NULL, &want, &found);

	if (rc)
		return err_set(err, EXIT_AGAIN, "export %s: server: %s: %s",
		    e->env.name, name, gai_strerror(rc));
	memcpy(&e->server, found->ai_addr, found->ai_addrlen);
	e->server_len = found->ai_addrlen;
	freeaddrinfo(found);
	e->fd = socket(
	    e->server.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return e->fd < 0 ? err_errno(err, EXIT_AGAIN, errno, "socket") : 0;
}

static void release(struct export *e)
{
	if (e->fd >= 0)
		(void)close(e->fd);
	free(e);
}

static struct export *drac_open(const struct export_env *env,
    const struct conf_section *conf, struct err *err)
{
	struct export *e = xcalloc(1, sizeof(*e));

	e->env = *env;
	e->conf = conf;
	e->fd = -1;
	e->timeout = conf_number(conf, "timeout");
	e->tries = conf_number(conf, "tries");
	for (size_t i = 0; i < COUNT_OF(e->ports); i++)
		e->ports[i] = (uint16_t)conf_number(conf, "port");
	/* Not to be guessed by who would answer in the server's place. */
	if (getentropy(&e->xid, sizeof(e->xid)) < 0)
		e->xid = (uint32_t)getpid();
	if (look_up(e, err) == 0)
		return e;
	release(e);
	return NULL;
}

static void drac_start(struct export *e, uv_loop_t *loop)
{
	e->loop = loop;
	must(uv_timer_init(loop, &e->timer) == 0);
	e->timer.data = e;
	must(uv_poll_init(loop, &e->answers, e->fd) == 0);
	e->answers.data = e;
	must(uv_poll_start(&e->answers, UV_READABLE, on_answers) == 0);
	e->handles = 2;
}

static void on_closed(uv_handle_t *handle)
{
	struct export *e = handle->data;

	if (--e->handles == 0)
		release(e);
}

static void drac_close(struct export **ep)
{
	struct export *e = *ep;
	uv_loop_t *loop;

	*ep = NULL;
	if (!e)
		return;
	loop = e->loop;
	if (!e->handles) {
		release(e);
		return;
	}
	uv_close((uv_handle_t *)&e->timer, on_closed);
	uv_close((uv_handle_t *)&e->answers, on_closed);
	(void)uv_run(loop, UV_RUN_NOWAIT);
}

const struct export_kind export_drac = {
	.name = "drac",
	.help = "Adds each leased address at a DRAC server.",
	.role = ROLE_CONNECTOR,
	.options = drac_options,
	.open = drac_open,
	.start = drac_start,
	.apply = drac_apply,
	.close = drac_close,
};
