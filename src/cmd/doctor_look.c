/* SPDX-License-Identifier: ISC */
/*
 * doctor_look - gathers the facts of doctor.h: the configuration, who listens,
 * what Dovecot and Postfix say of themselves, and the ends of the logs.
 * Called by: doctor.c; the unit tests, with another root.
 */
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/endpoint.h"
#include "base/mem.h"
#include "daemon/schema.h"
#include "doctor_private.h"
#include "pattern/pattern.h"

enum { OWN_MAX = 256 };

/* Where syslog daemons put the facility mail, and all of it. */
static const char *const usual_logs[] = { "/var/log/mail.log",
	"/var/log/maillog", "/var/log/mail", "/var/log/mail.info",
	"/var/log/syslog", "/var/log/messages" };
static const char *const journals[] = { "/var/log/journal",
	"/run/log/journal" };

/* --- configuration -------------------------------------------------------- */

static int look_at_config(
    struct doctor_facts *f, const struct doctor_where *where, struct err *err)
{
	char path[DOCTOR_PATH_SIZE];
	struct err wrong = { 0 };
	struct addr own[OWN_MAX];

	snprintf(path, sizeof(path), "%s%s",
	    where->config_given ? "" : where->root, where->config);
	f->config_path = where->config;
	f->has_config = access(path, F_OK) == 0;
	if (!f->has_config && where->config_given)
		return err_errno(err, EXIT_USER, errno, "%s", path);
	if (f->has_config)
		f->conf = conf_load(path, schema(), &wrong);
	if (!f->conf) {
		snprintf(
		    f->config_error, sizeof(f->config_error), "%s", wrong.text);
		f->conf = conf_default(schema());
	}
	f->rules = rules_new(conf_at(f->conf, "lease", 0), own,
	    rules_own_addresses(own, COUNT_OF(own)));
	return 0;
}

/* --- relaypassd ----------------------------------------------------------- */

static bool control_of(
    const struct doctor_facts *f, const char *root, struct endpoint *at)
{
	char place[DOCTOR_PATH_SIZE];
	int n = snprintf(place, sizeof(place), "unix:%s%s/control", root,
	    conf_string(conf_at(f->conf, "relaypass", 0), "run-directory"));

	return n < (int)sizeof(place) && endpoint_parse(place, at);
}

static int look_at_daemon(const struct endpoint *at)
{
	struct sockaddr_storage address;
	AUTO_CLOSE int fd = -1;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	socklen_t len = endpoint_address(at, &address);
	/* EAGAIN: somebody listens, and has much to do. */
	if (connect(fd, (const struct sockaddr *)&address, len) == 0 ||
	    errno == EAGAIN)
		return 0;
	return errno;
}

/* --- programs ------------------------------------------------------------- */

static bool runs(const struct doctor_facts *f, const char *label)
{
	for (size_t i = 0; i < f->listener_count; i++)
		if (f->listeners[i].kind &&
		    !strcmp(f->listeners[i].kind->label, label))
			return true;
	return false;
}

/* The first of the places that a program may have. */
static void ask(const struct doctor_where *where, char *out,
    const char *const places[], const char *const words[])
{
	const char *argv[16] = { NULL };

	for (size_t i = 0; words[i] && i < COUNT_OF(argv) - 2; i++)
		argv[i + 1] = words[i];
	for (size_t i = 0; places[i]; i++) {
		argv[0] = places[i];
		if (where->run(argv, out))
			return;
	}
}

static void look_at_programs(
    struct doctor_facts *f, const struct doctor_where *where)
{
	static const char *const doveconf[] = { "/usr/bin/doveconf",
		"/usr/local/bin/doveconf", NULL };
	static const char *const postconf[] = { "/usr/sbin/postconf",
		"/usr/local/sbin/postconf", NULL };
	static const char *const settings[] = { "log_path", "info_log_path",
		"syslog_facility", "auth_username_chars",
		"login_trusted_networks", "haproxy_trusted_networks",
		"login_log_format", "login_log_format_elements", NULL };
	static const char *const set[] = { "-n", NULL };
	static const char *const restrictions[] = { "smtpd_relay_restrictions",
		"smtpd_recipient_restrictions", "smtpd_sasl_auth_enable",
		NULL };

	if (runs(f, "Dovecot")) {
		ask(where, f->dovecot, doveconf, settings);
		ask(where, f->dovecot_set, doveconf, set);
	}
	if (runs(f, "Postfix"))
		ask(where, f->postfix, postconf, restrictions);
}

/* --- logs ----------------------------------------------------------------- */

static void add_log(
    struct doctor_facts *f, const char *root, const char *path, bool configured)
{
	char full[DOCTOR_PATH_SIZE];
	int n = snprintf(full, sizeof(full), "%s%s", root, path);

