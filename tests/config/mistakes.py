"""What the command line is answered."""

from __future__ import annotations

import pytest

from visionlab.config.load import load_train_config
from visionlab.errors import ConfigError


def lines(*overrides: str) -> list[str]:
    """The lines that refuse a training run with these overrides."""
    with pytest.raises(ConfigError) as caught:
        load_train_config(list(overrides))
    return caught.value.lines
