"""Muon: momentum whose update is orthogonalised, for filters and matrices; Nesterov SGD for everything else.

Source: Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks
(https://kellerjordan.github.io/posts/muon).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# Coefficients of a quintic polynomial that is steep at 0: few iterations bring singular values near 1, if not to it.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_EPSILON = 1e-7


class Muon(torch.optim.Optimizer):
    """One optimizer for all parameters of a network.

    Args:
        groups: parameter groups. Each has `params`, `lr`, `momentum`, `weight_decay` and `orthogonal`: whether updates
            are orthogonalised, which needs parameters of at least 2 dimensions, or left as Nesterov momentum makes
            them. Weight decay is decoupled in either case: each step takes lr * weight_decay of a parameter away.
            Orthogonal groups also have `iterations`, of Newton-Schulz, and `normalize`: whether a parameter is scaled
            to norm sqrt(O) before each step, which keeps the ratio of update to weight the same throughout training
            (Jordan 2024, airbench94_muon).
    """

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        super().__init__(groups, defaults={})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update the parameters that have a gradient; the loss, if `closure` computes it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not parameters:
                continue
            updates = self._nesterov(parameters, group["momentum"])
            if group["orthogonal"]:
                updates = orthogonal_updates(updates, group["iterations"])
                if group["normalize"]:
                    _normalize(parameters)
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(parameters, updates, alpha=-group["lr"])
        return loss

    def _nesterov(self, parameters: list[Tensor], momentum: float) -> list[Tensor]:
        """Add the gradients to the momentum buffers, and look one step ahead."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        buffers = [self._buffer(parameter) for parameter in parameters]
        torch._foreach_mul_(buffers, momentum)
        torch._foreach_add_(buffers, gradients)
        return list(torch._foreach_add(gradients, buffers, alpha=momentum))

    def _buffer(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        buffer: Tensor = state["momentum_buffer"]
        return buffer


def _normalize(parameters: list[Tensor]) -> None:
    """Scale each parameter (O, I, …) to norm sqrt(O), that of an orthogonal matrix of O rows."""
    torch._foreach_div_(parameters, list(torch._foreach_norm(parameters)))
    torch._foreach_mul_(parameters, [math.sqrt(len(parameter)) for parameter in parameters])


def orthogonal_updates(updates: list[Tensor], iterations: int) -> list[Tensor]:
    """Orthogonalise each update, of shape (O, I, …), as a matrix of O rows.

    Updates of one shape are computed together. A matrix with more rows than columns has its update scaled up by
    the root of their ratio, so that outputs change by as much as those of a square one.
    """
    by_shape: dict[torch.Size, list[int]] = defaultdict(list)
    for index, update in enumerate(updates):
        by_shape[update.shape].append(index)
    result = list(updates)
    for shape, indices in by_shape.items():
        matrices = torch.stack([updates[index] for index in indices]).flatten(2)  # (N, O, I * …)
        rows, columns = matrices.shape[1:]
        scaled = newton_schulz(matrices, iterations) * math.sqrt(max(1, rows / columns))
        for index, matrix in zip(indices, scaled, strict=True):
            result[index] = matrix.reshape(shape)
    return result


def newton_schulz(matrices: Tensor, iterations: int) -> Tensor:
    """Replace all singular values by values near 1: (N, rows, columns) -> the same shape, float32.

    The method starts from singular values of at most 1; the Frobenius norm is a bound of them that costs little.
    """
    norms = torch.linalg.matrix_norm(matrices, keepdim=True)  # (N, 1, 1)
    x = (matrices / norms.clamp(min=_EPSILON)).to(_working_dtype(matrices.device))
    is_tall = x.size(1) > x.size(2)
    if is_tall:
        x = x.mT
    for _ in range(iterations):
        gram = x @ x.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C)
        x = torch.baddbmm(x, polynomial, x, beta=_A)
    result: Tensor = (x.mT if is_tall else x).float()
    return result


def _working_dtype(device: torch.device) -> torch.dtype:
    """bf16 where it is computed in hardware: half the time of float32, and precise enough for values near 1."""
    if device.type == "cuda":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        has_bf16 = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if has_bf16 else torch.float32
