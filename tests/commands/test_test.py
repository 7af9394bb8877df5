"""`visionlab test` finds what the run itself has found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionlab import cli, project
from visionlab.tracking.catalog import find_run

QUICK = [
    "trainer.max_epochs=1",
    "tracking.figures=false",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "tracking=off",
]
TINY = ["model=mlp", "model.hidden=[4]", "optimizer=sgd", *QUICK]


def test_ten_classes(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["train", "experiment=digits", "data.fraction=0.1", *TINY])
    trained = capsys.readouterr().out
    cli.main(["test", "last"])
    tested = capsys.readouterr().out
    found = [line.split()[:2] for line in tested.splitlines() if line.startswith(("accuracy", "f1", "loss"))]
    assert len(found) == 3
    assert all(" ".join(pair) in " ".join(trained.split()) for pair in found)
    assert "positive class" not in tested


def test_two_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    for label in ("healthy", "ill"):
        (tmp_path / "leaves" / label).mkdir(parents=True)
        for number in range(12):
            pixels = random.integers(0, 256, (12, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "leaves" / label / f"{number}.png")
    cli.main(["train", "data=folder", f"data.root={tmp_path / 'leaves'}", "data.image_size=8", *TINY])
    capsys.readouterr()
    cli.main(["test", "last"])
    tested = capsys.readouterr().out
    report = find_run(project.runs(), "last").report()
    assert "rates are those of the positive class, ill" in tested
    assert f"recall (sensitivity) {report['per_class']['recall'][1]:8.2%}" in tested
