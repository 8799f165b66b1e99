/* SPDX-License-Identifier: ISC */
/*
 * module - what needs a library that not every machine has (libpq, libmariadb,
 * SQLite, hiredis) lies in a shared object of its own, so that the core
 * installs without it. Called by: sql/, redis/, before the lock-down.
 */
#ifndef BASE_MODULE_H
#define BASE_MODULE_H
#include "err.h"

/* Every module has one, of this name and of its own version. */
struct module {
	const char *version; /* RELAYPASS_VERSION */
	const void *api;     /* what it is for */
};
#define MODULE_SYMBOL "relaypass_module"

/*
 * Loads "postgresql" from the directory of modules, for good; again: the same.
 * Looks beside the program first where that is not installed (a build
 * directory). Returns its api. NULL and *err (EXIT_USER): which file is
 * missing or of another version, and what to do.
 */
const void *module_load(const char *name, struct err *err);
#endif
