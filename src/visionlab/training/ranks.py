"""The processes that train together, seen from each of them: started, told the settings, and taken down as one.

Where one dies, however it does and wherever the others are, rank 0 says why, writes that into the run, and all end,
also where their main threads wait in a collective operation that never comes back.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import TracebackType

import torch
from lightning.fabric.strategies.launchers.subprocess_script import _basic_subprocess_cmd
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from visionlab.config.train import TrainConfig
from visionlab.errors import InterruptedRun, PrunedRun, RankError, UserError
from visionlab.tracking.run import Run
from visionlab.training import launch
from visionlab.training.failures import Failures, is_consequence
from visionlab.training.follower import ALONE_SECONDS, LAST_SECONDS, Follower
from visionlab.training.interruption import Interruption
from visionlab.training.lifeline import LOOPBACK, Hub
from visionlab.training.rendezvous import make_store, use_address_of_step

ARRIVAL_SECONDS = 300.0  # for all processes to start and import their libraries
NEWS_SECONDS, SIGTERM_SECONDS = 5.0, 1.0  # to hear of another process that an error or a signal may be due to
HUNG_SECONDS = 1.0  # for one that this process has started, where the run has failed and it is likely to hang
POLL_SECONDS = 0.2
_launches = itertools.count()


class Ranks:
    """The processes of one training run, as a context around all that they do together.

    Args:
        interruption: entered by the caller.
    """

    def __init__(self, interruption: Interruption) -> None:
        self._launch = launch.current()
        self._interruption = interruption
        self._follower: Follower | None = None
        self._hub: Hub | None = None
        self._children: list[subprocess.Popen[bytes]] = []
        self._can_end = threading.Event()
        self._end: Callable[[BaseException | None], None] | None = None
        # rank 0: who ends the run, its main thread or, where another process has failed, the one that watches them
        self._ending = threading.Lock()
        self._another_failed = threading.Event()
        self._over = False

    @property
    def leads(self) -> bool:
        """Whether this is rank 0."""
        return self._launch.rank == 0

    def __enter__(self) -> Ranks:
        launch.silence()
        if self._launch.is_external and self._launch.world_size > 1:
            self._meet()
        elif not self.leads:
            self._follower = Follower(os.environ[launch.HUB], self._launch.rank, self._interruption)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._follower is not None:
            self._follower.end(error)
        elif self._hub is not None:
            self._settle(error)
            self._dismiss(self._hub, error)
        if error is None and self._launch.rank == 0 and self._hub is not None and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    def settings(self) -> tuple[TrainConfig, Run | None, Run | None]:
        """The others: what rank 0 has come to, as `Follower.settings` has it."""
        assert self._follower is not None
        return self._follower.settings()

    @contextlib.contextmanager
    def ended_by(self, end: Callable[[BaseException | None], None]) -> Iterator[None]:
        """While entered, `end` is what has to be done when the run ends early because another process has failed."""
        self._end = end
        self._can_end.set()
        try:
            yield
        except BaseException as error:
            self._settle(error)
            raise
        else:
            self._settle(None)

    def start(self, config: TrainConfig, run: Run | None, goes_on: bool = False, reproduces: Run | None = None) -> None:
        """Rank 0: start the other processes, unless they are there, and let them begin, with these settings.

        Args:
            run: that is begun, or gone on with; None in the others.
            reproduces: the run that a new one is to come out like.

        Until then they wait, so that what is fetched or computed once is there when they look for it.
        """
        settings = config.trainer
        if not self.leads or settings.strategy == "ddp_fork":
            return
        if not self._launch.is_external and (settings.world_size > 1 or settings.strategy == "ddp"):
            self._start(settings.world_size)
        if self._hub is not None:
            self._hub.say(
                {
                    "settings": config.model_dump_json(),
                    "run": _folder(run),
                    "goes_on": _folder(run if goes_on else None),
                    "reproduces": _folder(reproduces),
                    "pid": os.getpid(),
                    "host": socket.gethostname(),
                }
            )

    def _start(self, world_size: int) -> None:
        self._store = make_store()
        os.environ |= {"MASTER_ADDR": LOOPBACK, "MASTER_PORT": str(self._store.port)}
        if world_size == 1:
            return
        hub = self._open(LOOPBACK, world_size)
        for rank in range(1, world_size):
            own = {launch.HUB: hub.address, "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world_size)}
            self._children.append(subprocess.Popen(_basic_subprocess_cmd(), env=os.environ | own))

    def _meet(self) -> None:
        """Of processes that others have started, connect each with rank 0, through the store that torch meets at."""
        use_address_of_step()
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        # torchrun has a store already; torch goes on with the one that is made here
        makes_store = self.leads and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
        wait = timedelta(seconds=ARRIVAL_SECONDS)
        key = f"visionlab/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}/{next(_launches)}"
        try:
            self._store = TCPStore(
                host, port, is_master=makes_store, timeout=wait, wait_for_workers=False, multi_tenant=True
            )
            if self.leads:
                hub = self._open(LOOPBACK if self._launch.nodes == 1 else host, self._launch.world_size)
                self._store.set(key, hub.address)
            else:
                self._follower = Follower(self._store.get(key).decode(), self._launch.rank, self._interruption)
        except torch.distributed.DistError as error:
            said = str(error).partition("\n")[0]
            raise UserError(
                f"rank {self._launch.rank}: expected to meet the other processes at {host}:{port}, met none ({said}); "
                "see what they say, and that nothing else has that port"
            ) from None

    def _open(self, host: str, world_size: int) -> Hub:
        self._hub = Hub(host)
        failures = Failures(self._hub.news, world_size, self._exit_code_of)
        threading.Thread(target=self._watch, args=(failures,), name="ranks", daemon=True).start()
        return self._hub

    def _watch(self, failures: Failures) -> None:
        """Wait for another process to fail, and then end all, unless the main thread is at it already."""
        deadline = time.monotonic() + ARRIVAL_SECONDS
        while not failures.found:
            failures.listen(POLL_SECONDS)
            for rank, child in enumerate(self._children, start=1):
                if child.poll() is not None and not failures.knows(rank):
                    failures.is_gone(rank)
            if time.monotonic() > deadline and failures.missing:
                failures.never_came(ARRIVAL_SECONDS)
            if self._over:
                return
        if not failures.only_stopped:
            self._another_failed.set()
        failures.listen_for_the_cause()
        if self._ending.acquire(blocking=False):
            self._bring_down(failures.cause)

    def _bring_down(self, cause: BaseException) -> None:
        """End the run and this process; the main thread may be anywhere, also for ever in a collective operation."""
        killer = threading.Timer(LAST_SECONDS, os._exit, (1,))
        killer.daemon = True
        killer.start()
        code = 1
        try:
            with self._interruption.shielded():
                if isinstance(cause, RankError):
                    print(f"{cause.details}visionlab: {cause}", file=sys.stderr, flush=True)
                if isinstance(cause, InterruptedRun):
                    code = cause.exit_code
                # the main thread may be about to begin the run; as long as it fetches data there is none
                if self._can_end.wait(NEWS_SECONDS) and self._end is not None:
                    self._end(cause)
                assert self._hub is not None
                self._dismiss(self._hub, cause)
                sys.stdout.flush()
        except BaseException:  # noqa: BLE001 - whatever it is, this process ends now
            traceback.print_exc()
        os._exit(code)

    def _settle(self, error: BaseException | None) -> None:
        """Rank 0: return if the run ends with `error`; if that of another process is the reason, do not come back."""
        if self._hub is None or self._over:
            return
        with self._interruption.shielded():
            if is_consequence(error):
                self._another_failed.wait(NEWS_SECONDS)
            elif self._launch.is_external and isinstance(error, InterruptedRun):
                self._another_failed.wait(SIGTERM_SECONDS)  # with which the others of one that has failed are ended
            is_own = error is not None and not is_consequence(error) and not isinstance(error, InterruptedRun)
            if (self._another_failed.is_set() and not is_own) or not self._ending.acquire(blocking=False):
                threading.Event().wait()
        self._over = True

    def _dismiss(self, hub: Hub, error: BaseException | None) -> None:
        """Let the others end; those that this process has started and that do not are killed."""
        if error is None or isinstance(error, PrunedRun):
            hub.say({"over": True})
            patience = LAST_SECONDS
        elif isinstance(error, InterruptedRun):
            hub.say({"stop": int(error.signal)})
            patience = ALONE_SECONDS
        else:
            hub.close()
            patience = HUNG_SECONDS
        end = time.monotonic() + patience
        for child in self._children:
            try:
                child.wait(max(end - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        hub.close()

    def _exit_code_of(self, rank: int) -> int | None:
        """As of `Popen`, of a process that this one has started and that has ended."""
        if rank > len(self._children):
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._children[rank - 1].wait(ALONE_SECONDS)
        return None


def _folder(run: Run | None) -> str | None:
    return None if run is None else str(run.path.absolute())
