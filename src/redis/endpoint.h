/* SPDX-License-Identifier: ISC */
/*
 * endpoint - where a server is, as text. Pure.
 */
#ifndef REDIS_ENDPOINT_H
#define REDIS_ENDPOINT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	REDIS_HOST_MAX = 253,
	REDIS_ENDPOINT_SIZE = REDIS_HOST_MAX + sizeof("[]:65535"),
	REDIS_PORT = 6379,
	REDIS_SENTINEL_PORT = 26379
};

struct redis_endpoint {
	char host[REDIS_HOST_MAX + 1]; /* a name or an address */
	uint16_t port;
};

/* "db.example.org", "192.0.2.1:6379", "[2001:db8::1]:6379"; usual: the port
 * when none is named. */
bool redis_endpoint_parse(
    const char *text, uint16_t usual, struct redis_endpoint *out);
/* Of the two that a Sentinel names. */
bool redis_endpoint_set(const char *host, size_t host_len, const char *port,
    size_t port_len, struct redis_endpoint *out);
/* Back to text; returns out. */
const char *redis_endpoint_print(
    const struct redis_endpoint *p, char out[static REDIS_ENDPOINT_SIZE]);
/* Whether it is a name, which has to be looked up. */
bool redis_endpoint_is_name(const struct redis_endpoint *p);
#endif
