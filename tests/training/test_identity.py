"""Weights are the same only to the last bit, in name, type and shape."""

from __future__ import annotations

import torch

from visionlab.training.identity import fingerprint


def test_the_same_tensors_have_the_same_fingerprint_in_whatever_order_and_layout() -> None:
    weight = torch.randn(2, 3, 4, 5)
    state = {"a": weight, "b": torch.tensor(3)}
    same = {"b": torch.tensor(3), "a": weight.clone().to(memory_format=torch.channels_last)}
    assert fingerprint(same) == fingerprint(state)


def test_one_bit_a_name_a_type_and_a_shape_make_another_fingerprint() -> None:
    weight = torch.ones(4)
    bit = torch.nextafter(weight, torch.tensor(2.0))
    states = [{"a": weight}, {"a": bit}, {"b": weight}, {"a": weight.bfloat16()}, {"a": weight.view(2, 2)}, {}]
    assert len({fingerprint(state) for state in states}) == len(states)


def test_nan_and_minus_zero_are_bits_too() -> None:
    assert fingerprint({"a": torch.tensor(float("nan"))}) == fingerprint({"a": torch.tensor(float("nan"))})
    assert fingerprint({"a": torch.tensor(0.0)}) != fingerprint({"a": torch.tensor(-0.0)})
