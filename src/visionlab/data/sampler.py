"""Which images make up an epoch, and in which order: drawn once for all processes, which then share the draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

# labels (N,) and the generator of the epoch, both on the CPU -> N indices into the labels
Draw = Callable[[Tensor, torch.Generator], Tensor]


def shuffled(labels: Tensor, generator: torch.Generator) -> Tensor:
    """Every image once."""
    return torch.randperm(len(labels), generator=generator)


def balanced(labels: Tensor, generator: torch.Generator) -> Tensor:
    """N draws with replacement: of a class, each as likely as any other that has an image, then of one of its images.

    So an image is drawn N / (classes * images of its class) times in expectation. Source: Japkowicz and Stephen 2002,
    The class imbalance problem, section 4 (random oversampling and undersampling in one).
    """
    counts = labels.bincount()
    sizes = counts[counts > 0]
    starts = sizes.cumsum(0) - sizes
    by_class = labels.argsort(stable=True)
    chosen = torch.randint(max(len(sizes), 1), labels.shape, generator=generator)
    # in 64 bits: a product with a number below 1 stays below the size
    places = torch.rand(labels.shape, dtype=torch.float64, generator=generator) * sizes[chosen]
    return by_class[starts[chosen] + places.long()]


DRAWS: Mapping[Literal["shuffle", "balanced"], Draw] = {"shuffle": shuffled, "balanced": balanced}
