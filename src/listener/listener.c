/* SPDX-License-Identifier: ISC */
/*
 * listener - the table of kinds, the options all of them share, and one
 * section of the configuration compiled: users looked up, networks in a set.
 * Called by: daemon/ (schema, supervisor), server.c.  Not here: sockets.
 */
#include "listener.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/netset.h"

#define LISTENER(id) extern const struct listener_kind listener_##id;
#include "listeners.def"
#undef LISTENER

const struct listener_kind *const listener_kinds[] = {
#define LISTENER(id) &listener_##id,
#include "listeners.def"
#undef LISTENER
	NULL
};

/* The idle time is above Postfix' own limits (300 s idle, 1000 s of age): the
 * side that closes first must be the one that knows about it. */
const struct option listener_options[] = {
	{ "listen", OPTION_STRING, "", 0, 0, NULL,
	    "Where to listen: \"unix:/path\", \"inet:127.0.0.1:PORT\" or "
	    "\"inet:[::1]:PORT\"; with one datagram a question "
	    "\"unixgram:/path\" (kinds ask and whoson) or "
	    "\"udp:127.0.0.1:PORT\" (dns and whoson); empty for the kind's "
	    "own place." },
	{ "mode", OPTION_STRING, "0660", 0, 0, NULL,
	    "Mode of the socket, in octal." },
	{ "group", OPTION_STRING, "", 0, 0, NULL,
	    "Group of the socket and of a directory made for it; empty for the "
	    "kind's own." },
	{ "allow-uid", OPTION_LIST, "", 0, 0, NULL,
	    "Users, by name or number, that may connect to the unix socket; "
	    "empty for all that its mode lets in." },
	{ "allow", OPTION_NETS, "", 0, 0, NULL,
	    "Networks that may ask over TCP or UDP; must be given when it "
	    "listens beyond loopback." },
	{ "show-user", OPTION_LIST, "root", 0, 0, NULL,
	    "Users, by name or number, that are told whose lease it is." },
	{ "tempfail", OPTION_BOOL, "no", 0, 0, NULL,
	    "Tell the mail server to try later when relaypass cannot tell." },
	{ "require-sender", OPTION_STRING, "none", 0, 0, NULL,
	    "Which envelope sender a lease answers for: none (any), user (the "
	    "lease's own address), domain (one of the same domain), or \"map "
	    "/path\": a file with lines of a sender or @domain and the users "
	    "that may write so, read at start and reload, as in Postfix' "
	    "smtpd_sender_login_maps." },
	{ "default-domain", OPTION_STRING, "", 0, 0, NULL,
	    "Domain that completes login names without one." },
	{ "max-connections", OPTION_INT, "4096", 1, 100000, NULL,
	    "Connections each answering process keeps open; the longest idle "
	    "one makes room." },
	{ "max-rate", OPTION_INT, "1000", 0, 1000000, NULL,
	    "Questions over UDP that each answering process answers in a "
	    "second to one network (24 bits of an IPv4 address, 56 of IPv6; "
	    "loopback has no limit); every second one beyond is told to come "
	    "over TCP where the protocol can say so, the others hear nothing; "
	    "0 for no limit." },
	{ "request-timeout", OPTION_DURATION, "10s", 100, 3600000, NULL,
	    "Time from the first byte of a request to its last." },
	{ "idle-timeout", OPTION_DURATION, "20m", 1000, 86400000, NULL,
	    "How long a connection may stay open without a request." },
	OPTION_END
};

const struct listener_kind *listener_kind_find(const char *name)
{
	for (size_t i = 0; listener_kinds[i]; i++)
		if (strcmp(listener_kinds[i]->name, name) == 0)
			return listener_kinds[i];
	return NULL;
}

static int wrong(const struct listener *l, const struct conf_section *conf,
    struct err *err, const char *option, const char *value, const char *want)
{
	return err_set(err, EXIT_USER, "listener %s (line %d): %s: \"%s\": %s",
	    l->name, conf_line(conf), option, value, want);
}

static int read_uids(struct listener *l, const struct conf_section *conf,
    const char *option, uid_t **uids, size_t *count, struct err *err)
{
	size_t n = conf_list_size(conf, option);

	*uids = xcalloc(n ? n : 1, sizeof(**uids));
	for (size_t i = 0; i < n; i++) {
		const char *text = conf_list_at(conf, option, i);
		if (!endpoint_parse_user(text, &(*uids)[i]))
			return wrong(l, conf, err, option, text,
			    "there is no such user; give a name of this host "
			    "or a number");
	}
	*count = n;
	return 0;
}

static int read_allow(
    struct listener *l, const struct conf_section *conf, struct err *err)
{
	size_t n = conf_list_size(conf, "allow");

