from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from visionlab.config.loss import CrossEntropyConfig, FocalConfig, LogitAdjustedConfig
from visionlab.errors import UserError
from visionlab.training.losses import CrossEntropy, Focal, LogitAdjusted

COUNTS = torch.tensor([10, 30, 60])
WEIGHTS = (0.5, 2.0, 1.0)
LOSSES = [(CrossEntropy, CrossEntropyConfig), (Focal, FocalConfig), (LogitAdjusted, LogitAdjustedConfig)]


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(8, 3, generator=generator), torch.randint(3, (8,), generator=generator)


def test_cross_entropy_is_the_mean_of_minus_log_p(batch: tuple[Tensor, Tensor]) -> None:
    logits, targets = batch
    rows = zip(logits.tolist(), targets.tolist(), strict=True)
    expected = sum(math.log(sum(math.exp(z) for z in row)) - row[target] for row, target in rows) / len(targets)
    assert CrossEntropy(CrossEntropyConfig(), COUNTS)(logits, targets).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("soft", [False, True])
def test_cross_entropy_averages_as_torch_does(
    batch: tuple[Tensor, Tensor], smoothing: float, weights: tuple[float, ...] | None, soft: bool
) -> None:
    logits, targets = batch
    if soft:
        targets = torch.rand(8, 3, generator=torch.Generator().manual_seed(1)).softmax(dim=1)
    config = CrossEntropyConfig(label_smoothing=smoothing, class_weights=weights)
    weight = None if weights is None else torch.tensor(weights)
    expected = functional.cross_entropy(logits, targets, weight=weight, label_smoothing=smoothing)
    torch.testing.assert_close(CrossEntropy(config, COUNTS)(logits, targets), expected)


def test_one_hot_probabilities_equal_class_indices(batch: tuple[Tensor, Tensor]) -> None:
    logits, targets = batch
    loss = CrossEntropy(CrossEntropyConfig(label_smoothing=0.1), COUNTS)
    torch.testing.assert_close(loss(logits, functional.one_hot(targets, 3).float()), loss(logits, targets))


@pytest.mark.parametrize(("loss", "config"), LOSSES)
def test_balanced_weights_let_every_class_count_the_same(loss: type, config: type) -> None:
    weight = loss(config(class_weights="balanced"), COUNTS).weight
    torch.testing.assert_close(weight, torch.tensor([100 / 30, 100 / 90, 100 / 180]))
    torch.testing.assert_close(weight * COUNTS, torch.full((3,), 100 / 3))


def test_balanced_weight_of_a_class_that_does_not_occur_is_zero() -> None:
    weight = CrossEntropy(CrossEntropyConfig(class_weights="balanced"), torch.tensor([5, 0, 15])).weight
    torch.testing.assert_close(weight, torch.tensor([20 / 15, 0.0, 20 / 45]))


@pytest.mark.parametrize(("loss", "config"), LOSSES)
def test_wrong_number_of_weights_is_named(loss: type, config: type) -> None:
    with pytest.raises(UserError, match=r"^loss\.class_weights: expected 3 numbers, one for each class, given 2$"):
        loss(config(class_weights=(1.0, 2.0)), COUNTS)


@pytest.mark.parametrize("weights", [None, WEIGHTS, "balanced"])
def test_focal_without_focus_is_cross_entropy(batch: tuple[Tensor, Tensor], weights: object) -> None:
    focal = Focal(FocalConfig(gamma=0, class_weights=weights), COUNTS)
    cross_entropy = CrossEntropy(CrossEntropyConfig(class_weights=weights), COUNTS)
    torch.testing.assert_close(focal(*batch), cross_entropy(*batch))


def test_focal_is_its_formula(batch: tuple[Tensor, Tensor]) -> None:
    logits, targets = batch
    p = logits.double().softmax(dim=1)[range(8), targets]
    w = torch.tensor(WEIGHTS).double()[targets]
    expected = (w * -((1 - p) ** 2.5) * p.log()).sum() / w.sum()
    loss = Focal(FocalConfig(gamma=2.5, class_weights=WEIGHTS), COUNTS)(logits, targets)
    torch.testing.assert_close(loss, expected.float())


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_has_finite_gradients_where_the_network_is_certain(gamma: float) -> None:
    logits = torch.tensor([[200.0, 0.0, 0.0], [0.0, 200.0, 0.0]], requires_grad=True)
    Focal(FocalConfig(gamma=gamma), COUNTS)(logits, torch.tensor([0, 0])).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad[1, 0] < 0


