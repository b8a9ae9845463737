#!/bin/sh
# Builds the documentation site into build/site: the pages of docs/ and formats/, and a reference of
# the commands that is made of their --help. Warnings are errors. CKPT=FILE uses a built ckpt.
set -eu
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }

ckpt=$(Scripts/release.sh)

# A target of its own, so that no other one is compiled: Package.swift has it when CKPT_DOCS is set.
target=build/manual
catalogue=$target/Manual.docc
rm -rf "$target"
mkdir -p "$catalogue"
for image in docs/*.svg docs/*.png docs/evidence/*.svg; do
  [ ! -f "$image" ] || cp "$image" "$catalogue/"
done
echo '// The manual has no code.' >"$target/Manual.swift"

# A page has one title; links between files become links between pages. All images lie side by side.
page() {
  sed -E -e '2,$s/^# /## /' -e 's#\]\(evidence/([a-z]+\.svg)\)#](\1)#' \
    -e 's#\[([^]]*)\]\((\.\./)?(formats/|docs/)?([a-z0-9-]+)\.md(\#[^)]*)?\)#[\1](doc:\4)#g' \
    -e 's#\[([^]]*)\]\(formats/README\.md\)#[\1](doc:formats)#g' \
    -e 's#\[([^]]*)\]\((\.\./)?([A-Za-z]*/)*README\.md\)#\1#g' "$1"
}
for file in docs/*.md formats/*.md; do
  name=$(basename "$file")
  [ "$file" != formats/README.md ] || name=formats.md
  page "$file" >"$catalogue/$name"
done
{
  printf '\n## Topics\n\n### Formats\n\n'
  for file in formats/[a-z]*.md; do
    printf -- '- <doc:%s>\n' "$(basename "$file" .md)"
  done
} >>"$catalogue/formats.md"

{
  # shellcheck disable=SC2016  # backquotes of Markdown
  printf '# Commands\n\nWhat `ckpt help COMMAND` prints.\n'
  "$ckpt" help | sed -n '/^SUBCOMMANDS:/,/^ *See /s/^  \([a-z-]*\)  .*/\1/p' | while read -r name; do
    printf '\n## ckpt %s\n\n```\n' "$name"
    "$ckpt" help "$name"
    printf '```\n'
  done
} >"$catalogue/commands.md"

# The plugin that makes the site is no part of a release.
cp Package.resolved build/Package.resolved
trap 'mv build/Package.resolved Package.resolved' EXIT
say 'Site'
rm -rf build/site
CKPT_DOCS=1 swift package --scratch-path .build/docs --allow-writing-to-directory build/site \
  generate-documentation --target Manual --warnings-as-errors --output-path build/site \
  --transform-for-static-hosting
say 'build/site; see it with: python3 -m http.server --directory build/site'
