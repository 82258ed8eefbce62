#!/usr/bin/env bash
# Convert every clip of a folder with one model.
#
#   fan_edit_batch.sh CLIPS MODEL OUT
#
# CLIPS  folder with clips (the folders in it are not read)
# MODEL  model folder or file, as for `faceswap convert -m`
# OUT    folder for the outputs; made if missing. Clips that have an output there are skipped.
#
# Exit codes: 0 nothing failed, 4 some clips failed, 2 wrong arguments, 130/143 interrupted.
set -euo pipefail
shopt -s nullglob nocasematch

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; }

case "${1:-}" in -h | --help)
    usage
    exit 0
    ;;
esac
if [[ $# -ne 3 || ! -d $1 ]]; then
    usage >&2
    if [[ $# -eq 3 ]]; then printf '\nno such folder: %q\n' "$1" >&2; fi
    exit 2
fi

# A path that begins with a dash would be read as an option.
as_path() { if [[ $1 == -* ]]; then printf './%s.' "$1"; else printf '%s.' "$1"; fi; } # the dot keeps final line breaks
clips=$(as_path "$1") && clips=${clips%.}
model=$(as_path "$2") && model=${model%.}
out=$(as_path "$3") && out=${out%.}
mkdir -p "$out"

child=
stop=0
forward() {
    stop=$2
    if [[ -n $child ]]; then kill -s "$1" "$child" 2>/dev/null || true; fi
}
trap 'forward INT 130' INT
trap 'forward TERM 143' TERM

run() { # run a command to its end, handing on signals; sets `code`
    set -m # its own process group, so that a Ctrl-C reaches it once
    "$@" </dev/null >>"$out/batch.jsonl" &
    child=$!
    set +m
    code=0
    wait "$child" || code=$?
    while kill -0 "$child" 2>/dev/null; do
        code=0
        wait "$child" || code=$?
    done
    child=
}

reason() {
    case $1 in
        2) echo 'wrong settings' ;;
        3) echo 'unsupported input' ;;
        4) echo 'only partly done, or its quality was flagged' ;;
        5) echo 'refused: consent or marking' ;;
        6) echo 'out of memory or disk space' ;;
        *) echo 'failed' ;;
    esac
}

ok=0 failed=0 skipped=0
for clip in "$clips"/*; do
    name=${clip##*/}
    [[ -f $clip ]] || continue
    case $name in
        *.mp4 | *.m4v | *.mov | *.mkv | *.ts) output=$out/$name ;;
        *.mpg | *.mpeg | *.m2ts | *.mts | *.mxf | *.wmv | *.flv | *.vob | *.3gp | *.ogv) output=$out/$name.mkv ;;
        *) continue ;;
    esac
    if [[ -e $output ]]; then
        skipped=$((skipped + 1))
        continue
    fi
    printf '%q\n' "$name" >&2
    run faceswap convert "$clip" -m "$model" -o "$output" --json
    if [[ $code -eq 130 || $code -eq 143 ]]; then stop=$code; fi
    if ((stop)); then
        printf 'interrupted at %q; the same command goes on\n' "$name" >&2
        break
    fi
    if [[ $code -eq 0 ]]; then
        ok=$((ok + 1))
    else
        failed=$((failed + 1))
        printf 'failed: %q: %s (exit code %d)\n' "$name" "$(reason "$code")" "$code" >&2
    fi
done

printf '%d ok, %d failed, %d skipped\n' "$ok" "$failed" "$skipped"
if ((stop)); then exit "$stop"; fi
if ((failed)); then exit 4; fi
