#!/usr/bin/env bash
# Run `faceswap train` with the given arguments and start it again when it crashes.
#
#   training/launch/single.sh ARGUMENTS OF faceswap train...
#
# Works because the same command continues from the newest intact checkpoint. Restarted: exit 1 and deaths by a
# signal (the kernel's out-of-memory killer, a driver fault). Not restarted: 2 to 6, which another try would only
# meet again, and Ctrl-C or SIGTERM. Environment: MAX_RESTARTS (5 crashes in a row), RESTART_DELAY (10 seconds),
# HEALTHY_SECONDS (600): after a run that long the count of crashes starts from zero.
set -euo pipefail

max_restarts=${MAX_RESTARTS:-5}
delay=${RESTART_DELAY:-10}
healthy=${HEALTHY_SECONDS:-600}

case "${1:-}" in
    '' | -h | --help)
        sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
        [[ $# -gt 0 ]] && exit 0
        exit 2
        ;;
esac

child=
stop_signal=
forward() {
    stop_signal=$1
    if [[ -n $child ]]; then kill -s "$1" "$child" 2>/dev/null || true; fi
}
trap 'forward INT' INT
trap 'forward TERM' TERM

restarts=0
while true; do
    started=$SECONDS
    # Job control gives the child its own process group (a Ctrl-C would otherwise reach it twice) and keeps SIGINT
    # from being ignored, as it is for plain background jobs.
    set -m
    faceswap train "$@" </dev/null &
    child=$!
    set +m
    code=0
    wait "$child" || code=$?
    while kill -0 "$child" 2>/dev/null; do # a trapped signal ends `wait` early: wait for the child to save
        code=0
        wait "$child" || code=$?
    done
    child=

    if [[ -n $stop_signal || $code -eq 0 ]]; then exit "$code"; fi
    case $code in
        2 | 3 | 4 | 5 | 6 | 130 | 143) exit "$code" ;;
    esac
    if ((SECONDS - started >= healthy)); then restarts=0; fi
    if ((restarts >= max_restarts)); then
        echo "single.sh: faceswap train failed with exit code $code; gave up after $restarts restarts in a row" >&2
        exit "$code"
    fi
    restarts=$((restarts + 1))
    echo "single.sh: exit code $code; restart $restarts of $max_restarts in ${delay}s (Ctrl-C to stop)" >&2
    sleep "$delay" &
    wait $! || true
    case $stop_signal in INT) exit 130 ;; TERM) exit 143 ;; esac
done