	l->allow = n ? netset_new() : NULL;
	for (size_t i = 0; i < n; i++) {
		const char *text = conf_list_at(conf, "allow", i);
		struct net net;
		if (!net_parse(text, strlen(text), &net))
			return wrong(l, conf, err, "allow", text,
			    "expected a network such as 192.0.2.0/24");
		netset_add(l->allow, &net, 1);
	}
	return 0;
}

bool listener_is_loopback(const struct addr *a)
{
	static const uint8_t six[16] = { [15] = 1 };

	return addr_is_ipv4(a) ? a->bytes[12] == 127
			       : memcmp(a->bytes, six, sizeof(six)) == 0;
}

static const char *place_text(const struct conf_section *conf)
{
	const char *listen = conf_string(conf, "listen");

	return *listen ? listen : listener_kind_find(conf_kind(conf))->listen;
}

bool listener_place(const struct conf_section *conf, struct endpoint *out)
{
	return endpoint_parse(place_text(conf), out) &&
	       (out->type != ENDPOINT_UDP ||
		   listener_kind_find(conf_kind(conf))->udp);
}

static int read_place(
    struct listener *l, const struct conf_section *conf, struct err *err)
{
	const char *listen = place_text(conf);
	const char *mode = conf_string(conf, "mode");
	const char *group = conf_string(conf, "group");

	if (!listener_place(conf, &l->at))
		return wrong(l, conf, err, "listen", listen,
		    l->kind->udp
			? "expected \"udp:127.0.0.1:PORT\", "
			  "\"inet:127.0.0.1:PORT\" or \"unix:/path\" "
			  "(107 bytes at most)"
			: "expected \"unix:/path\" (107 bytes at most), "
			  "\"inet:127.0.0.1:PORT\" or \"inet:[::1]:PORT\"");
	if (l->at.type == ENDPOINT_UNIXGRAM && !l->kind->datagrams)
		return wrong(l, conf, err, "listen", listen,
		    "this kind needs a connection: write \"unix:/path\"");
	if (!endpoint_parse_mode(mode, &l->mode))
		return wrong(l, conf, err, "mode", mode,
		    "expected an octal mode such as 0660");
	l->group = *group ? group : l->kind->group;
	if (!endpoint_is_local(&l->at) && !l->allow &&
	    !listener_is_loopback(&l->at.addr))
		return wrong(l, conf, err, "listen", listen,
		    "reaches beyond this host; name the clients that may ask "
		    "in \"allow\"");
	return 0;
}

static void read_limits(struct listener *l, const struct conf_section *conf)
{
	l->max_connections = (unsigned)conf_number(conf, "max-connections");
	l->max_rate = (unsigned)conf_number(conf, "max-rate");
	l->request_timeout = (uint64_t)conf_number(conf, "request-timeout");
	l->idle_timeout = (uint64_t)conf_number(conf, "idle-timeout");
	l->view.conf = conf;
	l->view.mode = MODE_ENFORCE;
	l->view.defer = conf_number(conf, "tempfail") != 0;
}

static int read_own(
    struct listener *l, const struct conf_section *conf, struct err *err)
{
	const char *option, *want;

	l->view.datagram =
	    l->at.type == ENDPOINT_UNIXGRAM || l->at.type == ENDPOINT_UDP;
	l->view.spoofable = l->at.type == ENDPOINT_UDP;
	if (!l->kind->fits || l->kind->fits(conf, &option, &want))
		return 0;
	return wrong(l, conf, err, option, conf_string(conf, option), want);
}

struct listener *listener_new(const struct conf_section *conf, struct err *err)
{
	struct listener *l = xcalloc(1, sizeof(*l));

	l->name = conf_name(conf);
	l->kind = listener_kind_find(conf_kind(conf));
	must(l->kind != NULL);
	read_limits(l, conf);
	if (read_allow(l, conf, err) < 0 || read_place(l, conf, err) < 0 ||
	    read_own(l, conf, err) < 0 ||
	    read_uids(l, conf, "allow-uid", &l->uids, &l->uid_count, err) < 0 ||
	    read_uids(
		l, conf, "show-user", &l->show_uids, &l->show_count, err) < 0)
		listener_free(&l);
	return l;
}

void listener_free(struct listener **l)
{
	if (!*l)
		return;
	netset_free(&(*l)->allow);
	free((*l)->uids);
	free((*l)->show_uids);
	free(*l);
	*l = NULL;
}

static bool has_uid(const uid_t *uids, size_t n, uid_t uid)
{
	for (size_t i = 0; i < n; i++)
		if (uids[i] == uid && uid != (uid_t)-1)
			return true;
	return false;
}

bool listener_lets_in(const struct listener *l, uid_t uid)
{
	return !l->uid_count || has_uid(l->uids, l->uid_count, uid);
}

bool listener_shows(const struct listener *l, uid_t uid)
{
	return has_uid(l->show_uids, l->show_count, uid);
}

bool listener_lets_net(const struct listener *l, const struct addr *a)
{
	return l->allow ? netset_find(l->allow, a) >= 0
			: listener_is_loopback(a);
}
