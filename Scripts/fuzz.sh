#!/bin/sh
# usage: Scripts/fuzz.sh safetensors|torch|gguf|parquet|arrow|tokenizers|chat|config|package|training [seconds]
# Runs libFuzzer on a reader, from its fixtures and from what earlier runs found. See Fuzz/README.md.
# RUNS=N executes N inputs instead, whatever the time; LENGTH=BYTES (1000000) bounds them.
# SANITIZE=address builds it with AddressSanitizer, which finds what a trap does not and takes more memory.
set -eu
cd "$(dirname "$0")/.."

format=$1
seconds=${2:-60}
seeds=fixtures/$format
more=
made=build/fuzz/seeds-$format
case $format in
  safetensors) module=Safetensors ;;
  torch) module=TorchArchive ;;
  gguf) module=GGUF ;;
  parquet) module=Parquet ;;
  arrow) module=Arrow ;;
  tokenizers) module=Tokenizers more=fixtures/sentencepiece ;;
  chat) module=ChatTemplates seeds=$made ;;
  config) module=ModelGraph seeds=$made ;;
  package) module=RecurrentPackage seeds=fixtures/package more=$made ;;
  training) module=Training seeds=$made ;;
  *) echo "unknown format $format" >&2; exit 64 ;;
esac

built=.build/fuzz
memory=160
if [ "${SANITIZE:-}" = address ]; then
  built=.build/fuzz-address
  memory=1024
  set -- --sanitize address
else
  set --
fi
CKPT_FUZZ=1 swift build -c release --scratch-path "$built" --sanitize fuzzer "$@" \
  --product "Fuzz$module"

found=build/fuzz/$format
mkdir -p "$found" "$made"

case $format in
  chat | training) Fuzz/make_seeds.py "$format" "$made" ;;
  config)
    find fixtures -name config.json | while read -r file; do
      cp "$file" "$made/$(dirname "$file" | tr / -).json"
    done
    ;;
  package) tar -xf fixtures/package/*.tar -C "$made" manifest.json ;;
esac
# A backtrace of a crashed fuzzer can take longer than the run. Time is that of the clock: an input
# that takes a second is reported, but only one that takes five fails, as a busy machine may stall.
export SWIFT_BACKTRACE=enable=no
extent=-max_total_time=$seconds
[ -z "${RUNS:-}" ] || extent="-runs=$RUNS -len_control=0"
# shellcheck disable=SC2086  # words
"$built/release/Fuzz$module" "$found" "$seeds" ${more:+"$more"} \
  $extent -report_slow_units=1 -timeout=5 -malloc_limit_mb=64 \
  -rss_limit_mb="$memory" -max_len="${LENGTH:-1000000}" -artifact_prefix="$found-" -print_final_stats=1 -verbosity=1
