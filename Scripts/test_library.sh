#!/bin/sh
# Builds the example of docs/library.md with the library products as a dependency by version, which takes
# no unsafe flags, and runs it: what it prints is what torch, gguf, tokenizers and pyarrow say of the
# same files. Some minutes.
set -eu
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }
fail() { printf 'test_library: %s\n' "$*" >&2; exit 1; }

# A version is for ever to the package manager: each run has an address of its own.
rm -rf build/library
work=build/library/$$
mkdir -p "$work/ckpt"

version=$(sed -n 's/.*ToolVersion("\([0-9.]*\)", commit.*/\1/p' Sources/RecurrentPackage/ToolVersion.swift)
grep -q "exact: \"$version\"" docs/library.md || { echo "docs/library.md does not name $version" >&2; exit 1; }

say 'A repository with a version, of the files that git knows here'
git ls-files -z | xargs -0 cp --parents -t "$work/ckpt"
git -C "$work/ckpt" init --quiet
git -C "$work/ckpt" add --all
git -C "$work/ckpt" -c user.name=test -c user.email=test@localhost commit --quiet --message test
git -C "$work/ckpt" tag "$version"

say 'The example depends on the version'
cp -R Examples/OpenCheckpoint "$work/example"
rm -rf "$work/example/.build"
sed -i "s|.package(name: \"ckpt\", path: \"../..\")|.package(url: \"file://$PWD/$work/ckpt\", exact: \"$version\")|" \
  "$work/example/Package.swift"
# Development's settings are not a user's.
unset CKPT_STRICT
build="swift build --package-path $work/example --scratch-path $work/scratch"
# shellcheck disable=SC2086  # a list of words
$build
# shellcheck disable=SC2086
example=$($build --show-bin-path)/OpenCheckpoint

# usage: expect ARGUMENT… -- LINE…: the lines that the example prints with the arguments
expect() {
  output=$work/output
  : >"$work/arguments"
  while [ "$1" != -- ]; do
    printf '%s\n' "$1" >>"$work/arguments"
    shift
  done
  shift
  xargs -d '\n' -a "$work/arguments" "$example" >"$output"
  for line; do
    grep -Fq -- "$line" "$output" || { cat "$output"; fail "no line says: $line"; }
  done
}

say 'It reads what other programs read'
expect fixtures/tiny-arithmetic -- 'safetensors, 110 tensors' 'model_type: llama' \
  'model.embed_tokens.weight BF16 [384, 96]: -0.09765625 -0.37890625 -0.84375'
expect fixtures/tiny-arithmetic/model.safetensors -- 'metadata: {"format":"pt"}'
expect fixtures/gguf/llama.gguf -- 'gguf, 20 tensors' 'GGUF 3, llama' \
  'token_embd.weight Q8_0 [24, 32]: -1.260437 -0.6125488 -0.7892456' \
  'output_norm.weight F32 [32]: 0.6589112 -0.60585845 0.50186616'
expect fixtures/torch/checkpoint.pt -- 'torch, 2 tensors' 'PyTorch, layout zip' \
  'F32 [2, 3]: -0.6028483 1.6148148 1.9301982'
expect fixtures/tiny-arithmetic '12+7=19.' -- '[18, 19, 12, 24, 30, 18, 26, 15] 12+7=19.'
expect fixtures/parquet/small.parquet -- '2 rows, text: string' '{"text":"1+1=2"}' '{"text":null}'
expect missing.gguf -- 'io.missing: cannot open'
say 'The library products are a dependency by version'