	if (path[0] != '/' || n >= (int)sizeof(full) ||
	    f->log_count == DOCTOR_LOGS_MAX)
		return;
	for (size_t i = 0; i < f->log_count; i++)
		if (!strcmp(f->logs[i].path, full))
			return;
	/* What is only usual may be missing. */
	if (!configured && access(full, F_OK) < 0 && errno == ENOENT)
		return;
	memcpy(f->logs[f->log_count].path, full, sizeof(full));
	f->logs[f->log_count++].configured = configured;
}

static void add_matches(
    struct doctor_facts *f, const char *root, const char *pattern)
{
	char full[DOCTOR_PATH_SIZE];
	glob_t found;

	if (!strpbrk(pattern, "*?[")) {
		add_log(f, root, pattern, true);
		return;
	}
	if (snprintf(full, sizeof(full), "%s%s", root, pattern) <
		(int)sizeof(full) &&
	    glob(full, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			add_log(
			    f, root, found.gl_pathv[i] + strlen(root), true);
		globfree(&found);
	}
}

bool doctor_dovecot_log(const struct doctor_facts *f, char *path, size_t size)
{
	if (doctor_setting(f->dovecot, "info_log_path", path, size) && path[0])
		return true;
	return doctor_setting(f->dovecot, "log_path", path, size) && path[0];
}

static void find_logs(struct doctor_facts *f, const char *root)
{
	char value[DOCTOR_PATH_SIZE];

	for (size_t i = 0; i < conf_count(f->conf, "source"); i++) {
		const struct conf_section *s = conf_at(f->conf, "source", i);
		if (strcmp(conf_kind(s), "file") != 0)
			continue;
		for (size_t j = 0; j < conf_list_size(s, "path"); j++)
			add_matches(f, root, conf_list_at(s, "path", j));
	}
	if (doctor_dovecot_log(f, value, sizeof(value)))
		add_log(f, root, value, false);
	for (size_t i = 0; i < COUNT_OF(usual_logs); i++)
		add_log(f, root, usual_logs[i], false);
}

/* The section that a configured log belongs to is not told apart: all file
 * sources of a site have the same owners, or the option says more. */
static const struct conf_section *owners_of(
    const struct doctor_facts *f, const struct conf *defaults)
{
	for (size_t i = 0; i < conf_count(f->conf, "source"); i++) {
		const struct conf_section *s = conf_at(f->conf, "source", i);
		if (!strcmp(conf_kind(s), "file") && conf_is_set(s, "owner"))
			return s;
	}
	return conf_at(defaults, "source", 0);
}

static int read_logs(struct doctor_facts *f, struct err *err)
{
	static const char text[] =
	    "source x { kind = \"file\" path = \"/x\" }\n";
	const struct conf_section *main = conf_at(f->conf, "relaypass", 0);
	struct patterns_options options = {
		.dir = conf_string(main, "pattern-directory"),
		.servers = conf_string(main, "servers"),
	};
	struct patterns *patterns = patterns_open(&options, err);
	struct conf *defaults;

	if (!patterns)
		return -1;
	defaults =
	    conf_parse(text, sizeof(text) - 1, "defaults", schema(), err);
	must(defaults);
	for (size_t i = 0; i < f->log_count; i++)
		doctor_log_read(&f->logs[i], patterns, f->rules,
		    owners_of(f, defaults), f->now);
	conf_free(&defaults);
	patterns_close(&patterns);
	return 0;
}

static bool has_entries(const char *root, const char *path)
{
	char full[DOCTOR_PATH_SIZE];
	struct dirent *e;
	bool any = false;

	snprintf(full, sizeof(full), "%s%s", root, path);
	DIR *dir = opendir(full);
	while (dir && !any && (e = readdir(dir)))
		any = e->d_name[0] != '.';
	if (dir)
		(void)closedir(dir);
	return any;
}

/* --- all ------------------------------------------------------------------ */

int doctor_look(
    struct doctor_facts *f, const struct doctor_where *where, struct err *err)
{
	char proc[DOCTOR_PATH_SIZE];
	struct endpoint control;

	f->now = where->now;
	f->root = geteuid() == 0;
	f->logs = xcalloc(DOCTOR_LOGS_MAX, sizeof(*f->logs));
	if (look_at_config(f, where, err) < 0)
		return -1;
	snprintf(proc, sizeof(proc), "%s/proc", where->root);
	f->listener_count = doctor_listeners(proc, f->listeners, &f->hidden);
	look_at_programs(f, where);
	for (size_t i = 0; i < COUNT_OF(journals); i++)
		f->journal |= has_entries(where->root, journals[i]);
	f->control_error = control_of(f, where->root, &control)
			       ? look_at_daemon(&control)
			       : ENAMETOOLONG;
	doctor_links_look(f, where, f->control_error ? NULL : &control);
	doctor_qmail_look(f, where->root);
	doctor_maps_look(f, where);
	find_logs(f, where->root);
	return read_logs(f, err);
}

void doctor_forget(struct doctor_facts *f)
{
	free(f->logs);
	free(f->links);
	f->logs = NULL;
	f->links = NULL;
	rules_free(&f->rules);
	conf_free(&f->conf);
}
