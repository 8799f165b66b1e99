/* SPDX-License-Identifier: ISC */
/*
 * queue - what relaypass-spp and relaypass-spp-queue have in common. A server
 * was started before its plugins changed the environment, and qmail-queue gets
 * the server's. So the server gets relaypass-spp-queue as its QMAILQUEUE, which
 * makes up for it and becomes the true one. Where that is qmail's own, and no
 * plugin can name another, the server runs it by itself.
 */
#ifndef SMTP_QUEUE_H
#define SMTP_QUEUE_H
#include <stdbool.h>
#include <stddef.h>

/* The number of an inherited descriptor: a memfd_create(2) that holds what
 * spp_vars_changes() gives, QMAILQUEUE and this one among it, read anew with
 * pread(2) each time. An empty one was never written, and is refused. */
#define SPP_QUEUE_FD "RELAYPASS_SPP_FD"

/* Where qmail looks, from its home, when QMAILQUEUE is not set. */
#define SPP_QUEUE_DEFAULT "bin/qmail-queue"
/* Of its mails, from its home. */
#define SPP_QUEUE_DIRECTORY "queue"

enum {
	SPP_CHANGES_MAX = 1048576, /* bytes */
	/* Exit codes: both are temporary to qmail-smtpd, with a text of their
	 * own in its reply. */
	SPP_QUEUE_UNREADABLE = 55, /* qmail-queue(8): a configuration file
				      cannot be read */
	SPP_QUEUE_NOT_RUN = 120    /* as when qmail-smtpd cannot run it */
};

/* An environment as execve(2) takes it; room counts its NULL. */
struct spp_queue_env {
	char **list;
	size_t count, room;
};

/* Whether `program` is qmail's own qmail-queue, which looks at no variable: it
 * runs as the owner of `queue`, the directory of mails (qmail's hier.c). A
 * scanner in its place is a script, a link, or has an owner of its own. */
bool spp_queue_is_qmails(const char *program, const char *queue);
/* The value of name; NULL: not set. */
const char *spp_queue_get(const struct spp_queue_env *env, const char *name);
/* Does the changes, which must outlive env. False: they are none, or there is
 * no room; some may be done. */
bool spp_queue_apply(struct spp_queue_env *env, char *changes, size_t len);
#endif
