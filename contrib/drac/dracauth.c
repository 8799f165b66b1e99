/* SPDX-License-Identifier: ISC */
/*
 * dracauth - the client library. It runs inside a mail server's login, so that
 * time is its first concern: each call has one deadline, for the name, for
 * rpcbind and for the server together. All over UDP, with the codec that the
 * source drac of relaypass uses from the other side.
 */
#include "dracauth.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "source/drac_portmap.h"
#include "source/drac_rpc.h"

enum {
	TIMEOUT_MS = 2000,
	TIMEOUT_MAX_MS = 60 * 1000,
	RESEND_MS = 250, /* at first; each time twice as long */
	MS_PER_S = 1000,
	NS_PER_MS = 1000000,
	PORT_MAX = 65535,
	ANSWER_MAX = 512,
	IPV4_AT = 12,
	IPV4_SIZE = 4
};

/* A connection, or none. */
struct drac {
	bool open;
	int fd;
};

static struct drac kept4, kept6;

/* A word to the caller. The interface is older than const. */
static int say(char **errmsg, int result, const char *text)
{
	if (errmsg)
		memcpy(errmsg, &text, sizeof(text));
	return result;
}

/* --- time and environment ---------------------------------------------------
 */

static long long now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * MS_PER_S + t.tv_nsec / NS_PER_MS;
}

/* A whole number from 1 to max, or otherwise. */
static long number_from(const char *name, long max, long otherwise)
{
	const char *text = secure_getenv(name);
	char *end;
	long value;

	if (!text || *text < '0' || *text > '9')
		return otherwise;
	errno = 0;
	value = strtol(text, &end, 10);
	return errno || *end || value < 1 || value > max ? otherwise : value;
}

static long long deadline_of_a_call(void)
{
	return now_ms() +
	       number_from("DRAC_TIMEOUT", TIMEOUT_MAX_MS, TIMEOUT_MS);
}

/* --- names ------------------------------------------------------------------
 */

/* A name that is being looked up. One that is not found in time stays, until
 * the resolver's thread has let go of it. */
struct lookup {
	struct gaicb request;
	struct addrinfo hints;
	struct lookup *next;
	char name[];
};

static struct lookup *abandoned;

static void free_lookup(struct lookup *l)
{
	if (l->request.ar_result)
		freeaddrinfo(l->request.ar_result);
	free(l);
}

static void sweep_abandoned(void)
{
	struct lookup **at = &abandoned;

	while (*at) {
		struct lookup *l = *at;
		if (gai_error(&l->request) == EAI_INPROGRESS) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		free_lookup(l);
	}
}

static void give_up(struct lookup *l)
{
	if (gai_cancel(&l->request) == EAI_NOTCANCELED) {
		l->next = abandoned;
		abandoned = l;
	} else {
		free_lookup(l);
	}
}

static bool wait_for(struct lookup *l, long long deadline)
{
	const struct gaicb *list[] = { &l->request };
	long long left;

	while (gai_error(&l->request) == EAI_INPROGRESS &&
	       (left = deadline - now_ms()) > 0) {
		struct timespec t = { .tv_sec = left / MS_PER_S,
			.tv_nsec = left % MS_PER_S * NS_PER_MS };
		int result = gai_suspend(list, 1, &t);
		if (result != 0 && result != EAI_INTR && result != EAI_AGAIN &&
		    result != EAI_ALLDONE)
			return false;
	}
	return gai_error(&l->request) == 0;
}

static struct lookup *new_lookup(const char *name)
{
	size_t size = strlen(name) + 1;
	struct lookup *l = calloc(1, sizeof(*l) + size);

	if (!l)
		return NULL;
	memcpy(l->name, name, size);
	l->hints.ai_socktype = SOCK_DGRAM;
	l->request.ar_name = l->name;
	l->request.ar_request = &l->hints;
	return l;
}

static bool take_first(
    const struct addrinfo *found, struct sockaddr_storage *out, socklen_t *len)
{
	if (!found || found->ai_addrlen > sizeof(*out))
		return false;
	memcpy(out, found->ai_addr, found->ai_addrlen);
	*len = found->ai_addrlen;
	return true;
}

static bool resolve(const char *name, long long deadline,
    struct sockaddr_storage *out, socklen_t *len)
{
	const struct addrinfo numeric = { .ai_socktype = SOCK_DGRAM,
		.ai_flags = AI_NUMERICHOST };
	struct addrinfo *found = NULL;
	struct gaicb *list[1];
	struct lookup *l;
	bool good;

