/* SPDX-License-Identifier: ISC */
/*
 * controls - see the header.
 */
#include "controls.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/beside.h"
#include "base/mem.h"

char *spp_plan_path(const struct spp_options *o)
{
	const char *file = o->plugins ? o->plugins : getenv("SPPCONFFILE");

	return spp_in_home(o, file && *file ? file : "control/smtpplugins");
}

char *spp_hosts_path(const struct spp_options *o)
{
	return o->local_path ? xstrdup(o->local_path)
			     : spp_in_home(o, "control/rcpthosts");
}

int spp_controls_plan(
    const struct spp_options *o, struct spp_plan *plan, struct err *err)
{
	AUTO_FREE char *path = spp_plan_path(o);

	return spp_plan_read(path, plan, err);
}

int spp_controls_hosts(const struct spp_options *o, struct spp_hosts **hosts,
    struct spp_hosts **percent, struct err *err)
{
	AUTO_FREE char *list = spp_hosts_path(o);
	AUTO_FREE char *more = spp_in_home(o, "control/morercpthosts.cdb");
	AUTO_FREE char *hack = spp_in_home(o, "control/percenthack");

	if (o->local_path)
		return spp_hosts_open(list, NULL, hosts, err);
	if (spp_hosts_open(list, more, hosts, err) < 0)
		return -1;
	if (access(hack, F_OK) == 0)
		return spp_hosts_open(hack, NULL, percent, err);
	return errno == ENOENT
		   ? 0
		   : err_errno(err, EXIT_AGAIN, errno, "cannot read %s", hack);
}

/* A session without STARTTLS need not have room for it. */
static __attribute__((noinline)) int check_tls(
    const struct spp_options *o, struct err *err)
{
	char program[BESIDE_MAX];

	if (beside_path("relaypass-spp-tls", program, sizeof(program)) < 0 ||
	    access(program, X_OK) < 0)
		return err_set(err, EXIT_AGAIN,
		    "--certificate needs relaypass-spp-tls, built with GnuTLS, "
		    "beside relaypass-spp");
	if (access(o->certificate_path, R_OK) < 0)
		return err_errno(
		    err, EXIT_AGAIN, errno, "%s", o->certificate_path);
	if (access(o->key_path, R_OK) < 0)
		return err_errno(err, EXIT_AGAIN, errno, "%s", o->key_path);
	return 0;
}

int spp_controls_tls(const struct spp_options *o, struct err *err)
{
	return o->certificate ? check_tls(o, err) : 0;
}
