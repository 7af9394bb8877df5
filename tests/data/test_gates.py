"""Truth tables as data: every point in every split, seen as exactly 0 and 1."""

from __future__ import annotations

import pytest
import torch

from visionlab.config.data import GatesConfig
from visionlab.data.gates import TABLES, Gates

FUNCTIONS = {
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "nand": lambda a, b: not (a and b),
    "nor": lambda a, b: not (a or b),
    "xor": lambda a, b: a != b,
    "xnor": lambda a, b: a == b,
}


def gates(gate: str, **settings: object) -> Gates:
    data = Gates(GatesConfig.model_validate({"gate": gate, **settings}))
    data.setup()
    return data


@pytest.mark.parametrize("gate", FUNCTIONS)
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_every_split_is_the_whole_table(gate: str, split: str) -> None:
    (batch,) = gates(gate).evaluation_loader(split, 100)
    assert batch.images.shape == (4, 1, 1, 2)
    points = batch.images.flatten(1)
    assert {tuple(point) for point in points.tolist()} == {(a, b) for a in (0.0, 1.0) for b in (0.0, 1.0)}
    assert batch.targets.tolist() == [int(FUNCTIONS[gate](a == 1, b == 1)) for a, b in points.tolist()]


def test_not_has_one_input() -> None:
    (batch,) = gates("not").evaluation_loader("train", 100)
    assert batch.images.flatten(1).tolist() == [[0.0], [1.0]]
    assert batch.targets.tolist() == [1, 0]


def test_gates_differ_in_their_fingerprints() -> None:
    assert len({gates(gate).fingerprint for gate in TABLES}) == len(TABLES)


@pytest.mark.parametrize(
    "settings", [{"fraction": 0.5}, {"folds": 2}, {"imbalance": 10.0}, {"augment": {"flip": "random"}}]
)
def test_a_part_of_a_table_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="of which the whole table is trained on"):
        gates("and", **settings)


def test_an_epoch_has_every_point_once() -> None:
    loader = gates("xor", batch_size=1).train_dataloader()
    seen = torch.cat([batch.indices for batch in loader])
    assert sorted(seen.tolist()) == [0, 1, 2, 3]
