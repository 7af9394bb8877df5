"""Starting the runs of a campaign, each as a process: forked, as a command, or as a job of a cluster."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Protocol

from visionlab.config.campaign import CampaignConfig
from visionlab.config.train import TrainConfig
from visionlab.errors import UserError
from visionlab.tracking.run import Run

CHILD = "visionlab.campaigns.child"
POLL_SECONDS = 0.05
LOST = 255  # as multiprocessing has it
OUTPUT = "output.log"  # in a run's folder
LIFELINE = "VISIONLAB_LIFELINE"  # the variable with the number of the file that ends when the campaign does
VISIBLE = "CUDA_VISIBLE_DEVICES"


class Process(Protocol):
    """A run under way."""

    def exit_code(self) -> int | None:
        """None as long as it goes on; as `subprocess` has it, the negative number of the signal that ended it."""

    def stop(self) -> None:
        """Ask it to end with a checkpoint, as SIGTERM does."""

    def kill(self) -> None:
        """End it, and the processes that it has started."""


class Launcher(Protocol):
    """A way of starting runs."""

    def prepare(self, config: TrainConfig, told_to_stop: Callable[[], bool]) -> None:
        """Do what takes time, once, so that no run has to wait for it or is timed meanwhile.

        Raises:
            UserError: the data set is not here and cannot be fetched, or is not as it should be.
        """

    def start(self, run: Run, slot: int) -> Process:
        """Start a run.

        Args:
            slot: the number of the worker, from 0, which says what GPUs the run may use.
        """

    def close(self) -> None:
        """Free what it holds; runs that are under way are ended."""


def make_launcher(campaign: CampaignConfig, config: TrainConfig, folder: Path) -> Launcher:
    """The launcher that a campaign asks for.

    Args:
        config: that all its runs have in common.
        folder: of the campaign.

    Raises:
        UserError: this machine has not as many GPUs as the workers would need.
    """
    if campaign.launcher == "slurm":
        from visionlab.campaigns.cluster import ClusterLauncher

        return ClusterLauncher(campaign.slurm, folder)
    return LocalLauncher(share_gpus(campaign.workers, config, _gpus()), forking=config.trainer.devices in ("auto", 1))


def share_gpus(workers: int, config: TrainConfig, gpus: Sequence[str]) -> list[list[str]]:
    """For each worker the GPUs that its runs may use; none where they train on the processor.

    Raises:
        UserError: there are too few.
    """
    trainer = config.trainer
    if trainer.accelerator not in ("auto", "gpu") or not gpus:
        return [[] for _ in range(workers)]
    each = 1 if trainer.devices == "auto" else trainer.devices
    if workers * each > len(gpus):
        raise UserError(
            f"campaign.workers: expected at most {len(gpus) // each}, as there are {len(gpus)} GPUs and a run uses "
            f"{each}, given {workers}"
        )
    return [list(gpus[each * slot : each * (slot + 1)]) for slot in range(workers)]


class LocalLauncher:
    """Starts runs on this machine.

    Args:
        gpus: of each worker.
        forking: from a server that has everything imported; else as commands.
    """

    def __init__(self, gpus: list[list[str]], forking: bool) -> None:
        self._gpus, self._forking = gpus, forking
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([CHILD])
        # its other end is held by nobody else, so it ends when this process does
        self._watched, self._held = self._context.Pipe(duplex=False)

    def prepare(self, config: TrainConfig, told_to_stop: Callable[[], bool]) -> None:
        if not self._forking:
            return
        answer, send = self._context.Pipe(duplex=False)
        first = self._context.Process(target=_set_up_data, args=(config, self._watched, send))
        first.start()
        send.close()
        while first.is_alive() and not told_to_stop():
            first.join(POLL_SECONDS)
        if first.is_alive():
            _signal(first.pid, signal.SIGKILL, group=True)
        first.join()
        if answer.poll():
            with contextlib.suppress(EOFError):  # it was ended, or broke: the runs will say of what
                raise UserError(answer.recv())

    def start(self, run: Run, slot: int) -> Process:
        environment = {VISIBLE: ",".join(self._gpus[slot])} if self._gpus[slot] else {}
        if self._forking:
            return Forked(self._context, run, self._watched, environment)
        return Command(run, self._watched, environment)

    def close(self) -> None:
        self._held.close()
        self._watched.close()


def _set_up_data(config: TrainConfig, lifeline: Connection, answer: Connection) -> None:
    """What the first forked process does, when the server has imported everything: fetch, check and decode the data.

    So a data set that cannot be had is said once, and not by every run.
    """
    from visionlab.campaigns.child import end_with
    from visionlab.training.build import build_data

    os.setsid()
    end_with(lifeline.fileno())
    try:
        build_data(config)
    except UserError as error:
        answer.send(str(error))


def _run_forked(folder: str, lifeline: Connection, environment: dict[str, str]) -> None:
    from visionlab.campaigns.child import forked

    forked(Path(folder), lifeline.fileno(), environment)


class Forked:
    """A run in a process forked from the server.

    LOST is the exit code of one whose server was killed: it may go on, and has to be ended.
    """

    def __init__(self, context: ForkServerContext, run: Run, lifeline: Connection, environment: dict[str, str]) -> None:
        self._process: ForkServerProcess = context.Process(
            target=_run_forked, args=(str(run.path), lifeline, environment), name=run.id
        )
        self._process.start()

    def exit_code(self) -> int | None:
        return self._process.exitcode

    def stop(self) -> None:
        _signal(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        _signal(self._process.pid, signal.SIGKILL, group=True)


class Command:
    """A run as a command of its own, which starts a process for each further device."""

    def __init__(self, run: Run, lifeline: Connection, environment: Mapping[str, str]) -> None:
        number = lifeline.fileno()
        with (run.path / OUTPUT).open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", CHILD, str(run.path)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | environment | {LIFELINE: str(number)},
                pass_fds=(number,),
                start_new_session=True,
            )

    def exit_code(self) -> int | None:
        return self._process.poll()

    def stop(self) -> None:
        _signal(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        _signal(self._process.pid, signal.SIGKILL, group=True)


def _signal(pid: int | None, number: signal.Signals, group: bool = False) -> None:
    if pid is None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if group and os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


def _gpus() -> list[str]:
    """The GPUs that this process may use, by what CUDA calls them; found without initialising CUDA."""
    if VISIBLE in os.environ:
        named = [name.strip() for name in os.environ[VISIBLE].split(",")]
        return list(itertools.takewhile(lambda name: name and not name.startswith("-"), named))  # as CUDA reads it
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [str(number) for number in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()
