"""Without activations a network is the product of its matrices, whatever its depth; with one it is not."""

from __future__ import annotations

import pytest
import torch

from visionlab.config.model import Activation, MlpConfig
from visionlab.labs.linear import linear_error, product
from visionlab.models.mlp import MLP


def network(activation: Activation, hidden: tuple[int, ...] = (16, 16)) -> MLP:
    torch.manual_seed(0)
    return MLP(
        MlpConfig(hidden=hidden, activation=activation, init="orthogonal", gain=2.0),
        in_channels=1,
        image_size=(3, 4),
        num_classes=5,
    )


IMAGES = torch.randn(50, 1, 3, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("hidden", [(), (8,), (16, 4, 16), (7,) * 10], ids=str)
def test_without_activations_it_is_a_linear_map(hidden: tuple[int, ...]) -> None:
    flat = network("identity", hidden)
    with torch.no_grad():
        for layer in flat.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.bias.normal_()
    matrix, bias = product(flat)
    assert (matrix.shape, bias.shape) == ((5, 12), (5,))
    scale = float(flat(IMAGES).detach().abs().max())
    assert linear_error(flat, IMAGES) < 1e-12 * scale
    # and its rank is no more than its narrowest layer lets through
    assert int(torch.linalg.matrix_rank(matrix)) == min((5, *hidden))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "gelu", "tanh", "sigmoid"])
def test_with_an_activation_it_is_none(activation: Activation) -> None:
    assert linear_error(network(activation), IMAGES) > 0.1


def test_a_linear_map_gets_at_most_three_points_of_xor_right() -> None:
    points = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    flat = MLP(MlpConfig(hidden=(8, 8), activation="identity"), in_channels=1, image_size=(1, 2), num_classes=2)
    for _ in range(50):
        flat.zero_grad()
        logits = flat(points.view(4, 1, 1, 2))
        torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 1, 0])).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for weight in flat.parameters():
                assert weight.grad is not None
                weight -= 0.5 * weight.grad
        matrix, bias = product(flat)
        margin = points.double() @ (matrix[1] - matrix[0]) + bias[1] - bias[0]
        # the two middles of opposite points are the same place, so both pairs cannot be on different sides
        assert margin[[0, 3]].sum().item() == pytest.approx(margin[[1, 2]].sum().item(), abs=1e-9)
        assert int((logits.argmax(dim=1) == torch.tensor([0, 1, 1, 0])).sum()) <= 3
