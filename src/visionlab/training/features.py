"""The features of a frozen backbone, computed once and kept: a linear probe costs one pass over the images.

They lie below `VISIONLAB_DATA/.cache`, by a hash of all that they depend on: the backbone's tensors, the images in
their order, what is done to the images, and the precision.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor
from tqdm import tqdm

from visionlab import project
from visionlab.config.train import TrainConfig
from visionlab.data.augment import Augment
from visionlab.data.datamodule import ImageDataModule
from visionlab.data.features import Features
from visionlab.data.images import content_hashes
from visionlab.data.loader import DeviceLoader
from visionlab.errors import UserError
from visionlab.models.pretrained.network import Pretrained
from visionlab.training.classifier import Classifier

BATCH = 64  # images: larger ones fit no cache of a CPU
KEPT = 16  # files: of more, those that were not used for longest are removed
_LOWER = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


@contextmanager
def cached_features(config: TrainConfig, module: Classifier, datamodule: ImageDataModule[Any]) -> Iterator[None]:
    """While this lasts, `datamodule` hands out features where the configuration wants them cached.

    Raises:
        UserError: the features cannot be written.
    """
    if not config.adapt.cache_features:
        yield
        return
    assert isinstance(module.network, Pretrained)
    maker = _Maker(config, module.network, datamodule)
    splits = [name for name in ("train", "val") if name in datamodule.sizes]
    with datamodule.features_instead({name: maker.features(name) for name in splits}):
        yield


class _Maker:
    """Computes features as the network would see them in an epoch of its own."""

    def __init__(self, config: TrainConfig, network: Pretrained, datamodule: ImageDataModule[Any]) -> None:
        self._config, self._network, self._datamodule = config, network, datamodule
        accelerator = str(config.trainer.accelerator)
        self._device = torch.device({"gpu": "cuda"}.get(accelerator, accelerator))

    def features(self, split: str) -> Features:
        """(V, N, F) of a split's images, from the cache or computed now; of several processes one computes them."""
        views = self._config.adapt.views if split == "train" else 0
        cache = project.data() / ".cache"
        file = cache / f"features-{self._identity(split, views)}.npy"
        shape = (max(views, 1), self._datamodule.sizes[split], self._network.head.in_features)
        try:
            found = _open(file, shape)
            if found is None:
                cache.mkdir(parents=True, exist_ok=True)
                with FileLock(f"{file}.lock"):
                    found = _open(file, shape)
                    if found is None:
                        self._write(file, split, views, shape)
                        found = _open(file, shape)
                _remove_oldest(cache)
        except OSError as error:
            size = 4 * np.prod(shape) / 1e6
            raise UserError(
                f"adapt.cache_features: the features cannot be kept in {cache} ({size:,.0f} MB): {error}; "
                "VISIONLAB_DATA names another place"
            ) from error
        assert found is not None
        return found

    def _identity(self, split: str, views: int) -> str:
        network, config, data = self._network, self._config, self._datamodule
        digest = hashlib.blake2b(digest_size=12)
        for name, tensor in network.backbone.state_dict().items():
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        for one in content_hashes(data.images(split).images):
            digest.update(one)
        made = {
            "arch": config.model.model_dump(mode="json").get("arch"),
            "images": [data.image_shape, data.mean.tolist(), data.std.tolist()],
            "scaled": [network.size, network.interpolation],
            "precision": [config.trainer.precision, config.trainer.channels_last, self._device.type],
            "views": [views, config.seed, config.data.augment.model_dump(mode="json")] if views else 0,
            "torch": torch.__version__,
        }
        digest.update(json.dumps(made, sort_keys=True).encode())
        return digest.hexdigest()

    def _write(self, file: Path, split: str, views: int, shape: tuple[int, ...]) -> None:
        """Compute into a file of another name, then rename it."""
        part = file.with_name(f"{file.name}.{os.getpid()}.partial")
        progress = tqdm(total=shape[0] * shape[1], desc=f"features of {split}", unit="image", disable=None)
        try:
            # written, not mapped: so a full disk is an error that can be told, and not a signal that kills
            with part.open("wb") as stream, progress:
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(stream, header)
                for images in self._images(split, views):
                    stream.write(self._compute(images).numpy().tobytes())
                    progress.update(len(images))
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)

    def _images(self, split: str, views: int) -> Iterator[Tensor]:
        """All images in their order, as often as there are views."""
        data = self._datamodule
        for view in range(max(views, 1)):
            loader: DeviceLoader = data.evaluation_loader(split, BATCH)
            if views:
                loader.transform = Augment(data.config.augment, len(data.classes), data.mean, data.image_shape[-1])
                loader.seed = data.seed
            loader.set_epoch(view)
            yield from (batch.images for batch in loader)

    @torch.inference_mode()
    def _compute(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> features (B, F) on the CPU, in 32 bits, as in a step of training."""
        config = self._config.trainer
        layout = torch.channels_last if config.channels_last else torch.contiguous_format
        self._network.to(self._device).to(memory_format=layout)
        self._network.backbone.eval()  # as it is in training, being frozen; the head is not
        lower = _LOWER.get(config.precision)
        with ExitStack() as stack:
            if lower is not None:
                stack.enter_context(torch.autocast(self._device.type, lower))
            features = self._network.features(images.to(self._device, memory_format=layout))
        return features.float().cpu()


def _open(file: Path, shape: tuple[int, ...]) -> Features | None:
    """The array in the cache, mapped; None where there is none, or not all of it."""
    try:
        found = np.load(file, mmap_mode="r")
    except (FileNotFoundError, ValueError, EOFError):
        return None
    if found.shape != shape or found.dtype != np.float32:
        return None
    os.utime(file)  # used now
    return np.asarray(found)


def _remove_oldest(cache: Path) -> None:
    """What is mapped by another process stays readable for it."""
    files = sorted(cache.glob("features-*.npy"), key=lambda file: file.stat().st_mtime)
    for file in files[:-KEPT]:
        file.unlink(missing_ok=True)
        file.with_name(f"{file.name}.lock").unlink(missing_ok=True)
