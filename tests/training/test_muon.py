from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from visionlab.training import muon
from visionlab.training.muon import Muon, newton_schulz, orthogonal_updates


def group(*parameters: Tensor, orthogonal: bool = True, **settings: float) -> dict[str, Any]:
    defaults = {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.0, "iterations": 5, "normalize": False}
    return {"params": list(parameters), "orthogonal": orthogonal} | defaults | settings


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def descend(optimizer: torch.optim.Optimizer, parameter: Tensor, steps: int = 4) -> None:
    """So many steps along random gradients, the same ones each time."""
    for step in range(steps):
        parameter.grad = random(*parameter.shape, seed=100 + step)
        optimizer.step()


@pytest.fixture
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muon, "_working_dtype", lambda device: torch.float32)


@pytest.mark.parametrize("shape", [(16, 16), (24, 100), (100, 24)])
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    values = torch.linalg.svdvals(newton_schulz(random(5, *shape), 5))
    # a square random matrix has singular values so near 0 that five iterations do not lift them
    assert values.max() < 1.25
    assert values[:, : min(shape) * 3 // 4].min() > 0.6


@pytest.mark.usefixtures("float32")
@pytest.mark.parametrize("shape", [(12, 40), (40, 12)])
def test_iterations_apply_the_polynomial_to_the_singular_values(shape: tuple[int, int]) -> None:
    matrix = random(*shape)
    u, values, vh = torch.linalg.svd(matrix.double(), full_matrices=False)
    values = values / values.norm()
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    torch.testing.assert_close(newton_schulz(matrix.unsqueeze(0), 5)[0], (u * values @ vh).float(), atol=1e-4, rtol=0)


def test_scale_of_the_gradient_makes_no_difference() -> None:
    matrices = random(1, 8, 30)
    torch.testing.assert_close(newton_schulz(1e-4 * matrices, 5), newton_schulz(matrices, 5), atol=0.02, rtol=0)


def test_no_gradient_no_update() -> None:
    assert torch.equal(newton_schulz(torch.zeros(2, 3, 4), 5), torch.zeros(2, 3, 4))


@pytest.mark.parametrize("shape", [(32, 32), (24, 80), (80, 24)])
def test_agrees_with_torch_on_matrices(shape: tuple[int, int]) -> None:
    start = random(*shape)
    ours, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    descend(Muon([group(ours, lr=0.02, momentum=0.95, weight_decay=0.1)]), ours)
    descend(torch.optim.Muon([theirs], lr=0.02, momentum=0.95, weight_decay=0.1), theirs)
    # torch rounds to bf16 before it normalises, and we after it
    assert (ours - theirs).norm() < 0.02 * (theirs - start).norm()


@pytest.mark.parametrize("shape", [(8, 4, 3, 3), (64, 3, 3, 3)])
def test_a_filter_is_updated_as_the_matrix_it_reshapes_to(shape: tuple[int, ...]) -> None:
    start = random(*shape)
    filters, matrix = start.clone().requires_grad_(), start.flatten(1).clone().requires_grad_()
    optimizer = Muon([group(filters), group(matrix)])
    for step in range(3):
        filters.grad = random(*shape, seed=step)
        matrix.grad = filters.grad.flatten(1)
        optimizer.step()
    assert not torch.equal(filters, start)
    assert torch.equal(filters.flatten(1), matrix)


def test_updates_of_one_shape_are_computed_together_and_stay_apart() -> None:
    shapes = [(8, 4, 3, 3), (6, 10), (8, 4, 3, 3), (10, 6), (8, 4, 3, 3)]
    updates = [random(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    together = orthogonal_updates(updates, 5)
    for update, result in zip(updates, together, strict=True):
        assert result.shape == update.shape
        torch.testing.assert_close(result, orthogonal_updates([update], 5)[0], atol=0.02, rtol=0)


def test_tall_matrices_are_scaled_by_the_root_of_their_ratio() -> None:
    tall = random(40, 10)
    torch.testing.assert_close(orthogonal_updates([tall], 5)[0], 2 * orthogonal_updates([tall.T.contiguous()], 5)[0].T)


def test_memory_format_makes_no_difference() -> None:
    start = random(8, 4, 3, 3)
    plain = start.clone().requires_grad_()
    last = start.clone(memory_format=torch.channels_last).requires_grad_()
    descend(Muon([group(plain)]), plain)
    descend(Muon([group(last)]), last)
    assert last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last, plain)


def test_other_parameters_follow_nesterov_sgd() -> None:
    start = random(20)
    ours, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    descend(Muon([group(ours, orthogonal=False, momentum=0.8)]), ours)
    descend(torch.optim.SGD([theirs], lr=0.05, momentum=0.8, nesterov=True), theirs)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("orthogonal", [True, False])
def test_weight_decay_is_decoupled(orthogonal: bool) -> None:
    start = random(4, 6)
    weight = start.clone().requires_grad_()
    optimizer = Muon([group(weight, orthogonal=orthogonal, lr=0.5, weight_decay=0.1)])
    for _ in range(2):
        weight.grad = torch.zeros_like(weight)
        optimizer.step()
    torch.testing.assert_close(weight.detach(), start * 0.95**2)


def test_parameters_without_gradient_stay() -> None:
    still, moving = random(3, 4).requires_grad_(), random(3, 4).requires_grad_()
    optimizer = Muon([group(still, moving, weight_decay=0.1), group(random(3).requires_grad_(), orthogonal=False)])
    descend(optimizer, moving, steps=1)
    assert torch.equal(still, random(3, 4))
    assert not torch.equal(moving, random(3, 4))


def test_closure_is_called_with_gradients_and_its_loss_returned() -> None:
    weight = random(3, 4).requires_grad_()
    optimizer = Muon([group(weight)])

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss

    before = weight.detach().square().sum()
    assert torch.equal(optimizer.step(closure), before)
    assert weight.square().sum() < before


def test_resumed_run_equals_an_uninterrupted_one() -> None:
    def network_and_optimizer() -> tuple[nn.Module, Muon]:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 3))
        weights = [p for p in network.parameters() if p.ndim > 1]
        biases = [p for p in network.parameters() if p.ndim == 1]
        return network, Muon([group(*weights, weight_decay=0.01), group(*biases, orthogonal=False)])

    def train(network: nn.Module, optimizer: Muon, steps: range) -> None:
        for step in steps:
            optimizer.zero_grad()
            network(random(5, 1, 8, 8, seed=step)).square().sum().backward()
            optimizer.step()

    network, optimizer = network_and_optimizer()
    train(network, optimizer, range(3))
    file = io.BytesIO()
    torch.save({"network": network.state_dict(), "optimizer": optimizer.state_dict()}, file)
    train(network, optimizer, range(3, 6))

    resumed, resumed_optimizer = network_and_optimizer()
    file.seek(0)
    state = torch.load(file, weights_only=True)
    resumed.load_state_dict(state["network"])
    resumed_optimizer.load_state_dict(state["optimizer"])
    train(resumed, resumed_optimizer, range(3, 6))
    for name, parameter in network.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], parameter), name


