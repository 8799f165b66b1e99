/* SPDX-License-Identifier: ISC */
/*
 * relaypass-plugin - tells relaypassd of mail sessions, from inside Dovecot's
 * imap and pop3 processes: "login" when the user is there, "alive" every
 * relaypass_interval seconds while the session lives (also in IDLE), "logout"
 * when it ends. Also answers to the name of the old drac plugin and knows its
 * settings.
 *
 * It may never hold up a mail process: each notice is one datagram that is sent
 * or not, at once; no answer is awaited, and trouble costs one log line a
 * process. What is lost only lets a lease end: the next sign of life repeats
 * it, and without any the lease runs out.
 *
 * The mail process' pid is not sent. relaypassd would hold the lease as long as
 * that process is there, and one that serves many sessions (service_count
 * above 1) outlives this one, should the logout be lost. Signs of life cannot
 * outlive it.
 *
 * Dovecot 2.3 and 2.4; see docs/sources/dovecot-plugin.md for what was built.
 */
#include "config.h"

#include "lib.h"

#include "array.h"
#include "imap-common.h"
#include "ioloop.h"
#include "mail-storage-hooks.h"
#include "mail-storage-private.h"
#include "mail-user.h"
#include "module-context.h"
#include "net.h"

#include "notify-line.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#if DOVECOT_VERSION_MAJOR > 2 ||                                               \
    (DOVECOT_VERSION_MAJOR == 2 && DOVECOT_VERSION_MINOR >= 4)
#define HAVE_SETTINGS_STRUCTS 1
#include "relaypass-settings.h"
#include "settings.h"
#else
#define HAVE_SETTINGS_STRUCTS 0
#endif

#define DEFAULT_SOCKET "/run/relaypass/notify"

enum {
	DEFAULT_INTERVAL = 60, /* seconds; the drac plugin's, too */
	INTERVAL_MAX = 24 * 60 * 60
};

struct relaypass_user {
	union mail_user_module_context module_ctx;
	struct timeout *timer;
	struct sockaddr_un to;
	char ip[MAX_IP_LEN + 1];
};

/* One socket a process, made when it is first needed and never connected:
 * relaypassd may come and go. */
static int notify_fd = -1;
static unsigned int failures;

static MODULE_CONTEXT_DEFINE_INIT(
    relaypass_user_module, &mail_user_module_register);

#define RELAYPASS_USER(user) MODULE_CONTEXT_REQUIRE(user, relaypass_user_module)

/* --- notices -------------------------------------------------------------- */

static void failed(struct mail_user *user, const char *what, int error)
{
	if (failures++ > 0)
		return;
	e_error(user->event,
	    "relaypass: %s: %s; the mail session goes on, but relaypassd does "
	    "not know of it (told once for this process)",
	    what, strerror(error));
}

static bool have_socket(struct mail_user *user)
{
	if (notify_fd != -1)
		return true;
	notify_fd =
	    socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (notify_fd == -1)
		failed(user, "no socket", errno);
	return notify_fd != -1;
}

static void notify(struct mail_user *user, const char *verb)
{
	const struct relaypass_user *ruser = RELAYPASS_USER(user);
	bool login = strcmp(verb, "login") == 0, tls;
	struct notify_line line;
	ssize_t sent;

#if HAVE_SETTINGS_STRUCTS
	tls = user->conn.end_client_tls_secured;
#else
	tls = user->conn.ssl_secured;
#endif
	notify_begin(&line, verb);
	notify_put(&line, "ip", ruser->ip);
	notify_put(&line, "user", user->username);
	notify_put(&line, "server", "dovecot");
	notify_put(&line, "session", user->session_id);
	notify_put(&line, "service", login ? user->service : NULL);
	notify_put(&line, "tls", login && tls ? "yes" : NULL);
	if (!notify_end(&line)) {
		failed(user, "too long a name", EMSGSIZE);
		return;
	}
	if (!have_socket(user))
		return;
	do
		sent = sendto(notify_fd, line.text, line.used,
		    MSG_DONTWAIT | MSG_NOSIGNAL,
		    (const struct sockaddr *)&ruser->to, sizeof(ruser->to));
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		failed(user, ruser->to.sun_path, errno);
}