@pytest.mark.parametrize(("loss", "config"), LOSSES)
def test_float32_whatever_the_precision_of_the_network(loss: type, config: type) -> None:
    logits = 5 * torch.randn(64, 3, generator=torch.Generator().manual_seed(0), dtype=torch.bfloat16)
    targets = torch.arange(64) % 3
    expected = loss(config(), COUNTS)(logits.float(), targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(config(), COUNTS)(logits, targets)
    assert value.dtype == torch.float32
    assert torch.equal(value, expected)


@pytest.mark.parametrize(("loss", "config"), LOSSES)
def test_checkpoints_hold_no_weights(loss: type, config: type) -> None:
    assert loss(config(class_weights="balanced"), COUNTS).state_dict() == {}


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize(("loss", "config"), LOSSES)
def test_parts_that_are_weighed_by_what_they_divide_by_come_to_the_whole(
    batch: tuple[Tensor, Tensor], weights: tuple[float, ...] | None, loss: type, config: type
) -> None:
    logits, targets = batch
    measured = loss(config(class_weights=weights), COUNTS)
    totals = [measured.total_weight(part) for part in (targets, targets[:3], targets[3:])]
    if weights is None:
        assert totals == [None] * 3
        totals = [torch.tensor(float(count)) for count in (8, 3, 5)]
    parts = measured(logits[:3], targets[:3]) * totals[1] + measured(logits[3:], targets[3:]) * totals[2]
    torch.testing.assert_close(parts / totals[0], measured(logits, targets))


@pytest.mark.parametrize(("loss", "config"), [(CrossEntropy, CrossEntropyConfig), (LogitAdjusted, LogitAdjustedConfig)])
def test_class_probabilities_are_averaged_over_images(loss: type, config: type) -> None:
    assert loss(config(class_weights=WEIGHTS), COUNTS).total_weight(torch.rand(8, 3)) is None


@pytest.mark.parametrize(("loss", "config"), LOSSES)
def test_images_without_weight_change_nothing(loss: type, config: type, batch: tuple[Tensor, Tensor]) -> None:
    logits = batch[0].requires_grad_()
    value = loss(config(class_weights=(0.0, 1.0, 1.0)), COUNTS)(logits, torch.zeros(8, dtype=torch.long))
    value.backward()
    assert value.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_logit_adjustment_has_the_gradient_of_its_formula(batch: tuple[Tensor, Tensor]) -> None:
    # d loss / d f_k = (p_k - [k = y]) / B, with p_k in proportion to prior_k^tau * exp(f_k)
    logits, targets = batch[0].clone().requires_grad_(), batch[1]
    tau, counts = 1.5, COUNTS.tolist()
    LogitAdjusted(LogitAdjustedConfig(tau=tau), COUNTS)(logits, targets).backward()
    expected = []
    for row, target in zip(batch[0].tolist(), targets.tolist(), strict=True):
        shares = [(count / 100) ** tau * math.exp(z) for count, z in zip(counts, row, strict=True)]
        expected.append([(share / sum(shares) - (k == target)) / 8 for k, share in enumerate(shares)])
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, torch.tensor(expected))


def test_logit_adjustment_at_0_is_cross_entropy_and_without_knowledge_gives_equal_logits() -> None:
    logits, targets = torch.zeros(100, 3), torch.arange(3).repeat_interleave(COUNTS)
    cross_entropy = CrossEntropy(CrossEntropyConfig(), COUNTS)
    torch.testing.assert_close(
        LogitAdjusted(LogitAdjustedConfig(tau=0), COUNTS)(logits, targets), cross_entropy(logits, targets)
    )
    # frequencies are explained by the adjustment: where images say nothing, the network has nothing to learn
    logits.requires_grad_()
    LogitAdjusted(LogitAdjustedConfig(), COUNTS)(logits, targets).backward()
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad.sum(dim=0), torch.zeros(3), atol=1e-6, rtol=0)


def test_in_evaluation_logits_are_not_adjusted(batch: tuple[Tensor, Tensor]) -> None:
    loss = LogitAdjusted(LogitAdjustedConfig(), COUNTS)
    cross_entropy = CrossEntropy(CrossEntropyConfig(), COUNTS)(*batch)
    assert not torch.allclose(loss(*batch), cross_entropy)
    assert torch.equal(loss.eval()(*batch), cross_entropy)


def test_logit_adjustment_takes_mixed_labels_and_classes_without_an_image(batch: tuple[Tensor, Tensor]) -> None:
    logits, targets = batch
    loss = LogitAdjusted(LogitAdjustedConfig(), torch.tensor([10, 0, 60]))
    torch.testing.assert_close(loss(logits, functional.one_hot(targets, 3).float()), loss(logits, targets))
    assert loss(logits, torch.ones(8, dtype=torch.long)).isfinite()
