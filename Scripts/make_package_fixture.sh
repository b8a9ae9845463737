#!/usr/bin/env bash
# Makes fixtures/package/tiny-llama3-rope.tar with the ckpt that is built.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p fixtures/package
swift run ckpt retrofit fixtures/golden/tiny-llama3-rope/source --select 0-1/3-5/6-7 -o "$work/p"
swift run ckpt pack "$work/p" -o fixtures/package/tiny-llama3-rope.tar --force
