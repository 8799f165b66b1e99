/* SPDX-License-Identifier: ISC */
/*
 * enter - see the header.
 */
#include "enter.h"

#include <string.h>

#include "export/export.h"
#include "lockdown.h"

static int enter(enum role role, const char *account,
    const struct lockdown_needs *needs, struct err *err)
{
	struct lockdown_user user;

	if ((account ? lockdown_account(account, &user, err)
		     : lockdown_user(role, &user, err)) < 0 ||
	    lockdown_join(&user, needs->source.group, err) < 0 ||
	    lockdown_become(&user, err) < 0)
		return -1;
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
	needs.source.connect = wants.connect;
	return enter(kind->role, wants.account, &needs, err);
}

int enter_source(const struct conf_section *conf, struct err *err)
{
	const struct source_kind *kind = source_kind_find(conf_kind(conf));
	struct lockdown_needs needs = { 0 };

	if (kind->needs)
		kind->needs(conf, &needs.source);
	memcpy(needs.write, needs.source.write, sizeof(needs.write));
	return enter(kind->role, needs.source.account, &needs, err);
}
