#!/bin/sh
# SPDX-License-Identifier: ISC
#
# lint-docs [BUILDDIR] - code and documents agree: every option has its sentence
# and its place in the manual (the one built in BUILDDIR, when given), every verb
# its place in relaypass.1, every log event its line in docs/log-events.md.
# Messages: FILE:LINE: rule: text. Exits 1 when there is any.
set -eu
cd "$(dirname "$0")/.."
build=${1:-}
bad=0

tell() {
	echo "$1"
	bad=1
}

# "FILE:LINE NAME" of each option row: of the table, and of the kinds' own.
options() {
	awk -F '"' '/^OPTION\(/ { print FILENAME ":" FNR, $2 }' \
	    src/conf/options.def
	grep -Hn '{ "[a-z-]*", OPTION_' src/source/*.c src/listener/*.c |
	    sed 's/^\([^:]*:[0-9]*\):.*{ "\([a-z-]*\)", OPTION_.*/\1 \2/'
}

# The last text of a row is its sentence.
grep -n '^OPTION(' src/conf/options.def | grep -v '[^" ][.]")$' |
    while IFS=: read -r line rest; do
	echo "src/conf/options.def:$line: help: ${rest%%,*}...: no sentence" \
	    "that ends with a full stop"
done | grep . && bad=1

if [ -n "$build" ] && [ ! -f "$build/man/relaypass.conf.5" ]; then
	tell "$build/man/relaypass.conf.5:1: manual: not built; run ninja -C $build"
elif [ -n "$build" ]; then
	missing=$(options | while read -r place name; do
		grep -q "^\.It Ic $name\$" "$build/man/relaypass.conf.5" ||
		    echo "$place: manual: option $name is not in relaypass.conf(5)"
	done)
	[ -z "$missing" ] || tell "$missing"
fi

missing=$(awk -F '[()]' '$1 == "VERB" { print FNR, $2 }' src/cmd/verbs.def |
    while read -r line verb; do
	grep -q "^\.It Cm $verb\( \|\$\)" man/relaypass.1 ||
	    echo "src/cmd/verbs.def:$line: manual: verb $verb is not in relaypass(1)"
done)
[ -z "$missing" ] || tell "$missing"

tools/gen-log-events.sh | cmp -s - docs/log-events.md ||
    tell "docs/log-events.md:1: events: not what src/base/log_events.def says; run tools/gen-log-events.sh >docs/log-events.md"
rows=$(grep -c '^EVENT(' src/base/log_events.def)
listed=$(grep -c '^| `' docs/log-events.md || :)
[ "$rows" = "$listed" ] ||
    tell "docs/log-events.md:1: events: $listed events of $rows; a row of src/base/log_events.def is not on one line"

unused=$(awk -F '[(,]' '$1 == "EVENT" { print FNR, $2 }' \
    src/base/log_events.def | while read -r line id; do
	grep -rqw --include='*.c' "LOG_$id" src ||
	    echo "src/base/log_events.def:$line: events: LOG_$id is written nowhere"
done)
[ -z "$unused" ] || tell "$unused"
exit "$bad"
