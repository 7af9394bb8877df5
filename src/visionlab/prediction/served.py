"""A network as MLflow serves it: arrays of pixels in, a table of probabilities out.

MLflow imports this module from the code that was kept with the network, and calls `_load_pyfunc`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from visionlab.config.resolved import read_config
from visionlab.data.decode import CHANNELS, centre_square, opaque
from visionlab.data.spec import DataSpec
from visionlab.prediction.predictor import Predictor
from visionlab.training import checkpoint_file
from visionlab.training.quiet import quieten

if TYPE_CHECKING:
    import pandas as pd

NETWORK, CONFIG, SPEC = "network.ckpt", "config.yaml", "spec"
COLOURS = (1, 3, 4)  # grey, RGB, and RGB with how opaque each pixel is


class Served:
    """Answers as `visionlab predict` does of files with the same pixels."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def predict(self, images: NDArray[np.uint8]) -> pd.DataFrame:
        """The probability of each class.

        Args:
            images: (B, H, W, C) of any size; C is 1 (grey), 3 (RGB) or 4 (RGB and opacity).

        Returns:
            B rows with a column for each class.

        Raises:
            MlflowException: these are no images, or the network gives no numbers for one.
        """
        import pandas as pd

        if images.ndim != 4 or images.shape[3] not in COLOURS or 0 in images.shape[1:]:
            _refuse(
                "expected images (number, height, width, channels) with 1 channel (grey), 3 (RGB) or 4 (RGB and "
                f"opacity), given {' x '.join(map(str, images.shape))}"
            )
        size = self._predictor.batch_size
        parts = [self._probabilities(images[first : first + size]) for first in range(0, len(images), size)]
        classes = list(self._predictor.spec.classes)
        if not parts:
            return pd.DataFrame(columns=classes, dtype=float)
        probabilities = np.concatenate(parts)
        broken = np.flatnonzero(~np.isfinite(probabilities).all(axis=1))
        if broken.size:
            _refuse(f"the network gives NaN or infinity for image {broken[0]}")
        # the shortest digits that mean this float32, as in `visionlab predict`
        return pd.DataFrame([[float(str(value)) for value in row] for row in probabilities], columns=classes)

    def _probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._predictor.probabilities(torch.from_numpy(np.stack([self._stored(image) for image in images])))

    def _stored(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An image (H, W, C) as `visionlab.data.decode` brings a file's to the shape that images are stored in."""
        predictor = self._predictor
        given = Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[2] == 1 else image))
        plain = opaque(given).convert("L" if predictor.color == "grey" else "RGB")
        size = predictor.spec.stored_shape[1]
        pixels = np.asarray(centre_square(plain, size)).reshape(size, size, CHANNELS[predictor.color])
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def load(folder: Path, run: str) -> Served:
    """The network in a package's folder `network/`.

    Args:
        run: the id of the run that it is of.

    Raises:
        UserError: it is damaged, or not made for squares.
    """
    quieten()
    spec = DataSpec(**checkpoint_file.read(folder / NETWORK)[SPEC])
    return Served(Predictor.restored(run, folder / NETWORK, spec, read_config(folder / CONFIG)))


def _load_pyfunc(path: str) -> Served:
    return load(Path(path), "this model")


def _refuse(reason: str) -> NoReturn:
    """Raise what MLflow's server answers with: of other exceptions it says nothing but that there was one."""
    from mlflow.exceptions import MlflowException

    raise MlflowException.invalid_parameter_value(reason)
