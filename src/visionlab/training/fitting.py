"""What Lightning's Trainer is given: for training a module, and for measuring it on the test split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping

from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.training import checkpoint_file, checkpoints
from visionlab.training.adaptation import Freezing
from visionlab.training.averaging import MovingAverage
from visionlab.training.callbacks import PlaceData, SeedSteps, StartShipping, ValidateLast
from visionlab.training.checkpoint_file import HashedCheckpointIO
from visionlab.training.checkpoints import MONITOR, Checkpoints
from visionlab.training.classifier import Classifier
from visionlab.training.debug import Profile, trainer_arguments
from visionlab.training.depthwise import precision_plugins
from visionlab.training.diagnostics import Diagnostics
from visionlab.training.features import CacheFeatures
from visionlab.training.interruption import Interruption
from visionlab.training.lookahead import Lookahead
from visionlab.training.progress import Progress
from visionlab.training.pruning import Pruning
from visionlab.training.recording import Recording
from visionlab.training.rendezvous import environment
from visionlab.training.results import KeepValidation
from visionlab.training.warm_up import WarmUp


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
        callbacks=[*callbacks_of(config, recording), keeper],
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


def callbacks_of(config: TrainConfig, recording: Recording) -> list[Callback]:
    """What takes part in training, but for the keeper of checkpoints."""
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
