"""What was planted among clusters is found, in the order of suspicion, and compared with a plain reckoning."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from visionlab.gather.review import suspects
from visionlab.gather.review.suspects import FENCE, LEAST, NEIGHBOURS, Suspect, find_suspects

FEATURES = 24
Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def clusters(*sizes: int, seed: int = 0, spread: float = 0.3) -> tuple[Floats, Labels]:
    """Images of each class around a direction of its own."""
    random = np.random.default_rng(seed)
    centres = np.eye(FEATURES)[: len(sizes)] + 0.5
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return centres[labels] + spread * random.normal(size=(len(labels), FEATURES)) / np.sqrt(FEATURES), labels


def of_kind(kind: str, found: list[Suspect]) -> list[int]:
    return [suspect.index for suspect in found if suspect.kind == kind]


def plainly(embeddings: Floats, labels: Labels) -> tuple[Floats, Floats]:
    """Of each image the margin of the best other class and the distance of the k-th neighbour, one by one."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    k = min(NEIGHBOURS, np.bincount(labels).min() // 2)
    margins, distances = [], []
    for i, label in enumerate(labels):
        alike = {j: float(unit[i] @ unit[j]) for j in range(len(labels)) if j != i}
        means = [np.mean(sorted(alike[j] for j in alike if labels[j] == c)[-k:]) for c in range(labels.max() + 1)]
        margins.append(max(mean for c, mean in enumerate(means) if c != label) - means[label])
        distances.append(1 - sorted(alike.values())[-k])
    return np.array(margins), np.array(distances)


def fence_of(distances: Floats) -> float:
    lower, upper = np.quantile(distances, (0.25, 0.75))
    return float(upper + FENCE * (upper - lower))


@pytest.mark.parametrize("sizes", [(40, 40), (30, 60, 25)])
def test_planted_mislabels_are_the_list(sizes: tuple[int, ...]) -> None:
    embeddings, labels = clusters(*sizes)
    planted = [3, 17, 29, 45, 50]
    given = labels.copy()
    given[planted] = (labels[planted] + 1) % len(sizes)
    found = [suspect for suspect in find_suspects(embeddings, given) if suspect.kind == "mislabel"]
    assert sorted(suspect.index for suspect in found) == planted
    assert all(suspect.suggestion == labels[suspect.index] for suspect in found)
    scores = [suspect.score for suspect in found]
    assert scores == sorted(scores, reverse=True)


def test_scores_and_fence_are_those_of_a_plain_reckoning(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, labels = clusters(26, 31, 9, spread=1.2)
    monkeypatch.setattr(suspects, "BLOCK", 7)  # which is no divisor of the images
    margins, distances = plainly(embeddings, labels)
    fences = [fence_of(distances[labels == label]) for label in range(3)]
    outliers = {i for i, d in enumerate(distances.tolist()) if d > max(fences[labels[i]], fence_of(distances))}
    found = find_suspects(embeddings, labels)
    assert set(of_kind("outlier", found)) == outliers
    assert set(of_kind("mislabel", found)) == set(np.flatnonzero(margins > 0).tolist()) - outliers
    assert of_kind("mislabel", found)
    for suspect in found:
        expected = (margins if suspect.kind == "mislabel" else distances)[suspect.index]
        assert suspect.score == pytest.approx(expected, abs=1e-5)


def test_the_larger_class_has_no_advantage() -> None:
    embeddings, labels = clusters(300, 40)
    given = labels.copy()
    given[[5, 6, 7]] = 1  # of the large class, said to be of the small one
    found = find_suspects(embeddings, given)
    assert sorted(of_kind("mislabel", found)) == [5, 6, 7]
    given[[338, 339]] = 0  # and the other way round
    found = find_suspects(embeddings, given)
    assert {5, 6, 7, 338, 339} <= {suspect.index for suspect in found}


def test_a_small_class_is_no_heap_of_outliers() -> None:
    embeddings, labels = clusters(400, 24)
    _, distances = plainly(embeddings, labels)
    assert (distances[labels == 1] > fence_of(distances)).mean() > 0.5  # as the whole set sees it
    outliers = of_kind("outlier", find_suspects(embeddings, labels))
    assert (labels[outliers] == 1).sum() <= 2


def test_as_few_images_as_are_allowed_are_compared() -> None:
    embeddings, labels = clusters(LEAST, 30)
    assert of_kind("mislabel", find_suspects(embeddings, labels)) == []
    given = np.append(labels, 0)
    found = find_suspects(np.vstack([embeddings, embeddings[-1:] * 2]), given)  # its length counts for nothing
    assert of_kind("mislabel", found) == [len(labels)]


def test_equally_suspicious_images_stay_in_the_given_order() -> None:
    labels = np.repeat([0, 1], 12)
    embeddings = np.eye(3)[labels]
    given = labels.copy()
    given[[2, 7, 9]] = 1
    found = find_suspects(embeddings, given)
    assert of_kind("mislabel", found) == [2, 7, 9]
    assert len({suspect.score for suspect in found}) == 1


@pytest.mark.parametrize(("many", "seen"), [(1, True), (NEIGHBOURS, True), (NEIGHBOURS + 5, False)])
def test_outliers_are_found_unless_there_are_many_of_a_kind(many: int, seen: bool) -> None:
    embeddings, labels = clusters(150, 150)
    strange = -np.ones(FEATURES) + 0.01 * np.random.default_rng(1).normal(size=(many, FEATURES))
    found = find_suspects(np.vstack([embeddings, strange]), np.append(labels, np.arange(many) % 2))
    planted = set(range(300, 300 + many))
    assert (planted <= set(of_kind("outlier", found))) is seen
    # what is both is listed once
    assert len({suspect.index for suspect in found}) == len(found)
    assert not seen or not planted & set(of_kind("mislabel", found))


def test_the_farthest_outlier_comes_first() -> None:
    embeddings, labels = clusters(60, 60)
    directions = np.array([[0.9, -1], [0.2, -1]])  # the second has less in common with the classes
    strange = np.repeat(directions, FEATURES // 2, axis=1)
    found = find_suspects(np.vstack([embeddings, strange]), np.append(labels, [0, 1]))
    assert of_kind("outlier", found)[:2] == [121, 120]


def test_an_image_of_nothing_is_no_mistake_of_arithmetic() -> None:
    embeddings, labels = clusters(20, 20)
    embeddings[4] = 0
    assert of_kind("outlier", find_suspects(embeddings, labels))[0] == 4
