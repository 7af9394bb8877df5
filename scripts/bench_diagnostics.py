"""How long training takes with `diagnostics=all`, recorded every 50 steps, against without, in steps of one training.

    VISIONLAB_DATA=data python scripts/bench_diagnostics.py
    python scripts/bench_diagnostics.py --pairs 200 --every 10 --experiment digits
    python scripts/bench_diagnostics.py data.batch_size=50 data.fraction=0.2    # any settings; small steps cost more

A pair is a step that is recorded and one beside it that is not; which comes first changes from pair to pair. Nothing is
hooked in the steps between two records, so that with a record every N steps the mean step takes
((N - 1) plain + recorded) / N. What is timed is the engine as `visionlab train` runs it, from the end of one step to
that of the next, with writing the journal, without validation and MLflow.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
from importlib.metadata import version
from typing import Any

import lightning.pytorch as pl
from bench_lib import median_ratio, positive, print_table, spread
from lightning.pytorch.callbacks import Callback

from visionlab import project
from visionlab.config.diagnostics import DiagnosticsConfig
from visionlab.config.load import load_train_config
from visionlab.tracking.provenance import cpu_name
from visionlab.training import fitting, hardware
from visionlab.training.build import build_data, build_module, initialize_from_data
from visionlab.training.diagnostics import Diagnostics
from visionlab.training.interruption import Interruption
from visionlab.training.quiet import quieten
from visionlab.training.recording import Recording

WARM_UP = 10  # steps that are not counted
WANTED = 1.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=positive, default=50, help="of steps (default 50)")
    parser.add_argument("--every", type=positive, default=50, help="steps from one record to the next (default 50)")
    parser.add_argument("--experiment", default="cifar10_cnn", help="of conf/experiment/ (default cifar10_cnn)")
    parser.add_argument("overrides", nargs="*", help="further settings, as of visionlab train")
    arguments = parser.parse_args()

    print(f"{cpu_name()}; torch {version('torch')}", flush=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["VISIONLAB_DATA"] = str(project.data())
        os.environ["VISIONLAB_HOME"] = home
        recorded, plain = measure(arguments.experiment, arguments.pairs, *arguments.overrides)
    print()
    rows = [("recorded", *spread(recorded, 1)), ("not recorded", *spread(plain, 1))]
    print_table(["ms a step", "median", "range"], rows)
    every = arguments.every
    means = [((every - 1) * without + with_it) / every for with_it, without in zip(recorded, plain, strict=True)]
    ratio = median_ratio(means, plain)
    print(f"all / off, every {every} steps  {ratio}, {len(plain)} pairs, wanted: below {WANTED}")


class Turns(Diagnostics):
    """Records every second step, and times each.

    Attributes:
        milliseconds: of each step, as (recorded, not).
    """

    def __init__(self, config: DiagnosticsConfig) -> None:
        super().__init__(config)
        self.milliseconds: tuple[list[float], list[float]] = ([], [])
        self._began = 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        now = time.perf_counter()
        if trainer.global_step > WARM_UP:
            self.milliseconds[_arm(trainer.global_step)].append((now - self._began) * 1000)
        self._began = now

    def _is_recorded(self, trainer: pl.Trainer) -> bool:
        return _arm(trainer.global_step + 1) == 0


def _arm(step: int) -> int:
    """0 for a step that is recorded, else 1; in the order 0 1, 1 0, 0 1, …"""
    place = step - WARM_UP - 1
    return (place + place // 2) % 2


def measure(experiment: str, pairs: int, *settings: str) -> tuple[list[float], list[float]]:
    """Milliseconds of so many steps that are recorded, and of as many that are not."""
    quieten()
    hardware.keep_freed_memory()
    overrides = [f"experiment={experiment}", "diagnostics=all", "data.val_fraction=0", "tracking=off", *settings]
    config = load_train_config(overrides)
    turns: list[Turns] = []
    usual = fitting.callbacks_of

    def with_turns(*arguments: Any) -> list[Callback]:
        turns.append(Turns(config.diagnostics))
        return [turns[0] if isinstance(callback, Diagnostics) else callback for callback in usual(*arguments)]

    with contextlib.redirect_stdout(io.StringIO()):
        datamodule = build_data(config)
        steps = WARM_UP + 2 * pairs
        epochs = -(-steps // max(1, datamodule.sizes["train"] // config.data.batch_size))
        trainer = hardware.resolve(config.trainer).model_copy(update={"max_epochs": epochs})
        config = config.model_copy(update={"trainer": trainer})
        pl.seed_everything(config.seed, verbose=False)
        module = build_module(config, datamodule)
        initialize_from_data(module, datamodule)
        fitting.callbacks_of = with_turns
        try:
            with Interruption() as interruption, Recording(config, datamodule, module, interruption) as recording:
                fitting.fit(config, module, datamodule, recording, interruption)
        finally:
            fitting.callbacks_of = usual
    recorded, plain = turns[0].milliseconds
    return recorded[:pairs], plain[:pairs]


if __name__ == "__main__":
    main()
