"""From a configuration to the objects that Lightning runs."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from visionlab.config.model import PretrainedConfig
from visionlab.config.train import NO_VALIDATION, TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.data.spec import DataSpec
from visionlab.errors import UserError
from visionlab.models.modes import keeping_modes
from visionlab.training.classifier import Classifier
from visionlab.training.parts import in_parts

# a layer computed from data needs no more than this; the random choice is the data set's order
INITIALIZATION_IMAGES = 5000


def build_data(config: TrainConfig) -> ImageDataModule[Any]:
    """The data module, its data set on this machine, read and split.

    Raises:
        DataUnavailableError: the data set is not here and cannot be fetched.
        UserError: it is not what the configuration says.
    """
    datamodule: ImageDataModule[Any] = config.data.load_implementation()(config.data, seed=config.seed)
    datamodule.prepare_data()
    datamodule.setup()
    if config.trainer.early_stopping is not None and not datamodule.has_validation:
        raise UserError(NO_VALIDATION)
    if config.debug == "overfit":
        datamodule.keep_one_batch()
    return datamodule


def build_module(config: TrainConfig, datamodule: ImageDataModule[Any] | DataSpec) -> Classifier:
    """The LightningModule with a newly built network, for a data set or for what is known of it.

    A network that declares `mean` and `std` has the data set normalised by these.
    """
    channels, height, width = datamodule.image_shape
    num_classes = len(datamodule.classes)
    network = config.model.load_implementation()(
        config.model, in_channels=channels, image_size=(height, width), num_classes=num_classes
    )
    if isinstance(datamodule, ImageDataModule):
        if hasattr(network, "mean"):
            datamodule.normalise_by(network.mean, network.std)
        _check_sides(network, config, datamodule.image_shape)
    implementation: type[Classifier] = config.task.load_implementation()
    if config.trainer.accumulate > 1 or config.trainer.devices != 1 or config.trainer.num_nodes not in ("auto", 1):
        implementation = in_parts(implementation, config.trainer.accumulate)
    return implementation(
        config.task,
        network=network,
        loss=config.loss.load_implementation()(config.loss, datamodule.class_counts),
        optimizer=config.optimizer.at(config.data.batch_size),
        schedule=config.schedule,
        num_classes=num_classes,
        positive=datamodule.positive,
        adapt=config.adapt,
        # who goes on after steps that are not finite wants to see how the run ends
        broken_is_wrong=config.trainer.nonfinite == "skip",
    )


@torch.no_grad()
def _check_sides(network: nn.Module, config: TrainConfig, image_shape: tuple[int, int, int]) -> None:
    """Show a network images of each size that progressive resizing will show it: not all take every size."""
    channels, height, width = image_shape
    sides, setting = dict.fromkeys(config.data.augment.progressive), "data.augment.progressive"
    if not sides:
        return
    if height != width:
        raise UserError(f"{setting}: expected none, as images are not square but {height}x{width}, given {[*sides]}")
    # asked of this kind alone: a network of one's own may mean anything by `size`
    scaled_to: Any = network.size if isinstance(config.model, PretrainedConfig) else None
    if scaled_to is not None:
        raise UserError(
            f"{setting}: expected none, as model={config.model.name} scales all images to {scaled_to[0]}x"
            f"{scaled_to[1]}, given {[*sides]}"
        )
    with keeping_modes(network):
        network.eval()
        for side in sides:
            if side >= height:
                raise UserError(f"{setting}: expected sides below {height}, which is that of the images, given {side}")
            try:
                network(torch.zeros(2, channels, side, side))
            except Exception as error:  # each network has a way of its own to refuse
                said = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
                raise UserError(
                    f"{setting}: expected sides of images that model={config.model.name} takes, given {side} ({said}); "
                    "[] trains on whole images"
                ) from error


def initialize_from_data(module: Classifier, datamodule: ImageDataModule[Any]) -> None:
    """Give a network that has a layer computed from data (`initialize`) normalised training images (N, C, H, W)."""
    initialize = getattr(module.network, "initialize", None)
    if initialize is not None:
        loader = datamodule.evaluation_loader("train", INITIALIZATION_IMAGES)
        initialize(next(iter(loader)).images)
