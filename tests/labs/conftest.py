"""Labs of made-up runs: a folder with what a measure reads, and nothing that was trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from visionlab.campaigns.cells import Cell
from visionlab.config.lab import LabConfig
from visionlab.labs.lab import Lab
from visionlab.labs.trained import Trained
from visionlab.tracking.run import Run

MadeUp = Callable[..., Lab]


@pytest.fixture
def made_up(tmp_path: Path) -> MadeUp:
    """A lab whose runs have these accuracies, by the labels on its axis `net`, and these curves."""

    def make(
        accuracies: Mapping[str, Sequence[float | None]],
        curves: Mapping[str, Sequence[tuple[int, float]]] | None = None,
        **changed: Any,
    ) -> Lab:
        content: dict[str, Any] = {
            "name": "made-up",
            "title": "A lab",
            "question": "Why?",
            "look_at": "it",
            "runs": [{"axes": {"net": {label: {} for label in accuracies}}}],
            "measures": ["accuracy"],
            "figures": [{"kind": "bars", "name": "bars", "title": "Bars", "measure": "accuracy", "x": "net"}],
            "effects": [{"says": "It works", "measure": "accuracy", "at_least": 0.5}],
        }
        runs = []
        for label, values in accuracies.items():
            for repetition, value in enumerate(values):
                run = Run(tmp_path / "made-up" / f"{label}-{repetition}")
                run.path.mkdir(parents=True)
                validation = {} if value is None else {"accuracy": value}
                (run.path / "report.json").write_text(json.dumps({"validation": validation}))
                writer = run.journal()
                for metric, points in (curves or {}).items():
                    for step, number in points:
                        writer.metrics(step, {metric: number})
                writer.close()
                runs.append(Trained(run, Cell({"net": label}, {}, repetition)))
        return Lab(LabConfig.model_validate(content | changed), tuple(runs), len(runs))

    return make
