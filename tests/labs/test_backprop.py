"""What is worked by hand is what automatic differentiation says, for every activation and shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from visionlab.labs import backprop


@pytest.mark.parametrize("activation", backprop.ACTIVATIONS)
@pytest.mark.parametrize("sizes", [(1, 2, 2, 2), (7, 5, 3, 4)], ids=str)
def test_gradients_by_hand_are_those_of_autograd(activation: str, sizes: tuple[int, int, int, int]) -> None:
    samples, inputs, hidden, classes = sizes
    generator = np.random.default_rng(0)
    shapes = {"W1": (hidden, inputs), "b1": (hidden,), "W2": (classes, hidden), "b2": (classes,)}
    weights = {name: generator.normal(size=shape) for name, shape in shapes.items()}
    x, labels = generator.normal(size=(samples, inputs)), generator.integers(classes, size=samples)
    passed = backprop.forward(weights, x, labels, activation)
    found = backprop.backward(weights, passed, labels, activation)

    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in weights.items()}
    h = getattr(torch, activation)(torch.tensor(x) @ tensors["W1"].T + tensors["b1"])
    logits = h @ tensors["W2"].T + tensors["b2"]
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels))
    loss.backward()  # type: ignore[no-untyped-call]
    assert passed.loss == pytest.approx(loss.item(), abs=1e-12)
    for name, tensor in tensors.items():
        assert tensor.grad is not None
        np.testing.assert_allclose(found[name], tensor.grad.numpy(), atol=1e-12)


def test_a_step_goes_against_the_gradient_and_down() -> None:
    generator = np.random.default_rng(1)
    shapes = {"W1": (3, 2), "b1": (3,), "W2": (2, 3), "b2": (2,)}
    weights = {name: generator.normal(size=shape) for name, shape in shapes.items()}
    x, labels = generator.normal(size=(6, 2)), generator.integers(2, size=6)
    passed = backprop.forward(weights, x, labels, "tanh")
    gradients = backprop.backward(weights, passed, labels, "tanh")
    after = backprop.step(weights, gradients, 0.1)
    np.testing.assert_allclose(after["W1"], weights["W1"] - 0.1 * gradients["W1"])
    assert backprop.forward(after, x, labels, "tanh").loss < passed.loss
    assert backprop.largest_difference(after, weights) == pytest.approx(
        0.1 * max(np.abs(gradient).max() for gradient in gradients.values())
    )
