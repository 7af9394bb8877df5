"""The features of a frozen backbone, computed once and kept: a linear probe costs one pass over the images.

They lie below `VISIONLAB_DATA/.cache`, by a hash of all that they depend on: the backbone's tensors, the images in
their order, what is done to the images, and the precision.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from itertools import islice
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from tqdm import tqdm

from visionlab import project
from visionlab.config.train import TrainConfig
from visionlab.data.augment import Augment
from visionlab.data.datamodule import ImageDataModule
from visionlab.data.feature_file import BLOCK, Block, FeatureFile, Features
from visionlab.data.images import content_hashes
from visionlab.errors import UserError
from visionlab.models.pretrained.network import Pretrained
from visionlab.training.identity import fingerprint

BATCH = 64  # images: larger ones fit no cache of a CPU
SMALL = 1 << 18  # weights of a head up to which the threads of a CPU wait for each other longer than they work
assert BLOCK % BATCH == 0


class CacheFeatures(Callback):
    """Has the data module hand out features in training and validation where the configuration wants them cached.

    They are computed once the processes of a distributed run are there, by all of them together: each takes the next
    block that is missing. None waits for another one longer than that takes, so no collective of theirs runs out of
    time.

    Args:
        config: of the run.
    """

    def __init__(self, config: TrainConfig) -> None:
        self._config = config
        self._threads = torch.get_num_threads()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        datamodule: ImageDataModule[Any] = trainer.datamodule  # type: ignore[attr-defined]
        network: Pretrained = pl_module.network  # type: ignore[assignment]
        maker = _Maker(self._config, trainer, network, datamodule)
        features = {name: maker.features(name) for name in datamodule.sizes if name != "test"}
        datamodule.hand_out_features(features)
        self._threads = torch.get_num_threads()
        if network.head.weight.numel() <= SMALL:
            torch.set_num_threads(1)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._end(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._end(trainer)  # Lightning tears down no callback then

    def _end(self, trainer: pl.Trainer) -> None:
        datamodule: ImageDataModule[Any] = trainer.datamodule  # type: ignore[attr-defined]
        datamodule.hand_out_features({})
        torch.set_num_threads(self._threads)


class _Maker:
    """Computes features as the network would see them in an epoch of its own."""

    def __init__(
        self, config: TrainConfig, trainer: pl.Trainer, network: Pretrained, datamodule: ImageDataModule[Any]
    ) -> None:
        self._config, self._trainer, self._network, self._datamodule = config, trainer, network, datamodule
        self._device = trainer.strategy.root_device

    def features(self, split: str) -> Features:
        """(V, N, F) of a split's images, from the cache or computed now.

        Raises:
            UserError: they cannot be kept.
        """
        views = self._config.adapt.views if split == "train" else 0
        cache = project.data() / ".cache"
        shape = (max(views, 1), self._datamodule.sizes[split], self._network.head.in_features)
        bar = tqdm(
            total=shape[0] * shape[1],
            desc=f"features of {split}",
            unit="image",
            delay=0.5,  # none where they are all there
            disable=None if self._trainer.is_global_zero else True,
        )

        def report(done: int, begun: bool) -> None:
            if not begun:
                bar.initial = bar.n = bar.last_print_n = done  # what was there already is no measure of the speed
            bar.update(done - bar.n)

        try:
            with bar:
                file = FeatureFile(cache, self._identity(split, views), shape)
                return file.fill(lambda block: self._compute(split, views, block), report)
        except OSError as error:
            size = 4 * np.prod(shape) / 1e6
            raise UserError(
                f"adapt.cache_features: the features cannot be kept in {cache} ({size:,.0f} MB): {error}; "
                "VISIONLAB_DATA names another place"
            ) from error

    def _identity(self, split: str, views: int) -> str:
        network, config, data = self._network, self._config, self._datamodule
        digest = hashlib.blake2b(fingerprint(network.backbone.state_dict()).encode(), digest_size=12)
        images = data.images(split).images
        for one in content_hashes(images.cpu() if isinstance(images, Tensor) else images):
            digest.update(one)
        # without what features never have: so a new setting of that kind leaves the files that there are valid
        augment = config.data.augment.model_dump(mode="json", exclude={"progressive"})
        made = {
            "arch": config.model.model_dump(mode="json").get("arch"),
            "images": [data.image_shape, data.mean.tolist(), data.std.tolist()],
            "scaled": [network.size, network.interpolation],
            "precision": [config.trainer.precision, config.trainer.channels_last, self._device.type],
            "views": [views, config.seed, augment] if views else 0,
            "versions": [torch.__version__, version("timm")],
        }
        digest.update(json.dumps(made, sort_keys=True).encode())
        return digest.hexdigest()

    def _compute(self, split: str, views: int, block: Block) -> Features:
        """The features (n, F) of a block, whichever process computes it."""
        data = self._datamodule
        loader = data.evaluation_loader(split, BATCH)
        loader.rank, loader.world_size = 0, 1
        if views:
            loader.transform = Augment(data.config.augment, len(data.classes), data.mean, data.image_shape[-1])
        loader.set_epoch(block.view)
        loader.load_state_dict({"done": block.start // BATCH})
        batches = islice(loader, -(-(block.stop - block.start) // BATCH))
        return np.concatenate([self._of_images(batch.images).numpy() for batch in batches])

    @torch.inference_mode()
    def _of_images(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> features (B, F) on the CPU, in 32 bits, as in a step of training."""
        self._network.to(self._device)
        self._network.backbone.eval()  # as it is in training, being frozen; the head is not
        with self._trainer.precision_plugin.forward_context():
            features = self._network.features(images)
        return features.float().cpu()
