"""Settings of a search: what varies, what is sought, how, and how long."""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from visionlab.comparison.measures import less_is_better
from visionlab.config.base import NAME, Section
from visionlab.config.lab import Choice
from visionlab.config.suggest import did_you_mean

Number = int | float
# what validation measures, beside top-k accuracy; and what is only known of a run as a whole
VALIDATION = (
    "accuracy",
    "precision",
    "recall",
    "specificity",
    "false_positive_rate",
    "f1",
    "roc_auc",
    "calibration_error",
    "loss",
)
COSTS = ("model.parameters", "training_seconds", "latency_ms")
LEAVES = ("float", "int", "choices")


class Parameter(Section):
    """What one setting of the runs may be in a search.

    One of `float` (least and greatest value), `int` (the same) and `choices` says which values; `when` restricts the
    parameter to some values of others, which stand before it, as in ``when: {optimizer: muon}``.
    """

    float_: tuple[float, float] | None = Field(None, alias="float", description="least and greatest value")
    int_: tuple[int, int] | None = Field(None, alias="int", description="least and greatest value")
    choices: tuple[Choice, ...] | None = Field(None, min_length=1)
    log: bool = Field(False, description="search by orders of magnitude")
    step: float | None = Field(None, gt=0, description="only values at this distance from each other")
    when: dict[str, tuple[Choice, ...]] = Field({}, description="other parameters, and their values that this is for")

    @field_validator("when", mode="before")
    @classmethod
    def _single_values_are_lists(cls, when: Any) -> Any:
        if not isinstance(when, dict):
            return when
        return {path: value if isinstance(value, list | tuple) else [value] for path, value in when.items()}

    @model_validator(mode="after")
    def _one_kind_of_values(self) -> Parameter:
        given = [name for name in LEAVES if getattr(self, "choices" if name == "choices" else f"{name}_") is not None]
        if len(given) != 1:
            raise ValueError(f"expected one of float, int and choices, given {' and '.join(given) or 'none of them'}")
        bounds = self.bounds
        if bounds is None:
            if self.log or self.step is not None:
                raise ValueError("log and step are for float and int, not for choices")
            return self
        if bounds[0] > bounds[1]:
            raise ValueError(f"expected the least value before the greatest, given {list(bounds)}")
        if self.log and (bounds[0] <= 0 or self.step is not None):
            raise ValueError("log needs values above 0, and no step")
        if self.int_ is not None and self.step is not None and self.step != int(self.step):
            raise ValueError(f"expected a whole step between whole numbers, given {self.step}")
        return self

    @property
    def bounds(self) -> tuple[Number, Number] | None:
        """Least and greatest value; None for choices."""
        return self.float_ if self.float_ is not None else self.int_

    def extremes(self) -> tuple[Choice, ...]:
        """The values that are most likely to break a rule: all choices, or the two ends."""
        return self.choices if self.choices is not None else tuple(dict.fromkeys(self.bounds or ()))

    def values(self) -> tuple[Choice, ...] | None:
        """Every value, where they can be counted: those of choices, of whole numbers, and of steps."""
        if self.choices is not None:
            return self.choices
        assert self.bounds is not None
        low, high = self.bounds
        if self.int_ is not None and not self.log:
            return tuple(range(int(low), int(high) + 1, int(self.step or 1)))
        if self.step is None:
            return None
        count = int((high - low) / self.step + 1e-9) + 1
        return tuple(min(high, round(low + i * self.step, 12)) for i in range(count))


