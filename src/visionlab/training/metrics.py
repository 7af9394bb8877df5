"""What a classifier is measured by, exact under any number of processes.

The counts are torchmetrics', which adds them up over the processes; every rate is then arithmetic on the one confusion
matrix, so that the numbers and the picture cannot disagree. The loaders pad nothing, so nothing is counted twice.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric, SumMetric
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassAUROC,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
)

from visionlab.errors import UserError

CALIBRATION_BINS = 15  # Guo et al. 2017


@dataclass(frozen=True)
class Scores:
    """The results on one data split.

    Attributes:
        summary: one number each. With two classes the rates are those of the positive class, else means over classes.
        per_class: by name of the rate, one number for each class.
        confusion: (K, K) int64 counts, rows are true classes, columns predicted ones.
    """

    summary: dict[str, float]
    per_class: dict[str, list[float]]
    confusion: Tensor


class ClassifierMetrics(nn.Module):
    """Gathers predictions batch by batch; `compute` gives the scores over all of them and all processes.

    Args:
        num_classes: K.
        top_k: also report top-k accuracy, where K > k.
        positive: of two classes, the label that rates are reported for.
    """

    def __init__(self, num_classes: int, top_k: int, positive: int | None) -> None:
        super().__init__()
        self.positive = positive
        self.loss = MeanMetric()
        self.not_finite = SumMetric()
        self.confusion = MulticlassConfusionMatrix(num_classes, validate_args=False)
        self.auroc = MulticlassAUROC(num_classes, average=None, validate_args=False)  # type: ignore[arg-type]
        self.calibration = MulticlassCalibrationError(num_classes, n_bins=CALIBRATION_BINS, validate_args=False)
        self.top_k = top_k if num_classes > top_k else None
        if self.top_k is not None:
            self.top_k_accuracy = MulticlassAccuracy(num_classes, top_k=top_k, average="micro", validate_args=False)

    def update(self, logits: Tensor, targets: Tensor, loss: Tensor) -> None:
        """Add a batch.

        Args:
            logits: (B, K).
            targets: (B,) int64.
            loss: scalar, the mean over the batch.
        """
        if len(targets) == 0:
            return  # this process's share of a batch with fewer images than processes
        # torchmetrics takes logits that happen to lie in 0…1 for probabilities: give it nothing but probabilities
        probabilities = logits.float().softmax(dim=1)
        self.not_finite.update((~torch.isfinite(probabilities)).sum())
        self.loss.update(loss.detach(), weight=len(targets))
        self.confusion.update(probabilities, targets)
        self.auroc.update(probabilities, targets)
        self.calibration.update(probabilities, targets)
        if self.top_k is not None:
            self.top_k_accuracy.update(probabilities, targets)

    def compute(self) -> Scores:
        """The scores of everything added since the last reset.

        Raises:
            UserError: the network gave NaN or infinity; a count of these would pass for predictions of class 0.
        """
        broken = int(self.not_finite.compute())
        if broken:
            raise UserError(
                f"the network's outputs: expected numbers, found {broken} that are NaN or infinite; "
                "lower optimizer.lr, set trainer.gradient_clip, or use trainer.precision=32-true"
            )
        confusion = self.confusion.compute().cpu()
        per_class = rates(confusion) | {"roc_auc": self._roc_auc(confusion)}
        summary = {"accuracy": float(confusion.diagonal().sum() / confusion.sum())}
        for name, values in per_class.items():
            summary[name] = float(values[self.positive] if self.positive is not None else values.nanmean())
        summary |= {"calibration_error": float(self.calibration.compute()), "loss": float(self.loss.compute())}
        if self.top_k is not None:
            summary[f"top{self.top_k}_accuracy"] = float(self.top_k_accuracy.compute())
        return Scores(summary, {name: values.tolist() for name, values in per_class.items()}, confusion)

    def reset(self) -> None:
        """Forget every batch."""
        for metric in self.children():
            metric.reset()  # type: ignore[operator]

    def _roc_auc(self, confusion: Tensor) -> Tensor:
        """(K,) area under the one-against-rest ROC curve; NaN where a class does not occur or nothing else does."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No (positive|negative) samples")
            areas = self.auroc.compute().cpu().double()
        positives = confusion.sum(dim=1)
        defined = (positives > 0) & (positives < confusion.sum())
        return torch.where(defined, areas, torch.nan)


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


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    return torch.where(below > 0, above / below.clamp_min(1), 0.0)
