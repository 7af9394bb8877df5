"""What this machine trains on, and what `auto` comes to there."""

from __future__ import annotations

import ctypes
import platform
import sys
from typing import Literal

import torch

from visionlab.config.trainer import TrainerConfig
from visionlab.errors import UserError
from visionlab.tracking.provenance import cpu_name
from visionlab.tracking.run import Run
from visionlab.training import launch

# from malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


def resolve(config: TrainerConfig) -> TrainerConfig:
    """Replace every `auto` by what it comes to on this machine.

    Raises:
        UserError: the machine lacks what the configuration asks for, or it asks for other processes than there are.
    """
    started = launch.current()
    started.check(config)
    accelerator = _accelerator(config)
    if config.precision == "16-mixed" and accelerator == "cpu":
        raise UserError("trainer.precision: 16-mixed needs a GPU and there is none; use bf16-mixed")
    precision = _best_precision(accelerator) if config.precision == "auto" else config.precision
    available = torch.cuda.device_count() if accelerator == "gpu" else 1
    devices = available if config.devices == "auto" else config.devices
    if started.is_external:
        devices = started.per_node
    if accelerator == "gpu" and started.by == "srun" and devices > available == 1:
        raise UserError(
            f"srun: expected each process to see all {devices} GPUs of its node, given one each; "
            "ask for --gpus-per-node instead of --gpus-per-task"
        )
    if accelerator == "gpu" and devices > available:
        raise UserError(f"trainer.devices: expected at most the {available} GPUs there are, given {devices}")
    # the others are started by typing the command once more, and here there is none
    if not started.is_external and devices > 1 and config.strategy != "ddp_fork" and not _is_command():
        raise UserError(
            f"trainer.strategy: expected ddp_fork for {devices} devices in a notebook or an interactive Python, "
            f"given {config.strategy}; or set trainer.devices=1"
        )
    channels_last = config.channels_last
    if channels_last == "auto":
        channels_last = precision != "32-true"
    return config.model_copy(
        update={
            "accelerator": accelerator,
            "devices": devices,
            "num_nodes": started.nodes,
            "precision": precision,
            "channels_last": channels_last,
        }
    )


def for_any_machine(config: TrainerConfig) -> TrainerConfig:
    """The configuration of a run that may have been trained elsewhere, for one device of whatever is here."""
    update: dict[str, object] = {"accelerator": "auto", "devices": 1, "num_nodes": 1, "strategy": "auto"}
    if config.precision == "16-mixed" and not torch.cuda.is_available():
        update["precision"] = "auto"
    return config.model_copy(update=update)


def device_of(config: TrainerConfig) -> torch.device:
    """What a resolved configuration computes on, in torch's words."""
    return torch.device("cuda" if config.accelerator == "gpu" else str(config.accelerator))


def keep_freed_memory() -> None:
    """Let the C library keep what tensors free, instead of giving it back and fetching it anew in each step.

    On a CPU the pages of every large activation are otherwise unmapped, mapped and zeroed again: a sixth of the time of
    a small network. Only the GNU library has the switch; elsewhere nothing happens.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_MAX, 0)
        library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def use_threads_of(run: Run) -> None:
    """Compute on as many threads as a run did, if that is known: sums are split up among them."""
    recorded = run.start()["tags"].get("threads")
    if recorded is not None:
        torch.set_num_threads(int(recorded))


def describe(config: TrainerConfig) -> str:
    """What a resolved configuration trains on, in words."""
    name = torch.cuda.get_device_name() if config.accelerator == "gpu" else cpu_name()
    several = f"{config.devices} x " if config.devices != 1 else ""
    if config.num_nodes not in ("auto", 1):
        several = f"{config.num_nodes} nodes x {config.devices} x "
    return f"{several}{name}"


def _is_command() -> bool:
    """Whether this Python runs a file or a module, so that another one can run it, too."""
    return hasattr(sys.modules["__main__"], "__file__")


def _accelerator(config: TrainerConfig) -> Literal["cpu", "gpu", "mps"]:
    if config.accelerator == "gpu" and not torch.cuda.is_available():
        raise UserError("trainer.accelerator: expected a GPU that torch can use, found none; use cpu or auto")
    if config.accelerator == "mps" and not torch.backends.mps.is_available():
        raise UserError("trainer.accelerator: expected an Apple GPU that torch can use, found none; use cpu or auto")
    if config.accelerator != "auto":
        return config.accelerator
    if torch.cuda.is_available():
        return "gpu"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _best_precision(accelerator: str) -> Precision:
    """bf16 where it is computed in hardware: elsewhere it is emulated, and slower than 32 bits."""
    if accelerator == "gpu":
        gains = torch.cuda.get_device_capability() >= (8, 0)
    else:
        gains = accelerator == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return "bf16-mixed" if gains else "32-true"
