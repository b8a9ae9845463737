#!/bin/sh
# usage: Scripts/scaling.sh MODEL [STEPS [ROUNDS]]
# How training scales on this machine: one process with one thread, two processes with one thread each,
# and one process with two threads, in turn, on the same batch. Needs a ckpt built with MPI
# (Scripts/test_mpi.sh builds one) and an otherwise idle machine. Prints a row of a table for each, and
# draws build/scaling/scaling.svg. Seconds are means over all steps but the first of each run, which
# touches memory for the first time.
set -eu
cd "$(dirname "$0")/.."

model=$1
steps=${2:-5}
rounds=${3:-2}
ckpt=${CKPT:-.build-mpi/release/ckpt}
work=build/scaling
rm -rf "$work"
mkdir -p "$work"
[ "$(id -u)" -ne 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

"$ckpt" retrofit "$model" --prelude 4 --core 4 --coda 4 --quiet -o "$work/package" >/dev/null

batch=8
length=128

measure() { # name threads starter…
  name=$1
  threads=$2
  shift 2
  "$@" "$ckpt" train "$work/package" --data fixtures/text/corpus.txt -o "$work/run" --force \
    --steps "$steps" --batch-size $batch --micro-batch-size 2 --sequence-length $length \
    --recurrence 4 --optimizer adamw --threads "$threads" --set evaluation.rows=1 \
    --eval-recurrence 1 --quiet --progress none >/dev/null
  sed 1d "$work/run/metrics.jsonl" >>"$work/$name.jsonl"
}

round=0
while [ $round -lt "$rounds" ]; do
  measure '1 process, 1 thread' 1
  measure '2 processes, 1 thread each' 1 mpirun -n 2
  measure '1 process, 2 threads' 2
  round=$((round + 1))
done

# Name, seconds a step, tokens a second, seconds in which sums were under way and were waited for.
for name in '1 process, 1 thread' '2 processes, 1 thread each' '1 process, 2 threads'; do
  awk -v name="$name" -v tokens=$((batch * length)) '
    function field(key) {
      return match($0, "\"" key "\":[^,}]*") ? substr($0, RSTART + length(key) + 3) + 0 : 0
    }
    { seconds += tokens / field("tokens_per_second")
      active += field("exchange_active_seconds"); waited += field("exchange_seconds") }
    END { printf "%s\t%.3f\t%.1f\t%.3f\t%.3f\n", name, seconds / NR, tokens * NR / seconds,
      active / NR, waited / NR }' "$work/$name.jsonl"
done >"$work/results.tsv"

awk -F '\t' '
  NR == 1 { alone = $2
    print "| | s a step | tokens/s | speed | s of sums | s waited |\n|---|---|---|---|---|---|" }
  { sums = $4 > 0 ? $4 " | " $5 : "- | -"
    printf "| %s | %s | %.0f | %.2f | %s |\n", $1, $2, $3, alone / $2, sums }' "$work/results.tsv"

awk -F '\t' '
  { name[NR] = $1; speed[NR] = $3; if ($3 > most) most = $3 }
  END {
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 " 44 + 44 * NR "\">"
    print "<style>text { font: 14px sans-serif }</style>"
    print "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
    print "<text x=\"10\" y=\"24\">Tokens a second, on the same batch</text>"
    for (i = 1; i <= NR; i++) {
      top = 44 * i
      width = 300 * speed[i] / most
      printf "<text x=\"10\" y=\"%d\">%s</text>\n", top + 17, name[i]
      printf "<rect x=\"200\" y=\"%d\" width=\"%.1f\" height=\"24\" fill=\"#4269d0\"/>\n", top, width
      printf "<text x=\"%.1f\" y=\"%d\">%.0f (%.2f ×)</text>\n", 208 + width, top + 17, speed[i],
        speed[i] / speed[1]
    }
    print "</svg>"
  }' "$work/results.tsv" >"$work/scaling.svg"
