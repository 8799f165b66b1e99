/* SPDX-License-Identifier: ISC */
/*
 * plan - which plugins run when: qmail-spp's control/smtpplugins. Sections by
 * the first letter behind '['; what stands in an unknown section, or before the
 * first, is never run. Lines as qmail's control files have them: blanks and
 * tabs at the end go, '#' at the beginning is a comment.
 */
#ifndef SMTP_PLAN_H
#define SMTP_PLAN_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum spp_section {
	SPP_CONNECTION,
	SPP_HELO,
	SPP_MAIL,
	SPP_RCPT,
	SPP_DATA,
	SPP_AUTH,
	SPP_PASS, /* behind a RCPT that all else accepts */
	SPP_SECTIONS
};
enum { SPP_PLAN_MAX = 65536 }; /* bytes of the file */

struct spp_plugin {
	enum spp_section section;
	bool shell;          /* by /bin/sh -c */
	const char *command; /* a path, or the shell's line */
};

struct spp_plan {
	struct spp_plugin *plugins; /* in the order of the file */
	size_t count;
	char *text; /* holds the commands */
};

/* Cuts text, len bytes with room for a NUL behind, which it takes over. */
void spp_plan_parse(char *text, size_t len, struct spp_plan *plan);
/* -1 and *err (EXIT_AGAIN): it cannot be read, or is too long. */
int spp_plan_read(const char *path, struct spp_plan *plan, struct err *err);
void spp_plan_free(struct spp_plan *plan);
bool spp_plan_has(const struct spp_plan *plan, enum spp_section section);
/* By the letter behind '['. SPP_SECTIONS: it is unknown. */
enum spp_section spp_section_of(char letter);
/* "rcpt" and so on. */
const char *spp_section_name(enum spp_section section);
#endif