def test_gradient_scaler_skips_a_step_that_overflowed() -> None:
    weight = random(3, 4).requires_grad_()
    optimizer, scaler = Muon([group(weight)]), torch.amp.GradScaler("cpu")
    scaler.scale(weight.sum() * float("inf")).backward()
    scaler.step(optimizer)
    scaler.update()
    assert torch.equal(weight, random(3, 4))
    optimizer.zero_grad()
    scaler.scale(weight.square().sum()).backward()
    scaler.step(optimizer)
    assert weight.isfinite().all()
    assert not torch.equal(weight, random(3, 4))


def test_normalized_weights_keep_the_norm_of_an_orthogonal_matrix() -> None:
    weight = (7 * random(6, 2, 3, 3)).requires_grad_()
    start = weight.detach().clone()
    weight.grad = torch.zeros_like(weight)
    Muon([group(weight, normalize=True)]).step()
    assert weight.norm().item() == pytest.approx(6**0.5, rel=1e-5)
    torch.testing.assert_close(weight / weight.norm(), start / start.norm())


def test_more_iterations_lift_the_small_singular_values() -> None:
    matrices = random(1, 16, 40)
    least = [torch.linalg.svdvals(newton_schulz(matrices, n)).min().item() for n in (1, 3, 5)]
    assert least[0] < min(least[1:])
