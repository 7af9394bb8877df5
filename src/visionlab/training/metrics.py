"""What a classifier is measured by, exact under any number of processes.

Predictions are gathered as they are and torchmetrics joins those of all processes; every number is then computed once,
over all of them. The loaders pad nothing, so nothing is counted twice. The rates are arithmetic on the one confusion
matrix, so that the numbers and the picture cannot disagree.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.functional.classification import (
    multiclass_auroc,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
)

from visionlab.errors import UserError

CALIBRATION_BINS = 15  # Guo et al. 2017


class Scores(NamedTuple):
    """The results on one data split.

    Attributes:
        summary: one number each. With two classes the rates are those of the positive class, else means over classes.
        per_class: by name of the rate, one number for each class.
        confusion: (K, K) int64 counts, rows are true classes, columns predicted ones.
        probabilities: (N, K) float32, in the order of the split, on the CPU.
        labels: (N,) int64, likewise.
    """

    summary: dict[str, float]
    per_class: dict[str, list[float]]
    confusion: Tensor
    probabilities: Tensor
    labels: Tensor


class ClassifierMetrics(Metric):
    """Gathers predictions batch by batch; `compute` gives the scores over all of them and all processes.

    Keeps every prediction, N x K numbers of 4 bytes: an exact area under the curve needs them all.

    Args:
        loss: (logits (N, K), labels (N,)) -> mean over the images.
        num_classes: K.
        top_k: also report top-k accuracy, where K > k.
        positive: of two classes, the label that rates are reported for.
        broken_is_wrong: whether an image whose logits are NaN or infinite counts as wrong, instead of as an error.
    """

    full_state_update = False
    logits: list[Tensor]
    labels: list[Tensor]
    indices: list[Tensor]

    def __init__(
        self, loss: nn.Module, num_classes: int, top_k: int, positive: int | None, broken_is_wrong: bool = False
    ) -> None:
        super().__init__()
        self.loss = loss
        self.num_classes, self.positive = num_classes, positive
        self.broken_is_wrong = broken_is_wrong
        self.top_k = top_k if num_classes > top_k else None
        self.add_state("logits", default=[], dist_reduce_fx="cat")
        self.add_state("labels", default=[], dist_reduce_fx="cat")
        self.add_state("indices", default=[], dist_reduce_fx="cat")

    def update(self, logits: Tensor, labels: Tensor, indices: Tensor) -> None:
        """Add a batch, which may be empty: every process has to add at least one.

        Args:
            logits: (B, K).
            labels: (B,) int64.
            indices: (B,) int64, where the images stand in their split.
        """
        self.logits.append(logits.detach().float())
        self.labels.append(labels)
        self.indices.append(indices)

    def compute(self) -> Scores:
        """The scores of everything added since the last reset.

        Raises:
            UserError: the network gave NaN or infinity, and such images are not to count as wrong; they would pass for
                predictions of class 0.
        """
        logits, labels = _joined(self.logits), _joined(self.labels)
        # torchmetrics takes logits that happen to lie in 0…1 for probabilities: give it nothing but probabilities
        probabilities = logits.softmax(dim=1)
        broken = (~torch.isfinite(probabilities)).any(dim=1)
        if broken.any():
            if not self.broken_is_wrong:
                raise UserError(
                    f"the network's outputs: expected numbers, found NaN or infinity for {int(broken.sum())} of "
                    f"{len(labels)} images; "
                    "lower optimizer.lr, set trainer.gradient_clip, or use trainer.precision=32-true"
                )
            wrong = torch.nn.functional.one_hot((labels + 1) % self.num_classes, self.num_classes)
            probabilities = torch.where(broken.unsqueeze(1), wrong.to(probabilities), probabilities)
        confusion = multiclass_confusion_matrix(probabilities, labels, self.num_classes, validate_args=False).cpu()
        per_class = rates(confusion) | {"roc_auc": roc_auc(probabilities, labels, confusion)}
        summary = {"accuracy": int(confusion.trace()) / len(labels)}
        if self.top_k is not None:
            best = probabilities.topk(self.top_k, dim=1).indices  # (N, k)
            summary[f"top{self.top_k}_accuracy"] = int((best == labels.unsqueeze(1)).sum()) / len(labels)
        for name, values in per_class.items():
            summary[name] = float(values[self.positive] if self.positive is not None else values.nanmean())
        calibration = multiclass_calibration_error(
            probabilities, labels, self.num_classes, n_bins=CALIBRATION_BINS, validate_args=False
        )
        summary |= {"calibration_error": float(calibration), "loss": float(self.loss(logits, labels))}
        order = _joined(self.indices).argsort()
        return Scores(
            summary,
            {name: values.tolist() for name, values in per_class.items()},
            confusion,
            probabilities[order].cpu(),
            labels[order].cpu(),
        )


def roc_auc(probabilities: Tensor, labels: Tensor, confusion: Tensor) -> Tensor:
    """(K,) area under the exact one-against-rest ROC curve; NaN where a class does not occur or nothing else does."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No (positive|negative) samples")
        areas = multiclass_auroc(probabilities, labels, len(confusion), average=None, validate_args=False)
    positives = confusion.sum(dim=1)
    defined = (positives > 0) & (positives < len(labels))
    return torch.where(defined, areas.cpu().double(), torch.nan)


def rates(confusion: Tensor) -> dict[str, Tensor]:
    """One-against-rest rates of each class, float64; 0 where a ratio has nothing below the line, as in scikit-learn.

    Args:
        confusion: (K, K) counts, rows are true classes.

    Returns:
        (K,) each: precision; recall (also called sensitivity and true positive rate); specificity (true negative
        rate); false positive rate; F1.
    """
    counts = confusion.double()
    true_positive = counts.diagonal()
    false_positive = counts.sum(dim=0) - true_positive
    false_negative = counts.sum(dim=1) - true_positive
    true_negative = counts.sum() - true_positive - false_positive - false_negative
    return {
        "precision": _ratio(true_positive, true_positive + false_positive),
        "recall": _ratio(true_positive, true_positive + false_negative),
        "specificity": _ratio(true_negative, true_negative + false_positive),
        "false_positive_rate": _ratio(false_positive, true_negative + false_positive),
        "f1": _ratio(2 * true_positive, 2 * true_positive + false_positive + false_negative),
    }


def _joined(parts: list[Tensor] | Tensor) -> Tensor:
    # torchmetrics has joined them already where there are several processes
    return torch.cat(parts) if isinstance(parts, list) else parts


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    return torch.where(below > 0, above / below.clamp_min(1), 0.0)
