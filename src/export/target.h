/* SPDX-License-Identifier: ISC */
/*
 * target - one file, written whole: beside it under another name, then renamed
 * over it. Whoever opens it finds the old or the new one, never half of either,
 * whatever ends us. When the disk is full the old one stays.
 *
 * The temporary file is .NAME.OWNER.new in the same directory, where OWNER is
 * the export's title: one of a process that died is removed, and two exports
 * never write to one file.
 */
#ifndef EXPORT_TARGET_H
#define EXPORT_TARGET_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct target;

enum {
	TARGET_MODE_KEEP = -1
}; /* as the old file has it; 0644: there is none */

/* Opens the directory and removes an old temporary file; before the lock-down.
 * A directory that everybody may write to is refused: whoever can rename there
 * can relay. */
struct target *target_open(
    const char *path, const char *owner, int mode, struct err *err);
void target_close(struct target **t);
/* An empty temporary file; what it gets is read by target_fd(). */
int target_begin(struct target *t, struct err *err);
/* The temporary file, for those who write by other means: open, and its path
 * (borrowed). It has to stay the same inode. */
int target_fd(const struct target *t);
const char *target_temporary(const struct target *t);
/* Appends; a failure is kept and told by target_commit(). */
void target_put(struct target *t, const char *bytes, size_t len);
/* Brings it, durably. -1: the old file is as it was. */
int target_commit(struct target *t, struct err *err);
/* Throws it away. Nothing to do when there is none. */
void target_abort(struct target *t);
/* True once: the new file could not be given the group of the old one. */
bool target_lost_group(struct target *t);

/* Opens a directory as target_open() does; the file or directory at `path` has
 * to be in it. */
int target_directory(const char *path, struct err *err);
/* The same for a file that is changed where it is: the account need not have a
 * right in its directory, and is not told to have it. */
int target_directory_of_others(const char *path, struct err *err);
/* Whether `path`, in this open directory, can be replaced: it is a plain file,
 * or nothing is there. -1 and *err. */
int target_look(const char *path, int directory, struct err *err);
/* "/a" of "/a/b"; "/" of "/b". At most size - 1 bytes. */
void target_parent(const char *path, char *out, size_t size);
#endif
