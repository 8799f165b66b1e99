/* SPDX-License-Identifier: ISC */
/*
 * servers - what the servers of today write. Facts: their sources, and lines of
 * Dovecot 2.3.19 and 2.4.1, Courier 1.0.16 and Cyrus 3.6.1 as they were seen.
 */
#include <string.h>

#include "base/mem.h"
#include "clean.h"

/* --- Dovecot 0.99 to 2.4 ---------------------------------------------------
 */

#define DOVECOT_FAILED                                                         \
	"{Disconnected: Aborted login by logging out|Aborted login|"           \
	"Disconnected|Login aborted: Logged out} "                             \
	"(auth failed, %n attempts{ in %n secs|}){ (auth_failed)|}"
#define DOVECOT_FROM "method=%m, rip=%a, lip=%l"
#define DOVECOT_PROXY                                                          \
	"proxy(%u,10.0.0.2:143): Started proxying to "                         \
	"{<10.0.0.2>|<10.0.0.2> (<be1.example.org>)|remote host}"              \
	"{| from 10.0.0.1}{| as user %c} (0.067 secs): user=<%c>, "
#define DOVECOT_PROXY_OLD                                                      \
	"proxy(%u): started proxying to 10.0.0.2:143{|/%c| (master root)}: "   \
	"user=<%c>, "
#define DOVECOT_OWN (OWN_SHORT | OWN_ISO | OWN_TAI)

