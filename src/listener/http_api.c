/* SPDX-License-Identifier: ISC */
/*
 * http_api - the requests of the http listener. What changes something is a
 * POST with a token of its own, so that the token of what only looks at numbers
 * cannot open a relay.
 */
#include "http_api.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"
#include "http/uri.h"
#include "listener.h"

enum {
	STATUS_BAD = 400,
	STATUS_UNAUTHORIZED = 401,
	STATUS_FORBIDDEN = 403,
	STATUS_NOT_FOUND = 404,
	STATUS_METHOD = 405,
	ADDRESS_SIZE = 16,
	HEX = 16
};

const struct http_api_route http_api_routes[] = {
	{ "GET", "/health", HTTP_API_HEALTH, HTTP_API_ANYBODY, "" },
	{ "GET", "/openapi.json", HTTP_API_OPENAPI, HTTP_API_ANYBODY, "" },
	{ "GET", "/metrics", HTTP_API_METRICS, HTTP_API_READER, "" },
	{ "GET", "/v1/check", HTTP_API_CHECK, HTTP_API_READER,
	    "address sender recipient user" },
	{ "GET", "/v1/explain", HTTP_API_EXPLAIN, HTTP_API_READER,
	    "address sender recipient user" },
	{ "GET", "/v1/leases", HTTP_API_LIST, HTTP_API_READER,
	    "user network source limit after" },
	{ "POST", "/v1/leases", HTTP_API_GRANT, HTTP_API_CHANGER, "" },
	{ "GET", "/v1/leases/{address}", HTTP_API_ONE, HTTP_API_READER, "" },
	{ "POST", "/v1/revocations", HTTP_API_REVOKE, HTTP_API_CHANGER, "" },
	{ NULL, NULL, HTTP_API_NONE, HTTP_API_ANYBODY, NULL },
};

/* --- configuration ---------------------------------------------------------
 */

static int read_token(const struct conf_section *conf, const char *option,
    char **token, size_t *len, struct err *err)
{
	const char *path = conf_string(conf, option);

	if (!path[0] || http_secret_read(path, token, len, err) == 0)
		return 0;
	return conf_wrong(conf, err, "%s: %s", option, err->text);
}

static void add_hosts(
    struct http_api *api, const struct conf_section *conf, struct endpoint *at)
{
	char text[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < conf_list_size(conf, "hosts"); i++)
		http_hosts_add(&api->hosts, conf_list_at(conf, "hosts", i));
	if (endpoint_is_local(at))
		return;
	(void)addr_print(&at->addr, text);
	http_hosts_add(&api->hosts, text);
}

bool http_api_changes(const struct conf_section *conf)
{
	return conf_string(conf, "change-token-file")[0] != '\0';
}

/* Who may only look must not change by it. */
static int check_tokens(const struct http_api *api,
    const struct conf_section *conf, const struct endpoint *at, struct err *err)
{
	if (!api->token && !endpoint_is_local(at))
		return conf_wrong(conf, err,
		    "token-file: every user of this host can connect to a TCP "
		    "port; name a file with a token, or listen at a unix "
		    "socket");
	if (api->token && api->change &&
	    secret_equal(
		api->token, api->token_len, api->change, api->change_len))
		return conf_wrong(conf, err,
		    "change-token-file: its token must be another than "
		    "token-file's");
	return 0;
}

int http_api_open(
    struct http_api *api, const struct conf_section *conf, struct err *err)
{
	struct endpoint at;

	memset(api, 0, sizeof(*api));
	if (!listener_place(conf, &at))
		return conf_wrong(conf, err, "listen: it is no place");
	add_hosts(api, conf, &at);
	if (read_token(conf, "token-file", &api->token, &api->token_len, err) ==
		0 &&
	    read_token(conf, "change-token-file", &api->change,
		&api->change_len, err) == 0 &&
	    check_tokens(api, conf, &at, err) == 0)
		return 0;
	http_api_close(api);
	return -1;
}

void http_api_close(struct http_api *api)
{
	secret_free(&api->token, api->token_len);
	secret_free(&api->change, api->change_len);
	http_hosts_free(&api->hosts);
}

/* --- words of the query ----------------------------------------------------
 */

static struct http_refusal fine(void)
{
	return http_refuse(0, NULL, NULL);
}

static struct http_refusal bad(const char *text)
{
	return http_refuse(STATUS_BAD, "bad-query", text);
}

/* Every word of the query is one of the route's. */
static bool knows_words(const struct http_uri *u, const char *words)
{
	for (size_t i = 0; i < u->count; i++) {
		const char *name = u->pairs[i].name, *at = words;
		size_t len = strlen(name);

		while ((at = strstr(at, name)) != NULL) {
			if ((at == words || at[-1] == ' ') &&
			    (at[len] == ' ' || at[len] == '\0'))
				break;
			at += len;
		}
		if (!at)
			return false;
	}
	return true;
}

