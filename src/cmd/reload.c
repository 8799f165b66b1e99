/* SPDX-License-Identifier: ISC */
/*
 * reload - `relaypass reload`: checks the configuration, then has the daemon
 * read it. The lock on the pid file proves that the number in it still is the
 * daemon's.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli.h"
#include "conf/conf.h"
#include "mistakes.h"

/* The pid of the daemon that lives, or -1 and *err. */
static pid_t find_daemon(const char *path, struct err *err)
{
	char text[32], *end;
	AUTO_CLOSE int fd =
	    open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return err_set(err, EXIT_AGAIN,
		    "relaypassd does not run: there is no %s", path);
	if (fd < 0)
		return err_errno(err, EXIT_USER, errno, "cannot read %s", path);
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return err_set(err, EXIT_AGAIN,
		    "relaypassd does not run: nobody holds %s; start it", path);
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	long pid = strtol(text, &end, 10);
	if (pid <= 1 || pid > 4194304 || (*end && *end != '\n'))
		return err_set(err, EXIT_AGAIN,
		    "%s holds no process number; is relaypassd starting? Try "
		    "again",
		    path);
	return (pid_t)pid;
}

static int notify(const struct conf *conf)
{
	char path[4096];
	struct err err = { 0 };

	snprintf(path, sizeof(path), "%s/relaypassd.pid",
	    conf_string(conf_at(conf, "relaypass", 0), "run-directory"));
	pid_t pid = find_daemon(path, &err);
	if (pid < 0)
		return cli_fail(&err);
	if (kill(pid, SIGHUP) == 0) {
		printf("relaypassd (pid %d) reads its configuration again; its "
		       "log tells how it went\n",
		    (int)pid);
		return cli_done(EXIT_YES);
	}
	if (errno == EPERM)
		err_set(&err, EXIT_USER,
		    "no permission to signal relaypassd (pid %d): become root",
		    (int)pid);
	else
		err_errno(&err, EXIT_AGAIN, errno,
		    "cannot signal relaypassd (pid %d)", (int)pid);
	return cli_fail(&err);
}

extern const struct verb verb_reload;

static int run(const struct verb_env *env, int argc, char **argv)
{
	static const struct cli_option options[] = { { 0 } };
	struct err err = { 0 };
	struct conf *conf;
	int code;

	if (cli_options(argc, argv, options, NULL, 0, &err) < 0)
		return cli_usage(&verb_reload, &err);
	conf = cli_conf(env, &err);
	if (!conf)
		return cli_fail(&err);
	code = mistakes_print(conf, env->config) ? EXIT_USER : notify(conf);
	conf_free(&conf);
	return code;
}

const struct verb verb_reload = {
	.name = "reload",
	.usage = "reload",
	.help = "Check the configuration, and have the daemon read it.",
	.run = run,
};
