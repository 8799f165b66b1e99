/* SPDX-License-Identifier: ISC */
/*
 * option - one row of an option table: name, type, default, limits and the
 * sentence users read. Kinds of sources and listeners carry such rows; the
 * rest stand in options.def. The manual and `relaypass config` are made of
 * them.
 */
#ifndef CONF_OPTION_H
#define CONF_OPTION_H
#include <stdint.h>

enum option_type {
	OPTION_STRING,
	OPTION_PATH,     /* absolute */
	OPTION_LIST,     /* strings */
	OPTION_NETS,     /* list of networks, checked with net_parse() */
	OPTION_BOOL,     /* yes / no, true / false, on / off */
	OPTION_INT,      /* between min and max */
	OPTION_SIZE,     /* bytes: "64K", "1M", "2G"; between min and max */
	OPTION_DURATION, /* duration_parse(); ms, between min and max */
	OPTION_CHOICE    /* one word of choices; read as its index */
};

struct option {
	const char *name;
	enum option_type type;
	const char *def;     /* as written in a file; NULL: must be given.
			      * Lists: words separated by blanks. */
	int64_t min, max;    /* INT, SIZE, DURATION (ms); 0, 0: no limits */
	const char *choices; /* CHOICE: "enforce|observe|off" */
	const char *help;    /* one sentence */
};

#define OPTION_END                                                             \
	{                                                                      \
		0                                                              \
	}
#endif
