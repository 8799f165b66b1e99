/* SPDX-License-Identifier: ISC */
/*
 * more_servers - what the servers of yesterday write (their sources where they
 * could be had, else the patterns of pop-before-smtp), and what everybody else
 * writes into the same log.
 */
#include <string.h>

#include "base/mem.h"
#include "clean.h"

/* --- qpopper 3 and 4: "(v%0) POP login by user \"%1\" at (%2) %3" -----------
 */

#define QPOPPER_IN "(v4.0.{9|19}) POP login by user \"%u\" at (%h) %a"

static const struct format qpopper[] = {
	ROW(LOGIN, QPOPPER_IN),
	ROW(LOGIN, QPOPPER_IN " [pop_log.c:244]"),
	ROW_IN(LOGIN, OWN_SHORT, "[popper] " QPOPPER_IN "{| [pop_log.c:244]}"),
	ROW_IN(LOGIN, OWN_MS, "{|2026 }[%n] " QPOPPER_IN "{| [pop_log.c:244]}"),
	/* Cut lines may look so. */
	ROW(SHAPE, "{|[popper] |{|2026 }[%n] }" QPOPPER_IN "{| [%s:%n]}"),
	ROW(SHAPE, "{|[%n]{ | }|{|2026 }[%n] }Stats: %u %n %n %n %n {%a|%h %a}"
		   "{| [%s:%n]}"),
	ROW(LOGIN, "Stats: %u %n %n %n %n %h %a{| [pop_updt.c:297]}"),
	ROW_IN(LOGIN, OWN_CTIME, "[%n]  Stats: %u %n %n %n %n %h %a"),
	ROW(NOTHING, "[AUTH] Failed attempted login to %u from host (%h) %a"
		     "{| [pop_pass.c:1234]}"),
	ROW(NOTHING,
	    "%u at %h (%a): -ERR [AUTH] {Password supplied for \"%c\" is "
	    "incorrect.|PAM authentication failed for user \"%c\": %x}"),
	ROW(NOTHING,
	    "{(null)|%u} at %h (%a): -ERR {POP EOF or I/O Error|Unknown "
	    "command: \"%x\".}"),
	ROW(NOTHING,
	    "(v4.0.9) {Servicing request from \"%h\" at %a|Unable to get "
	    "canonical name of client %a: Unknown host (1)}"),
	ROW(NOTHING, "{Possible probe of account %u from host (%h) %a|"
		     "Unable to open bulletin directory '%x': No such file}"),
	ROW_IN(NOTHING, OWN_SHORT,
	    "[popper] {[AUTH] Failed attempted login to %u from host "
	    "(%h) %a|%u at %h (%a): -ERR [AUTH] Password incorrect}"),
};

/* --- one line of two: the other ones are in pairs.c ------------------------
 */

static const struct format popa3d[] = {
	ROW(LOGIN, "Authentication passed for %u -- [%a]"),
	ROW(NOTHING, "Authentication failed for {%u|UNKNOWN USER}{| -- [%a]}"),
	ROW(NOTHING, "Authentication passed for %u"), /* nobody had connected */
	ROW(NOTHING,
	    "{%n messages (%n bytes) loaded|Session closed (%n messages "
	    "left)|Premature disconnect|Session from %h}"),
};

#define SOLID_FROM " - {%a|%h (%a)}"

static const struct format solid[] = {
	ROW(LOGIN, "{user|mapped user} %u authenticated - %a"),
	ROW(LOGIN, "{user|mapped user} %u authenticated - %h (%a)"),
	ROW(LOGIN, "user %u authenticated through APOP" SOLID_FROM),
	ROW(NOTHING, "{APOP |}authentication failed for {user|mapped user} "
		     "%u" SOLID_FROM),
	ROW(NOTHING, "authentication failed: no such user: %u" SOLID_FROM),
	ROW(NOTHING, "can't find APOP secret for user %u" SOLID_FROM),
	ROW(NOTHING, "session ended for user %u" SOLID_FROM),
	ROW(NOTHING, "user %u authenticated{| through APOP}"),
	ROW(NOTHING, "{Stats: %u %n %n %n %n|root login not allowed" SOLID_FROM
		     "|wrong commands limit exceeded" SOLID_FROM "}"),
};

