/* SPDX-License-Identifier: ISC */
/*
 * shapes - see shapes.h. One after the other: Postfix' policy, socketmap and
 * tcp table, relaypass' own line protocol, WHOSON, DNS, HTTP.
 */
#include "shapes.h"

#include <stdio.h>
#include <string.h>

#define ZONE          "\011relaypass\007invalid"
#define LITERAL(text) .no = (text), .no_len = sizeof(text) - 1

enum { BYTE = 0xff, OCTETS = 4, DNS_ANCOUNT = 7, DNS_MIN = 12 };

static void print_address(uint32_t a, char out[static SHAPE_ADDRESS_MAX])
{
	(void)snprintf(out, SHAPE_ADDRESS_MAX, "%u.%u.%u.%u", a >> 24,
	    a >> 16 & BYTE, a >> 8 & BYTE, a & BYTE);
}

static bool begins(const char *in, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && memcmp(in, with, n) == 0;
}

static size_t behind(const char *in, size_t len, const char *end)
{
	size_t n = strlen(end);
	const char *at = memmem(in, len, end, n);

	return at ? (size_t)(at - in) + n : 0;
}

/* --- ask, tcp-table --------------------------------------------------------
 */

static size_t ask_line(const char *verb, uint32_t address, char *out)
{
	char text[SHAPE_ADDRESS_MAX];

	print_address(address, text);
	return (size_t)snprintf(out, SHAPE_REQUEST_MAX, "%s %s\n", verb, text);
}

static size_t ask_ask(uint32_t a, char out[static SHAPE_REQUEST_MAX])
{
	return ask_line("check", a, out);
}

static size_t table_ask(uint32_t a, char out[static SHAPE_REQUEST_MAX])
{
	return ask_line("get", a, out);
}

static size_t line_whole(const char *in, size_t len)
{
	return behind(in, len, "\n");
}

static bool ask_allows(const char *in, size_t len)
{
	return begins(in, len, "allow ");
}

static bool ask_refuses(const char *in, size_t len)
{
	return begins(in, len, "none\n");
}

static bool table_allows(const char *in, size_t len)
{
	return begins(in, len, "200 OK\n");
}

static bool table_refuses(const char *in, size_t len)
{
	return begins(in, len, "500 ");
}

/* --- postfix-policy --------------------------------------------------------
 */

static size_t policy_ask(uint32_t a, char out[static SHAPE_REQUEST_MAX])
{
	/* All but the address, as Postfix 3.7 sends it. */
	static const char head[] =
	    "request=smtpd_access_policy\nprotocol_state=RCPT\n"
	    "protocol_name=ESMTP\nclient_name=unknown\nclient_port=40522\n"
	    "reverse_client_name=unknown\nserver_address=203.0.113.1\n"
	    "server_port=25\nhelo_name=pc.example.org\nsender=jo@example.org\n"
	    "recipient=someone@example.net\nrecipient_count=0\nqueue_id=\n"
	    "instance=123.5f2b3c4d.a1b2c.0\nsize=0\netrn_domain=\nstress=\n"
	    "sasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\n"
	    "ccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\n"
	    "encryption_protocol=\nencryption_cipher=\nencryption_keysize=0\n"
	    "policy_context=\n";
	char text[SHAPE_ADDRESS_MAX];

	print_address(a, text);
	return (size_t)snprintf(
	    out, SHAPE_REQUEST_MAX, "%sclient_address=%s\n\n", head, text);
}

static size_t policy_whole(const char *in, size_t len)
{
	return behind(in, len, "\n\n");
}

static bool policy_allows(const char *in, size_t len)
{
	return begins(in, len, "action=OK\n\n");
}

static bool policy_refuses(const char *in, size_t len)
{
	return begins(in, len, "action=DUNNO\n\n");
}

/* --- socketmap -------------------------------------------------------------
 */

static size_t socketmap_ask(uint32_t a, char out[static SHAPE_REQUEST_MAX])
{
	char text[SHAPE_ADDRESS_MAX];

	print_address(a, text);
	return (size_t)snprintf(out, SHAPE_REQUEST_MAX, "%zu:relaypass %s,",
	    strlen("relaypass ") + strlen(text), text);
}

static size_t socketmap_whole(const char *in, size_t len)
{
	return behind(in, len, ",");
}

static bool socketmap_allows(const char *in, size_t len)
{
	return begins(in, len, "5:OK OK,");
}

