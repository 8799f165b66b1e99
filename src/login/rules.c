/* SPDX-License-Identifier: ISC */
/*
 * rules - the lease section compiled into sets and numbers, and the judgement
 * of one login by itself.
 * Called by: apply, decide/, `scan`.  Owns: nothing outside its struct.
 * Not here:  what needs the ledger (revocations, caps, sessions: apply.c).
 */
#include "rules.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/netset.h"
#include "base/special.h"

/* Names from the configuration, sorted without regard to case. */
struct names {
	const char **at;
	size_t count;
};

struct rules {
	int64_t ttl, max_skew;
	unsigned ipv6_prefix;
	enum rules_mode mode;
	struct rules_limits limits;
	struct names users, domains, deny_users;
	struct netset *opened, *own, *proxy, *never, *always;
};

struct text {
	const char *at;
	size_t len;
};

/* --- the section compiled ------------------------------------------------ */

static int name_order(const void *a, const void *b)
{
	return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

static int name_find_order(const void *key, const void *entry)
{
	const struct text *text = key;
	const char *name = *(const char *const *)entry;
	int order = strncasecmp(text->at, name, text->len);

	/* Equal so far: the name is longer when it goes on. */
	return order ? order : (name[text->len] ? -1 : 0);
}

static void names_read(
    struct names *names, const struct conf_section *conf, const char *option)
{
	names->count = conf_list_size(conf, option);
	names->at = xcalloc(names->count + 1, sizeof(*names->at));
	for (size_t i = 0; i < names->count; i++) {
		const char *name = conf_list_at(conf, option, i);
		/* "@example.org" is how some write a domain. */
		names->at[i] = xstrdup(*name == '@' ? name + 1 : name);
	}
	qsort(names->at, names->count, sizeof(*names->at), name_order);
}

static void names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free((void *)(uintptr_t)names->at[i]);
	free((void *)names->at);
}

static bool names_have(const struct names *names, struct text text)
{
	return bsearch(&text, names->at, names->count, sizeof(*names->at),
	    name_find_order);
}

static struct netset *nets_read(
    const struct conf_section *conf, const char *option)
{
	struct netset *set = netset_new();

	for (size_t i = 0; i < conf_list_size(conf, option); i++) {
		const char *text = conf_list_at(conf, option, i);
		struct net net;

		must(net_parse(text, strlen(text), &net)); /* conf saw to it */
		netset_add(set, &net, 1);
	}
	return set;
}

static void read_limits(struct rules_limits *out, const struct conf_section *s)
{
	out->users_per_address =
	    (size_t)conf_number(s, "max-users-per-address");
	out->addresses_per_user =
	    (size_t)conf_number(s, "max-addresses-per-user");
	out->hold = conf_number(s, "hold-sessions") != 0;
	out->hold_unseen = conf_number(s, "hold-unseen");
	out->hold_max = conf_number(s, "hold-max");
	out->require_tls = conf_number(s, "require-tls") != 0;
}

struct rules *rules_new(
    const struct conf_section *lease, const struct addr *own, size_t own_count)
{
	struct rules *r = xcalloc(1, sizeof(*r));

	r->ttl = conf_number(lease, "ttl");
	r->max_skew = conf_number(lease, "max-skew");
	r->ipv6_prefix = (unsigned)conf_number(lease, "ipv6-prefix");
	r->mode = (enum rules_mode)conf_number(lease, "mode");
	read_limits(&r->limits, lease);
	names_read(&r->users, lease, "users");
	names_read(&r->domains, lease, "domains");
	names_read(&r->deny_users, lease, "deny-users");
	r->opened = nets_read(lease, "private");
	r->own = nets_read(lease, "own");
	r->proxy = nets_read(lease, "proxy");
	r->never = nets_read(lease, "never");
	r->always = nets_read(lease, "always");
	for (size_t i = 0; own && i < own_count; i++) {
		struct net host = { .addr = own[i], .bits = 128 };
		netset_add(r->own, &host, 1);
	}
	return r;
}

