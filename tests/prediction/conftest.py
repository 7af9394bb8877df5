"""Trained runs for every test of this folder."""

from __future__ import annotations

from tests.prediction.trained import copied, trained

__all__ = ["copied", "trained"]
