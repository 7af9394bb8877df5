"""visionlab: a PyTorch Lightning research template for image classification.

    >>> import visionlab
    >>> loaded = visionlab.load("last")          # model, data module and config of a run, ready for a notebook

Importing the package costs nothing: the heavy libraries are imported by the first function that needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from visionlab.training.loading import LoadedRun

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(run: str) -> LoadedRun:
    """Give the trained model, the data module and the config of a run.

    Args:
        run: a run id, a unique prefix of one, ``"last"`` or ``"best"`` (by validation accuracy).
    """
    from visionlab.training.loading import load_run

    return load_run(run)
