/* SPDX-License-Identifier: ISC */
/*
 * peers - who may speak to a live source, and the sockets they speak to. An
 * address proves little over UDP: a kind whose notice gives a lease says so in
 * its documentation.
 */
#include "peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/netset.h"
#include "source.h"

struct peers {
	struct netset *nets;
	uid_t *uids;
	size_t uid_count;
	bool every_uid, every_addr;
};

static int wrong(const struct conf_section *conf, struct err *err,
    const char *option, const char *value, const char *want)
{
	return conf_wrong(conf, err, "%s: \"%s\": %s", option, value, want);
}

static int read_uids(struct peers *p, const struct conf_section *conf,
    const char *option, struct err *err)
{
	size_t n = conf_list_size(conf, option);

	p->uids = xcalloc(n ? n : 1, sizeof(*p->uids));
	for (size_t i = 0; i < n; i++) {
		const char *text = conf_list_at(conf, option, i);
		if (strcmp(text, "*") == 0)
			p->every_uid = true;
		else if (endpoint_parse_user(text, &p->uids[p->uid_count]))
			p->uid_count++;
		else if (conf_is_set(conf, option))
			return wrong(conf, err, option, text,
			    "there is no such user; give a name of this host, "
			    "a number, or \"*\" for everybody");
	}
	return 0;
}

/* A kind that listens at no network has no such row. */
static size_t count_allow(const struct conf_section *conf)
{
	return conf_has(conf, "allow") ? conf_list_size(conf, "allow") : 0;
}

static int read_allow(
    struct peers *p, const struct conf_section *conf, struct err *err)
{
	size_t n = count_allow(conf);

	p->nets = netset_new();
	for (size_t i = 0; i < n; i++) {
		const char *text = conf_list_at(conf, "allow", i);
		struct net net;
		if (!net_parse(text, strlen(text), &net))
			return wrong(conf, err, "allow", text,
			    "expected a network such as 192.0.2.0/24");
		netset_add(p->nets, &net, 1);
	}
	return 0;
}

/* --- places ----------------------------------------------------------------
 */

static int read_place(const struct conf_section *conf, size_t i,
    struct endpoint *at, struct err *err)
{
	const char *text = conf_list_at(conf, "listen", i);

	if (endpoint_parse(text, at))
		return 0;
	return wrong(conf, err, "listen", text,
	    "expected \"unix:/path\", \"unixgram:/path\" (107 bytes "
	    "at most), \"tcp:192.0.2.1:PORT\" or \"udp:[::1]:PORT\"");
}

static int check_type(const struct conf_section *conf, size_t i,
    const struct endpoint *at, peers_types types, struct err *err)
{
	static const char *const words[] = {
		" unix:", " unixgram:", " tcp:", " udp:"
	};
	char want[80];
	size_t len;

	if (types & ENDPOINT_BIT(at->type))
		return 0;
	len = (size_t)snprintf(want, sizeof(want), "this kind listens at");
	for (unsigned t = 0; t < COUNT_OF(words); t++)
		if (types & ENDPOINT_BIT(t))
			len += (size_t)snprintf(
			    want + len, sizeof(want) - len, "%s", words[t]);
	return wrong(
	    conf, err, "listen", conf_list_at(conf, "listen", i), want);
}

static int check_places(
    const struct conf_section *conf, peers_types types, struct err *err)
{
	bool judged = (types & PEERS_JUDGED) || count_allow(conf) > 0;
	struct endpoint at;

	for (size_t i = 0; i < conf_list_size(conf, "listen"); i++) {
		if (read_place(conf, i, &at, err) < 0 ||
		    check_type(conf, i, &at, types, err) < 0)
			return -1;
		if (!judged && !endpoint_is_local(&at))
			return wrong(conf, err, "listen",
			    conf_list_at(conf, "listen", i),
			    "anybody could speak to it; name those who may in "
			    "\"allow\"");
	}
	return 0;
}

/* --- peers -----------------------------------------------------------------
 */

/* By the lists that the section has; judges its places too. */
static struct peers *make(
    const struct conf_section *conf, peers_types types, struct err *err)
{
	struct peers *p = xcalloc(1, sizeof(*p));

	if (read_uids(p, conf, "allow-uid", err) < 0 ||
	    read_allow(p, conf, err) < 0 || check_places(conf, types, err) < 0)
		peers_free(&p);
	return p;
}

struct peers *peers_new(const struct conf_section *conf, struct err *err)
{
	return make(conf, ~PEERS_JUDGED, err);
}

struct peers *peers_users(
    const struct conf_section *conf, const char *option, struct err *err)
{
	struct peers *p = xcalloc(1, sizeof(*p));

	if (read_uids(p, conf, option, err) < 0)
		peers_free(&p);
	return p;
}

struct peers *peers_either(const struct peers *a, const struct peers *b)
{
	struct peers *p = xcalloc(1, sizeof(*p));

	p->uid_count = a->uid_count + b->uid_count;
	p->uids = xcalloc(p->uid_count + 1, sizeof(*p->uids));
	for (size_t i = 0; i < p->uid_count; i++)
		p->uids[i] =
		    i < a->uid_count ? a->uids[i] : b->uids[i - a->uid_count];
	p->every_uid = a->every_uid || b->every_uid;
	return p;
}

struct peers *peers_everybody(void)
{
	struct peers *p = xcalloc(1, sizeof(*p));

	p->every_uid = p->every_addr = true;
	return p;
}

void peers_free(struct peers **p)
{
	if (!*p)
		return;
	netset_free(&(*p)->nets);
	free((*p)->uids);
	free(*p);
	*p = NULL;
}

bool peers_allow_addr(const struct peers *p, const struct addr *a)
{
	return p->every_addr || netset_find(p->nets, a) >= 0;
}

bool peers_allow_uid(const struct peers *p, uid_t uid)
{
	/* Nobody the kernel names. */
	if (uid == (uid_t)-1)
		return false;
	for (size_t i = 0; i < p->uid_count; i++)
		if (p->uids[i] == uid)
			return true;
	return p->every_uid;
}

/* --- sockets ---------------------------------------------------------------
 */

static int open_place(const struct conf_section *conf, size_t i,
    const struct endpoint_owner *owner, struct err *err)
{
	struct endpoint at;

	return read_place(conf, i, &at, err) < 0
		   ? -1
		   : endpoint_open(&at, owner, err);
}

static int open_all(const struct conf_section *conf,
    const struct endpoint_owner *owner, int *fds, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		fds[i] = open_place(conf, i, owner, err);
		if (fds[i] >= 0)
			continue;
		while (i > 0)
			(void)close(fds[--i]);
		return -1;
	}
	return (int)n;
}

int peers_sockets(const struct conf_section *conf, peers_types types, int *fds,
    size_t max, struct err *err)
{
	const char *mode = conf_string(conf, "mode");
	char who[64];
	struct endpoint_owner owner = { .who = who,
		.group = conf_string(conf, "group") };
	size_t n = conf_list_size(conf, "listen");
	struct peers *p = make(conf, types, err);

	if (!p)
		return -1;
	peers_free(&p);
	if (n == 0 || (fds && n > max))
		return conf_wrong(conf, err,
		    "listen: name 1 to %zu places where "
		    "it listens",
		    (size_t)SOURCE_FDS_MAX);
	if (!endpoint_parse_mode(mode, &owner.mode))
		return wrong(conf, err, "mode", mode,
		    "expected an octal mode such as 0660");
	(void)snprintf(who, sizeof(who), "source %s", conf_name(conf));
	return fds ? open_all(conf, &owner, fds, n, err) : 0;
}
