/* SPDX-License-Identifier: ISC */
/*
 * relaypass-spp - qmail-spp's plugins in front of an SMTP server that knows
 * nothing of them.
 *
 * Called by:  tcpserver and its kind, once for each connection.
 * Calls:      relaypassd, the plugins, the server.
 * Not here:   the session (smtp/session.h). Whatever cannot be read at the
 *             beginning, the answer is 421: better no mail than open relay.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/beside.h"
#include "base/mem.h"
#include "smtp/options.h"
#include "smtp/run_ask.h"
#include "smtp/session.h"

extern char **environ;

static int read_plan(
    const struct spp_options *o, struct spp_plan *plan, struct err *err)
{
	const char *file = o->plugins ? o->plugins : getenv("SPPCONFFILE");
	AUTO_FREE char *path =
	    spp_in_home(o, file && *file ? file : "control/smtpplugins");

	return spp_plan_read(path, plan, err);
}

/* Those of qmail, or those of --local-domains. */
static int read_hosts(const struct spp_options *o, struct spp_hosts **hosts,
    struct spp_hosts **percent, struct err *err)
{
	AUTO_FREE char *list = spp_in_home(o, "control/rcpthosts");
	AUTO_FREE char *more = spp_in_home(o, "control/morercpthosts.cdb");
	AUTO_FREE char *hack = spp_in_home(o, "control/percenthack");

	if (o->local_path)
		return spp_hosts_open(o->local_path, NULL, hosts, err);
	if (spp_hosts_open(list, more, hosts, err) < 0)
		return -1;
	if (access(hack, F_OK) == 0)
		return spp_hosts_open(hack, NULL, percent, err);
	return errno == ENOENT
		   ? 0
		   : err_errno(err, EXIT_AGAIN, errno, "cannot read %s", hack);
}

/* Better now than when a client has said STARTTLS. */
static int look_at_tls(const struct spp_options *o, struct err *err)
{
	char program[BESIDE_MAX];

	if (!o->certificate)
		return 0;
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

/* NOSPP: as if we were not there, but for the lease. */
static int become_server(const struct spp_options *o)
{
	AUTO_FREE char *hosts = spp_in_home(o, "control/rcpthosts");
	const char *address = getenv("TCPREMOTEIP"), *asked;

	if (!address)
		address = getenv("TCP6REMOTEIP");
	if (!getenv("RELAYCLIENT") && address &&
	    run_ask(o->socket, address, &asked) > 0)
		(void)setenv("RELAYCLIENT", o->relayclient, 1);
	/* Without it qmail-smtpd would relay for everybody. */
	if (access(hosts, R_OK) < 0)
		return spp_session_refuse("cannot read control/rcpthosts");
	(void)execvp(o->program[0], o->program);
	return spp_session_refuse("cannot run the server");
}

int main(int argc, char **argv)
{
	struct spp_options o;
	struct spp_plan plan = { 0 };
	struct spp_session_env env = { .options = &o };
	struct spp_hosts *hosts = NULL, *percent = NULL;
	struct err err = { 0 };
	bool off = getenv("NOSPP") != NULL;
	int code, fd;

	/* Whatever is opened must not get a number that others write to. */
	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return EXIT_NO;
	(void)close(fd);
	spp_options_read(&o, argc, argv);
	if (getauxval(AT_SECURE))
		return spp_session_refuse("must not be set-uid or set-gid");
	/* Other servers would take everybody for a friend. */
	if (off && !o.local_domains && !o.no_relay)
		return become_server(&o);
	if (look_at_tls(&o, &err) < 0 ||
	    (!off && read_plan(&o, &plan, &err) < 0) ||
	    read_hosts(&o, &hosts, &percent, &err) < 0)
		return spp_session_refuse(err.text);
	env.plan = off ? NULL : &plan;
	env.hosts = hosts;
	env.percent = percent;
	env.vars = spp_vars_new(environ);
	code = spp_session_run(&env);
	spp_vars_free(&env.vars);
	spp_hosts_close(&hosts);
	spp_hosts_close(&percent);
	spp_plan_free(&plan);
	spp_options_free(&o);
	return code;
}
