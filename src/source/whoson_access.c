/* SPDX-License-Identifier: ISC */
/*
 * whoson_access - joins section and file, and looks peers up.
 */
#include "whoson_access.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/mem.h"

static struct netset *read_nets(
    const struct conf_section *conf, const char *option)
{
	struct netset *set = netset_new();

	for (size_t i = 0; i < conf_list_size(conf, option); i++) {
		const char *text = conf_list_at(conf, option, i);
		struct net net;
		must(net_parse(text, strlen(text), &net));
		netset_add(set, &net, 1);
	}
	return set;
}

/* Reads `config`; both are NULL when there is none. */
static int read_file(const struct conf_section *conf, struct whoson_conf **file,
    struct conf **joined, struct err *err)
{
	const char *path = conf_string(conf, "config");

	*file = NULL;
	*joined = NULL;
	if (*path == '\0')
		return 0;
	*file = whoson_conf_read(path, err);
	if (!*file)
		return conf_wrong(conf, err, "config: %s", err->text);
	*joined = whoson_conf_join(conf, *file, err);
	return *joined ? 0 : -1;
}

int whoson_access_sockets(
    const struct conf_section *conf, int *fds, size_t max, struct err *err)
{
	const peers_types all =
	    ENDPOINT_BIT(ENDPOINT_UNIX) | ENDPOINT_BIT(ENDPOINT_UNIXGRAM) |
	    ENDPOINT_BIT(ENDPOINT_TCP) | ENDPOINT_BIT(ENDPOINT_UDP);
	struct whoson_conf *file;
	struct conf *joined;
	int n = read_file(conf, &file, &joined, err);

	if (n == 0)
		n = peers_sockets(joined ? conf_at(joined, "source", 0) : conf,
		    all, fds, max, err);
	whoson_conf_free(&file);
	conf_free(&joined);
	return n;
}

/* Whether this socket is bound to that place. */
static bool is_at(int fd, const struct endpoint *e)
{
	struct sockaddr_storage name = { 0 };
	const struct sockaddr_un *un = (const struct sockaddr_un *)&name;
	socklen_t len = sizeof(name);
	struct addr addr;
	uint16_t port;
	int type = 0;
	socklen_t type_len = sizeof(type);
	bool stream = e->type == ENDPOINT_UNIX || e->type == ENDPOINT_TCP;

	if (getsockname(fd, (struct sockaddr *)&name, &len) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) != 0 ||
	    stream != (type == SOCK_STREAM))
		return false;
	if (name.ss_family == AF_UNIX)
		return endpoint_is_local(e) &&
		       strncmp(un->sun_path, e->path, sizeof(e->path)) == 0;
	return !endpoint_is_local(e) && endpoint_peer(&name, &addr, &port) &&
	       addr_equal(&addr, &e->addr) && port == e->port;
}

/* The supervisor opened the sockets when it read the file, and keeps them when
 * the section stays the same. Each must still have the list that is its own. */
static bool fits(
    const struct conf_section *conf, const int *fds, size_t fd_count)
{
	size_t n = conf_list_size(conf, "listen");
	struct endpoint e;

	for (size_t i = 0; n == fd_count && i < n; i++)
		if (!endpoint_parse(conf_list_at(conf, "listen", i), &e) ||
		    !is_at(fds[i], &e))
			return false;
	return n == fd_count;
}

static int open_peers(struct whoson_access *a, const struct conf_section *conf,
    const int *fds, size_t fd_count, struct err *err)
{
	const struct conf_section *effective = conf;

	if (read_file(conf, &a->file, &a->joined, err) != 0)
		return -1;
	if (a->joined)
		effective = conf_at(a->joined, "source", 0);
	a->peers = peers_new(effective, err);
	if (!a->peers)
		return -1;
	if (a->joined && !fits(effective, fds, fd_count))
		return conf_wrong(conf, err,
		    "config: the servers in %s have "
		    "changed; restart relaypassd",
		    conf_string(conf, "config"));
	return 0;
}

int whoson_access_open(struct whoson_access *a, const struct conf_section *conf,
    const int *fds, size_t fd_count, struct err *err)
{
	memset(a, 0, sizeof(*a));
	a->own_places = conf_list_size(conf, "listen");
	a->own_allow = read_nets(conf, "allow");
	a->login_from = read_nets(conf, "login-from");
	a->udp_login = conf_number(conf, "udp-login") != 0;
	rate_init(&a->logins, (uint64_t)conf_number(conf, "max-rate"));
	rate_init(&a->queries, (uint64_t)conf_number(conf, "max-rate"));
	if (open_peers(a, conf, fds, fd_count, err) == 0)
		return 0;
	whoson_access_close(a);
	return -1;
}

void whoson_access_close(struct whoson_access *a)
{
	peers_free(&a->peers);
	netset_free(&a->login_from);
	netset_free(&a->own_allow);
	whoson_conf_free(&a->file);
	conf_free(&a->joined);
}

bool whoson_may_speak(
    const struct whoson_access *a, const struct inlet_peer *peer)
{
	if (!a->file || peer->local)
		return true;
	if (peer->endpoint < a->own_places)
		return netset_find(a->own_allow, &peer->addr) >= 0;
	return whoson_place_allows(
	    &a->file->places[peer->endpoint - a->own_places], &peer->addr);
}

static bool is_too_fast(
    struct rate *r, const struct inlet_peer *peer, uint64_t now)
{
	return r->limit && !rate_take(r, &peer->addr, now);
}

const char *whoson_may_not_tell(
    struct whoson_access *a, const struct inlet_peer *peer, uint64_t now)
{
	if (peer->local)
		return NULL;
	if (netset_find(a->login_from, &peer->addr) < 0)
		return "login-not-allowed";
	if (peer->datagram && !a->udp_login)
		return "login-over-udp";
	return is_too_fast(&a->logins, peer, now) ? "too-fast" : NULL;
}

const char *whoson_may_not_ask(
    struct whoson_access *a, const struct inlet_peer *peer, uint64_t now)
{
	if (peer->local || !peer->datagram)
		return NULL;
	return is_too_fast(&a->queries, peer, now) ? "too-fast" : NULL;
}