	if (getaddrinfo(name, NULL, &numeric, &found) == 0) {
		good = take_first(found, out, len);
		freeaddrinfo(found);
		return good;
	}
	sweep_abandoned();
	l = new_lookup(name);
	if (!l)
		return false;
	list[0] = &l->request;
	if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0) {
		free_lookup(l);
		return false;
	}
	good =
	    wait_for(l, deadline) && take_first(l->request.ar_result, out, len);
	if (gai_error(&l->request) == EAI_INPROGRESS)
		give_up(l);
	else
		free_lookup(l);
	return good;
}

/* --- calls ------------------------------------------------------------------
 */

static uint32_t new_xid(void)
{
	uint32_t xid;

	/* Any number will do where the kernel has none at hand. */
	if (getrandom(&xid, sizeof(xid), GRND_NONBLOCK) != sizeof(xid))
		xid = (uint32_t)now_ms() ^ (uint32_t)getpid() << 16;
	return xid;
}

/* Whether something can be read before `until`. */
static bool readable(int fd, long long until)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	long long left;

	while ((left = until - now_ms()) > 0) {
		int n = poll(&p, 1, (int)left);
		if (n > 0)
			return true;
		if (n == 0 || errno != EINTR)
			return false;
	}
	return false;
}

/* True when the bytes answer the call; what they say goes to ctx. */
typedef bool answer_fn(
    void *ctx, const uint8_t *bytes, size_t len, uint32_t xid);

/* Sends until it is answered. False: not in time, or nobody listens there. */
static bool exchange(int fd, const uint8_t *call, size_t call_len, uint32_t xid,
    long long deadline, answer_fn *answer, void *ctx)
{
	long long wait = RESEND_MS;
	uint8_t bytes[ANSWER_MAX];

	while (now_ms() < deadline) {
		if (send(fd, call, call_len, MSG_NOSIGNAL) < 0 &&
		    errno != EINTR && errno != EAGAIN && errno != ENOBUFS)
			return false;
		long long until = now_ms() + wait;
		if (until > deadline)
			until = deadline;
		while (readable(fd, until)) {
			ssize_t n =
			    recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
			if (n < 0 && errno != EAGAIN && errno != EINTR)
				return false;
			if (n > 0 && answer(ctx, bytes, (size_t)n, xid))
				return true;
		}
		wait *= 2;
	}
	return false;
}

/* --- connecting -------------------------------------------------------------
 */

static void set_port(struct sockaddr_storage *at, uint16_t port)
{
	if (at->ss_family == AF_INET6)
		((struct sockaddr_in6 *)at)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)at)->sin_port = htons(port);
}

