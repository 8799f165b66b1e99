/* SPDX-License-Identifier: ISC */
/*
 * relaypass-settings - see the header. Dovecot 2.4 only: linked into the plugin
 * and, as librelaypass_settings.so, loaded by doveconf and the config process.
 */
#include "config.h"

#include "lib.h"

#include "settings-parser.h"

#include "relaypass-settings.h"

#undef DEF
#define DEF(name)                                                              \
	SETTING_DEFINE_STRUCT_STR(#name, name, struct relaypass_settings)

static const struct setting_define relaypass_setting_defines[] = {
	DEF(relaypass_socket),
	DEF(relaypass_interval),
	DEF(relaypass_login),
	DEF(dracdserver),
	DEF(dracdtimeout),
	SETTING_DEFINE_LIST_END,
};

static const struct relaypass_settings relaypass_default_settings = {
	.relaypass_socket = "",
	.relaypass_interval = "",
	.relaypass_login = "",
	.dracdserver = "",
	.dracdtimeout = "",
};

const struct setting_parser_info relaypass_setting_parser_info = {
	.name = "relaypass",
	.defines = relaypass_setting_defines,
	.defaults = &relaypass_default_settings,
	.struct_size = sizeof(struct relaypass_settings),
	.pool_offset1 = 1 + offsetof(struct relaypass_settings, pool),
};

extern const char *relaypass_settings_version;
extern const struct setting_parser_info *relaypass_settings_set_infos[];
const char *relaypass_settings_version = DOVECOT_ABI_VERSION;
const struct setting_parser_info *relaypass_settings_set_infos[] = {
	&relaypass_setting_parser_info,
	NULL,
};
