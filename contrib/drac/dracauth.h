/* SPDX-License-Identifier: ISC */
/*
 * dracauth - tells a DRAC server that a client has logged in; libdrac(3). For
 * POP and IMAP servers that were made for the libdrac of old: the same names,
 * the same arguments, the same results.
 *
 * No call takes longer than DRAC_TIMEOUT of the environment says (milliseconds,
 * 2000 by default), whatever the server, rpcbind or DNS do. Not for several
 * threads at once.
 */
#ifndef DRACAUTH_H
#define DRACAUTH_H
#ifdef __cplusplus
extern "C" {
#endif

/* What all return, besides 0 for success and DRAC_PERMISSION and on, which are
 * the server's own words. */
enum {
	DRAC_NOT_CONNECTED = -1, /* no such server, or its port is not known */
	DRAC_CALL_FAILED = -2,   /* no answer in time, or not of DRAC */
	DRAC_PERMISSION = 1,     /* this host may not add addresses */
	DRAC_SYSTEM = 2,         /* the server could not store it */
	DRAC_UNKNOWN = 3
};

/*
 * Adds one IPv4 address, in network byte order (an in_addr_t), at the server of
 * this name or address. errmsg, unless NULL, gets a constant text, also on
 * success.
 */
int dracauth(const char *server, unsigned long userip, char **errmsg);
/* The same for the 16 bytes of an IPv6 address. */
int dracauth6(const char *server, const unsigned char *userip, char **errmsg);

/* The same in three steps, for several addresses; there is one connection for
 * each of the two versions. */
int dracconn(const char *server, char **errmsg);
int dracsend(unsigned long userip, char **errmsg);
int dracdisc(char **errmsg);
int dracconn6(const char *server, char **errmsg);
int dracsend6(const unsigned char *userip, char **errmsg);
int dracdisc6(char **errmsg);

#ifdef __cplusplus
}
#endif
#endif
