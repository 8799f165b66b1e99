/* SPDX-License-Identifier: ISC */
/*
 * mariadb_place - how a connection to MariaDB is made.
 *
 * Everything it depends on is said here: no option file and no environment
 * variable is read. The server is not trusted: it gets no local file, and no
 * password in clear text unless the way to it is sure.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "mariadb_private.h"

enum {
	USUAL_PORT = 3306,
	STACK_SIZE = 256 * 1024, /* name service and TLS run on it */
	PACKET_MAX = 16 << 20,   /* bytes, of one row */
	IDLE_SECONDS = 2147483,  /* the most that every server takes */
	AUTHENTICATION = 2,      /* type of plugin; its header needs others */
	START_TOLERANCE = 2,     /* seconds: is it the same server process? */
	HIGH = 32                /* bits: where a number holds the beginning */
};

#define USUAL_SOCKET "/run/mysqld/mysqld.sock"
/* What Debian, Red Hat and SUSE call it. */
static const char *const system_ca[] = { "/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem" };

/* How a password may be shown to the server. The last three send it as it is;
 * so does caching_sha2_password when the server has forgotten it, but within
 * TLS only, and MySQL has no other. */
static const char *const proofs[] = { "mysql_native_password", "client_ed25519",
	"caching_sha2_password", "sha256_password", "mysql_clear_password",
	"dialog" };
#define SAFE_PROOFS "mysql_native_password,client_ed25519,caching_sha2_password"
#define ALL_PROOFS  SAFE_PROOFS ",sha256_password,mysql_clear_password,dialog"

int mdb_prepare(struct err *err)
{
	static const char *const names[] = { "LIBMYSQL_PLUGINS",
		"LIBMYSQL_PLUGIN_DIR", "MARIADB_PLUGIN_DIR", "MYSQL_UNIX_PORT",
		"MYSQL_TCP_PORT", "LIBMYSQL_ENABLE_CLEARTEXT_PLUGIN" };
	static const struct addrinfo hint = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	MYSQL *my;

	for (size_t i = 0; i < COUNT_OF(names); i++)
		(void)unsetenv(names[i]);
	if (mysql_library_init(0, NULL, NULL) != 0 ||
	    (my = mysql_init(NULL)) == NULL)
		return err_set(err, EXIT_AGAIN, "libmariadb cannot be set up");
	/* Those that are not installed are missed when a server asks. */
	for (size_t i = 0; i < COUNT_OF(proofs); i++)
		(void)mysql_load_plugin(my, proofs[i], AUTHENTICATION, 0);
	mysql_close(my);
	if (getaddrinfo("localhost", NULL, &hint, &found) == 0)
		freeaddrinfo(found);
	return 0;
}

/* "/run/mysqld" is the directory of "mysqld.sock". */
static char *socket_of(const char *host)
{
	char path[PATH_MAX];
	struct stat st;

	if (stat(host, &st) < 0 || !S_ISDIR(st.st_mode))
		return xstrdup(host);
	(void)snprintf(path, sizeof(path), "%s/mysqld.sock", host);
	return xstrdup(path);
}

/* access(2) is not there after the lock-down. */
static bool can_read(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0;
}

static const char *find_ca(const struct sql_place *place)
{
	if (*place->ca)
		return place->ca;
	for (size_t i = 0; i + 1 < COUNT_OF(system_ca); i++) {
		if (can_read(system_ca[i]))
			return system_ca[i];
	}
	return system_ca[COUNT_OF(system_ca) - 1];
}

/* The account of the process, as the server knows it by a unix socket. */
static char *own_name(void)
{
	const struct passwd *own = getpwuid(geteuid());

	return xstrdup(own ? own->pw_name : "");
}

struct sql_conn *mdb_open(const struct sql_place *place, struct err *err)
{
	const char *ca = place->tls == SQL_TLS_VERIFY ? find_ca(place) : "";
	struct sql_conn *c;

	if (*ca && !can_read(ca)) {
		(void)err_set(err, EXIT_USER,
		    "%s, by which the server's certificate is verified, cannot "
		    "be read",
		    ca);
		return NULL;
	}
	c = xcalloc(1, sizeof(*c));
	if (!*place->host)
		c->socket = xstrdup(USUAL_SOCKET);
	else if (*place->host == '/')
		c->socket = socket_of(place->host);
	else
		c->host = xstrdup(place->host);
	c->port = place->port ? place->port : USUAL_PORT;
	c->database = xstrdup(place->database);
	c->user = *place->user ? xstrdup(place->user) : own_name();
	c->password = xstrdup(place->password);
	c->ca = xstrdup(ca);
	c->tls = place->tls;
	c->timeout = place->timeout;
	c->before = place->before;
	return c;
}

