/* SPDX-License-Identifier: ISC */
/*
 * drac_register - one call to rpcbind after another, each when the one before
 * it was answered. A round is: take back both versions (once, when we start: a
 * registration of an earlier life may name another port), then set both for
 * each socket.
 */
#include "drac_register.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/endpoint.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	VERSIONS = 2, /* DRAC_VERSION_4 and the next */
	PLACES_MAX = 16,
	ANSWER_MS = 500,
	TRIES = 4,
	RETRY_MS = 5 * 1000,
	AGAIN_MS = 60 * 1000
};

enum state { STATE_NEW, STATE_KNOWN, STATE_SILENT, STATE_REFUSED };

/* One socket of ours. */
struct place {
	const char *transport;
	char text[PORTMAP_PLACE_SIZE];
};

struct drac_register {
	const char *source;
	struct place places[PLACES_MAX];
	size_t place_count;
	int fd;
	uv_poll_t poll;
	uv_timer_t timer;
	uv_loop_t *loop;
	size_t handles;
	bool started, stopped;
	enum state state; /* as it was told in the log */
	bool cleared;     /* what an earlier life left is taken back */
	bool refused;     /* in this round */
	bool waiting;     /* for an answer to xid */
	uint32_t xid;
	unsigned tries;
	size_t step; /* of the round: the unsets first, then the sets */
};

/* --- the log ---------------------------------------------------------------
 */

static void tell(struct drac_register *r, enum state state)
{
	if (r->state == state)
		return;
	r->state = state;
	switch (state) {
	case STATE_KNOWN:
		log_info(LOG_SOURCE_OPEN,
		    "source=%s rpcbind=registered program=%d sockets=%zu",
		    r->source, DRAC_PROGRAM, r->place_count);
		break;
	case STATE_SILENT:
		log_error(LOG_SOURCE_ERROR,
		    "source=%s error=\"no rpcbind answers at 127.0.0.1 port "
		    "%d: start it (package rpcbind), or tell the clients the "
		    "port and set rpcbind = no\"",
		    r->source, PORTMAP_PORT);
		break;
	case STATE_REFUSED:
		log_error(LOG_SOURCE_ERROR,
		    "source=%s error=\"rpcbind does not register program %d: "
		    "another server has it, or relaypassd was not started by "
		    "root; see rpcinfo -p\"",
		    r->source, DRAC_PROGRAM);
		break;
	case STATE_NEW:
	default:
		break;
	}
}

/* --- rounds ----------------------------------------------------------------
 */

static void on_timer(uv_timer_t *timer);

static void wait_ms(struct drac_register *r, uint64_t ms)
{
	(void)uv_timer_start(&r->timer, on_timer, ms, 0);
}

static size_t steps(const struct drac_register *r)
{
	return VERSIONS + VERSIONS * r->place_count;
}

static size_t encode(
    const struct drac_register *r, uint8_t out[static PORTMAP_CALL_MAX])
{
	uint32_t version = DRAC_VERSION_4 + r->step % VERSIONS;
	const struct place *p;

	if (r->step < VERSIONS)
		return portmap_unset_encode(out, r->xid, version);
	p = &r->places[r->step / VERSIONS - 1];
	return portmap_set_encode(out, r->xid, version, p->transport, p->text);
}

/* A call that is lost is sent again; that the socket has an error from the one
 * before (nobody listens) is the same as no answer. */
