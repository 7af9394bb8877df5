"""How far a network is from the linear map that its matrices make."""

from __future__ import annotations

from functools import lru_cache

from visionlab.labs import networks
from visionlab.labs.linear import linear_error
from visionlab.labs.measures.measure import Measure
from visionlab.labs.trained import Trained

SPLIT = "train"  # the gates have no other points than these


@lru_cache(1024)  # table, effects and pictures ask for it again
def _linear_error(run: Trained) -> float:
    loaded = networks.load(run)
    batches = loaded.data.evaluation_loader(SPLIT, 1000)
    return max(linear_error(loaded.module.network, batch.images) for batch in batches)


MEASURES = {
    "linear_error": Measure("largest difference from the product of the matrices", _linear_error, "magnitude"),
}