void rules_free(struct rules **rp)
{
	struct rules *r = *rp;

	if (!r)
		return;
	names_free(&r->users);
	names_free(&r->domains);
	names_free(&r->deny_users);
	netset_free(&r->opened);
	netset_free(&r->own);
	netset_free(&r->proxy);
	netset_free(&r->never);
	netset_free(&r->always);
	free(r);
	*rp = NULL;
}

int64_t rules_ttl(const struct rules *r)
{
	return r->ttl;
}

int64_t rules_max_skew(const struct rules *r)
{
	return r->max_skew;
}

unsigned rules_ipv6_prefix(const struct rules *r)
{
	return r->ipv6_prefix;
}

enum rules_mode rules_mode(const struct rules *r)
{
	return r->mode;
}

const char *rules_mode_word(int mode)
{
	static const char *const words[] = { [MODE_ENFORCE] = "enforce",
		[MODE_OBSERVE] = "observe",
		[MODE_OFF] = "off" };

	return mode >= 0 && mode < (int)COUNT_OF(words) ? words[mode] : NULL;
}

const char *rules_list_word(size_t list)
{
	static const char *const words[RULES_LISTS] = {
		[RULES_ALWAYS] = "always",
		[RULES_NEVER] = "never",
		[RULES_PROXY] = "proxy",
		[RULES_OWN] = "own",
		[RULES_PRIVATE] = "private",
	};

	return words[list];
}

const struct rules_limits *rules_limits(const struct rules *r)
{
	return &r->limits;
}

/* --- addresses ----------------------------------------------------------- */

static bool holds(const struct netset *set, const struct addr *a)
{
	return netset_find(set, a) >= 0;
}

bool rules_always(const struct rules *r, const struct addr *a)
{
	/* Whoever lists one host as never inside a net that is always open
	 * means that host. */
	return holds(r->always, a) && !holds(r->never, a);
}

bool rules_listed(const struct rules *r, enum rules_list list,
    const struct addr *a, struct net *net_r)
{
	const struct netset *const sets[RULES_LISTS] = {
		[RULES_ALWAYS] = r->always,
		[RULES_NEVER] = r->never,
		[RULES_PROXY] = r->proxy,
		[RULES_OWN] = r->own,
		[RULES_PRIVATE] = r->opened,
	};

	return netset_match(sets[list], a, net_r) >= 0;
}

struct addr rules_mask(
    const struct rules *r, const struct addr *a, uint8_t *bits_r)
{
	*bits_r = addr_is_ipv4(a) ? 128 : (uint8_t)r->ipv6_prefix;
	return addr_mask(a, *bits_r);
}

/*
 * What `private` may open at all, whatever the special-purpose table says: of
 * IPv4 all but 0/8, 127/8 and 224/3; of IPv6 unique local addresses and what
 * lies inside 2000::/3.
 */
static bool can_be_opened(const struct addr *a)
{
	const uint8_t *b = a->bytes;

	if (addr_is_ipv4(a))
		return b[12] != 0 && b[12] != 127 && b[12] < 224;
	return (b[0] & 0xfe) == 0xfc || (b[0] & 0xe0) == 0x20;
}

enum judgement rules_address(const struct rules *r, const struct addr *a)
{
	static const struct addr unspecified;
	enum special special = special_find(a, NULL);

	if (addr_equal(a, &unspecified))
		return JUDGE_NO_ADDRESS;
	if (special == SPECIAL_NEVER)
		return JUDGE_SPECIAL;
	if (special == SPECIAL_PRIVATE && !can_be_opened(a))
		return JUDGE_SPECIAL;
	if (special == SPECIAL_PRIVATE && !holds(r->opened, a))
		return JUDGE_PRIVATE;
	if (holds(r->own, a))
		return JUDGE_OWN;
	if (holds(r->proxy, a))
		return JUDGE_PROXY;
	if (holds(r->never, a))
		return JUDGE_NEVER;
	return JUDGE_NONE;
}

