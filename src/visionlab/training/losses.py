"""Losses: modules built as ``Loss(config, class_counts)`` that turn logits and targets into a scalar.

All compute in float32, whatever the precision of the network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from visionlab.config.loss import CrossEntropyConfig, FocalConfig, LossConfig
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


class CrossEntropy(WeightedLoss):
    """Cross-entropy with label smoothing, as `torch.nn.functional.cross_entropy` averages it."""

    def __init__(self, config: CrossEntropyConfig, class_counts: Tensor) -> None:
        super().__init__(config, class_counts)
        self.label_smoothing = config.label_smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Logits (B, K) and targets, (B,) class indices or (B, K) class probabilities -> the mean, a scalar."""
        return cross_entropy(logits.float(), targets, self.weight, label_smoothing=self.label_smoothing)


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
        # 1 - p can round to 0, where the power has no finite slope for gamma < 1
        missing = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
        losses = -(missing**self.gamma) * log_p
        if self.weight is None:
            return losses.mean()
        weights = self.weight[targets]
        return (weights * losses).sum() / weights.sum()


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
