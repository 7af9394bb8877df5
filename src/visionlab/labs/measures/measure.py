"""What a run of a lab is measured by."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from visionlab.figures.style import percent
from visionlab.labs.trained import Trained
from visionlab.reports.words import duration

Form = Literal["share", "number", "magnitude", "count", "seconds"]


@dataclass(frozen=True)
class Measure:
    """A number of a run.

    Attributes:
        words: what it is, as in the middle of a sentence.
        of: finds it; None where the run has not measured it.
        over: of measures that several runs have together: finds all of them, of runs that are compared.
        form: how it is written: as percent, plainly, by its order of magnitude, as a whole number, or as a time.
    """

    words: str
    of: Callable[[Trained], float | None] = lambda run: None
    form: Form = "number"
    over: Callable[[Sequence[Trained]], list[float]] | None = None

    def values(self, runs: Sequence[Trained]) -> list[float]:
        """What some runs have measured; NaN for those that have not."""
        if self.over is not None:
            return self.over(runs)
        return [math.nan if (value := self.of(run)) is None else value for run in runs]

    def written(self, value: float) -> str:
        """A value in words."""
        if not math.isfinite(value):
            return "undefined" if math.isnan(value) else "infinite"
        match self.form:
            case "share":
                return percent(value, 2)
            case "magnitude":
                return f"{value:.1e}"
            case "count":
                return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"
            case "seconds":
                return duration(value)
            case "number":
                return f"{value:.4g}"

    def pair(self, first: float, joint: str, second: float) -> str:
        """Two values, such as `91.20 ± 0.45 %`."""
        if self.form == "share" and math.isfinite(first):
            return f"{100 * first:.2f} {joint} {self.written(second)}"
        return f"{self.written(first)} {joint} {self.written(second)}"

    def gap(self, value: float) -> str:
        """A difference of two values in words; of shares in points."""
        return f"{100 * value:+.2f} points" if self.form == "share" else f"{value:+.3g}"