class Objective(Section):
    """A metric that is to become large or small."""

    metric: str = Field(
        "val/accuracy",
        description="val/… at the epoch that is chosen, model.parameters, training_seconds, or latency_ms of one image",
    )
    direction: Literal["maximize", "minimize"] = Field(
        "maximize", description="by default what is better of the metric"
    )

    @model_validator(mode="before")
    @classmethod
    def _what_is_better(cls, content: Any) -> Any:
        metric = content.get("metric") if isinstance(content, dict) else None
        if isinstance(metric, str) and "direction" not in content and (metric in COSTS or less_is_better(metric)):
            return content | {"direction": "minimize"}
        return content

    @field_validator("metric")
    @classmethod
    def _known_and_not_of_the_test_set(cls, metric: str) -> str:
        known = [*(f"val/{name}" for name in VALIDATION), *COSTS]
        if metric not in known and not re.fullmatch(r"val/top\d+_accuracy", metric):
            hint = did_you_mean(metric, known) or f"; there are {', '.join(known)}"
            raise ValueError(f"expected a metric of validation or a cost, given {metric!r}{hint}")
        return metric


class StorageConfig(Section):
    """Where the state of a campaign is kept."""

    storage: str | None = Field(
        None, description="address of a database that several machines share; by default runs/campaigns.db"
    )

    @field_validator("storage")
    @classmethod
    def _no_password(cls, storage: str | None) -> str | None:
        parts = urlsplit(storage or "")
        if parts.password or "password" in parts.query:
            raise ValueError(
                "expected an address without a password, which would be recorded; set PGPASSWORD in the environment, "
                "or use ~/.pgpass"
            )
        return storage


class StudyConfig(StorageConfig):
    """A search: what varies, what is sought, how, and how long."""

    name: str = Field(pattern=NAME, description="of the campaign, unless campaign.name says another")
    experiment: str | None = Field(None, description="of conf/experiment/, that all runs build on")
    overrides: tuple[str, ...] = Field((), description="of all runs, as on the command line, which may say otherwise")
    space: dict[str, Parameter] = Field(min_length=1, description="by dotted path")
    objectives: tuple[Objective, ...] = Field((Objective(),), min_length=1, max_length=3)
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    pruner: Literal["median", "hyperband", "none"] = "median"
    trials: int = Field(20, ge=1, description="configurations to try in all; of a grid all its points")
    minutes: float | None = Field(None, gt=0, description="begin no further run after this time")
    seed: int = Field(0, ge=0, lt=2**32, description="of the sampler")

    @field_validator("space", mode="before")
    @classmethod
    def _dotted_paths(cls, space: Any) -> Any:
        """Entries may be nested as in an experiment, or named by dotted path; the latter give way."""
        return _flatten(space) if isinstance(space, dict) else space

    @model_validator(mode="after")
    def _conditions_on_earlier_parameters(self) -> StudyConfig:
        known: list[str] = []
        for path, parameter in self.space.items():
            for other, values in parameter.when.items():
                if other not in known:
                    raise ValueError(f"space.{path}: when: expected a parameter that stands before it, given {other}")
                foreign = [value for value in values if value not in (self.space[other].choices or ())]
                if foreign:
                    raise ValueError(f"space.{path}: when: {other}: expected some of its choices, given {foreign[0]!r}")
            known.append(path)
        return self

    @model_validator(mode="after")
    def _grid_of_countable_values(self) -> StudyConfig:
        for path, parameter in self.space.items():
            if self.sampler == "grid" and parameter.values() is None:
                raise ValueError(f"space.{path}: sampler grid needs choices, int or step, for its points to be counted")
        return self

    @model_validator(mode="after")
    def _pruning_by_one_metric_of_validation(self) -> StudyConfig:
        if self.pruner != "none" and len(self.objectives) > 1:
            raise ValueError("pruner: expected none with several objectives, of which no run is the worse one")
        if self.pruner != "none" and not self.objectives[0].metric.startswith("val/"):
            raise ValueError(f"pruner: expected none, as {self.objectives[0].metric} is only known at the end of a run")
        return self


def _flatten(space: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in space.items():
        path = f"{prefix}{key}"
        if not isinstance(value, dict) or any(leaf in value for leaf in LEAVES):
            flat[path] = flat.get(path, {}) | value if isinstance(value, dict) else value
        else:
            flat |= _flatten(value, f"{path}.")
    return flat
