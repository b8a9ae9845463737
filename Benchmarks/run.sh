#!/bin/sh
# Builds ckpt and the benchmarks, and runs those named (all, if none is): Benchmarks/run.sh [NAME…]
#
# CKPT=FILE measures a built ckpt; PYTHON=FILE is a Python with the peers' packages, else one is made
# in build/peers from peers/requirements.txt; RUNS=N sets the counted runs of each side.
set -eu
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*" >&2; }

[ -n "${CKPT:-}" ] || Scripts/setup.sh >&2
CKPT=$(Scripts/release.sh)

if [ -z "${PYTHON:-}" ]; then
  PYTHON=build/peers/bin/python
  if ! cmp -s Benchmarks/peers/requirements.txt build/peers/requirements.txt; then
    say 'Python packages of the peers'
    python3 -m venv --clear build/peers
    $PYTHON -m pip install --quiet --requirement Benchmarks/peers/requirements.txt >&2
    cp Benchmarks/peers/requirements.txt build/peers/requirements.txt
  fi
fi

say 'Release build of the benchmarks'
CKPT_BENCH=1 swift build -c release --product ReadColumn >&2
swift build -c release --package-path Benchmarks >&2
bench=$(swift build -c release --package-path Benchmarks --show-bin-path)/Benchmarks

# OpenBLAS and MKL are to choose their kernels by the processor, not by somebody's setting.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE OPENBLAS_NUM_THREADS MKL_DEBUG_CPU_TYPE
# Where OpenBLAS does not know the processor, the ceilings are those of the kernels that ckpt chooses then.
core=$("$PYTHON" -c "import ctypes
name = ctypes.CDLL('libopenblas.so.0').openblas_get_corename
name.restype = ctypes.c_char_p
print(name().decode())")
if [ "$core" = Prescott ] && grep -q avx512vl /proc/cpuinfo; then export OPENBLAS_CORETYPE=SkylakeX; fi
exec "$bench" --ckpt "$CKPT" --python "$PYTHON" --runs "${RUNS:-5}" "$@"
