/* SPDX-License-Identifier: ISC */
/*
 * doctor_qmail - whether qmail-smtpd has its list of domains. Without the file
 * it takes mail to anywhere from everybody, lease or not. Called by:
 * doctor_look.c, doctor_checks.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "doctor_private.h"

/* Where qmail and its descendants keep their control files. */
static const char *const directories[] = { "/var/qmail/control",
	"/var/lib/qmail/control", "/etc/qmail/control", "/etc/qmail" };

void doctor_qmail_look(struct doctor_facts *f, const char *root)
{
	char full[DOCTOR_PATH_SIZE];
	struct stat st;

	for (size_t i = 0; i < COUNT_OF(directories); i++) {
		int n =
		    snprintf(full, sizeof(full), "%s%s", root, directories[i]);

		if (n >= (int)sizeof(full) || stat(full, &st) < 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		f->qmail = directories[i];
		n = snprintf(
		    full, sizeof(full), "%s%s/rcpthosts", root, directories[i]);
		f->rcpthosts_error =
		    n < (int)sizeof(full) && stat(full, &st) == 0 ? 0 : errno;
		return;
	}
}

void check_qmail(const struct doctor_facts *f, struct telling *t)
{
	if (!f->qmail)
		return;
	switch (f->rcpthosts_error) {
	case 0:
		say(t, DOCTOR_GOOD, NULL, "%s/rcpthosts is there", f->qmail);
		break;
	case ENOENT:
		say(t, DOCTOR_DO, NULL,
		    "%s/rcpthosts is not there: qmail-smtpd takes mail to "
		    "anywhere from everybody. Write the domains that this "
		    "machine takes mail for into it, one a line",
		    f->qmail);
		break;
	default:
		say(t, DOCTOR_CANNOT, NULL, "%s/rcpthosts cannot be seen: %s",
		    f->qmail, strerror(f->rcpthosts_error));
	}
}
