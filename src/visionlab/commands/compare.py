"""`visionlab compare RUN RUN…`: what differs between runs in settings and results, and what of it is chance."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from visionlab import project
from visionlab.tracking.catalog import find, find_run, is_campaign

if TYPE_CHECKING:
    from pathlib import Path

    from visionlab.comparison.sides import Side
    from visionlab.comparison.verdict import Verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Compare runs with the first one: settings, code and machine, validation and test results. Differences on\n"
        "the same test images come with a bootstrap interval and McNemar's test. Writes a picture of the curves and\n"
        "of what differs in the confusion matrices. Campaigns of `repeat` or `crossval` are compared by their means."
    )
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="a run id, a unique prefix, last, or best; two or more, the first is A"
    )


def run(arguments: argparse.Namespace) -> None:
    named = [find(project.runs(), name) for name in arguments.runs]
    if all(is_campaign(one.start()) for one in named):
        from visionlab.campaigns.contrast import contrast

        print("\n".join(contrast(named)))
        return
    found = [find_run(project.runs(), one.id) for one in named]
    from visionlab.comparison.sides import sides, why_not_the_same_test_images
    from visionlab.comparison.text import describe
    from visionlab.comparison.verdict import verdicts

    first, *others = compared = sides(found)
    without = {side.letter: "was not tested" for side in compared if side.predictions is None}
    tested = [side for side in others if first.predictions is not None and side.predictions is not None]
    comparable = []
    for side in tested:
        why = why_not_the_same_test_images(first, side)
        if why is None:
            comparable.append(side)
        else:
            without[side.letter] = f"was not tested on the images of {first.letter}, so there are no intervals: {why}"
    judged = verdicts(first, comparable)
    for line in describe(compared, judged, without):
        print(line)
    print(f"\npicture   {_draw(compared, judged)}")


def _draw(compared: list[Side], judged: list[Verdict]) -> Path:
    """Draw the picture into the folder of the first run."""
    from visionlab.comparison.curves import course
    from visionlab.comparison.verdict import headline
    from visionlab.figures.comparison import save_comparison

    first = compared[0]
    prefixes = [side.run.id.partition("-")[0] for side in compared]
    return save_comparison(
        "; ".join(map(headline, judged[:3])) or f"The course of {len(compared)} runs",
        [f"{side.letter} {side.run.id}" for side in compared],
        course([side.run for side in compared]),
        first.classes if judged else [],
        [(f"confusion, {one.second.letter} minus {one.first.letter}", one.changes) for one in judged],
        first.run.path / "comparisons" / f"{'_'.join(prefixes)}.png",
    )
