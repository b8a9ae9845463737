#!/bin/sh
# Builds ckpt with MPI, and trains the shipped model by 1, 2 and 4 processes of this machine: the same losses
# in every mode, a killed process, signals, resuming, refusals. A minute and a half beside the builds.
#
# The build lies in .build-mpi: in .build it would compile everything anew, and so would the next one without
# MPI. With CKPT_TRAITS=MPI it is the one in .build, which Scripts/check.sh has made with that trait.
set -eu
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }
fail() { printf 'test_mpi: %s\n' "$*" >&2; exit 1; }

Scripts/setup.sh openmpi-bin libopenmpi-dev
say 'Build with MPI'
build='swift build --product ckpt --traits MPI'
[ "${CKPT_TRAITS:-}" = MPI ] || build="$build -c release --static-swift-stdlib --scratch-path .build-mpi"
CKPT_STRICT=1 $build
ckpt=$(CKPT_STRICT=1 $build --show-bin-path)/ckpt

work=build/mpi
rm -rf "$work"
mkdir -p "$work"
package=$work/package
"$ckpt" retrofit fixtures/tiny-arithmetic --prelude 2 --core 4 --coda 2 --mean-recurrence 4 \
  --quiet -o "$package" >/dev/null

# A small machine shall do, and a container where everybody is root.
[ "$(id -u)" -ne 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# What is trained on.
data=fixtures/text/corpus.txt

# usage: launch RUN PROCESSES [option…]; takes this shell's place. One process starts without mpirun.
launch() {
  run=$work/$1
  start="mpirun --oversubscribe -n $2"
  [ "$2" != 1 ] || start=
  shift 2
  # shellcheck disable=SC2086  # a list of words
  exec $start "$ckpt" train "$package" --data "$data" -o "$run" --cache "$work/cache" \
    --batch-size 8 --micro-batch-size 2 --sequence-length 64 --mean-recurrence 4 --threads 1 \
    --set evaluation.rows=8 --eval-recurrence 1,4 --progress none --quiet "$@"
}

train() { (launch "$@"); }

# usage: column RUN KEY: a line for each step, its number and that of the key.
column() { sed -n "s/.*\"step\":\([0-9]*\),.*\"$2\":\([^,}]*\).*/\1 \2/p" "$work/$1/metrics.jsonl"; }

# usage: same A B [KEY]: the same steps, and losses that agree to 1e-6, numbers above 1 to that share.
same() {
  column "$1" "${3:-loss}" >"$work/a"
  column "$2" "${3:-loss}" >"$work/b"
  paste -d ' ' "$work/a" "$work/b" | awk -v name="$2${3:+, $3}" '
    { d = $2 - $4; if (d < 0) d = -d; if ($2 > 1) d /= $2; if (d > most) most = d; if ($1 != $3) wrong = 1 }
    END {
      printf "    %s: %d steps, largest difference %.1e\n", name, NR, most
      exit wrong || !(most <= 1e-6) || NR == 0
    }' || fail "losses of $2 are not those of $1"
}

# usage: await RUN STEP: until the run has logged the step.
await() {
  turns=0
  until [ -f "$work/$1/metrics.jsonl" ] && grep -q "\"step\":$2," "$work/$1/metrics.jsonl"; do
    turns=$((turns + 1))
    [ "$turns" -lt 600 ] || fail "$1 does not reach step $2"
    sleep 0.1
  done
}

# usage: finish PID STATUS: waits for a background command.
finish() {
  status=0
  wait "$1" || status=$?
  [ "$status" = "$2" ] || { cat "$work/messages"; fail "exit status $status, expected $2"; }
}

# The processes that an mpirun has started.
ranks() { ps -o pid= --ppid "$1"; }

for optimizer in muon adamw; do
  say "The same losses by 1, 2 and 4 processes: $optimizer"
  for processes in 1 2 4; do
    train "$optimizer-$processes" $processes --steps 20 --eval-every 10 --optimizer $optimizer \
      >/dev/null
    same "$optimizer-1" "$optimizer-$processes"
  done
done
for mode in adapter lora; do
  say "The same losses by 1 and 2 processes: mode $mode, and with a teacher"
  for processes in 1 2; do
    train "$mode-$processes" $processes --steps 10 --eval-every 5 --mode $mode >/dev/null
    train "$mode-teacher-$processes" $processes --steps 10 --eval-every 5 --mode $mode \
      --teacher fixtures/tiny-arithmetic >/dev/null
  done
  same "$mode-1" "$mode-2"
  same "$mode-teacher-1" "$mode-teacher-2"
  same "$mode-teacher-1" "$mode-teacher-2" divergence
done

# One step: an update makes more of the last bits of a gradient.
say 'A step may be cut in any way: masked labels, micro-batches, processes, memory'
data=fixtures/eval/completions.jsonl
for cut in '8 1' '8 1 --memory-budget 96MiB' '2 1' '1 1' '4 2' '1 2' '2 4'; do
  # shellcheck disable=SC2086  # words
  set -- $cut
  run=cut-$(printf %s "$cut" | tr -cs '[:alnum:]' -)
  micro=$1 processes=$2
  shift 2
  train "$run" "$processes" --steps 1 --sequence-length 32 --micro-batch-size "$micro" \
    --set recurrence.fixed=3 "$@" >/dev/null
  same cut-8-1 "$run"
  same cut-8-1 "$run" grad_norm
done
data=fixtures/text/corpus.txt

cmp -s "$work/muon-1/recipe.yaml" "$work/muon-4/recipe.yaml" || fail 'recipes differ'
"$ckpt" inspect "$work/muon-4/package" --check --quiet >/dev/null

say 'A step tells how long its sums took: not longer than the step'
column muon-2 exchange_active_seconds >"$work/a"
column muon-2 tokens_per_second >"$work/b"
paste -d ' ' "$work/a" "$work/b" | awk '
  !($2 > 0 && $2 <= 512 / $4) { wrong = 1 }
  END { exit wrong || NR != 20 }' || fail 'times of sums are wrong'

say 'The same start twice gives the same bits'
train again 2 --steps 20 --eval-every 10 >/dev/null
cmp -s "$work/muon-2/package/model.safetensors" "$work/again/package/model.safetensors" ||
  fail 'weights differ'

say 'A killed process ends the run; its last checkpoint is whole, and any number goes on'
train whole 1 --steps 60 --checkpoint-every 10 >/dev/null
launch killed 2 --steps 60 --checkpoint-every 10 >"$work/messages" 2>&1 &
mpirun=$!
await killed 13
victim=$(ranks "$mpirun" | tail -n 1)
kill -KILL "$victim"
status=0
wait "$mpirun" || status=$?
[ "$status" != 0 ] || fail 'a lost process was not noticed'
[ -d "$work/killed/checkpoints/step-10" ] || fail 'no checkpoint'
train killed 4 --resume >/dev/null
same whole killed

say 'A signal to one process stops all after a checkpoint'
launch stopped 2 --steps 60 >"$work/messages" 2>&1 &
mpirun=$!
await stopped 5
# shellcheck disable=SC2046  # one process
kill -TERM $(ranks "$mpirun" | tail -n 1)
finish "$mpirun" 130
grep -q 'rank 0 on .*: stopped by a signal after step' "$work/messages" ||
  fail 'the error does not name the rank'
train stopped 1 --resume >/dev/null
same whole stopped

say 'So does a signal to mpirun'
OMPI_MCA_odls_base_sigkill_timeout=20 launch interrupted 2 --steps 60 >"$work/messages" 2>&1 &
mpirun=$!
await interrupted 5
kill -INT "$mpirun"
status=0
wait "$mpirun" || status=$?
[ "$status" != 0 ] || fail 'an interrupted run ended well'
train interrupted 2 --resume >/dev/null
same whole interrupted

say 'What cannot work is refused'
status=0
train refused 3 --steps 5 >"$work/messages" 2>&1 || status=$?
grep -q '3 processes cannot share' "$work/messages" || fail 'uneven shares are not refused'
[ "$status" = 64 ] || fail "uneven shares: exit status $status"
[ ! -e "$work/refused" ] || fail 'a refused run left a folder'
ckpt=$(Scripts/release.sh)
status=0
train refused 2 --steps 5 >"$work/messages" 2>&1 || status=$?
grep -q 'built without MPI' "$work/messages" || fail 'a ckpt without MPI does not say so'
[ "$status" = 4 ] || fail "a ckpt without MPI: exit status $status"
[ ! -e "$work/refused" ] || fail 'a refused run left a folder'
say 'MPI works'
