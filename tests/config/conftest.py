from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from visionlab import project

Experiment = Callable[[str], None]


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the YAML files that a test may break."""
    copy = tmp_path / "conf"
    shutil.copytree(project.conf(), copy)
    monkeypatch.setattr(project, "conf", lambda: copy)
    return copy


@pytest.fixture
def experiment(conf: Path) -> Experiment:
    """Write `conf/experiment/mine.yaml`; its first line is the package."""

    def write(text: str) -> None:
        (conf / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{text}\n")

    return write
