"""Which settings the outcome depends on (fANOVA, Hutter et al. 2014)."""

from __future__ import annotations

from pathlib import Path

from visionlab.campaigns.results import Results
from visionlab.campaigns.words import metric, names
from visionlab.figures.files import drawing, save_table
from visionlab.figures.style import BLUE, GREY, SKY, percent, shorten

MOST = 15  # settings that are drawn
CHARACTERS = 28
STANDS_OUT = 0.5  # share of the variation


def save_importance(results: Results, folder: Path) -> list[Path]:
    """Write `importance.png`, the most important setting at the top, and `importance.csv`; or neither.

    Args:
        folder: created if it is not there.

    Returns:
        The two files; none where the importance of at least two settings is not known.
    """
    if len(results.importance) < 2:
        return []
    called = names(results.importance)
    shown = [*results.importance.items()][:MOST]
    picture = folder / "importance.png"
    with drawing(picture, _title(results, called), 7, 0.34 * len(shown) + 1.3) as figure:
        axes = figure.subplots()
        shares = [share for _, share in shown]
        bars = axes.barh(range(len(shown)), shares, color=[BLUE, *[SKY] * (len(shown) - 1)])
        axes.bar_label(bars, [percent(share, 0) for share in shares], padding=4, color=GREY, fontsize=10)
        axes.set(xlim=(0, 1.1 * max(shares) or 1), ylim=(len(shown) - 0.4, -0.6))
        axes.set_yticks(range(len(shown)), [shorten(called[path], CHARACTERS) for path, _ in shown])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"share of the variation in {metric(results.objectives[0].metric)}")
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
    rows = ([path, f"{share:.6f}"] for path, share in results.importance.items())
    return [picture, save_table(folder / "importance.csv", ["setting", "importance"], rows)]


def _title(results: Results, called: dict[str, str]) -> str:
    (first, share), (second, next_share), *_ = results.importance.items()
    what = metric(results.objectives[0].metric)
    if share >= STANDS_OUT:
        return f"Most of the variation in {what} goes with {shorten(called[first], CHARACTERS)}: {percent(share, 0)}"
    parts = f"{shorten(called[first], CHARACTERS)} {percent(share, 0)}, {shorten(called[second], CHARACTERS)}"
    return f"No one setting makes {what}: {parts} {percent(next_share, 0)} of the variation"
