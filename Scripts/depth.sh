#!/bin/sh
# Makes the figures of docs/depth.md with the model that is shipped: what a penalty on the last step
# does to a healed state, and what batches do to the speed of decoding.
#
# Usage: Scripts/depth.sh FOLDER   (CKPT names the program; some ten minutes on two cores)
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
ckpt=${CKPT:-$root/.build/release/ckpt}
out=${1:?give a folder for the results}
mkdir -p "$out"
cd "$root"

"$ckpt" retrofit fixtures/tiny-arithmetic --prelude 2 --core 4 --coda 2 -o "$out/retrofit" --force
for weight in 0 0.1 1; do
  run=$out/settling-$weight
  rm -rf "$run"
  "$ckpt" train "$out/retrofit" --recipe fixtures/text/heal.yaml --data fixtures/text/corpus.txt \
    --set "recurrence.settling=$weight" -o "$run" --quiet
  printf '\nrecurrence.settling: %s\n' "$weight"
  # A state that explodes is an answer too.
  "$ckpt" verify "$run/package" --stability fixtures/text/heldout.txt --windows 4 --quiet |
    sed -n '/windows/,$p' || true
done

i=0
while [ $i -lt 64 ]; do
  printf '%d+%d=\n' $((i * 7 % 50)) $((i * 13 % 50))
  i=$((i + 1))
done > "$out/prompts.txt"
for batch in 1 4 16; do
  printf '\n--batch %s: ' "$batch"
  "$ckpt" generate "$out/settling-0/package" --prompts "$out/prompts.txt" --recurrence 8 \
    --max-tokens 32 --batch "$batch" --progress none 2>&1 > "$out/batch-$batch.txt" | tail -1
  cmp "$out/batch-1.txt" "$out/batch-$batch.txt"
done