size_t rules_own_addresses(struct addr *out, size_t size)
{
	struct ifaddrs *list = NULL;
	size_t count = 0;

	if (getifaddrs(&list))
		return 0;
	for (const struct ifaddrs *i = list; i && count < size;
	     i = i->ifa_next) {
		const struct sockaddr *sa = i->ifa_addr;
		struct addr a = { { [10] = 0xff, [11] = 0xff } };

		if (sa && sa->sa_family == AF_INET) {
			struct sockaddr_in in;
			memcpy(&in, sa, sizeof(in));
			memcpy(a.bytes + 12, &in.sin_addr, 4);
		} else if (sa && sa->sa_family == AF_INET6) {
			struct sockaddr_in6 in6;
			memcpy(&in6, sa, sizeof(in6));
			memcpy(a.bytes, &in6.sin6_addr, 16);
		} else {
			continue;
		}
		out[count++] = a;
	}
	freeifaddrs(list);
	return count;
}

/* --- logins -------------------------------------------------------------- */

struct moment rules_end(const struct rules *r, int64_t time, struct moment now)
{
	int64_t left = r->ttl;

	/* Compared before it is subtracted: the time is a stranger's. */
	if (time <= now.wall - r->ttl)
		left = 0;
	else if (time < now.wall)
		left = time - (now.wall - r->ttl);
	return (struct moment){ now.wall + left, now.boot + left };
}

enum judgement rules_user(const struct rules *r, const char *name, size_t len)
{
	struct text user = { name, len };
	const char *at = memrchr(name, '@', len);
	struct text domain = { "", 0 };

	if (at)
		domain =
		    (struct text){ at + 1, (size_t)(name + len - (at + 1)) };
	if (names_have(&r->deny_users, user))
		return JUDGE_USER_DENIED;
	if (r->users.count && !names_have(&r->users, user))
		return JUDGE_USER_UNLISTED;
	if (r->domains.count &&
	    (!domain.len || !names_have(&r->domains, domain)))
		return JUDGE_DOMAIN_UNLISTED;
	return JUDGE_NONE;
}

/* Written so that no time a stranger sends can overflow. */
static enum judgement judge_time(
    const struct rules *r, int64_t time, struct moment now)
{
	if (time > now.wall + r->max_skew)
		return JUDGE_FUTURE;
	if (time <= now.wall - r->ttl)
		return JUDGE_OLD;
	return JUDGE_NONE;
}

enum judgement rules_judge(const struct rules *r, const struct login *l,
    struct moment now, struct moment *end)
{
	enum judgement no = JUDGE_NONE;

	*end = (struct moment){ 0, 0 };
	if (l->kind != LOGIN_IN && l->kind != LOGIN_LEASE &&
	    l->kind != LOGIN_ALIVE)
		return JUDGE_NONE;
	if ((no = rules_address(r, &l->addr)))
		return no;
	if (!l->user_len && !l->userless)
		return JUDGE_NO_USER;
	if ((no = rules_user(r, l->user, l->user_len)) ||
	    (no = judge_time(r, l->time, now)))
		return no;
	/* A sign of life does not say how the session began; its login did. */
	if (r->limits.require_tls && !l->tls && l->kind != LOGIN_ALIVE)
		return JUDGE_NO_TLS;
	*end = rules_end(r, l->time, now);
	return JUDGE_LEASE;
}

const char *rules_reason(enum judgement j)
{
	static const char *const words[JUDGE_COUNT] = {
		[JUDGE_NONE] = "none",
		[JUDGE_LEASE] = "lease",
#define RULE(id, word) [JUDGE_##id] = (word),
#include "rules.def"
#undef RULE
	};

	return (unsigned)j < JUDGE_COUNT ? words[j] : "unknown";
}
