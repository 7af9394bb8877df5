"""A package with a network that needs no training: its answer is how bright an image is."""

from __future__ import annotations

from visionlab.tracking.package import About, Package
from visionlab.tracking.run import Run

LOADER = """
import json, pathlib
import pandas as pd

class Lamp:
    def __init__(self, path):
        self.most = json.loads((pathlib.Path(path) / "most.json").read_text())

    def predict(self, images):
        share = images.reshape(len(images), -1).mean(axis=1) / self.most
        return pd.DataFrame({"bright": share, "dark": 1 - share})

def _load_pyfunc(path):
    return Lamp(path)
"""


def packaged(run: Run, checkpoint: bytes = b"weights") -> Package:
    """The package of a run, which is given a checkpoint."""
    run.checkpoints.mkdir(exist_ok=True)
    (run.checkpoints / "best.ckpt").write_bytes(checkpoint)
    package = Package.of(run)
    (package.code / "lamplab").mkdir(parents=True)
    (package.code / "lamplab" / "__init__.py").touch()
    (package.code / "lamplab" / "served.py").write_text(LOADER)
    package.network.mkdir()
    (package.network / "most.json").write_text("255")
    package.keep(About("lamplab.served", ("bright", "dark"), ("numpy==2.0.0",)))
    return package
