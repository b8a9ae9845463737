#!/bin/sh
# Formatting, the unsafe gate, a build with warnings as errors, and all tests. CKPT_TRAITS=MPI builds with
# Open MPI, so that Scripts/test_mpi.sh needs no build of its own: CI does.
set -eu
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }

sources='Sources Tests Fuzz Package.swift Benchmarks/Sources Benchmarks/Package.swift Examples'

say 'Formatting'
# shellcheck disable=SC2086  # a list of words
swift format lint --strict --recursive $sources

say 'Shell scripts'
shellcheck Scripts/*.sh .ci/run

say 'Unsafe code stays in its islands: Platform, ByteIO, Kernels, Buffer, files that import a C target'
# A page's policy of contents has the word, too.
strays=$(grep -rE '^([^/]|/[^/])*\bunsafe\b' Sources --include='*.swift' |
  grep -v "'unsafe-inline'" | cut -d: -f1 | sort -u |
  grep -vE '^Sources/(Platform|ByteIO|Kernels)/|^Sources/Tensors/Buffer\.swift$' |
  xargs -r grep -LE '^ *(package |public )?import C[A-Z]' || true)
if [ -n "$strays" ]; then
  printf 'unsafe outside its islands:\n%s\n' "$strays" >&2
  exit 1
fi

say 'The operating system is spoken to in Platform alone'
if grep -rnE '^ *(package |public )?import (Glibc|Musl|Foundation|Darwin)' Sources --include='*.swift' |
  grep -v '^Sources/Platform/' >&2; then
  exit 1
fi

say 'The manifest has the edges that the imports have'
mkdir -p build
Scripts/check_imports.sh

say 'Strict build, with tests'
export CKPT_STRICT=1
swift build --build-tests ${CKPT_TRAITS:+--traits "$CKPT_TRAITS"}

say 'Tests'
swift test --skip-build ${CKPT_TRAITS:+--traits "$CKPT_TRAITS"}

say 'All checks passed'
