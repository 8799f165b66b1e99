/* SPDX-License-Identifier: ISC */
/*
 * relaypass-settings - the plugin's settings for Dovecot 2.4, which knows no
 * plugin section. All are texts, read as under 2.3.
 */
#ifndef RELAYPASS_SETTINGS_H
#define RELAYPASS_SETTINGS_H

struct relaypass_settings {
	pool_t pool;
	const char *relaypass_socket;
	const char *relaypass_interval;
	const char *relaypass_login;
	const char *dracdserver;
	const char *dracdtimeout;
};

extern const struct setting_parser_info relaypass_setting_parser_info;

#endif
