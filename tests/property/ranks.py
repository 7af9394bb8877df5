"""Several processes that work together, started as torchrun starts them, but forked: that takes no time."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed
import torch.multiprocessing as mp
from lightning.pytorch.utilities import rank_zero_only

from tests.tracking.server import free_port


def in_ranks(count: int, work: Callable[[int], Any], folder: Path) -> list[Any]:
    """What `work` makes of its rank in each of `count` processes.

    Args:
        folder: an existing one of its own.
    """
    mp.start_processes(_be_rank, args=(count, work, folder, free_port()), nprocs=count, start_method="fork")
    return [torch.load(_result(folder, rank), weights_only=False) for rank in range(count)]


def _be_rank(rank: int, count: int, work: Callable[[int], Any], folder: Path, port: int) -> None:
    os.environ |= {
        "TORCHELASTIC_RUN_ID": "test",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "GROUP_WORLD_SIZE": "1",
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
    }
    rank_zero_only.rank = rank  # Lightning has read the environment when it was imported
    torch.set_num_threads(1)
    torch.save(work(rank), _result(folder, rank))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _result(folder: Path, rank: int) -> Path:
    return folder / f"{rank}.pt"
