#!/bin/sh
# Prints the commit of this checkout for CKPT_COMMIT, with -modified where tracked files differ from it;
# nothing where there is no repository: a source archive made by git has its commit in
# Sources/CVersion/commit.c already.
set -eu
cd "$(dirname "$0")/.."

# The archive may have been unpacked inside a repository of somebody else's.
[ "$(git rev-parse --show-toplevel 2>/dev/null || true)" = "$(pwd -P)" ] || exit 0
modified=
[ -z "$(git status --porcelain --untracked-files=no)" ] || modified=-modified
printf '%s%s\n' "$(git rev-parse HEAD)" "$modified"
