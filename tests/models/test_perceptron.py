"""A single unit: its logits are a logistic unit's, and with its loss SGD is Rosenblatt's rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from visionlab.config.data import GatesConfig
from visionlab.config.loss import PerceptronLossConfig
from visionlab.config.model import PerceptronConfig
from visionlab.data.gates import Gates
from visionlab.errors import UserError
from visionlab.labs.rosenblatt import learn
from visionlab.models.perceptron import Perceptron
from visionlab.training.losses import PerceptronLoss

SAMPLES = 400


def perceptron(inputs: int = 2) -> Perceptron:
    return Perceptron(PerceptronConfig(), in_channels=1, image_size=(1, inputs), num_classes=2)


def table(gate: str) -> tuple[np.ndarray, np.ndarray]:
    data = Gates(GatesConfig.model_validate({"gate": gate}))
    data.setup()
    (batch,) = data.evaluation_loader("train", 10)
    return batch.images.flatten(1).double().numpy(), batch.targets.numpy()


def order(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """Every point once, in an order of its own, again and again."""
    generator = np.random.default_rng(seed)
    return np.concatenate([generator.permutation(len(points)) for _ in range(SAMPLES // len(points))])


def test_its_softmax_is_the_logistic_function() -> None:
    network = perceptron()
    torch.nn.init.normal_(network.head.weight)
    images = torch.randn(5, 1, 1, 2)
    side = images.flatten(1) @ network.head.weight.T + network.head.bias
    torch.testing.assert_close(network(images).softmax(dim=1)[:, 1:], side.sigmoid())


def test_more_than_two_classes_are_refused() -> None:
    with pytest.raises(UserError, match="expected two classes, one on each side, given 10"):
        Perceptron(PerceptronConfig(), in_channels=1, image_size=(8, 8), num_classes=10)


@pytest.mark.parametrize("gate", ["and", "nor", "xor", "not"])
def test_sgd_by_its_loss_is_rosenblatts_rule(gate: str) -> None:
    points, labels = table(gate)
    visits = order(points)
    by_hand = learn(points, labels, visits).weights
    network, loss = perceptron(points.shape[1]), PerceptronLoss(PerceptronLossConfig(), torch.tensor([2, 2]))
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    for step, sample in enumerate(visits):
        optimizer.zero_grad()
        image = torch.from_numpy(points[sample]).float().view(1, 1, 1, -1)
        loss(network(image), torch.tensor([labels[sample]])).backward()
        optimizer.step()
        weights = torch.cat([network.head.weight.ravel(), network.head.bias]).detach().numpy()
        assert weights.tolist() == by_hand[step + 1].tolist()


@pytest.mark.parametrize(
    # the widest margin of a line through the table, by hand: of (x1, x2, 1) scaled by y, for unit vectors (w, b)
    ("gate", "unit"),
    [("and", (2, 2, -3)), ("or", (2, 2, -1)), ("nand", (-2, -2, 3)), ("nor", (-2, -2, 1)), ("not", (-2, 1))],
)
@pytest.mark.parametrize("seed", range(5))
def test_it_makes_no_more_mistakes_than_novikoffs_bound(gate: str, unit: tuple[int, ...], seed: int) -> None:
    """Novikoff 1962: at most (R / gamma)^2, for samples of norm R at most and a unit vector with the margin gamma."""
    points, labels = table(gate)
    inputs = np.hstack([points, np.ones((len(points), 1))])
    direction = np.array(unit) / np.linalg.norm(unit)
    gamma = ((2 * labels - 1) * (inputs @ direction)).min()
    assert gamma > 0
    found = learn(points, labels, order(points, seed))
    assert 0 < found.mistakes <= (np.linalg.norm(inputs, axis=1).max() / gamma) ** 2
    assert not found.mistaken[-len(points) :].any()


@pytest.mark.parametrize("gate", ["xor", "xnor"])
def test_without_a_line_it_errs_in_every_epoch_and_its_weights_go_in_a_circle(gate: str) -> None:
    points, labels = table(gate)
    found = learn(points, labels, np.tile(np.arange(4), SAMPLES // 4))
    assert found.mistaken.reshape(-1, 4).any(axis=1).all()
    ends = [tuple(weights) for weights in found.weights[::4]]
    # in a fixed order what follows from weights is always the same, so one repetition is a circle for ever
    assert len(set(ends)) < 20


def test_the_loss_of_several_classes_is_how_far_the_best_wrong_one_is_ahead() -> None:
    loss = PerceptronLoss(PerceptronLossConfig(), torch.ones(3))
    logits = torch.tensor([[1.0, 3.0, 2.0], [5.0, 1.0, 2.0], [0.0, 0.0, -1.0]], requires_grad=True)
    found = loss(logits, torch.tensor([2, 0, 0]))
    assert found.item() == pytest.approx((3.0 - 2.0) / 3)
    found.backward()
    # wrong by 1, right, and undecided: the last one has a slope as well
    assert (3 * logits.grad).tolist() == [[0, 1, -1], [0, 0, 0], [-1, 1, 0]]  # type: ignore[operator]
