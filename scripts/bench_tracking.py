"""What tracking costs: run time with it against without, memory over 100,000 steps, and how long the last flush takes.

    VISIONLAB_DATA=data python scripts/bench_tracking.py
    python scripts/bench_tracking.py --parts flush
    python scripts/bench_tracking.py --parts time --pairs 9 --steps 200 --experiment cifar10_cnn

time   the same training with tracking=off, with the local store, and with an MLflow server on this machine, one after
       the other in an order that changes from round to round, each in a process of its own. It is timed from its first
       recorded step until everything is sent: importing mlflow and the last flush are in it.
steady within one training, by turns: the shipping process at work, and stopped, BLOCK_STEPS steps each. What slows the
       machine for a while slows neighbours alike, so this tells one per cent where the runs of `time` differ by ten.
hang   the same training with tracking=off and with a server that takes connections and never answers, timed from its
       first recorded step to its last.
flush  a run of 100,000 steps with one value each, written as fast as it goes; then a shipping process that sends all of
       it, to a local store and to a server. Memory is the resident one, of the writer and of the shipping process.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import psutil
from bench_lib import median_ratio, positive, print_table, spread

from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.errors import InterruptedRun
from visionlab.tracking import journal, shipment_state
from visionlab.tracking.logger import JournalLogger
from visionlab.tracking.provenance import cpu_name
from visionlab.tracking.run import Run
from visionlab.tracking.shipper import Shipper

PARTS = ["flush", "time", "steady", "hang"]
POINTS, MEGABYTE = 100_000, 1e6
BLOCK_STEPS, IMPORT_STEPS = 10, 30  # the first steps, beside which mlflow is imported, are left out of steady
WANTED_RATIO, WANTED_FLUSH = 1.02, 20

Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--pairs", type=positive, default=7, help="rounds of time and hang (default 7)")
    parser.add_argument("--steps", type=positive, default=200, help="of each training (default 200)")
    parser.add_argument("--experiment", default="cifar10_cnn", help="of conf/experiment/ (default cifar10_cnn)")
    arguments = parser.parse_args()

    print(f"{cpu_name()}; mlflow {version('mlflow')}", flush=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["VISIONLAB_DATA"] = str(project.data())
        os.environ["VISIONLAB_HOME"] = home
        with server(Path(home)) as uri:
            arms = {"off": ["tracking=off"], "local": [], "server": [f"tracking.uri={uri}"]}
            if "flush" in arguments.parts:
                print_flushes({arm: in_a_process(flush, arms[arm]) for arm in ("local", "server")})
            if "time" in arguments.parts:
                print_times(measure_times(train, arms, arguments.experiment, arguments.pairs, arguments.steps))
            if "steady" in arguments.parts:
                for arm in ("local", "server"):
                    working, stopped = in_a_process(take_turns, arms[arm], arguments.experiment, arguments.steps)
                    ratio = median_ratio(working, stopped)
                    print(f"{arm}, at work / stopped: {ratio}, {len(working)} pairs, wanted: at most {WANTED_RATIO}")
        if "hang" in arguments.parts:
            with socket.create_server(("127.0.0.1", 0)) as silent:
                arms = {
                    "off": ["tracking=off"],
                    "hanging": [f"tracking.uri=http://127.0.0.1:{silent.getsockname()[1]}"],
                }
                print_times(measure_times(step_through, arms, arguments.experiment, arguments.pairs, arguments.steps))


def measure_times(
    way: Callable[[list[str], str, int], float], arms: dict[str, list[str]], experiment: str, rounds: int, steps: int
) -> dict[str, list[float]]:
    """Seconds that `way` takes with each arm's settings, one a round."""
    seconds: dict[str, list[float]] = {arm: [] for arm in arms}
    for number in range(rounds):
        for arm in np.roll(list(arms), number).tolist():
            seconds[arm].append(in_a_process(way, arms[arm], experiment, steps))
        print(f"round {number + 1}: " + ", ".join(f"{arm} {seconds[arm][-1]:.2f} s" for arm in arms), flush=True)
    return seconds


def train(tracking: list[str], experiment: str, steps: int) -> float:
    """Seconds of a training of about so many steps, from the first that is recorded until everything is sent."""
    times, ended = run_training(tracking, experiment, steps, wait=True)
    return ended - times[0]


def step_through(tracking: list[str], experiment: str, steps: int) -> float:
    """Seconds of a training of about so many steps, from the first that is recorded to the last."""
    times, _ = run_training(tracking, experiment, steps, wait=False)
    return times[-1] - times[0]


def take_turns(tracking: list[str], experiment: str, steps: int) -> tuple[list[float], list[float]]:
    """Seconds that blocks of steps of one training take with the shipping process at work, and with it stopped."""
    from lightning.pytorch.callbacks import Callback

    from visionlab.training import engine

    class Turns(Callback):
        def __init__(self, shipper: Shipper) -> None:
            self.shipper, self.seconds = shipper, ([], [])
            self.began = 0.0

        def on_train_batch_end(self, trainer: Any, *arguments: Any) -> None:
            step = trainer.global_step - IMPORT_STEPS
            if step < 0 or step % BLOCK_STEPS:
                return
            process, block = self.shipper._process, step // BLOCK_STEPS
            assert process is not None
            now = time.perf_counter()
            if block:
                self.seconds[(block - 1) % 2].append((now - self.began) / BLOCK_STEPS)
            process.send_signal(signal.SIGSTOP if block % 2 else signal.SIGCONT)
            self.began = time.perf_counter()

        def on_train_end(self, trainer: Any, *arguments: Any) -> None:
            assert self.shipper._process is not None
            self.shipper._process.send_signal(signal.SIGCONT)

    turns: list[Turns] = []
    before = engine._callbacks

    def with_turns(config: Any, recording: Any) -> list[Callback]:
        turns.append(Turns(recording.shipper))
        return [*before(config, recording), turns[0]]

    engine._callbacks = with_turns
    run_training(tracking, experiment, steps, wait=True)
    working, stopped = turns[0].seconds
    pairs = min(len(working), len(stopped))
    return working[:pairs], stopped[:pairs]


