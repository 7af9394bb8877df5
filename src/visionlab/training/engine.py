"""One training run from its configuration to its report: build -> fit -> select -> test once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from lightning.pytorch.utilities import rank_zero_only

from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.errors import PrunedRun, UserError
from visionlab.tracking.catalog import withholds_test
from visionlab.tracking.member import Member, is_to_be_pruned
from visionlab.tracking.run import Run
from visionlab.tracking.start import name_start
from visionlab.training import checkpoint_file, checkpoints, hardware, launch, parts, requeue
from visionlab.training.adaptation import Freezing, frozen_stages
from visionlab.training.averaging import MovingAverage
from visionlab.training.build import build_data, build_module
from visionlab.training.callbacks import PlaceData, SeedSteps, StartShipping, ValidateLast
from visionlab.training.checkpoint_file import HashedCheckpointIO
from visionlab.training.checkpoints import MONITOR, Checkpoints
from visionlab.training.classifier import Classifier
from visionlab.training.debug import Profile, adapt, trainer_arguments
from visionlab.training.depthwise import precision_plugins
from visionlab.training.diagnostics import Diagnostics
from visionlab.training.features import CacheFeatures
from visionlab.training.interruption import Interruption, TakeOver
from visionlab.training.latency import latency_ms
from visionlab.training.lookahead import Lookahead
from visionlab.training.progress import Progress
from visionlab.training.pruning import Pruning
from visionlab.training.quiet import quieten
from visionlab.training.ranks import Ranks
from visionlab.training.recording import Recording
from visionlab.training.rendezvous import environment
from visionlab.training.results import KeepScores, KeepValidation
from visionlab.training.starting import initialize
from visionlab.training.warm_up import WarmUp


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


def fit(
    config: TrainConfig,
    module: Classifier,
    datamodule: ImageDataModule[Any],
    recording: Recording,
    interruption: Interruption,
) -> Path:
    """Train `module`; the checkpoint that validation chose, or the last one where there is no validation."""
    settings = config.trainer
    if settings.channels_last:
        module.network.to(memory_format=torch.channels_last)
    if settings.compile:
        module.network.compile()
    keeper = Checkpoints(recording.checkpoints, recording.journal, interruption, settings)
    arguments = common_arguments(config, module)
    arguments["plugins"].append(HashedCheckpointIO())
    trainer = pl.Trainer(
        **arguments,
        callbacks=[*_callbacks(config, recording), keeper],
        logger=recording.logger or False,
        max_epochs=settings.max_epochs,
        check_val_every_n_epoch=settings.val_every,
        gradient_clip_val=settings.gradient_clip,
        num_sanity_val_steps=0,
        default_root_dir=recording.run.path if recording.run else None,
    )
    start = recording.start
    if start is None or not start.is_complete(settings):
        trainer.fit(module, datamodule=datamodule, ckpt_path=start.file if start else None, weights_only=True)
        # only the first process knows that the files have their last names: others would choose too early
        file: Path = trainer.strategy.broadcast(checkpoints.chosen(keeper.folder))
        return file
    return checkpoints.chosen(start.file.parent)


def evaluate(
    config: TrainConfig, module: Classifier, datamodule: ImageDataModule[Any], callbacks: list[Callback]
) -> None:
    """Measure `module` on the test split, once; the scores are in `module.scores`."""
    place = PlaceData(bool(config.trainer.channels_last))
    trainer = pl.Trainer(
        **common_arguments(config, module), callbacks=[place, *callbacks], logger=False, enable_checkpointing=False
    )
    trainer.test(module, datamodule=datamodule, verbose=False)


def _check_unfreezing(config: TrainConfig, module: Classifier) -> None:
    """The stages to freeze are there; and processes that share gradients agree on what has some from the start."""
    frozen_stages(config.adapt, module.network)
    if config.adapt.unfreeze_every is not None and config.trainer.world_size > 1:
        raise UserError(
            f"adapt.unfreeze_every: expected one device, given {config.trainer.world_size}; set trainer.devices=1, or "
            "train the stages in runs of their own with model.init_from"
        )


def load_weights(module: Classifier, checkpoint: Path) -> None:
    """Load the weights of a checkpoint; of a run with averaged weights these are the averages.

    Raises:
        DamagedCheckpointError: the file is not as it was written.
    """
    module.load_state_dict(checkpoint_file.read(checkpoint)["state_dict"])


def common_arguments(config: TrainConfig, module: Classifier) -> dict[str, Any]:
    """The arguments of Lightning's Trainer that do not depend on what it is to do."""
    settings = config.trainer
    precision = precision_plugins(settings, module.network)
    strategy = settings.strategy
    if strategy == "auto" and settings.world_size != 1:
        strategy = "ddp"
    return {
        "accelerator": settings.accelerator,
        "devices": settings.devices,
        "num_nodes": settings.num_nodes,
        "strategy": strategy,
        "precision": None if precision else settings.precision,
        "plugins": [*precision, environment(settings)],
        "deterministic": settings.deterministic,
        "sync_batchnorm": settings.sync_batch_norm,
        "use_distributed_sampler": False,  # the loaders shard themselves, without padding
        "enable_progress_bar": False,
        "enable_model_summary": False,
    } | trainer_arguments(config.debug)


def _callbacks(config: TrainConfig, recording: Recording) -> list[Callback]:
    settings = config.trainer
    diagnoses = config.diagnostics.gradients or config.diagnostics.activations
    callbacks: list[Callback] = [
        PlaceData(bool(settings.channels_last)),
        SeedSteps(config.seed),
        ValidateLast(settings.val_every),
        Freezing(config.adapt),
        *([Diagnostics(config.diagnostics)] if diagnoses else []),
        recording.divergence,
        recording.curve,
        Progress(recording.curve),
    ]
    if settings.lookahead is not None:
        callbacks.append(Lookahead(settings.lookahead))
    if settings.compile and settings.world_size == 1:
        callbacks.append(WarmUp(bool(settings.channels_last)))
    if config.adapt.cache_features and config.debug is not True:  # of which one batch alone is wanted
        callbacks.append(CacheFeatures(config))
    if config.debug == "profile":
        callbacks.append(Profile())
    if recording.run is not None and recording.journal is not None:
        callbacks.append(KeepValidation(recording.run, recording.journal, not recording.is_tested))
    if recording.shipper is not None:
        callbacks.append(StartShipping(recording.shipper))
    if recording.member is not None:
        callbacks.append(Pruning(recording.run))
    if settings.ema_decay is not None:
        callbacks.append(MovingAverage(decay=settings.ema_decay))
    if settings.early_stopping is not None:
        callbacks.append(EarlyStopping(MONITOR, mode="max", patience=settings.early_stopping))
    return callbacks
