"""Where things lie: the project's own files, the data sets, and what runs write."""

from __future__ import annotations

import os
from pathlib import Path


def root() -> Path:
    """The project's folder: the checkout that this package is installed from (editable)."""
    return Path(__file__).resolve().parents[2]


def conf() -> Path:
    """The folder of YAML files."""
    return root() / "conf"


def home() -> Path:
    """The folder that holds `runs/` and `mlruns/`: `VISIONLAB_HOME`, or the project's folder."""
    return Path(os.environ.get("VISIONLAB_HOME") or root()).expanduser().absolute()


def runs() -> Path:
    """The folder with a folder for each run."""
    return home() / "runs"


def data() -> Path:
    """The folder that holds the data sets: `VISIONLAB_DATA`, or `data/` in the project's folder."""
    return Path(os.environ.get("VISIONLAB_DATA") or root() / "data").expanduser().absolute()


def weights() -> Path:
    """The folder of files with pretrained weights: `VISIONLAB_WEIGHTS`, or `weights/` among the data sets."""
    return Path(os.environ.get("VISIONLAB_WEIGHTS") or data() / "weights").expanduser().absolute()