static const struct format vm_pop3d[] = {
	ROW(LOGIN, "User %u logged in from %a"),
	ROW(LOGIN, "User '%u' logged in from %a, nmsgs=%n"),
	ROW(NOTHING, "User {%u|'%u'} logged in"),
	ROW(NOTHING, "User '%u' of '%x' logged in"),
	ROW(NOTHING,
	    "{Non-existent user: %u{| (%x)}|APOP user %u tried to log in "
	    "with USER|User '%u' failed auth|cmd: USER %x|pop3 user: %u}"),
	ROW(NOTHING,
	    "{Unable to use %u's mailbox; using /dev/null for testing|"
	    "Session ended for user: '%u' from %a, nmsgs=%n, ndel=%n}"),
};

static const struct format cucipop[] = {
	ROW(LOGIN, "%u %a %n, %n (%n), %n (%n)"),
	ROW(NOTHING, "authentication failure %u %a"),
	ROW(NOTHING, "lost %u %a %n, %n (%n), %n (%n)"),
	ROW(NOTHING, "Invalid command %x %x %x"),
	ROW(NOTHING, "{mailbox %u corrupted at %n|%u mailbox %n short|"
		     "connect from %a|out of memory}"),
};

/* --- no client in any line --------------------------------------------------
 */

static const struct format mailutils[] = {
	ROW(NOTHING, "POP3 login: user `%u', source %x"),
	ROW(NOTHING, "user `%u' logged in (source: %x)"),
	ROW(NOTHING, "{User `%u': authentication failed|Incoming connection "
		     "opened|connect from %a|Session terminated for user: %u|"
		     "user `%u' logged in with mailbox `/var/mail/%c' "
		     "(%n messages)}"),
};

/* --- others of one line -----------------------------------------------------
 */

static const struct format gnu_pop3d[] = {
	ROW(LOGIN,
	    "User %u logged in with mailbox {/var/mail|/var/spool/mail}/%c "
	    "from %a"),
	ROW(NOTHING, "User %u logged in with mailbox /var/mail/%c"),
	ROW(NOTHING, "{Possible probe of account '%u'|Bad login: %u from %a|"
		     "Incoming connection from %a|Unable to use %u's mailbox}"),
};

static const struct format teapop[] = {
	ROW(LOGIN, "Successful login for %u [%l] from {%h|unknown} [%a]"),
	ROW(NOTHING, "Failed login for %u [%l] from {%h|unknown} [%a]"),
	ROW(NOTHING,
	    "Three failed login attempts from %h [%a] - Possible account "
	    "probe"),
	ROW(NOTHING, "{Connection from %h [%a]|Something went wrong.|"
		     "Client %h [%a] timed out}"),
};

static const struct format vpopmail[] = {
	ROW(LOGIN,
	    "vchkpw-{pop3|pop3s|imap|imaps}: ({PLAIN|APOP|CRAM-MD5}) login "
	    "success %d:%a"),
	ROW(LOGIN, "vchkpw-{pop3|imap}: system password login success %b:%a"),
	ROW(LOGIN, "vchkpw: login success %d:%a"),
	ROW(LOGIN, "vchkpw: login [%u] from %a"),
	ROW(NOTHING,
	    "vchkpw-{smtp|smtps|submission|webmail|587}: ({PLAIN|CRAM-MD5}) "
	    "login success %d:%a"),
	ROW(NOTHING, "vchkpw-{pop3|imap|smtp}: {|system }password fail "
		     "(pass: '%w') %d:%a"),
	ROW(NOTHING, "vchkpw{|-pop3|-imap|-smtp}: password fail {|%w }%d:%a"),
	ROW(NOTHING, "vchkpw-{pop3|imap}: {vpopmail user not found|invalid "
		     "user/domain characters|null password given|pop access "
		     "denied|user has no password} %d:%a"),
	ROW(NOTHING, "vchkpw-pop3: setuid 89 failed errno 1 %d:%a"),
};

