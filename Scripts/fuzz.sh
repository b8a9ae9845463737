#!/bin/sh
# usage: Scripts/fuzz.sh safetensors|torch|gguf|parquet|arrow|tokenizers|chat [seconds]
# Runs libFuzzer on a format's reader, from its fixtures and from what earlier runs found. See Fuzz/README.md.
set -eu
cd "$(dirname "$0")/.."

format=$1
seconds=${2:-60}
case $format in
  safetensors) module=Safetensors ;;
  torch) module=TorchArchive ;;
  gguf) module=GGUF ;;
  parquet) module=Parquet ;;
  arrow) module=Arrow ;;
  tokenizers) module=Tokenizers ;;
  chat) module=ChatTemplates ;;
  *) echo "unknown format $format" >&2; exit 64 ;;
esac

CKPT_FUZZ=1 swift build -c release --scratch-path .build/fuzz --sanitize fuzzer \
  --product "Fuzz$module"

found=build/fuzz/$format
mkdir -p "$found"
# A backtrace of a crashed fuzzer can take longer than the run. Time is that of the clock: an input
# that takes a second is reported, but only one that takes five fails, as a busy machine may stall.
export SWIFT_BACKTRACE=enable=no
".build/fuzz/release/Fuzz$module" "$found" "fixtures/$format" \
  -max_total_time="$seconds" -report_slow_units=1 -timeout=5 -malloc_limit_mb=64 \
  -rss_limit_mb=160 -max_len=1000000 -artifact_prefix="$found-" -print_final_stats=1 -verbosity=1
