"""Axes for settings, which may be numbers, orders of magnitude or names, and for objectives."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from visionlab.campaigns.results import Child, Results
from visionlab.campaigns.words import UNITS, differing, is_number, metric, names, rank
from visionlab.comparison.measures import is_percentage
from visionlab.config.search import Objective
from visionlab.figures.style import shorten
from visionlab.reports.words import setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure
    from matplotlib.ticker import Formatter, Locator

Side = Literal["x", "y"]
SIDES: tuple[Side, Side] = ("x", "y")
CHARACTERS = 24  # of the name of a setting
CHARACTERS_OF_A_VALUE = 14
MANY_CATEGORIES = 15  # from which on not all are named
ABREAST = 24  # characters that stand side by side below a narrow panel
TICKS = 6  # of numbers, at most
ROUND = (1, 2, 2.5, 5, 10)  # steps between them
MAGNITUDES = 30  # times the least value: from such a greatest one on an objective is drawn by orders of magnitude
GOLDEN = 0.618034


@dataclass(frozen=True)
class Scale:
    """Where the values of a setting stand along an axis.

    Attributes:
        path: of the setting.
        name: short, for the axis.
        kind: whether differences, ratios or neither tell values apart.
        low, high: the places of the least and greatest value.
        categories: the values as texts, at the places 0, 1, …; empty for numbers.
    """

    path: str
    name: str
    kind: Literal["linear", "log", "categorical"]
    low: float
    high: float
    categories: tuple[str, ...] = ()

    def place(self, child: Child) -> float:
        """Where a child's value stands; NaN if it lacks the setting."""
        if self.path not in child.settings:
            return math.nan
        given = child.settings[self.path]
        if self.kind == "categorical":
            return float(self.categories.index(setting(given)))
        return math.log10(given) if self.kind == "log" else float(given)

    def places(self, children: Sequence[Child]) -> np.ndarray:
        """Where the values of n children stand, (n,)."""
        return np.array([self.place(child) for child in children], dtype=float)

    def shares(self, places: np.ndarray) -> np.ndarray:
        """How far along the axis n places are, from 0 to 1, (n,)."""
        return (places - self.low) / (self.high - self.low)

    def ticks(self) -> tuple[list[float], list[str]]:
        """Places between the ends, and what to write at them."""
        if self.kind == "categorical":
            step = -(-len(self.categories) // MANY_CATEGORIES)
            shown = range(0, len(self.categories), step)
            return [float(i) for i in shown], [shorten(self.categories[i], CHARACTERS_OF_A_VALUE) for i in shown]
        if self.kind == "log":
            values = _magnitudes(10**self.low, 10**self.high)
            return [math.log10(value) for value in values], [number(value) for value in values]
        from matplotlib.ticker import MaxNLocator

        found = MaxNLocator(TICKS - 1, steps=ROUND).tick_values(self.low, self.high)
        inside = _inside(found, self.low, self.high)
        return inside, [number(tick) for tick in inside]

    def prepare(self, axes: Axes, side: Side) -> None:
        """Give an axis the limits, ticks and name of this scale."""
        margin = 0.5 if self.kind == "categorical" else 0.05 * (self.high - self.low)
        axes.set(**{f"{side}lim": (self.low - margin, self.high + margin), f"{side}label": self.name})
        write_ticks(axes, side, *self.ticks())


def scales(results: Results) -> list[Scale]:
    """A scale for each setting in which the measured children differ, the most important first."""
    children = results.measured()
    paths = differing(children)
    called = names(paths)
    order = [path for path in results.importance if path in paths]
    found = []
    for path in dict.fromkeys([*order, *paths]):
        given = [child.settings[path] for child in children if path in child.settings]
        if len(set(map(setting, given))) > 1:
            found.append(_scale(path, shorten(called[path], CHARACTERS), given, results))
    return found


def write_ticks(axes: Axes, side: Side, places: Sequence[float], texts: Sequence[str]) -> None:
    """Write at places of an axis, aslant or upright where the texts would touch each other."""
    axes.set(**{f"{side}ticks": places, f"{side}ticklabels": texts})
    if side == "x" and sum(map(len, texts)) > ABREAST:
        axes.tick_params(axis="x", labelrotation=90 if len(texts) > TICKS else 30)


def jitter(children: Sequence[Child]) -> np.ndarray:
    """Offsets (n,) from -0.5 to 0.5 that keep children of the same category apart, always the same for each."""
    return np.array([child.number * GOLDEN % 1 - 0.5 for child in children])


def prepare_objective(axes: Axes, side: Side, objective: Objective, values: Sequence[float]) -> None:
    """Give an axis the name of an objective, and a scale and ticks that suit its values."""
    from matplotlib.ticker import NullFormatter

    if by_magnitude(objective, values):
        axes.set(**{f"{side}scale": "log"})
    axis = axes.xaxis if side == "x" else axes.yaxis
    axis.set_label_text(label(objective))
    axis.set_major_locator(_locator(objective, values))
    axis.set_major_formatter(_formatter(objective))
    axis.set_minor_formatter(NullFormatter())


def ticks_of_objective(objective: Objective, values: Sequence[float]) -> tuple[list[float], list[str]]:
    """Round values between the least and the greatest, and what to write at them."""
    written, low, high = _formatter(objective), min(values), max(values)
    inside = _inside(_locator(objective, values).tick_values(low, high), low, high)
    return inside, [written(tick) for tick in inside]


def prepare_count(axes: Axes, name: str) -> None:
    """Let whole numbers be counted from left to right."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel(name)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))


def label(objective: Objective) -> str:
    """What an axis of an objective is called; percent stand at its ticks."""
    name = objective.metric
    return metric(name) + (f" in {UNITS[name]}" if name in UNITS else "")


def by_magnitude(objective: Objective, values: Sequence[float]) -> bool:
    """Whether values of an objective differ so much that only their orders of magnitude can be drawn."""
    if is_percentage(objective.metric) or min(values) <= 0:
        return False
    return max(values) / min(values) >= MAGNITUDES


def colouring(objective: Objective, values: Sequence[float]) -> ScalarMappable:
    """How values of an objective become colours: the better, the darker."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    low, high = min(values), max(values)
    shades = colormaps["viridis_r" if objective.direction == "maximize" else "viridis"]
    if by_magnitude(objective, values):
        return ScalarMappable(LogNorm(low, high), shades)
    slack = 0 if low < high else 0.01 * max(abs(low), 1e-6)
    return ScalarMappable(Normalize(low - slack, high + slack), shades)


def add_bar(figure: Figure, axes: Axes, colours: ScalarMappable, objective: Objective, values: Sequence[float]) -> None:
    """Put a bar beside axes that says which colour is which value."""
    ticks, written = _locator(objective, values), _formatter(objective)
    bar = figure.colorbar(colours, ax=axes, pad=0.02, ticks=ticks, format=written)  # type: ignore[arg-type]
    bar.minorticks_off()
    bar.set_label(label(objective))
    bar.outline.set_visible(False)  # type: ignore[operator]


def add_legend(figure: Figure, columns: int = 4) -> None:
    """Below all panels, what their marks and lines stand for, each once."""
    named: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, text in zip(*axes.get_legend_handles_labels(), strict=True):
            named.setdefault(text, handle)
    figure.legend([*named.values()], [*named], loc="outside lower left", ncols=columns, fontsize=10)


def number(value: float) -> str:
    """A number at a tick."""
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e7 and value == round(value) else f"{value:.6g}"


def _scale(path: str, name: str, given: Sequence[Any], results: Results) -> Scale:
    # of a grid every value was meant; so is it of choices, which are told by not being in a range
    is_choice = results.kind == "grid" or (bool(results.bounds) and path not in results.bounds)
    if is_choice or not all(map(is_number, given)):
        categories = tuple(dict.fromkeys(map(setting, sorted(given, key=rank))))
        return Scale(path, name, "categorical", 0, len(categories) - 1, categories)
    ends = results.bounds.get(path, (min(given), max(given)))
    if path in results.log and min(ends) > 0:
        return Scale(path, name, "log", math.log10(ends[0]), math.log10(ends[1]))
    return Scale(path, name, "linear", *ends)


def _locator(objective: Objective, values: Sequence[float]) -> Locator:
    from matplotlib.ticker import FixedLocator, MaxNLocator

    if by_magnitude(objective, values):
        return FixedLocator(_magnitudes(min(values), max(values)))
    return MaxNLocator(TICKS, steps=ROUND)


def _formatter(objective: Objective) -> Formatter:
    """Matplotlib's own writes orders of magnitude as formulas, which the style has turned off."""
    from matplotlib.ticker import FuncFormatter

    if is_percentage(objective.metric):
        return FuncFormatter(lambda tick, _: f"{number(100 * tick)}\N{NO-BREAK SPACE}%")
    return FuncFormatter(lambda tick, _: number(tick))


def _magnitudes(low: float, high: float) -> list[float]:
    """Round numbers between two positive ones, at most TICKS, or those two where there are no two round ones."""
    orders = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits, step in (((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 3), ((1,), 5)):
        values = [digit * 10.0**order for order in orders[::step] for digit in digits]
        inside = _inside(values, low, high)
        if len(inside) <= TICKS:
            return inside if len(inside) > 1 else [low, high]
    return [low, high]


def _inside(ticks: Iterable[float], low: float, high: float) -> list[float]:
    """Those between the ends, both of which count, however they were rounded."""
    slack = 1e-9 * (high - low)
    return [float(tick) for tick in ticks if low - slack <= tick <= high + slack]