static const struct format vpop3d[] = {
	ROW(LOGIN, "(%u,%a) Authenticated"),
	ROW(NOTHING,
	    "(%u,%a) {Authentication failed|Not authenticated|Logout}"),
	ROW(NOTHING, "{Connection from %a|Bad command %x}"),
};

static const struct format tpop3d[] = {
	ROW(LOGIN, "fork_child: [%n]%u(%a): began session for `%c' with "
		   "{pam|mysql|passwd|perl}; child PID is %n"),
	ROW(NOTHING, "authcontext_new_{apop|user_pass}: began session for `%u' "
		     "with mysql; uid %n, gid %n"),
	ROW(NOTHING, "connection_do: client `[%n]%a': username `%u': {%n "
		     "authentication failures|failed login attempt}"),
	ROW(NOTHING, "listeners_post_select: client [%n]%a: connected to local "
		     "address %l:110"),
	ROW(NOTHING, "connections_post_select: {client|user} [%n]%u(%a): "
		     "{disconnected; %n/%n bytes read/written|finished}"),
	ROW(NOTHING,
	    "fork_child: client [%n]%u(%a): authentication context has "
	    "UID of 0"),
};

/* audit.log, and mailboxd through syslog; mailbox.log itself is left out, as
 * its pattern leaves it out: names with newlines are whole lines there. */
#define ZIMBRA_IMAP "INFO  [{ImapServer|ImapSSLServer}-%n] "
#define ZIMBRA_POP  "INFO  [{Pop3Server|Pop3SSLServer}-%n] "
#define ZIMBRA_IN   "ip=%a;{|ua=%x;}{|port=%p;}{|cid=%n;}] "
#define ZIMBRA_OK   "user %u authenticated, mechanism={LOGIN|PLAIN|GSSAPI}"
#define ZIMBRA_AUTH "security - cmd=Auth; account=%k; protocol={imap|pop3};"

static const struct format zimbra[] = {
	ROW_IN(LOGIN, SYSLOG | OWN_COMMA,
	    ZIMBRA_IMAP "[{|name=%c;}" ZIMBRA_IN ZIMBRA_AUTH),
	ROW_IN(LOGIN, SYSLOG | OWN_COMMA,
	    ZIMBRA_POP "[{|name=%c;}" ZIMBRA_IN ZIMBRA_AUTH),
	ROW(LOGIN, ZIMBRA_IMAP "[name=%c;{|mid=%n;}" ZIMBRA_IN
			       "imap - " ZIMBRA_OK "{| [TLS]}"),
	ROW(LOGIN, ZIMBRA_POP "[name=%c;{|mid=%n;}" ZIMBRA_IN "pop - " ZIMBRA_OK
			      " {|[TLS]}"),
	/* In mailbox.log anybody may write it: names with newlines stand there
	 * as they came. */
	ROW_IN(NOTHING, OWN_COMMA,
	    ZIMBRA_IMAP "[name=x;" ZIMBRA_IN
			"imap - user x authenticated, mechanism=LOGIN"),
	/* What the client says of itself. */
	ROW_IN(MAYBE, SYSLOG | OWN_COMMA,
	    ZIMBRA_IMAP "[{|name=%c;}ip=%a;oip={203.0.113.66|%x};{|via=%x;}"
			"{|ua=%x;}] " ZIMBRA_AUTH),
	ROW(MAYBE, ZIMBRA_IMAP "[name=%c;ip=%a;oip={203.0.113.66|%x};{|via=%x;}"
			       "{|ua=%x;}] imap - " ZIMBRA_OK),
	ROW_IN(NOTHING, SYSLOG | OWN_COMMA,
	    "WARN  [{ImapServer|Pop3SSLServer}-%n] [" ZIMBRA_IN ZIMBRA_AUTH
	    " error=authentication failed for [%c], invalid password;"),
	ROW(NOTHING,
	    "INFO  [{ImapServer|Pop3SSLServer}-%n] [{|name=%c;}" ZIMBRA_IN
	    "{imap|pop} - authentication failed for [%u] ({invalid password|"
	    "account not found})"),
	ROW_IN(NOTHING, SYSLOG | OWN_COMMA,
	    "INFO  [{qtp1-2:https://mx1/service/soap|LmtpServer-%n}] "
	    "[{|name=%c;}" ZIMBRA_IN "{security - cmd={Auth|AdminAuth}; "
	    "account=%k; protocol={soap|http_basic|imap};|lmtp - Delivering "
	    "message: size=%n, sender=%c, msgid=<%c>}"),
	ROW(NOTHING,
	    "INFO  [ImapServer-%n] [{|name=%c;}" ZIMBRA_IN
	    "imap - {ID elapsed=0|SELECT elapsed=1 folder %x|user %u "
	    "authenticated|user %u authenticated, mechanism=X-ZIMBRA}"),
};

