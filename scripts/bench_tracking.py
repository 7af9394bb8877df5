"""What tracking costs: run time with it against without, memory over 100,000 steps, and how long the last flush takes.

    VISIONLAB_DATA=data python scripts/bench_tracking.py
    python scripts/bench_tracking.py --parts flush
    python scripts/bench_tracking.py --parts time --rounds 60 --experiment cifar10_cnn

time   the same training with tracking=off, with the local store, with an MLflow server on this machine, and with a
       server that takes connections and never answers. They take turns of a block of steps each, in an order that
       changes from round to round, while the others are stopped with their shipping processes. The steps are compared
       block by block, and all the seconds from the first step until everything is sent: importing mlflow, beside the
       first steps, and the last flush are in these; making the local database, once a project, is not. (A run that
       never gets an answer is not waited for.)
flush  a run of 100,000 steps with one value each, written as fast as it goes; then a shipping process that sends all of
       it, to a local store and to a server. Memory is the resident one, of the writer and of the shipping process.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import psutil
from bench_lib import median_ratio, positive, print_table, spread, total_ratio
from mlflow_server import server
from turns import Contestant, Turns, prepare

from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.tracking import shipment_state
from visionlab.tracking.logger import JournalLogger
from visionlab.tracking.provenance import cpu_name
from visionlab.tracking.run import Run
from visionlab.tracking.shipper import Shipper
from visionlab.training import hardware
from visionlab.training.fitting import fit
from visionlab.training.interruption import Interruption
from visionlab.training.quiet import quieten
from visionlab.training.recording import Recording

PARTS = ["flush", "time"]
POINTS, MEGABYTE = 100_000, 1e6
WANTED_RATIO, WANTED_FLUSH = 1.02, 20
HANGING = "hanging"

Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=positive, default=40, help="turns of each training (default 40)")
    parser.add_argument("--block", type=positive, default=5, help="steps of a turn (default 5)")
    parser.add_argument("--experiment", default="cifar10_cnn", help="of conf/experiment/ (default cifar10_cnn)")
    arguments = parser.parse_args()

    print(f"{cpu_name()}; mlflow {version('mlflow')}", flush=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["VISIONLAB_DATA"] = str(project.data())
        os.environ["VISIONLAB_HOME"] = home
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        with server(Path(home)) as uri, socket.create_server(("127.0.0.1", 0)) as silent:
            arms = {"off": ["tracking=off"], "local": [], "server": [f"tracking.uri={uri}"]}
            if "flush" in arguments.parts:
                print_flushes({arm: in_a_process(flush, arms[arm]) for arm in ("local", "server")})
            if "time" in arguments.parts:
                in_a_process(make_local_store)
                arms[HANGING] = [f"tracking.uri=http://127.0.0.1:{silent.getsockname()[1]}"]
                print_times(measure(arms, arguments.experiment, arguments.rounds, arguments.block))


class Times(NamedTuple):
    """Seconds of one training.

    Attributes:
        blocks: of each block of steps.
        rest: from the end of the last block until everything is sent; None where that is not waited for.
    """

    blocks: list[float]
    rest: float | None


def measure(arms: dict[str, list[str]], experiment: str, rounds: int, block: int) -> dict[str, Times]:
    """Let trainings with each arm's settings take turns from their first step on."""
    blocks: dict[str, list[float]] = {arm: [] for arm in arms}
    contestants: dict[str, Contestant] = {}
    try:
        for arm, settings in arms.items():
            arguments = (settings, experiment, rounds * block + 1)
            contestants[arm] = Contestant(train, *arguments, skipped=0, block=block)
        for number in range(rounds):
            for arm in np.roll(list(arms), number).tolist():
                blocks[arm].append(contestants[arm].turn())
            print(f"round {number + 1}: " + ", ".join(f"{arm} {blocks[arm][-1]:.2f} s" for arm in arms), flush=True)
        return {
            arm: Times(blocks[arm], None if arm == HANGING else contestant.finish())
            for arm, contestant in contestants.items()
        }
    finally:
        for contestant in contestants.values():
            contestant.kill()


def make_local_store() -> None:
    """Make the database that every run but a project's first finds."""
    from visionlab.tracking.mlflow import connect

    connect(load_train_config([]).tracking)


def train(tracking: list[str], experiment: str, steps: int, turns: Turns) -> None:
    """Train for at least so many steps, in turns, until everything is sent."""
    quieten()
    hardware.keep_freed_memory()
    with contextlib.redirect_stdout(io.StringIO()):
        config, datamodule, module = prepare(experiment, steps, *tracking)
        turns.watch(module.network)
        with Interruption() as interruption, Recording(config, datamodule, module, interruption) as recording:
            fit(config, module, datamodule, recording, interruption)
    turns.end()


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


def print_times(times: dict[str, Times]) -> None:
    print()
    rows = [
        (arm, *spread(time.blocks, 2), "" if time.rest is None else f"{time.rest:.2f}") for arm, time in times.items()
    ]
    print_table(["seconds of a block", "median", "range", "after the last"], rows)
    off = times["off"]
    for arm in [arm for arm in times if arm != "off"]:
        blocks, rest = times[arm]
        wanted = f"{len(blocks)} rounds, wanted: at most {WANTED_RATIO}"
        print(f"{arm} / off, steps: {median_ratio(blocks, off.blocks)}, {wanted}")
        if rest is not None and off.rest is not None:
            total = total_ratio(blocks, off.blocks, rest, off.rest)
            print(f"{arm} / off, all of {sum(blocks) + rest:.0f} s: {total}, {wanted}")


if __name__ == "__main__":
    main()
