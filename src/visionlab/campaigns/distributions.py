"""Search spaces in optuna's terms: drawing configurations from them, and values on their way to a database and back."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from visionlab.campaigns.space import Settings, is_active
from visionlab.config.lab import Choice
from visionlab.config.search import Parameter


def suggest(trial: optuna.Trial, space: Mapping[str, Parameter]) -> Settings:
    """Let a trial choose a value for each parameter whose conditions are met."""
    settings: Settings = {}
    for path, parameter in space.items():
        if is_active(parameter, settings):
            value = trial._suggest(path, distribution(parameter))
            settings[path] = decode(parameter, value)
    return settings


def draw(space: Mapping[str, Parameter], total: int, seed: int) -> list[Settings]:
    """`total` random configurations; of the same seed always the same, and more of them begin with the fewer."""
    optuna.logging.set_verbosity(logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    return [suggest(study.ask(), space) for _ in range(total)]


def distribution(parameter: Parameter) -> BaseDistribution:
    """A parameter in optuna's terms."""
    if parameter.choices is not None:
        return CategoricalDistribution([encode(choice) for choice in parameter.choices])
    if parameter.int_ is not None:
        return IntDistribution(*parameter.int_, log=parameter.log, step=int(parameter.step or 1))
    assert parameter.float_ is not None
    return FloatDistribution(*parameter.float_, log=parameter.log, step=parameter.step)


def decode(parameter: Parameter | None, value: Any) -> Choice:
    """A value as the configuration has it: of choices the one that was encoded."""
    if parameter is None or parameter.choices is None:
        choice: Choice = value
        return choice
    return next(one for one in parameter.choices if encode(one) == value and type(encode(one)) is type(value))


def encode(value: Choice) -> str | int | float | bool | None:
    """A choice as optuna's databases can hold it: lists as JSON."""
    return json.dumps(value) if isinstance(value, list | tuple) else value
