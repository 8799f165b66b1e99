/* SPDX-License-Identifier: ISC */
/*
 * setup - see the header.
 */
#include "setup.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/secret.h"

static bool is_key(const char *key)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.:_-{}";
	size_t len = strlen(key);

	return len > 0 && len <= REDIS_KEY_MAX && strspn(key, letters) == len;
}

static int read_endpoints(const struct conf_section *conf, const char *option,
    uint16_t usual, struct redis_setup *out, struct err *err)
{
	out->count = conf_list_size(conf, option);
	if (out->count > REDIS_ENDPOINTS_MAX)
		return conf_wrong(
		    conf, err, "%s: at most %d", option, REDIS_ENDPOINTS_MAX);
	for (size_t i = 0; i < out->count; i++) {
		const char *text = conf_list_at(conf, option, i);

		if (!redis_endpoint_parse(text, usual, &out->endpoints[i]))
			return conf_wrong(conf, err,
			    "%s: \"%s\" is none; expected \"host:%u\" or "
			    "\"[address]:%u\"",
			    option, text, (unsigned)usual, (unsigned)usual);
	}
	return 0;
}

static int read_section(
    const struct conf_section *conf, struct redis_setup *out, struct err *err)
{
	out->by_sentinels = conf_list_size(conf, "sentinels") > 0;
	if (out->by_sentinels == (conf_list_size(conf, "servers") > 0))
		return conf_wrong(conf, err,
		    "expected either servers or sentinels, such as "
		    "servers = {\"192.0.2.1:%d\"}",
		    REDIS_PORT);
	if (!is_key(conf_string(conf, "key")))
		return conf_wrong(conf, err,
		    "key: expected 1 to %d of the letters a-z A-Z 0-9 "
		    ". : _ - { }",
		    REDIS_KEY_MAX);
	if (*conf_string(conf, "user") && !*conf_string(conf, "password-file"))
		return conf_wrong(conf, err, "user: it needs a password-file");
	if (conf_number(conf, "tls") && !*conf_string(conf, "ca"))
		return conf_wrong(conf, err,
		    "tls: it needs ca, the certificate of the site's own "
		    "authority: any name that it has signed is trusted");
	return out->by_sentinels
		   ? read_endpoints(
			 conf, "sentinels", REDIS_SENTINEL_PORT, out, err)
		   : read_endpoints(conf, "servers", REDIS_PORT, out, err);
}

static int read_password(const struct conf_section *conf, const char *option,
    struct redis_secret *out, struct err *err)
{
	const char *path = conf_string(conf, option);

	return *path ? secret_read(path, &out->text, &out->len, err) : 0;
}

int redis_setup_check(const struct conf_section *conf, struct err *err)
{
	struct redis_setup setup;

	return read_section(conf, &setup, err);
}

int redis_setup_read(
    const struct conf_section *conf, struct redis_setup *out, struct err *err)
{
	memset(out, 0, sizeof(*out));
	out->timeout = conf_number(conf, "timeout");
	out->master = conf_string(conf, "master");
	out->user = conf_string(conf, "user");
	out->ca = conf_number(conf, "tls") ? conf_string(conf, "ca") : NULL;
	if (read_section(conf, out, err) < 0 ||
	    read_password(conf, "password-file", &out->password, err) < 0)
		return -1;
	return read_password(
	    conf, "sentinel-password-file", &out->sentinel_password, err);
}

/* IPv4 first, as hiredis does. */
static bool look_up(const char *host, int family, char out[static NI_MAXHOST])
{
	const struct addrinfo hints = { .ai_family = family,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	bool good;

	if (getaddrinfo(host, NULL, &hints, &found) != 0)
		return false;
	good = getnameinfo(found->ai_addr, found->ai_addrlen, out, NI_MAXHOST,
		   NULL, 0, NI_NUMERICHOST) == 0;
	freeaddrinfo(found);
	return good;
}

void redis_setup_look_up(struct redis_setup *s, size_t at)
{
	const struct redis_endpoint *endpoint = &s->endpoints[at];
	struct redis_endpoint *known = &s->known[at];
	char host[NI_MAXHOST];

	if (redis_endpoint_is_name(endpoint) &&
	    !look_up(endpoint->host, AF_INET, host) &&
	    !look_up(endpoint->host, AF_INET6, host))
		return;
	*known = *endpoint;
	if (redis_endpoint_is_name(endpoint))
		(void)snprintf(known->host, sizeof(known->host), "%.*s",
		    REDIS_HOST_MAX, host);
}

void redis_setup_wipe(struct redis_setup *s)
{
	secret_free(&s->password.text, s->password.len);
	secret_free(&s->sentinel_password.text, s->sentinel_password.len);
}
