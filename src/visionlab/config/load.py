"""From the command line to the checked configuration of a training run, or one line for each thing wrong with it."""

from __future__ import annotations

from visionlab import project
from visionlab.config.compose import compose_config
from visionlab.config.resolved import check
from visionlab.config.source import Composed
from visionlab.config.train import TrainConfig


def load_train_config(overrides: list[str]) -> TrainConfig:
    """Compose and check the configuration of a training run.

    Raises:
        ConfigError: with one line for each mistake.
    """
    return check(TrainConfig, compose_train(overrides))


def compose_train(overrides: list[str]) -> Composed:
    """Compose what `load_train_config` checks; mistakes in the overrides are noted in it.

    Raises:
        ConfigError: a YAML file is broken.
    """
    composed = compose_config(project.conf(), "train", overrides)
    values = composed.values
    experiment = next((o.partition("=")[2] for o in overrides if o.lstrip("+").startswith("experiment=")), None)
    if values.get("name") is None:
        data = values.get("data") or {}
        values["name"] = experiment or (data.get("name") if isinstance(data, dict) else None)
    return composed
