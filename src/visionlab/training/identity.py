"""Whether two networks have the same weights, to the last bit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """Identify tensors by their names, types, shapes and bits, wherever they are.

    Returns:
        32 hexadecimal digits, the same only for the same tensors.
    """
    whole = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(state.items()):
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        whole.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()
