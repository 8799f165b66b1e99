/* SPDX-License-Identifier: ISC */
/*
 * enter - see the header.
 */
#include "enter.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/owned.h"
#include "export/export.h"
#include "lockdown.h"

/* A connector's directories are opened by SQLite, behind the lock-down, and
 * its words do not tell what is missing. As the connector's account. */
static int check_directory(const char *path, bool writes, struct err *err)
{
	char name[OWNED_NAME_SIZE];

	(void)owned_name(geteuid(), name);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return err_set(err, EXIT_USER,
		    "database: there is no directory %s; run: install -d -o %s "
		    "-g %s -m 0755 %s",
		    path, name, name, path);
	if (access(path, X_OK) < 0)
		return err_errno(err, EXIT_USER, errno,
		    "database: %s may not enter the directory %s", name, path);
	if (writes && access(path, W_OK) < 0 && errno == EROFS)
		return err_set(err, EXIT_USER,
		    "database: %s is read-only here; if the unit of systemd "
		    "makes it so, systemctl edit relaypassd, with [Service] "
		    "ReadWritePaths=%s",
		    path, path);
	if (writes && access(path, W_OK) < 0)
		return err_errno(err, EXIT_USER, errno,
		    "database: %s may not write in %s, where the journal has "
		    "to be; take a directory of its own, made by: install -d "
		    "-o %s -g %s -m 0755 DIRECTORY",
		    name, path, name, name);
	return 0;
}

static int enter(enum role role, const char *account, bool writes,
    const struct lockdown_needs *needs, struct err *err)
{
	const size_t most = COUNT_OF(needs->write);
	struct lockdown_user user;

	if ((account ? lockdown_account(account, &user, err)
		     : lockdown_user(role, &user, err)) < 0 ||
	    lockdown_join(&user, needs->source.group, err) < 0 ||
	    lockdown_become(&user, err) < 0)
		return -1;
	if (role != ROLE_CONNECTOR)
		return lockdown_enter(role, needs, err);
	for (size_t i = 0; i < most && needs->write[i]; i++) {
		if (check_directory(needs->write[i], writes, err) < 0)
			return -1;
	}
	return lockdown_enter(role, needs, err);
}

int enter_export(const struct conf_section *conf, struct err *err)
{
	const struct export_kind *kind = export_kind_find(conf_kind(conf));
	struct lockdown_needs needs = { 0 };
	struct export_needs wants = { 0 };

	if (kind->needs)
		kind->needs(conf, &wants);
	memcpy(needs.write, wants.write, sizeof(needs.write));
	memcpy(needs.source.read, wants.read, sizeof(wants.read));
	needs.source.connect = wants.connect || kind->connects;
	return enter(kind->role, wants.account, true, &needs, err);
}

int enter_source(const struct conf_section *conf, struct err *err)
{
	const struct source_kind *kind = source_kind_find(conf_kind(conf));
	struct lockdown_needs needs = { 0 };

	if (kind->needs)
		kind->needs(conf, &needs.source);
	memcpy(needs.write, needs.source.write, sizeof(needs.write));
	needs.source.connect |= kind->connects;
	return enter(kind->role, needs.source.account, false, &needs, err);
}
