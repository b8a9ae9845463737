#!/bin/sh
# Sets up the machine, builds a release binary, and runs the main job on the shipped model. The demo
# itself takes a minute on two cores; what it makes is under build/demo. CKPT=FILE uses a built ckpt.
set -eu
cd "$(dirname "$0")/.."

say() { printf '\n==> %s\n' "$*"; }

# Shows a command as a person would type it, then runs it.
run() {
  printf '\n$ ckpt %s\n' "$*"
  "$ckpt" "$@"
}

# A table of continuations, by prompt and number of recurrences: samples MODEL.
samples() {
  printf '\n$ ckpt generate %s --prompt PROMPT --recurrence R\n' "$1"
  for prompt in '12+7=' '48+35=' 'Count: 3, 4,' 'The small dog'; do
    for r in 1 4 8; do
      # An assignment, so that a failure ends the script.
      text=$("$ckpt" generate "$1" --prompt "$prompt" --recurrence "$r" --max-tokens 24 \
        --progress none)
      printf 'r = %d  %s%s\n' "$r" "$prompt" "$(printf '%s\n' "$text" | head -n 1)"
    done
  done
}

if [ -z "${CKPT:-}" ]; then
  Scripts/setup.sh
  say 'Release build'
fi
ckpt=$(Scripts/release.sh)

model=fixtures/tiny-arithmetic
heldout=fixtures/text/heldout.txt
demo=build/demo
package=$demo/package
healed=$demo/run/package
rm -rf "$demo"
mkdir -p "$demo"

say 'A small model that knows arithmetic'
run inspect "$model"
run eval "$model" --data "$heldout" --progress none

say 'Its layers as prelude, core and coda; four of twelve are dropped'
run retrofit "$model" --prelude 2 --core 4 --coda 2 --mean-recurrence 4 -o "$package"

say 'Is it what it claims to be, and would faults be noticed?'
run verify "$package" --source "$model" --self-test

say 'What dropping layers has cost; the adapter ignores the state, so r cannot help yet'
run eval "$package" --data "$heldout" --recurrence 1,2,4,8 --progress none
samples "$package"

say 'Healing: training while the mean recurrence grows to 4'
run train "$package" --data fixtures/text/corpus.txt --recipe fixtures/text/heal.yaml -o "$demo/run"

say 'After healing'
run eval "$healed" --data "$heldout" --recurrence 1,2,4,8 --svg "$demo/recurrence.svg" \
  --progress none
samples "$healed"

say 'What depth is worth: the same retrofit, trained on sums of 2 to 14 terms; a step is an operation'
run eval fixtures/tiny-sums --data fixtures/eval/long-sums.jsonl --task answers --by steps \
  --recurrence 1,2,4,8 --batch-size 32 --svg "$demo/sums.svg" --progress none

say "Charts: $demo/run/curve.svg (training), $demo/recurrence.svg (loss against r), $demo/sums.svg (sums against r)"
