/* SPDX-License-Identifier: ISC */
/*
 * folder - what kinds have in common that keep a directory with a file for each
 * leased address. Files of addresses that no snapshot names go; files that are
 * not named like an address are somebody else's and stay.
 */
#ifndef EXPORT_FOLDER_H
#define EXPORT_FOLDER_H
#include "export.h"

enum {
	FOLDER_NAMES = 2, /* of one address, at most */
	FOLDER_NAME_SIZE = 48
};

/* The names of the files of one lease; returns how many, 0: it has none. */
typedef size_t folder_names_fn(
    const struct lease *lease, char out[FOLDER_NAMES][FOLDER_NAME_SIZE]);
/* Makes one of its files, or brings it up to date. 0, or -1 with errno. */
typedef int folder_put_fn(
    void *ctx, int directory, const char *name, const struct lease *lease);
/* Whether a name is one that folder_names_fn gives, and of which address. */
typedef bool folder_parse_fn(const char *name, struct addr *out);

struct folder_kind {
	folder_names_fn *names;
	folder_put_fn *put;
	folder_parse_fn *parse;
	const char *temporary; /* prefix of names to clear away; NULL: none */
	void *ctx;
};

struct folder;

void folder_needs(const struct conf_section *conf, struct export_needs *out);
/* look() of such a kind: whether its directory is there. */
int folder_look(const struct conf_section *conf, struct err *err);
struct folder *folder_open(const struct export_env *env,
    const struct conf_section *conf, const struct folder_kind *kind,
    struct err *err);
void folder_apply(struct folder *f, const struct export_slice *slice);
void folder_close(struct folder **f);
#endif
