#!/bin/sh
# SPDX-License-Identifier: ISC
#
# lint-functions - functions that are not used here: those that know no bounds,
# those that hide errors, and every clock but src/base/clock*.c.
# Messages: FILE:LINE: rule: text. Exits 1 when there is any.
set -eu
cd "$(dirname "$0")/.."

find src tests/unit fuzz bench -name '*.[ch]' 2>/dev/null | sort |
    xargs awk -f tools/code-only.awk | awk '
function tell(rule, text) {
	print place ": " rule ": " text
	bad = 1
}
BEGIN {
	instead["strcpy"] = "snprintf or memcpy"
	instead["strcat"] = "snprintf"
	instead["strncpy"] = "snprintf or memcpy"
	instead["strncat"] = "snprintf"
	instead["stpcpy"] = "memcpy"
	instead["sprintf"] = "snprintf"
	instead["vsprintf"] = "vsnprintf"
	instead["gets"] = "read"
	instead["atoi"] = "strtoll with all its checks"
	instead["atol"] = "strtoll with all its checks"
	instead["atoll"] = "strtoll with all its checks"
	instead["strtok"] = "strcspn"
	instead["alloca"] = "xmalloc"
	instead["tmpnam"] = "mkstemp"
	instead["mktemp"] = "mkstemp"
	instead["inet_addr"] = "addr_parse"
	instead["inet_aton"] = "addr_parse"
	clock["time"] = clock["clock_gettime"] = clock["gettimeofday"] = 1
	# links into the smallest programs; its clock counts two seconds
	standalone = "src/smtp/run_ask.c"
	clock["clock"] = clock["ftime"] = clock["timespec_get"] = 1
}
{
	split($0, part, ":")
	file = part[1]
	place = file ":" part[2]
	code = substr($0, length(place) + 2)
	while (match(code, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
		name = substr(code, RSTART, RLENGTH)
		before = RSTART > 1 ? substr(code, RSTART - 1, 1) : " "
		code = substr(code, RSTART + RLENGTH)
		sub(/[ \t]*\($/, "", name)
		if (before == "." || before == ">" || before ~ /[A-Za-z0-9_]/)
			continue
		if (name in instead)
			tell("banned", name "(): use " instead[name])
		if (name in clock && file ~ /^src\// &&
		    file !~ /^src\/base\/clock[a-z_]*\.c$/ &&
		    file != standalone)
			tell("clock", name "(): only src/base/clock*.c " \
			    "reads the time; take it as an argument")
	}
}
END { exit bad }
'
