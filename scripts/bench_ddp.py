"""What several processes gain over one, and what their talking to each other costs.

    VISIONLAB_DATA=data python scripts/bench_ddp.py
    python scripts/bench_ddp.py --parts scaling --pairs 3 --steps 40
    python scripts/bench_ddp.py --parts communication --devices 4

scaling        images a second of `visionlab train` with 1 device and with more, by the journal's own times; each
               measurement is a launch of its own, and what comes before its first steps are done is not counted. On a
               CPU the processes share the cores and the batch that one process would have. On GPUs each has a batch as
               large as one GPU would have, from 1 GPU to all of them: the efficiency is images/s over those of so many
               single GPUs.
communication  the share of a training step that goes into joining gradients: in the same processes, steps of a bare
               loop over the same loader, network and optimizer that join them, against steps that do not

Each round measures all arms once, in an order that changes from round to round. The ratios are taken within rounds.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from bench_lib import median_ratio, positive, print_table, spread
from ddp_communication import measure_communication

from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.tracking import journal
from visionlab.tracking.provenance import cpu_name

PARTS = ["scaling", "communication"]
WARM_UP = 10
IMAGES = 50_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--pairs", type=positive, default=7, help="rounds (default 7)")
    parser.add_argument("--steps", type=positive, default=20, help="counted steps of each measurement (default 20)")
    parser.add_argument("--devices", type=positive, help="at most (default: all GPUs, or two processes of a CPU)")
    parser.add_argument("--experiment", default="cifar10_cnn", help="of conf/experiment/, on CIFAR-10")
    arguments = parser.parse_args()

    gpus = torch.cuda.device_count()
    devices = arguments.devices or (gpus or 2)
    if devices < 2 or (gpus and devices > gpus):
        sys.exit(f"--devices: expected 2 or more of the {gpus or os.cpu_count()} there are, given {devices}")
    name = torch.cuda.get_device_name() if gpus else f"{cpu_name()}, {os.cpu_count()} processors"
    print(f"{name}; torch {version('torch')}, lightning {version('lightning')}", flush=True)
    if "scaling" in arguments.parts:
        measure_scaling(arguments.experiment, devices, bool(gpus), arguments.pairs, arguments.steps)
    if "communication" in arguments.parts:
        measure_communication(arguments.experiment, devices, bool(gpus), arguments.pairs, arguments.steps)


def measure_scaling(experiment: str, most: int, on_gpus: bool, rounds: int, steps: int) -> None:
    """Measure and print images per second by number of devices."""
    arms = list(range(1, most + 1)) if on_gpus else [1, most]
    batch = load_train_config([f"experiment={experiment}"]).data.batch_size
    rates: dict[int, list[float]] = {arm: [] for arm in arms}
    for number in range(rounds):
        for arm in np.roll(arms, number).tolist():
            rates[arm].append(run(experiment, arm, batch * arm if on_gpus else batch, on_gpus, steps))
        print(f"round {number + 1}: " + ", ".join(f"{arm}: {rates[arm][-1]:.0f}" for arm in arms), flush=True)

    print()
    one, several = ("GPU", "GPUs") if on_gpus else ("process", "processes")
    batches = [f"{batch * arm if on_gpus else batch}" for arm in arms]
    rows = [
        (f"{arm} {one if arm == 1 else several}", size, *spread(rates[arm], 0))
        for arm, size in zip(arms, batches, strict=True)
    ]
    print_table(["images/s", "batch", "median", "range"], rows)
    for arm in arms[1:]:
        print(f"{arm} / 1 {several:<13} {median_ratio(rates[arm], rates[1])}")
        if on_gpus:
            ideal = [arm * rate for rate in rates[1]]
            print(f"efficiency of {arm:<7} {median_ratio(rates[arm], ideal)}")


def run(experiment: str, devices: int, batch: int, on_gpus: bool, steps: int) -> float:
    """Images per second of one launch."""
    wanted = (WARM_UP + math.ceil(steps / WARM_UP) * WARM_UP + 1) * batch
    words = [
        f"experiment={experiment}",
        f"data.batch_size={batch}",
        f"data.fraction={min(1, wanted / IMAGES)}",
        "data.val_fraction=0",
        f"trainer.accelerator={'gpu' if on_gpus else 'cpu'}",
        f"trainer.devices={devices}",
        f"trainer.max_epochs={math.ceil(wanted / IMAGES)}",
        f"trainer.log_every={WARM_UP}",
        "tracking=off",
        "tracking.figures=false",
    ]
    with tempfile.TemporaryDirectory() as home:
        places = {"VISIONLAB_HOME": home, "VISIONLAB_DATA": str(project.data())}
        command = [sys.executable, "-m", "visionlab", "train", *words]
        done = subprocess.run(command, env=os.environ | places, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"visionlab train {' '.join(words)}\n{done.stdout}{done.stderr}")
        (file,) = Path(home).glob(f"runs/*/{journal.FILE_NAME}")
        times = {
            record["step"]: record["time"] / 1000
            for record in journal.read(file)[0]
            if record["kind"] == "metrics" and "train/loss" in record["values"] and record["step"] % WARM_UP == 0
        }
    last = max(times)
    return (last - WARM_UP) * batch / (times[last] - times[WARM_UP])


if __name__ == "__main__":
    main()
