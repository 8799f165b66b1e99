/* SPDX-License-Identifier: ISC */
/*
 * queue - see queue.h. No memory is asked for: a program starts for each
 * message, and its first malloc(3) would cost it a fourth of its time.
 */
#include "queue.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* No interpreter reads a script that we cannot read: its rights are ours. */
static bool is_script(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	char magic[SELFMAG];
	bool elf;

	if (fd < 0)
		return errno != EACCES;
	elf = read(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) &&
	      memcmp(magic, ELFMAG, sizeof(magic)) == 0;
	(void)close(fd);
	return !elf;
}

bool spp_queue_is_qmails(const char *program, const char *queue)
{
	struct stat p, q;

	return lstat(program, &p) == 0 && S_ISREG(p.st_mode) &&
	       (p.st_mode & S_ISUID) && stat(queue, &q) == 0 &&
	       S_ISDIR(q.st_mode) && p.st_uid == q.st_uid &&
	       !is_script(program);
}

static bool is_of(const char *entry, const char *name, size_t len)
{
	return strncmp(entry, name, len) == 0 && entry[len] == '=';
}

const char *spp_queue_get(const struct spp_queue_env *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < env->count; i++)
		if (is_of(env->list[i], name, len))
			return env->list[i] + len + 1;
	return NULL;
}

static void drop(struct spp_queue_env *env, const char *name, size_t len)
{
	size_t kept = 0;

	for (size_t i = 0; i < env->count; i++)
		if (!is_of(env->list[i], name, len))
			env->list[kept++] = env->list[i];
	env->count = kept;
}

bool spp_queue_apply(struct spp_queue_env *env, char *changes, size_t len)
{
	if (len > 0 && changes[len - 1] != '\0')
		return false;
	for (size_t at = 0; at < len; at += strlen(changes + at) + 1) {
		char *change = changes + at;
		size_t name_len = strcspn(change, "=");

		if (name_len == 0)
			return false;
		drop(env, change, name_len);
		if (change[name_len] != '=')
			continue;
		if (env->count + 1 >= env->room)
			return false;
		env->list[env->count++] = change;
	}
	env->list[env->count] = NULL;
	return true;
}
