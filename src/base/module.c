/* SPDX-License-Identifier: ISC */
/*
 * module - see the header.
 */
#include "module.h"

#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* BUILD/src/modules/NAME.so for BUILD/src/cmd/relaypassd and for
 * BUILD/tests/unit/test_x; "" when nothing is there. */
static void find_beside(const char *name, char *out, size_t size)
{
	static const char *const ways[] = { "../modules", "../../src/modules" };
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	*out = '\0';
	if (n <= 0)
		return;
	self[n] = '\0';
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		char path[PATH_MAX];

		memcpy(path, self, (size_t)n + 1);
		(void)snprintf(
		    out, size, "%s/%s/%s.so", dirname(path), ways[i], name);
		if (access(out, R_OK) == 0)
			return;
	}
	*out = '\0';
}

const void *module_load(const char *name, struct err *err)
{
	char path[2 * PATH_MAX];
	const struct module *m;
	void *handle;

	find_beside(name, path, sizeof(path));
	if (!*path)
		(void)snprintf(
		    path, sizeof(path), "%s/%s.so", RELAYPASS_MODULES, name);
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!handle) {
		(void)err_set(err, EXIT_USER,
		    "the module \"%s\" cannot be loaded: %s; build relaypass "
		    "where its library is installed (see INSTALL)",
		    name, dlerror());
		return NULL;
	}
	m = dlsym(handle, MODULE_SYMBOL);
	if (m && strcmp(m->version, RELAYPASS_VERSION) == 0)
		return m->api;
	(void)err_set(err, EXIT_USER,
	    "%s is of another version than this program (" RELAYPASS_VERSION
	    "); install both from one build",
	    path);
	return NULL;
}
