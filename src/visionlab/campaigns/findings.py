"""What a campaign has found, in a few sentences that claim no more than its numbers do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from statistics import fmean, median
from typing import Any

from visionlab.campaigns.results import Child, Results
from visionlab.campaigns.statistics import estimate
from visionlab.campaigns.words import (
    capital,
    differing,
    is_number,
    metric,
    names,
    pair,
    rank,
    run,
    said,
    setting,
    value,
)
from visionlab.figures.style import percent

THINGS = {"tune": "configuration", "crossval": "fold", "repeat": "seed", "grid": "point", "lab": "run"}
MATTERS = 0.1  # share of the variation, from which on a setting is named
FEW = 10  # runs, from which importance is only a rough guess
FEW_VALUES = 6  # of a setting, which are all named
MOST_SETTINGS = 6  # of a run that are named
NEAR = 0.05  # of a range, from its end


def findings(results: Results) -> list[str]:
    """The sentences, of which the first says how far the campaign is.

    The importance of settings is that of fANOVA (Hutter et al. 2014), the caveat on folds that of Bengio and
    Grandvalet (2004).
    """
    sentences = [_progress(results), *_undefined(results)]
    if results.kind == "lab":
        return sentences  # what its runs show is for the lab itself to say
    if not results.measured():
        return [*sentences, f"Nothing can be said of {metric(results.objectives[0].metric)} yet."]
    if results.kind in ("crossval", "repeat"):
        return [*sentences, *_spread(results)]
    if len(results.objectives) > 1:
        return [*sentences, *_front(results), *_importance(results)]
    sentences.append(_best(results))
    sentences += _marginal_means(results) if results.kind == "grid" else _importance(results)
    return [*sentences, *_edges(results), *_caveat(results)]


def _progress(results: Results) -> str:
    states = results.tally()
    finished, total = states["finished"], max(results.total, states["finished"])
    done = f"{finished} of {total}"
    if finished == total > 1:
        done = "Both" if total == 2 else f"All {total}"
    parts = [f"{done} {THINGS[results.kind]}{'s' * (total > 1)} {'has' if finished == total == 1 else 'have'} finished"]
    if pruned := states["pruned"]:
        parts.append(f"{pruned} {'was' if pruned == 1 else 'were'} pruned early")
    if failed := states["failed"]:
        parts.append(f"{failed} failed")
    left = total - finished - pruned - failed
    if left > 0:
        parts.append(f"{left} {'is' if left == 1 else 'are'} still to come")
    return f"{_listed(parts)}."


def _undefined(results: Results) -> Iterator[str]:
    without = len(results.finished()) - len(results.measured())
    if without:
        what = metric(results.objectives[0].metric) if len(results.objectives) == 1 else "all objectives"
        are = "is" if without == 1 else "are"
        yield f"{without} of the finished {are} left out, without a finite number for {what}."


def _spread(results: Results) -> Iterator[str]:
    """Of folds and seeds: what they have in common."""
    objective, thing = results.objectives[0], THINGS[results.kind]
    children = sorted(results.measured(), key=lambda child: child.values[0])
    found = estimate([child.values[0] for child in children])
    assert found is not None
    name = objective.metric
    if found.count == 1:
        yield f"The one {thing} has {metric(name)} {value(name, found.mean)}; how far others are from it is not known."
        return
    mean, interval = pair(name, found.mean, "±", found.std), pair(name, found.low, "to", found.high)
    yield (
        f"Mean ± standard deviation of {metric(name)} over {found.count} {thing}s: {mean}, "
        f"with a 95 % interval of the mean of {interval}."
    )
    called = names(differing(children))
    least, most = children[0], children[-1]
    if least.values[0] < most.values[0]:
        yield (
            f"The lowest is {value(name, least.values[0])} ({said(least.settings, called)}), "
            f"the highest {value(name, most.values[0])} ({said(most.settings, called)})."
        )
    if results.kind == "crossval":
        yield "Folds share training images, so the interval is somewhat too narrow."
    else:
        yield "Only the seed differs, so the interval leaves out what other images or another split would change."
    yield "Each run reports its best epoch, chosen on the very images that judge it, so the mean is somewhat too good."


def _best(results: Results) -> str:
    best, children = results.best, results.measured()
    assert best is not None
    objective = results.objectives[0]
    name = objective.metric
    text = f"The best is {run(best)} with {metric(name)} {value(name, best.values[0])}: {_settings(results, best)}"
    if len(children) >= 5:
        middle = value(name, median(child.values[0] for child in children))
        beyond = "more" if objective.direction == "maximize" else "less"
        text += f"; half of the {len(children)} reach {middle} or {beyond}"
    return f"{text}."


def _front(results: Results) -> Iterator[str]:
    """Of several objectives: what can be had of each, and at what cost in the others."""
    measured, front = results.measured(), results.front()
    if len(front) == 1:
        yield f"{capital(run(front[0]))} is the best in every objective: {_values(results, front[0])}."
        return
    objectives = [metric(objective.metric) for objective in results.objectives]
    yield (
        f"{len(front)} of {len(measured)} runs are on the Pareto front: "
        f"no run betters one of them in {_listed(objectives, 'or')} without being worse in another."
    )
    for place, objective in enumerate(results.objectives):
        turn = max if objective.direction == "maximize" else min
        extreme = turn(front, key=lambda child: child.values[place])
        word = "Highest" if objective.direction == "maximize" else "Lowest"
        yield f"{word} {metric(objective.metric)}: {run(extreme)} with {_values(results, extreme)}."


def _importance(results: Results) -> Iterator[str]:
    if len(results.importance) < 2:
        return
    called, what = names(differing(results.children)), metric(results.objectives[0].metric)
    great = {path: share for path, share in results.importance.items() if share >= MATTERS}
    if not great:
        yield f"No setting accounts for as much as {percent(MATTERS, 0)} of the variation in {what} (fANOVA)."
        return
    parts = [f"{called[path]} {percent(share, 0)}" for path, share in great.items()]
    rest = len(results.importance) - len(great)
    if rest:
        others = "one other" if rest == 1 else f"{rest} others"
        parts.append(f"{others} less than {percent(MATTERS, 0)}{' each' * (rest > 1)}")
    runs = len(results.measured())
    rough = f", a rough guess from {runs} runs" if runs < FEW else ""
    yield f"Shares of the variation in {what}, by fANOVA: {_listed(parts)}{rough}."


def _marginal_means(results: Results) -> Iterator[str]:
    """Of the points of a grid, by each setting that matters: the mean over all the others."""
    children, name = results.measured(), results.objectives[0].metric
    called = names(differing(results.children))
    what = "Mean " + metric(name) if len(results.importance) > 1 else capital(metric(name))
    for path, share in [*results.importance.items()][:2]:
        groups: dict[str, list[float]] = {}
        for child in sorted(children, key=lambda child: rank(child.settings.get(path))):
            if path in child.settings:
                groups.setdefault(setting(child.settings[path]), []).append(child.values[0])
        if share < MATTERS or len(groups) < 2:
            continue
        means = {given: fmean(values) for given, values in groups.items()}
        if len(means) > FEW_VALUES:
            ends = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
            means = {given: means[given] for given in ends}
        said_means = _listed([f"{value(name, mean)} at {given}" for given, mean in means.items()])
        extremes = "lowest and highest: " if len(means) < len(groups) else ""
        finished = "" if len(children) == results.total else ", of the points that have finished"
        of = f" ({percent(share, 0)} of the variation{finished})" if len(results.importance) > 1 else ""
        yield f"{what} by {called[path]}{of}: {extremes}{said_means}."


def _edges(results: Results) -> Iterator[str]:
    """Of the most important settings of which the best has about the least or greatest value that was searched."""
    best = results.best
    assert best is not None
    for path, share in results.importance.items():
        found = _end(results, path, best.settings.get(path))
        if share >= MATTERS and found is not None:
            end, low, high = found
            called = names(differing(results.children))
            yield (
                f"{said(best.settings, {path: called[path]})} of the best is at the {end} end of what was searched, "
                f"{setting(low)} to {setting(high)}; what lies beyond was not tried."
            )
            return


def _caveat(results: Results) -> Iterator[str]:
    runs = len(results.measured())
    if runs < 2:
        return
    if results.kind == "tune" and results.objectives[0].metric.startswith("val/"):
        yield f"As the best of {runs} by validation it is likely to do somewhat less well on other images."
    if results.kind == "grid" and "seed" not in differing(results.children):
        yield "Every point is a single run, so differences as small as those between seeds mean nothing."


def _end(results: Results, path: str, given: Any) -> tuple[str, float, float] | None:
    """Which end of what was searched a value is at, if any, and the two ends as far as they are known.

    Of a range that is its last twentieth, of a grid the least or greatest of three numbers or more.
    """
    if path in results.bounds:
        (low, high), near = results.bounds[path], NEAR
    else:
        tried = [child.settings[path] for child in results.children if path in child.settings]
        if results.kind != "grid" or not all(map(is_number, tried)) or len(set(tried)) < 3:
            return None
        low, high, near = min(tried), max(tried), 0.0
    if not is_number(given) or low == high:
        return None
    below, whole = given - low, high - low
    if path in results.log:
        below, whole = math.log(given / low), math.log(high / low)
    if near * whole < below < (1 - near) * whole:
        return None
    return "lower" if below < whole / 2 else "upper", low, high


def _settings(results: Results, child: Child) -> str:
    """Those of a run, the most important first; of many the first few."""
    paths = [path for path in dict.fromkeys([*results.importance, *child.settings]) if path in child.settings]
    called = names(differing(results.children))
    more = f" and {len(paths) - MOST_SETTINGS} more" if len(paths) > MOST_SETTINGS else ""
    return (said(child.settings, {path: called[path] for path in paths[:MOST_SETTINGS]}) or "the base as it is") + more


def _values(results: Results, child: Child) -> str:
    pairs = zip(results.objectives, child.values, strict=True)
    return _listed([f"{metric(objective.metric)} {value(objective.metric, number)}" for objective, number in pairs])


def _listed(parts: Iterable[str], word: str = "and") -> str:
    """`a, b and c`."""
    *first, last = parts
    return f"{', '.join(first)} {word} {last}" if first else last