/* No file of ours is for the server, whatever it asks for. */
static int refuse_file(void **file, const char *name, void *ctx)
{
	(void)name;
	(void)ctx;
	*file = NULL;
	return 1;
}

static int read_no_file(void *file, char *bytes, unsigned int size)
{
	(void)file;
	(void)bytes;
	(void)size;
	return -1;
}

static void end_no_file(void *file)
{
	(void)file;
}

static int tell_no_file(void *file, char *text, unsigned int size)
{
	(void)file;
	(void)snprintf(text, size, "the server asked for a local file");
	return 1;
}

void mdb_set_options(struct sql_conn *c)
{
	const size_t stack = STACK_SIZE;
	const size_t packet = PACKET_MAX;
	const unsigned int no = 0;
	const my_bool off = 0, on = 1;
	const unsigned int protocol =
	    c->socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
	const bool sure = c->socket || c->tls == SQL_TLS_VERIFY;

	(void)mysql_options(c->my, MYSQL_OPT_NONBLOCK, &stack);
	(void)mysql_options(c->my, MYSQL_OPT_PROTOCOL, &protocol);
	(void)mysql_options(c->my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	(void)mysql_options(c->my, MYSQL_OPT_RECONNECT, &off);
	(void)mysql_options(c->my, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
	(void)mysql_options(c->my, MYSQL_OPT_LOCAL_INFILE, &no);
	mysql_set_local_infile_handler(
	    c->my, refuse_file, read_no_file, end_no_file, tell_no_file, NULL);
	(void)mysql_options(c->my, MARIADB_OPT_RESTRICTED_AUTH,
	    sure ? ALL_PROOFS : SAFE_PROOFS);
	if (c->tls != SQL_TLS_OFF)
		(void)mysql_options(c->my, MYSQL_OPT_SSL_ENFORCE, &on);
	if (c->tls == SQL_TLS_VERIFY) {
		(void)mysql_options(
		    c->my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
		(void)mysql_options(c->my, MYSQL_OPT_SSL_CA, c->ca);
	}
}

void mdb_settings(const struct sql_conn *c, char *text, size_t size)
{
	enum { SECOND = 1000, TENTHS = 10 };
	const int64_t limit = c->timeout - c->timeout / TENTHS;
	int len = snprintf(text, size,
	    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,"
	    "ERROR_FOR_DIVISION_BY_ZERO', wait_timeout = %d",
	    IDLE_SECONDS);

	if (limit > 0) {
		const int64_t lock = limit < SECOND ? 1 : limit / SECOND;

		(void)snprintf(text + len, size - (size_t)len,
		    ", lock_wait_timeout = %" PRId64
		    ", innodb_lock_wait_timeout = %" PRId64
		    " /*M!100101 , max_statement_time = %" PRId64 ".%03" PRId64
		    " */",
		    lock, lock, limit / SECOND, limit % SECOND);
	}
}

void mdb_note_number(struct sql_conn *c)
{
	enum { NANOS = 1000000000 };
	static const char before[] = "Uptime: ";
	uint32_t began;

	c->number = 0;
	if (!c->stat || strncmp(c->stat, before, strlen(before)) != 0)
		return;
	began = (uint32_t)(uv_hrtime() / NANOS -
			   strtoull(c->stat + strlen(before), NULL, 10));
	c->number = (uint64_t)began << HIGH | (uint32_t)mysql_thread_id(c->my);
}

bool mdb_is_to_kill(const struct sql_conn *c)
{
	int64_t apart =
	    (int64_t)(c->number >> HIGH) - (int64_t)(c->before >> HIGH);

	return c->before && c->number && c->before != c->number &&
	       (uint32_t)c->before != (uint32_t)c->number &&
	       apart >= -START_TOLERANCE && apart <= START_TOLERANCE;
}

void mdb_place_free(struct sql_conn *c)
{
	explicit_bzero(c->password, strlen(c->password));
	free(c->host);
	free(c->socket);
	free(c->database);
	free(c->user);
	free(c->password);
	free(c->ca);
}
