/* SPDX-License-Identifier: ISC */
/*
 * journal_trust - see the header.
 */
#include "journal_trust.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <systemd/sd-id128.h>

#include "base/endpoint.h"
#include "base/line.h"
#include "base/mem.h"

enum { UIDS_MAX = 64, MATCH_SIZE = 300 };

/* Users of one section, by number: there is no looking up afterwards. */
static struct {
	const struct conf_section *conf;
	const char *unknown; /* a name that is nobody's, or NULL */
	size_t count;
	uid_t uids[UIDS_MAX];
} known;

static void find_users(const struct conf_section *conf)
{
	known.conf = conf;
	known.unknown = NULL;
	known.count = 0;
	for (size_t i = 0; i < conf_list_size(conf, "uids"); i++) {
		const char *name = conf_list_at(conf, "uids", i);
		uid_t uid;

		if (known.count < UIDS_MAX && endpoint_parse_user(name, &uid))
			known.uids[known.count++] = uid;
		else
			known.unknown = name;
	}
}

void journal_trust_prepare(const struct conf_section *conf)
{
	sd_id128_t id;

	find_users(conf);
	/* libsystemd remembers it, which has a file elsewhere. */
	(void)sd_id128_get_machine(&id);
}

/* Whoever may write there makes entries with any field. */
static int check_directory(
    const char *source, const char *directory, struct err *err)
{
	struct stat st;
	const char *why = NULL;

	if (stat(directory, &st) < 0)
		return err_errno(err, EXIT_USER, errno,
		    "source %s: directory: \"%s\"", source, directory);
	if (!S_ISDIR(st.st_mode))
		why = "this is no directory";
	else if (st.st_uid != 0 && st.st_uid != geteuid())
		why = "it belongs to somebody else than root";
	else if (st.st_mode & (S_IWGRP | S_IWOTH))
		why = "others than its owner may write into it";
	if (!why)
		return 0;
	return err_set(err, EXIT_USER, "source %s: directory: \"%s\": %s",
	    source, directory, why);
}

int journal_trust_check(
    const char *source, const struct conf_section *conf, struct err *err)
{
	const char *directory = conf_string(conf, "directory");
	sd_id128_t id;
	int bad;

	if (known.conf != conf)
		find_users(conf);
	if (known.unknown)
		return err_set(err, EXIT_USER,
		    "source %s: uids: \"%s\": there is no such user", source,
		    known.unknown);
	if (conf_list_size(conf, "units") + known.count == 0)
		return err_set(err, EXIT_USER,
		    "source %s: units: name the units (or uids) whose messages "
		    "are believed, such as units = { \"dovecot.service\" }; "
		    "any user may log under any program's name",
		    source);
	if (directory[0])
		return check_directory(source, directory, err);
	bad = sd_id128_get_machine(&id);
	if (bad < 0)
		return err_set(err, EXIT_USER,
		    "source %s: /etc/machine-id: %s; systemd-machine-id-setup "
		    "makes it",
		    source, strerror(-bad));
	return 0;
}

static int match(sd_journal *j, const char *field, const char *value)
{
	char text[MATCH_SIZE];
	int n = snprintf(text, sizeof(text), "%s=%s", field, value);

	if (n < 0 || n >= (int)sizeof(text))
		return -ENAMETOOLONG;
	return sd_journal_add_match(j, text, (size_t)n);
}

/* Of one field any value will do, of different ones each must. */
static int match_trusted(const struct conf_section *conf, sd_journal *j)
{
	int bad = 0;

	for (size_t i = 0; bad >= 0 && i < conf_list_size(conf, "units"); i++) {
		const char *name = conf_list_at(conf, "units", i);
		char unit[MATCH_SIZE];

		(void)snprintf(unit, sizeof(unit), "%s%s", name,
		    strchr(name, '.') ? "" : ".service");
		bad = match(j, "_SYSTEMD_UNIT", unit);
	}
	for (size_t i = 0; bad >= 0 && i < known.count; i++) {
		char uid[16];

		(void)snprintf(uid, sizeof(uid), "%u", (unsigned)known.uids[i]);
		bad = match(j, "_UID", uid);
	}
	for (size_t i = 0; bad >= 0 && i < conf_list_size(conf, "transports");
	     i++)
		bad =
		    match(j, "_TRANSPORT", conf_list_at(conf, "transports", i));
	return bad;
}

int journal_trust_open(const struct conf_section *conf, sd_journal **out)
{
	const char *directory = conf_string(conf, "directory");
	sd_journal *j = NULL;
	/* Not those of containers and of other hosts: their fields are the
	 * word of somebody else's root. */
	int bad = directory[0] ? sd_journal_open_directory(&j, directory, 0)
			       : sd_journal_open(&j,
				     SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);

	if (bad >= 0)
		bad = match_trusted(conf, j);
	/* One that is longer is seen to be. */
	if (bad >= 0)
		bad = sd_journal_set_data_threshold(j, 2 * LINE_MAX_BYTES);
	if (bad < 0) {
		sd_journal_close(j);
		return bad;
	}
	*out = j;
	return 0;
}
