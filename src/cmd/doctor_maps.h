/* SPDX-License-Identifier: ISC */
/*
 * doctor_maps - the databases that mail servers look addresses up in, each
 * opened with the server's own tool: what it cannot read, the server cannot.
 * doctor_maps.c finds and opens them, doctor_maps_check.c judges.
 */
#ifndef CMD_DOCTOR_MAPS_H
#define CMD_DOCTOR_MAPS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DOCTOR_MAPS_MAX = 32,
	DOCTOR_MAP_PATH_SIZE = 400,
	DOCTOR_MAP_TYPE_SIZE = 16,
	DOCTOR_COMPLAINT_SIZE = 512
};

enum doctor_map_tool { DOCTOR_MAKEMAP, DOCTOR_POSTMAP };

/* What the first bytes of a file say, in either byte order. */
enum doctor_map_format {
	DOCTOR_FORMAT_OTHER,
	DOCTOR_FORMAT_EMPTY,
	DOCTOR_FORMAT_HASH,
	DOCTOR_FORMAT_BTREE
};

struct doctor_map {
	char type[DOCTOR_MAP_TYPE_SIZE]; /* "hash", as the server calls it */
	char path[DOCTOR_MAP_PATH_SIZE]; /* without the suffix */
	char file[DOCTOR_MAP_PATH_SIZE]; /* with it */
	const char *named; /* "the export popip", "sendmail.cf" ... */
	char by[64];       /* ... where that is no constant */
	enum doctor_map_tool tool;
	bool optional; /* the server goes on without it */
	/* Of the tool: as doctor_try_fn, and what it complained of. */
	int status;
	char complaint[DOCTOR_COMPLAINT_SIZE];
	int error; /* errno of opening the file ourselves; 0: none */
	enum doctor_map_format format;
	uint32_t version; /* of a Berkeley DB file */
};

struct doctor_maps {
	size_t count;
	struct doctor_map at[DOCTOR_MAPS_MAX];
};

/* The K lines of a sendmail.cf with class hash, btree or dbm. Pure. */
void doctor_maps_of_sendmail(struct doctor_maps *maps, const char *text);
/* The "type:/path" of what postconf prints. Pure. */
void doctor_maps_of_postfix(struct doctor_maps *maps, const char *text);

struct doctor_facts;
struct doctor_where;
/* Finds them all and opens each. */
void doctor_maps_look(struct doctor_facts *f, const struct doctor_where *where);
#endif
