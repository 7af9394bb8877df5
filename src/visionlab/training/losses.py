"""Losses: modules built as ``Loss(config, class_counts)`` that turn logits and targets into a scalar.

All compute in float32, whatever the precision of the network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from visionlab.config.loss import CrossEntropyConfig, FocalConfig, LogitAdjustedConfig, LossConfig
from visionlab.errors import UserError


class WeightedLoss(nn.Module):
    """A loss with class weights.

    Args:
        config: of the loss.
        class_counts: (K,), how often each class occurs in the training set.

    Raises:
        UserError: the weights in the configuration are not one for each class.
    """

    weight: Tensor | None

    def __init__(self, config: LossConfig, class_counts: Tensor) -> None:
        super().__init__()
        # goes where the module goes, but no checkpoint needs it: it follows from the configuration and the data
        self.register_buffer("weight", _class_weights(config, class_counts), persistent=False)

    def total_weight(self, targets: Tensor) -> Tensor | None:
        """What the loss divides by, a scalar: its sum over parts of a batch makes their means that of the batch.

        None where that is the number of images: without class weights, and for class probabilities (B, K).
        """
        return None if self.weight is None or targets.ndim > 1 else self.weight[targets].sum()

    def cross_entropy(self, logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """As `torch.nn.functional.cross_entropy` averages it, but 0 for images that all have the weight 0."""
        total = self.total_weight(targets)
        if total is None:
            return cross_entropy(logits, targets, self.weight, label_smoothing=label_smoothing)
        losses = cross_entropy(logits, targets, self.weight, reduction="sum", label_smoothing=label_smoothing)
        return losses / _above_zero(total)


class CrossEntropy(WeightedLoss):
    """Cross-entropy with label smoothing, as `torch.nn.functional.cross_entropy` averages it."""

    def __init__(self, config: CrossEntropyConfig, class_counts: Tensor) -> None:
        super().__init__(config, class_counts)
        self.label_smoothing = config.label_smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Logits (B, K) and targets, (B,) class indices or (B, K) class probabilities -> the mean, a scalar."""
        return self.cross_entropy(logits.float(), targets, self.label_smoothing)


class Focal(WeightedLoss):
    """Focal loss: cross-entropy times (1 - p)^gamma, where p is the probability given to the right class.

    Paper: Lin et al. 2017, Focal loss for dense object detection. Class weights are its alpha, and the mean is weighted
    as that of cross-entropy: with gamma 0 it is cross-entropy.
    """

    def __init__(self, config: FocalConfig, class_counts: Tensor) -> None:
        super().__init__(config, class_counts)
        self.gamma = config.gamma

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Logits (B, K) and class indices (B,) -> the mean, a scalar."""
        log_p = logits.float().log_softmax(dim=1).gather(1, targets.unsqueeze(1)).squeeze(1)  # (B,)
        # 1 - p can round to 0
        losses = -(_above_zero(-torch.expm1(log_p)) ** self.gamma) * log_p
        total = self.total_weight(targets)
        if self.weight is None or total is None:
            return losses.mean()
        return (self.weight[targets] * losses).sum() / _above_zero(total)


class LogitAdjusted(WeightedLoss):
    """Cross-entropy of logits to which tau * log(share of the class in the training set) is added.

    What the network itself says is then meant for classes that are equally frequent: in evaluation this is plain
    cross-entropy. A class without a training image counts as if it had one. Paper: Menon et al. 2021, Long-tail
    learning via logit adjustment, eq. 10.
    """

    adjustment: Tensor

    def __init__(self, config: LogitAdjustedConfig, class_counts: Tensor) -> None:
        super().__init__(config, class_counts)
        counts = class_counts.float().clamp(min=1)
        self.register_buffer("adjustment", config.tau * (counts / counts.sum()).log(), persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Logits (B, K) and targets, (B,) class indices or (B, K) class probabilities -> the mean, a scalar."""
        logits = logits.float()
        return self.cross_entropy(logits + self.adjustment if self.training else logits, targets, label_smoothing=0.0)


class PerceptronLoss(WeightedLoss):
    """By how far the best wrong logit is above the right one, where it is above or beside it; else nothing.

    Papers: Rosenblatt 1958, The perceptron; for more than two classes Crammer and Singer 2003, Ultraconservative online
    algorithms for multiclass problems. A tie counts as wrong: from weights of zero there would be no way else.
    """

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Logits (B, K) and class indices (B,) -> the mean, a scalar."""
        logits, right = logits.float(), targets.unsqueeze(1)
        wrong = logits.scatter(1, right, -torch.inf).amax(dim=1)  # (B,)
        excess = wrong - logits.gather(1, right).squeeze(1)
        # not a maximum with 0, whose slope is 0 at a tie
        losses = excess * (excess >= 0)
        total = self.total_weight(targets)
        if self.weight is None or total is None:
            return losses.mean()
        return (self.weight[targets] * losses).sum() / _above_zero(total)


def _above_zero(values: Tensor) -> Tensor:
    """For what is divided by, or raised to a power whose slope at 0 is infinite."""
    return values.clamp(min=torch.finfo(values.dtype).tiny)


def _class_weights(config: LossConfig, class_counts: Tensor) -> Tensor | None:
    """The weights (K,) that the configuration asks for."""
    if config.class_weights is None:
        return None
    num_classes = len(class_counts)
    if config.class_weights == "balanced":
        weights = class_counts.sum() / (num_classes * class_counts.float())
        return weights.masked_fill(class_counts == 0, 0.0)
    if len(config.class_weights) != num_classes:
        raise UserError(
            f"loss.class_weights: expected {num_classes} numbers, one for each class, given {len(config.class_weights)}"
        )
    return torch.tensor(config.class_weights, dtype=torch.float32)
