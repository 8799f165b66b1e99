/* SPDX-License-Identifier: ISC */
/*
 * client - the asking end of the ask and control protocols. Called by the
 * verbs; owns one connection. Everything that comes back is checked as a
 * stranger's.
 */
#include "client.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kv.h"
#include "base/mem.h"
#include "cli.h"

struct client {
	int fd;
	int64_t patience; /* ms; -1: for ever */
	int64_t give_up;  /* boot clock */
	bool whole;
	size_t used, taken; /* bytes in `in`, and how many were handed out */
	char in[8 * CLIENT_LINE_MAX];
};

const char *client_starter;

/* --- connecting ----------------------------------------------------------- */

/* Who may connect, in words: the group of the socket, or of the directory that
 * hides it. */
static const char *group_of(const char *path)
{
	char parent[sizeof(((struct endpoint *)0)->path)];
	struct stat st;

	if (stat(path, &st) < 0) {
		memcpy(parent, path, strlen(path) + 1);
		char *slash = strrchr(parent, '/');
		if (!slash || slash == parent)
			return NULL;
		*slash = '\0';
		if (stat(parent, &st) < 0)
			return NULL;
	}
	const struct group *group = getgrgid(st.st_gid);
	return group && st.st_gid != 0 ? group->gr_name : NULL;
}

static int explain(const struct endpoint *at, int errno_value, struct err *err)
{
	char name[128];
	const char *group;

	endpoint_print(at, name, sizeof(name));
	switch (errno_value) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		if (client_starter)
			return err_set(err, EXIT_AGAIN,
			    "nobody answers at %s: start %s first", name,
			    client_starter);
		return err_set(err, EXIT_AGAIN,
		    "nobody answers at %s: start relaypassd, or name its "
		    "configuration with -c FILE or its socket with -s SOCKET",
		    name);
	case EACCES:
	case EPERM:
		group = endpoint_is_local(at) ? group_of(at->path) : NULL;
		return err_set(err, EXIT_USER,
		    "no permission to connect to %s: become root%s%s", name,
		    group ? ", or a member of group " : "", group ? group : "");
	case EAGAIN:
	case EINPROGRESS:
	case ETIMEDOUT:
		return err_set(err, EXIT_AGAIN,
		    "%s takes no connection in time: relaypassd is overloaded "
		    "or stopped; try again",
		    name);
	default:
		return err_errno(
		    err, EXIT_AGAIN, errno_value, "cannot connect to %s", name);
	}
}

struct client *client_open(
    const struct endpoint *at, int64_t patience, bool whole, struct err *err)
{
	struct sockaddr_storage address;
	socklen_t len = endpoint_address(at, &address);
	const void *raw = &address;
	AUTO_CLOSE int fd =
	    socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = { .tv_sec = patience / 1000,
		.tv_usec = patience % 1000 * 1000 };

	if (fd < 0) {
		err_errno(err, EXIT_AGAIN, errno, "no socket");
		return NULL;
	}
	int64_t give_up = clock_now().boot + patience;
	/* It limits connect(2) too, for unix sockets with a full queue. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) <
		0 ||
	    connect(fd, raw, len) < 0) {
		explain(at, errno, err);
		return NULL;
	}
	struct client *c = xcalloc(1, sizeof(*c));
	c->fd = take_fd(&fd);
	c->patience = patience;
	c->give_up = give_up;
	c->whole = whole;
	return c;
}

void client_close(struct client **c)
{
	if (!*c)
		return;
	close((*c)->fd);
	free(*c);
	*c = NULL;
}

void client_wait_forever(struct client *c)
{
	c->patience = -1;
}

/* --- lines ---------------------------------------------------------------- */

int client_send(struct client *c, const char *line, size_t len, struct err *err)
{
	char out[CLIENT_LINE_MAX];
	size_t sent = 0;

	/* kv_put() leaves a blank behind, which the protocols do not have. */
	if (len && line[len - 1] == ' ')
		len--;
	if (len >= sizeof(out))
		return err_set(err, EXIT_USER, "the request is too long");
	memcpy(out, line, len);
	out[len++] = '\n';
	while (sent < len) {
		ssize_t n = send(c->fd, out + sent, len - sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, EXIT_AGAIN, errno,
			    "relaypassd does not take the request");
		sent += (size_t)n;
	}
	return 0;
}

/* Waits for bytes as long as patience lasts. */
static int wait_readable(struct client *c, struct err *err)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int64_t left = -1;

	for (;;) {
		if (c->patience >= 0) {
			left = c->give_up - clock_now().boot;
			left = left < 0 ? 0 : left;
		}
		int n = poll(&p, 1, (int)left);
		if (n > 0)
			return 0;
		if (n == 0)
			return err_set(err, EXIT_AGAIN,
			    "relaypassd does not answer in time; try again, "
			    "and see its log");
		if (errno != EINTR)
			return err_errno(err, EXIT_AGAIN, errno,
			    "cannot wait for relaypassd");
	}
}

