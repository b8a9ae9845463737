#!/bin/sh
# usage: Scripts/scaling.sh MODEL [STEPS]
# How training scales on this machine: one process with one thread, one with two, and two processes with
# one thread each, in turn, twice. Needs a ckpt built with MPI (Scripts/test_mpi.sh builds one) and an
# otherwise idle machine. A line each: mean seconds a step, tokens a second, share of waiting.
set -eu
cd "$(dirname "$0")/.."

model=$1
steps=${2:-8}
ckpt=${CKPT:-.build-mpi/release/ckpt}
work=build/scaling
rm -rf "$work"
mkdir -p "$work"
[ "$(id -u)" -ne 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

"$ckpt" retrofit "$model" --prelude 4 --core 4 --coda 4 --quiet -o "$work/package" >/dev/null

measure() { # name threads starter…
  run=$work/$1
  threads=$2
  shift 2
  "$@" "$ckpt" train "$work/package" --data fixtures/text/corpus.txt -o "$run" --steps "$steps" \
    --batch-size 8 --micro-batch-size 2 --sequence-length 128 --recurrence 4 --optimizer adamw \
    --threads "$threads" --set evaluation.rows=1 --eval-recurrence 1 --quiet --progress none >/dev/null
  # The first step also touches memory for the first time.
  sed 1d "$run/metrics.jsonl" | awk -v name="$(basename "$run")" '
    function field(key) { match($0, "\"" key "\":[^,}]*"); return substr($0, RSTART + length(key) + 3) + 0 }
    { seconds = 1024 / field("tokens_per_second"); if (NR == 1 || seconds < best) best = seconds
      all += seconds; waited += field("exchange_seconds") }
    END { printf "%-22s %6.3f s a step (best %.3f), %5.0f tokens/s, %4.1f %% waiting\n",
      name, all / NR, best, 1024 * NR / all, 100 * waited / all }'
}

for round in 1 2; do
  measure "1-process-1-thread-$round" 1
  measure "1-process-2-threads-$round" 2
  measure "2-processes-1-thread-$round" 1 mpirun -n 2
done
"$ckpt" runs "$work"/*-1 --svg "$work/scaling.svg"