static bool socketmap_refuses(const char *in, size_t len)
{
	return begins(in, len, "9:NOTFOUND ,");
}

/* --- whoson ----------------------------------------------------------------
 */

static size_t whoson_ask(uint32_t a, char out[static SHAPE_REQUEST_MAX])
{
	char text[SHAPE_ADDRESS_MAX];

	print_address(a, text);
	return (size_t)snprintf(
	    out, SHAPE_REQUEST_MAX, "QUERY %s\r\n\r\n", text);
}

static size_t blank_line_whole(const char *in, size_t len)
{
	return behind(in, len, "\r\n\r\n");
}

static bool whoson_allows(const char *in, size_t len)
{
	return begins(in, len, "+");
}

static bool whoson_refuses(const char *in, size_t len)
{
	return begins(in, len, "-");
}

/* --- dns, over UDP ---------------------------------------------------------
 */

static size_t dns_ask(uint32_t a, char out[static SHAPE_REQUEST_MAX])
{
	static const char head[] = "\0\007\0\0\0\1\0\0\0\0\0\0";
	static const char tail[] = ZONE "\0\0\1\0\1";
	size_t used = sizeof(head) - 1;

	memcpy(out, head, used);
	for (int i = 0; i < OCTETS; i++, a >>= 8) {
		int n = snprintf(out + used + 1, SHAPE_REQUEST_MAX - used - 1,
		    "%u", a & BYTE);
		out[used] = (char)n;
		used += (size_t)n + 1;
	}
	memcpy(out + used, tail, sizeof(tail) - 1);
	return used + sizeof(tail) - 1;
}

static size_t dns_whole(const char *in, size_t len)
{
	(void)in;
	return len;
}

static bool dns_allows(const char *in, size_t len)
{
	return len > DNS_MIN && in[DNS_ANCOUNT] == 1;
}

static bool dns_refuses(const char *in, size_t len)
{
	return len > DNS_MIN && in[DNS_ANCOUNT] == 0;
}

/* --- http ------------------------------------------------------------------
 */

static size_t http_ask(uint32_t a, char out[static SHAPE_REQUEST_MAX])
{
	char text[SHAPE_ADDRESS_MAX];

	print_address(a, text);
	return (size_t)snprintf(out, SHAPE_REQUEST_MAX,
	    "GET /v1/check?address=%s HTTP/1.1\r\nHost: localhost\r\n\r\n",
	    text);
}

static bool http_allows(const char *in, size_t len)
{
	return begins(in, len, "HTTP/1.1 200 ") &&
	       behind(in, len, "\"allow\"") > 0;
}

static bool http_refuses(const char *in, size_t len)
{
	return begins(in, len, "HTTP/1.1 200 ") &&
	       behind(in, len, "\"none\"") > 0;
}

static const struct shape shapes[] = {
	{ "ask", ask_ask, line_whole, LITERAL("none\n"), ask_allows,
	    ask_refuses, false },
	{ "tcp-table", table_ask, line_whole, LITERAL("500 not found\n"),
	    table_allows, table_refuses, false },
	{ "postfix-policy", policy_ask, policy_whole,
	    LITERAL("action=DUNNO\n\n"), policy_allows, policy_refuses, false },
	{ "socketmap", socketmap_ask, socketmap_whole, LITERAL("9:NOTFOUND ,"),
	    socketmap_allows, socketmap_refuses, false },
	{ "whoson", whoson_ask, blank_line_whole,
	    LITERAL("-Not Logged in\r\n\r\n"), whoson_allows, whoson_refuses,
	    false },
	{ "dns", dns_ask, dns_whole,
	    LITERAL("\0\007\x84\3\0\1\0\0\0\0\0\0\1"
		    "1\1"
		    "1\1"
		    "0\2"
		    "45" ZONE "\0\0\1\0\1"),
	    dns_allows, dns_refuses, false },
	{ "http", http_ask, blank_line_whole,
	    LITERAL("HTTP/1.1 200 OK\r\nConnection: close\r\n"
		    "Content-Type: application/json\r\n"
		    "Cache-Control: no-store\r\nContent-Length: 38\r\n\r\n"
		    "{\"verdict\":\"none\",\"reason\":\"no-lease\"}"),
	    http_allows, http_refuses, true },
};

const struct shape *shape_find(const char *name)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		if (strcmp(shapes[i].name, name) == 0)
			return &shapes[i];
	return NULL;
}
