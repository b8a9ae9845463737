#!/bin/sh
# Makes build/distribution/ckpt-VERSION-linux-ARCHITECTURE.tar.gz of the commit that is checked out, with its
# digest beside it: the program, its manual page, completions, licences, and a bill of materials.
#
# The same commit, toolchain and system libraries give the same bytes in any folder: two clean builds in
# two folders are compared with --twice, which takes twice as long.
set -eu
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*" >&2; }
fail() { printf 'distribution: %s\n' "$*" >&2; exit 1; }

out=build/distribution

# Builds a clean copy of the commit in a folder of its own; prints the archive's path.
if [ "${1:-}" = --twice ]; then
  for folder in first second-folder; do
    copy=build/reproducible/$folder
    rm -rf "$copy"
    mkdir -p "$copy"
    say "A clean build in $copy"
    git archive HEAD | tar -x -C "$copy"
    "$copy/Scripts/distribution.sh" >&2
  done
  cd build/reproducible
  for file in first/"$out"/*; do
    cmp "$file" "second-folder/$out/$(basename "$file")" || fail "$(basename "$file") differs"
    say "$(basename "$file"): the same bytes"
  done
  exit
fi

case $(Scripts/commit.sh) in *-modified) fail 'files differ from the commit; commit them first' ;; esac

say 'A clean release build'
scratch=$out/scratch
rm -rf "$out"
mkdir -p "$out"
# No path of this machine goes into the program: neither into messages nor into debugging data.
CKPT=$(CKPT="" Scripts/release.sh --scratch-path "$scratch" -debug-info-format none \
  -Xswiftc -file-prefix-map -Xswiftc "$PWD=." -Xcc "-ffile-prefix-map=$PWD=.")

said=$("$CKPT" --version)
case $said in *'(commit '*) ;; *) fail "this is no checkout and no archive that git made: $said" ;; esac
version=${said%% *}
name=ckpt-$version-linux-$(uname -m)
folder=$out/$name
say "$name"
mkdir -p "$folder/bin" "$folder/share/man/man1" "$folder/licences"
strip -o "$folder/bin/ckpt" "$CKPT"
ckpt=$folder/bin/ckpt
"$ckpt" manual >"$folder/share/man/man1/ckpt.1"
for shell in bash zsh fish; do
  mkdir -p "$folder/share/completions"
  "$ckpt" --generate-completion-script $shell >"$folder/share/completions/ckpt.$shell"
done
cp LICENSE CHANGELOG.md "$folder/"
for package in swift-argument-parser swift-system Yams; do
  cp "$scratch/checkouts/$package/LICENSE"* "$folder/licences/$package.txt"
done
# The Swift libraries inside are under this one, with an exception for what is built with them.
cp "$(dirname "$(command -v swift)")/../share/swift/LICENSE.txt" "$folder/licences/swift.txt"
Scripts/sbom.py "$ckpt" >"$folder/sbom.cdx.json"
toolchain=$(swift --version 2>/dev/null | sed -n 's/.*\(Swift version [^ ]*\).*/\1/p')
system=$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)
cat >"$folder/INSTALL.md" <<END
# ckpt $said

Built with $toolchain on $system ($(uname -m)). The Swift libraries are inside. The program needs these
libraries of the system, and OpenBLAS (libopenblas.so.0) for whatever computes:

$(readelf -d "$ckpt" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/    \1/p' | sort)

Put \`bin/ckpt\` on the PATH, \`share/man/man1/ckpt.1\` under a folder of manual pages, and the file of
your shell in \`share/completions\` where it looks for completions, such as
\`/usr/share/bash-completion/completions/ckpt\`. \`sbom.cdx.json\` is the bill of materials (CycloneDX).
END

# One order, one owner, one time.
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw --format=ustar \
  -C "$out" -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
rm -rf "$scratch" "$folder"
(cd "$out" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
printf '%s\n' "$out/$name.tar.gz"
