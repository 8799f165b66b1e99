/* SPDX-License-Identifier: ISC */
/*
 * session_mail - MAIL and RCPT: an address is read once, shown to the plugins,
 * judged, and printed anew for the server.
 */
#include <stdio.h>
#include <string.h>

#include "judge.h"
#include "run_ask.h"
#include "session_private.h"

enum { LINE_SIZE = SPP_PRINTED_SIZE + SPP_PARAMETERS_MAX + 32 };

static const char bad_syntax[] = "555 syntax error (#5.5.4)";

static enum spp_next say_parameters(struct spp_session *s, int code)
{
	return spp_say(
	    s, code == SPP_BAD_PARAMETER
		   ? "501 those parameters are malformed (#5.5.4)"
		   : "555 a parameter that was not offered (#5.5.4)");
}

/* command: with its "<". */
static void print_command(const char *command, const struct spp_address *a,
    const char *parameters, char out[static LINE_SIZE])
{
	size_t len = run_append(out, 0, command);

	len += spp_address_print(a, out + len);
	len = run_append(out, len, ">");
	(void)run_append(out, len, parameters);
}

enum spp_next spp_do_mail(struct spp_session *s, const struct spp_line *line)
{
	struct spp_address sender;
	char parameters[SPP_PARAMETERS_MAX], said[LINE_SIZE];
	const char *rest;
	enum spp_result r;
	enum spp_next next;
	int code = 0;

	if (!spp_path_read(line->arg, line->len, &sender, &rest))
		return spp_say(s, bad_syntax);
	if (!spp_parameters_print(rest, line->len - (size_t)(rest - line->arg),
		SPP_C_MAIL, parameters, &code))
		return say_parameters(s, code);
	spp_lease_is_due(s);
	if (spp_hook_stops(s, SPP_MAIL, &sender, &r, &next))
		return next;
	print_command("MAIL FROM:<", &sender, parameters, said);
	if (!spp_server_ask(&s->server, said))
		return spp_say_gone(s);
	if (spp_server_class(&s->server) == 2) {
		s->mail = true;
		s->recipients = 0;
		spp_remember(s, s->hello_len, said);
	}
	return spp_say_reply(s);
}

/* Where qmail-send would see another address in it: qmail-send(8), percenthack;
 * where another server could see one. */
static bool is_routed(const struct spp_session *s, const struct spp_address *a)
{
	const char *domain = spp_address_domain(a);

	if (!spp_address_is_routed(a))
		return false;
	if (s->options->local_domains)
		return true;
	/* Without a domain, control/envnoathost's is put behind it. */
	return s->env->percent && spp_hosts_have(s->env->percent, domain);
}

/* False: it would be too long. */
static bool append(struct spp_address *a, const char *suffix)
{
	char text[2 * SPP_ADDRESS_MAX];
	int len = snprintf(text, sizeof(text), "%s%s", a->text, suffix);

	return len >= 0 && (size_t)len < sizeof(text) &&
	       spp_address_set(text, (size_t)len, a);
}

static enum spp_next refuse(struct spp_session *s, const struct spp_address *to)
{
	if (s->options->verbose)
		spp_log(s, "may not relay", to->text);
	return spp_say(s, "553 sorry, that domain isn't in my list of "
			  "allowed rcpthosts (#5.7.1)");
}

static enum spp_next tell_server(struct spp_session *s,
    const struct spp_address *to, const char *parameters, bool relays)
{
	char said[LINE_SIZE];

	print_command("RCPT TO:<", to, parameters, said);
	if (relays && spp_log_in(s) == SPP_END)
		return SPP_END;
	if (s->options->connect && !s->logged_in &&
	    s->said_len + sizeof(said) > sizeof(s->said))
		return spp_say(s, "452 too many recipients (#4.5.3)");
	if (!spp_server_ask(&s->server, said))
		return spp_say_gone(s);
	if (spp_server_class(&s->server) == 2) {
		spp_hooks_rcpt_accepted(s->hooks);
		s->recipients++;
		spp_remember(s, s->said_len, said);
	} else if (relays) {
		spp_log(s, "the server refuses who may relay", to->text);
	}
	if (relays && s->options->verbose)
		spp_log(s, "relays", to->text);
	return spp_say_reply(s);
}

enum spp_next spp_do_rcpt(struct spp_session *s, const struct spp_line *line)
{
	struct spp_address to;
	char parameters[SPP_PARAMETERS_MAX];
	struct spp_facts facts = { 0 };
	enum spp_verdict verdict;
	enum spp_result r;
	enum spp_next next;
	const char *rest;
	bool relays;
	int code = 0;

	if (!s->mail)
		return spp_say(s, "503 MAIL first (#5.5.1)");
	if (!spp_path_read(line->arg, line->len, &to, &rest) || to.len == 0)
		return spp_say(s, bad_syntax);
	if (!spp_parameters_print(rest, line->len - (size_t)(rest - line->arg),
		SPP_C_RCPT, parameters, &code))
		return say_parameters(s, code);
	facts.listed = spp_hosts_have(s->env->hosts, spp_address_domain(&to));
	if (!facts.listed || is_routed(s, &to))
		spp_ask_lease(s);
	facts.relayclient = spp_relayclient(s) != NULL;
	spp_hooks_rcpt(s->hooks, facts.relayclient || facts.listed);
	if (spp_hook_stops(s, SPP_RCPT, &to, &r, &next))
		return next;
	facts.ok = r == SPP_GO_UNCHECKED && !s->options->no_relay;
	facts.relayclient = spp_relayclient(s) != NULL;
	facts.routed = is_routed(s, &to);
	verdict = spp_judge(facts);
	if (verdict == SPP_FOREIGN)
		return refuse(s, &to);
	if (verdict == SPP_SUFFIXED && !append(&to, spp_relayclient(s)))
		return spp_say(s, bad_syntax);
	if (spp_hook_stops(s, SPP_PASS, &to, &r, &next))
		return next;
	/* That one may have changed it, too. */
	facts.routed = is_routed(s, &to);
	/* A plugin may have sent it elsewhere; the server must know. */
	relays = verdict != SPP_LOCAL ||
		 !spp_hosts_have(s->env->hosts, spp_address_domain(&to));
	if (to.len == 0 || spp_judge(facts) == SPP_FOREIGN ||
	    (relays && s->options->no_relay))
		return refuse(s, &to);
	return tell_server(s, &to, parameters, relays);
}
