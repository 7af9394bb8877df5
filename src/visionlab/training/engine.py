"""One training run from its configuration to its report: build -> fit -> select -> test once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities import rank_zero_only

from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.errors import PrunedRun, UserError
from visionlab.tracking.catalog import withholds_test
from visionlab.tracking.member import Member, is_to_be_pruned
from visionlab.tracking.run import Run
from visionlab.tracking.start import name_start
from visionlab.training import checkpoints, hardware, launch, parts, requeue
from visionlab.training.adaptation import frozen_stages
from visionlab.training.build import build_data, build_module
from visionlab.training.classifier import Classifier
from visionlab.training.debug import adapt
from visionlab.training.fitting import evaluate, fit, load_weights
from visionlab.training.interruption import Interruption, TakeOver
from visionlab.training.latency import latency_ms
from visionlab.training.quiet import quieten
from visionlab.training.ranks import Ranks
from visionlab.training.recording import Recording
from visionlab.training.results import KeepScores
from visionlab.training.starting import initialize


def train(
    config: TrainConfig,
    reproduces: Run | None = None,
    prepare: Callable[[TrainConfig], TrainConfig] | None = None,
) -> Run | None:
    """Train, choose a checkpoint by validation, test it once, and leave everything in a new run folder.

    Args:
        reproduces: the run that the new one is to come out like; one of a campaign is not tested, nor is this one then.
        prepare: done before by the first process alone, however long it takes; gives the configuration to train with.

    Returns:
        The finished run, or None in the processes of a distributed run other than the first.

    Raises:
        UserError: the data set, the machine and the configuration do not fit together, or training diverged.
        InterruptedRun: by Ctrl-C or SIGTERM; the run can be resumed.
    """

    def decide() -> TrainConfig:
        return name_start(adapt(config if prepare is None else prepare(config)))

    return _carry_out(decide, reproduces=reproduces)


def join() -> None:
    """Take part in what the first process trains, as one of the others; it says what that is.

    Raises: as `train`.
    """
    _carry_out()


def resume(run: Run, config: TrainConfig) -> Run | None:
    """Go on with a run where its newest checkpoint is, as if it had never stopped.

    Args:
        run: stopped at any moment, or finished and now to be trained for more epochs.
        config: the run's own, with settings of the trainer changed or not.

    Returns, Raises: as `train`.
    """
    return _carry_out(lambda: config, run)


def train_member(run: Run) -> None:
    """Train a run that a campaign has prepared, without a test set.

    Raises:
        as `train`; PrunedRun when its campaign has ended it early.
    """
    if is_to_be_pruned(run):
        raise PrunedRun  # before it began
    member = Member.load(run)
    if member.threads is not None:
        torch.set_num_threads(member.threads)
    _carry_out(run.config, run, member)


def _carry_out(
    decide: Callable[[], TrainConfig] | None = None,
    run: Run | None = None,
    member: Member | None = None,
    reproduces: Run | None = None,
) -> Run | None:
    """Train, in the first process what these say, in the others what that one tells them.

    Args:
        decide: gives the configuration. The others wait for it: a name such as `last` in it may mean another run by the
            time that they begin, and what it takes, such as a download, is to be done once.
        run: to go on with, or that a campaign has prepared.
        member: what that has said of it.
    """
    quieten()
    # Lightning takes it from variables that others set, too, such as RANK in a container
    rank_zero_only.rank = launch.current().rank  # type: ignore[attr-defined]
    with Interruption() as interruption, Ranks(interruption) as ranks:
        with requeue.before_the_run():
            if ranks.leads:
                assert decide is not None
                config = _resolve(decide())
            else:
                config, run, reproduces = ranks.settings()
            if reproduces is not None:
                hardware.use_threads_of(reproduces)
            datamodule, module = _build(config, run, member, reproduces)
        with (
            Recording(config, datamodule, module, interruption, run, member, reproduces) as recording,
            ranks.ended_by(recording.end),
        ):
            ranks.start(config, recording.run, goes_on=run is not None, reproduces=reproduces)
            checkpoint = fit(config, module, datamodule, recording, interruption)
            if recording.is_tested:
                load_weights(module, checkpoint)
                keeping = [KeepScores(recording.run)] if recording.run else []
                evaluate(config, module, datamodule, [TakeOver(interruption), *keeping])
            elif member is not None and member.latency and recording.run is not None:
                image = next(iter(datamodule.evaluation_loader("val", 1))).images
                module.to(hardware.device_of(config.trainer))
                recording.run.add_to_report(latency_ms=latency_ms(module, image))
            recording.conclude()
    return recording.run


def _build(
    config: TrainConfig, run: Run | None, member: Member | None, reproduces: Run | None
) -> tuple[ImageDataModule[Any], Classifier]:
    """The data, and the network with the weights that it begins or goes on with."""
    if config.trainer.accelerator == "cpu":
        hardware.keep_freed_memory()
    pl.seed_everything(config.seed, verbose=False)
    datamodule = build_data(config)
    if member is not None or any(withholds_test(one.start()) for one in (run, reproduces) if one is not None):
        datamodule.withhold_test()
    module = build_module(config, datamodule)
    parts.check_shares(config, datamodule, module)
    _check_unfreezing(config, module)
    start = checkpoints.newest(run.checkpoints)[0] if run is not None and member is None else None
    if start is None:
        initialize(config, module, datamodule)
    else:
        load_weights(module, start.file)  # what the run started from need not be there any more
    return datamodule, module


def _resolve(config: TrainConfig) -> TrainConfig:
    """The configuration for this machine, where that can carry it out."""
    config = config.model_copy(update={"trainer": hardware.resolve(config.trainer)})
    parts.check_settings(config)
    return config


def _check_unfreezing(config: TrainConfig, module: Classifier) -> None:
    """The stages to freeze are there; and processes that share gradients agree on what has some from the start."""
    frozen_stages(config.adapt, module.network)
    if config.adapt.unfreeze_every is not None and config.trainer.world_size > 1:
        raise UserError(
            f"adapt.unfreeze_every: expected one device, given {config.trainer.world_size}; set trainer.devices=1, or "
            "train the stages in runs of their own with model.init_from"
        )
