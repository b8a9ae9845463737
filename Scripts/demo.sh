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
run inspect "$model"
