#!/usr/bin/env bash
# Tests what setup.sh can be asked without installing or starting anything.
set -euo pipefail
export LC_ALL=C

setup=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/setup.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# An unknown command is a usage error that says what there is.
status=0
"$setup" no-such-command > /dev/null 2> "$scratch/err" || status=$?
[[ $status -eq 2 ]] || fail "unknown command: status $status"
grep -q '^Usage:' "$scratch/err" || fail "unknown command: no usage"

# Help names every command.
"$setup" help > "$scratch/help"
for command in build test run stop bench install; do
  grep -q "^  $command " "$scratch/help" || fail "help lacks $command"
done

# What is installed is not installed again.
[[ -z $("$setup" install bash dpkg) ]] || fail "install of what is there"

# Counting: skipped and disabled tests did not pass.
printf '<?xml version="1.0"?>\n<testsuite name="x"\n\ttests="12"\n\t%s\n\t%s\n' \
  'failures="1"' 'disabled="1"' > "$scratch/tests.xml"
printf '\tskipped="2"\n\ttime="3">\n<testcase name="tests=\\"99\\""/>\n' \
  >> "$scratch/tests.xml"
[[ $("$setup" count "$scratch/tests.xml") == \
  "8 passed, 1 failed, 3 skipped" ]] || fail "count"

# Stopping what never ran is no error, as often as one likes.
export HOME=$scratch XDG_STATE_HOME=$scratch XDG_RUNTIME_DIR=$scratch
if [[ $EUID -ne 0 || ! -e /var/lib/vitrine-demo ]]; then
  "$setup" stop > /dev/null
  "$setup" stop > /dev/null
fi
[[ -z $(find "$scratch" -name 'vitrine*') ]] || fail "stop left something"
