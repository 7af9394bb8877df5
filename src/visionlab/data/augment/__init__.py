"""Augmentation of whole batches on the device that holds them. Every operation is a function of its own."""

from visionlab.data.augment.pipeline import Augment

__all__ = ["Augment"]
