/* SPDX-License-Identifier: ISC */
/*
 * format - a lease as a line of text that somebody else's program reads.
 *
 *     %a  address, 192.0.2.7 or 2001:db8::7; a network: 2001:db8:1::/64
 *     %h  the same, but only of hosts: a network has no line
 *     %4  the same, but only of IPv4: Debian's tcprules stops at other lines
 *     %q  as %a, IPv6 in double quotes (Exim's iplsearch)
 *     %d  IPv6 in full with dots (Exim's net-lsearch); hosts only
 *     %c  Courier's smtpaccess: IPv6 as :2001:0db8: and so on
 *     %s  as Sendmail's maps have it, IPv6:2001:db8:0:0:0:0:0:7; hosts only
 *     %u  user, coded as base/kv.h says: no byte of it can end a line
 *     %e  end of the lease, %t its last login: seconds since 1970
 *     %%  a percent sign
 */
#ifndef EXPORT_FORMAT_H
#define EXPORT_FORMAT_H
#include "roll.h"

enum { FORMAT_TEXT_MAX = 256, FORMAT_LINE_MAX = 2048 };

/* -1: it holds another letter, a control byte other than TAB, no address, or is
 * too long. */
int format_check(const char *format, struct err *err);
bool format_has(const char *format, char letter);
/* The line without its LF; returns its length, 0: this lease has no form. */
size_t format_print(const char *format, const struct roll_row *row,
    char out[static FORMAT_LINE_MAX]);

enum { FORMAT_FULL_SIZE = 48 };
/* 2001.0db8.0000.0000.0000.0000.0000.0007, or as addr_print() for IPv4. */
size_t format_full(
    const struct addr *a, char separator, char out[static FORMAT_FULL_SIZE]);
#endif
