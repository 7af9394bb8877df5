"""Who has started this process, and as which one of how many. Needs no torch.

Processes that train together are started by `visionlab` itself (trainer.devices=2), by torchrun, or by srun in a SLURM
job. Each has a rank; the one with rank 0 owns the run, its folder and the console.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from visionlab.errors import UserError

if TYPE_CHECKING:
    from visionlab.config.trainer import TrainerConfig

HUB = "VISIONLAB_HUB"  # tells a process that another one has started where to find that one
OWN_ERROR_SECONDS = 10.0
NO_STEP = 0xFFFF_FFF0  # numbers from here on are a SLURM job's batch script and interactive shell, not srun's steps


@dataclass(frozen=True)
class Launch:
    """This process among those that train together.

    Attributes:
        by: what has started them.
        rank: among all of them.
        local_rank: among those of this machine.
        node: which machine this is.
        per_node: processes on each machine; as those that visionlab starts are not there yet, 1 in their first one.
    """

    by: Literal["visionlab", "torchrun", "srun"] = "visionlab"
    rank: int = 0
    local_rank: int = 0
    node: int = 0
    per_node: int = 1
    nodes: int = 1

    @property
    def world_size(self) -> int:
        return self.per_node * self.nodes

    @property
    def is_external(self) -> bool:
        """Whether all processes were there before visionlab was."""
        return self.by != "visionlab"

    def check(self, config: TrainerConfig) -> None:
        """Make sure that the configuration asks for the processes that there are.

        Raises:
            UserError: it asks for others.
        """
        if not self.is_external:
            if config.num_nodes not in ("auto", 1):
                raise UserError(
                    f"trainer.num_nodes: expected torchrun or srun to start the processes of {config.num_nodes} nodes, "
                    "given visionlab alone, which starts those of one; see scripts/launch_torchrun.sh"
                )
            return
        if config.strategy == "ddp_fork":
            raise UserError(
                f"trainer.strategy: expected auto or ddp, as {self.by} starts the processes, given ddp_fork"
            )
        for name, given, there in (
            ("devices", config.devices, self.per_node),
            ("num_nodes", config.num_nodes, self.nodes),
        ):
            if given not in ("auto", there):
                raise UserError(
                    f"trainer.{name}: expected auto or {there}, as {self.by} has started {self.per_node} processes "
                    f"on each of {self.nodes} nodes, given {given}"
                )


def current() -> Launch:
    """This process, by what its environment says.

    Raises:
        UserError: there are different numbers of processes on the machines.
    """
    if HUB in os.environ:
        rank = int(os.environ["LOCAL_RANK"])
        return Launch("visionlab", rank, rank, per_node=int(os.environ["WORLD_SIZE"]))
    if "TORCHELASTIC_RUN_ID" in os.environ:
        nodes, world_size = int(os.environ["GROUP_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
        return _evenly("torchrun", ("RANK", "LOCAL_RANK", "GROUP_RANK"), nodes, world_size)
    if is_srun_step() and _step("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS") > 1:
        nodes = _step("SLURM_STEP_NUM_NODES", "SLURM_NNODES")
        names = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID")
        return _evenly("srun", names, nodes, _step("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"))
    return Launch()


def is_srun_step() -> bool:
    """Whether srun has started this process, other than as a shell to type into."""
    number = os.environ.get("SLURM_STEP_ID", "")
    typed = os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")
    return number.isdigit() and int(number) < NO_STEP and not typed


def as_started_here(config: TrainerConfig) -> TrainerConfig:
    """The settings of a run that may have been started otherwise, for the processes that there are now."""
    update: dict[str, object] = {"num_nodes": "auto"}
    if current().is_external:
        update["devices"] = "auto"
    return config.model_copy(update=update)


def silence() -> None:
    """Leave the console to rank 0. What nobody catches is still printed, as are errors of libraries in C."""
    if not current().rank or sys.stdout is not sys.__stdout__:
        return
    nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
    os.dup2(nowhere.fileno(), 1)
    sys.stdout = sys.stderr = nowhere
    sys.excepthook = _say_exception


def leave_errors_to_rank_0() -> None:
    """Wait with an error that rank 0 is likely to have, too: it tells it, and whoever has started all then ends all.

    Torchrun and srun do that as soon as one process has ended, so the others must not come first. After a while the
    error was this process's alone, and is its own to tell.
    """
    if sys.excepthook is _say_exception:
        time.sleep(OWN_ERROR_SECONDS)
        sys.stderr = sys.__stderr__


def _say_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr = sys.__stderr__
    sys.__excepthook__(kind, error, trace)


def _step(name: str, of_job: str) -> int:
    """A number of the step, or of its job where srun is too old to say it."""
    return int(os.environ.get(name) or os.environ.get(of_job) or 1)


def _evenly(by: Literal["torchrun", "srun"], names: tuple[str, str, str], nodes: int, world: int) -> Launch:
    """Args: names: of the variables with the process's rank, that on its machine, and the machine's number."""
    if world % nodes:
        raise UserError(
            f"{by}: expected the same number of processes on each node, given {world} on {nodes}; "
            "start as many on each as it has GPUs"
        )
    rank, local_rank, node = (int(os.environ[name]) for name in names)
    return Launch(by, rank, local_rank, node, world // nodes, nodes)
