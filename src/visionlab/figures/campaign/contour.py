"""The outcome over the two most important settings together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visionlab.campaigns.results import Child, Results
from visionlab.campaigns.words import capital, metric, said, setting, value
from visionlab.comparison.measures import is_percentage
from visionlab.config.search import Objective
from visionlab.figures.campaign.axes import SIDES, Scale, add_bar, by_magnitude, colouring, scales, write_ticks
from visionlab.figures.campaign.numbers import save_children
from visionlab.figures.files import drawing
from visionlab.figures.style import VERMILION, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

FEWEST = 4  # runs that have both settings
ENOUGH = 12  # different points, between which colours are interpolated
LEVELS = 12  # of colour
FLAT = 0.05  # of its length, the width of a cloud of points that is as good as a line
MOST_CELLS = 12  # along a side of a heat map
DARK = 0.5  # luminance of a colour on which text is white


@dataclass(frozen=True)
class Plane:
    """The different points that runs have tried of two settings.

    Attributes:
        scales: of the settings, across and up.
        points: (m, 2) their places.
        means: (m,) of the runs at each point.
        examples: m of these runs.
        runs: how many there are in all.
    """

    scales: Sequence[Scale]
    points: np.ndarray
    means: np.ndarray
    examples: Sequence[Child]
    runs: int

    @property
    def is_grid(self) -> bool:
        """Whether each pair of values is a cell: where both are names, or every pair of a few numbers was tried."""
        sides = [len(np.unique(self.points[:, side])) for side in (0, 1)]
        is_full = min(sides) > 1 and len(self.points) == sides[0] * sides[1]
        return max(sides) <= MOST_CELLS and (is_full or all(scale.kind == "categorical" for scale in self.scales))

    @property
    def is_dense(self) -> bool:
        """Whether values between the points can be told: both are numbers, and there are enough that span a plane."""
        if len(self.points) < ENOUGH or any(scale.kind == "categorical" for scale in self.scales):
            return False
        shares = self.shares()
        length, width = np.linalg.svd(shares - shares.mean(axis=0), compute_uv=False)
        return bool(width > FLAT * length and self.means.min() < self.means.max())

    def shares(self) -> np.ndarray:
        """(m, 2) how far along the axes the points are, from 0 to 1."""
        return np.column_stack([scale.shares(self.points[:, side]) for side, scale in enumerate(self.scales)])


def save_contour(results: Results, folder: Path) -> list[Path]:
    """Write `contour.png` and `contour.csv`, if four runs or more have two settings that differ; the files, or none.

    Args:
        folder: created if it is not there.
    """
    plane, objective = _plane(results), results.objectives[0]
    if plane is None:
        return []
    means = plane.means.tolist()
    colours = colouring(objective, means)
    picture = folder / "contour.png"
    with drawing(picture, _title(plane, objective), 6.6, 5.0) as figure:
        axes = figure.subplots()
        if plane.is_grid:
            _cells(axes, plane, colours, objective)
        else:
            if plane.is_dense:
                _interpolated(axes, plane, colours, by_magnitude(objective, means))
            _marks(axes, plane, colours, objective)
        add_bar(figure, axes, colours, objective, means)
    return [picture, save_children(folder / "contour.csv", results)]


def _plane(results: Results) -> Plane | None:
    settings = scales(results)[:2]
    children = [child for child in results.measured() if all(scale.path in child.settings for scale in settings)]
    if len(settings) < 2 or len(children) < FEWEST:
        return None
    places = np.column_stack([scale.places(children) for scale in settings])
    points, first, which = np.unique(places, axis=0, return_index=True, return_inverse=True)
    sums = np.bincount(which.ravel(), weights=[child.values[0] for child in children])
    means = sums / np.bincount(which.ravel())
    return Plane(settings, points, means, [children[i] for i in first], len(children))


def _best(plane: Plane, objective: Objective) -> int:
    return int(plane.means.argmax() if objective.direction == "maximize" else plane.means.argmin())


def _title(plane: Plane, objective: Objective) -> str:
    best = _best(plane, objective)
    what = metric(objective.metric)
    what = capital(what) if len(plane.points) == plane.runs else f"Mean {what}"
    settings = said(plane.examples[best].settings, {scale.path: scale.name for scale in plane.scales})
    return f"{what} is best, {value(objective.metric, float(plane.means[best]))}, at {settings}"


def _cells(axes: Axes, plane: Plane, colours: ScalarMappable, objective: Objective) -> None:
    """A heat map with numbers; a pair that has no run yet is blank."""
    sides = [np.unique(plane.points[:, side], return_index=True, return_inverse=True) for side in (0, 1)]
    (across, _, column), (up, _, row) = sides
    axes.set(xlim=(-0.5, len(across) - 0.5), ylim=(-0.5, len(up) - 0.5))
    shades = np.full((len(up), len(across), 4), 1.0)
    shades[row, column] = colours.to_rgba(plane.means)
    axes.imshow(shades, origin="lower", aspect="auto")
    for x, y, mean in zip(column, row, plane.means, strict=True):
        text = f"{100 * mean:.1f}" if is_percentage(objective.metric) else f"{mean:.3g}"
        luminance = shades[y, x, :3] @ (0.299, 0.587, 0.114)
        axes.text(x, y, text, ha="center", va="center", fontsize=10, color="white" if luminance < DARK else "black")
    for side, scale, (places, examples, _) in zip(SIDES, plane.scales, sides, strict=True):
        texts = [shorten(setting(plane.examples[i].settings[scale.path]), 14) for i in examples]
        axes.set(**{f"{side}label": scale.name})
        write_ticks(axes, side, range(len(places)), texts)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _interpolated(axes: Axes, plane: Plane, colours: ScalarMappable, magnitudes: bool) -> None:
    """Colours between the points, linear in triangles of neighbours; none beyond the outermost."""
    from matplotlib.colors import Normalize
    from matplotlib.tri import Triangulation

    # nearest by the picture, not by the units of the settings
    triangles = Triangulation(*plane.shares().T).triangles
    heights = np.log(plane.means) if magnitudes else plane.means
    low, high = heights.min(), heights.max()
    levels, norm = np.linspace(low, high, LEVELS), Normalize(low, high)
    x, y = plane.points.T
    axes.tricontourf(Triangulation(x, y, triangles), heights, levels, cmap=colours.cmap, norm=norm)


def _marks(axes: Axes, plane: Plane, colours: ScalarMappable, objective: Objective) -> None:
    x, y = plane.points.T
    axes.scatter(x, y, c=colours.to_rgba(plane.means), edgecolors="white", linewidths=0.8, s=42, zorder=3)
    best = _best(plane, objective)
    axes.scatter(x[best], y[best], s=120, facecolors="none", edgecolors=VERMILION, linewidths=2, zorder=4)
    for side, scale in zip(SIDES, plane.scales, strict=True):
        scale.prepare(axes, side)
