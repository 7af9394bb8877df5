"""Where a setting was said: the command line, or a file and its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.config.mistakes import lines


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["+optimzer.foo.bar=1"],
            "optimzer: expected a known setting, given {'foo': {'bar': 1}}; did you mean optimizer? [command line]",
        ),
        (["trainer.zzz.deep=1"], "trainer.zzz: expected a known setting, given {'deep': 1} [command line]"),
    ],
)
def test_a_key_below_an_unknown_one_on_the_command_line(overrides: list[str], line: str) -> None:
    assert lines(*overrides) == [line]


def test_a_key_below_an_unknown_one_in_a_file(experiment: Callable[[str], None]) -> None:
    experiment("seed: 3\n\ntrainr:\n  max_epochs: 3")
    assert lines("experiment=mine") == [
        "trainr: expected a known setting, given {'max_epochs': 3}; did you mean trainer? [conf/experiment/mine.yaml:4]"
    ]


def test_a_file_of_a_group_that_is_no_section(conf: Path, experiment: Callable[[str], None]) -> None:
    (conf / "trainr").mkdir()
    (conf / "trainr" / "long.yaml").write_text("# many epochs\nmax_epochs: 300\n")
    experiment("defaults:\n  - /trainr: long")
    assert lines("experiment=mine") == [
        "trainr: expected a known setting, given {'max_epochs': 300}; did you mean trainer? [conf/trainr/long.yaml:2]"
    ]


def test_the_command_line_is_the_origin_of_what_it_sets_within_a_value(experiment: Callable[[str], None]) -> None:
    experiment("data:\n  augment:\n    flip: random\n    cutout: -1")
    assert lines("experiment=mine", "data.augment={flip: x}") == [
        "data.augment.flip: expected one of none, random, alternating, given 'x' [command line]",
        "data.augment.cutout: expected a whole number of at least 0, given -1 [conf/experiment/mine.yaml:5]",
    ]


def test_a_member_of_a_list_has_its_own_line(experiment: Callable[[str], None]) -> None:
    experiment("loss:\n  class_weights:\n    - 1\n    - -2")
    assert lines("experiment=mine") == [
        "loss.class_weights.1: expected a number of at least 0, given -2 [conf/experiment/mine.yaml:5]"
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("seed: ${nothing}", "seed: Interpolation key 'nothing' not found [conf/experiment/mine.yaml:2]"),
        ("seed: ${seed}", "seed: Recursive interpolation detected [conf/experiment/mine.yaml:2]"),
        ("trainer: [1]", "conf/experiment/mine.yaml: expected settings by name, given a list in the place of some"),
    ],
)
def test_what_cannot_be_put_together(text: str, line: str, experiment: Callable[[str], None]) -> None:
    experiment(text)
    assert lines("experiment=mine") == [line]
