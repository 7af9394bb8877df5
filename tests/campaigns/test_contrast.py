"""How the means of campaigns differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from visionlab import project
from visionlab.campaigns.contrast import contrast
from visionlab.config.load import load_train_config
from visionlab.errors import UserError
from visionlab.tracking.run import Run


def made(name: str, values: list[float], *words: str, kind: str = "repeat", metric: str = "val/accuracy") -> Run:
    run = Run(project.runs() / name)
    run.path.mkdir(parents=True)
    run.save_config(load_train_config(["experiment=digits", f"name={name}", *words]))
    run.add_to_report(kind=kind, values=values, objectives=[metric])
    return run


def test_means_their_difference_with_its_interval_and_what_was_set_otherwise(home: Path) -> None:
    one = made("one", [0.90, 0.92, 0.94])
    other = made("other", [0.93, 0.95, 0.97], "optimizer.lr=0.01")
    headings, first, second, _, names, setting = contrast([one, other])
    assert "validation accuracy, mean ± std" in headings
    assert "92.00 ± 2.00 %" in first
    assert "95.00 ± 2.00 %" in second
    # Welch's interval with 4 degrees of freedom: 3 points and 2.776 * sqrt(2 * 4 / 3) on either side
    assert "+3.00 points (-1.53 to 7.53 %)" in second
    assert names.split() == ["setting", "A", "B"]
    assert setting.split() == ["optimizer.lr", "0.005", "0.01"]


def test_the_same_settings_are_said_to_be_the_same(home: Path) -> None:
    assert contrast([made("one", [0.1, 0.2]), made("other", [0.1, 0.3])])[-1] == "their settings are the same"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"kind": "tune"}, "expected a campaign of `visionlab repeat` or `crossval`"),
        ({"values": [0.5]}, "at least two results"),
        ({"metric": "val/loss"}, "expected campaigns of the same metric, given val/accuracy and val/loss"),
    ],
)
def test_campaigns_that_cannot_be_compared(content: dict[str, object], said: str, home: Path) -> None:
    one = made("one", [0.1, 0.2])
    other = made("other", **({"values": [0.1, 0.2]} | content))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=said):
        contrast([one, other])
    with pytest.raises(UserError, match="expected two campaigns or more"):
        contrast([one])
