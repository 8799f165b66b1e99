/* SPDX-License-Identifier: ISC */
/*
 * format - a lease as a line of text that somebody else's program reads. A line
 * grants relaying to whatever stands in it, so nothing but an address, a number
 * or a coded name ever comes into one.
 */
#include "format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/kv.h"
#include "base/mem.h"

enum {
	HOST_BITS = 128,
	GROUP_BITS = 16,
	GROUP_TEXT = 5,                 /* four digits and a separator */
	PIECE_SIZE = NET_TEXT_SIZE + 2, /* and two quotes */
	MS = 1000
};

static const char letters[] = "ah4qdcsuet%", addresses[] = "ah4qdcs";

int format_check(const char *format, struct err *err)
{
	bool has_address = false;

	if (strlen(format) > FORMAT_TEXT_MAX)
		return err_set(err, EXIT_USER, "format: more than %d bytes",
		    FORMAT_TEXT_MAX);
	for (const char *c = format; *c; c++) {
		if ((unsigned char)*c < ' ' && *c != '\t')
			return err_set(err, EXIT_USER,
			    "format: a control byte; each lease is one line");
		if (*c != '%')
			continue;
		c++;
		if (!*c || !strchr(letters, *c))
			return err_set(err, EXIT_USER,
			    "format: \"%%%.1s\" is none of %%a %%h %%4 %%q %%d "
			    "%%c %%s %%u %%e %%t %%%%",
			    c);
		has_address |= strchr(addresses, *c) != NULL;
	}
	return has_address
		   ? 0
		   : err_set(err, EXIT_USER, "format: no address (%%a) in it");
}

bool format_has(const char *format, char letter)
{
	for (const char *c = format; *c; c++) {
		if (*c == '%' && c[1] == letter)
			return true;
		if (*c == '%' && c[1])
			c++;
	}
	return false;
}

size_t format_full(
    const struct addr *a, char separator, char out[static FORMAT_FULL_SIZE])
{
	size_t used = 0;

	if (addr_is_ipv4(a))
		return addr_print(a, out);
	for (size_t i = 0; i < sizeof(a->bytes); i++) {
		(void)snprintf(
		    out + used, FORMAT_FULL_SIZE - used, "%02x", a->bytes[i]);
		used += 2;
		if (i % 2 == 1 && i + 1 < sizeof(a->bytes))
			out[used++] = separator;
	}
	out[used] = '\0';
	return used;
}

/* Courier finds a network by its first groups; others have no form there. */
static bool courier(
    const struct roll_row *row, char out[static FORMAT_FULL_SIZE])
{
	char full[FORMAT_FULL_SIZE];

	if (addr_is_ipv4(&row->addr)) {
		(void)addr_print(&row->addr, out);
		return true;
	}
	if (row->bits % GROUP_BITS)
		return false;
	(void)format_full(&row->addr, ':', full);
	(void)snprintf(out, FORMAT_FULL_SIZE, ":%.*s",
	    row->bits / GROUP_BITS * GROUP_TEXT - 1, full);
	return true;
}

/* As Sendmail writes a client's address: no group of zeros left out. */
static void sendmail(const struct addr *a, char out[static FORMAT_FULL_SIZE])
{
	size_t used;

	if (addr_is_ipv4(a)) {
		(void)addr_print(a, out);
		return;
	}
	used = (size_t)snprintf(out, FORMAT_FULL_SIZE, "IPv6");
	for (size_t i = 0; i < sizeof(a->bytes); i += 2)
		used += (size_t)snprintf(out + used, FORMAT_FULL_SIZE - used,
		    ":%x", a->bytes[i] << 8 | a->bytes[i + 1]);
}

/* Into *piece; false: no form. */
static bool print_address(
    char letter, const struct roll_row *row, char piece[static PIECE_SIZE])
{
	const struct net net = { row->addr, row->bits };
	char text[NET_TEXT_SIZE];
	bool host = row->bits == HOST_BITS;

	if (host)
		(void)addr_print(&row->addr, text);
	else
		(void)net_print(&net, text);
	switch (letter) {
	case 'h':
		if (!host)
			return false;
		break;
	case '4':
		if (!addr_is_ipv4(&row->addr))
			return false;
		break;
	case 'd':
		if (!host)
			return false;
		(void)format_full(&row->addr, '.', text);
		break;
	case 's':
		if (!host)
			return false;
		sendmail(&row->addr, text);
		break;
	case 'c':
		if (!courier(row, text))
			return false;
		break;
	case 'q':
		if (addr_is_ipv4(&row->addr))
			break;
		(void)snprintf(piece, PIECE_SIZE, "\"%s\"", text);
		return true;
	default:
		break;
	}
	memcpy(piece, text, strlen(text) + 1);
	return true;
}

static bool print_piece(
    char letter, const struct roll_row *row, char *piece, size_t size)
{
	size_t used = 0;

	switch (letter) {
	case 'u':
		*piece = '\0';
		return !row->user || kv_encode(piece, size, &used, row->user,
					 strlen(row->user));
	case 'e':
		(void)snprintf(piece, size, "%" PRId64, row->end / MS);
		return true;
	case 't':
		(void)snprintf(piece, size, "%" PRId64, row->login / MS);
		return true;
	case '%':
		(void)snprintf(piece, size, "%%");
		return true;
	default:
		return print_address(letter, row, piece);
	}
}

size_t format_print(const char *format, const struct roll_row *row,
    char out[static FORMAT_LINE_MAX])
{
	size_t used = 0;

	for (const char *c = format; *c; c++) {
		char piece[FORMAT_LINE_MAX];
		size_t len;

		if (*c != '%') {
			if (used == FORMAT_LINE_MAX)
				return 0;
			out[used++] = *c;
			continue;
		}
		if (!print_piece(*++c, row, piece, sizeof(piece)))
			return 0;
		len = strlen(piece);
		if (len > FORMAT_LINE_MAX - used)
			return 0;
		memcpy(out + used, piece, len);
		used += len;
	}
	return used;
}
