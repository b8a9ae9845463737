#!/bin/sh
# Compiles the kernels in C for arm64 and runs them under qemu: what each gives must be what the build
# for this machine gives, which the Swift tests compare with other programs. With BF16, and without.
# The Swift code is not built for arm64 here, and no speed is measured.
set -eu
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }
fail() { printf 'test_aarch64: %s\n' "$*" >&2; exit 1; }

[ "$(uname -m)" = x86_64 ] || fail 'this compares arm64 with x86-64: run it on the latter'
Scripts/setup.sh qemu-user libc6-dev-arm64-cross libgcc-12-dev-arm64-cross binutils-aarch64-linux-gnu

work=build/aarch64
rm -rf "$work"
mkdir -p "$work"

# usage: compile NAME OPTION…
compile() {
  name=$1
  shift
  # The flags of Package.swift.
  clang "$@" -O3 -fno-math-errno -Wall -Wextra -Werror -ISources/CConversions/include \
    -ISources/CKernels/include Sources/CConversions/*.c Sources/CKernels/*.c Tests/aarch64/kernels.c \
    -lm -o "$work/$name"
}

say 'Kernels for this machine'
compile native
"$work/native" write "$work/native.results"

say 'Kernels for arm64'
compile arm64 --target=aarch64-linux-gnu -static
for processor in max cortex-a72; do
  say "qemu-aarch64 -cpu $processor"
  qemu-aarch64 -cpu "$processor" "$work/arm64" write "$work/arm64.results"
  "$work/native" compare "$work/native.results" "$work/arm64.results"
done

say 'The rest of the C code compiles for arm64'
clang --target=aarch64-linux-gnu -O3 -Wall -Wextra -Werror -fsyntax-only \
  -ISources/CPlatform/include -ISources/CVersion/include -ISources/CBLAS/include \
  Sources/CPlatform/*.c Sources/CVersion/*.c Sources/CBLAS/*.c
clang --target=aarch64-linux-gnu -O3 -Wall -Wextra -Werror -fsyntax-only -ISources/CDigest/include \
  -idirafter "/usr/include/$(uname -m)-linux-gnu" -idirafter /usr/include Sources/CDigest/*.c
