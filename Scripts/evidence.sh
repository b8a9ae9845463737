#!/bin/sh
# Does a retrofit pay? Trains all arms at equal FLOPs and writes docs/evidence.md: hours. With --quick, the
# same at a tiny scale, in minutes. It goes on where it was stopped. CKPT=FILE uses a built ckpt,
# PYTHON=FILE names the interpreter; arguments go to Scripts/evidence/evidence.py.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
folder=build/python/evidence
list=Scripts/evidence/requirements.txt
"$python" -c 'import ensurepip, venv' 2>/dev/null || Scripts/setup.sh python3 python3-venv
if ! cmp -s "$list" "$folder/made-of"; then
  rm -rf "$folder"
  "$python" -m venv "$folder"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$list"
  cp "$list" "$folder/made-of"
fi
ckpt=$(Scripts/release.sh)
exec "$folder/bin/python" Scripts/evidence/evidence.py --ckpt "$ckpt" "$@"
