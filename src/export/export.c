/* SPDX-License-Identifier: ISC */
/*
 * export - the table of kinds, made of exports.def, and what can be said of a
 * section before it is opened. Called by daemon/ and cmd/.
 */
#include "export.h"

#include <pwd.h>
#include <string.h>

#define EXPORT(tail) extern const struct export_kind export_##tail;
#include "exports.def"
#undef EXPORT

const struct export_kind *const export_kinds[] = {
#define EXPORT(tail) &export_##tail,
#include "exports.def"
#undef EXPORT
	NULL
};

const struct export_kind *export_kind_find(const char *name)
{
	for (size_t i = 0; export_kinds[i] != NULL; i++)
		if (strcmp(export_kinds[i]->name, name) == 0)
			return export_kinds[i];
	return NULL;
}

/* The option user, where it is an account of this machine (not one in a
 * database); else "". */
static const char *account_of(const struct conf_section *conf)
{
	const struct export_kind *kind = export_kind_find(conf_kind(conf));
	struct export_needs needs = { 0 };

	if (kind->needs)
		kind->needs(conf, &needs);
	return needs.account ? needs.account : "";
}

int export_check(const struct conf_section *conf, struct err *err)
{
	const struct export_kind *kind = export_kind_find(conf_kind(conf));
	const struct passwd *pw = getpwnam(account_of(conf));

	if (pw && pw->pw_uid == 0)
		return conf_wrong(conf, err,
		    "user: \"%s\": may not be root; expected an account such "
		    "as relaypass-out",
		    account_of(conf));
	return kind->check ? kind->check(conf, err) : 0;
}

int export_look(const struct conf_section *conf, struct err *err)
{
	const struct export_kind *kind = export_kind_find(conf_kind(conf));
	struct err why = { 0 };

	if (*account_of(conf) && !getpwnam(account_of(conf)))
		return conf_wrong(conf, err,
		    "user: \"%s\": there is no such account", account_of(conf));
	if (kind->look && kind->look(conf, &why) < 0)
		return conf_wrong(conf, err, "%s", why.text);
	return 0;
}
