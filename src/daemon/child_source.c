/* SPDX-License-Identifier: ISC */
/*
 * child_source - what the process of a source does whatever its way of reading.
 */
#include "child_source.h"

#include <string.h>

#include "base/log.h"
#include "enter.h"
#include "pattern/file.h"

const struct source_kind *child_kind(const struct child_env *env)
{
	return source_kind_find(conf_kind(env->source));
}

static void tell_unknown_user(
    void *ctx, const struct pattern_file *f, int line, const char *name)
{
	char path[1000], user[200];

	(void)ctx;
	log_warn(LOG_PATTERN, "file=%s line=%d unknown-user=%s",
	    log_quote(f->path, strlen(f->path), path, sizeof(path)), line,
	    log_quote(name, strlen(name), user, sizeof(user)));
}

struct patterns *child_patterns(const struct child_env *env, struct err *err)
{
	struct patterns *p = source_patterns(env->conf, env->source, err);

	if (!p)
		return NULL;
	log_info(LOG_PATTERN, "servers=%zu jit=%s", patterns_count(p),
	    patterns_have_jit(p) ? "yes" : "no");
	for (size_t i = 0; i < patterns_count(p); i++)
		(void)pattern_file_unknown_users(
		    patterns_file(p, i), tell_unknown_user, NULL);
	return p;
}

int child_enter_source(const struct child_env *env, struct err *err)
{
	const struct source_kind *kind = child_kind(env);

	if (kind->prepare)
		kind->prepare(env->source);
	return enter_source(env->source, err);
}

void child_count(const struct child_env *env, const struct source *source)
{
	const struct source_kind *kind = child_kind(env);
	struct board_slot *slot = env->slot;
	struct matcher_counts n;

	if (!kind->counts)
		return;
	kind->counts(source, &n);
	atomic_store_explicit(&slot->lines, n.lines, memory_order_relaxed);
	atomic_store_explicit(&slot->logins, n.logins, memory_order_relaxed);
	atomic_store_explicit(&slot->logouts, n.logouts, memory_order_relaxed);
	atomic_store_explicit(&slot->odd, n.odd, memory_order_relaxed);
	atomic_store_explicit(&slot->refused, n.refused, memory_order_relaxed);
}