static const struct format dovecot[] = {
	ROW(LOGIN,
	    "{imap|pop3}-login: {Login|Logged in}: user=<%u>, " DOVECOT_FROM
	    ", mpid=%n{|, TLS|, secured}, session=<%s>"),
	ROW(LOGIN,
	    "{imap|pop3}-login: {Login|Logged in}: user=<%u>, " DOVECOT_FROM
	    "{|, mpid=%n}, {TLS|secured}{|, session=<%s>}"),
	ROW_OF(LOGIN, "imap-login pop3-login", "Login: %u [%a]"),
	ROW_IN(LOGIN, DOVECOT_OWN,
	    "{imap|pop3}-login: Info: {Login|Logged in}: "
	    "user=<%u>, " DOVECOT_FROM
	    "{|, mpid=%n}{|, TLS|, secured}{|, session=<%s>}"),
	ROW_IN(LOGIN, OWN_LEAD,
	    "Info: {imap|pop3}-login: Login: user=<%u>, " DOVECOT_FROM
	    "{|, mpid=%n}{|, TLS|, secured}"),
	{ LOGIN, "Info: Login: %u [%a]", "imap-login pop3-login", OWN_LEAD },
	/* 1.x and 2.0 without TLS end in digits, which may not be all; and
	 * sites may leave fields out. */
	ROW(MAYBE,
	    "{imap|pop3}-login: {Login|Logged in}: user=<%u>, " DOVECOT_FROM
	    "{|, mpid=%n}{|, TLS|, secured}{|, session=<%s>}"),
	ROW(LOGIN, "{imap|pop3}-login: Login: user=<%u>, method=%m, rip=%a, "
		   "{TLS|secured}"),
	ROW(MAYBE, "{imap|pop3}-login: Login: user=<%u>, method=%m, rip=%a"),
	ROW(LOGIN, "{imap|pop3}-login: " DOVECOT_PROXY DOVECOT_FROM
		   "{|, TLS|, secured}, session=<%s>"),
	ROW(LOGIN, "{imap|pop3}-login: " DOVECOT_PROXY_OLD DOVECOT_FROM
		   ", {TLS|secured}{|, session=<%s>}"),
	ROW_IN(LOGIN, DOVECOT_OWN,
	    "{imap|pop3}-login: Info: {" DOVECOT_PROXY "|" DOVECOT_PROXY_OLD
	    "}" DOVECOT_FROM "{|, TLS|, secured}{|, session=<%s>}"),
	ROW(NOTHING,
	    "{managesieve|submission|lmtp}-login: {" DOVECOT_PROXY
	    "|" DOVECOT_PROXY_OLD "}" DOVECOT_FROM ", TLS, session=<%s>"),
	ROW(NOTHING,
	    "{imap|pop3}-login: proxy(%u{|,10.0.0.2:143}): Login "
	    "failed to {10.0.0.2:143|<10.0.0.2>}: NO [AUTHENTICATIONFAILED] "
	    "Authentication failed.: user=<%c>, " DOVECOT_FROM
	    "{|, TLS}, session=<%s>"),
	ROW(NOTHING, "{imap|pop3}-login: proxy(%u): disconnecting %a "
		     "{|(Disconnected by client(0s idle, in=%n, out=%n))}"),
	ROW(NOTHING,
	    "{imap|pop3}-login: " DOVECOT_FAILED ": user=<%u>, " DOVECOT_FROM
	    "{|, mpid=%n}{|, TLS}, session=<%s>"),
	ROW(NOTHING,
	    "{imap|pop3}-login: Disconnected (client didn't finish SASL "
	    "auth, waited %n secs): user=<>, " DOVECOT_FROM ", session=<%s>"),
	ROW(NOTHING,
	    "{imap|pop3}-login: {Login|Logged in}: user=<{anonymous|nobody}>, "
	    "method=ANONYMOUS, rip=%a, lip=%l, mpid=%n, TLS, "
	    "session=<%s>"),
	ROW(NOTHING, "{managesieve|submission|lmtp}-login: {Login|Logged in}: "
		     "user=<%u>, " DOVECOT_FROM ", mpid=%n, TLS, session=<%s>"),
	ROW(NOTHING,
	    "{imap|pop3}-login: ID sent: name=%x, version=%x: user=<>, "
	    "rip=%a, lip=%l, TLS: SNI %x, session=<%s>"),
	ROW(NOTHING, "auth: {passwd-file|sql|ldap}(%u,%a{|,<%s>}): "
		     "{unknown user|Password mismatch}"),
	ROW(NOTHING,
	    "auth-worker(%n): {|conn unix:auth-worker (pid=%n,uid=97): "
	    "auth-worker<1>: }sql(%u,%a): {unknown user|"
	    "Username character disallowed by auth_username_chars: 0x20 "
	    "(username: %c)}"),
	ROW(NOTHING, "lmtp(%u)<%n><%s>: {|sieve: }msgid=<%x>: "
		     "{saved mail to %x|stored mail into mailbox '%x'}"),
	ROW(NOTHING,
	    "{imap|pop3}(%u)<%n><%s>: {delete|copy from INBOX}: box=%x, "
	    "uid=%n, msgid=<%x>, from=%x, subject=%x"),
	ROW(NOTHING, "{imap|pop3}(%u)<%n><%s>: Disconnected: Logged out in=%n "
		     "out=%n"),
	ROW_IN(NOTHING, DOVECOT_OWN,
	    "{imap|pop3}-login: Info: " DOVECOT_FAILED
	    ": user=<%u>, " DOVECOT_FROM "{|, TLS}, session=<%s>"),
	ROW_IN(NOTHING, DOVECOT_OWN,
	    "{auth: Info: passwd-file(%u,%a): unknown user|"
	    "lmtp(%u)<%n><%s>: Info: msgid=<%x>: saved mail to %x|"
	    "imap(%u)<%n><%s>: Info: delete: box=%x, subject=%x}"),
	ROW_IN(NOTHING, OWN_LEAD,
	    "Info: {imap|pop3}-login: {Aborted login|Disconnected "
	    "(auth failed, %n attempts)}: user=<%u>, " DOVECOT_FROM),
	{ NOTHING, "{|Info: }{Disconnected|Aborted login} [%a]",
	    "imap-login pop3-login", SYSLOG | OWN_LEAD },
};

/* --- Courier ---------------------------------------------------------------
 */

#define COURIER_OLD                                                            \
	"pop3login imaplogin courierpop3login courierpop3d courierimapd "      \
	"courierimaplogin"

