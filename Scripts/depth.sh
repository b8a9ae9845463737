#!/bin/sh
# Makes the figures of docs/depth.md with the model that is shipped: what a penalty on the last step, losses
# of shallower states and another injection do to a healed model, and what early exits, batches, drafts and
# windows of the cache do to decoding.
#
# Usage: Scripts/depth.sh FOLDER   (CKPT names the program; what was trained there before is kept)
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
ckpt=${CKPT:-$root/.build/release/ckpt}
out=${1:?give a folder for the results}
mkdir -p "$out"
cd "$root"

for adapter in prelude diagonal gated; do
  "$ckpt" retrofit fixtures/tiny-arithmetic --prelude 2 --core 4 --coda 2 --adapter $adapter \
    -o "$out/$adapter" --force
done

# heal PACKAGE NAME SETTING...: trains the package, unless that was done.
heal() {
  package=$out/$1
  run=$out/$2
  shift 2
  [ ! -d "$run/package" ] || return 0
  rm -rf "$run"
  "$ckpt" train "$package" --recipe fixtures/text/heal.yaml --data fixtures/text/corpus.txt \
    "$@" -o "$run" --quiet
}

# certify NAME: how the state of what was trained settles. One that explodes is an answer too.
certify() {
  printf '\n%s\n' "$1"
  "$ckpt" verify "$out/$1/package" --stability fixtures/text/heldout.txt --windows 4 --quiet |
    sed -n '/windows/,$p' || true
}

for weight in 0 0.1 1; do
  heal prelude "settling-$weight" --set "recurrence.settling=$weight"
  certify "settling-$weight"
done
for seed in 1 2; do
  heal prelude "linear-$seed" --set seed=$seed
  heal diagonal "diagonal-$seed" --set seed=$seed
  heal gated "gated-$seed" --set seed=$seed
  for kind in linear diagonal gated; do certify "$kind-$seed"; done
done

# What stopping early costs, where the distance that a token stops by was trained, and where it was not.
Scripts/make_sums.py train >"$out/sums.jsonl"
for weight in 0 0.3; do
  run=$out/sums-$weight
  if [ ! -d "$run/package" ]; then
    "$ckpt" train fixtures/tiny-sums -o "$run" --data "$out/sums.jsonl" --flops 6e12 --optimizer muon \
      --learning-rate 0.002 --set optimizer.adam.learning_rate=0.0008 --batch-size 16 --micro-batch-size 16 \
      --sequence-length 256 --warmup 0.02 --seed 1 --set data.attention=document --set data.held_out=0.002 \
      --mean-recurrence 4 --set "recurrence.settling=$weight" --force --quiet
  fi
  for stops in '--recurrence 2,3,4,8' '--recurrence 8 --exit latent:0.3,0.1,0.03' '--recurrence 8 --exit kl:1e-1,1e-2'; do
    # shellcheck disable=SC2086  # words
    "$ckpt" eval "$run/package" --data fixtures/eval/long-sums.jsonl --task answers --batch-size 64 --quiet $stops
  done
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

depths=recurrence.supervision.depths=3
heal prelude supervised --set "$depths"
heal prelude distilled --set "$depths" --set recurrence.supervision.distillation=0.5
for name in settling-0 supervised distilled; do
  printf '\n%s\n' "$name"
  "$ckpt" eval "$out/$name/package" --data fixtures/text/heldout.txt --recurrence 1,2,4,8,32 --windows 16 \
    --sequence-length 128 --quiet
done

printf '\ncache windows\n'
"$ckpt" eval "$out/settling-0/package" --data fixtures/text/heldout.txt --recurrence 32 \
  --cache-window 1,2,4,8,32 --windows 8 --sequence-length 128 --quiet

# decode R OPTION...: greedy tokens and speed of one text.
decode() {
  depth=$1
  shift
  "$ckpt" generate "$out/settling-0/package" --prompt 'The ' --recurrence "$depth" --max-tokens 200 \
    --json --quiet "$@" > "$out/decoded.json"
  python3 - "$out/decoded.json" <<'EOF'
import json, sys
run = json.load(open(sys.argv[1]))
made, right = run.get("drafted"), run.get("accepted")
share = "" if made is None else f", {right} of {made} guesses right"
print(f"{len(run['ids'])} tokens, {run['tokens_per_second']:.0f} a second{share}, "
      f"sum of ids {sum(run['ids'])}")
EOF
}

for depth in 8 16 32; do
  for draft in '' 1:8 2:8 4:8; do
    printf '\nr = %s, %s: ' "$depth" "${draft:-no draft}"
    decode "$depth" ${draft:+--draft-recurrence "$draft"}
  done
done
