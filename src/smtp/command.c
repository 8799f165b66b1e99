/* SPDX-License-Identifier: ISC */
/*
 * command - cuts lines of clients, and prints their parameters anew: a keyword
 * of the table with a value that is checked, or none of it goes on.
 */
#include "command.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

enum { DEL = 0x7f };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* --- lines -----------------------------------------------------------------
 */

static const char *const verbs[] = {
	[SPP_C_HELO] = "HELO",
	[SPP_C_EHLO] = "EHLO",
	[SPP_C_MAIL] = "MAIL",
	[SPP_C_RCPT] = "RCPT",
	[SPP_C_DATA] = "DATA",
	[SPP_C_RSET] = "RSET",
	[SPP_C_NOOP] = "NOOP",
	[SPP_C_QUIT] = "QUIT",
	[SPP_C_VRFY] = "VRFY",
	[SPP_C_HELP] = "HELP",
	[SPP_C_AUTH] = "AUTH",
	[SPP_C_STARTTLS] = "STARTTLS",
};

void spp_line_read(const char *text, size_t len, struct spp_line *out)
{
	size_t verb = 0;

	while (verb < len && !is_blank(text[verb]))
		verb++;
	out->command = SPP_C_UNKNOWN;
	for (size_t i = SPP_C_UNKNOWN + 1; i < COUNT_OF(verbs); i++)
		if (is_word(text, verb, verbs[i]))
			out->command = (enum spp_command)i;
	out->arg = text + verb;
	out->len = len - verb;
	while (out->len > 0 && is_blank(*out->arg)) {
		out->arg++;
		out->len--;
	}
	while (out->len > 0 && is_blank(out->arg[out->len - 1]))
		out->len--;
}

bool spp_line_is_clean(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\t') ||
		    text[i] == DEL)
			return false;
	return true;
}

/* --- parameters ------------------------------------------------------------
 */

/* A value is good; no value has len 0. */
typedef bool check_fn(const char *text, size_t len);

enum { SIZE_DIGITS = 20, ENVID_MAX = 100, ORCPT_MAX = 500 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* RFC 3461, 4: "+" and two capital hexadecimal digits. What it stands for is no
 * control byte, as somebody may write it into a header. */
static bool is_hexchar(const char *p, size_t len)
{
	return len >= 3 && p[0] == '+' && is_one_of(p[1], "23456789ABCDEF") &&
	       is_one_of(p[2], "0123456789ABCDEF") &&
	       (p[1] != '7' || p[2] != 'F');
}

/* But for angle brackets, which it may hold and never does. */
static bool is_xtext(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (is_hexchar(text + i, len - i))
			i += 2;
		else if (text[i] <= ' ' || text[i] >= DEL ||
			 is_one_of(text[i], "+=<>"))
			return false;
	}
	return len > 0;
}

static bool is_size(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_digit(text[i]))
			return false;
	return len > 0 && len <= SIZE_DIGITS;
}

static bool is_body(const char *text, size_t len)
{
	return is_word(text, len, "7BIT") || is_word(text, len, "8BITMIME");
}

static bool is_auth(const char *text, size_t len)
{
	return is_word(text, len, "<>") || is_xtext(text, len);
}

static bool is_ret(const char *text, size_t len)
{
	return is_word(text, len, "FULL") || is_word(text, len, "HDRS");
}

static bool is_envid(const char *text, size_t len)
{
	return len <= ENVID_MAX && is_xtext(text, len);
}

static bool is_nothing(const char *text, size_t len)
{
	(void)text;
	return len == 0;
}

static bool is_notify(const char *text, size_t len)
{
	const char *end = text + len;

	if (is_word(text, len, "NEVER"))
		return true;
	for (;;) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		size_t n = (size_t)((comma ? comma : end) - text);

		if (!is_word(text, n, "SUCCESS") &&
		    !is_word(text, n, "FAILURE") && !is_word(text, n, "DELAY"))
			return false;
		if (!comma)
			return true;
		text = comma + 1;
	}
}

