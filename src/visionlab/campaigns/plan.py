"""What a campaign is to do, worked out from the command line and checked before its first run."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any, cast

from visionlab import project
from visionlab.campaigns.cells import Cell, cells_of, space_of
from visionlab.campaigns.results import Child, label
from visionlab.campaigns.space import Base, Settings, check_each, check_space, corners
from visionlab.config.campaign import (
    CAMPAIGNS,
    CampaignConfig,
    CrossvalConfig,
    GridConfig,
    LabsConfig,
    Objective,
    Parameter,
    RepeatConfig,
    TuneConfig,
)
from visionlab.config.compose import compose_config, sweeps
from visionlab.config.defaults import options
from visionlab.config.lab import LabConfig
from visionlab.config.resolved import check, flatten
from visionlab.config.suggest import did_you_mean
from visionlab.errors import ConfigError
from visionlab.labs.measures import MEASURES

CONFIGS = {config.kind: config for config in CAMPAIGNS}
AnyConfig = TuneConfig | CrossvalConfig | RepeatConfig | GridConfig | LabsConfig
CHOSEN = {"tune": "study", "lab": "lab"}  # what the words of a command have to choose
LONGEST_NAME = 100
# settings of a run that say where and how it is carried out, not what comes out
INCIDENTAL = ("name", "tracking", "trainer.accelerator", "trainer.devices", "trainer.num_nodes", "trainer.strategy")


@dataclass(frozen=True)
class Plan:
    """A campaign that is to be carried out.

    Attributes:
        kind: the command.
        name: the campaign's id.
        base: what all runs have in common.
        space: what the runs differ in.
        objectives: what they are judged by.
        proposals: the configurations, where they are known beforehand; None where they are searched for.
        total: how many there are to be.
        pruner: median, hyperband or none.
        seed: of the search.
        minutes: after which no further run begins.
        storage: address of the study's database.
        carrying_out: how.
        lab: that the runs are of, and
        cells: what each of its proposals is called there.
    """

    kind: str
    name: str
    base: Base
    space: dict[str, Parameter]
    objectives: tuple[Objective, ...]
    proposals: tuple[Settings, ...] | None
    total: int
    carrying_out: CampaignConfig
    storage: str | None = None
    sampler: str = "grid"
    pruner: str = "none"
    seed: int = 0
    minutes: float | None = None
    lab: LabConfig | None = None
    cells: tuple[Cell, ...] = ()

    def title(self, child: Child) -> str:
        """What a run is called in MLflow."""
        return f"{child.number:03} {self.cells[child.proposal]}" if self.cells else label(child)

    @property
    def threads(self) -> int | None:
        """Of the processor, for each run; None leaves the choice to the run, which has the machine for itself."""
        if self.carrying_out.workers == 1 or self.carrying_out.launcher != "local":
            return None
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, cores // self.carrying_out.workers)

    def definition(self) -> dict[str, Any]:
        """What makes this campaign another one if it is changed; how long it goes on is not among it."""
        base = flatten(self.base.config().model_dump(mode="json"))
        kept = {
            path: value for path, value in base.items() if not path.startswith(INCIDENTAL) and path not in self.space
        }
        content: dict[str, Any] = {
            "kind": self.kind,
            "base": kept,
            "space": {
                path: parameter.model_dump(mode="json", by_alias=True, exclude_defaults=True)
                for path, parameter in self.space.items()
            },
            "objectives": [objective.model_dump() for objective in self.objectives],
            "sampler": self.sampler,
            "pruner": self.pruner,
            "seed": self.seed,
        }
        if self.kind == "repeat":
            del content["space"]  # more seeds are more of the same
        elif self.cells:
            settings = json.dumps([cell.settings for cell in self.cells], sort_keys=True)
            content["runs"] = f"{self.total} ({hashlib.sha256(settings.encode()).hexdigest()[:8]})"
        return content


def make_plan(kind: str, overrides: list[str]) -> Plan:
    """The plan that a command's words make.

    Raises:
        ConfigError: with one line for each mistake, in the campaign's settings, the runs' and the search space.
    """
    schema = CONFIGS[kind]
    own = [word for word in overrides if _key(word).partition(".")[0] in schema.model_fields]
    others = [word for word in overrides if word not in own]
    axes, rest = sweeps(others) if kind == "grid" else ({}, others)
    if kind == "grid" and not axes:
        raise ConfigError(["grid: expected settings with several values, as in model.width=32,64, given none"])
    composed = compose_config(project.conf(), schema.file, _replacing_the_space(own))
    group = CHOSEN.get(kind)
    if group is not None and not composed.values.get(group):
        names = ", ".join(options(project.conf(), group))
        none_given = f"{group}: expected one of {names}, given none [set it with {group}=…]"
        raise ConfigError(list(composed.mistakes) or [none_given])
    config = cast(AnyConfig, check(schema, composed))
    words, rest = rest, _with_its_own(config, rest)
    # what a lab itself says of all runs may vary among some of them
    _check_words(config, words if isinstance(config, LabsConfig) else rest, axes)
    plan = _plan(config, rest, axes)
    _check_runs(plan)
    if plan.cells:
        check_each(plan.base, [cell.settings for cell in plan.cells if not cell.repetition])
    else:
        check_space(plan.base, plan.space)
    return plan


def proposals_of(space: dict[str, Parameter]) -> tuple[Settings, ...]:
    """Every point of a grid."""
    return tuple(corners(space, every_value=True))


def _plan(config: AnyConfig, overrides: list[str], axes: dict[str, tuple[Any, ...]]) -> Plan:
    accuracy = (Objective(),)
    shared: dict[str, Any] = {"kind": config.kind, "carrying_out": config.campaign, "storage": config.study.storage}
    match config:
        case TuneConfig(study=study):
            base, space = Base(overrides), dict(study.space)
            proposals = None
            total = study.trials
            if study.sampler == "grid":
                proposals = proposals_of(space)
                total = len(proposals)
            elif study.sampler == "random":
                from visionlab.campaigns.distributions import draw

                proposals = tuple(draw(space, total, study.seed))
            return Plan(
                **shared,
                name=config.campaign.name or f"tune-{study.name}",
                base=base,
                space=space,
                objectives=study.objectives,
                proposals=proposals,
                total=total,
                sampler=study.sampler,
                pruner=study.pruner,
                seed=study.seed,
                minutes=study.minutes,
            )
        case CrossvalConfig(folds=folds):
            base = Base([*overrides, f"data.folds={folds}"])
            space = {"data.fold": Parameter(int=(0, folds - 1))}
        case RepeatConfig(seeds=seeds):
            base = Base(overrides)
            first = base.config().seed
            space = {"seed": Parameter(int=(first, first + seeds - 1))}
        case LabsConfig(lab=lab):
            _check_measures(lab)
            cells = cells_of(lab)
            size = "-full" if lab.full else "-tiny" if lab.tiny else ""
            return Plan(
                **shared,
                name=config.campaign.name or f"lab-{lab.name}{size}",
                base=Base(overrides),
                space=space_of(cells),
                objectives=accuracy,
                proposals=tuple(cell.settings for cell in cells),
                total=len(cells),
                lab=lab,
                cells=cells,
            )
        case GridConfig():
            base = Base(overrides)
            space = {path: Parameter(choices=values) for path, values in axes.items()}
    proposals = proposals_of(space)
    name = config.campaign.name or f"{config.kind}-{base.config().name}"
    return Plan(
        **shared, name=name, base=base, space=space, objectives=accuracy, proposals=proposals, total=len(proposals)
    )


def _with_its_own(config: AnyConfig, overrides: list[str]) -> list[str]:
    """The words for the runs behind those that the study or lab itself has for them."""
    match config:
        case TuneConfig(study=study):
            own, experiment = study.overrides, study.experiment
        case LabsConfig(lab=lab):
            own, experiment = lab.size_overrides, None
        case _:
            return overrides
    said = {_key(word) for word in overrides}
    words = [*(word for word in own if _key(word) not in said), *overrides]
    return [f"experiment={experiment}", *words] if experiment and not _chooses_experiment(words) else words


def _check_words(config: AnyConfig, rest: list[str], axes: dict[str, tuple[Any, ...]]) -> None:
    """Refuse words about what the campaign itself decides: they would be ignored."""
    varied: dict[str, str] = dict.fromkeys(axes, "is one of the settings that vary")
    match config:
        case TuneConfig(study=study):
            varied |= dict.fromkeys(study.space, "is searched by the study: leave it out, or take it out of the space")
        case CrossvalConfig():
            varied |= {"data.folds": "is said by folds=…", "data.fold": "is each of them in turn"}
        case LabsConfig(lab=lab):
            varied |= dict.fromkeys(space_of(cells_of(lab)), "is what the runs of the lab differ in")
    mistakes = [
        f"{_key(word)}: {varied[_key(word)]}, given {word} [command line]" for word in rest if _key(word) in varied
    ]
    if mistakes:
        raise ConfigError(mistakes)


def _check_measures(lab: LabConfig) -> None:
    named: dict[str, str | None] = {f"lab.measures.{place}": name for place, name in enumerate(lab.measures)}
    named |= {f"lab.effects.{place}.measure": effect.measure for place, effect in enumerate(lab.effects)}
    pictures = enumerate(lab.figures)
    named |= {f"lab.figures.{place}.measure": one.measure for place, one in pictures if one.kind in ("bars", "lines")}
    mistakes = [
        f"{path}: expected one of {', '.join(MEASURES)}, given {name}{did_you_mean(str(name), list(MEASURES))}"
        for path, name in named.items()
        if name not in MEASURES
    ]
    if mistakes:
        raise ConfigError(mistakes)


def _check_runs(plan: Plan) -> None:
    """Refuse what no campaign can vary, and runs that it cannot choose among."""
    mistakes = [
        f"{path}: expected a setting of the training, which this is not; it is the same for all runs"
        for path in plan.space
        if path.startswith((*INCIDENTAL, "debug"))
    ]
    config = plan.base.config()
    if config.debug:
        mistakes.append(f"debug: expected none in a campaign, given {config.debug}; debug a run with `visionlab train`")
    if not config.data.may_validate:
        mistakes.append(f"data.val_fraction: expected more than 0, as {plan.kind} chooses by validation, given 0")
    longest = f"{plan.name}-{max(plan.total, 1000)}"
    if len(longest) > LONGEST_NAME:
        mistakes.append(f"campaign.name: expected a shorter one, given {plan.name}")
    if mistakes:
        raise ConfigError(mistakes)


def _replacing_the_space(words: list[str]) -> list[str]:
    """A space that is given as a whole takes the place of the file's, with which Hydra would merge it."""
    whole = [word for word in words if word.replace(" ", "").startswith("study.space={")]
    chosen = any(word.startswith("study=") for word in words)
    return [*(word for word in words if word not in whole), *(["~study.space"] if whole and chosen else []), *whole]


def _chooses_experiment(overrides: list[str]) -> bool:
    return any(_key(word) == "experiment" for word in overrides)


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]
