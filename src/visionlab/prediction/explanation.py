"""Sheets of pictures, and beside each of them where the network looked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionlab.data.augment.geometry import centre_crop
from visionlab.errors import UserError
from visionlab.figures.files import save_numbers
from visionlab.figures.sheet import CHARACTERS, MOST, Tile, save_sheet
from visionlab.figures.style import percent, shorten
from visionlab.prediction.grad_cam import NoFeatureMapError, grad_cam
from visionlab.prediction.predictor import Batch, Prediction, Predictor

PICTURES = MOST // 2  # of a sheet, as each takes two tiles
HEAT = 0.55  # of the heat over the grey picture


class Explanation:
    """Writes `explained-0001.png`, …, each with a JSON file of what is on it.

    Args:
        predictor: whose predictions are explained.
        folder: made if it is not there.

    Raises:
        UserError: an earlier explanation is there, or nothing can be written.
    """

    def __init__(self, predictor: Predictor, folder: Path) -> None:
        self.sheets = 0
        self._predictor, self._folder = predictor, folder
        self._waiting: list[tuple[Prediction, Tensor]] = []
        older = next(iter(sorted(folder.glob("explained-*"))), None)
        if older is not None:
            raise UserError(f"--explain: expected a folder without an earlier explanation, found {older}; name another")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"--explain: cannot write to {folder}: {error.strerror}") from error

    def add(self, batch: Batch) -> None:
        """Draw the images of a batch, but those that do not fill a sheet yet.

        Raises:
            UserError: the network is not made for it, or the folder cannot be written to.
        """
        known = [one for one in batch.predictions if one.error is None]
        for prediction, pixels in zip(known, batch.pixels, strict=True):
            self._waiting.append((prediction, pixels))
            if len(self._waiting) == PICTURES:
                self.flush()

    def flush(self) -> None:
        """Draw the images that wait. Raises: as `add`."""
        if not self._waiting:
            return
        predictions = [prediction for prediction, _ in self._waiting]
        pixels = torch.stack([pixels for _, pixels in self._waiting])
        self._waiting.clear()
        heat = self._heat(pixels, predictions)
        side = self._predictor.spec.side
        seen = np.asarray(pixels if side is None else centre_crop(pixels, side))
        self.sheets += 1
        file = self._folder / f"explained-{self.sheets:04}.png"
        tiles = [tile for one in zip(seen, heat, predictions, strict=True) for tile in _tiles(*one)]
        images = [{"file": _readable(p.file), "class": p.label, "probability": p.probability} for p in predictions]
        run = self._predictor.run
        try:
            save_sheet(tiles, f"Where the network of {run} looked (Grad-CAM, bright is most)", file)
            save_numbers(file.with_suffix(".json"), {"run": run, "method": "Grad-CAM", "images": images})
        except OSError as error:
            raise UserError(f"--explain: cannot write to {self._folder}: {error.strerror}") from error

    def _heat(self, pixels: Tensor, predictions: Sequence[Prediction]) -> NDArray[np.float32]:
        predictor = self._predictor
        device = predictor.module.device
        labels = torch.tensor([predictor.spec.classes.index(str(one.label)) for one in predictions], device=device)
        try:
            return np.asarray(grad_cam(predictor.module, predictor.normalised(pixels), labels).cpu())
        except NoFeatureMapError:
            raise UserError(
                f"--explain: expected a convolutional network whose last feature map is wider than a pixel, "
                f"{predictor.run} has none: model={predictor.model}"
            ) from None


def _readable(file: Path) -> str:
    """The name as text: it may hold any bytes, which neither fonts nor UTF-8 know."""
    return str(file).encode(errors="backslashreplace").decode()


def _tiles(pixels: NDArray[np.uint8], heat: NDArray[np.float32], prediction: Prediction) -> tuple[Tile, Tile]:
    """The picture (C, H, W), and the same in grey under its heat (H, W)."""
    from matplotlib import colormaps

    colours = np.moveaxis(colormaps["inferno"](heat)[..., :3], -1, 0) * 255
    mixed = (1 - HEAT) * pixels.mean(axis=0, keepdims=True) + HEAT * colours
    share = prediction.probability or 0.0
    said = f"{shorten(str(prediction.label), CHARACTERS - 7)} {percent(share, 0)}"
    return (
        Tile(pixels, [shorten(_readable(Path(prediction.file.name)), CHARACTERS)]),
        Tile(mixed.round().astype(np.uint8), [said]),
    )