/* Reads what has come. 1: something; 0: the end; -1. */
static int fill(struct client *c, struct err *err)
{
	memmove(c->in, c->in + c->taken, c->used - c->taken);
	c->used -= c->taken;
	c->taken = 0;
	if (c->used == sizeof(c->in))
		return err_set(err, EXIT_AGAIN,
		    "relaypassd answers with a "
		    "line that is too long");
	if (wait_readable(c, err) < 0)
		return -1;
	ssize_t n = recv(c->fd, c->in + c->used, sizeof(c->in) - c->used, 0);
	if (n < 0)
		return err_errno(err, EXIT_AGAIN, errno,
		    "the connection to relaypassd broke");
	c->used += (size_t)n;
	if (!c->whole && c->patience >= 0)
		c->give_up = clock_now().boot + c->patience;
	return n > 0;
}

int client_receive(
    struct client *c, char **line_r, size_t *len_r, struct err *err)
{
	size_t seen = c->taken;

	for (;;) {
		char *lf = memchr(c->in + seen, '\n', c->used - seen);
		if (lf) {
			*line_r = c->in + c->taken;
			*len_r = (size_t)(lf - *line_r);
			c->taken = (size_t)(lf + 1 - c->in);
			*lf = '\0';
			return 1;
		}
		seen = c->used - c->taken;
		int n = fill(c, err);
		if (n <= 0)
			return n;
	}
}

/* --- replies -------------------------------------------------------------- */

static bool copy_word(char *out, size_t size, const char *text, size_t len)
{
	if (len >= size)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

bool reply_parse(const char *line, size_t len, struct reply *out)
{
	struct kv_word w;
	int got;

	out->word[0] = out->topic[0] = '\0';
	out->count = 0;
	if (kv_next(&line, &len, &w) != 1 || w.key_len ||
	    !copy_word(out->word, sizeof(out->word), w.value, w.value_len))
		return false;
	while ((got = kv_next(&line, &len, &w)) == 1) {
		size_t used;
		if (!w.key_len) {
			if (out->topic[0] || out->count ||
			    !copy_word(out->topic, sizeof(out->topic), w.value,
				w.value_len))
				return false;
			continue;
		}
		if (out->count == REPLY_PAIRS_MAX)
			return false;
		struct reply_pair *pair = &out->pairs[out->count];
		if (!copy_word(
			pair->key, sizeof(pair->key), w.key, w.key_len) ||
		    !kv_decode(w.value, w.value_len, pair->value,
			sizeof(pair->value), &used))
			return false;
		out->count++;
	}
	return got == 0;
}

const char *reply_value(const struct reply *r, const char *key)
{
	for (size_t i = 0; i < r->count; i++) {
		if (strcmp(r->pairs[i].key, key) == 0)
			return r->pairs[i].value;
	}
	return NULL;
}

int64_t reply_number(const struct reply *r, const char *key)
{
	const char *text = reply_value(r, key);
	char *end;

	if (!text)
		return 0;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	return errno || end == text || *end ? 0 : n;
}

/* "error TEXT" to *err; TEXT may quote what a stranger wrote. */
static int tell_error(const char *line, size_t len, struct err *err)
{
	char text[300];
	static const char word[] = "error ";

	if (len < sizeof(word) || memcmp(line, word, sizeof(word) - 1) != 0)
		return err_set(err, EXIT_AGAIN,
		    "relaypassd answers in another way than this program "
		    "knows: are both of version " RELAYPASS_VERSION "?");
	cli_safe(line + sizeof(word) - 1, len - (sizeof(word) - 1), text,
	    sizeof(text));
	return err_set(err, EXIT_AGAIN, "%s", text);
}

int client_ask(struct client *c, const char *line, size_t len,
    client_row_fn *fn, void *ctx, struct reply *last, struct err *err)
{
	char *got;
	size_t got_len;
	int n;

	if (client_send(c, line, len, err) < 0)
		return -1;
	while ((n = client_receive(c, &got, &got_len, err)) == 1) {
		if (!reply_parse(got, got_len, last) ||
		    strcmp(last->word, "error") == 0)
			return tell_error(got, got_len, err);
		if (strcmp(last->word, "ok") == 0 ||
		    strcmp(last->word, "no") == 0)
			return 0;
		if (fn)
			fn(ctx, last);
	}
	if (n == 0)
		err_set(err, EXIT_AGAIN,
		    "relaypassd closed the connection before its answer was "
		    "whole; see its log");
	return -1;
}
