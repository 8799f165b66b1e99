divert(-1)
dnl SPDX-License-Identifier: ISC
dnl
dnl relaypass.m4 - relaying for clients that have lately logged in to read mail.
dnl
dnl Copy it to the directory cf/hack (Debian: /usr/share/sendmail/cf/hack) and
dnl put one of these near the end of the .mc file, before the MAILER lines:
dnl
dnl	HACK(`relaypass')
dnl	HACK(`relaypass', `MAP')
dnl	HACK(`relaypass', `MAP', `MAP2')
dnl	HACK(`relaypass', `MAP', `MAP2', `tempfail')
dnl	HACK(`relaypass', `MAP', `MAP2', `tempfail', `LOCALIP', `RELAY')
dnl
dnl MAP   where relaypass is asked, `socket unix:/run/relaypass/socketmap' when
dnl       nothing is said, or the file that it keeps, `hash -o /etc/mail/popip'.
dnl MAP2  another one, asked when nothing is found in the first; empty: none.
dnl tempfail
dnl       a client whose mail would have to be relayed is told to try later while
dnl       a map cannot be asked. Without it, that relaying is denied. Mail for
dnl       this host and its relay domains goes on either way.
dnl
dnl The last two are maps of poprelayd's that the administrator keeps, and any of
dnl these may be empty; what stands in them beside the key does not matter:
dnl
dnl LOCALIP
dnl       networks that may always relay, `hash -o /etc/mail/localip': keys are
dnl       addresses, of which trailing parts may be missing: 192.168 is all of
dnl       192.168.0.0/16, ipv6:2001:db8 all of 2001:db8::/32.
dnl RELAY domains to which everybody may relay, `hash -o /etc/mail/relay', with
dnl       their subdomains.
dnl
dnl The names of the maps, for the option "maps" of the listener, are relaypass
dnl and relaypass2; the others are localip and relay.
define(`_RP_1_', `$1')
define(`_RP_2_', `$2')
define(`_RP_3_', `$3')
define(`_RP_4_', `$4')
define(`_RP_5_', `$5')
define(`_RP_MAP_', _RP_1_(_ARGS_))
ifelse(defn(`_RP_MAP_'), `', `define(`_RP_MAP_', `socket unix:/run/relaypass/socketmap')')
define(`_RP_MAP2_', _RP_2_(_ARGS_))
define(`_RP_MODE_', _RP_3_(_ARGS_))
define(`_RP_LOCALIP_', _RP_4_(_ARGS_))
define(`_RP_RELAY_', _RP_5_(_ARGS_))
dnl _RP_K_(name, definition): the K line, with our marks behind the class.
define(`_RP_K_', `ifelse(index(`$2', ` '), -1,
`errprint(`*** ERROR: HACK(relaypass): "$2" is no map; expected a class and a place, such as hash /etc/mail/popip
')', `K$1 substr(`$2', 0, index(`$2', ` ')) -a<RELAYPASS> -T<RELAYTEMP>substr(`$2', index(`$2', ` '))')')
ifelse(defn(`_RP_MODE_'), `', `', defn(`_RP_MODE_'), `tempfail', `',
`errprint(`*** ERROR: HACK(relaypass): the third argument is tempfail, or empty
')')
divert(0)
VERSIONID(`relaypass.m4')
LOCAL_CONFIG
_RP_K_(`relaypass', _RP_MAP_)
ifelse(defn(`_RP_MAP2_'), `', `dnl', `_RP_K_(`relaypass2', _RP_MAP2_)')
ifelse(defn(`_RP_LOCALIP_'), `', `dnl', `_RP_K_(`localip', _RP_LOCALIP_)')
ifelse(defn(`_RP_RELAY_'), `', `dnl', `_RP_K_(`relay', _RP_RELAY_)')
LOCAL_RULESETS
# relaypass: by the address of the client, and nothing that it said.
SRelaypass
R$*			$: $(relaypass $&{client_addr} $: NO $)
R$*<RELAYPASS>		$@ OK
ifelse(defn(`_RP_MAP2_'), `', `dnl', `R$*			$: $1 $(relaypass2 $&{client_addr} $: NO $)
R$*<RELAYPASS>		$@ OK')
ifelse(defn(`_RP_LOCALIP_'), `', `dnl', `R$*			$: $1 $| $>RelaypassNet $&{client_addr}
R$* $| OK		$@ OK
R$* $| TEMP		$@ TEMP
R$* $| $*		$: $1')
R$*<RELAYTEMP>$*	$@ TEMP
R$*			$@ NO

ifelse(defn(`_RP_LOCALIP_'), `', `dnl', `# An address, then what is left of it without its last part, and so on.
SRelaypassNet
R$*			$: < $(localip $1 $: NO $) > $1
R< NO > $+ . $-		< $(localip $1 $: NO $) > $1
R< NO > $+ : $-		< $(localip $1 $: NO $) > $1
R< NO > $*		$@ NO
R< $* <RELAYTEMP> > $*	$@ TEMP
R< $* <RELAYPASS> > $*	$@ OK
R$*			$@ NO
')
ifelse(defn(`_RP_RELAY_'), `', `dnl', `# The recipient with a dot behind its domain, whether or not DNS knows that: a
# domain of ours that it does not know has to bounce as unknown.
SRelaypassRcpt
R$*			$: $>ParseRecipient $1
R$* < @ $+ . >		$1 < @ $2 >
R$* < @ $+ >		$@ $1 < @ $2 . >

# Its domain, then the domains above. Not when the local part names a host.
SRelaypassDomain
R$*			$: $>RelaypassRcpt $1
R$* $=O $* < @ $* >	$@ NO
R$* < @ $+ . >		$: < $(relay $2 $: NO $) > $2
R< NO > $- . $+		< $(relay $2 $: NO $) > $2
R< NO > $*		$@ NO
R< $* <RELAYTEMP> > $*	$@ TEMP
R< $* <RELAYPASS> > $*	$@ OK
R$*			$@ NO
')
SLocal_check_rcpt
R$*			$: $1 $| $>Relaypass x
R$* $| OK		$`#'OK
ifelse(defn(`_RP_RELAY_'), `', `dnl', `R$* $| $*		$: $1 $| $2 $| $>RelaypassDomain $1
R$* $| $* $| OK		$`#'OK
R$* $| $* $| TEMP	$: $1 $| TEMP
R$* $| $* $| $*		$: $1 $| $2')
ifelse(_RP_MODE_, `tempfail', `R$* $| TEMP		$: $1 $| < TEMP > $>ParseRecipient $1
R$* $| < TEMP > $* < @ $=w >	$: $1
R$* $| < TEMP > $* < @ $* $=R >	$: $1
R$* $| < TEMP > $-	$: $1
R$* $| < TEMP > $*	$`#'error $@ 4.3.0 $: "451 Temporary system failure. Please try again later."', `dnl')
R$* $| $*		$: $1
divert(-1)
