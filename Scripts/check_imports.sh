#!/bin/sh
# Compares each target's dependencies in Package.swift with what its files import: neither may have
# what the other has not.
set -eu
cd "$(dirname "$0")/.."

# One line a target: its name, its folder, and what the manifest says that it depends on.
swift package describe | awk '
  function finish() { if (name != "" && kind ~ /Swift/) print name, path, dependencies; name = "" }
  /^Targets:/ { started = 1 }
  !started { next }
  /^    Name: / { finish(); name = $2; kind = path = dependencies = ""; collecting = 0 }
  /^    Module type: / { kind = $3 }
  /^    Path: / { path = $2 }
  /^    [A-Z]/ { collecting = /^    (Target|Product) dependencies:/ }
  /^        / && collecting { dependencies = dependencies " " $1 }
  END { finish() }' >build/edges.txt

failed=0
# shellcheck disable=SC2094  # the list is read twice, and written by nobody
while read -r name path dependencies; do
  imports=$(grep -rhoE '^(@testable |package |public |private )?import (struct |func )?[A-Za-z_0-9]+' \
    "$path" --include='*.swift' | sed 's/.*import //; s/^struct //; s/^func //' | sort -u)
  for dependency in $dependencies; do
    # All test targets may have these two.
    [ "$name" = "${dependency}Tests" ] || [ "$dependency" = TestSupport ] && continue

    if ! printf '%s\n' "$imports" | grep -qx "$dependency"; then
      printf '%s depends on %s, which none of its files imports\n' "$name" "$dependency" >&2
      failed=1
    fi
  done
  for import in $imports; do
    grep -q "^$import " build/edges.txt || [ -d "Sources/$import" ] || continue
    case " $dependencies " in
      *" $import "*) ;;
      *)
        printf '%s imports %s, which the manifest does not say\n' "$name" "$import" >&2
        failed=1
        ;;
    esac
  done
done <build/edges.txt
exit $failed
