"""What a campaign has come to, as plain values: needs neither optuna nor torch."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from visionlab.config.search import Objective

State = Literal["waiting", "running", "finished", "pruned", "failed", "interrupted"]
SETTLED: tuple[State, ...] = ("finished", "pruned")


@dataclass(frozen=True)
class Child:
    """One run of a campaign, done or to be done.

    Attributes:
        number: unique in the campaign; a configuration that is tried again gets a new one.
        state: `failed` went wrong by itself, `interrupted` was under way when its campaign was stopped.
        settings: what differs from the campaign's base, by dotted path.
        values: of the objectives, in their order; empty unless finished.
        run: the id of its run; "" before it has one.
        attempt: 0, or 1 for a configuration that has failed once.
        proposal: which configuration of the campaign this is, counted from 0; tries of the same one share it.
        reason: why it failed.
        seconds: how long it took; None before its end.
        curve: (epoch, value) of the first objective's metric, as far as it was followed.
    """

    number: int
    state: State
    settings: dict[str, Any]
    values: tuple[float, ...] = ()
    run: str = ""
    attempt: int = 0
    proposal: int = 0
    reason: str = ""
    seconds: float | None = None
    curve: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Results:
    """A campaign.

    Attributes:
        name: its id, and the name of its folder.
        kind: the command that makes it: tune, crossval, repeat or grid.
        objectives: one or more.
        total: configurations that there are to be.
        children: in the order of their numbers.
        importance: of settings for the first objective, shares of one (Hutter et al. 2014), the largest first; empty
            where there are too few runs to say.
        log: settings that were searched by orders of magnitude.
        bounds: least and greatest value of the settings that were searched in a range.
    """

    name: str
    kind: str
    objectives: tuple[Objective, ...]
    total: int
    children: tuple[Child, ...]
    importance: dict[str, float] = field(default_factory=dict)
    log: tuple[str, ...] = ()
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)

    def finished(self) -> list[Child]:
        """Those with a result."""
        return [child for child in self.children if child.state == "finished"]

    def measured(self) -> list[Child]:
        """The finished children whose objectives are all finite numbers."""
        return [child for child in self.finished() if all(map(math.isfinite, child.values))]

    def tally(self) -> Counter[State]:
        """How many configurations are in each state: that of the try that settled them, else of the last one."""
        states: dict[int, State] = {}
        for child in self.children:
            if states.get(child.proposal) not in SETTLED:
                states[child.proposal] = child.state
        return Counter(states.values())

    @property
    def best(self) -> Child | None:
        """The best measured child by the first objective; of equal ones the first. With several see `front`."""
        return min(self.measured(), key=lambda child: (self._costs(child)[0], child.proposal), default=None)

    def front(self) -> list[Child]:
        """The measured children than which none is better in one objective without being worse in another."""
        measured = [(child, self._costs(child)) for child in self.measured()]
        return [child for child, costs in measured if not any(_dominates(other, costs) for _, other in measured)]

    def _costs(self, child: Child) -> tuple[float, ...]:
        """The objectives, turned so that less is better."""
        return tuple(
            -value if objective.direction == "maximize" else value
            for objective, value in zip(self.objectives, child.values, strict=True)
        )


def label(child: Child) -> str:
    """A child in a list: its number, and what differs, by the last parts of the paths: `003 lr=0.1 width=32`."""
    differing = [f"{path.rpartition('.')[2]}={short(value)}" for path, value in child.settings.items()]
    return " ".join([f"{child.number:03}", *differing])


def short(value: Any) -> str:
    """A setting with as many digits as tell it apart."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(short, value))}]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other
