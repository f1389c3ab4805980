#!/usr/bin/env bash
# Makes pictures of letters: of every .html in the first directory, two .png in the second, as wide as a phone and as a
# desk. The letters are those that a test compares with what the program writes, so that the pictures show what is sent.
set -euo pipefail

readonly LETTERS=$1 PICTURES=$2

mkdir -p "$PICTURES"
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT

# Without the last four the browser looks for its maker's hosts at every start.
picture() {
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$profile" \
        --no-first-run --disable-background-networking --disable-component-update --disable-sync \
        --window-size="$2" --screenshot="$3" "file://$(realpath "$1")" 2>/dev/null
    [ -s "$3" ] || { echo "no picture of $1" >&2; exit 1; }
}

for letter in "$LETTERS"/*.html; do
    name=$(basename "$letter" .html)
    picture "$letter" 390,1400 "$PICTURES/$name-phone.png"
    picture "$letter" 900,1100 "$PICTURES/$name-desk.png"
    echo "$PICTURES/$name-{phone,desk}.png"
done