static void tell_alive(struct mail_user *user)
{
	notify(user, "alive");
}

/* --- settings ------------------------------------------------------------- */

struct settings {
	const char *socket, *interval, *login, *drac_server, *drac_timeout;
};

/* Texts, "" or NULL where nothing was set; they live as long as the user. */
#if HAVE_SETTINGS_STRUCTS
static bool get_settings(struct mail_user *user, struct settings *out)
{
	const struct relaypass_settings *set;
	const char *error;

	if (settings_get(user->event, &relaypass_setting_parser_info, 0, &set,
		&error) < 0) {
		e_error(user->event, "relaypass: %s", error);
		return false;
	}
	out->socket = p_strdup(user->pool, set->relaypass_socket);
	out->interval = p_strdup(user->pool, set->relaypass_interval);
	out->login = p_strdup(user->pool, set->relaypass_login);
	out->drac_server = p_strdup(user->pool, set->dracdserver);
	out->drac_timeout = p_strdup(user->pool, set->dracdtimeout);
	settings_free(set);
	return true;
}
#else
static bool get_settings(struct mail_user *user, struct settings *out)
{
	out->socket = mail_user_plugin_getenv(user, "relaypass_socket");
	out->interval = mail_user_plugin_getenv(user, "relaypass_interval");
	out->login = mail_user_plugin_getenv(user, "relaypass_login");
	out->drac_server = mail_user_plugin_getenv(user, "dracdserver");
	out->drac_timeout = mail_user_plugin_getenv(user, "dracdtimeout");
	return true;
}
#endif

static bool is_set(const char *text)
{
	return text != NULL && *text != '\0';
}

/* Seconds between two signs of life; 0: none. */
static unsigned int get_interval(
    struct mail_user *user, const struct settings *set)
{
	const char *name = "relaypass_interval", *text = set->interval;
	unsigned int seconds;

	if (!is_set(text)) {
		name = "dracdtimeout";
		text = set->drac_timeout;
	}
	if (!is_set(text))
		return DEFAULT_INTERVAL;
	if (str_to_uint(text, &seconds) == 0 && seconds <= INTERVAL_MAX)
		return seconds;
	e_warning(user->event,
	    "relaypass: %s=%s: expected seconds, 0 to %d; taking %d", name,
	    text, INTERVAL_MAX, DEFAULT_INTERVAL);
	return DEFAULT_INTERVAL;
}

static bool get_socket(
    struct mail_user *user, const struct settings *set, struct sockaddr_un *to)
{
	const char *path = is_set(set->socket) ? set->socket : DEFAULT_SOCKET;

	i_zero(to);
	to->sun_family = AF_UNIX;
	if (path[0] != '/' || strlen(path) >= sizeof(to->sun_path)) {
		e_error(user->event,
		    "relaypass: relaypass_socket=%s: expected a path of at "
		    "most %zu bytes, from the root",
		    path, sizeof(to->sun_path) - 1);
		return false;
	}
	memcpy(to->sun_path, path, strlen(path));
	return true;
}

static bool is_this_host(const char *name)
{
	return strcmp(name, "localhost") == 0 || strcmp(name, "::1") == 0 ||
	       strncmp(name, "127.", 4) == 0;
}

/* The old plugin's daemon on another host is not called from here: finding its
 * port takes a conversation with that host's rpcbind. */
static void explain_drac(struct mail_user *user, const struct settings *set)
{
	static bool told;

	if (told || !is_set(set->drac_server) || is_this_host(set->drac_server))
		return;
	told = true;
	e_warning(user->event,
	    "relaypass: dracdserver=%s is not called; relaypassd on this host "
	    "is told, and can tell others",
	    set->drac_server);
}

/* --- the session ---------------------------------------------------------- */

