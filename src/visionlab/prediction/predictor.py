"""A run's network, and image files put before it as its evaluation does."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from visionlab.config.train import TrainConfig
from visionlab.data.decode import CHANNELS, BrokenImageError, decode
from visionlab.data.images import ImageSet
from visionlab.data.loader import DeviceLoader
from visionlab.data.spec import DataSpec
from visionlab.errors import UserError
from visionlab.training import hardware
from visionlab.training.build import build_module
from visionlab.training.classifier import Classifier
from visionlab.training.fitting import load_weights

BATCH_BYTES = 1 << 26  # of normalised images; what a network makes of them on its way is some twenty times as much


@dataclass(frozen=True)
class Prediction:
    """What the network says of one file.

    Attributes:
        file: as it was named.
        ranking: classes and their probabilities, the most probable first; as many as were asked for.
        error: why there are none, in a few words; None where there are.
    """

    file: Path
    ranking: tuple[tuple[str, float], ...] = ()
    error: str | None = None

    @property
    def label(self) -> str | None:
        """The most probable class."""
        return self.ranking[0][0] if self.ranking else None

    @property
    def probability(self) -> float | None:
        """Of the most probable class."""
        return self.ranking[0][1] if self.ranking else None


class Batch(NamedTuple):
    """Some files in a row.

    Attributes:
        predictions: one for each file.
        pixels: (B, C, H, W) uint8, as they were decoded, of the files whose predictions have no error.
    """

    predictions: list[Prediction]
    pixels: Tensor


class Predictor:
    """A network with all that it takes for granted; needs no data set.

    Args:
        run: the run's id.
        module: with its weights.
        spec: of the data that it was trained on.
        config: of the run, resolved for this machine.

    Raises:
        UserError: its images are none that files can be brought to.
    """

    def __init__(self, run: str, module: Classifier, spec: DataSpec, config: TrainConfig) -> None:
        channels, height, width = spec.stored_shape
        colors = {count: color for color, count in CHANNELS.items()}
        if channels not in colors or height != width:
            raise UserError(
                f"{run}: expected a network for squares with one channel or three, as image files are brought to, "
                f"found one for images of {channels} x {height} x {width}"
            )
        trainer = config.trainer
        self.run, self.model, self.spec, self.color = run, config.model.name, spec, colors[channels]
        self._fabric = Fabric(accelerator=trainer.accelerator, devices=1, precision=trainer.precision)  # type: ignore[arg-type]
        self._channels_last = bool(trainer.channels_last)
        self.module = module.eval().to(self._fabric.device)
        if self._channels_last:
            self.module.network.to(memory_format=torch.channels_last)
        image_bytes = 4 * np.prod(spec.image_shape)
        self.batch_size = max(1, min(config.data.eval_batch_size, int(BATCH_BYTES // image_bytes)))

    @classmethod
    def restored(cls, run: str, checkpoint: Path, spec: DataSpec, config: TrainConfig) -> Predictor:
        """From a checkpoint and the configuration of its run, for this machine.

        Raises:
            UserError: the file is damaged, or as for the class.
        """
        trainer = hardware.resolve(hardware.for_any_machine(config.trainer))
        config = config.model_copy(update={"trainer": trainer})
        module = build_module(config, spec)
        load_weights(module, checkpoint)
        return cls(run, module, spec, config)

    def predict(self, files: Iterable[Path], top: int = 1) -> Iterator[Prediction]:
        """What the network says of each file, in their order; as `batches`."""
        for batch in self.batches(files, top):
            yield from batch.predictions

    def batches(self, files: Iterable[Path], top: int) -> Iterator[Batch]:
        """What the network says of the files, in their order. While it looks at one batch, the next is decoded.

        Args:
            files: any number; no more than three batches are in memory.
            top: classes in a ranking, or as many as there are.

        Raises:
            UserError: the machine failed to read a file.
        """
        for some, decoded in self._decoded(files):
            pixels = [one for one in decoded if not isinstance(one, str)]
            stacked = torch.from_numpy(np.stack(pixels)) if pixels else torch.empty(0, *self.spec.stored_shape).byte()
            rankings = list(self._rankings(self.probabilities(stacked), top))
            rest = iter(rankings)
            predictions = [
                Prediction(file, error=found) if isinstance(found, str) else _prediction(file, next(rest))
                for file, found in zip(some, decoded, strict=True)
            ]
            yield Batch(predictions, stacked[torch.tensor(list(map(bool, rankings)), dtype=torch.bool)])

    def probabilities(self, pixels: Tensor) -> NDArray[np.float32]:
        """What is tested, as it is tested.

        Args:
            pixels: (B, C, H, W) uint8 of the shape that images are stored in.

        Returns:
            (B, K); NaN where the network's outputs are no numbers.
        """
        if not len(pixels):
            return np.empty((0, len(self.spec.classes)), np.float32)
        with torch.inference_mode(), self._fabric.autocast():
            logits = self.module.predict(self.normalised(pixels))
        return np.asarray(logits.float().softmax(dim=1).cpu())

    def normalised(self, pixels: Tensor) -> Tensor:
        """Images (B, C, H, W) float32 as the network takes them, on its device."""
        images = ImageSet(pixels, torch.zeros(len(pixels), dtype=torch.int64)).to(self._fabric.device)
        spec = self.spec
        loader = DeviceLoader(
            images,
            mean=torch.tensor(spec.mean),
            std=torch.tensor(spec.std),
            batch_size=len(pixels),
            shuffle=False,
            side=spec.side,
            channels_last=self._channels_last,
        )
        return next(iter(loader)).images

    def _rankings(self, probabilities: NDArray[np.float32], top: int) -> Iterator[tuple[tuple[str, float], ...]]:
        """Of each image the `top` most probable classes; none where the probabilities are no numbers."""
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        for labels, values in zip(order.tolist(), probabilities, strict=True):
            known = bool(np.isfinite(values).all())
            # the shortest digits that mean this float32
            yield tuple((self.spec.classes[label], float(str(values[label]))) for label in labels) if known else ()

    def _decoded(self, files: Iterable[Path]) -> Iterator[tuple[list[Path], list[NDArray[np.uint8] | str]]]:
        """Batches of files with their pixels (C, H, W), or the reasons why there are none."""
        waiting: deque[tuple[list[Path], list[Future[NDArray[np.uint8] | str]]]] = deque()
        rest = iter(files)
        pool = ThreadPoolExecutor()
        # Pillow lets go of the interpreter's lock; what it warns of, the user need not know
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                while some := list(islice(rest, self.batch_size)):
                    waiting.append((some, [pool.submit(self._decode, file) for file in some]))
                    if len(waiting) > 1:
                        yield _results(*waiting.popleft())
                while waiting:
                    yield _results(*waiting.popleft())
            finally:
                pool.shutdown(cancel_futures=True)

    def _decode(self, file: Path) -> NDArray[np.uint8] | str:
        try:
            return decode(file, self.spec.stored_shape[1], self.color)
        except BrokenImageError as error:
            return str(error)
        except OSError as error:
            raise UserError(f"{file}: cannot be read, the machine failed: {error.strerror}") from error


def _prediction(file: Path, ranking: tuple[tuple[str, float], ...]) -> Prediction:
    return Prediction(file, ranking, None if ranking else "the network gives NaN or infinity for it")


def _results(
    files: list[Path], futures: list[Future[NDArray[np.uint8] | str]]
) -> tuple[list[Path], list[NDArray[np.uint8] | str]]:
    return files, [future.result() for future in futures]
