/* SPDX-License-Identifier: ISC */
/*
 * relay_ctrl - the export kind "relay-ctrl": the directory that
 * relay-ctrl-allow would write, for relay-ctrl-check and what else reads it. A
 * file for each leased address; in it USER=name and DOMAIN=name, a NUL behind
 * each; its mtime is the login's time.
 *
 * relay-ctrl-check puts all of it into the environment of the SMTP server: so
 * nothing but these two ever comes into a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "folder.h"
#include "whole.h"

#define TEMPORARY ".relaypass-"

enum {
	HOST_BITS = 128,
	MODE = 0644,
	TEXT_MAX = 2 * LOGIN_USER_MAX + 32,
	MS = 1000,
	NS_PER_MS = 1000000
};

static const struct option relay_ctrl_options[] = {
	{ "path", OPTION_PATH, NULL, 0, 0, NULL,
	    "The directory, RELAY_CTRL_DIR of its readers. It must be there, "
	    "and writable for the account and for nobody else." },
	WHOLE_ACCOUNT_OPTION,
	{ "expiry", OPTION_DURATION, "0", 0, 0, NULL,
	    "RELAY_CTRL_EXPIRY of the readers: a file's time is then the end "
	    "of the lease less this, so that they see it end when it does. 0: "
	    "the time is that of the last login." },
	OPTION_END
};

struct export
{
	int64_t expiry;
	char temporary[sizeof(TEMPORARY) + CLOCK_TEXT_SIZE];
	struct folder *folder;
};

static size_t names_of(
    const struct lease *lease, char out[FOLDER_NAMES][FOLDER_NAME_SIZE])
{
	if (lease->bits != HOST_BITS)
		return 0;
	(void)addr_print(&lease->addr, out[0]);
	return 1;
}

static bool parse_name(const char *name, struct addr *out)
{
	return addr_parse(name, strlen(name), out);
}

static bool is_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == '\x7f')
			return false;
	return true;
}

/* USER and DOMAIN, or nothing for a name that is no plain word. */
static size_t content_of(const struct lease *lease, char out[static TEXT_MAX])
{
	const char *at = memrchr(lease->user, '@', lease->user_len);
	size_t user_len = at ? (size_t)(at - lease->user) : lease->user_len;
	int len;

	if (!user_len || !is_plain(lease->user, lease->user_len))
		return 0;
	len = snprintf(out, TEXT_MAX, "USER=%.*s", (int)user_len, lease->user);
	if (at)
		len += 1 + snprintf(out + len + 1, TEXT_MAX - (size_t)len - 1,
			       "DOMAIN=%.*s",
			       (int)(lease->user_len - user_len - 1), at + 1);
	return (size_t)len + 1;
}

static struct timespec time_of(
    const struct export *e, const struct lease *lease)
{
	int64_t ms =
	    e->expiry ? lease->end.wall - e->expiry : lease->last_login;

	return (struct timespec){ .tv_sec = ms / MS,
		.tv_nsec = ms % MS * NS_PER_MS };
}

static bool is_there(
    int directory, const char *name, struct timespec when, size_t len)
{
	struct stat st;

	return fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && (size_t)st.st_size == len &&
	       st.st_mtim.tv_sec == when.tv_sec &&
	       st.st_mtim.tv_nsec == when.tv_nsec;
}

static int put_file(
    void *ctx, int directory, const char *name, const struct lease *lease)
{
	const struct export *e = ctx;
	const struct timespec when = time_of(e, lease);
	const struct timespec times[2] = { when, when };
	char content[TEXT_MAX];
	size_t len = content_of(lease, content);
	int saved;
	AUTO_CLOSE int fd = -1;

	/* Same time, same login: a snapshot writes nothing anew. */
	if (is_there(directory, name, when, len))
		return 0;
	(void)unlinkat(directory, e->temporary, 0);
	fd = openat(directory, e->temporary,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
	if (fd < 0)
		return -1;
	errno = 0;
	if (write(fd, content, len) == (ssize_t)len && fchmod(fd, MODE) == 0 &&
	    futimens(fd, times) == 0 &&
	    renameat(directory, e->temporary, directory, name) == 0)
		return 0;
	saved = errno;
	(void)unlinkat(directory, e->temporary, 0);
	errno = saved ? saved : ENOSPC;
	return -1;
}

static struct export *relay_ctrl_open(const struct export_env *env,
    const struct conf_section *conf, struct err *err)
{
	struct export *e = xcalloc(1, sizeof(*e));
	const struct folder_kind kind = { .names = names_of,
		.put = put_file,
		.parse = parse_name,
		.temporary = e->temporary,
		.ctx = e };

	e->expiry = conf_number(conf, "expiry");
	(void)snprintf(
	    e->temporary, sizeof(e->temporary), TEMPORARY "%s", env->name);
	e->folder = folder_open(env, conf, &kind, err);
	if (e->folder)
		return e;
	free(e);
	return NULL;
}

static void relay_ctrl_apply(struct export *e, const struct export_slice *slice)
{
	folder_apply(e->folder, slice);
}

static void relay_ctrl_close(struct export **ep)
{
	if (*ep)
		folder_close(&(*ep)->folder);
	free(*ep);
	*ep = NULL;
}

const struct export_kind export_relay_ctrl = {
	.name = "relay-ctrl",
	.help = "Keeps a relay-ctrl directory, a file for each leased address.",
	.role = ROLE_WRITER,
	.options = relay_ctrl_options,
	.whole = true,
	.needs = folder_needs,
	.look = folder_look,
	.open = relay_ctrl_open,
	.apply = relay_ctrl_apply,
	.close = relay_ctrl_close,
};
