/* SPDX-License-Identifier: ISC */
/*
 * version - `relaypass version`: what this is made of, for bug reports.
 */
#include <stdio.h>
#include <string.h>

#include <seccomp.h>
#include <uv.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "cli.h"
#include "jsonl.h"
#include "pattern/pattern.h"

/* Libraries that belong to one room each: what the build found. */
#ifndef BUILT_WITH_LMDB
#define BUILT_WITH_LMDB    "unknown"
#define BUILT_WITH_PCRE2   "unknown"
#define BUILT_WITH_CONFUSE "unknown"
#endif

/* Compiled in is not enough: a hardened system may refuse memory that can be
 * run. */
static bool jit_works(void)
{
	const struct patterns_options options = { 0 };
	struct patterns *p = patterns_open(&options, NULL);
	bool works = p && patterns_have_jit(p);

	patterns_close(&p);
	return works;
}

static void seccomp_text(char out[static 64])
{
	const struct scmp_version *v = seccomp_version();

	snprintf(out, 64, "%u.%u.%u", v->major, v->minor, v->micro);
}

extern const struct verb verb_version;

static int run(const struct verb_env *env, int argc, char **argv)
{
	bool json = env->json;
	const struct cli_option options[] = {
		{ "json", 0, NULL, &json },
		{ 0 },
	};
	char seccomp[64];
	struct err err = { 0 };

	if (cli_options(argc, argv, options, NULL, 0, &err) < 0)
		return cli_usage(&verb_version, &err);
	seccomp_text(seccomp);
	const char *const rows[][2] = {
		{ "relaypass", RELAYPASS_VERSION },
		{ "lmdb", BUILT_WITH_LMDB },
		{ "libuv", uv_version_string() },
		{ "pcre2", BUILT_WITH_PCRE2 },
		{ "pcre2 jit", jit_works() ? "yes" : "no" },
		{ "libconfuse", BUILT_WITH_CONFUSE },
		{ "jansson", jansson_version_str() },
		{ "libseccomp", seccomp },
		{ "zlib", zlibVersion() },
		{ "zstd", ZSTD_versionString() },
	};
	json_t *object = json_object();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		jsonl_put(object, rows[i][0], rows[i][1]);
		if (!json)
			printf("%s %s\n", rows[i][0], rows[i][1]);
	}
	if (json)
		jsonl_print(object);
	else
		json_decref(object);
	return cli_done(EXIT_YES);
}

const struct verb verb_version = {
	.name = "version",
	.usage = "version [--json]",
	.help = "Print the version and those of the libraries.",
	.run = run,
};
