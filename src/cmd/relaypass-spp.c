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

#include "base/mem.h"
#include "smtp/check.h"
#include "smtp/controls.h"
#include "smtp/options.h"
#include "smtp/run_ask.h"
#include "smtp/session.h"

extern char **environ;

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
	/* Released by the end of the process, which is faster. */
	static struct spp_options o;
	static struct spp_plan plan;
	static struct spp_session_env env = { .options = &o };
	static struct spp_hosts *hosts, *percent;
	struct err err = { 0 };
	bool off = getenv("NOSPP") != NULL;

	/* Whatever is opened must not get a number that others write to. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", O_RDWR | O_CLOEXEC) != fd)
			return EXIT_NO;
	spp_options_read(&o, argc, argv);
	if (getauxval(AT_SECURE))
		return spp_session_refuse("must not be set-uid or set-gid");
	if (o.check)
		return spp_check(&o);
	/* Other servers would take everybody for a friend. */
	if (off && !o.local_domains && !o.no_relay)
		return become_server(&o);
	if (spp_controls_tls(&o, &err) < 0 ||
	    (!off && spp_controls_plan(&o, &plan, &err) < 0) ||
	    spp_controls_hosts(&o, &hosts, &percent, &err) < 0)
		return spp_session_refuse(err.text);
	env.plan = off ? NULL : &plan;
	env.hosts = hosts;
	env.percent = percent;
	env.vars = spp_vars_new(environ);
	/* Nothing is left in stdio. */
	_exit(spp_session_run(&env));
}
