"""The configurations that a campaign is about: a base, and what its runs change in it. Checked before the first run."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from visionlab import project
from visionlab.config.lab import Choice
from visionlab.config.load import compose_train
from visionlab.config.resolved import check
from visionlab.config.search import Parameter
from visionlab.config.source import COMMAND_LINE, Composed
from visionlab.config.train import TrainConfig
from visionlab.errors import ConfigError
from visionlab.tracking.start import name_start

MOST_CORNERS = 1024  # of a search space that are all checked; of a larger one so many are drawn
MOST_VALUES = 64  # of a parameter that are all checked, and not just its extremes
Settings = dict[str, Choice]


class Base:
    """What all runs of a campaign have in common.

    Args:
        overrides: as on the command line of `visionlab train`.
    """

    def __init__(self, overrides: list[str]) -> None:
        self.overrides = overrides
        self._composed: dict[tuple[str, ...], Composed] = {}

    def config(self, settings: Mapping[str, Choice] | None = None) -> TrainConfig:
        """The configuration with some settings changed: values by dotted path, components by their group.

        Raises:
            ConfigError: with one line for each mistake.
        """
        settings = settings or {}
        groups = {path: value for path, value in settings.items() if (project.conf() / path).is_dir()}
        values = {path: value for path, value in settings.items() if path not in groups}
        composed = self._compose(tuple(f"{group}={choice}" for group, choice in groups.items()))
        content = deepcopy(composed.values)
        for path, value in values.items():
            _put(content, path, value)
        changed = composed.overrides | set(values)
        config = check(TrainConfig, Composed(content, frozenset(changed), composed.sources, composed.mistakes))
        return name_start(config)  # `last` is another run once the first of the campaign has begun

    def _compose(self, choices: tuple[str, ...]) -> Composed:
        if choices not in self._composed:
            self._composed[choices] = compose_train([*self.overrides, *choices])
        return self._composed[choices]


def check_space(base: Base, space: Mapping[str, Parameter]) -> None:
    """Make sure that every configuration of a search space is valid.

    Checked are the values of each parameter by itself, and the corners: all ends and choices combined.

    Raises:
        ConfigError: with one line for each mistake, which names the parameter.
    """
    mistakes: dict[str, None] = {}
    for settings in _sides(space):
        _collect(base, settings, mistakes)
    if not mistakes:
        for settings in _some_corners(space):
            _collect(base, settings, mistakes)
            if mistakes:
                break
    if mistakes:
        raise ConfigError(list(mistakes))


def check_each(base: Base, proposals: Sequence[Settings]) -> None:
    """Make sure that these configurations are valid.

    Raises:
        ConfigError: with one line for each mistake, which names the settings that it is about.
    """
    mistakes: dict[str, None] = {}
    for settings in proposals:
        _collect(base, settings, mistakes)
    if mistakes:
        raise ConfigError(list(mistakes))


def corners(space: Mapping[str, Parameter], every_value: bool = False) -> Iterator[Settings]:
    """Every combination of the parameters' extremes, or of all their values, that the conditions allow."""

    def below(chosen: Settings, left: list[tuple[str, Parameter]]) -> Iterator[Settings]:
        if not left:
            yield chosen
            return
        (path, parameter), *rest = left
        if not is_active(parameter, chosen):
            yield from below(chosen, rest)
            return
        values = parameter.values() if every_value else parameter.extremes()
        assert values is not None
        for value in values:
            yield from below(chosen | {path: value}, rest)

    yield from below({}, list(space.items()))


def is_active(parameter: Parameter, chosen: Mapping[str, Choice]) -> bool:
    """Whether a parameter's conditions are met by what was chosen for those before it."""
    return all(path in chosen and chosen[path] in values for path, values in parameter.when.items())


def _some_corners(space: Mapping[str, Parameter]) -> list[Settings]:
    """All corners or, where there are too many, a sample that is always the same."""
    found = list(itertools.islice(corners(space), MOST_CORNERS + 1))
    if len(found) <= MOST_CORNERS:
        return found
    generator = random.Random(0)
    sample: list[Settings] = []
    for _ in range(MOST_CORNERS):
        settings: Settings = {}
        for path, parameter in space.items():
            if is_active(parameter, settings):
                settings[path] = generator.choice(parameter.extremes())
        sample.append(settings)
    return sample


def _sides(space: Mapping[str, Parameter]) -> Iterator[Settings]:
    """Each value of each parameter, as far as they can be counted, with the first allowed choice of its conditions."""
    for path, parameter in space.items():
        context: Settings = {}
        for other in _ancestors(space, path):
            context[other] = (
                next(iter(wanted)) if (wanted := _wanted(space, path, other)) else space[other].extremes()[0]
            )
        values = parameter.values()
        for value in values if values is not None and len(values) <= MOST_VALUES else parameter.extremes():
            yield context | {path: value}


def _ancestors(space: Mapping[str, Parameter], path: str) -> list[str]:
    """The parameters that one depends on, directly or not, in the order of the space."""
    found: set[str] = set()
    waiting = [path]
    while waiting:
        for other in space[waiting.pop()].when:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return [other for other in space if other in found]


def _wanted(space: Mapping[str, Parameter], path: str, other: str) -> tuple[Choice, ...]:
    """The values of `other` that the conditions of `path`, and of what it depends on, allow."""
    dependants = [path, *_ancestors(space, path)]
    return next((space[one].when[other] for one in dependants if other in space[one].when), ())


def _collect(base: Base, settings: Settings, mistakes: dict[str, None]) -> None:
    try:
        if not base.config(settings).data.may_validate:
            raise ConfigError(["data.val_fraction: expected more than 0, as runs are chosen by validation"])
    except ConfigError as error:
        said = ", ".join(f"{path}={value}" for path, value in settings.items())
        for line in error.lines:
            named = any(line.startswith(path) for path in settings)
            line = line.replace(f"[{COMMAND_LINE}]", "[search space]") if named else f"{line} [with {said}]"
            mistakes.setdefault(line)


def _put(content: dict[str, Any], path: str, value: Choice) -> None:
    *sections, key = path.split(".")
    for section in sections:
        below = content.setdefault(section, {})
        if not isinstance(below, dict):
            content[section] = below = {}
        content = below
    content[key] = list(value) if isinstance(value, tuple) else value
