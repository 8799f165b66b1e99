/* SPDX-License-Identifier: ISC */
/*
 * vars - see vars.h. A list that is searched from its beginning: it has some
 * forty entries, and those that nobody changed are not copied.
 */
#include "vars.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { GROW = 16 };

struct var {
	char *text; /* "NAME=VALUE" */
	size_t name_len;
	bool own; /* text is to be freed */
	bool changed, is_set;
};

struct spp_vars {
	struct var *list;
	size_t count, room, changed;
	size_t bytes; /* of all that were set here */
	char **env;   /* NULL: to be made */
};

static struct var *find(
    const struct spp_vars *v, const char *name, size_t name_len)
{
	for (size_t i = 0; i < v->count; i++) {
		struct var *var = &v->list[i];
		if (var->name_len == name_len &&
		    memcmp(var->text, name, name_len) == 0)
			return var;
	}
	return NULL;
}

static struct var *add(struct spp_vars *v)
{
	if (v->count == v->room) {
		v->room += GROW;
		v->list = xrealloc(v->list, v->room, sizeof(*v->list));
	}
	v->list[v->count] = (struct var){ 0 };
	return &v->list[v->count++];
}

struct spp_vars *spp_vars_new(char *const *env)
{
	struct spp_vars *v = xcalloc(1, sizeof(*v));

	while (env[v->room])
		v->room++;
	v->room += GROW;
	v->list = xcalloc(v->room, sizeof(*v->list));
	for (; *env; env++) {
		size_t len = strcspn(*env, "=");
		if (len == 0 || (*env)[len] != '=' || find(v, *env, len))
			continue;
		struct var *var = add(v);
		var->text = *env;
		var->name_len = len;
		var->is_set = true;
	}
	return v;
}

void spp_vars_free(struct spp_vars **vp)
{
	struct spp_vars *v = take_ptr(vp);

	if (!v)
		return;
	for (size_t i = 0; i < v->count; i++)
		if (v->list[i].own)
			free(v->list[i].text);
	free(v->list);
	free(v->env);
	free(v);
}

const char *spp_vars_get(const struct spp_vars *v, const char *name)
{
	const struct var *var = find(v, name, strlen(name));

	return var && var->is_set ? var->text + var->name_len + 1 : NULL;
}

/* The environment must be made anew. */
static void forget_env(struct spp_vars *v)
{
	free(v->env);
	v->env = NULL;
}

static void changed(struct spp_vars *v, struct var *var)
{
	v->changed += !var->changed;
	var->changed = true;
	forget_env(v);
}

static char *entry(
    const char *name, size_t name_len, const char *value, size_t value_len)
{
	char *text = xmalloc(name_len + value_len + 2);

	memcpy(text, name, name_len);
	text[name_len] = '=';
	memcpy(text + name_len + 1, value, value_len);
	text[name_len + 1 + value_len] = '\0';
	return text;
}

static size_t own_bytes(const struct var *var)
{
	return var && var->own ? strlen(var->text) + 1 : 0;
}

bool spp_vars_set(struct spp_vars *v, const char *name, const char *value)
{
	size_t name_len = strlen(name), value_len = strlen(value);
	struct var *var = find(v, name, name_len);
	size_t bytes = v->bytes - own_bytes(var);

	if (name_len + value_len > SPP_VARS_MAX - 2 ||
	    bytes > SPP_VARS_MAX - 2 - name_len - value_len ||
	    (!(var && var->changed) && v->changed == SPP_VARS_COUNT))
		return false;
	/* The value may be the old one. */
	char *text = entry(name, name_len, value, value_len);
	if (!var)
		var = add(v);
	if (var->own)
		free(var->text);
	var->text = text;
	var->name_len = name_len;
	var->own = var->is_set = true;
	v->bytes = bytes + name_len + value_len + 2;
	changed(v, var);
	return true;
}

void spp_vars_unset(struct spp_vars *v, const char *name)
{
	struct var *var = find(v, name, strlen(name));

	if (!var || !var->is_set)
		return;
	/* The entry stays, as one that is not set. */
	var->is_set = false;
	changed(v, var);
}

void spp_vars_mark(struct spp_vars *v, const char *name)
{
	size_t len = strlen(name);
	struct var *var = find(v, name, len);

	if (!var) {
		var = add(v);
		var->text = entry(name, len, "", 0);
		var->own = true;
		var->name_len = len;
		v->bytes += own_bytes(var);
	}
	changed(v, var);
}

char *const *spp_vars_environ(struct spp_vars *v)
{
	size_t used = 0;

	if (v->env)
		return v->env;
	v->env = xcalloc(v->count + 1, sizeof(*v->env));
	for (size_t i = 0; i < v->count; i++)
		if (v->list[i].is_set)
			v->env[used++] = v->list[i].text;
	return v->env;
}

/* With its NUL, as it stands in the changes. */
static size_t change_length(const struct var *var)
{
	return (var->is_set ? strlen(var->text) : var->name_len) + 1;
}

size_t spp_vars_changes(const struct spp_vars *v, char **out)
{
	size_t len = 0, at = 0;

	for (size_t i = 0; i < v->count; i++)
		if (v->list[i].changed)
			len += change_length(&v->list[i]);
	char *bytes = xmalloc(len);
	for (size_t i = 0; i < v->count; i++) {
		const struct var *var = &v->list[i];
		if (!var->changed)
			continue;
		size_t n = change_length(var);
		memcpy(bytes + at, var->text, n - 1);
		bytes[at + n - 1] = '\0';
		at += n;
	}
	*out = bytes;
	return len;
}
