"""Each experiment opens with its command, hardware, time, accuracy and split."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from visionlab import project
from visionlab.config.load import load_train_config

EXPERIMENTS = sorted((project.conf() / "experiment").glob("*.yaml"))


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.stem)
def test_the_header_says_what_to_type_and_what_to_expect(file: Path) -> None:
    header = "\n".join(line for line in file.read_text().splitlines() if line.startswith("#"))
    assert f"visionlab train experiment={file.stem}" in header
    for pattern in (r"^# on: +\S", r"^# time: +[\d.]+ (s|minutes)|^# time: +not measured", r"^# split: +[\d,]+ train"):
        assert re.search(pattern, header, re.MULTILINE), pattern
    assert re.search(r"^# test accuracy: +([\d.]+ ± [\d.]+ %|not measured)", header, re.MULTILINE)


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.stem)
def test_an_experiment_is_valid_and_named_after_its_file(file: Path) -> None:
    assert load_train_config([f"experiment={file.stem}"]).name == file.stem
