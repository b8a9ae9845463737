#!/bin/sh
# Prints the path of a release build of ckpt, which it makes; CKPT=FILE is printed as it is.
set -eu
cd "$(dirname "$0")/.."

if [ -n "${CKPT:-}" ]; then
  printf '%s\n' "$CKPT"
  exit
fi
# The Swift libraries inside: the tool starts in half the time, and runs without a toolchain.
swift build -c release --static-swift-stdlib --product ckpt >&2
printf '%s/ckpt\n' "$(swift build -c release --static-swift-stdlib --show-bin-path)"