static const struct format courier[] = {
	ROW(LOGIN, "LOGIN, user=%u, ip=[%a], port=[%p]{|, protocol=IMAP}"),
	ROW(LOGIN, "LOGIN, user=%u, ip=[%a], port=[%p], protocol=POP3, stls=1"),
	ROW(LOGIN, "LOGIN, user=%u, ip=[%a], port=[%p]"
		   "{, protocol=IMAP, starttls|, stls}=1"),
	ROW(LOGIN, "LOGIN, user=%u, ip=[%a], protocol={IMAP|POP3}"),
	ROW(LOGIN, "LOGIN, user=%u, ip=[%a]"),
	ROW_OF(LOGIN, COURIER_OLD,
	    "LOGIN, user=%u, ip=[%a]{|, port=[%p]}{|, protocol=POP3}"),
	ROW_IN(LOGIN, OWN_TAI | OWN_SHORT,
	    "INFO: LOGIN, user=%u, ip=[%a], port=[%p], protocol={IMAP|POP3}"),
	ROW_IN(LOGIN, OWN_TAI | OWN_SHORT,
	    "INFO: LOGIN, user=%u, ip=[%a], port=[%p], protocol=IMAP, "
	    "starttls=1"),
	ROW_IN(NOTHING, OWN_TAI | OWN_SHORT,
	    "INFO: LOGIN FAILED, {user=%u, |}ip=[%a], port=[%p]"),
	ROW(NOTHING,
	    "LOGIN FAILED, {user=%u, |method=%m, |}ip=[%a]{|, port=[%p]}"),
	ROW(NOTHING, "{LOGOUT|TIMEOUT|DISCONNECTED}, user=%u, ip=[%a], "
		     "port=[%p], headers=0, body=0, rcvd=%n, sent=%n, time=%n"),
	ROW(NOTHING, "{Connection|Disconnected|LOGOUT}, ip=[%a]{|, port=[%p]}"),
	ROW_OF(NOTHING, "sqwebmaild esmtpd esmtpd-msa courieresmtpd webmaild",
	    "LOGIN, user=%u, ip=[%a]{|, port=[%p]}{|, protocol=IMAP}"),
	ROW_OF(NOTHING, "authdaemond authdaemond.plain",
	    "{Authenticated: sysusername=<null>, sysuserid=1000, "
	    "homedir=/home, address=%u, fullname=%x|"
	    "received auth request, service={imap|esmtp}, "
	    "authtype=login|authcustom: sysusername=%u}"),
	ROW_OF(NOTHING, "courieresmtpd",
	    "error,relay=::ffff:%a,from=<%x>,to=<%x>: 513 Relaying "
	    "denied."),
};

/* --- Cyrus 2 and 3 ---------------------------------------------------------
 */

#define CYRUS_FROM "{|%h }[%a]"

static const struct format cyrus[] = {
	ROW(LOGIN, "login: " CYRUS_FROM " %u {plaintext|%m}{|+TLS} User logged "
		   "in{| SESSIONID=<%s>}"),
	ROW_OF(LOGIN, "imapd pop3d imap imaps pop3 pop3s",
	    "login: " CYRUS_FROM " %u {plaintext|%m}{|+TLS} User logged in"),
	/* rsyslog's RFC 5424 lost the service: it may be LMTP or Sieve. */
	{ NOTHING,
	    "login: " CYRUS_FROM " %u %m{|+TLS} User logged in"
	    "{| SESSIONID=<%s>}",
	    "cyrus/imap cyrus/lmtp cyrus/sieve", RFC5424 },
	ROW(NOTHING, "login: " CYRUS_FROM " anonymous %w"),
	ROW(NOTHING,
	    "login: " CYRUS_FROM " anonymous {plaintext|ANONYMOUS}{|+TLS} "
	    "User logged in{| SESSIONID=<%s>}"),
	ROW(NOTHING, "login: " CYRUS_FROM " %u ANONYMOUS{|+TLS} User logged in"
		     "{| SESSIONID=<%s>}"),
	ROW(NOTHING,
	    "badlogin: " CYRUS_FROM " {plaintext|%m} {(%u)|%u} "
	    "[SASL(-13): authentication failure: {checkpass failed|%x}]"),
	ROW(NOTHING,
	    "badlogin: " CYRUS_FROM " plaintext %u {%x|SASL(-13): user "
	    "not found: checkpass failed}"),
	ROW(NOTHING,
	    "{USAGE %u user: 0.004000 sys: 0.008000|"
	    "Logins must be at least 1 minute apart|"
	    "open: user %u opened %x|accepted connection|"
	    "starttls: TLSv1.3 with cipher X (256/256 bits new) no "
	    "authentication|client id sessionid=<%s>: \"name\" \"%x\"}"),
	ROW_OF(NOTHING,
	    "cyrus/lmtp cyrus/lmtpunix cyrus/sieve cyrus/http cyrus/nntp "
	    "cyrus/master lmtpd timsieved",
	    "login: " CYRUS_FROM " %u %m{|+TLS} User logged in"
	    "{| SESSIONID=<%s>}"),
};

