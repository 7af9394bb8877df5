"""How the processes that train together find each other, for Lightning and for torch."""

from __future__ import annotations

import os
import socket

from lightning.fabric.plugins import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from visionlab.config.trainer import TrainerConfig
from visionlab.training import launch
from visionlab.training.lifeline import LOOPBACK

FIRST_PORT, PORTS = 15_000, 10_000


class Started(ClusterEnvironment):
    """Processes that are there, whoever has started them: Lightning starts none, and handles no signals of SLURM.

    Args:
        config: resolved.
    """

    def __init__(self, config: TrainerConfig) -> None:
        super().__init__()
        self._launch, self._world_size = launch.current(), config.world_size

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return os.environ["MASTER_ADDR"]

    @property
    def main_port(self) -> int:
        return int(os.environ["MASTER_PORT"])

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self._world_size

    def set_world_size(self, size: int) -> None:
        """It is known."""

    def global_rank(self) -> int:
        return self._launch.rank

    def set_global_rank(self, rank: int) -> None:
        """It is known."""

    def local_rank(self) -> int:
        return self._launch.local_rank

    def node_rank(self) -> int:
        return self._launch.node


def environment(config: TrainerConfig) -> ClusterEnvironment:
    """What tells Lightning of the processes; those of ddp_fork it makes itself."""
    return LightningEnvironment() if config.strategy == "ddp_fork" else Started(config)


def make_store() -> TCPStore:
    """What the processes that visionlab starts on this machine meet at, for as long as it is kept.

    Torch goes on with it where it finds one in its own process, so nobody can take its port in between. It asks for no
    password, so it is not to be reached from elsewhere.
    """
    listener = socket.create_server((LOOPBACK, 0))
    port = listener.getsockname()[1]
    return TCPStore(
        LOOPBACK, port, is_master=True, wait_for_workers=False, multi_tenant=True, master_listen_fd=listener.detach()
    )


def use_address_of_step() -> None:
    """In processes that srun has started, meet on the first machine of their step, unless the user has said where."""
    if launch.current().by == "srun":
        nodes = os.environ.get("SLURM_STEP_NODELIST") or os.environ["SLURM_NODELIST"]
        os.environ.setdefault("MASTER_ADDR", SLURMEnvironment.resolve_root_node_address(nodes))
        number = int(os.environ["SLURM_JOB_ID"]) * 7 + int(os.environ["SLURM_STEP_ID"])
        os.environ.setdefault("MASTER_PORT", str(FIRST_PORT + number % PORTS))
