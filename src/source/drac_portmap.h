/* SPDX-License-Identifier: ISC */
/*
 * drac_portmap - what DRAC says to rpcbind (RFC 1833): here is the program, it
 * is gone, where is it? Pure. Called by: drac_register.c (server), contrib/drac
 * (client).
 */
#ifndef SOURCE_DRAC_PORTMAP_H
#define SOURCE_DRAC_PORTMAP_H
#include "drac_rpc.h"

enum {
	PORTMAP_PORT = 111,
	/* "2001:db8::1.3.141": an address, and the port in two bytes. */
	PORTMAP_PLACE_SIZE = ADDR_TEXT_SIZE + 8,
	PORTMAP_CALL_MAX =
	    RPC_HEAD_SIZE + 6 * DRAC_WORD + 8 + PORTMAP_PLACE_SIZE + DRAC_WORD,
	PORTMAP_REPLY_MAX = 512
};

/* "udp", "tcp", "udp6", "tcp6": what rpcbind calls the transports. */
const char *portmap_transport(bool tcp, bool ipv6);
void portmap_place(
    const struct addr *a, uint16_t port, char out[static PORTMAP_PLACE_SIZE]);

/* Registers one version of DRAC at a place; every call returns its length. */
size_t portmap_set_encode(uint8_t out[static PORTMAP_CALL_MAX], uint32_t xid,
    uint32_t version, const char *transport, const char *place);
/* Takes one version back, from all transports. */
size_t portmap_unset_encode(
    uint8_t out[static PORTMAP_CALL_MAX], uint32_t xid, uint32_t version);
/* SERVED: *done is what rpcbind says of a set or unset. */
enum rpc_reply portmap_done_decode(
    const uint8_t *bytes, size_t len, uint32_t xid, bool *done);

/* Asks for the UDP port of one version: of an IPv4 server by protocol version
 * 2, which every portmapper speaks, of an IPv6 server by version 4. */
size_t portmap_find_encode(uint8_t out[static PORTMAP_CALL_MAX], uint32_t xid,
    uint32_t version, bool ipv6);
/* SERVED: *port, 0 when it is not registered. */
enum rpc_reply portmap_found_decode(
    const uint8_t *bytes, size_t len, uint32_t xid, bool ipv6, uint16_t *port);
#endif