/* "rfc822;" and an address, or another type. */
static bool is_orcpt(const char *text, size_t len)
{
	size_t type = 0;

	while (type < len && (is_alnum(text[type]) || text[type] == '-'))
		type++;
	return type > 0 && type < len && text[type] == ';' &&
	       len <= ORCPT_MAX && is_xtext(text + type + 1, len - type - 1);
}

static const struct parameter {
	const char *name;
	enum spp_command of;
	check_fn *check;
} parameters[] = {
	{ "SIZE", SPP_C_MAIL, is_size },
	{ "BODY", SPP_C_MAIL, is_body },
	{ "AUTH", SPP_C_MAIL, is_auth },
	{ "RET", SPP_C_MAIL, is_ret },
	{ "ENVID", SPP_C_MAIL, is_envid },
	{ "SMTPUTF8", SPP_C_MAIL, is_nothing },
	{ "NOTIFY", SPP_C_RCPT, is_notify },
	{ "ORCPT", SPP_C_RCPT, is_orcpt },
};

/* What was printed so far. */
struct printer {
	char *out;
	size_t len;
	unsigned seen; /* a bit for each of the table */
};

static void put(struct printer *p, const char *text, size_t len)
{
	memcpy(p->out + p->len, text, len);
	p->len += len;
}

/* RFC 5321, 4.1.1.11: each may be there once. Returns 0, or the code. */
static int print_one(
    struct printer *p, const char *text, size_t len, enum spp_command of)
{
	const char *equals = memchr(text, '=', len);
	size_t name = equals ? (size_t)(equals - text) : len;
	size_t value = equals ? len - name - 1 : 0, i = 0;

	while (i < COUNT_OF(parameters) &&
	       !(parameters[i].of == of &&
		   is_word(text, name, parameters[i].name)))
		i++;
	if (i == COUNT_OF(parameters))
		return name > 0 && is_alnum(*text) ? SPP_UNKNOWN_PARAMETER
						   : SPP_BAD_PARAMETER;
	if ((p->seen & 1U << i) ||
	    !parameters[i].check(text + len - value, value) ||
	    (equals && value == 0) || p->len + len + 2 > SPP_PARAMETERS_MAX)
		return SPP_BAD_PARAMETER;
	p->seen |= 1U << i;
	put(p, " ", 1);
	put(p, parameters[i].name, name);
	put(p, text + name, len - name);
	return 0;
}

bool spp_parameters_print(const char *text, size_t len, enum spp_command of,
    char out[static SPP_PARAMETERS_MAX], int *code)
{
	struct printer p = { .out = out };
	size_t at = 0;

	*code = 0;
	while (at < len && *code == 0) {
		size_t begin = at;

		while (at < len && !is_blank(text[at]))
			at++;
		if (at > begin)
			*code = print_one(&p, text + begin, at - begin, of);
		else
			at++;
	}
	out[*code == 0 ? p.len : 0] = '\0';
	return *code == 0;
}

/* --- base64 ----------------------------------------------------------------
 */

/* RFC 4648, 4; -1: none of it. */
static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

long spp_base64_read(
    const char *text, size_t len, unsigned char *out, size_t size)
{
	size_t pad = 0, n = 0;
	unsigned bits = 0, count = 0;

	while (pad < 2 && pad < len && text[len - pad - 1] == '=')
		pad++;
	if (len % 4 != 0 || len / 4 * 3 - pad > size)
		return -1;
	for (size_t i = 0; i < len - pad; i++) {
		int value = sextet(text[i]);

		if (value < 0)
			return -1;
		bits = (bits << 6 | (unsigned)value) & 0xffff;
		count += 6;
		if (count >= 8) {
			count -= 8;
			out[n++] = (unsigned char)(bits >> count);
		}
	}
	/* Each text has one spelling only. */
	return (bits & ((1U << count) - 1)) == 0 ? (long)n : -1;
}
