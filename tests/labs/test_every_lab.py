"""Each lab of conf/lab/ on its tiny setting: every run comes to its end, every picture is drawn, the page tells it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from visionlab import project
from visionlab.campaigns.carry_out import carry_out
from visionlab.campaigns.planning import make_plan
from visionlab.config.defaults import options
from visionlab.config.lab import LabConfig
from visionlab.labs.conclusion import EFFECTS

LABS = options(project.conf(), "lab")
# soon done, and between them they have all kinds of picture but one; the others take a minute together
QUICK = {"backprop", "exploding-gradients", "gates", "imbalance", "k-fold", "over-underfitting"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in LABS])
def test_a_lab_comes_to_its_end(name: str, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = carry_out("lab", [f"lab={name}", "lab.tiny=true", "tracking=off", "campaign.workers=2"])
    printed = capfd.readouterr()
    assert "could be drawn" not in printed.err
    report = run.report()
    assert report["counts"] == {"finished": report["total"]}
    effects = report[EFFECTS]
    assert effects
    page = (run.path / "report.html").read_text(encoding="utf-8")
    config = _config(name)
    assert len(effects) == len(config.effects)
    assert config.title in page
    for figure in config.figures:
        with Image.open(run.figures / f"{figure.name}.png") as image:
            assert image.info["Title"]
            assert min(image.size) > 300
        assert [file for file in run.figures.glob(f"{figure.name}.*") if file.suffix in (".csv", ".json")]
    # one for each picture
    assert page.count("data:image/png;base64") == len(config.figures)


@pytest.mark.parametrize("name", LABS)
def test_a_lab_s_file_says_how_it_is_done_and_what_came_out(name: str) -> None:
    text = (project.conf() / "lab" / f"{name}.yaml").read_text(encoding="utf-8")
    header = " ".join(line.lstrip("# ") for line in text.splitlines() if line.startswith("#"))
    assert f"visionlab lab {name}" in header
    assert re.search(r"time: .*\d", header)
    assert "on: " in header
    # who has no network has to know before
    needs_images = "data=cifar10" in text
    assert ("data: CIFAR-10" in header) is needs_images
    course = (project.conf().parent / "docs" / "course.md").read_text(encoding="utf-8")
    assert (f"visionlab lab {name}\n```\n\nIt trains on CIFAR-10." in course) is needs_images
    config = _config(name)
    assert config.name == name
    assert all(effect.says[0].isupper() and not effect.says.endswith(".") for effect in config.effects)
    assert config.question.endswith("?")


@pytest.mark.parametrize("name", LABS)
def test_the_real_sizes_are_larger(name: str) -> None:
    """More runs, or other settings of the same ones; each is one that can be trained."""
    fast, full = (make_plan("lab", [f"lab={name}", *size, "tracking=off"]) for size in ([], ["lab.full=true"]))
    assert full.name == f"{fast.name}-full"
    assert full.total >= fast.total
    assert full.lab is not None
    is_larger = full.total > fast.total or full.lab.size_overrides != full.lab.overrides
    assert is_larger is bool(full.lab.full_overrides or full.lab.full_repeats > 1)


def _config(name: str) -> LabConfig:
    lab = make_plan("lab", [f"lab={name}", "lab.tiny=true", "tracking=off"]).lab
    assert lab is not None
    return lab
