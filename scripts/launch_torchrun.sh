#!/usr/bin/env bash
# One training run on several machines, by torchrun. On each machine, at about the same time:
#
#   NODES=2 NODE=0 MASTER=node0:29500 scripts/launch_torchrun.sh train experiment=cifar10_resnet18 trainer=ddp
#   NODES=2 NODE=1 MASTER=node0:29500 scripts/launch_torchrun.sh train experiment=cifar10_resnet18 trainer=ddp
#
# or `… resume RUN`, on as many machines as before or others. The arguments are those of `visionlab`, the same everywhere.
#
#   NODES      how many machines (default 1)
#   NODE       which of them this is, from 0 (default 0)
#   MASTER     name and a free port of machine 0, as the others reach it; with one machine torchrun finds its own
#   PROCESSES  on each machine (default gpu: one for each GPU; a number without GPUs, with trainer.accelerator=cpu)
#   PYTHON     the interpreter (default .venv/bin/python beside this folder)
#
# VISIONLAB_HOME has to be a folder that all machines share: the run is written there by machine 0 and read by all.
# VISIONLAB_DATA may be shared or not. If a process dies anywhere, all end within half a minute, and the run says why.
set -euo pipefail

nodes=${NODES:-1} node=${NODE:-0} processes=${PROCESSES:-gpu}
python=${PYTHON:-$(dirname "$0")/../.venv/bin/python}

if [ $# -eq 0 ]; then
    echo "launch_torchrun: expected a command of visionlab, such as train experiment=digits; see the top of $0" >&2
    exit 2
fi
if [ "$nodes" -eq 1 ]; then
    meet=(--standalone)
elif [ -n "${MASTER:-}" ] && [ "${MASTER##*:}" != "$MASTER" ]; then
    meet=(--nnodes "$nodes" --node-rank "$node" --master-addr "${MASTER%:*}" --master-port "${MASTER##*:}")
else
    echo "launch_torchrun: expected MASTER=NAME:PORT of machine 0, as NODES=$nodes, given '${MASTER:-}'" >&2
    exit 2
fi
# no restarts by torchrun: a run goes on with `resume`, from its newest checkpoint
exec "$python" -m torch.distributed.run "${meet[@]}" --nproc-per-node "$processes" --max-restarts 0 -m visionlab "$@"
