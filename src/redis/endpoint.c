/* SPDX-License-Identifier: ISC */
/*
 * endpoint - see the header.
 */
#include "endpoint.h"

#include <stdio.h>
#include <string.h>

#include "base/addr.h"

enum { PORT_DIGITS = 5, PORT_MAX = 65535, DECIMAL = 10 };

static bool parse_port(const char *text, size_t len, uint16_t *out)
{
	unsigned port = 0;

	if (len == 0 || len > PORT_DIGITS || *text == '0')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		port = port * DECIMAL + (unsigned)(text[i] - '0');
	}
	*out = (uint16_t)port;
	return port <= PORT_MAX;
}

static bool is_address(const char *text, size_t len)
{
	struct addr addr;

	return addr_parse(text, len, &addr);
}

static bool is_host(const char *text, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_";

	if (len == 0 || len > REDIS_HOST_MAX)
		return false;
	if (memchr(text, ':', len))
		return is_address(text, len);
	for (size_t i = 0; i < len; i++)
		if (!text[i] || !strchr(letters, text[i]))
			return false;
	return text[0] != '-' && text[0] != '.';
}

bool redis_endpoint_set(const char *host, size_t host_len, const char *port,
    size_t port_len, struct redis_endpoint *out)
{
	memset(out, 0, sizeof(*out));
	if (!is_host(host, host_len) || !parse_port(port, port_len, &out->port))
		return false;
	memcpy(out->host, host, host_len);
	return true;
}

bool redis_endpoint_parse(
    const char *text, uint16_t usual, struct redis_endpoint *out)
{
	const char *host = text, *behind;
	size_t len;
	char port[PORT_DIGITS + 1];

	if (*text == '[') {
		host++;
		len = strcspn(host, "]");
		if (host[len] != ']' || !memchr(host, ':', len))
			return false;
		behind = host + len + 1;
	} else {
		len = strcspn(host, ":");
		behind = host + len;
	}
	if (*behind == ':')
		return redis_endpoint_set(
		    host, len, behind + 1, strlen(behind + 1), out);
	if (*behind)
		return false;
	(void)snprintf(port, sizeof(port), "%u", (unsigned)usual);
	return redis_endpoint_set(host, len, port, strlen(port), out);
}

const char *redis_endpoint_print(
    const struct redis_endpoint *p, char out[static REDIS_ENDPOINT_SIZE])
{
	(void)snprintf(out, REDIS_ENDPOINT_SIZE,
	    strchr(p->host, ':') ? "[%s]:%u" : "%s:%u", p->host,
	    (unsigned)p->port);
	return out;
}

bool redis_endpoint_is_name(const struct redis_endpoint *p)
{
	return !is_address(p->host, strlen(p->host));
}
