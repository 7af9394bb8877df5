"""The part `methods` of bench_transfer.py: CIFAR-10 from scratch, by a linear probe and by a fine-tune."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench_lib import print_table
from transfer_runs import Course, train

from visionlab.figures.files import drawing
from visionlab.figures.style import BLUE, GREEN, VERMILION, percent

# what it is called in the picture -> its experiment, its colour
METHODS = {
    "from scratch": ("cifar10_cnn", BLUE),
    "linear probe": ("cifar10_transfer", VERMILION),
    "fine-tuned": ("cifar10_finetune", GREEN),
}


def measure_methods(pictures: Path | None) -> None:
    """Train each, one after the other, and draw accuracy against time."""
    with tempfile.TemporaryDirectory() as name:
        courses = {
            method: train([f"experiment={experiment}"], Path(name) / experiment)
            for method, (experiment, _) in METHODS.items()
        }
    print("\nCIFAR-10, from the start of the run to its last validation, features included")
    rows = [
        (
            method,
            METHODS[method][0],
            f"{course.seconds[-1]:.0f} s",
            percent(course.validation[-1], 2),
            percent(course.test, 2),
        )
        for method, course in courses.items()
    ]
    print_table(["method", "experiment", "time", "validation", "test"], rows)
    if pictures is not None:
        picture = pictures / "cifar10_transfer.png"
        _draw(courses, picture)
        print(f"drawn in {picture}")


def _draw(courses: dict[str, Course], file: Path) -> None:
    with drawing(file, "CIFAR-10: accuracy against training time", 7.5, 4.2) as figure:
        axes = figure.add_subplot()
        for method, course in courses.items():
            x, y = course.seconds, [100 * share for share in course.validation]
            axes.plot(x, y, marker="o", color=METHODS[method][1])
            # a curve is named at its side, single points above
            is_curve = x[-1] - x[0] > 30
            place, offset = ((x[-3], y[-3]), (10, -6)) if is_curve else ((x[-1], y[-1]), (8, 6))
            axes.annotate(
                f"{method}, test {percent(course.test)}",
                place,
                offset,
                textcoords="offset points",
                color=METHODS[method][1],
                va="top" if is_curve else "bottom",
                ha="left" if is_curve else "right",
            )
        axes.set(xlabel="seconds of training, features and validation included", ylabel="validation accuracy [%]")
        axes.set_xlim(left=0)
        axes.grid(axis="y", alpha=0.3)
