/* SPDX-License-Identifier: ISC */
/*
 * cli - what the verbs share: options, text, requests. Called by the verbs and
 * client.c. Where sockets are is in place.c.
 */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/kv.h"
#include "base/mem.h"
#include "login/login.h"

/* --- options -------------------------------------------------------------- */

static const struct cli_option *find_option(
    const struct cli_option *options, const char *arg, size_t len)
{
	bool is_long = arg[1] == '-';

	for (const struct cli_option *o = options; o->name; o++) {
		if (is_long && strlen(o->name) == len - 2 &&
		    memcmp(o->name, arg + 2, len - 2) == 0)
			return o;
		if (!is_long && o->letter && o->letter == arg[1])
			return o;
	}
	return NULL;
}

/* Takes the option at argv[i]. Returns how many words it is, -1: a mistake. */
static int take_option(int i, int argc, char **argv,
    const struct cli_option *options, struct err *why)
{
	const char *arg = argv[i];
	const char *equals = arg[1] == '-' ? strchr(arg, '=') : NULL;
	size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
	const struct cli_option *o = find_option(options, arg, len);
	const char *stuck = equals ? equals + 1 : NULL;
	char shown[80];

	if (o && arg[1] != '-' && arg[2])
		stuck = arg + 2;
	if (!o && strncmp(arg, "-c", 2) == 0)
		return err_set(
		    why, EXIT_USER, "-c FILE stands before the verb");
	if (!o || (o->flag && stuck))
		return err_set(why, EXIT_USER, "option %s is not known",
		    cli_safe(arg, len, shown, sizeof(shown)));
	if (o->flag) {
		*o->flag = true;
		return 1;
	}
	if (!stuck && i + 1 == argc)
		return err_set(why, EXIT_USER, "option %s wants a value", arg);
	*o->value = stuck ? stuck : argv[i + 1];
	return stuck ? 1 : 2;
}

int cli_options(int argc, char **argv, const struct cli_option *options,
    const char **rest, int most, struct err *why)
{
	bool over = false; /* "--" was there */
	char shown[80];
	int count = 0;

	for (int i = 1; i < argc;) {
		const char *arg = argv[i];
		if (!over && arg[0] == '-' && arg[1]) {
			over = strcmp(arg, "--") == 0;
			int n =
			    over ? 1 : take_option(i, argc, argv, options, why);
			if (n < 0)
				return -1;
			i += n;
			continue;
		}
		if (count == most)
			return err_set(why, EXIT_USER, "\"%s\" is too much",
			    cli_safe(arg, strlen(arg), shown, sizeof(shown)));
		rest[count++] = arg;
		i++;
	}
	return count;
}

/* --- errors, text --------------------------------------------------------- */

int cli_fail(const struct err *err)
{
	char text[2 * sizeof(err->text)];

	/* Messages may quote files and names; the terminal gets no byte that
	 * it could obey. */
	cli_safe(err->text, strlen(err->text), text, sizeof(text));
	fflush(stdout);
	fprintf(stderr, "relaypass: %s\n", text);
	return err->code ? err->code : EXIT_BUG;
}

int cli_usage(const struct verb *verb, const struct err *why)
{
	cli_fail(why);
	fprintf(stderr, "usage: relaypass [-c FILE] %s\n", verb->usage);
	return EXIT_USER;
}

const char *cli_safe(const char *text, size_t len, char *out, size_t size)
{
	static const char digits[] = "0123456789abcdef", cut[] = "...";
	size_t used = 0, safe = 0; /* safe: "..." still fits behind it */

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool plain = c >= ' ' && c <= '~' && c != '\\';
		if (used + (plain ? 1 : 4) >= size) {
			if (size >= sizeof(cut)) {
				memcpy(out + safe, cut, sizeof(cut));
				return out;
			}
			break;
		}
		out[used++] = plain ? (char)c : '\\';
		if (!plain) {
			out[used++] = 'x';
			out[used++] = digits[c >> 4];
			out[used++] = digits[c & 15];
		}
		if (used + sizeof(cut) <= size)
			safe = used;
	}
	out[used] = '\0';
	return out;
}

const char *cli_span(int64_t seconds, char out[static CLI_SPAN_SIZE])
{
	long long s = seconds > 0 ? seconds : 0;

	if (s < 60)
		snprintf(out, CLI_SPAN_SIZE, "%llds", s);
	else if (s < 3600)
		snprintf(out, CLI_SPAN_SIZE, "%lldm%02llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(
		    out, CLI_SPAN_SIZE, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		snprintf(out, CLI_SPAN_SIZE, "%lldd%02lldh", s / 86400,
		    s / 3600 % 24);
	return out;
}

int cli_verdict(const char *word)
{
	if (strcmp(word, "allow") == 0)
		return EXIT_YES;
	return strcmp(word, "none") == 0 ? EXIT_NO : EXIT_AGAIN;
}

int cli_done(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "relaypass: cannot write the output: %s\n",
	    strerror(errno));
	return EXIT_AGAIN;
}

/* --- requests ------------------------------------------------------------- */

void request_begin(struct request *r, const char *verb)
{
	int n = snprintf(r->line, sizeof(r->line), "%s ", verb);

	r->err.code = 0;
	r->used = (size_t)n;
	must(r->used < sizeof(r->line));
}

void request_put(struct request *r, const char *key, const char *value)
{
	char shown[80];

	if (!value || r->err.code)
		return;
	if (strpbrk(value, "\r\n"))
		err_set(&r->err, EXIT_USER, "%s \"%s\" holds a line end", key,
		    cli_safe(value, strlen(value), shown, sizeof(shown)));
	/* The LF needs a byte too. */
	else if (!kv_put(r->line, sizeof(r->line) - 1, &r->used, key, value))
		err_set(&r->err, EXIT_USER, "%s is too long", key);
}

void request_put_addr(struct request *r, const char *key, const char *text)
{
	char canonical[ADDR_TEXT_SIZE], shown[80];
	struct addr a;

	if (!text || r->err.code)
		return;
	if (!addr_parse(text, strlen(text), &a)) {
		err_set(&r->err, EXIT_USER,
		    "\"%s\" is not an IP address; wanted is one like 192.0.2.7 "
		    "or 2001:db8::7, without name, port or prefix",
		    cli_safe(text, strlen(text), shown, sizeof(shown)));
		return;
	}
	size_t len = addr_print(&a, canonical);
	if (key) {
		request_put(r, key, canonical);
		return;
	}
	must(r->used + len + 1 < sizeof(r->line));
	memcpy(r->line + r->used, canonical, len);
	r->used += len;
	r->line[r->used++] = ' ';
}

void request_put_user(struct request *r, const char *text)
{
	if (text && strlen(text) > LOGIN_USER_MAX && !r->err.code)
		err_set(&r->err, EXIT_USER,
		    "the user's name has more than %d bytes", LOGIN_USER_MAX);
	request_put(r, "user", text);
}

void request_put_duration(struct request *r, const char *key, const char *text)
{
	char seconds[24], shown[80];
	int64_t ms;

	if (!text || r->err.code)
		return;
	if (!duration_parse(text, &ms) || ms <= 0) {
		err_set(&r->err, EXIT_USER,
		    "%s: \"%s\" is no duration; wanted is one like 90s, 30m, "
		    "1h, 2d or plain seconds",
		    key, cli_safe(text, strlen(text), shown, sizeof(shown)));
		return;
	}
	snprintf(seconds, sizeof(seconds), "%lld", (long long)(ms / 1000));
	request_put(r, key, seconds);
}
