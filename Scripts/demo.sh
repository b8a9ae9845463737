#!/bin/sh
# Sets up the machine, builds a release binary, and runs the main job on the shipped model.
set -eu
cd "$(dirname "$0")/.."

say() { printf '\n==> %s\n' "$*"; }

# Shows a command as a person would type it, then runs it.
run() {
  printf '\n$ ckpt %s\n' "$*"
  "$ckpt" "$@"
}

Scripts/setup.sh

say 'Release build'
swift build -c release --product ckpt
ckpt=$(swift build -c release --show-bin-path)/ckpt

model=fixtures/tiny-arithmetic
heldout=fixtures/text/heldout.txt
demo=build/demo
package=$demo/package
rm -rf "$demo"
mkdir -p "$demo"

say 'A small model that knows arithmetic'
run inspect "$model"
run eval "$model" --data "$heldout"

say 'Its layers as prelude, core and coda; four of twelve are dropped'
run retrofit "$model" --prelude 2 --core 4 --coda 2 --mean-recurrence 4 -o "$package"

say 'What dropping layers has cost; the adapter ignores the state, so r cannot help yet'
run eval "$package" --data "$heldout" --recurrence 1,2,4,8