static int connect_to(struct sockaddr_storage *at, socklen_t len, uint16_t port)
{
	int fd = socket(at->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	set_port(at, port);
	if (fd >= 0 && connect(fd, (struct sockaddr *)at, len) < 0) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

struct found {
	bool ipv6;
	enum rpc_reply reply;
	uint16_t port;
};

static bool take_found(
    void *ctx, const uint8_t *bytes, size_t len, uint32_t xid)
{
	struct found *f = ctx;

	f->reply = portmap_found_decode(bytes, len, xid, f->ipv6, &f->port);
	return f->reply != RPC_REPLY_OTHER;
}

/* The port that rpcbind knows. 0 and *why: none. */
static uint16_t find_port(struct sockaddr_storage *at, socklen_t len,
    uint32_t version, long long deadline, const char **why)
{
	struct found f = { .ipv6 = at->ss_family == AF_INET6 };
	uint8_t call[PORTMAP_CALL_MAX];
	uint32_t xid = new_xid();
	int fd = connect_to(at, len, PORTMAP_PORT);

	*why = "No rpcbind answers at the DRAC server";
	if (fd < 0)
		return 0;
	size_t call_len = portmap_find_encode(call, xid, version, f.ipv6);
	if (exchange(fd, call, call_len, xid, deadline, take_found, &f))
		*why = "DRAC is not registered with the server's rpcbind";
	(void)close(fd);
	return f.reply == RPC_REPLY_SERVED ? f.port : 0;
}

static int open_drac(struct drac *d, const char *server, uint32_t version,
    long long deadline, char **errmsg)
{
	struct sockaddr_storage at = { 0 };
	const char *why = NULL;
	socklen_t len = 0;
	uint16_t port;

	if (!server || !*server || !resolve(server, deadline, &at, &len))
		return say(errmsg, DRAC_NOT_CONNECTED,
		    "The DRAC server's name is not known");
	port = (uint16_t)number_from("DRAC_PORT", PORT_MAX, 0);
	if (!port)
		port = find_port(&at, len, version, deadline, &why);
	if (!port)
		return say(errmsg, DRAC_NOT_CONNECTED, why);
	d->fd = connect_to(&at, len, port);
	if (d->fd < 0)
		return say(errmsg, DRAC_NOT_CONNECTED,
		    "The DRAC server cannot be reached");
	d->open = true;
	return say(errmsg, 0, "Connected");
}

static int close_drac(struct drac *d, char **errmsg)
{
	if (!d->open)
		return say(errmsg, DRAC_NOT_CONNECTED, "Not connected");
	(void)close(d->fd);
	d->open = false;
	return say(errmsg, 0, "Disconnected");
}

/* --- adding -----------------------------------------------------------------
 */

struct added {
	enum rpc_reply reply;
	enum drac_result result;
};

static bool take_added(
    void *ctx, const uint8_t *bytes, size_t len, uint32_t xid)
{
	struct added *a = ctx;

	a->reply = drac_answer_decode(bytes, len, xid, &a->result);
	return a->reply != RPC_REPLY_OTHER;
}

static int add(struct drac *d, uint32_t version, const struct addr *a,
    long long deadline, char **errmsg)
{
	static const char *const texts[] = {
		[DRAC_SUCCESS] = "The address was added",
		[DRAC_DENIED] = "The DRAC server does not take it from here",
		[DRAC_SYSTEM_ERROR] = "The DRAC server could not store it",
		[DRAC_UNKNOWN_ERROR] = "The DRAC server had an unknown error",
	};
	struct added added = { 0 };
	uint8_t call[DRAC_ASK_MAX];
	uint32_t xid = new_xid();

	if (!d->open)
		return say(errmsg, DRAC_NOT_CONNECTED, "Not connected");
	size_t len = drac_ask_encode(call, xid, version, a);
	if (!exchange(d->fd, call, len, xid, deadline, take_added, &added))
		return say(errmsg, DRAC_CALL_FAILED,
		    "The DRAC server does not answer");
	if (added.reply != RPC_REPLY_SERVED)
		return say(errmsg, DRAC_CALL_FAILED,
		    "The server does not know this call");
	return say(errmsg, (int)added.result, texts[added.result]);
}

static int add_once(
    const char *server, uint32_t version, const struct addr *a, char **errmsg)
{
	long long deadline = deadline_of_a_call();
	struct drac d = { 0 };
	int result = open_drac(&d, server, version, deadline, errmsg);

	if (result == 0)
		result = add(&d, version, a, deadline, errmsg);
	(void)close_drac(&d, NULL);
	return result;
}

static int open_kept(
    struct drac *d, const char *server, uint32_t version, char **errmsg)
{
	(void)close_drac(d, NULL);
	return open_drac(d, server, version, deadline_of_a_call(), errmsg);
}

/* In network order it is the same four bytes, in the lower half of a long. */
static struct addr ipv4(unsigned long userip)
{
	uint32_t value = (uint32_t)userip;
	struct addr a = { { [10] = 0xff, [11] = 0xff } };

	memcpy(a.bytes + IPV4_AT, &value, IPV4_SIZE);
	return a;
}

static struct addr ipv6(const unsigned char *userip)
{
	struct addr a;

	memcpy(a.bytes, userip, sizeof(a.bytes));
	return a;
}

/* --- the interface ----------------------------------------------------------
 */

#define PUBLIC __attribute__((visibility("default")))

PUBLIC int dracauth(const char *server, unsigned long userip, char **errmsg)
{
	struct addr a = ipv4(userip);

	return add_once(server, DRAC_VERSION_4, &a, errmsg);
}

PUBLIC int dracauth6(
    const char *server, const unsigned char *userip, char **errmsg)
{
	struct addr a = ipv6(userip);

	return add_once(server, DRAC_VERSION_6, &a, errmsg);
}

PUBLIC int dracconn(const char *server, char **errmsg)
{
	return open_kept(&kept4, server, DRAC_VERSION_4, errmsg);
}

PUBLIC int dracconn6(const char *server, char **errmsg)
{
	return open_kept(&kept6, server, DRAC_VERSION_6, errmsg);
}

PUBLIC int dracsend(unsigned long userip, char **errmsg)
{
	struct addr a = ipv4(userip);

	return add(&kept4, DRAC_VERSION_4, &a, deadline_of_a_call(), errmsg);
}

PUBLIC int dracsend6(const unsigned char *userip, char **errmsg)
{
	struct addr a = ipv6(userip);

	return add(&kept6, DRAC_VERSION_6, &a, deadline_of_a_call(), errmsg);
}

PUBLIC int dracdisc(char **errmsg)
{
	return close_drac(&kept4, errmsg);
}

PUBLIC int dracdisc6(char **errmsg)
{
	return close_drac(&kept6, errmsg);
}