/* Takes a value of at most max bytes. False: it is longer. */
static bool take(const struct http_uri *u, const char *name, char *out,
    size_t max, size_t *len, bool *has)
{
	const char *value = http_uri_value(u, name);

	*has = value != NULL;
	*len = value ? strlen(value) : 0;
	if (*len > max)
		return false;
	memcpy(out, value ? value : "", *len);
	out[*len] = '\0';
	return true;
}

static struct http_refusal read_question(
    const struct http_uri *u, struct question *q)
{
	const char *address = http_uri_value(u, "address");
	size_t sender, recipient, user;
	bool has[3];

	if (!address || !addr_parse(address, strlen(address), &q->addr))
		return bad("address: expected an IP address");
	if (!take(
		u, "sender", q->sender, QUESTION_MAIL_MAX, &sender, &has[0]) ||
	    !take(u, "recipient", q->recipient, QUESTION_MAIL_MAX, &recipient,
		&has[1]) ||
	    !take(u, "user", q->user, LOGIN_USER_MAX, &user, &has[2]))
		return bad("sender, recipient or user is too long");
	q->sender_len = (uint16_t)sender;
	q->recipient_len = (uint16_t)recipient;
	q->user_len = (uint16_t)user;
	q->has_sender = has[0];
	q->has_recipient = has[1];
	q->has_user = has[2];
	q->asked = true;
	return fine();
}

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

static bool read_after(const char *text, struct http_api_filter *f)
{
	uint8_t bytes[ADDRESS_SIZE + LOGIN_USER_MAX];
	size_t len = strlen(text) / 2;

	if (strlen(text) % 2 || len < ADDRESS_SIZE || len > sizeof(bytes))
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = hex(text[2 * i]), low = hex(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high * HEX + low);
	}
	memcpy(f->after.bytes, bytes, ADDRESS_SIZE);
	f->after_len = len - ADDRESS_SIZE;
	memcpy(f->after_user, bytes + ADDRESS_SIZE, f->after_len);
	f->has_after = true;
	return true;
}

static bool read_limit(const char *text, size_t *limit)
{
	*limit = 0;
	for (const char *p = text; *p; p++) {
		if (!isdigit((unsigned char)*p))
			return false;
		*limit = *limit * 10 + (size_t)(*p - '0');
		if (*limit > HTTP_API_PAGE_MAX)
			return false;
	}
	return *limit > 0;
}

static struct http_refusal read_filter(
    const struct http_uri *u, struct http_api_filter *f)
{
	const char *network = http_uri_value(u, "network");
	const char *limit = http_uri_value(u, "limit");
	const char *after = http_uri_value(u, "after");
	size_t source_len;
	bool has_source;

	f->limit = HTTP_API_PAGE;
	f->has_network = network != NULL;
	if (network && !net_parse(network, strlen(network), &f->network))
		return bad("network: expected one such as 192.0.2.0/24");
	if (limit && !read_limit(limit, &f->limit))
		return bad("limit: expected a number from 1 to 500");
	if (after && !read_after(after, f))
		return bad("after: expected what `next` of a page has said");
	if (!take(u, "user", f->user, LOGIN_USER_MAX, &f->user_len,
		&f->has_user) ||
	    !take(u, "source", f->source, HTTP_API_SOURCE_MAX, &source_len,
		&has_source) ||
	    (has_source && !source_len))
		return bad("user or source is too long, or source empty");
	return fine();
}

/* --- routes ----------------------------------------------------------------
 */

/* The value of "{address}" in path, "" without one, or NULL: another path. */
static const char *fits(const char *pattern, const char *path)
{
	const char *brace = strchr(pattern, '{');
	size_t len = brace ? (size_t)(brace - pattern) : strlen(pattern);

	if (strncmp(pattern, path, len) != 0)
		return NULL;
	if (!brace)
		return path[len] ? NULL : "";
	return path[len] ? path + len : NULL;
}

/* By path and method; NULL: none. *allow_r: the methods of the path, NULL when
 * there is no such path. */
static const struct http_api_route *find_route(const char *method,
    const char *path, const char **rest_r, const char **allow_r)
{
	const struct http_api_route *found = NULL;

	*allow_r = NULL;
	for (const struct http_api_route *r = http_api_routes; r->method; r++) {
		const char *rest = fits(r->path, path);

		if (!rest)
			continue;
		*allow_r = *allow_r ? "GET, POST" : r->method;
		if (strcmp(r->method, method) != 0)
			continue;
		*rest_r = rest;
		found = r;
	}
	return found;
}

static struct http_refusal judge_token(const struct http_api *api,
    const struct http_api_route *route, const struct http_head *h, bool shows,
    struct http_api_ask *out)
{
	/* Both are looked at: the time tells nothing. */
	bool change =
	    api->change && http_has_bearer(h, api->change, api->change_len);
	bool read =
	    api->token && http_has_bearer(h, api->token, api->token_len);

