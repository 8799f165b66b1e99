#!/bin/sh
# SPDX-License-Identifier: ISC
#
# lint-tables - each line of a .def table has its file, each file of a kind or
# verb its line; the same for unit tests and fuzz targets in meson.build. A
# forgotten line would compile in silence.
# Messages: FILE:LINE: rule: text. Exits 1 when there is any.
set -eu
cd "$(dirname "$0")/.."
bad=0

tell() {
	echo "$1"
	bad=1
}

# names TABLE WORD: "LINE NAME" of each row WORD(NAME...)
names() {
	awk -F '[(,)]' -v word="$2" '$1 == word { print FNR, $2 }' "$1"
}

# table TABLE WORD STRUCT: rows WORD(name) of TABLE stand for the files beside
# it that define `const struct STRUCT ..._name`.
table() {
	[ -f "$1" ] || return 0
	folder=$(dirname "$1")
	rows=$(names "$1" "$2")
	while read -r line name; do
		[ -n "$name" ] || continue
		if [ ! -f "$folder/$name.c" ]; then
			tell "$1:$line: table: $2($name) has no file $folder/$name.c"
		elif ! grep -q "^const struct $3 .*_$name = " "$folder/$name.c"; then
			tell "$folder/$name.c:1: table: defines no const struct $3 ..._$name"
		fi
	done <<-EOT
	$rows
	EOT
	for file in "$folder"/*.c; do
		[ -f "$file" ] || continue
		line=$(grep -n "^const struct $3 [a-z_]* = " "$file" |
		    head -n 1 | cut -d: -f1)
		[ -n "$line" ] || continue
		name=$(basename "$file" .c)
		grep -q "^$2($name)" "$1" ||
		    tell "$file:$line: table: $2($name) is missing in $1"
	done
}

# built FOLDER PREFIX: each PREFIX_*.c of FOLDER has its row in meson.build.
built() {
	for file in "$1/$2"_*.c; do
		[ -f "$file" ] || continue
		name=$(basename "$file" .c)
		[ "$3" = whole ] || name=${name#"$2"_}
		grep -q "'$name'" "$1/meson.build" ||
		    tell "$file:1: table: '$name' is missing in $1/meson.build"
	done
}

table src/source/sources.def SOURCE source_kind
table src/listener/listeners.def LISTENER listener_kind
table src/export/exports.def EXPORT export_kind
table src/cmd/verbs.def VERB verb
for file in src/cmd/import_*.c; do
	grep -q '^const struct import_kind import_' "$file" || continue
	name=$(basename "$file" .c)
	grep -q "^IMPORT(${name#import_})" src/login/imports.def ||
	    tell "$file:1: table: IMPORT(${name#import_}) is missing in src/login/imports.def"
done
built tests/unit test whole
built fuzz fuzz short
for file in fuzz/fuzz_*.c; do
	[ -f "$file" ] || continue
	seeds=fuzz/seeds/$(basename "$file" .c | sed 's/^fuzz_//')
	[ -n "$(ls "$seeds" 2>/dev/null)" ] ||
	    tell "$file:1: seeds: there is nothing in $seeds"
done
exit "$bad"