/* --- University of Washington ----------------------------------------------
 */

#define UW_NAMES "imapd imapsd ipop3d ipop3sd ipop2d"

static const struct format uw[] = {
	ROW(LOGIN, "{Login|Authenticated} user=%u host=%H"),
	ROW_OF(LOGIN, "ipop3d ipop3sd",
	    "{Login|Auth|APOP} user=%u host=%H nmsgs=%n/%n"),
	ROW(LOGIN, "Authenticated user=%u host=%H mech=%m"),
	ROW_OF(LOGIN, "ipop3d", "[pop]Login user=%u host=%H"),
	ROW(MAYBE, "{|[pop]}{|Admin }{Login|Auth|APOP|Authenticated|"
		   "Preauthenticated} user=%u host=%H{| nmsgs=%n/%n| no "
		   "mailbox}"),
	ROW(NOTHING,
	    "{Login failed|Login failure|Login excessive login failures|"
	    "Excessive login failures} user=%u {|auth=%u }host=%H"),
	ROW(NOTHING, "AUTHENTICATE %m {failure|invalid} host=%H"),
	ROW(NOTHING, "{Login|Authenticated} anonymous=%w host=%H"),
	ROW(NOTHING, "IMAP login to host=%x user=%u host=%H"),
	ROW(NOTHING,
	    "{Logout|Autologout|Killed (lost mailbox lock)|Broken pipe|"
	    "Command stream end of file, while reading line} "
	    "user={???|%u} host=%H"),
	ROW(NOTHING, "{Null command before authentication|Line too long before "
		     "authentication} host=%H"),
	ROW(NOTHING, "{imap|pop3} service init from %a"),
	ROW(NOTHING, "{Mailbox vulnerable - directory %x must have 1777 "
		     "protection|Fatal disk error user=%u host=%H mbx=%x: %x|"
		     "Moved %n bytes of new mail to %x from %x host= %H}"),
};

/* --- perdition, nginx, Zimbra, Stalwart, Exchange --------------------------
 */

#define PERDITION_OLD                                                          \
	"Auth: %a->198.51.100.1 user=\"%u\" {|passwd=\"XXXXXX\" }"             \
	"server=\"%o\" port=\"%n\" status="
#define PERDITION_NEW                                                          \
	"Auth: %a:%p->198.51.100.1:%n "                                        \
	"client-secure={plaintext|ssl|starttls} "                              \
	"authorisation_id={NONE|\"%x\"} authentication_id=\"%u\" "             \
	"server=\"%o:%n\" protocol={POP3|IMAP4|IMAP4S} "                       \
	"server-secure={plaintext|ssl} status="

