#!/usr/bin/env bash
# Train one model on all GPUs of this machine.
#
#   training/launch/many.sh ARGUMENTS OF faceswap train...
#
# One process for each GPU; the recipe's batch is shared by all, so that more of them mean the same steps in less time.
# When a process dies, all start again from the last checkpoint. Ctrl-C once saves and stops.
# Environment: NUM_PROCESSES (as many as there are GPUs), MAX_RESTARTS (5), CUDA_VISIBLE_DEVICES (which GPUs).
set -euo pipefail

case "${1:-}" in
    '' | -h | --help)
        sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
        [[ $# -gt 0 ]] && exit 0
        exit 2
        ;;
esac

# After a Ctrl-C a large model may need longer to be saved than the 30 seconds that torchrun gives.
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-300}

exec torchrun --nproc-per-node "${NUM_PROCESSES:-gpu}" --max-restarts "${MAX_RESTARTS:-5}" \
    --rdzv-backend c10d --rdzv-endpoint localhost:0 -m faceswap train "$@"
