/* SPDX-License-Identifier: ISC */
/*
 * module - what unit/test_module.c loads: VERSION is the version it claims to
 * be of; without it, no module at all.
 */
#include "base/module.h"

#ifdef VERSION
extern const struct module relaypass_module;
const struct module relaypass_module = { VERSION, "its api" };
#else
extern const int no_module;
const int no_module = 1;
#endif
