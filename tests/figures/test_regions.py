"""Of a unit that has not all right, the panel has a line that is as good as any can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure

from visionlab.campaigns.cells import Cell
from visionlab.config.load import load_train_config
from visionlab.figures.lab.regions import _draw
from visionlab.labs.trained import Trained
from visionlab.training.engine import train

WORDS = ["data=gates", "model=perceptron", "loss=perceptron", "data.batch_size=1", "optimizer=sgd", "optimizer.lr=1"]
WORDS += ["optimizer.momentum=0", "optimizer.weight_decay=0", "schedule=constant", "trainer.accelerator=cpu"]
WORDS += ["trainer.max_epochs=8", "tracking=off", "tracking.figures=false"]


@pytest.mark.parametrize(("gate", "lines"), [("or", 0), ("not", 0), ("xor", 1), ("xnor", 1)])
def test_a_dashed_line_where_not_all_is_right(gate: str, lines: int, home: Path) -> None:
    run = train(load_train_config([*WORDS, f"data.gate={gate}"]))
    assert run is not None
    axes: Any = Figure().subplots()
    _, labels, said = _draw(axes, Trained(run, Cell({}, {}, 0)))
    assert (labels == said).all() == (lines == 0)
    contours = [one for one in axes.collections if isinstance(one, QuadContourSet) and not one.filled]
    dashed = [one for one in contours if one.linestyles == "--"]
    assert len(dashed) == lines
    for line in dashed:
        (path,) = line.get_paths()
        across, up = path.vertices.T
        assert np.ptp(across) > 1 or np.ptp(up) > 1
