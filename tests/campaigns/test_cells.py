"""The runs of a lab: every combination of labels, each repeated, the repetitions last."""

from __future__ import annotations

from typing import Any

import pytest

from visionlab.campaigns.cells import cells_of, space_of
from visionlab.campaigns.planning import make_plan
from visionlab.config.lab import LabConfig
from visionlab.errors import ConfigError

RUNS = [
    {
        "settings": {"model.width": 8},
        "axes": {
            "depth": {2: {"model.depth": 2}, 5: {"model.depth": 5}, 9: {"model.depth": 9}},
            "net": {"plain": {}, "residual": {"model.residual": True}},
        },
        "repeats": {"seed": 2},
    },
    {"axes": {"net": {"other": {"optimizer": "sgd"}}}, "repeats": {"data.split_seed": 2, "data.fold": 3}},
]
WORDS = ["lab=dropout", "tracking=off"]


def lab(**changed: Any) -> LabConfig:
    content: dict[str, Any] = {
        "name": "made-up",
        "title": "A lab",
        "question": "Why?",
        "look_at": "it",
        "runs": RUNS,
        "measures": ["accuracy"],
        "figures": [{"kind": "bars", "name": "bars", "title": "Bars", "measure": "accuracy", "x": "net"}],
        "effects": [{"says": "It works", "measure": "accuracy", "at_least": 0.5}],
    }
    return LabConfig.model_validate(content | changed)


def test_every_combination_is_there_once_before_any_is_repeated() -> None:
    cells = cells_of(lab())
    assert len(cells) == 3 * 2 * 2 + 2 * 3
    first = [cell for cell in cells if cell.repetition == 0]
    assert first == list(cells[: len(first)])
    assert [tuple(cell.labels.values()) for cell in first] == [
        *((depth, net) for depth in ("2", "5", "9") for net in ("plain", "residual")),
        ("other",),
    ]
    assert first[1].settings == {"model.width": 8, "model.depth": 2, "model.residual": True, "seed": 0}
    splits = [cell.settings for cell in cells if cell.labels == {"net": "other"}]
    assert [(one["data.split_seed"], one["data.fold"]) for one in splits] == [(a, b) for a in (0, 1) for b in (0, 1, 2)]


def test_a_tiny_lab_has_the_ends_of_each_axis_once_and_a_full_one_more_repeats() -> None:
    tiny = cells_of(lab(tiny=True))
    assert [(cell.labels.get("depth"), cell.labels["net"]) for cell in tiny] == [
        *((depth, net) for depth in ("2", "9") for net in ("plain", "residual")),
        (None, "other"),
    ]
    assert len(cells_of(lab(full=True, full_repeats=2))) == 3 * 2 * 4 + 4 * 6


def test_the_space_has_all_values_that_there_are() -> None:
    space = space_of(cells_of(lab()))
    assert space["model.depth"].choices == (2, 5, 9)
    assert space["model.residual"].choices == (True,)
    assert space["optimizer"].choices == ("sgd",)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"effects": [{"says": "A", "measure": "accuracy"}]}, "expected one of at_least and at_most"),
        (
            {"effects": [{"says": "A", "measure": "accuracy", "at_least": 1, "where": {"net": "plane"}}]},
            "effects.0: net: expected a label of the runs (other, plain, residual), given plane",
        ),
        (
            {"figures": [{"kind": "lines", "name": "a", "title": "A", "measure": "accuracy", "x": "deep"}]},
            "figures.0: expected one of the axes depth, net, given deep",
        ),
        ({"full": True, "tiny": True}, "expected one of full and tiny"),
        (
            {
                "effects": [
                    {"says": "A", "measure": "accuracy", "at_least": 1, "share": 0.5, "than": {"net": "plain"}},
                ]
            },
            "share: is for bounds of single runs",
        ),
    ],
)
def test_what_a_lab_cannot_mean_is_refused(changed: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected.replace("(", r"\(").replace(")", r"\)")):
        lab(**changed)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "lab: expected one of "),
        (["lab=dropuot"], "did you mean dropout?"),
        (
            [*WORDS, "model.dropout=0.3"],
            "model.dropout: is what the runs of the lab differ in, given model.dropout=0.3",
        ),
        ([*WORDS, "model.wdth=3"], "model.wdth: "),
        ([*WORDS, "lab.measures=[acuracy]"], "lab.measures.0: expected one of accuracy"),
    ],
)
def test_a_mistake_in_the_words_is_a_line(words: list[str], line: str) -> None:
    with pytest.raises(ConfigError) as raised:
        make_plan("lab", words)
    assert any(line in said for said in raised.value.lines), raised.value.lines


def test_words_for_the_runs_go_before_those_of_the_lab() -> None:
    plan = make_plan("lab", [*WORDS, "trainer.max_epochs=3"])
    assert plan.name == "lab-dropout"
    assert plan.base.config().trainer.max_epochs == 3
    assert make_plan("lab", [*WORDS, "lab.tiny=true"]).name == "lab-dropout-tiny"
