"""Every number equals scikit-learn's, in one process and gathered from two, at sizes that do not divide."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from sklearn import metrics as reference
from torch import Tensor

from visionlab.errors import UserError
from visionlab.training.metrics import CALIBRATION_BINS, ClassifierMetrics, Scores, rates

LOSS = torch.nn.CrossEntropyLoss()


def predictions(size: int, classes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits (N, K) that are right more often than not, and labels (N,)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (size,), generator=generator)
    logits = torch.randn(size, classes, generator=generator)
    logits[torch.arange(size), labels] += 1.5
    return logits, labels


def score(logits: Tensor, labels: Tensor, batch: int = 7, positive: int | None = None) -> Scores:
    gathered = ClassifierMetrics(LOSS, logits.shape[1], top_k=2, positive=positive)
    where = torch.arange(len(labels))
    for part, truth, indices in zip(logits.split(batch), labels.split(batch), where.split(batch), strict=True):
        gathered.update(part, truth, indices)
    return gathered.compute()


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Guo et al. 2017, equation 3, bin by bin."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    total = 0.0
    for low, high in itertools.pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


def assert_equals_reference(scores: Scores, logits: Tensor, labels: Tensor) -> None:
    probabilities = logits.softmax(dim=1).numpy()
    truth, predicted = labels.numpy(), probabilities.argmax(axis=1)
    classes = list(range(logits.shape[1]))
    confusion = reference.confusion_matrix(truth, predicted, labels=classes)
    np.testing.assert_array_equal(scores.confusion.numpy(), confusion)
    assert scores.summary["accuracy"] == pytest.approx(reference.accuracy_score(truth, predicted), abs=1e-12)
    precision, recall, f1, _ = reference.precision_recall_fscore_support(
        truth, predicted, labels=classes, zero_division=0
    )
    for name, values in (("precision", precision), ("recall", recall), ("f1", f1)):
        assert scores.per_class[name] == pytest.approx(list(values), abs=1e-12)
        assert scores.summary[name] == pytest.approx(values.mean(), abs=1e-12)
    for i in classes:
        specificity = reference.recall_score(truth != i, predicted != i)
        assert scores.per_class["specificity"][i] == pytest.approx(specificity, abs=1e-12)
        assert scores.per_class["false_positive_rate"][i] == pytest.approx(1 - specificity, abs=1e-12)
        area = reference.roc_auc_score(truth == i, probabilities[:, i])
        assert scores.per_class["roc_auc"][i] == pytest.approx(area, abs=1e-5)
    top2 = reference.top_k_accuracy_score(truth, probabilities, k=2, labels=classes)
    assert scores.summary["top2_accuracy"] == pytest.approx(top2, abs=1e-6)
    assert scores.summary["calibration_error"] == pytest.approx(
        expected_calibration_error(probabilities, truth), abs=1e-5
    )
    assert scores.summary["loss"] == pytest.approx(reference.log_loss(truth, probabilities, labels=classes), abs=1e-5)


@pytest.mark.parametrize(("size", "classes"), [(53, 3), (997, 10)])
def test_one_process_equals_scikit_learn(size: int, classes: int) -> None:
    logits, labels = predictions(size, classes)
    assert_equals_reference(score(logits, labels), logits, labels)


def test_two_classes_report_the_named_class() -> None:
    logits, labels = predictions(101, 2)
    predicted = logits.argmax(dim=1).numpy()
    for positive in (0, 1):
        summary = score(logits, labels, positive=positive).summary
        truth = labels.numpy() == positive
        assert summary["precision"] == pytest.approx(reference.precision_score(truth, predicted == positive))
        assert summary["recall"] == pytest.approx(reference.recall_score(truth, predicted == positive))
        area = reference.roc_auc_score(truth, logits.softmax(dim=1)[:, positive].numpy())
        assert summary["roc_auc"] == pytest.approx(area, abs=1e-5)


def test_logits_between_0_and_1_are_still_logits() -> None:
    logits, labels = predictions(60, 3)
    squeezed = (logits - logits.min()) / (logits.max() - logits.min())
    assert_equals_reference(score(squeezed, labels), squeezed, labels)


def test_a_class_that_does_not_occur_counts_for_no_area() -> None:
    logits, labels = predictions(40, 3)
    labels = labels.clamp_max(1)
    scores = score(logits, labels)
    assert np.isnan(scores.per_class["roc_auc"][2])
    assert scores.summary["roc_auc"] == pytest.approx(np.mean(scores.per_class["roc_auc"][:2]))


def test_rates_of_an_empty_class_are_zero() -> None:
    found = rates(torch.tensor([[5, 0], [0, 0]]))
    assert found["recall"].tolist() == [1, 0]
    assert found["precision"].tolist() == [1, 0]


def test_outputs_that_are_no_numbers_are_an_error_instead_of_class_0() -> None:
    logits, labels = predictions(20, 3)
    logits[4, 1] = float("nan")
    with pytest.raises(UserError, match="NaN or infinity for 1 of 20 images"):
        score(logits, labels)


def test_outputs_that_are_no_numbers_can_count_as_wrong() -> None:
    logits = torch.eye(3)[torch.tensor([0, 0, 1, 2])]
    logits[0], logits[3, 0] = float("nan"), float("inf")
    metrics = ClassifierMetrics(torch.nn.CrossEntropyLoss(), 3, 5, None, broken_is_wrong=True)
    metrics.update(logits, torch.tensor([0, 0, 1, 2]), torch.arange(4))
    scores = metrics.compute()
    assert scores.summary["accuracy"] == 0.5
    # neither those of class 0 nor the others pass for right, and the loss says that something is amiss
    assert scores.confusion.diagonal().tolist() == [1, 1, 0]
    assert np.isfinite(scores.probabilities).all()
    assert np.isnan(scores.summary["loss"])


def test_reset_forgets_everything() -> None:
    logits, labels = predictions(30, 3)
    gathered = ClassifierMetrics(LOSS, 3, top_k=2, positive=None)
    gathered.update(logits.flip(0), labels, torch.arange(len(labels)))
    gathered.reset()
    gathered.update(logits, labels, torch.arange(len(labels)))
    assert_equals_reference(gathered.compute(), logits, labels)


def _share(rank: int, world_size: int, size: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=world_size
    )
    logits, labels = predictions(size, 3)
    gathered = ClassifierMetrics(LOSS, 3, top_k=2, positive=None)
    where = torch.arange(size)
    for parts in zip(logits.split(8), labels.split(8), where.split(8), strict=True):
        gathered.update(*(part[rank::world_size] for part in parts))
    torch.save(gathered.compute(), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize(("size", "world_size"), [(53, 2), (49, 3), (65, 2)])
def test_several_processes_equal_scikit_learn_at_uneven_sizes(size: int, world_size: int, tmp_path: Path) -> None:
    folder = str(tmp_path)
    mp.start_processes(_share, args=(world_size, size, folder), nprocs=world_size, start_method="fork")
    logits, labels = predictions(size, 3)
    for rank in range(world_size):
        scores = torch.load(f"{folder}/{rank}.pt", weights_only=False)
        assert_equals_reference(scores, logits, labels)
        # every prediction where its image stands in the split, whichever process made it
        assert torch.equal(scores.labels, labels)
        torch.testing.assert_close(scores.probabilities, logits.softmax(dim=1))


def test_fewer_samples_than_processes(tmp_path: Path) -> None:
    mp.start_processes(_share, args=(3, 2, str(tmp_path)), nprocs=3, start_method="fork")
    logits, labels = predictions(2, 3)
    for rank in range(3):
        scores = torch.load(tmp_path / f"{rank}.pt", weights_only=False)
        assert scores.confusion.sum() == 2
        assert scores.summary["accuracy"] == float((logits.argmax(dim=1) == labels).float().mean())
