#!/bin/sh
# Prints the path of a release build of ckpt, which it makes; CKPT=FILE is printed as it is. Arguments go
# to swift build.
set -eu
cd "$(dirname "$0")/.."

if [ -n "${CKPT:-}" ]; then
  printf '%s\n' "$CKPT"
  exit
fi
CKPT_COMMIT=${CKPT_COMMIT:-$(Scripts/commit.sh)}
export CKPT_COMMIT
# The Swift libraries inside: the tool starts in half the time, and runs without a toolchain. The
# versions of Package.resolved and no others.
build() {
  swift build -c release --static-swift-stdlib --product ckpt --only-use-versions-from-resolved-file "$@"
}
build "$@" >&2
printf '%s/ckpt\n' "$(build "$@" --show-bin-path)"
