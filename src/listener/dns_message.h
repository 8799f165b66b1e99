/* SPDX-License-Identifier: ISC */
/*
 * dns_message - one question and its answer as DNS messages (RFC 1035, EDNS of
 * RFC 6891): bounded, without a name that points elsewhere, without memory of
 * its own. Pure. Called by: dns.c.
 */
#ifndef LISTENER_DNS_MESSAGE_H
#define LISTENER_DNS_MESSAGE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DNS_NAME_MAX = 255,
	/* What we take over UDP: the size that no network breaks up. */
	DNS_EDNS_ROOM = 1232,
	DNS_DATA_MAX = 64,
	DNS_BADVERS = 16
};

struct dns_request {
	uint16_t id;
	uint16_t type, class;
	uint16_t room;  /* bytes its sender takes over UDP */
	uint16_t len;   /* its own */
	uint16_t rcode; /* not 0: what is wrong with it */
	uint8_t opcode, name_len;
	bool rd, cd, edns;
	uint8_t name[DNS_NAME_MAX]; /* as it came; name_len 0: none */
};

/* False: it is nothing that may be answered, or an answer itself. */
bool dns_request_read(const uint8_t *in, size_t len, struct dns_request *out);

struct dns_record {
	uint16_t type; /* 0: there is none */
	uint16_t at;   /* of its owner's name in the request's name */
	uint32_t ttl;  /* seconds */
	uint8_t len;
	uint8_t data[DNS_DATA_MAX];
};

struct dns_answer {
	uint16_t rcode;
	bool authoritative;
	bool truncated; /* come again over TCP; it then holds no record */
	struct dns_record answer, authority;
};

/* Appends to the record's data; it must fit. */
void dns_put(struct dns_record *r, const void *data, size_t len);
void dns_put32(struct dns_record *r, uint32_t value);
/* A name that stands in the request's name, from there to its end. */
void dns_put_name(struct dns_record *r, uint16_t at);

/*
 * Writes the answer; size is at least DNS_EDNS_ROOM / 2. Over UDP it is never
 * longer than the sender takes, nor than two times the request: it is cut then,
 * and truncated. Returns its length.
 */
size_t dns_answer_write(const struct dns_request *r, const struct dns_answer *a,
    bool udp, uint8_t *out, size_t size);
#endif
