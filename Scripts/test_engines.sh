#!/bin/sh
# Tests that engines serve exported folders with the tokens of `ckpt generate`: vLLM, mlx-lm and llama.cpp,
# on the CPU. Downloads SmolLM2 (98 MB), and installs each engine into an environment under build/python.
# CKPT=FILE tests a built ckpt, PYTHON=FILE names the interpreter, ENGINES="vllm mlx llamacpp" those to test;
# arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }

python=${PYTHON:-python3}
tests=Tests/Python/engines

# An environment for one engine, unless it is there already.
environment() {
  folder=build/python/$1
  list=$tests/requirements-$1.txt
  made_of=$({ "$python" -c 'import sys; print(sys.version)'; cat "$list"; } | sha256sum)
  [ "$(cat "$folder/made-of" 2>/dev/null)" != "$made_of" ] || return 0
  say "Installing the Python packages of $list into $folder"
  rm -rf "$folder"
  "$python" -m venv "$folder"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$list"
  if [ "$1" = vllm ]; then
    "$folder/bin/python" -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
  fi
  printf '%s\n' "$made_of" >"$folder/made-of"
}

CKPT=$(Scripts/release.sh)
export CKPT
Scripts/smollm2.sh fetch
failed=0
for engine in ${ENGINES:-vllm mlx llamacpp}; do
  environment "$engine"
  say "Tests of $engine"
  "build/python/$engine/bin/python" -m pytest "$tests/test_$engine.py" "$@" || failed=1
done
exit "$failed"
