#!/bin/sh
# Makes fixtures/tiny-sums, on which more recurrences answer more questions right: a retrofit of
# fixtures/tiny-arithmetic that learned sums of 2 to 14 terms. A quarter of an hour on an idle core that
# multiplies bfloat16. CKPT=FILE uses a built ckpt.
set -eu
cd "$(dirname "$0")/.."
ckpt=$(Scripts/release.sh)
work=build/tiny-sums
rm -rf "$work"
mkdir -p "$work"

Scripts/make_sums.py train >"$work/train.jsonl"
Scripts/make_sums.py test >fixtures/eval/long-sums.jsonl
"$ckpt" retrofit fixtures/tiny-arithmetic --prelude 2 --core 4 --coda 2 --head tied \
  --mean-recurrence 4 -o "$work/start"
env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE "$ckpt" train "$work/start" -o "$work/run" \
  --data "$work/train.jsonl" --flops 9e13 --optimizer muon --learning-rate 0.005 \
  --set optimizer.adam.learning_rate=0.002 --batch-size 16 --micro-batch-size 16 \
  --sequence-length 256 --warmup 0.02 --precision bf16 --threads 1 --seed 1 \
  --set data.attention=document --set data.held_out=0.002 --eval-every 200 \
  --eval-recurrence 1,2,4,8 --mean-recurrence 4 --set recurrence.mean.shape=1-sqrt \
  --set recurrence.mean.ramp=0.5 --save-dtype bf16
rm -rf fixtures/tiny-sums
cp -r "$work/run/package" fixtures/tiny-sums
