"""From the words of a command to the plan of a campaign, checked before its first run."""

from __future__ import annotations

from typing import Any, cast

from visionlab import project
from visionlab.campaigns.cells import cells_of, space_of
from visionlab.campaigns.plan import INCIDENTAL, Plan
from visionlab.campaigns.space import Base, Settings, check_each, check_space, corners
from visionlab.config.campaign import CAMPAIGNS, CrossvalConfig, GridConfig, LabsConfig, RepeatConfig, TuneConfig
from visionlab.config.compose import compose_config, sweeps
from visionlab.config.defaults import options
from visionlab.config.lab import LabConfig
from visionlab.config.resolved import check
from visionlab.config.search import Objective, Parameter
from visionlab.config.suggest import did_you_mean
from visionlab.errors import ConfigError
from visionlab.labs.measures import MEASURES

CONFIGS = {config.kind: config for config in CAMPAIGNS}
AnyConfig = TuneConfig | CrossvalConfig | RepeatConfig | GridConfig | LabsConfig
CHOSEN = {"tune": "study", "lab": "lab"}  # what the words of a command have to choose
ACCURACY = (Objective(),)
LONGEST_NAME = 100


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
    match config:
        case TuneConfig():
            return _study(config, overrides)
        case LabsConfig():
            return _lab(config, overrides)
        case CrossvalConfig(folds=folds):
            base = Base([*overrides, f"data.folds={folds}"])
            space = {"data.fold": Parameter(int=(0, folds - 1))}
        case RepeatConfig(seeds=seeds):
            base = Base(overrides)
            first = base.config().seed
            space = {"seed": Parameter(int=(first, first + seeds - 1))}
        case GridConfig():
            base = Base(overrides)
            space = {path: Parameter(choices=values) for path, values in axes.items()}
    proposals = proposals_of(space)
    return Plan(
        **_shared(config),
        name=config.campaign.name or f"{config.kind}-{base.config().name}",
        base=base,
        space=space,
        objectives=ACCURACY,
        proposals=proposals,
        total=len(proposals),
    )


def _study(config: TuneConfig, overrides: list[str]) -> Plan:
    study = config.study
    space, total = dict(study.space), study.trials
    proposals = None
    if study.sampler == "grid":
        proposals = proposals_of(space)
        total = len(proposals)
    elif study.sampler == "random":
        from visionlab.campaigns.distributions import draw

        proposals = tuple(draw(space, total, study.seed))
    return Plan(
        **_shared(config),
        name=config.campaign.name or f"tune-{study.name}",
        base=Base(overrides),
        space=space,
        objectives=study.objectives,
        proposals=proposals,
        total=total,
        sampler=study.sampler,
        pruner=study.pruner,
        seed=study.seed,
        minutes=study.minutes,
    )


def _lab(config: LabsConfig, overrides: list[str]) -> Plan:
    lab = config.lab
    _check_measures(lab)
    cells = cells_of(lab)
    size = "-full" if lab.full else "-tiny" if lab.tiny else ""
    return Plan(
        **_shared(config),
        name=config.campaign.name or f"lab-{lab.name}{size}",
        base=Base(overrides),
        space=space_of(cells),
        objectives=ACCURACY,
        proposals=tuple(cell.settings for cell in cells),
        total=len(cells),
        lab=lab,
        cells=cells,
    )


def _shared(config: AnyConfig) -> dict[str, Any]:
    return {"kind": config.kind, "carrying_out": config.campaign, "storage": config.study.storage}


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
