/* SPDX-License-Identifier: ISC */
/*
 * drac_portmap - calls to rpcbind: protocol 4 with its texts for what is set,
 * because protocol 2 knows no IPv6; protocol 2 where a client asks over IPv4.
 */
#include "drac_portmap.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum {
	PORTMAP_PROGRAM = 100000,
	PORTMAP_V2 = 2,
	PORTMAP_V4 = 4,
	PROCEDURE_SET = 1,
	PROCEDURE_UNSET = 2,
	PROCEDURE_FIND = 3, /* GETPORT of version 2, GETADDR of version 4 */
	PROTOCOL_UDP = 17,
	PORT_MAX = 65535,
	OCTET_MAX = 255,
	IPV4_AT = 12
};

const char *portmap_transport(bool tcp, bool ipv6)
{
	if (tcp)
		return ipv6 ? "tcp6" : "tcp";
	return ipv6 ? "udp6" : "udp";
}

void portmap_place(
    const struct addr *a, uint16_t port, char out[static PORTMAP_PLACE_SIZE])
{
	static const uint8_t mapped[IPV4_AT] = { [10] = 0xff, [11] = 0xff };
	bool ipv4 = memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
	char text[INET6_ADDRSTRLEN];

	(void)inet_ntop(ipv4 ? AF_INET : AF_INET6,
	    a->bytes + (ipv4 ? IPV4_AT : 0), text, sizeof(text));
	(void)snprintf(out, PORTMAP_PLACE_SIZE, "%s.%u.%u", text,
	    (unsigned)port >> 8, (unsigned)port & OCTET_MAX);
}

static uint8_t *put_text(uint8_t *at, const char *text)
{
	size_t len = strlen(text);
	size_t padded = (len + DRAC_WORD - 1) / DRAC_WORD * DRAC_WORD;

	at = drac_put_word(at, (uint32_t)len);
	memset(at, 0, padded);
	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)text[i];
	return at + padded;
}

static size_t entry_encode(uint8_t out[static PORTMAP_CALL_MAX], uint32_t xid,
    uint32_t procedure, uint32_t version, const char *transport,
    const char *place)
{
	uint8_t *at = out + rpc_call_head(out, xid, PORTMAP_PROGRAM, PORTMAP_V4,
				procedure);

	at = drac_put_word(at, DRAC_PROGRAM);
	at = drac_put_word(at, version);
	at = put_text(at, transport);
	at = put_text(at, place);
	at = put_text(at, ""); /* owner: rpcbind finds out itself */
	return (size_t)(at - out);
}

size_t portmap_set_encode(uint8_t out[static PORTMAP_CALL_MAX], uint32_t xid,
    uint32_t version, const char *transport, const char *place)
{
	return entry_encode(out, xid, PROCEDURE_SET, version, transport, place);
}

size_t portmap_unset_encode(
    uint8_t out[static PORTMAP_CALL_MAX], uint32_t xid, uint32_t version)
{
	return entry_encode(out, xid, PROCEDURE_UNSET, version, "", "");
}

enum rpc_reply portmap_done_decode(
    const uint8_t *bytes, size_t len, uint32_t xid, bool *done)
{
	const uint8_t *body;
	size_t body_len;
	enum rpc_reply reply =
	    rpc_reply_decode(bytes, len, xid, &body, &body_len);

	if (reply != RPC_REPLY_SERVED)
		return reply;
	if (body_len != DRAC_WORD)
		return RPC_REPLY_REFUSED;
	*done = drac_get_word(body) == 1;
	return RPC_REPLY_SERVED;
}

size_t portmap_find_encode(uint8_t out[static PORTMAP_CALL_MAX], uint32_t xid,
    uint32_t version, bool ipv6)
{
	uint8_t *at;

	if (ipv6)
		return entry_encode(out, xid, PROCEDURE_FIND, version,
		    portmap_transport(false, true), "");
	at = out + rpc_call_head(
		       out, xid, PORTMAP_PROGRAM, PORTMAP_V2, PROCEDURE_FIND);
	at = drac_put_word(at, DRAC_PROGRAM);
	at = drac_put_word(at, version);
	at = drac_put_word(at, PROTOCOL_UDP);
	at = drac_put_word(at, 0);
	return (size_t)(at - out);
}

/* One number of at most 255 before `end`; *start is where it begins. */
static bool last_octet(
    const uint8_t *text, size_t end, size_t *start, unsigned *value)
{
	unsigned unit = 1;

	*value = 0;
	*start = end;
	while (*start > 0 && text[*start - 1] >= '0' &&
	       text[*start - 1] <= '9' && end - *start < 3) {
		(*start)--;
		*value += unit * (unsigned)(text[*start] - '0');
		unit *= 10;
	}
	return *start < end && *value <= OCTET_MAX;
}

/* The port of "ADDRESS.HIGH.LOW"; the address is the one that was asked. */
static bool place_port(const uint8_t *text, size_t len, uint16_t *port)
{
	unsigned low, high;
	size_t at;

	if (!last_octet(text, len, &at, &low) || at == 0 ||
	    text[at - 1] != '.' || !last_octet(text, at - 1, &at, &high) ||
	    at == 0 || text[at - 1] != '.')
		return false;
	*port = (uint16_t)(high << 8 | low);
	return true;
}

enum rpc_reply portmap_found_decode(
    const uint8_t *bytes, size_t len, uint32_t xid, bool ipv6, uint16_t *port)
{
	const uint8_t *body;
	size_t body_len, text_len;
	enum rpc_reply reply =
	    rpc_reply_decode(bytes, len, xid, &body, &body_len);

	if (reply != RPC_REPLY_SERVED)
		return reply;
	if (body_len < DRAC_WORD)
		return RPC_REPLY_REFUSED;
	text_len = drac_get_word(body);
	*port = 0;
	if (!ipv6) {
		if (body_len != DRAC_WORD || text_len > PORT_MAX)
			return RPC_REPLY_REFUSED;
		*port = (uint16_t)text_len;
		return RPC_REPLY_SERVED;
	}
	if (text_len == 0)
		return RPC_REPLY_SERVED;
	if (text_len > body_len - DRAC_WORD ||
	    !place_port(body + DRAC_WORD, text_len, port))
		return RPC_REPLY_REFUSED;
	return RPC_REPLY_SERVED;
}
