"""Back-propagation through a network of two layers, worked by hand: one formula a line, no automatic differentiation.

Paper: Rumelhart, Hinton and Williams 1986, Learning representations by back-propagating errors.

    z1 = X W1' + b1      h = f(z1)      z2 = h W2' + b2      p = softmax(z2)      L = -mean log p[y]

    dz2 = (p - y) / B    dW2 = dz2' h   db2 = sum dz2
    dh  = dz2 W2         dz1 = dh * f'(z1)
    dW1 = dz1' X         db1 = sum dz1
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = dict[str, Array]
NAMES = ("W1", "b1", "W2", "b2")

# by name: the function, and its slope where the function's value is h and its argument z
ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]] = {
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z, h: h * (1 - h)),
    "tanh": (np.tanh, lambda z, h: 1 - h**2),
    "relu": (lambda z: np.maximum(z, 0), lambda z, h: (z > 0).astype(float)),
}


@dataclass(frozen=True)
class Forward:
    """Everything that a forward pass computes for B samples, of I inputs, H hidden units and K classes.

    Attributes:
        x: (B, I).
        z1, h: (B, H), before and after the activation.
        z2, p: (B, K), logits and probabilities.
        loss: the mean cross-entropy.
    """

    x: Array
    z1: Array
    h: Array
    z2: Array
    p: Array
    loss: float


def forward(weights: Weights, x: Array, labels: NDArray[np.int64], activation: str) -> Forward:
    """Compute the outputs and the loss.

    Args:
        weights: W1 (H, I), b1 (H,), W2 (K, H), b2 (K,).
        x: (B, I).
        labels: (B,).
    """
    f, _ = ACTIVATIONS[activation]
    z1 = x @ weights["W1"].T + weights["b1"]
    h = f(z1)
    z2 = h @ weights["W2"].T + weights["b2"]
    powers = np.exp(z2 - z2.max(axis=1, keepdims=True))  # the same probabilities, without overflow
    p = powers / powers.sum(axis=1, keepdims=True)
    loss = float(-np.log(p[np.arange(len(labels)), labels]).mean())
    return Forward(x, z1, h, z2, p, loss)


def backward(weights: Weights, passed: Forward, labels: NDArray[np.int64], activation: str) -> Weights:
    """The gradient of the loss by each weight, by the chain rule from the loss back to the inputs."""
    _, slope = ACTIVATIONS[activation]
    y = np.eye(passed.p.shape[1])[labels]
    dz2 = (passed.p - y) / len(labels)
    dh = dz2 @ weights["W2"]
    dz1 = dh * slope(passed.z1, passed.h)
    return {"W1": dz1.T @ passed.x, "b1": dz1.sum(axis=0), "W2": dz2.T @ passed.h, "b2": dz2.sum(axis=0)}


def step(weights: Weights, gradients: Weights, rate: float) -> Weights:
    """One step of gradient descent: each weight less the rate times its gradient."""
    return {name: weights[name] - rate * gradients[name] for name in NAMES}


def largest_difference(one: Mapping[str, Array], other: Mapping[str, Array]) -> float:
    """Of two sets of weights or gradients."""
    return max(float(np.abs(one[name] - other[name]).max()) for name in NAMES)
