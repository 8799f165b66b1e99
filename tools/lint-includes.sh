#!/bin/sh
# SPDX-License-Identifier: ISC
#
# lint-includes - the one way through the house (DESIGN section 3): which room
# may include what of which other room, and which library belongs to one room.
# Messages: FILE:LINE: rule: text. Exits 1 when there is any.
set -eu
cd "$(dirname "$0")/.."

# Room, then what it may include besides its own files: a room, or one file of
# it (the codecs of DRAC and WHOSON are pure, and both ends speak them). Rooms that are not here (daemon, cmd) tie the house together.
rooms='
base
conf        base
pattern     base login/login.h
ledger      base login/login.h
login       base conf ledger
decide      base conf login ledger
http        base
sql         base conf
redis       base conf login/login.h
modules     base sql redis
listener    base conf decide http source/whoson_codec.h
replica     base ledger login/login.h
source      base conf http pattern redis replica sql login/login.h login/rules.h
export      base conf ledger redis replica sql source/drac_rpc.h source/drac_portmap.h
smtp        base
daemon      *
cmd         *
'

# Header, the only room or file that may include it, and single files elsewhere
# (export/lmdb.c keeps a file of Postfix', which has nothing to do with the
# ledger).
libraries='
lmdb.h      ledger export/lmdb.c
confuse.h   conf
pcre2.h     pattern
microhttpd.h http
ldns/ldns.h listener/dns_library.h
systemd/sd-journal.h source
libpq-fe.h  modules
mysql.h     modules
sqlite3.h   modules
hiredis/hiredis.h modules
hiredis/async.h modules
gnutls/gnutls.h cmd
'

# shellcheck disable=SC2016 # $ is not for the shell
find src -name '*.[ch]' | sort | xargs awk \
    -v rooms="$rooms" -v libraries="$libraries" '
BEGIN {
	n = split(rooms, lines, "\n")
	for (i = 1; i <= n; i++) {
		m = split(lines[i], word, " ")
		if (m == 0)
			continue
		known[word[1]] = 1
		for (j = 2; j <= m; j++)
			may[word[1], word[j]] = 1
	}
	n = split(libraries, lines, "\n")
	for (i = 1; i <= n; i++)
		if ((m = split(lines[i], word, " ")) >= 2) {
			owner[word[1]] = word[2]
			for (j = 3; j <= m; j++)
				guest[word[1], "src/" word[j]] = 1
		}
}
function tell(rule, text) {
	printf "%s:%d: %s: %s\n", FILENAME, FNR, rule, text
	bad = 1
}
FNR == 1 {
	split(FILENAME, path, "/")
	room = path[2]
	if (!(room in known))
		tell("room", "the room " room " has no line in " \
		    "tools/lint-includes.sh")
}
/^[ \t]*#[ \t]*include[ \t]*</ {
	name = $0
	sub(/^[^<]*</, "", name)
	sub(/>.*/, "", name)
	if ((name in owner) && owner[name] != room &&
	    "src/" owner[name] != FILENAME && !((name, FILENAME) in guest))
		tell("library", "only src/" owner[name] " may include <" \
		    name ">")
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
	name = $0
	sub(/^[^"]*"/, "", name)
	sub(/".*/, "", name)
	if (index(name, "/") == 0)
		next
	if (name ~ /(^|\/)\.\.?\//) {
		tell("include", "\"" name "\": write it from src/ on")
		next
	}
	split(name, target, "/")
	if (target[1] == room || (room, "*") in may)
		next
	if (!((room, target[1]) in may) && !((room, name) in may))
		tell("direction", "src/" room " may not include " name)
}
END { exit bad }
' || exit 1
