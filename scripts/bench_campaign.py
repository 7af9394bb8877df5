"""Trials per minute of a search: ours, one fresh process a trial, and Optuna in one process, on tiny trials.

    python scripts/bench_campaign.py
    python scripts/bench_campaign.py --rounds 7 --trials 40

ours-1, ours-2  a campaign with one worker and with two: every run in a process of its own, with a folder, a journal and
                checkpoints, its state in a database. The clock starts after the libraries were imported, once for all,
                and after the first run of each worker has started.
fresh           `visionlab train` with the same settings, one process after the other, counted as a whole, as a shell
                loop or a launcher of jobs would do it
loop            the same runs one after the other in one process that has everything imported, asked for and told by an
                in-memory Optuna study: what there is to be had without processes, and without surviving a crash

`fresh` and `loop` test each run once and ask git for the state of the code, as `visionlab train` does; the runs of a
campaign are not tested, and the state of the code is found out once. Pictures are drawn after the clock has stopped.

Each round measures every arm once, in an order that changes from round to round. Ratios are taken within rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from bench_lib import median_ratio, positive, print_table, spread

from visionlab.tracking import journal
from visionlab.tracking.provenance import cpu_name

RUN = [
    "experiment=digits",
    "model=mlp",
    "model.hidden=[16]",
    "data.augment.translate=0",
    "data.fraction=0.3",
    "trainer.max_epochs=2",
    "trainer.accelerator=cpu",
    "tracking=off",
    "tracking.figures=false",
]
LOW, HIGH = 1e-4, 1e-1
first_steps: list[float] = []  # seconds from the making of a run's folder, of all runs of ours
WANTED = {"fresh": "at least 20"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=positive, default=5, help="(default 5)")
    parser.add_argument("--trials", type=positive, default=20, help="of ours and loop (default 20)")
    parser.add_argument("--fresh-trials", type=positive, default=3, help="of fresh, which are slow (default 3)")
    arguments = parser.parse_args()
    counts = {
        "ours-1": arguments.trials,
        "ours-2": arguments.trials,
        "fresh": arguments.fresh_trials,
        "loop": arguments.trials,
    }
    print(cpu_name(), flush=True)
    rates: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for number in range(arguments.rounds):
        for arm in np.roll(list(ARMS), number).tolist():
            with tempfile.TemporaryDirectory() as home:
                os.environ["VISIONLAB_HOME"] = home
                rates[arm].append(60 * counts[arm] / ARMS[arm](counts[arm]))
        print(f"round {number + 1}: " + ", ".join(f"{arm} {rates[arm][-1]:.1f}" for arm in ARMS), flush=True)
    print()
    print_table(["trials a minute", "median", "range"], [(arm, *spread(rates[arm], 1)) for arm in ARMS])
    for ours in ("ours-1", "ours-2"):
        for arm in ("fresh", "loop"):
            wanted = f", wanted: {WANTED[arm]}" if arm in WANTED else ""
            print(f"{ours} / {arm:<6} {median_ratio(rates[ours], rates[arm])}{wanted}")
    low, high = np.quantile(first_steps, [0.025, 0.975])
    print(
        f"seconds to a run's first steps, data set-up included: {np.median(first_steps):.2f} ({low:.2f} to {high:.2f})"
    )
    print(f"ours-2 / ours-1 {median_ratio(rates['ours-2'], rates['ours-1'])}")


def ours(workers: int, trials: int) -> float:
    """Seconds from the first run's start to the end of the last."""
    command = [sys.executable, "-m", "visionlab", "grid", *RUN, f"optimizer.lr={_grid(trials)}"]
    subprocess.run([*command, f"campaign.workers={workers}"], check=True, capture_output=True)
    runs = [file.parent for file in Path(os.environ["VISIONLAB_HOME"]).glob("runs/*/member.json")]
    ended = [journal.last(run / journal.FILE_NAME) for run in runs]
    assert [record and record.get("status") for record in ended] == ["FINISHED"] * trials
    first_steps.extend(first_step(run) - (run / "member.json").stat().st_mtime for run in runs)
    # of the second one of a worker, so that no start-up is in it
    began = sorted((run / "member.json").stat().st_mtime for run in runs)[workers]
    last = max(record["time"] for record in ended if record is not None)
    return (last / 1000 - began) * trials / (trials - workers)


def first_step(run: Path) -> float:
    """When a run recorded its first training steps, in seconds since 1970."""
    records, _ = journal.read(run / journal.FILE_NAME)
    times = [record["time"] for record in records if "train/loss" in record.get("values", {})]
    return float(times[0]) / 1000


def fresh(trials: int) -> float:
    """Seconds of so many `visionlab train`."""
    started = time.perf_counter()
    for rate in np.geomspace(LOW, HIGH, trials):
        command = [sys.executable, "-m", "visionlab", "train", *RUN, f"optimizer.lr={rate:.6g}"]
        subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def loop(trials: int) -> float:
    """Seconds of a study in one process, after its imports."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_loop, trials).result()


def _loop(trials: int) -> float:
    import optuna

    from visionlab.config.load import load_train_config
    from visionlab.training.engine import train

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("lr", LOW, HIGH, log=True)
        with contextlib.redirect_stdout(io.StringIO()):
            run = train(load_train_config([*RUN, f"optimizer.lr={rate:.6g}"]))
        assert run is not None
        return float(run.report()["validation"]["accuracy"])

    started = time.perf_counter()
    optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(0)).optimize(objective, trials)
    return time.perf_counter() - started


def _grid(trials: int) -> str:
    return ",".join(f"{rate:.6g}" for rate in np.geomspace(LOW, HIGH, trials))


ARMS: dict[str, Callable[[int], float]] = {
    "ours-1": lambda trials: ours(1, trials),
    "ours-2": lambda trials: ours(2, trials),
    "fresh": fresh,
    "loop": loop,
}

if __name__ == "__main__":
    main()
