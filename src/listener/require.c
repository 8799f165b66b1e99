/* SPDX-License-Identifier: ISC */
/*
 * require - the option require-sender of a listener, compiled: which sender a
 * lease answers for. Called by: listener.c, the answerer, the keeper.
 */
#include <string.h>

#include "base/mem.h"
#include "listener.h"

/* "map" and blanks; what stands behind them, or NULL. */
static const char *map_path(const char *text)
{
	static const char word[] = "map";
	const size_t len = sizeof(word) - 1;

	if (strncmp(text, word, len) != 0 || strspn(text + len, " \t") == 0)
		return NULL;
	return text + len + strspn(text + len, " \t");
}

/* 0; -1: it is none of the words. *path_r: the map's, or NULL. */
static int read_option(
    const char *text, enum require_sender *rule_r, const char **path_r)
{
	static const struct {
		const char *word;
		enum require_sender rule;
	} words[] = { { "none", SENDER_ANY }, { "user", SENDER_USER },
		{ "domain", SENDER_DOMAIN } };

	*path_r = map_path(text);
	*rule_r = SENDER_MAP;
	if (*path_r)
		return **path_r == '/' ? 0 : -1;
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (strcmp(text, words[i].word) != 0)
			continue;
		*rule_r = words[i].rule;
		return 0;
	}
	return -1;
}

int listener_decide(const struct conf_section *conf, struct decide_options *out,
    struct err *err)
{
	const char *text = conf_string(conf, "require-sender"), *path;
	struct senders *map;
	struct err why = { 0 };

	memset(out, 0, sizeof(*out));
	out->default_domain = conf_string(conf, "default-domain");
	if (read_option(text, &out->require_sender, &path) < 0) {
		out->require_sender = SENDER_MAP; /* one that cannot be read */
		return conf_wrong(conf, err,
		    "require-sender: \"%s\": expected none, user, domain or "
		    "\"map /path/of/a/file\"",
		    text);
	}
	if (!path)
		return 0;
	map = senders_read(path, &why);
	out->senders = map;
	return map ? 0 : conf_wrong(conf, err, "require-sender: %s", why.text);
}

bool listener_has_map(const struct conf_section *conf)
{
	return map_path(conf_string(conf, "require-sender")) != NULL;
}

static int check_group(
    const struct listener *l, const struct conf_section *conf, struct err *err)
{
	struct err why = { 0 };

	if (!endpoint_is_local(&l->at) ||
	    endpoint_check_group(l->group, "group", &why) == 0)
		return 0;
	return conf_wrong(conf, err, "%s", why.text);
}

int listener_check(const struct conf_section *conf, struct err *err)
{
	struct decide_options options;
	struct listener *l = listener_new(conf, err);
	int result = l ? listener_decide(conf, &options, err) : -1;

	if (l)
		listener_decide_free(&options);
	if (result == 0)
		result = check_group(l, conf, err);
	if (result == 0 && l->kind->check)
		result = l->kind->check(conf, err);
	listener_free(&l);
	return result;
}

void listener_decide_free(struct decide_options *options)
{
	struct senders *map =
	    (struct senders *)(uintptr_t)options->senders; /* ours */

	senders_free(&map);
	options->senders = NULL;
}
