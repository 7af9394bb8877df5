"""The part `communication` of bench_ddp.py: steps that join gradients against steps that do not."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
import torch.distributed
import torch.multiprocessing as mp
from bench_lib import median_ratio, print_table, spread
from torch.nn.parallel import DistributedDataParallel

from visionlab.config.load import load_train_config
from visionlab.training import hardware
from visionlab.training.build import build_data, build_module, initialize_from_data
from visionlab.training.quiet import quieten

WARM_UP = 3
ARMS = ["joined", "apart"]


def measure_communication(experiment: str, devices: int, on_gpus: bool, rounds: int, steps: int) -> None:
    """Measure and print how long a step takes in each arm, and the share of joining gradients."""
    with tempfile.TemporaryDirectory() as folder:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            address = f"tcp://127.0.0.1:{found.getsockname()[1]}"
        file = Path(folder) / "seconds.pt"
        mp.start_processes(
            _work, (experiment, devices, on_gpus, rounds, steps, address, file), devices, start_method="spawn"
        )
        seconds: dict[str, list[float]] = torch.load(file)
    print()
    rows = [(arm, *spread([1000 * value for value in seconds[arm]], 1)) for arm in ARMS]
    print_table([f"ms a step, {devices} processes", "median", "range"], rows)
    rest = median_ratio(seconds["apart"], seconds["joined"])
    share, low, high = 1 - rest.value, 1 - rest.high, 1 - rest.low
    print(f"share of joining gradients  {share:.3f}  (95 % interval {low:.3f} to {high:.3f})")


def _work(
    rank: int, experiment: str, devices: int, on_gpus: bool, rounds: int, steps: int, address: str, file: Path
) -> None:
    quieten()
    if on_gpus:
        torch.cuda.set_device(rank)
    else:
        hardware.keep_freed_memory()
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // devices))
    torch.distributed.init_process_group(
        "nccl" if on_gpus else "gloo", init_method=address, rank=rank, world_size=devices
    )
    trained = _Trained(experiment, rank, devices, on_gpus)
    for _ in range(WARM_UP):
        trained.step("joined")
    seconds: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for number in range(rounds):
        for arm in np.roll(ARMS, number).tolist():
            seconds[arm].append(trained.measure(arm, steps))
    if rank == 0:
        torch.save(seconds, file)
    torch.distributed.destroy_process_group()


class _Trained:
    """A network in training on this process's share of the batches, in a bare loop."""

    def __init__(self, experiment: str, rank: int, devices: int, on_gpus: bool) -> None:
        accelerator = "gpu" if on_gpus else "cpu"
        config = load_train_config([f"experiment={experiment}", f"trainer.accelerator={accelerator}"])
        settings = hardware.resolve(config.trainer.model_copy(update={"devices": 1}))
        pl.seed_everything(config.seed, verbose=False)
        with contextlib.redirect_stdout(io.StringIO()):
            datamodule = build_data(config)
        module = build_module(config, datamodule)
        initialize_from_data(module, datamodule)
        self._device = torch.device("cuda", rank) if on_gpus else torch.device("cpu")
        if on_gpus:
            size = config.data.batch_size * devices
            datamodule.config = config.data.model_copy(update={"batch_size": size})
        datamodule.place(self._device, rank, devices, bool(settings.channels_last))
        module.to(self._device).train()
        if settings.channels_last:
            module.network.to(memory_format=torch.channels_last)
        self._network: Any = DistributedDataParallel(module.network)
        self._loss, self._lowered = module.loss, settings.precision == "bf16-mixed"
        self._optimizer = config.optimizer.load_implementation()(config.optimizer, module)
        self._loader = datamodule.train_dataloader()
        self._batches = iter(self._loader)

    def measure(self, arm: str, steps: int) -> float:
        """Seconds a step, from when all processes begin to when all are done."""
        self._meet()
        began = time.perf_counter()
        for _ in range(steps):
            self.step(arm)
        self._meet()
        return (time.perf_counter() - began) / steps

    def step(self, arm: str) -> None:
        batch = next(self._batches, None)
        if batch is None:
            self._batches = iter(self._loader)
            batch = next(self._batches)
        with contextlib.nullcontext() if arm == "joined" else self._network.no_sync():
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._lowered):
                value = self._loss(self._network(batch.images), batch.targets)
            self._optimizer.zero_grad()
            value.backward()
        self._optimizer.step()

    def _meet(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        torch.distributed.barrier()
