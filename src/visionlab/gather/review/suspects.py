"""Images that look like another class than theirs, and images that look like nothing else in the set.

Both are found by cosine similarity to the nearest neighbours, an image itself left out, so that nothing is judged by
what it says of itself (the out-of-sample rule of Northcutt et al. 2021, "Confident learning"). That an image is more
alike to the k nearest of another class than to the k nearest of its own makes it a probable mislabel: as each class
brings as many neighbours, the larger one has no advantage. An outlier is far from the k-th nearest of all (Ramaswamy
et al. 2000, "Efficient algorithms for mining outliers from large data sets"), beyond the upper fence of these distances
(Tukey 1977, "Exploratory data analysis"), both that of the whole set and that of its class: images of a small class are
far from most others, and no outliers for that. More than k of a kind, be they all charts, are no outliers either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 20  # k, or half of the smallest class: some of it may be mislabelled
LEAST = 10  # images of a class, so that k is 5: fewer err too often
FENCE = 1.0  # ranges between the quartiles, above the upper one; by the usual 1.5 blurred images were missed
BLOCK = 1024  # images compared at once with all others

Kind = Literal["mislabel", "outlier"]


@dataclass(frozen=True)
class Suspect:
    """An image to be looked at.

    Attributes:
        index: of the image.
        kind: a mislabel or an outlier; what is both counts as an outlier, as its neighbours say little about it.
        suggestion: of a mislabel the label of the class that it looks like.
        score: of a mislabel by how much it is more alike to that class, of an outlier its distance: 0 to 1 and more.
    """

    index: int
    kind: Kind
    suggestion: int | None
    score: float


def find_suspects(embeddings: NDArray[np.floating], labels: NDArray[np.int64]) -> list[Suspect]:
    """The probable mislabels, then the outliers, each with the most suspicious first; equals in the given order.

    Args:
        embeddings: (N, F).
        labels: (N,), 0 to C - 1, at least LEAST of each.
    """
    nearest = _nearest(embeddings, labels)  # (N, C, k)
    everyone = np.arange(len(labels))
    likeness = nearest.mean(axis=2)
    own = likeness[everyone, labels]
    likeness[everyone, labels] = -np.inf
    suggestions = likeness.argmax(axis=1)
    margins = likeness[everyone, suggestions] - own
    of_all = nearest.reshape(len(labels), -1)
    k = nearest.shape[2]
    distances = 1 - np.partition(of_all, -k, axis=1)[:, -k]
    fences = np.array([_fence(distances[labels == label]) for label in range(likeness.shape[1])])
    is_outlier = distances > np.maximum(fences[labels], _fence(distances))
    mislabels = np.flatnonzero((margins > 0) & ~is_outlier)
    outliers = np.flatnonzero(is_outlier)
    return [
        *(Suspect(i, "mislabel", int(suggestions[i]), float(margins[i])) for i in _most_first(mislabels, margins)),
        *(Suspect(i, "outlier", None, float(distances[i])) for i in _most_first(outliers, distances)),
    ]


def _fence(distances: NDArray[np.floating]) -> float:
    lower, upper = np.quantile(distances, (0.25, 0.75))
    return float(upper + FENCE * (upper - lower))


def _most_first(chosen: NDArray[np.intp], scores: NDArray[np.floating]) -> Sequence[int]:
    order: list[int] = chosen[np.argsort(-scores[chosen], kind="stable")].tolist()
    return order


def _nearest(embeddings: NDArray[np.floating], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Of each image the cosine similarities (N, C, k) to its nearest others of each class."""
    plain = embeddings.astype(np.float32)
    unit = plain / np.maximum(np.linalg.norm(plain, axis=1, keepdims=True), 1e-12)
    members = [np.flatnonzero(labels == label) for label in range(int(labels.max()) + 1)]
    k = min(NEIGHBOURS, min(map(len, members)) // 2)
    nearest = np.empty((len(labels), len(members), k), np.float32)
    for label, indices in enumerate(members):
        others = unit[indices].T
        for start in range(0, len(labels), BLOCK):
            alike = unit[start : start + BLOCK] @ others
            itself = np.flatnonzero((indices >= start) & (indices < start + BLOCK))
            alike[indices[itself] - start, itself] = -np.inf
            nearest[start : start + BLOCK, label] = np.partition(alike, -k, axis=1)[:, -k:]
    return nearest
