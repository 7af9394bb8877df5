"""Mixed precision on a CPU whose depthwise convolutions learn in 32 bits.

In bfloat16 their gradients take long there: 275 ms for 128 maps of 672 x 4 x 4 by 5 x 5 filters with stride 2, against
8 ms in 32 bits (2 cores with avx512_bf16). Their outputs are computed in bfloat16 as before, so that evaluation is the
same with and without this.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch.plugins import MixedPrecision, Precision
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

from visionlab.config.trainer import TrainerConfig

Pair = tuple[int, int]


def precision_plugins(config: TrainerConfig, network: nn.Module) -> list[Precision]:
    """What the trainer needs for this besides its own precision; none where there is nothing to gain.

    Args:
        config: resolved for this machine.
        network: that is trained.
    """
    is_lowered = config.accelerator == "cpu" and config.precision == "bf16-mixed"
    if is_lowered and not config.compile and any(map(_is_depthwise, network.modules())):
        return [DepthwisePrecision("bf16-mixed", "cpu")]
    return []


class DepthwisePrecision(MixedPrecision):
    """See the module's docstring."""

    @contextmanager
    def forward_context(self) -> Generator[None]:
        with super().forward_context(), _Depthwise():
            yield


def _is_depthwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1


class _Depthwise(TorchFunctionMode):
    """Puts `_Convolution` in the place of each depthwise convolution that gradients will go through."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is torch.conv2d and len(args) == 7 and torch.is_grad_enabled():
            images, weight, bias, stride, padding, dilation, groups = args
            if groups == images.shape[1] > 1 and not isinstance(padding, str):
                geometry = (_pair(stride), _pair(padding), _pair(dilation))
                return _Convolution.apply(images.bfloat16(), weight, bias, geometry, groups)
        return func(*args, **(kwargs or {}))


class _Convolution(torch.autograd.Function):
    """Maps (B, C, H, W) -> (B, M, h, w), forward in bfloat16 and backward in 32 bits."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, geometry: tuple[Pair, Pair, Pair], groups: int
    ) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.geometry, ctx.groups = geometry, groups
        ctx.bias_shape = None if bias is None else bias.shape
        lowered = None if bias is None else bias.bfloat16()
        stride, padding, dilation = geometry
        return torch.conv2d(images, weight.bfloat16(), lowered, stride, padding, dilation, groups)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad[:3]
        by_images, by_weight, by_bias = torch.ops.aten.convolution_backward(
            gradient.float(),
            images.float(),
            weight.float(),
            ctx.bias_shape,
            *ctx.geometry,
            False,
            (0, 0),
            ctx.groups,
            wanted,
        )
        return None if by_images is None else by_images.to(images.dtype), by_weight, by_bias, None, None


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value
