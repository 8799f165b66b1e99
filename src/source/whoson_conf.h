/* SPDX-License-Identifier: ISC */
/*
 * whoson_conf - whoson.conf(5), the file of whosond, as it stands; what it says
 * is joined with the section of relaypass.conf. Called by: whoson.c.
 *
 *	server tcp port=9876		# entries begin a line
 *		allow=192.0.2.0/24	# what is indented goes on
 *		deny=192.0.2.66
 *	server unix port=/run/whoson.sock
 *	server global ttl=1800
 *	client tcp port=9876		# libwhoson's: passed over
 *
 * The longest network of allow and deny decides; who is in none may not speak.
 */
#ifndef SOURCE_WHOSON_CONF_H
#define SOURCE_WHOSON_CONF_H
#include "base/endpoint.h"
#include "base/netset.h"
#include "conf/conf.h"
#include "source.h"

/* The default of allow-uid. */
#define WHOSON_USERS "root"

enum { WHOSON_NETS_MAX = 1024, WHOSON_CONF_MAX = 65536 };

struct whoson_place {
	struct endpoint at;
	struct netset *nets; /* network: 1 allowed, 0 denied */
};

struct whoson_conf {
	size_t count;
	struct whoson_place places[SOURCE_FDS_MAX];
	size_t allow_count;
	struct net allow[WHOSON_NETS_MAX]; /* of all places */
	int64_t ttl;                       /* ms; 0: not given */
	char unused[128]; /* keywords that say nothing to relaypass */
};

/* NULL and *err (EXIT_USER) with file and line: an unknown type or keyword, a
 * value that cannot be, a server without its port. */
struct whoson_conf *whoson_conf_parse(
    const char *text, size_t len, const char *name, struct err *err);
/* Reads a file of up to WHOSON_CONF_MAX bytes. */
struct whoson_conf *whoson_conf_read(const char *path, struct err *err);
void whoson_conf_free(struct whoson_conf **c);
bool whoson_place_allows(const struct whoson_place *p, const struct addr *a);

/*
 * A configuration with one section "source", of the same title and line, that
 * holds what PEERS_OPTIONS names: that of `section`, with the file's places
 * behind its own in `listen`, and the file's networks in `allow`. Release:
 * conf_free().
 */
struct conf *whoson_conf_join(const struct conf_section *section,
    const struct whoson_conf *file, struct err *err);
#endif
