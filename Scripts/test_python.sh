#!/bin/sh
# Tests what ckpt writes with the Python programs that read it: torch, transformers, and others.
# Installs them into virtual environments under build/python, once for each list of requirements.
# CKPT=FILE tests a built ckpt, PYTHON=FILE names the interpreter; arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }
fail() { printf 'test_python: %s\n' "$*" >&2; exit 1; }

python=${PYTHON:-python3}
environments=build/python
lists=Tests/Python

# Prepares an interpreter that can make virtual environments.
check_python() {
  "$python" -c 'import ensurepip, venv' 2>/dev/null || Scripts/setup.sh python3 python3-venv
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) found, 3.11 or newer needed; name one with PYTHON="
}

# What an environment NAME was made of: stamp NAME LIST...
stamp() {
  { "$python" -c 'import sys; print(sys.version, sys.prefix)'; cat "$@"; } | sha256sum
}

# Makes the environment NAME for one list of requirements, unless it is there already:
# environment NAME LIST [BASE], where BASE is an environment whose packages it sees behind its own.
environment() {
  folder=$environments/$1
  list=$lists/$2
  base=${3:+$environments/$3}
  made_of=$(stamp "$list" ${base:+"$base/made-of"})
  if [ -f "$folder/made-of" ] && [ "$(cat "$folder/made-of")" = "$made_of" ]; then
    say "Python packages of $list: installed in $folder"
    return
  fi
  say "Installing the Python packages of $list into $folder"
  rm -rf "$folder"
  "$python" -m venv "$folder"
  if [ -n "$base" ]; then
    packages=$("$base/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    printf '%s\n' "$packages" >"$("$folder/bin/python" -c \
      'import sysconfig; print(sysconfig.get_path("purelib"))')/base.pth"
  fi
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
    ${base:+--no-deps} --requirement "$list"
  printf '%s\n' "$made_of" >"$folder/made-of"
}

check_python
environment current requirements.txt
environment transformers-4.51 requirements-4.51.txt current
CKPT=$(Scripts/release.sh)
export CKPT

say 'Python code'
"$environments/current/bin/python" -m ruff check .
say 'Python tests'
"$environments/current/bin/python" -m pytest "${@:-$lists}"
# The tests in export/ again; other files do not depend on the version of transformers.
say 'Python tests of exported folders, with transformers 4.51'
"$environments/transformers-4.51/bin/python" -m pytest "${@:-$lists/export}"
