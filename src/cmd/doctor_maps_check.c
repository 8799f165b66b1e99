/* SPDX-License-Identifier: ISC */
/*
 * doctor_maps_check - what the doctor makes of the databases that it tried to
 * open. Called by: doctor_checks.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "doctor_private.h"

/* Of Berkeley DB 5.3, in its hash and its btree files alike: what relaypass
 * writes, and Debian's mail servers read. */
enum { OUR_VERSION = 9, POSTMAP_NOT_FOUND = 1 };

static const char *const tools[] = {
	[DOCTOR_MAKEMAP] = "makemap",
	[DOCTOR_POSTMAP] = "postmap",
};

static bool was_opened(const struct doctor_map *m)
{
	return m->status == 0 ||
	       (m->tool == DOCTOR_POSTMAP && m->status == POSTMAP_NOT_FOUND &&
		   !strstr(m->complaint, "fatal:"));
}

static const char *named_by(const struct doctor_map *m)
{
	return m->named ? m->named : m->by;
}

static const char *format_of(const struct doctor_map *m)
{
	switch (m->format) {
	case DOCTOR_FORMAT_HASH:
		return "hash";
	case DOCTOR_FORMAT_BTREE:
		return "btree";
	case DOCTOR_FORMAT_OTHER:
	case DOCTOR_FORMAT_EMPTY:
	default:
		return NULL;
	}
}

static void say_missing(struct telling *t, const struct doctor_map *m)
{
	bool harmless = m->optional || !m->named;

	say(t, harmless ? DOCTOR_NOTE : DOCTOR_DO, NULL,
	    "%s, which %s names, is missing%s", m->file, named_by(m),
	    !m->named     ? "; relaypassd makes it when it starts"
	    : m->optional ? ", and may be"
			  : ": the server answers with an error instead of "
			    "looking there");
}

/* Whose library is the other one: of the file, or of the tool. */
static void say_version(struct telling *t, const struct doctor_map *m)
{
	if (m->version != OUR_VERSION)
		say(t, DOCTOR_DO, NULL,
		    "version mismatch: %s is a %s file of version %u, and "
		    "Berkeley DB 5.3 writes version %d; %s cannot read it "
		    "(%s). Make it anew with the tools of the mail server's "
		    "version",
		    m->file, format_of(m), (unsigned)m->version, OUR_VERSION,
		    tools[m->tool], m->complaint);
	else
		say(t, DOCTOR_DO, NULL,
		    "version mismatch, or a damaged file: %s is a %s file of "
		    "version %d, as Berkeley DB 5.3 writes it, and %s cannot "
		    "read it (%s). A mail server with another version of the "
		    "library has to ask a listener instead",
		    m->file, format_of(m), OUR_VERSION, tools[m->tool],
		    m->complaint);
}

static void say_failed(struct telling *t, const struct doctor_map *m)
{
	const char *format = format_of(m);

	if (m->format == DOCTOR_FORMAT_EMPTY)
		say(t, DOCTOR_DO, NULL,
		    "%s, which %s names, is an empty file and no %s map: "
		    "remove it, and make it with %s",
		    m->file, named_by(m), m->type, tools[m->tool]);
	else if (format && !strcmp(m->type, format))
		say_version(t, m);
	else if (format)
		say(t, DOCTOR_DO, NULL,
		    "%s is a %s file, and %s names it as %s", m->file, format,
		    named_by(m), m->type);
	else
		say(t, DOCTOR_DO, NULL, "%s cannot open %s, which %s names: %s",
		    tools[m->tool], m->file, named_by(m), m->complaint);
}

static void say_map(struct telling *t, const struct doctor_map *m)
{
	if (m->error == ENOENT)
		say_missing(t, m);
	else if (m->status == DOCTOR_LATE)
		say(t, DOCTOR_CANNOT, NULL,
		    "%s did not come to an end with %s in %d seconds",
		    tools[m->tool], m->file, DOCTOR_RUN_MS / 1000);
	else if (was_opened(m))
		say(t, DOCTOR_GOOD, NULL, "%s reads %s, which %s names",
		    tools[m->tool], m->file, named_by(m));
	else if (m->error)
		say(t, DOCTOR_CANNOT, NULL, "%s cannot be read: %s", m->file,
		    strerror(m->error));
	else
		say_failed(t, m);
}

/* Where the server's tool is not installed there is no such server. */
void check_maps(const struct doctor_facts *f, struct telling *t)
{
	for (size_t i = 0; i < f->maps.count; i++)
		if (f->maps.at[i].status != DOCTOR_ABSENT)
			say_map(t, &f->maps.at[i]);
}
