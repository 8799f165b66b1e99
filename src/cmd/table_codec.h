/* SPDX-License-Identifier: ISC */
/*
 * table_codec - the table protocol of OpenSMTPD 7 (smtpd-tables(7), version
 * 0.1), for one service, netaddr. Pure.
 *
 *	config|smtpd-version|7.8.0
 *	config|protocol|0.1
 *	config|ready
 *		register|netaddr
 *		register|ready
 *	table|0.1|1713795103.314423|pop|check|netaddr|e5862859|192.0.2.7
 *		check-result|e5862859|found
 *
 * smtpd ends when an answer is not what it waits for, and waits for ever when
 * there is none: so whatever has a number is answered.
 */
#ifndef CMD_TABLE_CODEC_H
#define CMD_TABLE_CODEC_H
#include "base/addr.h"

enum {
	TABLE_LINE_MAX = 4096, /* without LF; what is behind it is cut off */
	TABLE_ID_MAX = 64,
	TABLE_REPLY_MAX = 256
};

enum table_word {
	TABLE_BAD = 0,  /* nothing that could be answered */
	TABLE_PROTOCOL, /* of the handshake: the version is ours */
	TABLE_OTHER_PROTOCOL,
	TABLE_CONFIG, /* another line of the handshake */
	TABLE_READY,
	TABLE_CHECK,
	TABLE_LOOKUP,
	TABLE_FETCH,
	TABLE_UPDATE
};

struct table_request {
	enum table_word word;
	char id[TABLE_ID_MAX + 1]; /* of the last four */
	bool has_addr;             /* of a check or lookup: an address is
				    * asked for */
	struct addr addr;
};

/* Reads one line, without its LF. cut: it was longer. */
void table_parse(
    const char *line, size_t len, bool cut, struct table_request *out);
/* The answer, with LF; returns its length, 0: there is none. found: the
 * address may relay; counts only where one is asked for. */
size_t table_print(const struct table_request *r, bool found,
    char out[static TABLE_REPLY_MAX]);
#endif
