"""visionlab: a PyTorch Lightning research template for image classification.

    >>> import visionlab
    >>> loaded = visionlab.load("last")          # model, data module and config of a run, ready for a notebook
    >>> visionlab.predict("best", ["cat.jpg", "holidays/"])     # what images show; needs no data set

Importing the package costs nothing: the heavy libraries are imported by the first function that needs them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from visionlab.prediction.predictor import Prediction
    from visionlab.training.loading import LoadedRun

PathLike = str | os.PathLike[str]

__version__ = "0.1.0"
__all__ = ["__version__", "load", "predict"]


def load(run: str) -> LoadedRun:
    """Give the trained model, the data module and the config of a run.

    Args:
        run: a run id, a unique prefix of one, ``"last"`` or ``"best"`` (by validation accuracy).
    """
    from visionlab.training.loading import load_run

    return load_run(run)


def predict(run: str, paths: PathLike | Iterable[PathLike], top: int = 1) -> list[Prediction]:
    """Say what images show, by the network of a run; its data set is not needed.

    Args:
        run: as for `load`.
        paths: of image files, and of folders for the images at any depth in them; or one such path.
        top: how many classes to give of each image, the most probable first.

    Returns:
        One for each file, in their order; `error` says why an image could not be read.

    Raises:
        UserError: a path is not there, or a folder has no images.
    """
    from visionlab.prediction.loading import predict_paths

    several = [paths] if isinstance(paths, str | os.PathLike) else paths
    return predict_paths(run, [os.fspath(path) for path in several], top)
