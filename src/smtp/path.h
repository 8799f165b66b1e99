/* SPDX-License-Identifier: ISC */
/*
 * path - the addresses of MAIL and RCPT (RFC 5321, 4.1.2), read as qmail-smtpd
 * reads them, printed anew for whoever stands behind: nobody ever judges
 * another text than the one that goes on. Pure.
 */
#ifndef SMTP_PATH_H
#define SMTP_PATH_H
#include <stdbool.h>
#include <stddef.h>

enum {
	SPP_ADDRESS_MAX = 900, /* bytes, as in qmail-smtpd */
	/* Each byte escaped, quotes, NUL. */
	SPP_PRINTED_SIZE = 2 * SPP_ADDRESS_MAX + 3
};

struct spp_address {
	size_t len;
	/* Without quotes, escapes and source route; NUL-terminated; holds no
	 * control byte. "" is the null sender. */
	char text[SPP_ADDRESS_MAX + 1];
};

/*
 * The argument of MAIL or RCPT, "FROM:<path> parameters", also without the
 * brackets. *rest: what stands behind the path, without the blanks before it.
 * False: two programs could see two addresses in it, or none. It is too long;
 * its end or a quote is missing, or something stands behind them; a '<' or '>'
 * is in it, a blank, comma or comment outside of quotes, a control byte, or
 * 8-bit bytes that are no UTF-8; its domain is no name or literal.
 */
bool spp_path_read(
    const char *arg, size_t len, struct spp_address *out, const char **rest);
/* An address of a plugin (C), as it stands, also with RELAYCLIENT's value
 * behind it. False: as above, but blanks and more may be in the local part. */
bool spp_address_set(const char *text, size_t len, struct spp_address *out);
/* The domain is what follows the last '@'; NULL: there is none. */
const char *spp_address_domain(const struct spp_address *a);
/* For the server, without angle brackets: the local part is quoted where RFC
 * 5321 wants it. Returns the length. */
size_t spp_address_print(
    const struct spp_address *a, char out[static SPP_PRINTED_SIZE]);
/* Whether the local part could be taken for a way to another host: it has one
 * of % ! @ : or is quoted for another reason than a dot or a blank; or has the
 * domain something of the kind. */
bool spp_address_is_routed(const struct spp_address *a);
/* Whether the domain is one that SMTP knows: a name, or a literal; false when
 * there is none. */
bool spp_address_has_good_domain(const struct spp_address *a);
#endif
