/* SPDX-License-Identifier: ISC */
/*
 * standing - see the header.
 */
#include "standing.h"

#include <string.h>

#include "export/export.h"

enum {
	SECOND = 1000000000, /* of uv_hrtime() */
	/* Who is in step says so once a second, give or take its scheduling. */
	SLACK = 3
};

static bool is_export(const struct board_slot *s)
{
	return s->role == ROLE_WRITER || s->role == ROLE_CONNECTOR ||
	       s->role == ROLE_FIREWALL;
}

static bool is_source(const struct board_slot *s)
{
	return s->role == ROLE_READER || s->role == ROLE_RECEIVER ||
	       s->role == ROLE_CONNECTOR;
}

static bool is_named(const struct board_slot *s, const char *name)
{
	return strncmp(s->name, name, sizeof(s->name) - 1) == 0;
}

/* The n-th from 0. A reload leaves old slots only behind those in use. */
static const struct board_slot *find(const struct board *b, const char *name,
    bool (*fits)(const struct board_slot *s), size_t n)
{
	for (size_t i = 0; i < BOARD_SLOTS; i++) {
		if (fits(&b->slots[i]) && is_named(&b->slots[i], name) &&
		    n-- == 0)
			return &b->slots[i];
	}
	return NULL;
}

const struct board_slot *standing_export(
    const struct board *b, const struct conf_section *export)
{
	return find(b, conf_name(export), is_export, 0);
}

/* An export may be a connector of the same name; exports have the slots before
 * those of the sources (family_plan()). */
const struct board_slot *standing_source(const struct board *b,
    const struct conf *conf, const struct conf_section *source)
{
	const char *name = conf_name(source);
	size_t before = 0;

	for (size_t i = 0; i < conf_count(conf, "export"); i++) {
		const struct conf_section *s = conf_at(conf, "export", i);
		before +=
		    strcmp(conf_name(s), name) == 0 &&
		    export_kind_find(conf_kind(s))->role == ROLE_CONNECTOR;
	}
	return find(b, name, is_source, before);
}

/* It may change while it is read, and need not end. size: of said. */
static void copy_trouble(
    const char *said, size_t size, char out[static BOARD_TROUBLE])
{
	size_t i = 0;

	for (; i < size && i < BOARD_TROUBLE - 1 && said[i]; i++) {
		const unsigned char c = (unsigned char)said[i];
		out[i] = c < ' ' || c == 0x7f ? ' ' : (char)c;
	}
	out[i] = '\0';
}

static uint64_t seconds_since(uint64_t then, uint64_t now)
{
	return then && now > then ? (now - then) / SECOND : 0;
}

void standing_read(
    const struct board_slot *slot, uint64_t now, struct standing *out)
{
	const uint64_t in_step = slot->in_step;

	out->up = slot->pid != 0;
	out->behind = slot->behind;
	copy_trouble(slot->trouble, sizeof(slot->trouble), out->trouble);
	/* Who could not start has said why. */
	if (!out->up && !out->trouble[0])
		copy_trouble(slot->said, sizeof(slot->said), out->trouble);
	/* Never yet: since it ended or was started. */
	out->lag = seconds_since(in_step            ? in_step
				 : slot->down_since ? slot->down_since
						    : slot->started,
	    now);
	if (!out->up) {
		out->state = "down";
	} else if (out->trouble[0]) {
		out->state = "trouble";
	} else if (!in_step || out->lag >= SLACK) {
		out->state = "behind";
	} else {
		out->state = "good";
		out->lag = 0;
	}
}