	out->users = change || read || shows;
	if (route->right == HTTP_API_ANYBODY)
		return fine();
	if (route->right == HTTP_API_CHANGER && !api->change)
		return http_refuse(STATUS_FORBIDDEN, "read-only",
		    "this listener changes nothing; see option "
		    "change-token-file");
	if (route->right == HTTP_API_CHANGER && read && !change)
		return http_refuse(
		    STATUS_FORBIDDEN, "read-only", "this token may only read");
	if (change || (route->right == HTTP_API_READER &&
			  (read || (!api->token && !h->authorization.text))))
		return fine();
	return http_refuse(
	    STATUS_UNAUTHORIZED, "bad-token", "the token is missing or wrong");
}

static struct http_refusal read_words(const struct http_api_route *route,
    const struct http_uri *u, const char *rest, struct http_api_ask *out)
{
	if (!knows_words(u, route->words))
		return bad("a word of the query is not known");
	switch (route->call) {
	case HTTP_API_CHECK:
	case HTTP_API_EXPLAIN:
		return read_question(u, &out->question);
	case HTTP_API_LIST:
		return read_filter(u, &out->filter);
	case HTTP_API_ONE:
		out->filter.limit = HTTP_API_PAGE_MAX;
		out->filter.has_address =
		    addr_parse(rest, strlen(rest), &out->filter.address);
		return out->filter.has_address
			   ? fine()
			   : bad("expected an IP address in the path");
	case HTTP_API_NONE:
	case HTTP_API_HEALTH:
	case HTTP_API_OPENAPI:
	case HTTP_API_METRICS:
	case HTTP_API_GRANT:
	case HTTP_API_REVOKE:
		break;
	}
	return fine();
}

/* Whose leases they are is told to some only, and so is whether somebody has
 * one. */
static struct http_refusal judge_users(const struct http_api_ask *ask)
{
	if (ask->users || (!ask->filter.has_user && !ask->question.has_user &&
			      ask->call != HTTP_API_EXPLAIN))
		return fine();
	return http_refuse(STATUS_FORBIDDEN, "users",
	    "users are told to who brings a token only; see option show-user");
}

struct http_refusal http_api_judge(const struct http_api *api,
    const struct http_head *h, bool shows, struct http_api_ask *out)
{
	AUTO_FREE struct http_uri *u = xmalloc(sizeof(*u));
	struct http_refusal no = http_judge_origin(&api->hosts, h);
	const struct http_api_route *route;
	const char *wrong, *rest = "";

	memset(out, 0, sizeof(*out));
	if (no.status)
		return no;
	wrong = http_uri_parse(h->target ? h->target : "", u);
	if (wrong)
		return bad(wrong);
	route = find_route(h->method, u->path, &rest, &out->allow);
	if (!route)
		return out->allow ? http_refuse(STATUS_METHOD, "bad-method",
					"this path takes another method")
				  : http_refuse(STATUS_NOT_FOUND, "bad-path",
					"nothing is served here");
	out->call = route->call;
	no = judge_token(api, route, h, shows, out);
	if (!no.status)
		no = strcmp(route->method, "POST") == 0
			 ? http_judge_body(h)
			 : http_judge_bodiless(h);
	if (!no.status)
		no = read_words(route, u, rest, out);
	if (!no.status)
		no = judge_users(out);
	if (no.status)
		out->call = HTTP_API_NONE;
	return no;
}

/* --- pages -----------------------------------------------------------------
 */

bool http_api_wants(const struct http_api_filter *f, const struct lease *row,
    const char *source)
{
	if (f->has_address && !addr_equal(&f->address, &row->addr))
		return false;
	if (f->has_network && !net_contains(&f->network, &row->addr))
		return false;
	if (f->source[0] && strcmp(f->source, source) != 0)
		return false;
	return !f->has_user ||
	       (f->user_len == row->user_len &&
		   memcmp(f->user, row->user, f->user_len) == 0);
}

bool http_api_is_new(const struct http_api_filter *f, const struct lease *row)
{
	size_t len =
	    f->after_len < row->user_len ? f->after_len : row->user_len;
	int order;

	if (!f->has_after)
		return true;
	order = memcmp(row->addr.bytes, f->after.bytes, ADDRESS_SIZE);
	if (order == 0)
		order = memcmp(row->user, f->after_user, len);
	return order > 0 || (order == 0 && row->user_len > f->after_len);
}

void http_api_after(
    const struct lease *row, char out[static HTTP_API_AFTER_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < ADDRESS_SIZE + (size_t)row->user_len; i++) {
		uint8_t byte = i < ADDRESS_SIZE
				   ? row->addr.bytes[i]
				   : (uint8_t)row->user[i - ADDRESS_SIZE];

		out[n++] = digits[byte / HEX];
		out[n++] = digits[byte % HEX];
	}
	out[n] = '\0';
}