static const struct format perdition[] = {
	ROW(SHAPE,
	    "Auth: %a:%p->198.51.100.1:%n client-secure={plaintext|ssl|"
	    "starttls} authorisation_id={NONE|\"%x\"} authentication_id=\"%u\" "
	    "server=\"%x\" protocol={POP3|IMAP4|IMAP4S} "
	    "server-secure=%m status=\"ok\""),
	ROW(SHAPE, "Auth: %a->198.51.100.1 user=\"%u\" {|passwd=\"XXXXXX\" }"
		   "server=\"%x\" port=\"%n\" status=\"ok\""),
	ROW(LOGIN, PERDITION_OLD "\"ok\""),
	ROW_OF(LOGIN,
	    "perdition perdition.pop3 perdition.pop3s perdition.imap4 "
	    "perdition.imap4s",
	    PERDITION_NEW "\"ok\""),
	/* log_passwd = ok: the password, or an account of that name. */
	ROW(NOTHING, "Auth: %a:%p->198.51.100.1:%n client-secure=plaintext "
		     "authorisation_id=NONE authentication_id=\"%u\" "
		     "passwd=\"%x\" server=\"%o:%n\" protocol=POP3 "
		     "server-secure=plaintext status=\"ok\""),
	ROW(NOTHING, PERDITION_OLD "\"failed{| to connect to server}\""),
	ROW(NOTHING, PERDITION_NEW "\"failed: {Re-Authentication Failure|Local "
				   "authentication failure|Could not "
				   "connect to real server}\""),
	ROW(NOTHING, "Auth: %a:%p->198.51.100.1:%n client-secure=plaintext "
		     "authorisation_id=NONE authentication_id=\"%u\" "
		     "server=\"10.0.0.2:4190\" protocol=MANAGESIEVE "
		     "server-secure=plaintext status=\"ok\""),
	ROW(NOTHING, "{Connect: %a:%p->198.51.100.1:110|"
		     "Close: %a:%p->198.51.100.1:110 authorisation_id=NONE "
		     "authentication_id=\"%u\" received=%n sent=%n}"),
	ROW(NOTHING, "Fatal error {reading|writing} %x"),
	/* In its own file anybody may write such a line: names with newlines
	 * stand there as they came. */
	ROW_IN(NOTHING, OWN_SHORT, "perdition[%n]: " PERDITION_NEW "\"ok\""),
};

#define NGINX_IN                                                               \
	", client: %a{{| using starttls}, server: {0.0.0.0|[::]}:{110|143}|"   \
	", server: {0.0.0.0|[::]}:{993|995}}"
#define NGINX_USER ", login: \"%u\""
#define NGINX_TO   ", upstream: %o:%n"
#define NGINX_HEAD "[info] %n#%n: *%n "

static const struct format nginx[] = {
	ROW(LOGIN,
	    "%t " NGINX_HEAD "client logged in" NGINX_IN NGINX_USER NGINX_TO),
	/* Zimbra's. */
	ROW(MAYBE,
	    "%t " NGINX_HEAD "client logged in, client: %a:%p{| using starttls}"
	    ", server: 0.0.0.0:{110|143|993|995}" NGINX_USER NGINX_TO
	    " (%a:%p-%o:143) <=> (%o:%p-%o:143)"),
	ROW(NOTHING, "%t " NGINX_HEAD
		     "client logged in, client: %a{| using starttls}, server: "
		     "0.0.0.0:{25|465|587}{|" NGINX_USER NGINX_TO "}"),
	ROW(NOTHING,
	    "%t " NGINX_HEAD
	    "client login failed: \"{Invalid login or password|%x}\" while in "
	    "http auth state" NGINX_IN NGINX_USER),
	ROW(NOTHING, "%t " NGINX_HEAD
		     "proxied session done" NGINX_IN NGINX_USER NGINX_TO),
	ROW(NOTHING,
	    "%t {[info]|[error]} %n#%n: *%n upstream sent invalid "
	    "response: \"%x\" while reading response from upstream" NGINX_IN
		NGINX_USER NGINX_TO),
	ROW(NOTHING,
	    "%t " NGINX_HEAD "{client %a:%p connected to 0.0.0.0:110|client "
	    "sent invalid command: \"%x\" while in auth state" NGINX_IN "}"),
	/* In its own file, as perdition's (CVE-2009-4487). */
	ROW_IN(NOTHING, OWN_SLASH,
	    NGINX_HEAD "client logged in" NGINX_IN NGINX_USER NGINX_TO),
};

#define STALWART_IN                                                            \
	"listenerId = \"{imap|imaptls|pop3|pop3s}\", "                         \
	"localPort = {143|993|110|995}, remoteIp = %a, remotePort = %p"
#define STALWART_OK "INFO Authentication successful (auth.success) "

