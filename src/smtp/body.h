/* SPDX-License-Identifier: ISC */
/*
 * body - the bytes of a message on their way (RFC 5321, 4.1.1.4 and 4.5.2).
 * Only CR LF . CR LF ends it. A CR or LF without the other is either refused,
 * or made a line end that does not count as one for the dot: what goes on has
 * none, so that no server behind can see an end that this one did not see.
 * Pure, any chunking gives the same.
 */
#ifndef SMTP_BODY_H
#define SMTP_BODY_H
#include <stdbool.h>
#include <stddef.h>

enum spp_bare {
	SPP_BARE_REFUSE, /* the message is refused */
	SPP_BARE_MEND    /* CRLF instead, and a dot behind it is doubled */
};

struct spp_body {
	enum spp_bare bare;
	int state;    /* opaque */
	bool is_bare; /* one was seen */
};

void spp_body_begin(struct spp_body *b, enum spp_bare bare);
/* What stops a piece. */
enum spp_body_end {
	SPP_BODY_MORE, /* all of it was taken */
	SPP_BODY_DONE, /* the end; *used is behind it */
	/* Refused, for good: a bare CR or LF at *used; or a CR, which was the
	 * last byte of the piece before, and *used is 0. */
	SPP_BODY_BARE
};
/*
 * Gives the bytes that go on to put(), the end, too, in pieces that lie in
 * `bytes` itself where nothing is changed (the usual case, some GB/s). What may
 * be the end, or half a line end, goes on with the next piece.
 */
typedef void spp_body_put(void *ctx, const char *bytes, size_t len);
enum spp_body_end spp_body_feed(struct spp_body *b, const char *bytes,
    size_t len, size_t *used, spp_body_put *put, void *ctx);
#endif
