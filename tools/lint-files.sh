#!/bin/sh
# SPDX-License-Identifier: ISC
#
# lint-files - the form of each C file: licence line, head comment, include
# guard, length; and no TODO without the number of its issue.
# Messages: FILE:LINE: rule: text. Exits 1 when there is any error.
set -eu
cd "$(dirname "$0")/.."
bad=0

# shellcheck disable=SC2016 # $ is not for the shell
find src tests/unit fuzz bench -name '*.[ch]' 2>/dev/null | sort | xargs awk '
function tell(line, rule, text) {
	printf "%s:%d: %s: %s\n", file, line, rule, text
	bad = 1
}
function finish() {
	if (file == "")
		return
	if (file ~ /\.h$/ && file ~ /^src\//) {
		if (guard != want)
			tell(guard_line, "guard", "#ifndef " guard \
			    ", expected " want)
		else if (defined != want)
			tell(guard_line + 1, "guard", "#define " want \
			    " must follow")
	}
	# A test is a list of cases: it may be longer than what it tests.
	end = file ~ /^src/ ? 600 : 800
	if (lines > end)
		tell(lines, "length", lines " lines; " end " is the end, " \
		    "500 wants a reason")
	else if (lines > 500)
		printf "%s:%d: length: %d lines; more than 500 want a " \
		    "reason (warning)\n", file, lines, lines
}
FNR == 1 {
	finish()
	file = FILENAME
	guard = defined = "(none)"
	guard_line = 1
	want = toupper(file)
	sub(/^SRC\//, "", want)
	gsub(/[^A-Z0-9]/, "_", want)
	if ($0 != "/* SPDX-License-Identifier: ISC */")
		tell(1, "licence", "the first line must be " \
		    "/* SPDX-License-Identifier: ISC */")
}
FNR == 2 && !/^\/\*/ {
	tell(2, "head", "a head comment must follow: what it is for, who " \
	    "calls it, what it owns")
}
/^#ifndef / && guard == "(none)" { guard = $2; guard_line = FNR }
/^#define / && defined == "(none)" { defined = $2 }
{ lines = FNR }
END { finish(); exit bad }
' || bad=1

# shellcheck disable=SC2086 # a list of folders
find src tests fuzz bench tools man docs patterns examples contrib \
    meson.build Makefile -type f \
    ! -name 'lint-files.sh' ! -path '*/seeds/*' ! -path '*/data/*' \
    ! -name '*.pyc' 2>/dev/null | sort | xargs awk '
/(^|[^A-Za-z_])(TODO|FIXME)([^A-Za-z_]|$)/ &&
    !/(TODO|FIXME)[ (]*#[0-9]+/ {
	printf "%s:%d: todo: a TODO needs the number of its issue, as in " \
	    "TODO #12\n", FILENAME, FNR
	bad = 1
}
END { exit bad }
' || bad=1
exit "$bad"
