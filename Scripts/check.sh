#!/bin/sh
# Formatting, the unsafe gate, a build with warnings as errors, and all tests.
set -eu
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }

sources='Sources Tests Package.swift'
[ ! -d Benchmarks ] || sources="$sources Benchmarks/Package.swift Benchmarks/Benchmarks"

say 'Formatting'
# shellcheck disable=SC2086  # a list of words
swift format lint --strict --recursive $sources

say 'Unsafe code stays in its islands'
islands='^Sources/(ByteIO|Kernels)/|^Sources/Tensors/Buffer\.swift|/(Zlib|LibArchive)[A-Za-z]*\.swift$'
strays=$(grep -rlw unsafe Sources --include='*.swift' | grep -vE "$islands" || true)
if [ -n "$strays" ]; then
  printf 'unsafe outside its islands:\n%s\n' "$strays" >&2
  exit 1
fi

say 'Strict build, with tests'
export CKPT_STRICT=1
swift build --build-tests

say 'Tests'
swift test --skip-build

say 'All checks passed'
