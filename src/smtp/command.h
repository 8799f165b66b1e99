/* SPDX-License-Identifier: ISC */
/*
 * command - what a client says: one line, a verb and its argument (RFC 5321,
 * 4.1.1), and the parameters of MAIL and RCPT, printed anew. Pure.
 */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H
#include <stdbool.h>
#include <stddef.h>

enum spp_command {
	SPP_C_UNKNOWN,
	SPP_C_HELO,
	SPP_C_EHLO,
	SPP_C_MAIL,
	SPP_C_RCPT,
	SPP_C_DATA,
	SPP_C_RSET,
	SPP_C_NOOP,
	SPP_C_QUIT,
	SPP_C_VRFY,
	SPP_C_HELP,
	SPP_C_AUTH,
	SPP_C_STARTTLS
};
enum {
	SPP_LINE_MAX = 12288, /* RFC 4954, 4: AUTH; other commands 2048 */
	SPP_PARAMETERS_MAX = 1024
};
/* What is said of parameters that do not go on (RFC 5321, 4.1.1.11). */
enum { SPP_BAD_PARAMETER = 501, SPP_UNKNOWN_PARAMETER = 555 };

struct spp_line {
	enum spp_command command;
	const char *arg; /* inside the line; without blanks around it */
	size_t len;
};

/* A line without its end. Verbs in any case. */
void spp_line_read(const char *text, size_t len, struct spp_line *out);
/* Whether it has a NUL, CR, LF, or another control byte but tab. */
bool spp_line_is_clean(const char *text, size_t len);
/*
 * The parameters behind a path, one blank before each: keywords of our
 * table only, whether or not the server offers them (SIZE BODY AUTH RET ENVID
 * SMTPUTF8; NOTIFY ORCPT).
 * False: one is malformed or too long (501), or unknown (555), see *code.
 */
bool spp_parameters_print(const char *text, size_t len, enum spp_command of,
    char out[static SPP_PARAMETERS_MAX], int *code);
/* base64 (RFC 4648) without blanks. Returns the length, at most size; -1: it is
 * none. */
long spp_base64_read(
    const char *text, size_t len, unsigned char *out, size_t size);
#endif
