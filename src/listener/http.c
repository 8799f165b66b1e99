/* SPDX-License-Identifier: ISC */
/*
 * http - the listener for people and their programs: JSON, metrics for
 * Prometheus, and with a token of its own grants and revocations. It has a
 * process of its own (daemon/gateway.c); here stands what the configuration may
 * say of it.
 */
#include "http/json.h"
#include "http_api.h"
#include "listener.h"

static const struct option http_options[] = {
	{ "token-file", OPTION_PATH, "", 0, 0, NULL,
	    "File with the bearer token of who may look: check, explain, list "
	    "leases, read metrics. It must be given when it listens at a TCP "
	    "port; without it, who may connect to the unix socket may look, "
	    "and hears users as show-user says." },
	{ "change-token-file", OPTION_PATH, "", 0, 0, NULL,
	    "File with the bearer token of who may grant and revoke leases, "
	    "too; without it this listener changes nothing." },
	{ "hosts", OPTION_LIST, "localhost 127.0.0.1 ::1", 0, 0, NULL,
	    "Names that a request's Host header may have, besides the "
	    "address it listens at." },
	OPTION_END
};

/* All that can be wrong is told before relaypassd starts. */
static int check(const struct conf_section *conf, struct err *err)
{
	struct http_api api;

	if (http_api_open(&api, conf, err) < 0)
		return -1;
	http_api_close(&api);
	return 0;
}

const struct listener_kind listener_http = {
	.name = "http",
	.help = "Answers over HTTP: leases as JSON, why an address may relay, "
		"metrics for Prometheus; with a token also grants and "
		"revocations.",
	.options = http_options,
	.listen = "unix:/run/relaypass/http",
	.group = "relaypass",
	.request_max = HTTP_BODY_MAX,
	.gateway = true,
	.changes = http_api_changes,
	.check = check,
};
