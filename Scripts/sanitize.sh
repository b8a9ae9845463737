#!/bin/sh
# Runs tests under AddressSanitizer (the readers of formats, the kernels) and under ThreadSanitizer (the thread
# pool, the exchange of gradients). Builds lie in build/asan and build/tsan. Scripts/test.sh runs the fuzzers of
# three readers under AddressSanitizer.
# usage: Scripts/sanitize.sh [address|thread]; both without an argument.
set -eu
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }

# Leaks are not looked for: Swift's runtime keeps what it makes of types until the end, and the search
# traces the process, which many containers forbid.
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1
export TSAN_OPTIONS=halt_on_error=1:abort_on_error=1
# The sanitizers' own reports say more, and sooner.
export SWIFT_BACKTRACE=enable=no

# usage: build KIND FOLDER TARGETS: builds the tests of the targets alone.
build() {
  export CKPT_TESTS="$3"
  say "Tests under the $1 sanitizer: build"
  swift build --product ckptPackageTests --sanitize "$1" --scratch-path "$2"
}

# usage: run KIND FOLDER [option…]: runs what was built.
run() {
  say "Tests under the $1 sanitizer: $CKPT_TESTS"
  kind=$1
  folder=$2
  shift 2
  swift test --skip-build --sanitize "$kind" --scratch-path "$folder" "$@"
}

# Tests of kernels and threads run one after another: a pool's threads wait by turning and giving way, which
# takes long where several pools of instrumented code share two cores. Left to the ordinary run are three
# tests that take as long as all others and read the same files or call the same kernels again and again.
address() {
  build address build/asan \
    'Tensors Kernels Compression Parquet Arrow Safetensors TorchArchive GGUF'
  run address build/asan --skip 'KernelsTests|truncation'
  run address build/asan --no-parallel --filter KernelsTests --skip 'symmetric|companions'
}

thread() {
  build thread build/tsan 'Kernels Training'
  run thread build/tsan --no-parallel \
    --filter 'WorkersTests|RowTests|RoutingTests|lowRank|ExchangeTests'
}

case ${1:-both} in
  address | thread) "$1" ;;
  both)
    address
    thread
    ;;
  *)
    echo 'usage: Scripts/sanitize.sh [address|thread]' >&2
    exit 64
    ;;
esac
