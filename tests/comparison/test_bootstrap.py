"""Intervals of differences are those of a paired bootstrap, and cover what they say they cover."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, precision_recall_fscore_support

from visionlab.comparison import bootstrap
from visionlab.comparison.bootstrap import METRICS, paired_bootstrap, scores
from visionlab.tracking.predictions import Predictions


def predictions(random: np.random.Generator, labels: np.ndarray, classes: int, skill: float) -> Predictions:
    """Softmaxed noise with `skill` added to the true class."""
    logits = random.normal(size=(len(labels), classes))
    logits[np.arange(len(labels)), labels] += skill
    exponentials = np.exp(logits)
    return Predictions((exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32), labels)


def reference(run: Predictions, positive: int | None) -> list[float]:
    """Each of METRICS by scikit-learn."""
    classes = list(range(run.probabilities.shape[1]))
    certain = run.probabilities.astype(float)
    kind = {"average": "macro"} if positive is None else {"average": "binary", "pos_label": positive}
    rates = precision_recall_fscore_support(
        run.labels, run.predicted, labels=classes if positive is None else None, zero_division=0, **kind
    )[:3]
    return [
        accuracy_score(run.labels, run.predicted),
        *rates,
        log_loss(run.labels, certain / certain.sum(axis=1, keepdims=True), labels=classes),
    ]


@pytest.mark.parametrize(("classes", "positive"), [(5, None), (2, 0), (2, 1)])
def test_scores_are_those_of_scikit_learn(classes: int, positive: int | None) -> None:
    random = np.random.default_rng(1)
    run = predictions(random, random.integers(0, classes, 211), classes, 1.0)
    assert list(scores(run, positive).values()) == pytest.approx(reference(run, positive), rel=1e-5)


def test_a_class_that_neither_occurs_nor_is_predicted_counts_as_zero() -> None:
    labels = np.array([0, 0, 1, 1])
    run = Predictions(np.eye(3, dtype=np.float32)[labels], labels)
    assert scores(run, None)["recall"] == pytest.approx(2 / 3)


def test_a_certainty_that_is_wrong_has_a_great_but_finite_loss() -> None:
    run = Predictions(np.array([[1, 0]], dtype=np.float32), np.array([1]))
    assert scores(run, 1)["log_loss"] == pytest.approx(87.3, abs=0.1)


def test_the_resamples_are_of_images_the_same_ones_for_all_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    labels = random.integers(0, 4, 60)
    runs = [predictions(random, labels, 4, skill) for skill in (1.0, 1.5, 0.5)]
    monkeypatch.setattr(bootstrap, "BLOCK", 60 * 25)
    found = paired_bootstrap(runs, None, resamples=40)

    drawing = np.random.default_rng(0)
    drawn = np.concatenate([drawing.integers(0, 60, (25, 60)), drawing.integers(0, 60, (15, 60))])
    values = np.array(
        [[reference(Predictions(run.probabilities[i], labels[i]), None) for i in drawn] for run in runs]
    )  # (3, 40, M)
    for run in (1, 2):
        low, high = np.percentile(values[run] - values[0], (2.5, 97.5), axis=0)
        for number, metric in enumerate(METRICS):
            interval = found[run - 1][metric]
            assert (interval.low, interval.high) == pytest.approx((low[number], high[number]), rel=1e-4)
            assert interval.difference == pytest.approx(scores(runs[run], None)[metric] - scores(runs[0], None)[metric])


def test_a_run_does_not_differ_from_itself() -> None:
    random = np.random.default_rng(3)
    run = predictions(random, random.integers(0, 3, 100), 3, 1.0)
    (intervals,) = paired_bootstrap([run, run], None, resamples=200)
    assert all(interval == (0, 0, 0) for interval in intervals.values())


def test_exchanging_the_runs_exchanges_the_signs() -> None:
    random = np.random.default_rng(4)
    labels = random.integers(0, 3, 100)
    runs = [predictions(random, labels, 3, skill) for skill in (1.0, 2.0)]
    (there,), (back,) = (paired_bootstrap(pair, None, resamples=500) for pair in (runs, runs[::-1]))
    for metric in METRICS:
        assert there[metric] == pytest.approx((-back[metric].difference, -back[metric].high, -back[metric].low))


def test_images_that_are_hard_for_both_runs_make_the_interval_narrower() -> None:
    random = np.random.default_rng(5)
    labels = np.repeat(np.arange(4), 250)
    difficulty = random.normal(scale=3, size=(1000, 1)) * np.eye(4)[labels]
    first, second = (
        Predictions(np.exp(difficulty + random.normal(scale=0.5, size=(1000, 4))).astype(np.float32), labels)
        for _ in range(2)
    )
    # the same answers and the same accuracy, but given to other images of the same class
    shuffled = np.concatenate([random.permutation(np.flatnonzero(labels == label)) for label in range(4)])
    elsewhere = Predictions(second.probabilities[shuffled], labels)
    (paired,), (unpaired,) = (paired_bootstrap([first, other], None, 2000) for other in (second, elsewhere))
    assert paired["accuracy"].difference == pytest.approx(unpaired["accuracy"].difference)
    width = {name: one["accuracy"].high - one["accuracy"].low for name, one in (("p", paired), ("u", unpaired))}
    assert width["p"] < 0.7 * width["u"]


def test_95_percent_intervals_hold_the_true_difference_95_times_in_100() -> None:
    """Of 300 pairs of runs whose accuracies are 0.8 and 0.85, on images that are hard for both or for none."""
    random = np.random.default_rng(6)
    labels = np.zeros(400, dtype=np.int64)
    covered = 0
    for _ in range(300):
        hard = random.random(400) < 0.3
        pair = []
        for easy_rate, hard_rate in ((0.95, 0.45), (0.97, 0.57)):  # 0.8 and 0.85 over all
            right = random.random(400) < np.where(hard, hard_rate, easy_rate)
            pair.append(Predictions(np.stack([right, ~right], axis=1).astype(np.float32), labels))
        (intervals,) = paired_bootstrap(pair, 0, resamples=400)
        covered += intervals["accuracy"].low <= 0.05 <= intervals["accuracy"].high
    assert 0.91 <= covered / 300 <= 0.98
