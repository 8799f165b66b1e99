# SPDX-License-Identifier: ISC
#
# code-only - prints C files as FILE:LINE:CODE with comments dropped and strings
# emptied, so that the lint scripts look at code alone.
FNR == 1 { inside = 0 }
{
	line = $0
	out = ""
	while (line != "") {
		if (inside) {
			at = index(line, "*/")
			if (at == 0)
				break
			line = substr(line, at + 2)
			inside = 0
			continue
		}
		if (!match(line, /\/\*|\/\/|"|'/)) {
			out = out line
			break
		}
		out = out substr(line, 1, RSTART - 1)
		mark = substr(line, RSTART, RLENGTH)
		line = substr(line, RSTART + RLENGTH)
		if (mark == "//")
			break
		if (mark == "/*") {
			inside = 1
			continue
		}
		out = out mark mark
		rest = mark == "'" ? "^([^'\\\\]|\\\\.)*'" : "^([^\"\\\\]|\\\\.)*\""
		if (!match(line, rest))
			break
		line = substr(line, RLENGTH + 1)
	}
	print FILENAME ":" FNR ":" out
}
