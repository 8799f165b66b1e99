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
dnl
dnl MAP   where relaypass is asked, `socket unix:/run/relaypass/socketmap' when
dnl       nothing is said, or the file that it keeps, `hash -o /etc/mail/popip'.
dnl MAP2  another one, asked when nothing is found in the first; empty: none.
dnl tempfail
dnl       a client whose mail would have to be relayed is told to try later while
dnl       a map cannot be asked. Without it, that relaying is denied. Mail for
dnl       this host and its relay domains goes on either way.
dnl
dnl The names of the maps, for the option "maps" of the listener, are relaypass
dnl and relaypass2.
define(`_RP_1_', `$1')
define(`_RP_2_', `$2')
define(`_RP_3_', `$3')
define(`_RP_MAP_', _RP_1_(_ARGS_))
ifelse(defn(`_RP_MAP_'), `', `define(`_RP_MAP_', `socket unix:/run/relaypass/socketmap')')
define(`_RP_MAP2_', _RP_2_(_ARGS_))
define(`_RP_MODE_', _RP_3_(_ARGS_))
define(`_RP_K_', `K$1 substr(`$2', 0, index(`$2', ` ')) -a<RELAYPASS> -T<RELAYTEMP>substr(`$2', index(`$2', ` '))')
divert(0)
VERSIONID(`relaypass.m4')
LOCAL_CONFIG
_RP_K_(`relaypass', _RP_MAP_)
ifelse(defn(`_RP_MAP2_'), `', `dnl', `_RP_K_(`relaypass2', _RP_MAP2_)')
LOCAL_RULESETS
# relaypass: by the address of the client, and nothing that it said.
SRelaypass
R$*			$: $(relaypass $&{client_addr} $: NO $)
R$*<RELAYPASS>		$@ OK
ifelse(defn(`_RP_MAP2_'), `', `dnl', `R$*			$: $1 $(relaypass2 $&{client_addr} $: NO $)
R$*<RELAYPASS>		$@ OK')
R$*<RELAYTEMP>$*	$@ TEMP
R$*			$@ NO

SLocal_check_rcpt
R$*			$: $1 $| $>Relaypass x
R$* $| OK		$`#'OK
ifelse(_RP_MODE_, `tempfail', `R$* $| TEMP		$: $1 $| < TEMP > $>ParseRecipient $1
R$* $| < TEMP > $* < @ $=w >	$: $1
R$* $| < TEMP > $* < @ $* $=R >	$: $1
R$* $| < TEMP > $-	$: $1
R$* $| < TEMP > $*	$`#'error $@ 4.3.0 $: "451 Temporary system failure. Please try again later."', `dnl')
R$* $| $*		$: $1
divert(-1)
