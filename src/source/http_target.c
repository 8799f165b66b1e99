/* SPDX-License-Identifier: ISC */
/*
 * http_target - the place and the credentials of another policy server.
 */
#include "http_target.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/endpoint.h"
#include "base/secret.h"
#include "conf/conf.h"

enum {
	SECRET_MOST = 512,
	USER_MOST = 64,
	FIELD_NAME_ROOM = 64 /* "Authorization: Basic " and CR LF */
};

static int wrong(const struct conf_section *conf, struct err *err,
    const char *option, const char *text)
{
	return err_set(err, EXIT_USER, "source %s (line %d): %s: %s",
	    conf_name(conf), conf_line(conf), option, text);
}

/* What stands in a request line as it is. */
static bool is_path(const char *text)
{
	for (const char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-._~/", *p))
			return false;
	return text[0] == '/';
}

/* "http://ADDR:PORT/PATH". */
static int read_url(
    struct http_target *t, const struct conf_section *conf, struct err *err)
{
	static const char scheme[] = "http://";
	const char *url = conf_string(conf, "forward"), *place, *slash;
	char addr[ADDR_TEXT_SIZE], text[HTTP_PATH_MAX];
	struct endpoint at;
	int n;

	place = url + sizeof(scheme) - 1;
	slash = strncmp(url, scheme, sizeof(scheme) - 1) == 0
		    ? strchr(place, '/')
		    : NULL;
	if (!slash || strlen(url) >= HTTP_PATH_MAX || !is_path(slash))
		return wrong(conf, err, "forward",
		    "expected \"http://ADDR:PORT/PATH\"; names are not "
		    "looked up, a port must be given");
	n = snprintf(
	    text, sizeof(text), "tcp:%.*s", (int)(slash - place), place);
	if (n < 0 || n >= (int)sizeof(text) || !endpoint_parse(text, &at))
		return wrong(conf, err, "forward",
		    "expected a numeric address with its port, such as "
		    "192.0.2.1:8084 or [2001:db8::1]:8084");
	(void)snprintf(t->path, sizeof(t->path), "%s", slash);
	(void)addr_print(&at.addr, addr);
	(void)snprintf(t->host, sizeof(t->host),
	    addr_is_ipv4(&at.addr) ? "%s:%u" : "[%s]:%u", addr,
	    (unsigned)at.port);
	if (addr_is_ipv4(&at.addr))
		(void)uv_ip4_addr(addr, at.port, (struct sockaddr_in *)&t->to);
	else
		(void)uv_ip6_addr(addr, at.port, (struct sockaddr_in6 *)&t->to);
	return 0;
}

static void base64(const char *in, size_t len, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)in;

	for (size_t i = 0; i < len; i += 3) {
		unsigned three = (unsigned)p[i] << 16 |
				 (i + 1 < len ? (unsigned)p[i + 1] << 8 : 0) |
				 (i + 2 < len ? (unsigned)p[i + 2] : 0);
		*out++ = digits[three >> 18];
		*out++ = digits[three >> 12 & 63];
		*out++ = i + 1 < len ? digits[three >> 6 & 63] : '=';
		*out++ = i + 2 < len ? digits[three & 63] : '=';
	}
	*out = '\0';
}

static bool is_printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return len > 0;
}

/* The header field that carries the secret. */
static int make_field(struct http_target *t, const struct conf_section *conf,
    const char *secret, size_t len, struct err *err)
{
	const char *header = conf_string(conf, "forward-header");
	const char *user = conf_string(conf, "forward-user");
	char plain[USER_MOST + 1 + SECRET_MOST + 1],
	    coded[HTTP_FIELD_MAX - FIELD_NAME_ROOM];

	if (len > SECRET_MOST || !is_printable(secret, len))
		return wrong(conf, err, "forward-secret-file",
		    "the file must hold 1 to 512 printable characters on one "
		    "line");
	if (header[0]) {
		for (const char *p = header; *p; p++)
			if (!isalnum((unsigned char)*p) && *p != '-')
				return wrong(conf, err, "forward-header",
				    "expected the name of a header");
		if (strlen(header) > USER_MOST)
			return wrong(
			    conf, err, "forward-header", "it is too long");
		(void)snprintf(
		    t->field, sizeof(t->field), "%s: %s\r\n", header, secret);
		return 0;
	}
	if (!is_printable(user, strlen(user)) || strlen(user) > USER_MOST ||
	    strchr(user, ':'))
		return wrong(conf, err, "forward-user",
		    "expected 1 to 64 printable characters without a colon");
	(void)snprintf(plain, sizeof(plain), "%s:%s", user, secret);
	base64(plain, strlen(plain), coded);
	(void)snprintf(
	    t->field, sizeof(t->field), "Authorization: Basic %s\r\n", coded);
	explicit_bzero(plain, sizeof(plain));
	explicit_bzero(coded, sizeof(coded));
	return 0;
}

static int read_secret(
    struct http_target *t, const struct conf_section *conf, struct err *err)
{
	const char *path = conf_string(conf, "forward-secret-file");
	char *secret;
	size_t len;
	int result;

	if (!path[0])
		return 0;
	if (secret_read(path, &secret, &len, err) < 0)
		return wrong(conf, err, "forward-secret-file", err->text);
	result = make_field(t, conf, secret, len, err);
	secret_free(&secret, len);
	return result;
}

int http_target_read(
    struct http_target *out, const struct conf_section *conf, struct err *err)
{
	memset(out, 0, sizeof(*out));
	if (read_url(out, conf, err) < 0)
		return -1;
	return read_secret(out, conf, err);
}
