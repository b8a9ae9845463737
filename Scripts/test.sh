#!/bin/sh
# Sets up the machine, then runs every check and test of the project.
set -eu
"$(dirname "$0")/setup.sh" shellcheck
"$(dirname "$0")/check.sh"
# A minute for the readers of untrusted bytes; make fuzz for as long as you like.
export SANITIZE=address
for format in safetensors torch gguf; do
  "$(dirname "$0")/fuzz.sh" "$format" 20
done
