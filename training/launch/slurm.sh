#!/usr/bin/env bash
#SBATCH --job-name=faceswap-train
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@300
#SBATCH --requeue
#SBATCH --open-mode=append
# Train one model on the GPUs of several machines, under Slurm.
#
#   sbatch --nodes 4 training/launch/slurm.sh ARGUMENTS OF faceswap train...
#
# Options of sbatch before the script's name change the lines above. Facesets and the model folder have to be on a disk
# that all machines share. Five minutes before its time is up the run saves and stops; the same command again goes on,
# and so does a job that Slurm has put back into the queue because a machine failed.
# Environment: NUM_PROCESSES (for each machine; as many as it has GPUs), MAX_RESTARTS (5), PORT (29400 and up).
set -euo pipefail

if [[ -z "${SLURM_JOB_NODELIST:-}" || $# -eq 0 ]]; then
    sed -n '2,/^set /{/^set /d;/^#SBATCH/d;s/^# \{0,1\}//;p}' "$0"
    exit 2
fi

first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
port=${PORT:-$((29400 + SLURM_JOB_ID % 1000))}

# Between machines a restart needs a new store: torchrun's own keeps the addresses of processes that are gone.
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-240}

exec srun --kill-on-bad-exit=1 torchrun --nnodes "$SLURM_JOB_NUM_NODES" --nproc-per-node "${NUM_PROCESSES:-gpu}" \
    --max-restarts "${MAX_RESTARTS:-5}" --rdzv-id "$SLURM_JOB_ID" --rdzv-backend c10d --rdzv-endpoint "$first:$port" \
    -m faceswap train "$@"