/* The imap process has it, pop3 has not. */
#pragma weak imap_clients

/* The session of the user that is being freed goes on in the imap-hibernate
 * process. Its client has let go of the user by now, but is still in the list:
 * the only one there that is being destroyed. */
static bool is_hibernated(void)
{
	const struct client *c;

	if (&imap_clients == NULL)
		return false;
	for (c = imap_clients; c != NULL; c = c->next) {
		if (c->destroyed)
			return c->hibernated;
	}
	return false;
}

static void relaypass_user_deinit(struct mail_user *user)
{
	struct relaypass_user *ruser = RELAYPASS_USER(user);

	timeout_remove(&ruser->timer);
	if (user->session_id != NULL)
		notify(user, is_hibernated() ? "alive" : "logout");
	ruser->module_ctx.super.deinit(user);
}

/* Only what a client of the two protocols did with a password: no delivery, no
 * doveadm, nobody else's shared mailbox, no ANONYMOUS. */
static bool is_session(const struct mail_user *user)
{
	return !user->autocreated && !user->anonymous && user->conn.remote_ip != NULL &&
	       user->conn.remote_ip->family != 0 && user->service != NULL &&
	       (strcmp(user->service, "imap") == 0 ||
		   strcmp(user->service, "pop3") == 0);
}

static void relaypass_mail_user_created(struct mail_user *user)
{
	struct mail_user_vfuncs *v = user->vlast;
	struct relaypass_user *ruser;
	struct settings set;
	struct sockaddr_un to;
	unsigned int interval;

	if (!is_session(user) || !get_settings(user, &set) ||
	    !get_socket(user, &set, &to))
		return;
	explain_drac(user, &set);
	interval = get_interval(user, &set);

	ruser = p_new(user->pool, struct relaypass_user, 1);
	ruser->to = to;
	i_strocpy(
	    ruser->ip, net_ip2addr(user->conn.remote_ip), sizeof(ruser->ip));
	ruser->module_ctx.super = *v;
	user->vlast = &ruser->module_ctx.super;
	v->deinit = relaypass_user_deinit;
	MODULE_CONTEXT_SET(user, relaypass_user_module, ruser);

	if (user->auth_user != NULL &&
	    strcmp(user->auth_user, user->username) != 0)
		e_debug(user->event,
		    "relaypass: told as %s, whose mailbox the master user %s "
		    "opens",
		    user->username, user->auth_user);
	/* Back from hibernation nobody has shown a password. */
	if (user->session_restored)
		notify(user, "alive");
	else if (!is_set(set.login) || strcmp(set.login, "no") != 0)
		notify(user, "login");
	if (interval > 0 && user->session_id != NULL)
		ruser->timer = timeout_add_to(
		    io_loop_get_root(), interval * 1000, tell_alive, user);
}

/* --- the module, under both names ----------------------------------------- */

static struct mail_storage_hooks hooks = {
	.mail_user_created = relaypass_mail_user_created,
};
static unsigned int loaded;

void relaypass_plugin_init(struct module *module);
void relaypass_plugin_deinit(void);
void drac_plugin_init(struct module *module);
void drac_plugin_deinit(void);

extern const char *relaypass_plugin_version, *drac_plugin_version;
const char *relaypass_plugin_version = DOVECOT_ABI_VERSION;
const char *drac_plugin_version = DOVECOT_ABI_VERSION;

/* Once, also when mail_plugins holds both names. */
void relaypass_plugin_init(struct module *module)
{
	if (loaded++ == 0)
		mail_storage_hooks_add(module, &hooks);
}

void relaypass_plugin_deinit(void)
{
	if (--loaded > 0)
		return;
	mail_storage_hooks_remove(&hooks);
	if (notify_fd != -1)
		i_close_fd(&notify_fd);
}

void drac_plugin_init(struct module *module)
{
	relaypass_plugin_init(module);
}

void drac_plugin_deinit(void)
{
	relaypass_plugin_deinit();
}
