#!/bin/sh
# Makes build/distribution/ckpt-VERSION-linux-ARCHITECTURE.tar.gz of the commit that is checked out, with its
# digest beside it: the program, its manual page, completions, licences, and a bill of materials.
#
# The same commit, toolchain and system libraries give the same bytes wherever the checkout lies: a clean copy
# is built in /tmp/ckpt-distribution, as the length of that path goes into the program. With --twice it is made
# twice, and compared byte for byte.
set -eu
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*" >&2; }
fail() { printf 'distribution: %s\n' "$*" >&2; exit 1; }

out=$PWD/build/distribution
copy=/tmp/ckpt-distribution

if [ "${1:-}" = --twice ]; then
  Scripts/distribution.sh
  first=build/reproducible
  rm -rf "$first"
  mv "$out" "$first"
  Scripts/distribution.sh
  for file in "$first"/*; do
    cmp "$file" "$out/$(basename "$file")" || fail "$(basename "$file") differs"
    say "$(basename "$file"): the same bytes"
  done
  exit
fi

case $(Scripts/commit.sh) in *-modified) fail 'files differ from the commit; commit them first' ;; esac

say "A clean release build in $copy"
rm -rf "$copy"
mkdir -m 700 "$copy"
trap 'rm -rf "$copy"' EXIT
if [ -n "$(Scripts/commit.sh)" ]; then
  git archive HEAD | tar -x -C "$copy"
else
  # An archive that git made.
  tar --exclude=./build --exclude=./.build -cf - . | tar -x -C "$copy"
fi
cd "$copy"
# The compiler orders some moves by where things lie in its memory, which is the same each time without
# randomisation; some containers forbid that.
fixed='setarch --addr-no-randomize'
$fixed true || { say 'addresses stay random here: other builds may differ in some bytes'; fixed=; }
# What systems name and number each in their own way goes into the program: pkg-config points to a folder that has
# these libraries as archives, and nothing to load. The last ones are needed by the others.
static=$copy/.build/static
mkdir -p "$static"
for library in z archive crypto snappy zstd lz4 brotlidec stdc++ gcc gcc_eh lzma bz2 brotlicommon; do
  file=$(clang -print-file-name=lib$library.a)
  [ -f "$file" ] || fail "there is no lib$library.a"
  ln -s "$file" "$static/"
done
# usage: inside PACKAGE LIBRARY…
inside() {
  printf 'Name: %s\nDescription: in the program\nVersion: %s\nLibs: -L%s %s\n' \
    "$1" "$(pkg-config --modversion "$1")" "$static" "$2" >"$static/$1.pc"
}
inside zlib -lz
inside libcrypto -lcrypto
inside snappy '-lsnappy -lstdc++'
inside libzstd -lzstd
inside liblz4 -llz4
inside libbrotlidec '-lbrotlidec -lbrotlicommon'
inside libarchive '-larchive -llzma -lbz2'
# No path goes into the program: neither into messages nor into debugging data. (lld looks through archives
# again for what later ones need.)
CKPT=$(CKPT="" PKG_CONFIG_PATH=$static $fixed Scripts/release.sh -debug-info-format none \
  -Xswiftc -use-ld=lld -Xswiftc -Xclang-linker -Xswiftc -static-libgcc \
  -Xswiftc -file-prefix-map -Xswiftc "$copy=." -Xcc "-ffile-prefix-map=$copy=.")

said=$("$CKPT" --version)
case $said in *'(commit '*) ;; *) fail "this is no checkout and no archive that git made: $said" ;; esac
version=${said%% *}
needed=$(readelf -d "$CKPT" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort)
for library in $needed; do
  case $library in libc.so.6 | libm.so.6 | ld-linux*) ;; *) fail "$library is not inside" ;; esac
done
oldest=$(readelf -V "$CKPT" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1)
name=ckpt-$version-linux-$(uname -m)
rm -rf "$out"
mkdir -p "$out"
folder=$out/$name
say "$name"
mkdir -p "$folder/bin" "$folder/share/man/man1" "$folder/licences"
# Two hashes of how it was built go, too: nothing reads them, and that of a module is not always the same.
strip --remove-section=.swift_modhash --remove-section=.note.gnu.build-id -o "$folder/bin/ckpt" "$CKPT"
ckpt=$folder/bin/ckpt
"$ckpt" manual >"$folder/share/man/man1/ckpt.1"
for shell in bash zsh fish; do
  mkdir -p "$folder/share/completions"
  "$ckpt" --generate-completion-script $shell >"$folder/share/completions/ckpt.$shell"
done
cp LICENSE CHANGELOG.md "$folder/"
for package in swift-argument-parser swift-system Yams; do
  cp ".build/checkouts/$package/LICENSE"* "$folder/licences/$package.txt"
done
# The Swift libraries inside are under this one, with an exception for what is built with them.
cp "$(dirname "$(command -v swift)")/../share/swift/LICENSE.txt" "$folder/licences/swift.txt"
Scripts/sbom.py "$ckpt" "$static"/*.a >"$folder/sbom.cdx.json"
awk -F '"' '/"bom-ref"/ { name = $4 } /ckpt:linked statically/ { print substr(name, 5) }' "$folder/sbom.cdx.json" |
  sort -u | while read -r package; do
    cp "/usr/share/doc/$package/copyright" "$folder/licences/$package.txt"
  done
toolchain=$(swift --version 2>/dev/null | sed -n 's/.*\(Swift version [^ ]*\).*/\1/p')
system=$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)
cat >"$folder/INSTALL.md" <<END
# ckpt $said

Built with $toolchain on $system ($(uname -m)). It runs on any Linux with glibc ${oldest#GLIBC_} or newer: all
other libraries are inside, but OpenBLAS (libopenblas.so.0; Debian and Ubuntu: libopenblas0), which whatever
computes loads.

Put \`bin/ckpt\` on the PATH, \`share/man/man1/ckpt.1\` under a folder of manual pages, and the file of
your shell in \`share/completions\` where it looks for completions, such as
\`/usr/share/bash-completion/completions/ckpt\`. \`sbom.cdx.json\` is the bill of materials (CycloneDX).
END

# One order, one owner, one time.
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw --format=ustar \
  -C "$out" -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
rm -rf "$folder"
(cd "$out" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
printf '%s\n' "$out/$name.tar.gz"
