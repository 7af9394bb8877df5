"""A finished run, ready to use again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from visionlab import project
from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.tracking.catalog import find_run, withholds_test
from visionlab.training import hardware
from visionlab.training.build import build_data, build_module
from visionlab.training.classifier import Classifier
from visionlab.training.fitting import load_weights
from visionlab.training.quiet import quieten


@dataclass(frozen=True)
class LoadedRun:
    """The parts of a run.

    Attributes:
        id: of the run.
        module: with the chosen weights, in evaluation mode, on the CPU; `module(images)` gives logits.
        data: read and split as for training; without the test split for a run of a campaign.
        config: resolved, for this machine.
    """

    id: str
    module: Classifier
    data: ImageDataModule[Any]
    config: TrainConfig


def load_run(name: str, make_data: Callable[[TrainConfig], ImageDataModule[Any]] = build_data) -> LoadedRun:
    """Load the run that `name` means (an id, a prefix, ``last`` or ``best``).

    Args:
        make_data: gives the data module, for callers that have read the data set for another run.

    Raises:
        UserError: there is no such run, it has no checkpoint, or the data set has changed since.
    """
    quieten()
    run = find_run(project.runs(), name)
    checkpoint = run.checkpoint()
    config = run.config()
    trainer = hardware.resolve(hardware.for_any_machine(config.trainer))
    config = config.model_copy(update={"trainer": trainer, "debug": False})
    datamodule = make_data(config)
    run.check_data(datamodule.fingerprint)
    if withholds_test(run.start()):
        datamodule.withhold_test()
    module = build_module(config, datamodule)
    load_weights(module, checkpoint)
    return LoadedRun(run.id, module.eval(), datamodule, config)