static const struct format apple[] = {
	ROW(LOGIN, "{.. |}IMAP User \"%u\" log on successful from %a"),
	ROW(NOTHING, "{.. |}IMAP User \"%u\" log on {failed|unsuccessful} from "
		     "%a"),
	ROW(NOTHING,
	    "{.. |}{POP3|SMTP|ACAP} User \"%u\" log on successful from "
	    "%a"),
	ROW(NOTHING, "{.. |}IMAP {Connection from %a|User \"%u\" logged off|"
		     "Mailbox \"%x\" opened}"),
};

/* tcpserver tells of connections, nobody of logins. */
static const struct format qmail_pop3d[] = {
	ROW_OF(NOTHING, "tcpserver qmail-popup qmail-pop3d",
	    "{|tcpserver: }{ok|deny} %n mx:198.51.100.1:110 {|%h}:%a:{|%x}:%p"),
	ROW_OF(NOTHING, "tcpserver qmail-popup qmail-pop3d",
	    "{|tcpserver: }{pid %n from %a|status: 1/40|end %n status 256}"),
	ROW_IN(NOTHING, OWN_TAI,
	    "tcpserver: {ok|deny} %n mx:198.51.100.1:110 {|%h}:%a:{|%x}:%p"),
};

/* --- everybody else ----------------------------------------------------------
 */

#define OTHERS                                                                 \
	"sshd sm-mta sendmail named kernel su CRON exim postfix/smtpd "        \
	"postfix/cleanup postfix/qmgr amavis opendkim spamd rspamd logger "    \
	"DOVECOT Dovecot dovecot2 xdovecot imapd2 Imapd login "                \
	"imap-login2 "                                                         \
	"cyrus/imap@x cyrus in perdition2 popper2 vpopmaild smtp-in qmail"

static const struct format others[] = {
	ROW(NOTHING, "%F"), /* the right words of another program */
	ROW(NOTHING, "%x"),
	ROW_OF(NOTHING, "postfix/smtpd",
	    "NOQUEUE: reject: RCPT from %h[%a]: 554 5.7.1 <%x>: Relay "
	    "access denied; from=<%x> to=<%x> proto=ESMTP helo=<%x>"),
	ROW_OF(NOTHING, "postfix/cleanup",
	    "%s: {message-id=<%x>|warning: header Subject: %x from "
	    "%h[%a]; from=<%x> to=<%x> proto=ESMTP helo=<%x>}"),
	ROW_OF(NOTHING, "sm-mta sendmail",
	    "%s: ruleset=check_mail, arg1=%x, relay=%h [%a], reject=553 "
	    "5.5.4 %x... Domain name required"),
	ROW_OF(NOTHING, "sshd",
	    "{Invalid user %u from %a port %p|Failed password for "
	    "invalid user %u from %a port %p ssh2}"),
	ROW_OF(NOTHING,
	    "auth dovecot-auth imapd pop3d ipop3d popa3d dovecot cyrus/imap "
	    "saslauthd perdition",
	    "pam_unix({dovecot|popa3d|imap}:auth): authentication "
	    "failure; logname= uid=0 euid=0 tty=%x ruser=%u rhost=%a  "
	    "user=%u"),
};