static const struct format stalwart[] = {
	ROW(LOGIN, STALWART_OK STALWART_IN ", accountName = \"%u\", "
					   "accountId = %n"),
	ROW(LOGIN, STALWART_OK STALWART_IN
	    ", accountName = \"%u\", accountId = %n, type = \"individual\""),
	ROW(MAYBE, STALWART_OK STALWART_IN
	    ", accountName = \"%u\", accountId = %n, details = \"%x\""),
	ROW(NOTHING, STALWART_OK
	    "listenerId = \"{submission|submissions|smtp|https|sieve}\", "
	    "localPort = {25|465|587|443|4190}, remoteIp = %a, remotePort = "
	    "%p, "
	    "accountName = \"%u\", accountId = %n"),
	ROW(NOTHING,
	    "{INFO|WARN} Authentication failed (auth.failed) " STALWART_IN
	    ", accountName = \"%u\"{|, details = \"%x\"}"),
	ROW(NOTHING,
	    "{INFO|DEBUG} SMTP {EHLO command (smtp.ehlo)|MAIL FROM command "
	    "(smtp.mail-from)} listenerId = \"smtp\", localPort = 25, remoteIp "
	    "= %a, remotePort = %p, {domain|from} = \"%x\""),
	ROW(NOTHING,
	    "INFO IMAP connection {started (imap.connection-start)|ended "
	    "(imap.connection-end)} " STALWART_IN),
};

#define EXCHANGE(port, client, rest)                                           \
	",%n,%n,10.0.0.5:" port "," client ":%p," rest

static const struct format exchange[] = {
	ROW_IN(LOGIN, OWN_GLUED,
	    EXCHANGE("995", "%a", "%u,31,14,5,pass,*****,R=ok,")),
	ROW_IN(LOGIN, OWN_GLUED,
	    EXCHANGE("{143|993}", "%a", "%u,31,14,5,login,%c,R=ok,")),
	ROW_IN(NOTHING, OWN_GLUED,
	    EXCHANGE("995", "%a",
		"%u,31,14,5,{pass|auth},*****,"
		"\"R=\"\"-ERR Logon failure: unknown user name or bad "
		"password.\"\";Msg=%x\",")),
	ROW_IN(NOTHING, OWN_GLUED,
	    EXCHANGE("993", "%a",
		"%u,31,14,5,{login,%c|authenticate,"
		"PLAIN},{\"R=\"\"a1 NO LOGIN failed.\"\"; Note=R=ok\"|"
		"\"R=\"\"+ \"\"\"},")),
	ROW_IN(NOTHING, OWN_GLUED,
	    EXCHANGE("{995|143}", "%a",
		",5,8,5,{user|capability|noop},"
		"%u,R=ok,")),
	ROW_IN(
	    NOTHING, OWN_GLUED, EXCHANGE("995", "%a", ",5,0,5,OpenSession,,,")),
};

const struct server servers[] = {
	{ "dovecot", "dovecot", SYSLOG, PID_SOMETIMES, ANY, clean_dovecot,
	    dovecot, COUNT_OF(dovecot) },
	{ "courier", "imapd imapd-ssl pop3d pop3d-ssl", SYSLOG, PID_SOMETIMES,
	    MAPPED, clean_courier, courier, COUNT_OF(courier) },
	{ "cyrus", "cyrus/imap cyrus/pop3 cyrus/imaps cyrus/pop3s cyrus/imap6",
	    SYSLOG & ~RFC5424, PID_ALWAYS, ANY, clean_cyrus, cyrus,
	    COUNT_OF(cyrus) },
	{ "uw-imap", UW_NAMES, SYSLOG, PID_ALWAYS, ANY, clean_uw, uw,
	    COUNT_OF(uw) },
	{ "perdition", "perdition", SYSLOG, PID_ALWAYS, ONLY_IPV4, clean_c,
	    perdition, COUNT_OF(perdition) },
	{ "nginx", "nginx", SYSLOG, PID_NEVER, ANY, clean_raw, nginx,
	    COUNT_OF(nginx) },
	{ "stalwart", "stalwart", OWN_Z, PID_NEVER, ANY, clean_stalwart,
	    stalwart, COUNT_OF(stalwart) },
	{ "exchange", "exchange", OWN_GLUED, PID_NEVER, BRACKETED,
	    clean_exchange, exchange, COUNT_OF(exchange) },
};
const size_t server_count = COUNT_OF(servers);