static void send_step(struct drac_register *r)
{
	uint8_t call[PORTMAP_CALL_MAX];

	r->xid++;
	size_t len = encode(r, call);
	if (send(r->fd, call, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		(void)send(r->fd, call, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	r->waiting = true;
	wait_ms(r, ANSWER_MS);
}

static void begin_round(struct drac_register *r)
{
	r->step = r->cleared ? VERSIONS : 0;
	r->tries = 0;
	r->refused = false;
	send_step(r);
}

static void end_round(struct drac_register *r, enum state state)
{
	r->waiting = false;
	/* A fresh rpcbind knows nothing; one that refused may hold what an
	 * earlier life of ours left. */
	r->cleared = state == STATE_KNOWN;
	tell(r, state);
	wait_ms(r, state == STATE_KNOWN ? AGAIN_MS : RETRY_MS);
}

static void on_timer(uv_timer_t *timer)
{
	struct drac_register *r = timer->data;

	if (!r->waiting)
		begin_round(r);
	else if (++r->tries < TRIES)
		send_step(r);
	else
		end_round(r, STATE_SILENT);
}

static void take_answer(struct drac_register *r, bool done)
{
	bool set = r->step >= VERSIONS;

	r->waiting = false;
	r->tries = 0;
	/* That there was nothing to take back is no fault. */
	r->refused |= set && !done;
	if (++r->step < steps(r))
		send_step(r);
	else
		end_round(r, r->refused ? STATE_REFUSED : STATE_KNOWN);
}

static void on_answer(uv_poll_t *poll, int status, int events)
{
	struct drac_register *r = poll->data;
	uint8_t bytes[PORTMAP_REPLY_MAX];
	bool done = false;
	ssize_t len;

	(void)events;
	/* That nobody listens there is an error of the socket: reading takes it
	 * away, and libuv, which gave up, begins anew. */
	len = recv(r->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (status < 0)
		(void)uv_poll_start(&r->poll, UV_READABLE, on_answer);
	if (len < 0 || !r->waiting)
		return;
	switch (portmap_done_decode(bytes, (size_t)len, r->xid, &done)) {
	case RPC_REPLY_OTHER:
		return;
	case RPC_REPLY_REFUSED:
	case RPC_REPLY_UNFIT:
	case RPC_REPLY_SERVED:
	default:
		take_answer(r, done);
	}
}

/* --- life ------------------------------------------------------------------
 */

static bool take_place(int fd, struct place *out)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = sizeof(at);
	int type = 0;
	socklen_t type_len = sizeof(type);
	struct addr addr;
	uint16_t port;

	if (getsockname(fd, (struct sockaddr *)&at, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) < 0 ||
	    !endpoint_peer(&at, &addr, &port))
		return false;
	out->transport =
	    portmap_transport(type == SOCK_STREAM, at.ss_family == AF_INET6);
	portmap_place(&addr, port, out->text);
	return true;
}

static int open_socket(struct err *err)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in there = here;
	AUTO_CLOSE int fd =
	    socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	there.sin_port = htons(PORTMAP_PORT);
	if (fd < 0)
		return err_errno(err, EXIT_AGAIN, errno, "rpcbind: socket");
	/* Not root: rpcbind refuses, and we say so then. */
	(void)bindresvport(fd, &here);
	if (connect(fd, (struct sockaddr *)&there, sizeof(there)) < 0)
		return err_errno(err, EXIT_AGAIN, errno, "rpcbind: 127.0.0.1");
	return take_fd(&fd);
}

struct drac_register *drac_register_new(
    const char *source, const int *fds, size_t n, struct err *err)
{
	struct drac_register *r = xcalloc(1, sizeof(*r));

	r->source = source;
	r->fd = open_socket(err);
	if (r->fd < 0) {
		free(r);
		return NULL;
	}
	for (size_t i = 0; i < n && r->place_count < PLACES_MAX; i++)
		if (take_place(fds[i], &r->places[r->place_count]))
			r->place_count++;
	return r;
}

void drac_register_start(struct drac_register *r, uv_loop_t *loop)
{
	r->loop = loop;
	r->started = true;
	r->poll.data = r->timer.data = r;
	must(uv_timer_init(loop, &r->timer) == 0);
	must(uv_poll_init(loop, &r->poll, r->fd) == 0);
	r->handles = 2;
	must(uv_poll_start(&r->poll, UV_READABLE, on_answer) == 0);
	begin_round(r);
}

static void on_closed(uv_handle_t *handle)
{
	struct drac_register *r = handle->data;

	r->handles--;
}

void drac_register_stop(struct drac_register *r)
{
	uint8_t call[PORTMAP_CALL_MAX];

	if (!r->started || r->stopped)
		return;
	r->stopped = true;
	for (uint32_t v = 0; v < VERSIONS && r->state == STATE_KNOWN; v++) {
		size_t len =
		    portmap_unset_encode(call, ++r->xid, DRAC_VERSION_4 + v);
		(void)send(r->fd, call, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	uv_close((uv_handle_t *)&r->timer, on_closed);
	uv_close((uv_handle_t *)&r->poll, on_closed);
}

void drac_register_free(struct drac_register **rp)
{
	struct drac_register *r = *rp;

	*rp = NULL;
	if (!r)
		return;
	drac_register_stop(r);
	if (r->handles)
		(void)uv_run(r->loop, UV_RUN_NOWAIT);
	must(r->handles == 0);
	(void)close(r->fd);
	free(r);
}
