/* SPDX-License-Identifier: ISC */
/*
 * relay_ctrl_packet - the datagrams of relay-ctrl-send and relay-ctrl-udp, port
 * 811, in both forms. Pure. Called by: relay_ctrl.c, the programs.
 *
 *	192.0.2.1			plain, as relay-ctrl 3.2 sends it
 *	01 items 00			keyed, as its packet.html planned it
 *
 * An item is type, length, bytes:
 *	0 REQUEST	nothing		a login
 *	1 RESPONSE	nothing		the reply: it is stored
 *	3 TIMESTAMP	"1700000000.123" when it was sent
 *	4 IPV4, 5 IPV6	4 or 16 bytes	whose login
 *	6 ENV		"NAME=VALUE"	USER and DOMAIN count, others do not
 *	7 MAC		32 bytes	HMAC-SHA-256 of all bytes before this
 *					item; the last one
 * The reply to the plain form is one byte 01. The reply to a keyed request is
 * that request with RESPONSE for REQUEST and without its ENV items, signed with
 * the same key: its time says which request it answers.
 */
#ifndef SOURCE_RELAY_CTRL_PACKET_H
#define SOURCE_RELAY_CTRL_PACKET_H
#include "base/addr.h"

enum {
	RELAY_CTRL_PORT = 811,
	RELAY_CTRL_PACKET_MAX = 512,
	RELAY_CTRL_ACK = 0x01,
	RELAY_CTRL_VALUE_MAX = 250, /* an item holds 255 with its name */
	RELAY_CTRL_MAC_SIZE = 32,
	RELAY_CTRL_KEY_MIN = 16 /* shorter ones are refused */
};

enum relay_ctrl_form {
	RELAY_CTRL_PLAIN = 0,
	RELAY_CTRL_REQUEST, /* keyed */
	RELAY_CTRL_RESPONSE /* keyed */
};

struct relay_ctrl_packet {
	enum relay_ctrl_form form;
	struct addr addr;
	/* The rest is of the keyed forms. */
	int64_t time; /* ms since 1970 */
	uint8_t user_len, domain_len;
	char user[RELAY_CTRL_VALUE_MAX + 1]; /* "": none; NUL-terminated */
	char domain[RELAY_CTRL_VALUE_MAX + 1];
	uint16_t signed_len; /* how many bytes the MAC covers */
	uint8_t mac[RELAY_CTRL_MAC_SIZE];
};

/*
 * Reads one whole datagram. False: anything that is not exactly one of the
 * three forms; an item twice, cut, of another length, of an unknown type, in
 * the wrong place, or with a control byte in it. A keyed packet is not yet
 * verified.
 */
bool relay_ctrl_decode(
    const uint8_t *bytes, size_t len, struct relay_ctrl_packet *out);
/* Whether the MAC of p, decoded from bytes, was made with this key. */
bool relay_ctrl_verify(const uint8_t *bytes, const struct relay_ctrl_packet *p,
    const void *key, size_t key_len);
/* Writes p in its form; the key is for the keyed ones (p's mac and signed_len
 * are not read). Returns the length, or 0: it does not fit, or cannot be. */
size_t relay_ctrl_encode(const struct relay_ctrl_packet *p, const void *key,
    size_t key_len, uint8_t out[static RELAY_CTRL_PACKET_MAX]);
/* Whether these bytes are the reply that says that `request` is stored: the ack
 * byte, or the signed response with the same time and address. */
bool relay_ctrl_is_reply(const uint8_t *bytes, size_t len,
    const struct relay_ctrl_packet *request, const void *key, size_t key_len);
#endif
