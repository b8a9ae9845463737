#!/bin/sh
# Makes a report of a short run and looks at it in a browser: no overflow and no console message at
# 375 and 1440 pixels, light and dark. Screenshots stay in build/report. Needs a Chromium, and is not
# in CI.
set -eu
cd "$(dirname "$0")/.."

browser=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[ -n "$browser" ] || { echo "no Chromium here; name one in CHROMIUM" >&2; exit 69; }
ckpt=${CKPT:-.build/debug/ckpt}
out=build/report
rm -rf "$out"
mkdir -p "$out"

"$ckpt" retrofit fixtures/tiny-arithmetic --prelude 2 --core 4 --coda 2 -o "$out/tiny-r" -q >"$out/log"
for optimizer in muon adamw; do
  "$ckpt" train "$out/tiny-r" --data fixtures/text/heldout.txt -o "$out/$optimizer" --steps 30 \
    --source fixtures/tiny-arithmetic --eval-every 10 --batch-size 4 --sequence-length 64 \
    --optimizer "$optimizer" \
    --cache "$out/cache" -q >>"$out/log"
done
"$ckpt" report "$out/muon" -o "$out/one.html"
"$ckpt" report "$out/muon" "$out/adamw" "$out/tiny-r" -o "$out/two.html"

# A page asks nothing of the network; this one is watched by a second page, which may run a script.
chromium() {
  "$browser" --headless --enable-logging=stderr --no-sandbox --disable-gpu --hide-scrollbars --allow-file-access-from-files \
    --user-data-dir="$out/profile" "$@" 2>"$out/browser.log"
}
failed=0
for page in one two; do
  for width in 375 1440; do
    # Windows are at least 500 pixels wide, frames are not.
    cat >"$out/frame.html" <<END
<!DOCTYPE html><body style="margin:0"><iframe id="f" src="$page.html" style="border:0;width:${width}px;height:900px"></iframe>
<script>f.onload = () => { const e = f.contentDocument.documentElement;
document.title = e.clientWidth + " " + e.scrollWidth + " " + e.scrollHeight }</script>
END
    title=$(chromium --window-size=1500,900 --virtual-time-budget=5000 --dump-dom \
      "file://$PWD/$out/frame.html" | sed -n 's/.*<title>\(.*\)<\/title>.*/\1/p')
    # shellcheck disable=SC2086  # three numbers
    set -- $title
    [ $# -eq 3 ] || { echo "$page at $width: the page was not measured" >&2; exit 1; }
    if [ "$1" -ne "$width" ] || [ "$2" -gt "$1" ]; then
      echo "$page at $width pixels: the content is $2 pixels wide" >&2
      failed=1
    fi
    if grep -q 'CONSOLE' "$out/browser.log"; then
      grep CONSOLE "$out/browser.log" >&2
      failed=1
    fi
    for scheme in light dark; do
      sed "s/src=\"$page.html\" style=\"/&color-scheme:$scheme;/; s/height:900px/height:$3px/" \
        "$out/frame.html" >"$out/shot.html"
      [ "$scheme" = dark ] && dark=--blink-settings=preferredColorScheme=0 \
        || dark=--blink-settings=preferredColorScheme=1
      chromium "$dark" --window-size="$((width < 500 ? 500 : width)),$3" \
        --screenshot="$out/$page-$width-$scheme.png" "file://$PWD/$out/shot.html" >/dev/null
    done
    echo "$page at $width pixels: nothing overflows ($3 pixels high)"
  done
done
exit $failed
