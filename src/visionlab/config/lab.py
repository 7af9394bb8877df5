"""Settings of labs: small controlled comparisons, each with a question, a picture and an effect that is to be seen."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from visionlab.config.base import Section

Choice = str | int | float | bool | None | tuple[Any, ...]


def _several(content: Any) -> Any:
    """One label stands for a list of one."""
    if not isinstance(content, dict):
        return content
    return {axis: labels if isinstance(labels, list | tuple) else [labels] for axis, labels in content.items()}


Settings = dict[str, Choice]
Label = str | float
Selection = Annotated[
    dict[str, tuple[str, ...]],
    BeforeValidator(_several, json_schema_input_type=dict[str, Label | list[Label]]),
]


class RunsConfig(Section):
    """Some of a lab's runs: every combination of one label of each axis, each with several seeds."""

    settings: Settings = Field({}, description="of all of them, by dotted path or group")
    axes: dict[str, dict[str, Settings]] = Field(
        {}, description="what varies: by name of the axis and label, the settings"
    )
    repeats: dict[str, Annotated[int, Field(ge=1)]] = Field(
        {"seed": 3}, description="settings that take the values 0, 1, … so many times, to see what is chance"
    )


class EffectConfig(Section):
    """What the numbers are expected to show.

    Without `than`, a bound that runs keep by themselves; with it, how far the mean of some runs lies above that of
    others.
    """

    says: str = Field(min_length=1, description="the effect, as a sentence without its full stop")
    measure: str
    where: Selection = Field({}, description="the labels of the runs that it is about, by axis; others may be any")
    than: Selection | None = Field(
        None, description="labels of the runs that these are compared with, where they differ"
    )
    at_least: float | None = None
    at_most: float | None = None
    share: float = Field(1.0, gt=0, le=1, description="of the runs that have to keep the bound, without `than`")

    @model_validator(mode="after")
    def _one_bound(self) -> EffectConfig:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("expected one of at_least and at_most")
        if self.than is not None and self.share < 1:
            raise ValueError("share: is for bounds of single runs, and `than` compares means")
        return self


FigureKind = Literal[
    "curves",
    "lines",
    "bars",
    "network",
    "surface",
    "regions",
    "updates",
    "layers",
    "profile",
    "recalls",
    "confusions",
    "averages",
]


# what a kind cannot be drawn without
_NEEDED: dict[str, tuple[str, ...]] = {
    "lines": ("measure", "x"),
    "bars": ("measure", "x"),
    "layers": ("measure", "panels"),
    "profile": ("measure", "by"),
    "averages": ("x", "panels"),
    "recalls": ("panels", "by"),
    "confusions": ("panels",),
    "regions": ("panels",),
    "updates": ("panels",),
}


class FigureConfig(Section):
    """A picture of a lab."""

    kind: FigureKind
    name: str = Field(pattern=r"^[a-z][a-z_]*$", description="of its file")
    title: str = Field(min_length=1)
    measure: str | None = Field(None, description="what is drawn upwards; of curves a metric of the journal")
    x: str | None = Field(None, description="the axis that is drawn from left to right")
    by: str | None = Field(None, description="the axis that has a colour for each label")
    panels: str | None = Field(None, description="the axis that has a panel for each label")
    where: Selection = Field({}, description="the labels of the runs that are drawn, by axis")
    log: bool = Field(False, description="draw by orders of magnitude")
    caption: str = ""

    @model_validator(mode="after")
    def _whole(self) -> FigureConfig:
        missing = [field for field in _NEEDED.get(self.kind, ()) if getattr(self, field) is None]
        if missing:
            raise ValueError(f"expected {' and '.join(missing)} for a picture of the kind {self.kind}")
        return self


class LabConfig(Section):
    """A lab."""

    name: str = Field(pattern=r"^[a-z][a-z-]*$")
    title: str = Field(min_length=1)
    question: str = Field(min_length=1, description="in one sentence")
    look_at: str = Field(min_length=1, description="where to look in the pictures and the table")
    explains: str = Field("", description="why it is so, where numbers alone do not say it")
    overrides: tuple[str, ...] = Field((), description="of all runs, as on the command line, which may say otherwise")
    runs: tuple[RunsConfig, ...] = Field(min_length=1)
    measures: tuple[str, ...] = Field(min_length=1, description="the columns of the table")
    figures: tuple[FigureConfig, ...] = Field(min_length=1)
    effects: tuple[EffectConfig, ...] = Field(min_length=1)
    full: bool = Field(False, description="the real sizes instead of those that are done in minutes")
    tiny: bool = Field(False, description="a look at how it works, too small to show anything")
    full_overrides: tuple[str, ...] = Field((), description="added to the overrides with full=true")
    tiny_overrides: tuple[str, ...] = Field((), description="added to the overrides with tiny=true")
    full_repeats: Annotated[int, Field(ge=1)] = Field(1, description="times as many repeats with full=true")

    @model_validator(mode="after")
    def _one_size(self) -> LabConfig:
        if self.full and self.tiny:
            raise ValueError("full: expected one of full and tiny")
        return self

    @model_validator(mode="after")
    def _axes_that_there_are(self) -> LabConfig:
        labels: dict[str, set[str]] = {}
        for runs in self.runs:
            for axis, options in runs.axes.items():
                labels.setdefault(axis, set()).update(options)
        chosen = [
            (f"effects.{place}", part) for place, effect in enumerate(self.effects) for part in _selections(effect)
        ]
        chosen += [(f"figures.{place}", figure.where) for place, figure in enumerate(self.figures)]
        for path, selection in chosen:
            for axis, wanted in selection.items():
                foreign = [label for label in wanted if label not in labels.get(axis, ())]
                if foreign:
                    there = ", ".join(sorted(labels.get(axis, ()))) or f"no axis {axis}"
                    raise ValueError(f"{path}: {axis}: expected a label of the runs ({there}), given {foreign[0]}")
        for place, figure in enumerate(self.figures):
            for axis in filter(None, (figure.x, figure.by, figure.panels)):
                if axis not in labels:
                    raise ValueError(f"figures.{place}: expected one of the axes {', '.join(labels)}, given {axis}")
        return self

    @property
    def size(self) -> Literal["full", "fast", "tiny"]:
        """Which of its sizes it is done in."""
        return "full" if self.full else "tiny" if self.tiny else "fast"

    @property
    def size_overrides(self) -> tuple[str, ...]:
        """The overrides of all runs at the size that was chosen; its own take the place of the others."""
        added = self.full_overrides if self.full else self.tiny_overrides if self.tiny else ()
        replaced = {word.partition("=")[0] for word in added}
        return (*(word for word in self.overrides if word.partition("=")[0] not in replaced), *added)


def _selections(effect: EffectConfig) -> list[dict[str, tuple[str, ...]]]:
    return [effect.where, *([effect.than] if effect.than is not None else [])]