const struct server more_servers[] = {
	{ "qpopper", "popper qpopper in.qpopper", SYSLOG, PID_ALWAYS, ONLY_IPV4,
	    clean_qpopper, qpopper, COUNT_OF(qpopper) },
	{ "popa3d", "popa3d", SYSLOG, PID_ALWAYS, ANY, clean_word, popa3d,
	    COUNT_OF(popa3d) },
	{ "solid-pop3d", "spop3d solid-pop3d", SYSLOG, PID_ALWAYS, ANY,
	    clean_solid, solid, COUNT_OF(solid) },
	{ "mailutils", "pop3d imap4d", SYSLOG, PID_ALWAYS, ANY, clean_c,
	    mailutils, COUNT_OF(mailutils) },
	{ "gnu-pop3d", "gnu-pop3d", SYSLOG, PID_ALWAYS, ONLY_IPV4, clean_word,
	    gnu_pop3d, COUNT_OF(gnu_pop3d) },
	{ "teapop", "teapop", SYSLOG, PID_ALWAYS, ANY, clean_teapop, teapop,
	    COUNT_OF(teapop) },
	{ "vm-pop3d", "vm-pop3d", SYSLOG, PID_ALWAYS, ONLY_IPV4, clean_word,
	    vm_pop3d, COUNT_OF(vm_pop3d) },
	{ "cucipop", "cucipop", SYSLOG, PID_ALWAYS, ANY, clean_cucipop, cucipop,
	    COUNT_OF(cucipop) },
	{ "vpopmail", "vpopmail", SYSLOG, PID_ALWAYS, ONLY_IPV4, clean_vpopmail,
	    vpopmail, COUNT_OF(vpopmail) },
	{ "vpop3d", "vpop3d", SYSLOG, PID_SOMETIMES, ONLY_IPV4, clean_c, vpop3d,
	    COUNT_OF(vpop3d) },
	{ "tpop3d", "tpop3d", SYSLOG, PID_ALWAYS, ONLY_IPV4, clean_c, tpop3d,
	    COUNT_OF(tpop3d) },
	{ "qmail-pop3d", "qmail-pop3d", SYSLOG, PID_ALWAYS, ONLY_IPV4, clean_c,
	    qmail_pop3d, COUNT_OF(qmail_pop3d) },
	{ "apple", "AppleMailServer", OWN_YEAR, PID_NEVER, ONLY_IPV4,
	    clean_apple, apple, COUNT_OF(apple) },
	{ "zimbra", "mailboxd", SYSLOG, PID_NEVER, ONLY_IPV4, clean_zimbra,
	    zimbra, COUNT_OF(zimbra) },
	{ "others", OTHERS, SYSLOG, PID_SOMETIMES, ANY, clean_raw, others,
	    COUNT_OF(others) },
};
const size_t more_server_count = COUNT_OF(more_servers);

const struct server *server_at(size_t i)
{
	if (i < server_count)
		return &servers[i];
	i -= server_count;
	return i < more_server_count ? &more_servers[i] : NULL;
}

const struct server *server_find(const char *name)
{
	const struct server *s;

	for (size_t i = 0; (s = server_at(i)) != NULL; i++)
		if (!strcmp(s->name, name))
			break;
	return s;
}
