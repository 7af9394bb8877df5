"""The recipes of the records, small: they learn on a CPU, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.training.engine import train

REAL = project.data() / "cifar-10-batches-py"


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason=f"CIFAR-10 is not in {project.data()}")
@pytest.mark.parametrize(
    ("experiment", "width"), [("cifar10_94", "model.widths=[16,32,32]"), ("cifar10_96", "model.widths=[16,32,32]")]
)
def test_a_record_s_recipe_learns(experiment: str, width: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 2,000 images in 4 epochs far more than the tenth that guessing has right."""
    monkeypatch.setenv("VISIONLAB_DATA", str(REAL.parent))
    words = [f"experiment={experiment}", width, "data.fraction=0.04", "data.batch_size=100", "trainer.max_epochs=4"]
    words += ["trainer.accelerator=cpu", "trainer.compile=false", "tracking=off", "tracking.figures=false"]
    words += ["optimizer.sgd_lr=67", "optimizer.bias_lr=5.3"]  # both are in proportion to the batch
    run = train(load_train_config(words))
    assert run is not None
    assert run.report()["test"]["accuracy"] > 0.3