def run_training(tracking: list[str], experiment: str, steps: int, wait: bool) -> tuple[list[float], float]:
    """When the steps of a training in whole epochs were recorded, and when it was over, in seconds since 1970.

    Args:
        wait: until everything is sent, or only as long as a run that was told to stop.
    """
    import lightning.pytorch as pl

    from visionlab.training import hardware
    from visionlab.training.build import build_data, build_module, initialize_from_data
    from visionlab.training.engine import fit
    from visionlab.training.interruption import Interruption
    from visionlab.training.quiet import quieten
    from visionlab.training.recording import Recording

    quieten()
    hardware.keep_freed_memory()
    config = load_train_config([f"experiment={experiment}", "data.val_fraction=0", *tracking])
    with contextlib.redirect_stdout(io.StringIO()):
        datamodule = build_data(config)
        epochs = max(1, round(steps * config.data.batch_size / datamodule.sizes["train"]))
        trainer = hardware.resolve(config.trainer).model_copy(update={"max_epochs": epochs})
        config = config.model_copy(update={"trainer": trainer})
        pl.seed_everything(config.seed, verbose=False)
        module = build_module(config, datamodule)
        initialize_from_data(module, datamodule)
        with Interruption() as interruption:
            recording = Recording(config, datamodule, module, interruption)
            with contextlib.suppress(InterruptedRun), recording:
                fit(config, module, datamodule, recording, interruption)
                if not wait:
                    interruption.stop()
    ended = time.time()
    assert recording.run is not None
    records = [record for record in journal.read(recording.run.journal_file)[0] if record["kind"] == "metrics"]
    return [record["time"] / 1000 for record in records if "train/loss" in record["values"]], ended


def in_a_process(function: Callable[..., Result], *arguments: Any) -> Result:
    """What a function returns in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


class Flush(NamedTuple):
    """Seconds, and megabytes of resident memory."""

    writing: float
    importing: float
    sending: float
    writer_before: float
    writer_after: float
    shipper_early: float
    shipper_late: float


def flush(tracking: list[str]) -> Flush:
    """Write a run of POINTS steps, then send it."""
    run = Run.create(project.runs(), load_train_config(["experiment=digits", *tracking]))
    writer, own = run.journal(), psutil.Process()
    writer.append("start", run=run.id, params={}, tags={})
    logger = JournalLogger(run.id, writer)
    started = time.perf_counter()
    for step in range(1, POINTS + 1):
        logger.log_metrics({"train/loss": 1 / step}, step)
        if step == POINTS // 100:
            before = own.memory_info().rss
    writing, after = time.perf_counter() - started, own.memory_info().rss
    writer.append("status", status="FINISHED", tags={})
    started = time.perf_counter()
    shipper = Shipper(run)
    shipper.start()
    assert shipper._process is not None
    process = psutil.Process(shipper._process.pid)
    imported, early, late = 0.0, 0, 0
    while shipper._process.poll() is None:
        offset = shipment_state.load(run).offset
        with contextlib.suppress(psutil.Error):
            memory = process.memory_info().rss
            late = max(late, memory)
            if offset < run.journal_file.stat().st_size / 10:
                early = memory
        if not imported and shipment_state.last_sign(run) is not None:
            imported = time.perf_counter()
        time.sleep(0.05)
    assert shipper.finish(in_a_hurry=False), (run.path / shipment_state.LOG_NAME).read_text()
    ended = time.perf_counter()
    memory_used = [value / MEGABYTE for value in (before, after, early, late)]
    return Flush(writing, imported - started, ended - imported, *memory_used)


def print_flushes(flushes: dict[str, Flush]) -> None:
    print(f"\n{POINTS:,} steps with a value each")
    headings = ["", *flushes]
    rows = [
        ("writing, s", *(f"{flush.writing:.2f}" for flush in flushes.values())),
        ("start of the shipping process, s", *(f"{flush.importing:.2f}" for flush in flushes.values())),
        (f"sending (wanted: at most {WANTED_FLUSH}), s", *(f"{flush.sending:.2f}" for flush in flushes.values())),
        ("writer, step 1,000, MB", *(f"{flush.writer_before:.1f}" for flush in flushes.values())),
        ("writer, end, MB", *(f"{flush.writer_after:.1f}" for flush in flushes.values())),
        ("shipping process, first tenth sent, MB", *(f"{flush.shipper_early:.1f}" for flush in flushes.values())),
        ("shipping process, most, MB", *(f"{flush.shipper_late:.1f}" for flush in flushes.values())),
    ]
    print_table(headings, rows)


def print_times(seconds: dict[str, list[float]]) -> None:
    print()
    print_table(["seconds", "median", "range"], [(arm, *spread(values, 2)) for arm, values in seconds.items()])
    for arm in [arm for arm in seconds if arm != "off"]:
        print(f"{arm:>7} / off  {median_ratio(seconds[arm], seconds['off'])}, wanted: at most {WANTED_RATIO}")


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """An MLflow server on this machine; its address."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        while not answers(f"{uri}/health"):
            if process.poll() is not None:
                sys.exit((folder / "server.log").read_text())
            time.sleep(0.2)
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=1):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    main()
