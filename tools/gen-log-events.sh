#!/bin/sh
# SPDX-License-Identifier: ISC
#
# gen-log-events - prints docs/log-events.md, made of src/base/log_events.def:
#     tools/gen-log-events.sh >docs/log-events.md
# tools/lint-docs.sh compares the two.
set -eu
cd "$(dirname "$0")/.."

cat <<'EOT'
# Log events

Each line of relaypass's log begins with the name of its event; `key=value`
words follow. The names do not change from one version to the next, so that
`grep`, fail2ban and alarms may rely on them. Values that come from outside
hold no blank and no control byte: such bytes are written as `\xHH`.

The third column says how many lines of one event a process writes in a minute
before it holds repeats back; their number follows as `repeated=`. Where it is
empty every line is written.

This page is made of `src/base/log_events.def` by `tools/gen-log-events.sh`.

| event | what it says | lines a minute |
|---|---|---|
EOT
# shellcheck disable=SC2016 # $ is not for the shell
sed -n 's/^EVENT([A-Z_]*, "\([^"]*\)", \([0-9]*\), "\(.*\)")$/| `\1` | \3 | \2 |/p' \
    src/base/log_events.def | sed 's/| 0 |$/| |/'
