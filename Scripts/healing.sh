#!/bin/sh
# Heals a SmolLM2-135M retrofit on English prose and measures it before and after on a section that no
# step has seen: the figures of docs/healing.md. The text is the Debian package anarchism (an
# encyclopaedic FAQ, 97 sections in Markdown, GPL-2 or GFDL), fetched, never stored in the project.
# Everything is under build/healing, which git ignores. CKPT=FILE uses a built ckpt; needs apt-get.
set -eu
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }

folder=build/healing
model=build/real/SmolLM2-135M-Instruct.Q4_1.gguf
mkdir -p "$folder"
[ -f "$model" ] || Scripts/smollm2.sh fetch

if [ ! -f "$folder/heldout.txt" ]; then
  say 'Fetching the text'
  (cd "$folder" && apt-get download anarchism && dpkg-deb -x anarchism_*.deb package)
  # Markdown to plain text: links to their words, no emphasis, no marks of headings.
  clean() {
    zcat -f "$@" | tr '\n' '\r' | sed -E 's/\[([^]]*)\]\([^)]*\)/\1/g' | tr '\r' '\n' |
      sed -E -e 's/[*_]{1,2}//g' -e 's/^#+ *//'
  }
  pages=$folder/package/usr/share/doc/anarchism/markdown
  # Section G is held out; the other sections are trained on.
  # shellcheck disable=SC2010,SC2046  # names of the Debian package, without spaces
  clean $(ls "$pages"/sec*.md.gz | grep -v '/secG') > "$folder/train.txt"
  clean "$pages"/secG*.md.gz > "$folder/heldout.txt"
fi

ckpt=$(Scripts/release.sh)

# Shows a command as a person would type it, then runs it.
run() {
  printf '\n$ ckpt %s\n' "$*"
  "$ckpt" "$@"
}

measure() {
  run eval "$@" --data "$folder/heldout.txt" --sequence-length 256 --windows 32 --progress none
}

run retrofit "$model" --prelude 4 --core 8 --coda 4 --mean-recurrence 4 --dtype f32 --force \
  -o "$folder/package-r"
run train "$folder/package-r" --data "$folder/train.txt" --recipe Scripts/healing.yaml --force \
  -o "$folder/run"
measure "$model"
measure "$folder/package-r" --recurrence 1,2,4,8
measure "$folder/run/package" --recurrence 1,2,4,8
