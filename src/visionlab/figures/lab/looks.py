"""What the pictures of labs have in common: colours of labels, and axes of measures."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from visionlab.config.lab import FigureConfig
from visionlab.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION
from visionlab.labs.lab import Lab
from visionlab.labs.measures.measure import Form

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# told apart without colours too: the style and the mark change with them
COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, "black", GREY)
STYLES = ("-", "--", "-.", ":")
CHARACTERS = 30  # of a name that fit beside an axis
CHARACTERS_PER_INCH, BESIDE = 11, 6  # of a name in a legend, and what its mark takes up
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")


def look(place: int) -> dict[str, Any]:
    """Colour, line and mark of the label at a place among its axis's."""
    colour, mark = COLOURS[place % len(COLOURS)], MARKS[place % len(MARKS)]
    return {"color": colour, "linestyle": STYLES[place % len(STYLES)], "marker": mark}


def prepare(axes: Axes, name: str, form: Form, log: bool = False) -> None:
    """Give the upright axis its name, in the first panel of a row, and ticks in the measure's form."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis, place = axes.yaxis, axes.get_subplotspec()
    if place is None or place.is_first_col():
        axis.set_label_text(textwrap.fill(name, CHARACTERS))
    if log:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        # within few orders of magnitude there may be no power of ten
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)) if high < 100 * low else LogLocator(numticks=7))
        axis.set_minor_formatter(NullFormatter())
    # matplotlib's own writes orders of magnitude as formulas, which the style has turned off
    if form == "share":
        axis.set_major_formatter(FuncFormatter(lambda tick, _: f"{100 * tick:.4g}\N{NO-BREAK SPACE}%"))
    elif log:
        axis.set_major_formatter(
            FuncFormatter(lambda tick, _: f"{tick:.0e}" if tick < 1e-3 or tick > 1e4 else f"{tick:g}")
        )


def legend(figure: Figure, name: str | None) -> None:
    """Below all panels, what the colours stand for: the labels of the axis `name`; nothing without one."""
    named: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, text in zip(*axes.get_legend_handles_labels(), strict=True):
            named.setdefault(text, handle)
    if name is not None:
        handles, texts = [*named.values()], [*named]
        widest = max(map(len, texts), default=0) + BESIDE
        columns = max(1, min(5, int(figure.get_figwidth() * CHARACTERS_PER_INCH / widest)))
        figure.legend(
            handles, texts, title=name, alignment="left", loc="outside lower left", ncols=columns, fontsize=10
        )


def titled(axis: str | None, label: str) -> str:
    """What a panel is called: a number says nothing without the name of its axis."""
    return f"{axis} {label}" if axis and label[:1].isdigit() else label


def parts(lab: Lab, config: FigureConfig, figure: Figure) -> Iterator[tuple[str, Axes]]:
    """A label of `config.panels` and its axes, one after the other; "" and the only axes without such an axis."""
    if config.panels is None:
        yield "", figure.subplots()
        return
    labels = lab.labels(config.panels, config.where)
    yield from zip(labels, panels(figure, [titled(config.panels, label) for label in labels]), strict=True)


def series(lab: Lab, config: FigureConfig) -> list[str]:
    """The labels that have a colour each; one "" where all have the same."""
    return lab.labels(config.by, config.where) if config.by else [""]


def selection(config: FigureConfig, panel: str, label: str) -> dict[str, tuple[str, ...]]:
    """What to select for one colour in one panel."""
    chosen = dict(config.where)
    if config.panels is not None:
        chosen[config.panels] = (panel,)
    if config.by is not None:
        chosen[config.by] = (label,)
    return chosen


def size(lab: Lab, config: FigureConfig) -> tuple[float, float]:
    """Width and height in inches that suit the number of panels."""
    count = len(lab.labels(config.panels, config.where)) if config.panels else 1
    return 7 if count == 1 else 9, 4.2 if count <= 3 else 6.4


def panels(figure: Figure, labels: Sequence[str], abreast: int = 3) -> list[Axes]:
    """Axes for each label, which have the same scale, titled with it."""
    columns = min(abreast, len(labels))
    lines = -(-len(labels) // columns)
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    found = list(grid.flat)
    for axes in found[len(labels) :]:
        axes.remove()
    for axes, label in zip(found, labels, strict=False):
        axes.set_title(label)
    return found[: len(labels)]
